"""Damaged image files: pictures in every format that Pillow can write here, with bytes changed, cut out and put in."""

import io
import struct
import warnings

import numpy as np
from PIL import Image

STRUCTURE = 400  # bytes at the front, where headers, tables and tags are
RNG = np.random.default_rng(0)
PICTURE = Image.fromarray(np.kron(RNG.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8))  # 64 x 48
# the modes that make a format use other parts of its decoder, beside RGB
MODES = ("L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB")


def exif(orientation=6):
    "EXIF data with the kinds of tags that cameras write"
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F], tags[0x011A] = "a camera", 72.0
    tags.get_ifd(0x8769).update({0x829A: 0.01, 0x9201: -1.5, 0x9286: b"ASCII\0\0\0words"})
    tags.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    return tags


def bad_exif(orientation):
    "EXIF data as some cameras write them: the orientation is right, and the exposure bias is -1/0"
    first = struct.pack("<H", 2) + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    first += struct.pack("<HHII", 0x8769, 4, 1, 38) + b"\0" * 4
    second = struct.pack("<HHHII", 1, 0x9204, 10, 1, 56) + b"\0" * 4
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + struct.pack("<ii", -1, 0)


def by_hand():
    "By name, a file of each format that Pillow reads and does not write"
    pixels, grey = PICTURE.tobytes(), PICTURE.convert("L").tobytes()
    icon, page = io.BytesIO(), io.BytesIO()
    PICTURE.save(icon, "ICO", bitmap_format="bmp")
    PICTURE.save(page, "PCX")
    fits = (f"SIMPLE  = T|BITPIX  = 8|NAXIS   = 2|NAXIS1  = {PICTURE.width}|NAXIS2  = {PICTURE.height}|END").split("|")
    iptc = [((3, 60), b"\1\0"), ((3, 20), b"\0\x40"), ((3, 30), b"\0\x30"), ((3, 120), b"\1"), ((8, 10), grey)]
    colours = [f'"{"abcdefgh"[n]} c #{n * 32:02x}40{255 - n * 32:02x}",' for n in range(8)]
    rows = [f'"{"".join("abcdefgh"[level // 32] for level in row)}",' for row in np.asarray(PICTURE.convert("L"))]
    mcidas = [0] * 64
    mcidas[1], mcidas[8], mcidas[9], mcidas[10], mcidas[13], mcidas[33] = 4, 48, 64, 1, 1, 256
    frame = struct.pack("<IHH8xIHHI", 16 + 6 + 4 + 6 + len(grey), 0xF1FA, 1, 6 + 4, 4, 0, 0)[:26]
    frame += struct.pack("<IH", 6 + len(grey), 16) + grey
    return {
        "SUN": struct.pack(">8I", 0x59A66A95, 64, 48, 24, len(pixels), 3, 0, 0) + pixels,
        "PSD": struct.pack(">4sH6xHIIHH3IH", b"8BPS", 1, 3, 48, 64, 8, 3, 0, 0, 0, 0)
        + b"".join(band.tobytes() for band in PICTURE.split()),
        "FLI": struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, 64, 48, 8, 0, 70).ljust(128, b"\0") + frame,
        "DCX": struct.pack("<3I", 0x3ADE68B1, 12, 0) + page.getvalue(),
        "CUR": b"\0\0\2\0" + icon.getvalue()[4:],
        "XPM": "\n".join(
            ["/* XPM */", "static char *picture[] = {", '"64 48 8 1",', *colours, *rows, "};"]
        ).encode(),
        "PCD": b"\0" * 2048 + b"PCD_IPI".ljust(1539, b"\0") + RNG.bytes(96 * 2048 - 3587 + 768 * 512 * 3 // 2),
        "PIXAR": struct.pack("<4s412xHH4xHH", b"\x80\xe8\0\0", 48, 64, 14, 2).ljust(1024, b"\0") + pixels,
        "GBR": struct.pack(">5I4sI", 28 + 6, 2, 64, 48, 1, b"GIMP", 10) + b"brush\0" + grey,
        "FITS": "".join(card.ljust(80) for card in fits).ljust(2880).encode() + grey.ljust(5760, b"\0"),
        "IMT": b"*comment\nwidth 64\nheight 48\npixel n8\n\x0c" + grey,
        "XVTHUMB": b"P7 332\n#IMGINFO\n#END\n64 48 255\n" + grey,
        "MCIDAS": struct.pack(">64i", *mcidas) + grey,
        "FTEX": struct.pack("<4s8i", b"FTEX", 1, 64, 48, 1, 1, 1, 32, len(pixels)) + pixels,
        "IPTC": b"".join(
            bytes([0x1C, *tag]) + struct.pack(">H", len(content)) + content for tag, content in iptc
        ),
        "MPEG": b"\0\0\1\xb3\4\0\x30" + RNG.bytes(500),
        "WMF": struct.pack("<IHhhhhHIH", 0x9AC6CDD7, 0, 0, 0, 64, 48, 72, 0, 0) + b"\1\0\x09\0" + RNG.bytes(200),
        "HDF5": b"\x89HDF\r\n\x1a\n" + RNG.bytes(200),
        "GRIB": b"GRIB\0\0\0\1" + RNG.bytes(200),
        "BUFR": b"BUFR" + RNG.bytes(200),
    }  # fmt: skip


def pictures():
    "By name, a file of each format and mode that Pillow writes or reads here, some with options that add parts"
    Image.init()
    made = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for file_format in sorted(set(Image.SAVE) & set(Image.OPEN)):
            for mode in ("RGB", *MODES):
                for name, options in (
                    ("", {}),
                    ("exif", {"exif": exif()}),
                    ("bad exif", {"exif": bad_exif(6)}),
                    ("other", dict(progressive=True, compression="tiff_lzw", save_all=True, lossless=True)),
                ):
                    try:
                        file = io.BytesIO()
                        PICTURE.convert("L" if mode == "I;16" else mode).convert(mode).save(
                            file, file_format, **options
                        )
                    except Exception:  # noqa: BLE001, S112  not every format has every mode
                        continue
                    if file.getvalue() not in made.values():
                        made[f"{file_format} {mode} {name}".strip()] = file.getvalue()
    return made | by_hand()


def damage(content, rng):
    "The bytes with one to three things done to them, oftener at the front than behind it"
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        front = rng.random() < 0.7
        place = int(rng.integers(0, max(1, min(len(damaged), STRUCTURE) if front else len(damaged))))
        kind = rng.integers(7)
        if kind == 0:
            del damaged[place:]
        elif kind == 1:
            del damaged[place : place + int(rng.integers(1, 9))]
        elif kind == 2:
            damaged[place:place] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 3:  # what a length or an offset must not be
            damaged[place : place + 4] = [b"\xff" * 4, b"\0" * 4, b"\x7f" + b"\xff" * 3, b"\0\0\0\x01"][rng.integers(4)]
        else:
            for _ in range(rng.integers(1, 5)):
                place = int(rng.integers(0, max(1, min(len(damaged), STRUCTURE) if front else len(damaged))))
                if place < len(damaged):
                    damaged[place] = int(rng.integers(256))
    return bytes(damaged)
