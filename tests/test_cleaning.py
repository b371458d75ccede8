"""Cleaning: planted faults are found and good pictures left in peace, labels, copies, gaps and noise."""

import hashlib
import io

import numpy as np
import pandas as pd
import planted
import pytest
from PIL import Image, ImageFilter

from tlcourse import cleaning, data, splitting
from tlcourse.datasets.image_data import ImageData
from tlcourse.quality import image_faults, missing_values, noise
from tlcourse.quality.duplicates import exact_groups, near_groups


def digest_of(folder):
    "Names, contents and times of everything below a folder"
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(f"{path.relative_to(folder)} {path.lstat().st_mtime_ns} {path.lstat().st_mode}".encode())
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted") / "pictures"
    kinds = planted.plant(folder)
    before = digest_of(folder)
    report = cleaning.scan(folder)
    assert digest_of(folder) == before, "the scan changed something on disk"
    return folder, kinds, report


@pytest.mark.long(20)
def test_what_was_planted(scanned):
    _, kinds, _ = scanned
    good = [name for name, kind in kinds.items() if kind in (None, "original")]
    assert (len(good), len(kinds) - len(good)) == (1000, 200)


@pytest.mark.parametrize("kind", planted.COUNTS)
def test_planted_faults_are_found_and_good_pictures_left_in_peace(scanned, kind):
    _, kinds, report = scanned
    found = set(report.loc[report["kind"] == kind, "file"])
    faults = {name for name, planted_kind in kinds.items() if planted_kind == kind}
    good = {name for name, planted_kind in kinds.items() if planted_kind is None}
    assert len(found & faults) >= 0.95 * len(faults), sorted(faults - found)
    assert len(found & good) <= 0.02 * len(good), sorted(found & good)


def test_a_camera_that_moved_is_found_less_often_than_one_out_of_focus():
    # Along the way of the camera fine structure stays sharp, so this fault has no 95 %: the limit is in the docstring
    rng = np.random.default_rng(5)
    pieces = planted.crops(40, rng)
    widths = [image_faults.measure(np.asarray(planted.shaken(piece, rng)))["blur"] for piece in pieces]
    assert np.mean(np.array(widths) > image_faults.LIMITS["blur"]) > 0.3


def test_a_copy_names_its_original(scanned):
    _, kinds, report = scanned
    for kind in ("exact duplicate", "near duplicate"):
        groups = report[report["kind"] == kind].groupby("group")["file"].agg(list)
        for files in groups:
            assert len(files) >= 2
            if any(kinds[file] == kind for file in files):
                assert any(kinds[file] in ("original", "exact duplicate") for file in files)


def test_cleaning_leaves_out_what_it_says(scanned):
    folder, kinds, report = scanned
    before = digest_of(folder)
    kept, left_out = cleaning.clean(folder, report)
    assert digest_of(folder) == before
    assert len(kept) + len(left_out) == len(kinds)
    assert not set(kept.metadata["file"]) & set(left_out["file"])
    assert left_out["reasons"].str.len().min() > 5
    broken = {name for name, kind in kinds.items() if kind in ("unreadable", "truncated")}
    assert not set(kept.metadata["file"]) & broken
    again = cleaning.scan(kept)
    assert not set(again["kind"]) & set(cleaning.LEFT_OUT)


# Small sets


def picture(seed, size=96):
    "A sharp picture of coloured blocks"
    blocks = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    return np.kron(blocks, np.ones((size // 12, size // 12, 1), np.uint8))


def pictures(count, **options):
    names = ["a", "b", "c"]
    return ImageData(np.stack([picture(seed) for seed in range(count)]), np.arange(count) % 3, names, **options)


def with_images(images, changes):
    pixels = images.images.copy()
    for row, pixels_of_row in changes.items():
        pixels[row] = pixels_of_row
    return ImageData(pixels, images.labels, images.class_names, images.metadata, images.name)


def test_a_good_set_has_no_findings():
    report = cleaning.scan(pictures(30))
    assert report.empty
    assert list(report.columns) == ["kind", "image", "file", "class", "part", "group", "across", "value", "reason"]
    kept, left_out = cleaning.clean(pictures(30), report)
    assert len(kept) == 30 and left_out.empty
    assert cleaning.draw_findings(kept, report).get_suptitle()


def test_an_array_is_scanned_like_files():
    images = with_images(pictures(30), {3: 0, 4: picture(5), 6: picture(7)})
    report = cleaning.scan(images)
    assert report[report["kind"] == "low information"]["image"].tolist() == [3]
    exact = report[report["kind"] == "exact duplicate"]
    assert exact["image"].tolist() == [4, 5, 6, 7] and exact["across"].tolist() == ["classes"] * 4
    assert exact["group"].tolist() == [1, 1, 2, 2]
    later = cleaning.scan(images.subset(range(1, 30)))
    assert later[later["kind"] == "low information"]["image"].tolist() == [2]
    assert len(cleaning.draw_findings(images, report).axes) >= len(report)


def test_the_report_does_not_depend_on_the_order():
    images = with_images(pictures(30), {3: 0, 7: picture(1)})
    order = np.random.default_rng(0).permutation(30)
    report, mixed = cleaning.scan(images), cleaning.scan(images.subset(order))
    findings = {(kind, image) for kind, image in zip(report["kind"], report["image"], strict=True)}
    assert findings == {(kind, order[image]) for kind, image in zip(mixed["kind"], mixed["image"], strict=True)}


def test_what_most_images_have_is_how_the_set_is():
    dark = ImageData(pictures(30).images // 8, pictures(30).labels, ["a", "b", "c"])
    report = cleaning.scan(dark)
    assert report["kind"].tolist() == ["too dark"] and report["image"].isna().all()
    assert "30 of 30 images" in report["reason"][0]
    grey = pictures(30).images.mean(axis=-1).astype(np.uint8)
    assert cleaning.scan(ImageData(grey, pictures(30).labels, ["a", "b", "c"])).empty


def test_limits_can_be_set():
    images = with_images(pictures(30), {2: np.asarray(Image.fromarray(picture(2)).filter(ImageFilter.GaussianBlur(3)))})
    assert cleaning.scan(images)["kind"].tolist() == ["blurred"]
    assert cleaning.scan(images, limits={"blur": 9}).empty
    with pytest.raises(ValueError, match="Expected limits among .*blur.*; bluur came"):
        cleaning.scan(images, limits={"bluur": 9})


def test_a_class_with_few_images_is_named():
    images = pictures(60)
    few = images.subset(np.r_[np.flatnonzero(images.labels == 0), np.flatnonzero(images.labels == 1)[:3]])
    report = cleaning.scan(few)
    assert report["kind"].tolist() == ["class imbalance"] * 2
    assert report["class"].tolist() == ["b", "c"] and report["value"].tolist() == [3, 0]
    assert report["image"].isna().all()


def test_copies_across_the_parts_of_a_split():
    images = pictures(60)
    parts = splitting.split(with_images(images, {}), how="random")
    train = parts.train
    softer = Image.fromarray(train.images[5]).resize((72, 72)).resize((96, 96))
    leak = with_images(parts.test, {0: train.images[4], 1: np.asarray(softer)})
    splits = splitting.Splits(train, parts.validation, leak)
    report = cleaning.scan(splits)
    assert set(report["across"]) <= {"parts", "classes and parts"}
    assert {(part, image) for part, image in zip(report["part"], report["image"], strict=True)} == {
        ("train", 4), ("test", 0), ("train", 5), ("test", 1)}  # fmt: skip
    assert " in test" in report["reason"].iloc[0] or " in train" in report["reason"].iloc[0]
    with pytest.raises(TypeError, match="Clean the data first"):
        cleaning.clean(splits, report)


def test_of_copies_the_largest_stays_and_of_contradictions_none(tmp_path):
    small, large = Image.fromarray(picture(1, 48)), Image.fromarray(picture(1, 96))
    other, third = Image.fromarray(picture(2)), Image.fromarray(picture(3))
    files = {"a/1": small, "a/2": large, "a/3": small, "b/1": other, "a/4": other, "b/2": third}
    for name, one in {f"{name}.png": one for name, one in files.items()}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        one.save(tmp_path / name)
    report = cleaning.scan(tmp_path)
    kept, left_out = cleaning.clean(tmp_path, report)
    assert kept.metadata["file"].tolist() == ["a/2.png", "b/2.png"]
    assert left_out.set_index("file")["reasons"].str.contains("a/4.png").to_dict()["b/1.png"]
    disagreed = report[report["across"] == ""]
    assert len(cleaning.clean(tmp_path, disagreed)[0]) == 4


def test_cleaning_answers_mistakes():
    images = with_images(pictures(30), {3: 0})
    report = cleaning.scan(images)
    with pytest.raises(ValueError, match="Expected kinds among unreadable.*; dark came"):
        cleaning.clean(images, report, kinds=("dark",))
    with pytest.raises(ValueError, match="speaks of other images. Scan the data again"):
        cleaning.clean(images.subset([0, 1]), report)
    with pytest.raises(ValueError, match="'a' would lose all of them"):
        cleaning.clean(images.subset([3, 4, 5]), cleaning.scan(images.subset([3, 4, 5])))
    with pytest.raises(TypeError, match="ndarray came. Arrays become ImageData"):
        cleaning.scan(images.images)
    with pytest.raises(ValueError, match="no such folder"):
        cleaning.scan("nowhere")
    with pytest.raises(ValueError, match="Expected features of shape"):
        cleaning.scan(images, features=np.zeros((3, 2)))


def test_the_report_of_another_folder_is_refused(tmp_path):
    for name in ("x/a/1.png", "x/a/2.png", "x/b/1.png", "y/a/3.png", "y/a/4.png", "y/b/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(picture(len(name))).save(tmp_path / name)
    report = cleaning.scan(tmp_path / "x")
    assert len(report)
    with pytest.raises(ValueError, match="speaks of other images"):
        cleaning.clean(tmp_path / "y", report)


# Labels


def test_changed_labels_are_found():
    digits = data.load("digits")
    pixels = digits.images[:, ::4, ::4, 0].reshape(len(digits), -1)
    rng = np.random.default_rng(3)
    changed = rng.choice(len(digits), len(digits) // 10, replace=False)
    labels = digits.labels.copy()
    labels[changed] = (labels[changed] + rng.integers(1, 10, len(changed))) % 10
    suspects = cleaning.suspect_labels(labels, pixels)
    guilty = np.isin(suspects["image"], changed)
    assert guilty.mean() > 0.6 and guilty.sum() > 0.6 * len(changed)
    right = suspects["suggested"] == digits.labels[suspects["image"]]
    assert right[guilty].mean() > 0.8
    assert (suspects["given"] == labels[suspects["image"]]).all()
    assert suspects["confidence"].is_monotonic_increasing


def test_the_label_check_answers_mistakes():
    with pytest.raises(ValueError, match=r"Expected features of shape \(4, d\).*\(3, 2\) came"):
        cleaning.suspect_labels(np.array([0, 0, 1, 1]), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="at least 5 images each"):
        cleaning.suspect_labels(np.array([0, 0, 1, 1]), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="two or more classes"):
        cleaning.suspect_labels(np.zeros(9, int), np.zeros((9, 2)))


# Reports that come in any case


def features_of(images, seed=0):
    "Features that tell the classes apart"
    noise_ = np.random.default_rng(seed).normal(0, 0.3, (len(images), 8))
    return np.eye(8)[images.labels] * 3 + noise_


def test_a_class_too_small_for_the_label_check_is_named_and_the_rest_is_checked():
    images = with_images(pictures(60), {3: 0})
    wrong = images.labels.copy()
    wrong[7] = (wrong[7] + 1) % 3
    names = ["a", "b", "c", "few"]
    labels = np.concatenate([wrong, [3] * 4])
    more = ImageData(np.concatenate([images.images, pictures(64).images[60:]]), labels, names)
    features = features_of(ImageData(more.images, np.concatenate([images.labels, [3] * 4]), names))
    report = cleaning.scan(more, features=features)
    assert report.loc[report["kind"] == "low information", "image"].tolist() == [3]
    assert report.loc[report["kind"] == "suspect label", "image"].tolist() == [7]
    (skipped,) = report[report["kind"] == "not checked"].itertuples()
    assert report.loc[skipped.Index, "class"] == "few" and skipped.reason == "labels: 4 images, and 5 are needed"
    assert pd.isna(skipped.image) and "folds" not in skipped.reason
    assert cleaning.draw_findings(more, report).get_suptitle() and len(cleaning.clean(more, report)[0]) == 63


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_no_numbers_cost_their_images_only(value):
    images = pictures(60)
    features = features_of(images)
    features[11, 2] = value
    report = cleaning.scan(images, features=features)
    assert report["kind"].tolist() == ["not checked"] and report["image"].tolist() == [11]
    features[:, 0] = value
    report = cleaning.scan(images, features=features)
    assert report["image"].isna().sum() == 1 and "two classes with 5 images" in report["reason"].iloc[-1]


def test_one_class_or_a_check_that_fails_leaves_the_other_findings(monkeypatch):
    images = with_images(pictures(30), {3: 0})
    one = ImageData(images.images, [0] * 30, ["a", "b"])
    report = cleaning.scan(one, features=features_of(one))
    assert set(report["kind"]) >= {"low information", "class imbalance", "not checked"}

    def fail(*arguments):
        raise RuntimeError("no memory left")

    for name, what in (("near_groups", "copies"), ("suspect_labels", "labels")):
        monkeypatch.setattr(cleaning, name, fail)
        report = cleaning.scan(images, features=features_of(images))
        assert "low information" in set(report["kind"])
        assert f"{what} could not be checked: no memory left" in set(report["reason"])


def test_mistakes_in_arguments_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    images = pictures(30)
    monkeypatch.setattr(cleaning, "measure", lambda pixels: pytest.fail("read"))
    with pytest.raises(ValueError, match=r"Expected features of shape \(30, d\).*\(29, 8\) came"):
        cleaning.scan(images, features=features_of(images)[:29])
    with pytest.raises(ValueError, match="bluur came"):
        cleaning.scan(images, limits={"bluur": 9})


def test_the_parts_of_a_split_may_name_their_classes_in_another_order():
    images = pictures(60)
    other = ImageData(images.images, (2 - images.labels), ["c", "b", "a"])
    splits = splitting.Splits(images.subset(range(0, 20)), images.subset(range(20, 40)), other.subset(range(40, 60)))
    report = cleaning.scan(splits, features=features_of(images))
    assert "suspect label" not in set(report["kind"])


def test_a_folder_in_parts_is_scanned_as_its_parts(tmp_path):
    for number, name in enumerate(("train/a/1", "train/b/1", "test/a/1", "test/b/1", "train/c/1")):
        (tmp_path / f"{name}.png").parent.mkdir(parents=True)
        Image.fromarray(picture(number % 4 and number)).save(tmp_path / f"{name}.png")
    Image.fromarray(picture(0)).save(tmp_path / "test" / "a" / "2.png")
    (tmp_path / "test" / "b" / "bad.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="'test' has no images of 'c'"):
        report = cleaning.scan(tmp_path)
    assert report.loc[report["kind"] == "unreadable", ["part", "file"]].to_numpy().tolist() == [
        ["test", "test/b/bad.png"]
    ]
    copies = report[report["kind"] == "exact duplicate"]
    assert "classes and parts" in set(copies["across"]) and {"train/a/1.png", "test/a/2.png"} <= set(copies["file"])
    with pytest.warns(UserWarning), pytest.raises(TypeError, match="of parts that others made, clean each by itself"):
        cleaning.clean(tmp_path, report)


def test_a_folder_with_an_empty_class_has_a_report(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(len(list(tmp_path.rglob("*.png"))))).save(tmp_path / name)
    (tmp_path / "c").mkdir()
    with pytest.warns(UserWarning, match="class 'c' has no files"):
        report = cleaning.scan(tmp_path)
    assert report.loc[report["kind"] == "class imbalance", "class"].tolist() == ["c"]


# Measures


@pytest.mark.parametrize("deviation", [1.5, 2.0, 3.0])
def test_the_width_of_an_edge_is_that_of_its_blur(deviation):
    from scipy.ndimage import gaussian_filter

    edges = np.where((np.arange(128) // 32 % 2)[None] ^ (np.arange(128) // 32 % 2)[:, None], 200.0, 40.0)
    width = image_faults.blur_width(gaussian_filter(edges, deviation).astype(np.float32))
    assert width == pytest.approx(deviation, rel=0.1)
    # neither contrast nor brightness has a part in it
    assert image_faults.blur_width(30 + 0.3 * gaussian_filter(edges, deviation)) == pytest.approx(width, rel=0.01)


def test_blur_is_measured_across_the_way_of_the_camera():
    sharp = picture(0).mean(axis=-1)
    shaken = np.mean([np.roll(sharp, step, axis=1) for step in range(9)], axis=0)
    assert image_faults.blur_width(sharp) < 0.6
    assert image_faults.blur_width(shaken) > 1.5 and image_faults.blur_width(shaken.T) > 1.5
    assert np.isnan(image_faults.blur_width(np.full((40, 40), 90.0)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 20000), (3000, 1), (2, 2), (7, 300)])
def test_any_shape_can_be_measured(shape):
    measured = image_faults.measure(np.full((*shape, 3), 77, np.uint8))
    assert (measured["height"], measured["width"]) == shape and measured["structure"] < 1e-6
    assert measured["thumbnail"].shape == (32, 32) and measured["brightest"] == 77


def test_the_digest_tells_shapes_apart():
    tall, wide = np.zeros((2, 8, 3), np.uint8), np.zeros((8, 2, 3), np.uint8)
    digests = [image_faults.measure(pixels)["digest"] for pixels in (tall, wide, tall.copy())]
    assert exact_groups([*digests, None, None]) == [[0, 2]]


def test_near_copies_and_pictures_of_the_same_kind():
    thumbnails = [image_faults.measure(picture(seed))["thumbnail"] for seed in range(20)]
    stored = io.BytesIO()
    Image.fromarray(picture(4)).save(stored, "JPEG", quality=30)
    thumbnails.append(image_faults.measure(np.asarray(Image.open(stored)))["thumbnail"])
    flat = [np.full((32, 32), level) for level in (90, 90, 200)]
    assert near_groups(np.stack([*thumbnails, *flat])) == [[4, 20]]
    assert near_groups(np.zeros((0, 32, 32))) == [] and near_groups(np.stack(flat[:1])) == []


# Missing values


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    size = rng.normal(50, 10, 200)
    table = pd.DataFrame({"size": size, "weight": 3 * size + rng.normal(0, 3, 200)}, index=range(1000, 1200))
    table["kind"] = np.where(size > 50, "large", "small")
    gaps = rng.random(table.shape) < 0.15
    gaps[gaps.all(axis=1), 0] = False
    return table, table.mask(gaps), gaps


def test_filling_agrees_with_pandas(table):
    _, gappy, _ = table
    numbers = ["size", "weight"]
    for how, value in {"mean": gappy[numbers].mean(), "median": gappy[numbers].median()}.items():
        filled = missing_values.fill_missing(gappy, how)
        pd.testing.assert_frame_equal(filled[numbers], gappy[numbers].fillna(value))
        assert (filled["kind"] == gappy["kind"].fillna(gappy["kind"].mode()[0])).all()
    pd.testing.assert_frame_equal(missing_values.fill_missing(gappy, "drop"), gappy.dropna())
    assert (missing_values.fill_missing(gappy, "mode", ["size"])["weight"].isna() == gappy["weight"].isna()).all()


@pytest.mark.parametrize("how", ["knn", "model"])
def test_other_columns_help(table, how):
    truth, gappy, gaps = table
    before = gappy.copy()
    filled = missing_values.fill_missing(gappy, how)
    pd.testing.assert_frame_equal(gappy, before)
    assert not filled.isna().any().any() and filled.index.equals(truth.index)
    error = np.sqrt(((filled["weight"] - truth["weight"])[gaps[:, 1]] ** 2).mean()) / truth["weight"].std()
    assert error < 0.6
    assert (filled["kind"] == truth["kind"])[gaps[:, 2]].mean() > 0.8
    known = ~gaps[:, 0]
    assert np.allclose(filled["size"][known], truth["size"][known])


def test_filling_answers_mistakes(table):
    _, gappy, _ = table
    with pytest.raises(ValueError, match="one of drop, mean.*; 'average' came"):
        missing_values.fill_missing(gappy, "average")
    with pytest.raises(ValueError, match="columns of the table.*; colour came"):
        missing_values.fill_missing(gappy, columns=["colour"])
    with pytest.raises(ValueError, match="iso has none. Leave the column out"):
        missing_values.fill_missing(gappy.assign(iso=np.nan))


def test_the_way_to_openrefine_and_back(tmp_path):
    table = pd.DataFrame(
        {"file": ["a b.jpg", 'quoted ",".jpg', "二.jpg", "NA"], "iso": [100, 200, 400, 800],
         "weight": [0.1, np.nan, 1e-9, 3], "flash": [True, False, True, True]}, index=[7, 3, 9, 1])  # fmt: skip
    path = missing_values.to_openrefine(table, tmp_path / "metadata.csv")
    pd.testing.assert_frame_equal(missing_values.from_openrefine(path, table), table, check_dtype=True)
    rows = path.read_text(encoding="utf-8").splitlines()
    # OpenRefine sorts, and may write a mark at the start of the file
    path.write_text("\n".join([rows[0], *rows[:0:-1]]), encoding="utf-8-sig")
    pd.testing.assert_frame_equal(missing_values.from_openrefine(path, table), table)
    path.write_text("\n".join([rows[0] + ",note", *(row + ",x" for row in rows[1:])]), encoding="utf-8")
    assert missing_values.from_openrefine(path, table)["note"].tolist() == ["x"] * 4


@pytest.mark.parametrize("change, message", [
    (lambda rows: rows[:-1], "missing 2, unknown none"),
    (lambda rows: [*rows, rows[-1]], "each of the 3 rows once; 4 came"),
    (lambda rows: [row.replace("row_id", "number") for row in rows], "expected the column 'row_id'"),
    (lambda rows: [row.replace("200", "many") for row in rows], "numbers in column 'iso'; 'many' came in row 1"),
    (lambda rows: [row.rpartition(",")[0] for row in rows], "iso did not come back"),
])  # fmt: skip
def test_what_comes_back_wrong_is_refused(tmp_path, change, message):
    table = pd.DataFrame({"file": ["a", "b", "c"], "iso": [100, 200, 400]})
    path = missing_values.to_openrefine(table, tmp_path / "metadata.csv")
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(ValueError, match=message):
        missing_values.from_openrefine(path, table)
    with pytest.raises(ValueError, match="without a column 'row_id'"):
        missing_values.to_openrefine(table.assign(row_id=1), path)


# Noise


@pytest.fixture(scope="module")
def patches():
    return data.load("textures").images[::80]


def test_noise_has_the_amount_that_was_asked_for(patches):
    middle = np.full((4, 64, 64, 3), 128, np.uint8)
    assert noise.add_noise(middle, "gaussian", 20).std() == pytest.approx(20, rel=0.02)
    assert (noise.add_noise(middle, "salt and pepper", 10) != 128).mean() == pytest.approx(0.1, rel=0.1)
    assert (noise.add_noise(middle, seed=1) == noise.add_noise(middle, seed=1)).all()
    assert (noise.add_noise(middle, seed=1) != noise.add_noise(middle, seed=2)).any()
    with pytest.raises(ValueError, match="'snow' came"):
        noise.add_noise(middle, "snow")


def test_filters_are_those_of_scipy(patches):
    from scipy import ndimage

    assert (noise.denoise(patches, "median")[0, ..., 1] == ndimage.median_filter(patches[0, ..., 1], 3)).all()
    soft = ndimage.gaussian_filter(patches[2, ..., 0].astype(float), 0.8)
    assert np.abs(noise.denoise(patches, "gaussian")[2, ..., 0] - soft).max() <= 0.51
    with pytest.raises(ValueError, match="'average' came"):
        noise.denoise(patches, "average")


@pytest.mark.parametrize("how", noise.FILTERS)
def test_filters_take_noise_out_and_leave_flat_pictures(patches, how):
    flat = np.full((2, 32, 32, 3), 100, np.uint8)
    assert noise.denoise(noise.add_noise(flat, amount=15), how, 15).std() < 10
    assert (noise.denoise(flat, how) == 100).all()
    colourful = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    assert noise.denoise(colourful, how).shape == colourful.shape


def test_closeness_against_its_definition(patches):
    other = noise.add_noise(patches, amount=10)
    error = np.mean((patches.astype(float) - other) ** 2, axis=(1, 2, 3))
    assert noise.closeness(other, patches)["psnr"] == pytest.approx(np.mean(10 * np.log10(255**2 / error)))
    assert noise.closeness(patches[:1], patches[:1] // 2 * 2)["ssim"] > 0.99


@pytest.mark.training
@pytest.mark.long(15)
def test_the_autoencoder_learns_to_take_noise_out(patches):
    model = noise.build_denoiser(filters=8)
    noisy = noise.add_noise(patches, amount=30)
    assert np.allclose(model.predict(noisy.astype("float32"), verbose=0), noisy, atol=1e-3)
    losses = noise.train_denoiser(model, data.load("textures").images[1::10], amount=30, epochs=5)
    cleaned = model.predict(noisy.astype("float32"), verbose=0).round().clip(0, 255).astype(np.uint8)
    assert losses[-1] < 0.9 * losses[0]
    assert noise.closeness(cleaned, patches)["psnr"] > noise.closeness(noisy, patches)["psnr"] + 1
