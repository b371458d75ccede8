"""Peak memory of each notebook, and of extracting features from many image files against few.

Each is in a process of its own, one after the other.

    python benchmarks/memory.py [--notebooks nbs/lessons ...] [--images 2000 20000] [--size 96] [--backbone ResNet50]
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

from tlcourse.measuring import in_own_process

sys.path.append(str(Path(__file__).parents[1] / "tools"))

from notebooks import find, run_all  # noqa: E402


def write_files(folder, count):
    "So many different JPEG files of textures"
    from PIL import Image

    from tlcourse import data

    pixels = data.load("textures").images
    for number in range(count):
        image = pixels[number % len(pixels)].copy()
        image[0, 0, 0], image[0, 1, 0] = number % 256, number // 256
        Image.fromarray(image).save(folder / f"{number}.jpg", quality=90)


def extract(folder, count, size, name, cut):
    "Peak memory of one extraction, in megabytes"
    import numpy as np

    from tlcourse import backbones, features
    from tlcourse.data import ImageData
    from tlcourse.datasets.image_files import ImageFiles

    files = ImageFiles([Path(folder) / f"{number}.jpg" for number in range(count)])
    images = ImageData(files, np.zeros(count, int), ["a", "b"])
    result = features.extract(backbones.load_backbone(name, "course", size), images, cut=cut)
    assert isinstance(result, np.memmap) and len(result) == count
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--notebooks", nargs="*", default=["nbs/lessons", "nbs/exercises"], help="notebooks and folders"
    )
    parser.add_argument("--images", type=int, nargs="*", default=[2000, 20000])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--cut")
    arguments = parser.parse_args()
    for ran in run_all(find(arguments.notebooks) if arguments.notebooks else [], workers=1):
        print(f"{ran.notebook}: peak of {ran.peak_mb:.0f} MB{', ' + ran.error if ran.error else ''}", flush=True)
    if not arguments.images:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, max(arguments.images))
        peaks = []
        for count in arguments.images:
            peaks.append(in_own_process(extract, name, count, arguments.size, arguments.backbone, arguments.cut))
            print(f"{arguments.backbone}, {count} files at {arguments.size}: peak of {peaks[-1]:.0f} MB", flush=True)
        print(f"the largest needs {peaks[-1] - peaks[0]:.0f} MB more than the smallest")


if __name__ == "__main__":
    main()
