"""Make the data set `emoji`: things drawn in three styles, sorted into classes that an eye sorts without doubt.

The pictures come from three npm packages: Noto (emoji-datasource-google), Twemoji (emoji-datasource-twitter) and Fluent
in 3D (@lobehub/fluent-emoji-3d). Things are sorted by Unicode's subcategories. What is left out stands in `CLASSES`:
what another class could claim as well, a part of a thing, and what says something by a sign rather than by a picture.
Things that lack one of the styles are left out too.

    python tools/make_emoji.py [--packages FOLDER] [--out tlcourse/images/emoji.zip] [--sheet FILE.png]

Without --packages the three packages are fetched with `npm pack`, in the versions below.
"""

import argparse
import io
import json
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SIZE = 64  # height and width in pixels
STYLES = {  # style: package, version, where the picture of a code point lies
    "noto": ("emoji-datasource-google", "16.0.0", "package/img/google/64/{}.png"),
    "twemoji": ("emoji-datasource-twitter", "16.0.0", "package/img/twitter/64/{}.png"),
    "fluent": ("@lobehub/fluent-emoji-3d", "1.1.0", "package/assets/{}.webp"),
}
LICENCES = {
    "noto": "Noto Emoji, Copyright Google LLC, Apache License 2.0 (pictures) and SIL Open Font License 1.1 (font)",
    "twemoji": "Twemoji, Copyright 2020 Twitter, Inc and other contributors, CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/); scaled to 64 pixels and laid on white",
    "fluent": "Fluent Emoji, Copyright Microsoft Corporation, MIT License; scaled to 64 pixels and laid on white",
}
MIT = """
The MIT License, for the pictures of Fluent Emoji:

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
# class: Unicode's subcategories; the short names of what is left out
CLASSES = {
    "bird": (["animal-bird"], "feather wing phoenix"),
    "building": (
        ["place-building", "place-religious"],
        "building_construction bricks rock wood tokyo_tower statue_of_liberty shinto_shrine kaaba",
    ),
    "clothing": (
        ["clothing"],
        "eyeglasses dark_sunglasses goggles folding_hand_fan purse handbag pouch shopping_bags school_satchel "
        "hair_pick crown prayer_beads lipstick ring gem helmet_with_white_cross",
    ),
    "dish": (
        ["food-prepared", "food-asian"],
        "cut_of_meat meat_on_bone egg fondue bowl_with_spoon salt canned_food butter popcorn rice_cracker sweet_potato "
        "oden fish_cake dango fortune_cookie takeout_box cheese_wedge tamale",
    ),
    "drink": (["drink"], "ice_cube"),
    "fruit": (["food-fruit"], "tomato olive"),
    "mammal": (["animal-mammal"], "pig_nose unicorn_face feet bat"),
    "plant": (
        ["plant-flower", "plant-other"],
        "bouquet white_flower rosette empty_nest nest_with_eggs mushroom leaves fallen_leaf",
    ),
    "sea animal": (["animal-marine"], ""),
    "sky": (
        ["sky & weather"],
        "thermometer wind_blowing_face cyclone closed_umbrella umbrella umbrella_with_rain_drops umbrella_on_ground "
        "snowflake snowman snowman_without_snow fire droplet ocean",
    ),
    "tool": (
        ["tool"],
        "dagger_knife crossed_swords bomb boomerang bow_and_arrow shield scales probing_cane link broken_chain",
    ),
    "vehicle": (
        ["transport-ground"],
        "station mountain_railway manual_wheelchair motorized_wheelchair skateboard roller_skate busstop motorway "
        "railway_track oil_drum fuelpump wheel rotating_light traffic_light vertical_traffic_light octagonal_sign "
        "construction",
    ),
}
MORE = {"tool": ["scissors"]}  # of another subcategory
# short names of things that look alike: no two of them may lie in different parts
ALIKE = [
    "monkey_face monkey",
    "dog dog2 guide_dog service_dog",
    "cat cat2 black_cat",
    "tiger tiger2",
    "horse racehorse",
    "moose deer",
    "bison ox water_buffalo",
    "cow cow2",
    "pig pig2",
    "ram sheep",
    "dromedary_camel camel",
    "elephant mammoth",
    "mouse mouse2 rat",
    "rabbit rabbit2",
    "bear polar_bear",
    "skunk badger",
    "chicken rooster",
    "hatching_chick baby_chick hatched_chick",
    "bird black_bird",
    "swan goose",
    "whale whale2",
    "apple green_apple",
    "burrito stuffed_flatbread",
    "stew shallow_pan_of_food",
    "coffee tea",
    "beer beers",
    "bubble_tea cup_with_straw",
    "train2 metro tram",
    "bullettrain_side bullettrain_front monorail light_rail",
    "railway_car train",
    "bus oncoming_bus minibus trolleybus",
    "police_car oncoming_police_car taxi oncoming_taxi car oncoming_automobile blue_car",
    "truck articulated_lorry",
    "classical_building bank",
    "house_buildings derelict_house_building house house_with_garden",
    "hotel love_hotel",
    "office department_store",
    "church wedding",
    "shirt womans_clothes",
    "lab_coat coat",
    "mans_shoe hiking_boot",
    "new_moon waxing_crescent_moon first_quarter_moon moon full_moon waning_gibbous_moon last_quarter_moon "
    "waning_crescent_moon",
    "crescent_moon first_quarter_moon_with_face last_quarter_moon_with_face",
    "new_moon_with_face full_moon_with_face",
    "sunny sun_with_face",
    "star star2 stars",
    "partly_sunny mostly_sunny barely_sunny partly_sunny_rain",
    "rain_cloud snow_cloud",
    "thunder_cloud_and_rain lightning",
    "sunflower blossom",
    "rose tulip",
    "evergreen_tree deciduous_tree",
    "shamrock four_leaf_clover",
    "hammer hammer_and_pick hammer_and_wrench",
]


class Package:
    "The files of an npm package, out of its archive"

    def __init__(self, folder, name, version):
        path = folder / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
        if not path.exists():
            print(f"fetching {name} {version}", flush=True)
            subprocess.run(
                ["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, capture_output=True
            )
        with tarfile.open(path) as archive:
            self.files = {
                member.name: archive.extractfile(member).read()
                for member in archive
                if member.isfile()
                and ("/64/" in member.name or "/assets/" in member.name or "emoji.json" in member.name)
            }


def on_white(data):
    "The bytes of a picture file as RGB pixels of the size that all have, transparency on white"
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    # colours are weighted by their opacity while they are mixed: no dark rim
    picture = picture.convert("RGBa").resize((SIZE, SIZE), Image.Resampling.LANCZOS).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def choose(emoji):
    "The things of each class, in Unicode's order"
    known = {one["short_name"]: one for one in emoji}
    for names in (*(left_out for _, left_out in CLASSES.values()), *ALIKE):
        unknown = set(names.split()) - set(known)
        assert not unknown, f"not in emoji.json: {unknown}"
    for label, (subcategories, left_out) in CLASSES.items():
        things = [
            one for one in emoji if one["subcategory"] in subcategories and one["short_name"] not in left_out.split()
        ]
        things += [known[name] for name in MORE.get(label, [])]
        for thing in sorted(things, key=lambda one: one["sort_order"]):
            yield label, thing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a folder with the archives, or for them")
    parser.add_argument("--out", type=Path, default=ROOT / "tlcourse" / "images" / "emoji.zip")
    parser.add_argument("--sheet", type=Path, help="a PNG file with all pictures, to look at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        packages = {
            style: Package(options.packages or Path(folder), name, version)
            for style, (name, version, _) in STYLES.items()
        }
    emoji = json.loads(packages["noto"].files["package/emoji.json"])
    alike = {name: names.split()[0] for names in ALIKE for name in names.split()}
    rows, pictures, missing = [], [], []
    for label, thing in choose(emoji):
        code = thing["unified"].lower()
        found = {}
        for style, (_, _, place) in STYLES.items():
            names = (place.format(name) for name in (code, code.replace("-fe0f", "")))
            found[style] = next((packages[style].files[name] for name in names if name in packages[style].files), None)
        if None in found.values():
            missing.append(thing["short_name"])
            continue
        name = thing["short_name"]
        for style, data in found.items():
            pictures.append(on_white(data))
            group = f"{label}: {alike.get(name, name)}"
            rows.append({"class": label, "group": group, "style": style, "name": name, "code": code})
    table = pd.DataFrame(rows)
    columns = 3 * 20
    sheet = Image.new("RGB", (columns * SIZE, -(-len(pictures) // columns) * SIZE), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number % columns * SIZE, number // columns * SIZE))
    if options.sheet:
        sheet.save(options.sheet)
    pixels = io.BytesIO()
    sheet.save(pixels, "WEBP", lossless=True, quality=100, method=6, exact=True)
    words = MIT
    for style, (name, version, _) in reversed(STYLES.items()):
        words = f"{style}: {LICENCES[style]}\n  from the npm package {name} {version}\n{words}"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(options.out, "w") as archive:
        for name, data in (
            ("pictures.webp", pixels.getvalue()),
            ("table.csv", table.to_csv(index=False)),
            ("LICENCES.txt", words),
        ):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED if name != "pictures.webp" else None)
    options.out.with_name("emoji_licences.txt").write_text(words, encoding="utf-8")
    things = table.drop_duplicates("code").groupby("class")
    print(pd.DataFrame({"things": things.size(), "groups": things["group"].nunique()}))
    print(f"{len(pictures)} pictures, {options.out.stat().st_size / 1e6:.2f} MB; lacking a style: {', '.join(missing)}")


if __name__ == "__main__":
    main()
