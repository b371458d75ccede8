"""Peak memory of extracting features from many image files against few, each in a process of its own.

python benchmarks/memory.py [--images 2000 20000] [--size 96] [--backbone ResNet50] [--cut conv4]
"""

import argparse
import resource
import tempfile
from pathlib import Path

from tlcourse.measuring import in_own_process


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
    from tlcourse.image_files import ImageFiles

    files = ImageFiles([Path(folder) / f"{number}.jpg" for number in range(count)])
    images = ImageData(files, np.zeros(count, int), ["a", "b"])
    result = features.extract(backbones.load_backbone(name, "course", size), images, cut=cut)
    assert isinstance(result, np.memmap) and len(result) == count
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--cut")
    arguments = parser.parse_args()
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
