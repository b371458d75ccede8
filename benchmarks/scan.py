"""How long `cleaning.scan` takes for 1,000 images of 128 pixels, beside decoding them and beside cleanvision.

The images are noisy pieces of scikit-image's photographs, as JPEG files; made first, and not timed. All three are timed
in one run; only their ratios say something about another machine. Run it with `python benchmarks/scan.py`.
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from tlcourse import cleaning, data
from tlcourse.datasets.image_files import decode, unreadable

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "ihc.png", "motorcycle_left.png")


def write_pieces(folder, count, size, seed=0):
    "Pieces of photographs in four class folders; each has noise of its own, so that none is a copy"
    rng = np.random.default_rng(seed)
    pictures = [decode(files("skimage.data") / name) for name in PHOTOGRAPHS]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        top, left = (int(rng.integers(side - size + 1)) for side in picture.shape[:2])
        piece = picture[top : top + size, left : left + size] + rng.normal(0, 4, (size, size, 3))
        (folder / f"class {number % 4}").mkdir(parents=True, exist_ok=True)
        pixels = piece.round().clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"class {number % 4}" / f"{number:05}.jpg", quality=90)


def timed(function, rounds):
    "The least of several wall-clock times in seconds, and what the last call gave"
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def with_cleanvision(folder):
    from cleanvision import Imagelab

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Imagelab(data_path=str(folder))
        lab.find_issues(n_jobs=1, verbose=False)
    return lab.issues


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="how many images")
    parser.add_argument("--size", type=int, default=128, help="their height and width in pixels")
    parser.add_argument("--rounds", type=int, default=3, help="of how many times the least counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder) / "pieces"
        write_pieces(folder, options.images, options.size)
        paths = data.from_folder(folder, check=False).images.paths
        decoding, _ = timed(lambda: unreadable(paths), options.rounds)
        scanning, report = timed(lambda: cleaning.scan(folder), options.rounds)
        peer, _ = timed(lambda: with_cleanvision(folder), 1)
    print(f"{options.images} images of {options.size} x {options.size} pixels, {os.cpu_count()} cores")
    print(f"decoding alone   {decoding:6.1f} s")
    print(f"cleaning.scan    {scanning:6.1f} s   {scanning / decoding:.1f} times decoding   {len(report)} findings")
    print(f"cleanvision      {peer:6.1f} s   {peer / scanning:.1f} times the scan   (one process)")


if __name__ == "__main__":
    main()
