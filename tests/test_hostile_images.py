"""Files that break readers: each is read rightly or reported by name with the reason, and nothing crashes or hangs."""

import hashlib
import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from tlcourse import cleaning, data
from tlcourse.datasets.image_files import ImageFiles, unreadable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names and links")

RNG = np.random.default_rng(0)
PICTURE = Image.fromarray(
    np.kron(RNG.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
)  # 64 x 48, in squares that survive JPEG


def encoded(file_format, picture=PICTURE, **options):
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, content=b"", bits=8, colour=2):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(content)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def deep_picture():
    return Image.fromarray(np.asarray(PICTURE.convert("L")).astype(np.uint16) * 257)


def animated():
    frames = [PICTURE, PICTURE.rotate(180), Image.new("RGB", PICTURE.size, "red")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


JPEG, PNG = encoded("JPEG", quality=95), encoded("PNG")
SIDEWAYS = PICTURE.transpose(Image.Transpose.ROTATE_90)  # stored so that EXIF orientation 6 turns it upright
EXIF = Image.Exif()
EXIF[0x0112] = 6
BROKEN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0" * 9

# name: content; these are pictures, and the number says how far a pixel may be from PICTURE (None: another picture)
READ = {
    "plain.jpg": (JPEG, 40),
    "with space.jpg": (JPEG, 40),
    "two\nlines.jpg": (JPEG, 40),
    "中文 图片.jpg": (JPEG, 40),
    "é % $HOME `x` 'y'.png": (PNG, 0),
    "-rf.png": (PNG, 0),
    "UPPER.JPG": (JPEG, 40),
    "progressive.jpg": (encoded("JPEG", quality=95, progressive=True), 40),
    "animated.gif": (animated(), 60),
    "palette.png": (encoded("PNG", PICTURE.quantize(256)), 8),
    "palette with transparency.png": (encoded("PNG", PICTURE.quantize(255), transparency=0), None),
    "black and white.png": (encoded("PNG", PICTURE.convert("1")), None),
    "grey and alpha.png": (encoded("PNG", PICTURE.convert("LA")), None),
    "opaque.webp": (encoded("WEBP", PICTURE.convert("RGBA"), lossless=True), 0),
    "cmyk.jpg": (encoded("JPEG", PICTURE.convert("CMYK"), quality=95), 60),
    "cmyk.tif": (encoded("TIFF", PICTURE.convert("CMYK")), 2),
    "lab.tif": (encoded("TIFF", Image.new("LAB", (64, 48))), None),
    "16 bit.png": (encoded("PNG", deep_picture()), None),
    "sideways.jpg": (encoded("JPEG", SIDEWAYS, exif=EXIF, quality=95), 40),
    "broken exif.jpg": (encoded("JPEG", exif=BROKEN_EXIF, quality=95), 40),
    "no exif header.jpg": (encoded("JPEG", exif=b"nonsense" * 20, quality=95), 40),
    "text behind the picture.jpg": (JPEG + b"more" * 1000, 40),
    "one pixel.png": (encoded("PNG", Image.new("RGB", (1, 1), "red")), None),
    "one row.png": (encoded("PNG", Image.new("RGB", (20000, 1), "red")), None),
    "one column.png": (encoded("PNG", Image.new("RGB", (1, 20000), "red")), None),
    "png named.jpg": (PNG, 0),
    "no extension": (PNG, 0),
    "bitmap.bmp": (encoded("BMP"), 0),
    "netpbm.ppm": (encoded("PPM"), 0),
}  # fmt: skip
# name: content; these are not, and the words are in the reason
REPORTED = {
    "zero bytes.jpg": (b"", "empty"),
    "text.jpg": (b"This is not a photograph.\n" * 50, "not an image"),
    "web page.png": (b"<!doctype html><title>404 Not Found</title>", "not an image"),
    "zeros.jpg": (b"\0" * 10000, "not an image"),
    "random.png": (RNG.bytes(10000), "not an image"),
    "signature only.png": (PNG[:8], ""),
    "header only.jpg": (JPEG[:20], ""),
    "bomb.png": (png(30000, 30000), "pixels"),
    "large bomb.png": (png(10000, 9500), "pixels"),
    "claims to be larger.png": (png(64, 48, b"\0" * 100), ""),
    "no width.png": (png(0, 48), ""),
    "broken palette.gif": (animated()[:30] + b"\xff" * 40, ""),
    "vector.svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not an image"),
    "float.tif": (encoded("TIFF", PICTURE.convert("F")), "which number is white"),
    "32 bit.tif": (encoded("TIFF", PICTURE.convert("I")), "which number is white"),
    "endless.tif": (b"II*\0\x08\0\0\0" + b"\x01\0\0\x01\x04\0\x01\0\0\0\xff\xff\xff\xff" + b"\x08\0\0\0", ""),
}
for tenth in range(1, 10):
    REPORTED[f"{tenth} tenths.jpg"] = (JPEG[: len(JPEG) * tenth // 10], "")
    REPORTED[f"{tenth} tenths.png"] = (PNG[: len(PNG) * tenth // 10], "")
    REPORTED[f"{tenth} tenths.tif"] = (encoded("TIFF")[: len(encoded("TIFF")) * tenth // 10], "")


def tree(folder):
    "A digest of names, contents, links, sizes, modes and times below a folder"
    lines = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        lines.append((path.relative_to(folder).as_posix(), content, status.st_mode, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(lines).encode()).hexdigest()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "图 pictures"
    (folder / "hostile").mkdir(parents=True)
    (folder / "good").mkdir()
    PICTURE.rotate(90).save(folder / "good" / "1.png")
    for name, (content, _) in (READ | REPORTED).items():
        (folder / "hostile" / name).write_bytes(content)
    (folder / "hostile" / "loop.jpg").symlink_to("loop.jpg")
    (folder / "hostile" / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "hostile" / "linked.jpg").symlink_to("plain.jpg")
    (folder / "hostile" / "around").symlink_to(folder, target_is_directory=True)
    (folder / "hostile" / "folder.jpg").mkdir()
    (folder / "hostile" / "folder.jpg" / "inside.png").write_bytes(PNG)
    os.mkfifo(folder / "hostile" / "pipe.jpg")
    (folder / "hostile" / "secret.jpg").write_bytes(JPEG)
    (folder / "hostile" / "secret.jpg").chmod(0)
    return folder


@pytest.fixture(scope="module")
def report(corpus):
    return cleaning.scan(corpus)


def test_the_corpus_is_large_enough():
    assert len(READ) + len(REPORTED) >= 60


def test_each_file_is_read_or_reported_with_the_reason(corpus, report):
    unread = report[report["kind"].isin(["unreadable", "truncated", "unknown scale"])].set_index("file")["reason"]
    expected = {f"hostile/{name}": words for name, (_, words) in REPORTED.items()}
    expected |= {"hostile/loop.jpg": "", "hostile/gone.jpg": ""}
    if not os.access(corpus / "hostile" / "secret.jpg", os.R_OK):  # root may read everything
        expected["hostile/secret.jpg"] = "ermission"
    assert set(unread.index) == set(expected)
    assert unread.index.is_unique
    for name, words in expected.items():
        assert words in unread[name] and unread[name].strip()


@pytest.mark.filterwarnings("ignore:Tag data larger than file", "ignore:Corrupt EXIF data")
def test_what_can_be_read_is_read_rightly(corpus):
    for name, (_, tolerance) in READ.items():
        (pixels,) = ImageFiles([corpus / "hostile" / name])
        if tolerance is not None:
            assert pixels.shape == (48, 64, 3)
            # away from the borders of the squares, where JPEG mixes colours
            distance = np.abs(pixels[4::8, 4::8].astype(int) - np.asarray(PICTURE)[4::8, 4::8])
            assert distance.max() <= tolerance, name
    assert np.asarray(ImageFiles([corpus / "hostile" / "one row.png"])[0]).shape == (1, 20000, 3)


def test_what_files_are_is_said(report):
    kinds = report.groupby("file")["kind"].agg(set)
    for name, kind in {
        "png named.jpg": "wrong extension",
        "no extension": "wrong extension",
        "cmyk.jpg": "CMYK",
        "16 bit.png": "16 bit",
        "float.tif": "unknown scale",
        "32 bit.tif": "unknown scale",
        "grey and alpha.png": "alpha",
        "palette with transparency.png": "alpha",
        "sideways.jpg": "rotated by EXIF",
        "one row.png": "odd aspect",
        "one pixel.png": "odd size",
    }.items():
        assert kind in kinds[f"hostile/{name}"], name
    file_kinds = {"wrong extension", "CMYK", "16 bit", "alpha", "rotated by EXIF"}
    for name in ("plain.jpg", "UPPER.JPG", "two\nlines.jpg", "broken exif.jpg", "bitmap.bmp", "netpbm.ppm"):
        assert not kinds.get(f"hostile/{name}", set()) & file_kinds, name


def test_links_folders_and_pipes(report):
    assert "hostile/folder.jpg/inside.png" in set(report.loc[report["kind"] == "exact duplicate", "file"])
    assert "hostile/linked.jpg" in set(report.loc[report["kind"] == "exact duplicate", "file"])
    assert not report["file"].dropna().str.contains("around|pipe").any()


def test_the_scan_and_cleaning_change_nothing(corpus, report):
    before = tree(corpus)
    cleaning.draw_findings(corpus, cleaning.scan(corpus), per_kind=2)
    kept, left_out = cleaning.clean(corpus, report, kinds=("unreadable", "truncated", "unknown scale"))
    assert tree(corpus) == before
    assert len(kept) + len(left_out) == len(data.from_folder(corpus, check=False))
    assert not unreadable(kept.images.paths)


def test_loading_names_what_it_leaves_out(corpus):
    with pytest.warns(UserWarning, match="cannot be read as images and are left out"):
        images = data.from_folder(corpus)
    assert not set(images.metadata["file"]) & {f"hostile/{name}" for name in REPORTED}
    assert set(images.metadata["file"]) >= {f"hostile/{name}" for name in READ}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "ICO", "TGA", "PCX"])
def test_damaged_bytes_crash_nothing(tmp_path, file_format):
    rng = np.random.default_rng(1)
    whole = bytearray(encoded(file_format))
    (tmp_path / "a").mkdir()
    for number in range(25):
        damaged = whole.copy()
        for place in rng.integers(0, min(len(whole), 300), 4):
            damaged[place] = rng.integers(256)
        (tmp_path / "a" / f"{number}.bin").write_bytes(damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in sorted((tmp_path / "a").iterdir()):
            pixels, found = cleaning.read_file(path)
            assert (pixels is None) == bool(set(found) & {"unreadable", "truncated"})
            assert pixels is None or cleaning.measure(pixels)
