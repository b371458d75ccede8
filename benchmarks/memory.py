"""Peak memory of extracting features from many image files against few, each in a process of its own.

    python benchmarks/memory.py [--images 2000 20000] [--size 96] [--backbone ResNet50] [--cut conv4]
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path


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

    files = ImageFiles([folder / f"{number}.jpg" for number in range(count)])
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
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        print(extract(arguments.folder, *arguments.images, arguments.size, arguments.backbone, arguments.cut))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, max(arguments.images))
        peaks = []
        for count in arguments.images:
            command = [sys.executable, __file__, "--images", str(count), "--size", str(arguments.size)]
            command += ["--backbone", arguments.backbone, "--folder", name]
            command += ["--cut", arguments.cut] if arguments.cut else []
            environment = os.environ | {"TLCOURSE_CACHE": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
            output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
            peaks.append(float(output.split()[-1]))
            print(f"{arguments.backbone}, {count} files at {arguments.size}: peak of {peaks[-1]:.0f} MB", flush=True)
        print(f"the largest needs {peaks[-1] - peaks[0]:.0f} MB more than the smallest")


if __name__ == "__main__":
    main()
