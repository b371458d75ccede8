"""Good pictures with faults among them, each of a known kind: pieces of photographs that come with packages."""

import functools
import io
from importlib.resources import files

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageEnhance, ImageFilter
from scipy import ndimage

from tlcourse.datasets.image_files import decode

# file: (enlargement to a size at which it is sharp, tint of a grey one)
PHOTOGRAPHS = {
    "skimage.data": {
        "astronaut.png": (1, None), "chelsea.png": (1, None), "coffee.png": (1, None), "rocket.jpg": (1, None),
        "ihc.png": (1, None), "motorcycle_left.png": (1, None), "hubble_deep_field.jpg": (0.6, None),
        "retina.jpg": (0.5, None), "brick.png": (1, (1.0, 0.8, 0.65)), "grass.png": (1, (0.7, 1.0, 0.5)),
        "gravel.png": (1, (1.0, 0.95, 0.8)), "moon.png": (1, (0.85, 0.9, 1.0)), "coins.png": (1, (1.0, 0.85, 0.5)),
        "camera.png": (1, (1.0, 0.9, 0.75)),
    },
    "sklearn.datasets.images": {"china.jpg": (1, None), "flower.jpg": (1, None)},
}  # fmt: skip
COUNTS = {
    "too dark": 20, "too bright": 20, "blurred": 20, "low information": 20, "near duplicate": 20, "unreadable": 9,
    "truncated": 9, "wrong extension": 9, "exact duplicate": 9, "odd size": 9, "odd aspect": 9, "grey among colour": 9,
    "alpha": 9, "CMYK": 9, "16 bit": 9, "rotated by EXIF": 10,
}  # fmt: skip


def photograph(package, name, scale, tint):
    pixels = decode(files(package) / name)
    if tint:
        pixels = (pixels * np.array(tint)).round().astype(np.uint8)
    picture = Image.fromarray(pixels)
    return picture.resize([round(side * scale) for side in picture.size], Image.Resampling.LANCZOS)


def crops(count, rng):
    "Pieces of the photographs with something in them, near and from afar; neighbours share about a third"
    found = []
    for package, name, how in [(package, name, how) for package, of in PHOTOGRAPHS.items() for name, how in of.items()]:
        whole = photograph(package, name, *how)
        for distance in (1, 1.7):
            picture = whole.resize([round(side / distance) for side in whole.size], Image.Resampling.LANCZOS)
            grey = np.asarray(picture.convert("L"), np.float32)
            for top in range(0, picture.height - 112, 48):
                for left in range(0, picture.width - 112, 48):
                    (down, right), (height, width) = rng.integers(0, 9, 2), rng.integers(80, 113, 2)
                    corner = np.array([left + right, top + down])
                    box = np.minimum([*corner, *(corner + [width, height])], [*picture.size, *picture.size])
                    # nobody would put a piece of empty sky into a set of good pictures
                    if grey[box[1] : box[3] : 2, box[0] : box[2] : 2].std() >= 18:
                        found.append(picture.crop(tuple(box.tolist())))
    if len(found) < count:
        raise ValueError(f"{count} pieces were asked for, and there is room for {len(found)}")
    return [found[number] for number in rng.permutation(len(found))[:count]]


def exposed(picture, stops):
    "The picture as more or less light would make it"
    light = (np.asarray(picture) / 255.0) ** 2.2 * 2.0**stops
    return Image.fromarray((255 * light.clip(0, 1) ** (1 / 2.2)).round().astype(np.uint8))


def too_dark(picture, rng):
    return exposed(picture, -rng.uniform(3.5, 6))


def too_bright(picture, rng):
    for stops in np.arange(2, 5, 0.25) if rng.random() < 0.7 else ():
        if np.asarray(exposed(picture, stops).convert("L")).mean() > 222:
            return exposed(picture, stops + rng.uniform(0, 0.5))
    # fog or flare; and where something is so black that no exposure makes it bright
    return Image.blend(picture, Image.new("RGB", picture.size, "white"), rng.uniform(0.8, 0.9))


def blurred(picture, rng):
    if rng.random() < 0.5:
        return picture.filter(ImageFilter.GaussianBlur(rng.uniform(1.8, 4)))
    # a lens out of focus spreads a point to a disc
    radius, angle = rng.uniform(3.5, 6) * np.sqrt(rng.random(20000)), rng.uniform(0, 2 * np.pi, 20000)
    return spread(picture, radius * np.cos(angle), radius * np.sin(angle), rng)


def shaken(picture, rng):
    "A camera that moved spreads a point to a line"
    angle, way = rng.uniform(0, np.pi), rng.uniform(11, 18) * (rng.random(20000) - 0.5)
    return spread(picture, way * np.cos(angle), way * np.sin(angle), rng)


def spread(picture, down, right, rng):
    "The picture with the light of each pixel spread over these places"
    # a point that falls between pixels gives to its neighbours
    places = [step + rng.random(len(step)) - 0.5 for step in (down, right)]
    kernel, _, _ = np.histogram2d(*places, bins=np.arange(-10.5, 11))
    pixels = ndimage.convolve(np.asarray(picture, float), (kernel / kernel.sum())[..., None])
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def low_information(picture, rng):
    height, width = picture.height, picture.width
    down, right = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    grey = np.full((height, width), rng.uniform(30, 220))
    way = rng.integers(5)
    if way == 1:
        grey += rng.uniform(20, 50) * (right * np.cos(1) + down * np.sin(1))
    elif way == 2:
        grey -= rng.uniform(20, 60) * (right**2 + down**2)
    elif way == 3:  # a lens cap, and the noise of the sensor
        grey = 20 + rng.normal(0, rng.uniform(2, 5), grey.shape)
    elif way == 4:  # thick fog
        grey = grey * 0.5 + 80 + 0.015 * (np.asarray(picture.convert("L"), float) - 128)
    noise = rng.normal(0, 1.5, grey.shape)
    tinted = (grey + noise)[..., None] + np.array([0, 4, 9])
    return Image.fromarray(tinted.round().clip(0, 255).astype(np.uint8))


def near_duplicate(picture, rng):
    way = rng.integers(4)
    if way == 0:
        stored = io.BytesIO()
        picture.save(stored, "JPEG", quality=int(rng.integers(15, 50)))
        return Image.open(stored).convert("RGB")
    if way == 1:
        return picture.resize([round(side * rng.uniform(0.45, 0.8)) for side in picture.size])
    if way == 2:
        return ImageEnhance.Brightness(picture).enhance(rng.choice([0.75, 0.85, 1.15]))
    cut = [rng.uniform(0, 0.02) * side for side in (*picture.size, *picture.size)]
    return picture.crop((round(cut[0]), round(cut[1]), picture.width - round(cut[2]), picture.height - round(cut[3])))


def odd_size(picture, rng):
    longest = int(rng.choice([10, 14, 18, 600, 900]))
    scale = longest / max(picture.size)
    return picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)


def odd_aspect(picture, rng):
    short = picture.width // rng.integers(3, 6)
    size = (picture.width, short) if rng.random() < 0.5 else (short, picture.width)
    return picture.crop((0, 0, *size))


def plant(folder, seed=0, good=1000, counts=COUNTS, classes=4):
    "The kind of each file by its path below the folder: None for a good one, 'original' where a copy of it was planted"
    rng = np.random.default_rng(seed)
    of_good = {"exact duplicate", "near duplicate"}
    pictures = crops(good + sum(count for kind, count in counts.items() if kind not in of_good), rng)
    kinds = {}

    def path_for(kind, number, suffix):
        name = f"class {rng.integers(classes)}/{number:04} {rng.integers(10**6)}{suffix}"
        kinds[name] = kind
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return folder / name

    for number, picture in enumerate(pictures[:good]):
        if rng.random() < 0.8:
            picture.save(path_for(None, number, ".jpg"), quality=int(rng.integers(80, 96)))
        else:
            picture.save(path_for(None, number, ".png"))
    originals = iter(rng.permutation([name for name in kinds]))
    rest = iter(enumerate(pictures[good:], start=good))
    for kind, count in counts.items():
        for _ in range(count):
            number, picture = (good, None) if kind in of_good else next(rest)
            spoil(kind, picture, rng, functools.partial(path_for, kind, number), folder, originals, kinds)
    return kinds


def spoil(kind, picture, rng, path_for, folder, originals, kinds):
    in_pixels = {"too dark": too_dark, "too bright": too_bright, "blurred": blurred, "low information": low_information,
                 "odd size": odd_size, "odd aspect": odd_aspect}  # fmt: skip
    if kind in in_pixels:
        in_pixels[kind](picture, rng).save(path_for(".jpg"), quality=int(rng.integers(80, 96)))
    elif kind in ("exact duplicate", "near duplicate"):
        name = str(next(originals))
        kinds[name] = "original"
        with Image.open(folder / name) as original:
            if kind == "near duplicate":
                near_duplicate(original.convert("RGB"), rng).save(path_for(".jpg"), quality=85)
            elif rng.random() < 0.5:
                original.save(path_for(".bmp"))
            else:
                path_for(name[-4:]).write_bytes((folder / name).read_bytes())
    elif kind == "grey among colour":
        picture.convert("L").convert(str(rng.choice(["L", "RGB"]))).save(path_for(".jpg"))
    elif kind == "alpha":
        drawn = picture.convert("RGBA")
        mask = Image.new("L", picture.size, 255)
        ImageDraw.Draw(mask).rectangle((0, 0, picture.width // 4, picture.height), fill=0)
        drawn.putalpha(mask)
        drawn.save(path_for(str(rng.choice([".png", ".webp"]))))
    elif kind == "CMYK":
        picture.convert("CMYK").save(path_for(str(rng.choice([".jpg", ".tif"]))))
    elif kind == "16 bit":
        deep = np.asarray(picture).astype(np.uint16) * 257
        if rng.random() < 0.5:
            Image.fromarray(deep[..., 1]).save(path_for(".png"))
        else:
            import tifffile

            tifffile.imwrite(path_for(".tif"), deep, photometric="rgb")
    elif kind == "rotated by EXIF":
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = int(rng.choice([3, 6, 8]))
        picture.save(path_for(".jpg"), exif=exif)
    elif kind == "wrong extension":
        written, named = [("PNG", ".jpg"), ("JPEG", ".png"), ("WEBP", ".jpg"), ("JPEG", "")][rng.integers(4)]
        picture.save(path_for(named), format=written)
    else:
        written, suffix = [("JPEG", ".jpg"), ("PNG", ".png")][rng.integers(2)]
        whole = io.BytesIO()
        picture.save(whole, written)
        whole = whole.getvalue()
        if kind == "truncated":
            path_for(suffix).write_bytes(whole[: int(len(whole) * rng.uniform(0.2, 0.95))])
        else:
            contents = [b"", b"<html>404 Not Found</html>", rng.bytes(500), b"\0" * 5000]
            path_for(suffix).write_bytes(contents[rng.integers(len(contents))])
