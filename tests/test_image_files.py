"""Image files: the scale of their numbers, what a decoder raises, and one answer whatever other code has set."""

import io
import os
import struct
import threading
import warnings

import damaged
import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from tlcourse import cleaning, data
from tlcourse.datasets import image_files
from tlcourse.datasets.image_data import ImageData
from tlcourse.datasets.image_files import ImageFiles, UnknownScale, decode, unreadable
from tlcourse.quality.image_faults import measure, read_file

SWITCHES = [(module, name) for module, name, _ in image_files._SWITCHES]


def grey(path, values, dtype=np.uint16, **options):
    Image.fromarray(np.asarray(values, dtype).reshape(2, -1)).save(path, **options)
    return path


def tiff(path, bits, content):
    "A grey TIFF of one row, uncompressed, with so many bits a sample"
    width = len(content) * 8 // bits
    tags = [(256, 3, width), (257, 3, 1), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 200), (277, 3, 1)]
    tags += [(278, 3, 1), (279, 4, len(content))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0" * 4
    path.write_bytes(head.ljust(200, b"\0") + content)
    return path


# Scale


def test_two_pictures_of_one_camera_are_scaled_alike(tmp_path):
    """Sixteen bits run to 65,535, whatever the brightest pixel of one picture is"""
    dark, light = grey(tmp_path / "1.png", [0, 100, 200, 250]), grey(tmp_path / "2.png", [0, 100, 200, 260])
    assert decode(dark)[..., 0].tolist() == [[0, 0], [1, 1]] == decode(light)[..., 0].tolist()
    full = grey(tmp_path / "3.png", [0, 257, 32896, 65535])
    assert decode(full)[..., 0].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_sixteen_bits_are_the_same_in_every_format(tmp_path, file_format):
    path = grey(tmp_path / "picture", [0, 25700, 51400, 65535], format=file_format)
    assert np.abs(decode(path)[..., 0].astype(int) - [[0, 100], [200, 255]]).max() <= 1


def test_a_plain_netpbm_file_says_what_is_white(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P2\n4 1\n1000\n0 100 500 1000\n")
    assert decode(tmp_path / "a.pgm")[0, :, 0].tolist() == [0, 26, 128, 255]
    (tmp_path / "b.pgm").write_bytes(b"P5\n2 1\n4095\n" + struct.pack(">HH", 2048, 4095))
    assert decode(tmp_path / "b.pgm")[0, :, 0].tolist() == [128, 255]


def test_twelve_bits_of_a_tiff_run_to_4095(tmp_path):
    assert decode(tiff(tmp_path / "a.tif", 12, bytes([0xFF, 0xF8, 0x00])))[0, :, 0].tolist() == [255, 128]


@pytest.mark.parametrize("dtype, top", [(np.float32, 1.0), (np.float32, 255.0), (np.int32, 255), (np.int32, 70000)])
def test_a_scale_that_cannot_be_known_is_refused_with_the_name(tmp_path, dtype, top):
    path = grey(tmp_path / "picture.tif", np.linspace(0, top, 4), dtype)
    with pytest.raises(UnknownScale, match=r"picture\.tif: .*nothing in the file says which number is white"):
        decode(path)
    pixels, found = read_file(path)
    assert pixels is None and list(found) == ["unknown scale"]


def test_a_transparent_grey_level_of_sixteen_bits_is_white(tmp_path):
    path = grey(tmp_path / "a.png", [0, 3000, 3001, 65535], transparency=3000)
    assert decode(path)[..., 0].tolist() == [[0, 255], [12, 255]]


def test_pictures_that_use_next_to_nothing_of_their_range_are_named(tmp_path):
    for name, top in {"a/1.png": 250, "a/2.png": 4095, "b/1.png": 65535, "b/2.png": 8000}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        grey(tmp_path / name, np.linspace(0, top, 64))
    with pytest.warns(UserWarning, match=r"2 of 4 files have 16 bits .* nearly black.*: a.1\.png, a.2\.png\."):
        assert len(data.from_folder(tmp_path)) == 4
    reasons = cleaning.scan(tmp_path).query("kind == '16 bit'").set_index("file")["reason"]
    assert "level 1 of 255, so it looks black" in reasons["a/1.png"] and "level 16 of 255" in reasons["a/2.png"]
    assert "programs that cut off at 255" in reasons["b/1.png"]


@pytest.mark.parametrize(
    "low, high, dtype, message",
    [
        (0, 1, np.float64, "Expected pixels from 0 to 255"),
        (0, 1.0000002, np.float32, "from 0 to 1.0000002 came"),  # what resizing with antialias makes of 0 to 1
        (-0.06, 1.06, np.float32, "Expected pixels from 0 to 255"),  # what bicubic resizing makes of it
        (-1, 1, np.float32, "Expected pixels from 0 to 255"),
        (0, 300, np.float32, "Expected pixels from 0 to 255"),
        (0, np.nan, np.float64, "nan came"),
        (0, np.inf, np.float64, "inf came"),
        (0, 256, np.int64, "Expected pixels from 0 to 255"),
        (0, 250, np.uint16, "uint16 came.*/ 257"),
        (0, 65535, np.uint16, "uint16 came.*/ 257"),
        (0, 1, bool, "bool"),
    ],
)
def test_arrays_of_another_scale_are_refused(low, high, dtype, message):
    images = np.full((4, 3, 3, 3), low, dtype)
    images[1] = high
    with pytest.raises(ValueError, match=message):
        ImageData(images, [0, 1, 0, 1], ["a", "b"])


def test_rounding_beside_0_and_255_is_no_other_scale():
    images = np.array([-1e-5, 127.4, 255.00002, 255], np.float32).reshape(4, 1, 1, 1).repeat(3, axis=-1)
    assert ImageData(images, [0, 1, 0, 1], ["a", "b"]).images[:, 0, 0, 0].tolist() == [0, 127, 255, 255]
    ones = np.array([0, 1, 3, 255]).reshape(4, 1, 1, 1).repeat(3, axis=-1)
    assert ImageData(ones, [0, 1, 0, 1], ["a", "b"]).images[:, 0, 0, 0].tolist() == [0, 1, 3, 255]
    ImageData(ones.astype(np.uint8)[:2], [0, 1], ["a", "b"])  # bytes are what they are


# Whatever a decoder raises


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_by_the_orientation_alone(tmp_path, file_format, orientation):
    """An exposure of -1/0 elsewhere in the EXIF data is not in the way"""
    options = {"lossless": True} if file_format == "WEBP" else {"quality": 95} if file_format == "JPEG" else {}
    # Pillow writes no such tag into a TIFF
    tags = (damaged.exif if file_format == "TIFF" else damaged.bad_exif)(orientation)
    path = tmp_path / f"picture.{file_format.lower()}"
    damaged.PICTURE.save(path, exif=tags, **options)
    upright = np.asarray(damaged.PICTURE).astype(int)
    expected = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, -1), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright),
    }[orientation]  # fmt: skip
    pixels = decode(path)
    assert pixels.shape == expected.shape and np.abs(pixels[4::8, 4::8] - expected[4::8, 4::8]).max() <= 40
    assert ("rotated by EXIF" in read_file(path)[1]) == (orientation > 1)


@pytest.mark.parametrize("kind, count, value", [(3, 1, 0), (3, 1, 9), (2, 4, 6), (5, 1, 6), (12, 1, 6), (77, 1, 6)])
def test_an_orientation_that_is_none_turns_nothing(tmp_path, kind, count, value):
    content = io.BytesIO()
    damaged.PICTURE.save(content, "JPEG", exif=damaged.exif(6))
    for order in "<>":
        entry = [struct.pack(f"{order}HHIH", 0x0112, *numbers) for numbers in ((3, 1, 6), (kind, count, value))]
        content = io.BytesIO(content.getvalue().replace(*entry))
    (tmp_path / "picture.jpg").write_bytes(content.getvalue())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode(tmp_path / "picture.jpg").shape == (48, 64, 3)


class Odd(Exception):
    pass


@pytest.mark.parametrize(
    "error", [struct.error, ZeroDivisionError, KeyError, RecursionError, MemoryError, Odd, Warning]
)
def test_whatever_a_decoder_raises_the_file_is_named_and_the_rest_loads(tmp_path, monkeypatch, error):
    for name in ("a/1.png", "a/bad.png", "b/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        damaged.PICTURE.save(tmp_path / name)
    load = PngImagePlugin.PngImageFile.load_prepare

    def stop(image):
        if "bad" in str(image.filename):
            raise error("of another kind")
        return load(image)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", stop)
    with pytest.raises(ValueError, match=r"bad\.png: .*of another kind"):
        decode(tmp_path / "a" / "bad.png")
    with pytest.warns(UserWarning, match=r"1 of 3 files(.|\n)*bad\.png: "):
        assert data.from_folder(tmp_path).metadata["file"].tolist() == ["a/1.png", "b/1.png"]
    report = cleaning.scan(tmp_path)
    assert report.loc[report["kind"] == "unreadable", "file"].tolist() == ["a/bad.png"]


def test_damaged_files_are_read_or_refused_with_the_reason(tmp_path):
    """Five of each picture; `tools/fuzz_images.py` has many more"""
    path, whole = tmp_path / "damaged", damaged.pictures()
    formats = {name.partition(" ")[0].upper() for name in whole}
    assert formats >= {"AVIF", "BMP", "GIF", "ICO", "JPEG", "PNG", "PSD", "SUN", "TGA", "TIFF", "WEBP", "XPM"}
    for seed, name in enumerate(list(whole) * 5):
        path.write_bytes(damaged.damage(whole[name], np.random.default_rng(seed)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nor does what others do with warnings change anything
            try:
                pixels = decode(path)
            except ValueError as error:
                assert str(error).removeprefix(f"{path}: ").strip() and str(path) in str(error), (name, seed)
            else:
                assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.size, (name, seed)
                assert seed % 20 or measure(pixels)


@pytest.mark.skipif(os.name == "nt", reason="pipes in folders are a matter of POSIX")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png", "/dev/zero"):
        with pytest.raises(ValueError, match="not a file"):
            decode(path)
    with pytest.raises(ValueError, match="gone.png"):
        decode(tmp_path / "gone.png")


def test_the_raw_files_of_cameras_are_not_taken_for_their_previews(tmp_path):
    damaged.PICTURE.save(tmp_path / "a.dng", "TIFF")
    with pytest.raises(ValueError, match=r"a\.dng: a raw file of a camera.*JPEG"):
        decode(tmp_path / "a.dng")


# The state of the process


@pytest.fixture
def half(tmp_path):
    "A folder with two whole pictures and two that end early"
    for name in ("a/1.png", "a/2.jpg", "b/1.png", "b/2.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        damaged.PICTURE.save(tmp_path / name)
    for name in ("a/2.jpg", "b/1.png"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    return tmp_path


@pytest.mark.parametrize("module, name", SWITCHES, ids=[name for _, name in SWITCHES])
@pytest.mark.parametrize("value", [True, 1, None])
def test_the_switches_of_pillow_change_nothing(half, monkeypatch, module, name, value):
    damaged.PICTURE.save(half / "a" / "3.png")
    expected = cleaning.scan(half)
    assert sorted(expected.loc[expected["kind"] == "truncated", "file"]) == ["a/2.jpg", "b/1.png"]
    monkeypatch.setattr(module, name, value)
    assert cleaning.scan(half).equals(expected)
    assert len(unreadable(data.from_folder(half, check=False).images.paths)) == 2
    _, left_out = cleaning.clean(half, expected[expected["kind"] == "exact duplicate"])
    assert left_out["file"].tolist() == ["a/3.png"]
    assert (decode(half / "a" / "1.png") == np.asarray(damaged.PICTURE)).all()
    assert getattr(module, name) is value  # and they are left as they were


def test_a_switch_that_is_set_while_files_are_read_stays(half, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    inside, go_on = threading.Event(), threading.Event()

    def reader():
        with image_files.pillow_as_it_comes():
            inside.set()
            go_on.wait()

    thread = threading.Thread(target=reader)
    thread.start()
    inside.wait()
    with image_files.pillow_as_it_comes():
        assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False  # the other reader is not done
    ImageFile.LOAD_TRUNCATED_IMAGES = 7
    go_on.set()
    thread.join()
    assert ImageFile.LOAD_TRUNCATED_IMAGES == 7


@pytest.mark.parametrize("action", ["error", "always", "ignore"])
def test_filters_of_warnings_change_nothing(tmp_path, action):
    corrupt = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0" * 9
    damaged.PICTURE.save(tmp_path / "a.png")
    damaged.PICTURE.save(tmp_path / "a.jpg", exif=corrupt)
    with warnings.catch_warnings(record=action != "error"):
        warnings.simplefilter(action)
        assert decode(tmp_path / "a.jpg").shape == (48, 64, 3)
        assert list(read_file(tmp_path / "a.jpg")[1]) == []


def test_numpy_may_be_told_to_raise(half):
    expected = cleaning.scan(half)
    with np.errstate(all="raise"):
        assert cleaning.scan(half).equals(expected)


def test_a_set_of_a_relative_path_is_found_from_elsewhere(half, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(half.parent)
    with pytest.warns(UserWarning, match="2 of 4 files"):
        images = data.from_folder(half.name)
    files = ImageFiles([f"{half.name}/a/1.png", half / "b" / "2.jpg"])
    assert images.name == half.name and images.metadata["file"].tolist() == ["a/1.png", "b/2.jpg"]
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    for found in (images.images, images.subset([1, 0]).images[::-1], files):
        assert [picture.shape for picture in found] == [(48, 64, 3)] * 2
    assert next(iter(images.to_dataset(image_size=32)))[0].shape == (2, 32, 32, 3)
