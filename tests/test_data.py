"""Data: folders as people have them, names, options, and the rule that TLCOURSE_DATA means no network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tlcourse import data, splitting
from tlcourse.datasets.image_files import ImageFiles

STAND_IN = Path(os.environ.get("TLCOURSE_DATA") or Path(__file__).parents[1] / ".." / "shared" / "datasets")


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    for key in list(os.environ):
        if key.startswith("TLCOURSE_"):
            monkeypatch.delenv(key)
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr(data, "fetch", lambda *args, **kwargs: pytest.fail("a download was tried"))


def put(folder, *names, content=None):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            Image.new("RGB", (6, 4), (10 * number % 256, 90, 200)).save(path, format="PNG")
        else:
            path.write_bytes(content)
    return folder


def test_a_folder_of_classes(tmp_path):
    folder = put(tmp_path / "photos", "b/1.png", "a/x.png", "a/deep/deeper/y.png")
    images = data.from_folder(folder)
    assert (images.name, images.class_names, images.labels.tolist()) == ("photos", ["a", "b"], [0, 0, 1])
    assert isinstance(images.images, ImageFiles) and images.images[0].shape == (4, 6, 3)
    assert images.metadata["file"].tolist() == ["a/deep/deeper/y.png", "a/x.png", "b/1.png"]
    assert images.metadata["source"].unique().tolist() == ["photos"]
    assert data.from_folder(str(folder), name="mine").name == "mine"


def test_the_order_is_natural_and_does_not_come_from_the_file_system(tmp_path, monkeypatch):
    expected = [
        "a/Image1.png",
        "a/image2.png",
        "a/image9.png",
        "a/image10.png",
        "b/01.png",
        "b/1.png",
        "b/2/3.png",
        "b/10/1.png",
    ]
    folder = put(tmp_path / "photos", *reversed(expected))
    assert data.from_folder(folder).metadata["file"].tolist() == expected
    walk = os.walk

    def backwards(*args, **kwargs):
        for here, folders, files in walk(*args, **kwargs):
            folders.sort(reverse=True)
            yield here, folders, sorted(files, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    assert data.from_folder(folder).metadata["file"].tolist() == expected


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_names_may_be_anything(tmp_path):
    classes = ["with space", "two\nlines", "玫瑰", "100%", "é", "-x"]
    folder = put(tmp_path / "照片 1", *(f"{name}/image {name}.png" for name in classes))
    images = data.from_folder(folder)
    assert images.class_names == sorted(classes)
    assert images.metadata["file"].tolist() == [f"{name}/image {name}.png" for name in sorted(classes)]
    assert len([image for image in images.images]) == len(classes)


def test_clutter_is_passed_over_without_a_word(tmp_path):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png")
    put(
        folder,
        "a/Thumbs.db",
        "a/.DS_Store",
        "b/desktop.ini",
        ".cache/x",
        "a/.ipynb_checkpoints/1.png",
        "__MACOSX/a/._1.png",
        "notes.txt",
        content=b"not an image",
    )
    assert data.from_folder(folder).metadata["file"].tolist() == ["a/1.png", "b/1.png"]


def test_links_to_folders_are_not_followed(tmp_path):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png")
    other = put(tmp_path / "other", "2.png")
    (folder / "a" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "b" / "elsewhere").symlink_to(other, target_is_directory=True)
    (folder / "b" / "linked.png").symlink_to(other / "2.png")
    assert data.from_folder(folder).metadata["file"].tolist() == ["a/1.png", "b/1.png", "b/linked.png"]
    (folder / "c").symlink_to(other, target_is_directory=True)
    with pytest.warns(UserWarning, match="not followed.*: c"):
        assert data.from_folder(folder).class_names == ["a", "b"]


def test_unreadable_files_are_named_in_one_warning_and_left_where_they_are(tmp_path):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png")
    put(folder, *(f"b/bad{number}.jpg" for number in range(12)), content=b"not an image")
    put(folder, "a/empty.png", content=b"")
    (folder / "a" / "gone.png").symlink_to(tmp_path / "nothing")
    with pytest.warns(UserWarning) as caught:
        images = data.from_folder(folder)
    assert images.metadata["file"].tolist() == ["a/1.png", "b/1.png"] and len(caught) == 1
    message = str(caught[0].message)
    assert "14 of 16 files" in message and "and 4 more" in message
    assert f"{Path('a/empty.png')}: the file is empty" in message and f"{Path('b/bad7.jpg')}: not an image" in message
    assert "bad8" not in message
    assert (folder / "a" / "empty.png").exists() and (folder / "b" / "bad11.jpg").exists()


def test_check_false_decodes_nothing(tmp_path, monkeypatch):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png")
    put(folder, "b/bad.jpg", content=b"not an image")
    monkeypatch.setattr(data, "check_files", lambda files: pytest.fail("decoded"))
    assert len(data.from_folder(folder, check=False)) == 3


def test_what_is_no_data_set_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="there is no such folder. Check the path"):
        data.from_folder(tmp_path / "nowhere")
    put(
        tmp_path,
        "flat/1.png",
        "one/a/1.png",
        "none/a/b/.hidden",
        "none/c/.hidden",
        "hole/a/1.png",
        "hole/b/.hidden",
        "broken/a/1.png",
    )
    with pytest.raises(ValueError, match="a file came"):
        data.from_folder(tmp_path / "flat" / "1.png")
    with pytest.raises(ValueError, match="1 files lie directly in it: put each class in a folder of its own"):
        data.from_folder(tmp_path / "flat")
    with pytest.raises(ValueError, match="at least two classes; only 'a' came"):
        data.from_folder(tmp_path / "one")
    with pytest.raises(ValueError, match="no files came"):
        data.from_folder(tmp_path / "none")
    with pytest.raises(ValueError, match="in 'b', it is empty"):
        data.from_folder(tmp_path / "hole")
    put(tmp_path / "broken", "b/1.jpg", content=b"not an image")
    reason = "in 'b', none of its 1 files can be read"
    with pytest.warns(UserWarning, match="1 of 2 files"), pytest.raises(ValueError, match=reason):
        data.from_folder(tmp_path / "broken")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="it is empty. Put a folder of images"):
        data.from_folder(tmp_path / "empty")


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    digits, original = data.load("digits"), load_digits()
    assert digits.images.shape == (1797, 32, 32, 3) and digits.class_names == [str(number) for number in range(10)]
    assert (digits.labels == original.target).all()
    assert (digits.images.min(), digits.images.max()) == (0, 255)
    grey = digits.images[..., 0].astype(float)
    blocks = grey.reshape(-1, 8, 4, 8, 4)
    assert (blocks == blocks[:, :, :1, :, :1]).all()  # each pixel four by four times
    assert np.abs(blocks[:, :, 0, :, 0] - original.images * 255 / 16).max() <= 0.5


def test_embedded_sets_load_by_name_with_their_options():
    charts = data.load("charts", per_class=1, image_size=48, seed=4)
    assert charts.name == "charts" and charts.images.shape[1:] == (48, 48, 3)
    assert data.load("textures").name == "textures"
    assert set(data.load("emoji", styles="noto").metadata["style"]) == {"noto"}


def test_each_thing_of_emoji_is_there_in_each_style_and_in_one_class():
    images = data.load("emoji")
    table = images.metadata.assign(label=images.labels)
    assert len(images.class_names) == 12 and images.images.shape == (len(table), 64, 64, 3)
    assert table.groupby("code")["style"].agg(sorted).map(" ".join).eq("fluent noto twemoji").all()
    assert table.groupby("group")["label"].nunique().max() == table.groupby("code")["group"].nunique().max() == 1
    assert table.drop_duplicates("code").groupby("label").size().min() >= 17
    assert len(np.unique(images.images.reshape(len(table), -1), axis=0)) == len(table)  # none twice
    corners = images.images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert ((corners >= 250).all(axis=-1).mean(axis=1) >= 0.5).mean() > 0.9  # on white


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("charts", dict(per_clas=1), "per_class, image_size, seed; 'per_clas' came"),
        ("digits", dict(seed=1), "no options; 'seed' came"),
        ("textures", dict(nothing=1), "'nothing' came"),
        ("emoji", dict(style="noto"), "the options styles; 'style' came"),
        ("flowers", dict(seed=1), "the options check; 'seed' came"),
    ],
)
def test_an_option_that_a_set_does_not_take_is_refused(name, options, expected, no_network):
    with pytest.raises(TypeError, match=expected):
        data.load(name, **options)


def test_an_unknown_name_gets_the_nearest_known_one(no_network):
    with pytest.raises(ValueError, match="'flower' came. Did you mean 'flowers'.*textures.*pets.*from_folder"):
        data.load("flower")
    with pytest.raises(ValueError, match="'zzzz' came. Known are"):
        data.load("zzzz")


def test_the_settings_name_the_default(monkeypatch):
    monkeypatch.setenv("TLCOURSE_DATASET", "digits")
    assert data.load().name == "digits"
    monkeypatch.setenv("TLCOURSE_DATASET", "digit")
    with pytest.raises(ValueError, match="TLCOURSE_DATASET: `dataset` is 'digit'; allowed is one of .*digits"):
        data.load()


def test_a_downloadable_set_is_fetched_where_no_folder_is_named(tmp_path, monkeypatch):
    folder = put(tmp_path / "fetched", "rose/1.png", "daisy/1.png")
    put(folder, "rose/bad.jpg", content=b"not an image")
    asked = []
    monkeypatch.setattr(data, "fetch", lambda name: asked.append(name) or folder)
    flowers = data.load("flowers")  # its checksum was right, so nothing is decoded
    assert (flowers.name, len(flowers), asked) == ("flowers", 3, ["flowers"])
    with pytest.warns(UserWarning, match="1 of 3 files"):
        assert len(data.load("flowers", check=True)) == 2


def test_with_a_data_folder_nothing_is_downloaded(tmp_path, monkeypatch, no_network):
    put(tmp_path / "sets", "flowers/rose/1.png", "flowers/daisy/1.png", "ours/a/1.png", "ours/b/1.png")
    monkeypatch.setenv("TLCOURSE_DATA", str(tmp_path / "sets"))
    assert data.load("flowers").class_names == ["daisy", "rose"]
    assert data.load("ours").metadata["source"].tolist() == ["ours", "ours"]
    with pytest.raises(ValueError, match="Expected a folder 'pets' in .*TLCOURSE_DATA names; there is none"):
        data.load("pets")
    with pytest.raises(ValueError, match="Did you mean 'ours'"):
        data.load("our")
    for name in ("../sets/ours", ".", "..", "ours/a"):
        with pytest.raises(ValueError, match="Expected the name of a data set"):
            data.load(name)
    assert len(data.load("digits")) == 1797  # what is on every machine needs no folder


def test_the_list_says_what_is_on_this_machine(tmp_path, monkeypatch, no_network):
    table = data.available()
    assert table.index.name == "name"
    assert (
        table.on_this_machine[["charts", "digits", "emoji", "textures"]].all() and not table.on_this_machine["flowers"]
    )
    assert table.kind["pets"] == "download" and table.download_mb["pets"] == 792 and table.classes["pets"] == 37
    put(tmp_path / "cache" / "datasets", "beans/healthy/1.png")
    assert data.available().on_this_machine["beans"]
    put(tmp_path / "sets", "flowers/rose/1.png", "ours/a/1.png")
    monkeypatch.setenv("TLCOURSE_DATA", str(tmp_path / "sets"))
    table = data.available()
    assert table.on_this_machine["flowers"] and not table.on_this_machine["beans"]  # the cache is not used now
    assert table.kind["ours"] == "your folder" and table.on_this_machine["ours"]


def test_importing_it_imports_neither_tensorflow_nor_scikit_learn():
    script = """if True:
        import sys
        import tlcourse.data
        print([name for name in ("tensorflow", "sklearn", "skimage", "matplotlib.pyplot") if name in sys.modules])"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.skipif(not (STAND_IN / "flowers").is_dir(), reason="no flowers in ../shared/datasets or TLCOURSE_DATA")
def test_real_photographs_come_from_a_data_folder(monkeypatch, no_network):
    monkeypatch.setenv("TLCOURSE_DATA", str(STAND_IN))
    flowers = data.load("flowers")
    assert flowers.class_names == ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
    assert flowers.summary()["images"].min() > 100
    assert flowers.images[0].dtype == np.uint8 and flowers.images[0].std() > 10


# Sets in parts

WORDS = [
    ("train", "val", "test"),
    ("Training", "Validation", "Testing"),
    ("training_set", "dev", "test-set"),
    ("train", "valid", "TEST"),
]


@pytest.mark.parametrize("words", WORDS, ids="-".join)
@pytest.mark.parametrize("turned", [False, True], ids=["train/cat", "cat/train"])
def test_a_set_in_parts_is_read_as_its_parts(tmp_path, words, turned):
    files = [(part, animal, number) for part in words for animal in ("cat", "dog") for number in range(1, 3)]
    names = [f"{animal}/{part}/{n}.png" if turned else f"{part}/{animal}/{n}.png" for part, animal, n in files]
    folder = put(tmp_path / "pets", *names)
    assert data.has_parts(folder) and not data.has_parts(folder / words[0])
    with pytest.raises(ValueError, match=r"comes in parts.*which are no classes\. splitting\.splits_from_folder"):
        data.from_folder(folder)
    parts = data.parts_from_folder(folder)
    assert list(parts) == ["train", "validation", "test"]
    for word, part in zip(words, parts.values(), strict=True):
        assert part.class_names == ["cat", "dog"] and part.labels.tolist() == [0, 0, 1, 1]
        assert part.metadata["file"].str.contains(word).all() and part.name == "pets"
    splits = splitting.splits_from_folder(folder)
    assert [len(part) for part in splits.parts.values()] == [4, 4, 4] and splits.how == "by folder"


def test_a_class_keeps_its_number_in_a_part_that_lacks_it(tmp_path):
    folder = put(tmp_path / "pets", "train/cat/1.png", "train/dog/1.png", "train/fox/1.png", "test/fox/1.png")
    put(folder, "test/owl/1.png", "test/cat/1.jpg")
    put(folder, "train/dog/2.jpg", "test/cat/1.jpg", content=b"not an image")
    with pytest.warns(UserWarning) as said:
        parts = data.parts_from_folder(folder)
    said = "\n".join(str(one.message) for one in said)
    assert "2 of 7 files cannot be read" in said
    assert "the part 'train' has no images of 'owl'" in said
    assert "the part 'test' has no images of 'cat', 'dog'" in said
    assert parts["train"].class_names == parts["test"].class_names == ["cat", "dog", "fox", "owl"]
    assert parts["train"].labels.tolist() == [0, 1, 2] and parts["test"].labels.tolist() == [2, 3]


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_a_part_that_is_missing_comes_from_the_training_part(tmp_path, missing):
    words = {"train": 20, "validation": 3, "test": 3}
    names = [f"{part}/{name}/{n}.png" for part in words if part != missing for name in "ab" for n in range(words[part])]
    folder = put(tmp_path / "set", *names)
    with pytest.warns(UserWarning, match=f"no folder for the {missing} part: 6 of its 40 training images are it"):
        splits = splitting.splits_from_folder(folder)
    parts = splits.parts
    assert np.bincount(parts[missing].labels).tolist() == [3, 3] and len(parts["train"]) == 34
    files = pd.concat([part.metadata["file"] for part in parts.values()])
    assert files.is_unique and len(files) == 46 and splits.how == f"by folder, {missing} from train"
    with pytest.warns(UserWarning):
        again, other = (splitting.splits_from_folder(folder, seed=seed).parts[missing].metadata for seed in (0, 1))
    assert again.equals(parts[missing].metadata) and not other.equals(again)


def test_what_belongs_to_no_part_is_said(tmp_path):
    folder = put(tmp_path / "set", *(f"{part}/{name}/1.png" for part in ("train", "val") for name in "ab"))
    put(folder, "test/1.png", "test/2.png", "extra/c/1.png", "9.png", "train/8.png")
    put(folder, "labels.csv", "train/notes.txt", content=b"file,label")
    with pytest.warns(UserWarning) as said:
        parts = data.parts_from_folder(folder)
    said = sorted(str(one.message).partition(": ")[2] for one in said)
    assert len(said) == 4 and list(parts) == ["train", "validation"]
    assert said[0].startswith("'extra' is no part of the set") and said[1].startswith(
        "'test' has no folders of classes"
    )
    assert all("1 pictures lie beside the folders" in words for words in said[2:])
    put(tmp_path / "turned", *(f"{name}/{part}/1.png" for part in ("train", "val", "more") for name in "ab"))
    with pytest.warns(UserWarning, match="more belong to no part"):
        assert len(data.parts_from_folder(tmp_path / "turned")["train"]) == 2
    put(tmp_path / "doubled", *(f"{part}/{part}/{name}/1.png" for part in ("train", "val") for name in "ab"))
    assert data.parts_from_folder(tmp_path / "doubled")["train"].class_names == ["a", "b"]


def test_what_comes_in_no_parts_is_refused(tmp_path):
    put(tmp_path / "classes", "a/1.png", "b/1.png")
    with pytest.raises(ValueError, match="to come in parts.*a, b came. data.from_folder reads"):
        data.parts_from_folder(tmp_path / "classes")
    put(tmp_path / "double", *(f"{part}/{name}/1.png" for part in ("train", "val", "valid") for name in "ab"))
    with pytest.raises(ValueError, match="one folder for each part .*val, valid came for validation"):
        data.parts_from_folder(tmp_path / "double")
    put(tmp_path / "flat", "train/1.png", "test/1.png")
    for read in (data.parts_from_folder, splitting.splits_from_folder):
        with pytest.warns(UserWarning), pytest.raises(ValueError, match="at least two classes in the parts"):
            read(tmp_path / "flat")
    put(tmp_path / "untrained", *(f"{part}/{name}/1.png" for part in ("val", "test") for name in "ab"))
    with pytest.raises(ValueError, match="Expected a part to train on.*validation, test came"):
        splitting.splits_from_folder(tmp_path / "untrained")
    put(tmp_path / "hole", *(f"{part}/{name}/1.png" for part in ("train", "test") for name in "ab"))
    put(tmp_path / "hole", "train/c/.hidden", "test/c/.hidden")
    with pytest.raises(ValueError, match="in 'c', it is empty"):
        data.parts_from_folder(tmp_path / "hole")
    with pytest.raises(ValueError, match="there is no such folder"):
        data.parts_from_folder(tmp_path / "nowhere")
    assert not data.has_parts(tmp_path / "nowhere") and not data.has_parts(tmp_path / "hole" / "test")


def test_a_class_may_be_called_like_one_part(tmp_path):
    """A train is a vehicle too"""
    folder = put(tmp_path / "vehicles", "train/1.png", "car/1.png", "plane/1.png", "train/test/1.png")
    assert data.from_folder(folder).class_names == ["car", "plane", "train"]


def test_tune_searches_on_the_parts(tmp_path, monkeypatch):
    from tlcourse import cli, tuning

    class Enough(Exception):
        pass

    def search(splits, *arguments, **options):
        raise Enough(splits.train.class_names, len(splits.train), len(splits.test))

    monkeypatch.setattr(tuning, "search", search)
    folder = put(
        tmp_path / "pets", *(f"{part}/{name}/1.png" for part in ("train", "val", "test") for name in ("cat", "dog"))
    )
    with pytest.raises(Enough) as caught:
        cli.main(["tune", "--data", str(folder)])
    assert caught.value.args == (["cat", "dog"], 2, 2)


def test_what_systems_cameras_and_network_drives_leave_is_no_data(tmp_path):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png")
    left = [
        "$RECYCLE.BIN/S-1/1.png", "System Volume Information/1.png", "@eaDir/a/1.png/SYNOPHOTO_THUMB_M.jpg",
        "a/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "#recycle/1.png", "#snapshot/1/a/1.png", "lost+found/1.png",
        "Network Trash Folder/1.png", ".Trashes/501/1.png", ".@__thumb/1.png", "a/ehthumbs.db", "a/Icon\r",
        "a/Picasa.ini", "a/ZbThumbnail.info", "a/IMG_1.THM", "a/IMG_1.AAE", "a/IMG_1.xmp", "b/1.png.lnk",
        "b/2.png.part", "b/3.png.crdownload", "b/~$4.png", "b/5.png~", "b/__pycache__/1.png", "b/._1.png", "MISC.CTG",
    ]  # fmt: skip
    put(folder, *left)
    assert data.from_folder(folder).metadata["file"].tolist() == ["a/1.png", "b/1.png"]
    assert not data.has_parts(folder)


def test_pictures_beside_the_class_folders_are_mentioned(tmp_path):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png", *(f"beside {number}.JPG" for number in range(40)))
    put(folder, "labels.csv", "README.md", content=b"words")
    with pytest.warns(UserWarning, match=r"40 pictures lie beside .* left out: beside 0\.JPG.* and 35 more"):
        assert len(data.from_folder(folder)) == 2


def test_names_that_are_one_word_are_one_class(tmp_path):
    """A Mac writes é as two characters; with another size of letters it is another folder, and that is said"""
    composed, two = "caf\u00e9", "cafe\u0301"
    folder = put(
        tmp_path / "places", f"train/{composed}/1.png", "train/bar/1.png", f"test/{two}/1.png", "test/bar/1.png"
    )
    parts = data.parts_from_folder(folder)
    assert parts["test"].class_names == parts["train"].class_names == ["bar", composed]
    assert parts["test"].images[1].shape == (4, 6, 3)
    put(tmp_path / "twice", "Bar/1.png", "bar/1.png", "pub/1.png")
    with pytest.warns(UserWarning, match="'Bar', 'bar' are read as different classes; are they the same?"):
        assert data.from_folder(tmp_path / "twice").class_names == ["Bar", "bar", "pub"]


def test_an_empty_class_is_said_where_nothing_is_checked(tmp_path):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png", "c/.hidden")
    with pytest.warns(UserWarning, match="the folder of class 'c' has no files"):
        assert data.from_folder(folder, check=False).summary()["images"].tolist() == [1, 1, 0]


@pytest.mark.skipif(os.name == "nt", reason="names of files on Windows do not depend on a locale")
@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_names_and_their_order_do_not_depend_on_the_locale(tmp_path, locale):
    names = ["玫瑰/ä2.png", "玫瑰/z1.png", "玫瑰/é10.png", "café/1.png", "a/1.png"]
    folder = put(tmp_path / "照片", *names)
    (folder / "settings.ini").write_text("[tlcourse]\n# Übung\nseed = 4\n", encoding="utf-8")
    script = """if True:
        import json, sys
        from tlcourse import data
        from tlcourse.settings import load_settings
        images = data.from_folder(sys.argv[1])
        assert load_settings(sys.argv[1]).seed == 4 and len([image.shape for image in images.images]) == 5
        print(json.dumps([images.name, images.class_names, images.metadata["file"].tolist()]))"""
    ran = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, env=os.environ | locale, check=True
    )
    images = data.from_folder(folder)
    assert json.loads(ran.stdout) == [images.name, images.class_names, images.metadata["file"].tolist()]
    assert images.class_names == ["a", "café", "玫瑰"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are always text")
def test_a_name_that_is_no_text_is_loaded_too(tmp_path):
    folder = put(tmp_path / "photos", "a/1.png", "b/1.png")
    os.rename(folder / "a" / "1.png", os.fsencode(folder / "a") + b"/\xff.png")
    images = data.from_folder(folder)
    assert images.images[0].shape == (4, 6, 3) and "udcff" in ascii(images.metadata["file"][0])
    os.rename(folder / "b" / "1.png", os.fsencode(folder / "b") + b"/\xfe.png")
    with pytest.warns(UserWarning, match="1 of 3 files"):
        data.from_folder(put(folder, "a/bad.png", content=b"no image"))
