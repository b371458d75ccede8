"""Which transforms change what labels mean, in the data sets of the course: `label_changes` on five sets each.

The five sets of a data set share no image, so that they are five independent measurements: digits and textures are
dealt out, charts and sounds are made from another seed. Digits are described by their grey pixels, the others by the
features of VGG16. One row a data set, seed and transform: gain in points, and of which class how many are taken for
which other. `--save` keeps what the file has of other data sets.

    python label_changes.py [--seeds 5] [--images-per-class 24] [--data digits textures charts tones]
        [--save label_changes.csv]
"""

import argparse
from pathlib import Path

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

TRANSFORMS = ["flip", "flip upside down", "half turn", "quarter turn", "contrast", "erasing"]


def independent_set(name, seed, seeds, images_per_class):
    "The images of one seed, which are in no other seed's"
    import numpy as np

    from tlcourse import data
    from tlcourse.datasets import charts, tones

    if name == "charts":
        return charts.draw_charts(images_per_class, seed=seed)
    if name == "tones":
        return tones.load_tones(images_per_class, seed=seed)
    images = data.load(name)
    order = pd.Series(np.random.default_rng(0).permutation(len(images)))
    turn = order.groupby(images.labels[order]).cumcount()  # each class is dealt out in turn
    return images.subset(np.sort(order[turn % seeds == seed]))


def measure(name, seed, seeds, images_per_class):
    "The rows of `label_changes` for one set"
    from tlcourse import augmentation, backbones, features

    images = independent_set(name, seed, seeds, images_per_class)
    describe, size = None, 32
    if name != "digits":
        vgg, size = backbones.load_backbone("VGG16", "course", 32), 64

        def describe(pictures):
            return features.extract(vgg, pictures, precision="float32")

    table = augmentation.label_changes(images, TRANSFORMS, describe, image_size=size, seed=seed)
    return [
        {"data": name, "seed": seed, "images": len(images), "transform": transform, "gain": round(row["gain"], 3)}
        | {"class": row["class"], "becomes": row["becomes"], "share": round(row["share"], 3)}
        for transform, row in table.iterrows()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=24)
    parser.add_argument("--data", nargs="+", default=["digits", "textures", "charts", "tones"])
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = [
        row
        for name in arguments.data
        for seed in range(arguments.seeds)
        for row in in_own_process(measure, name, seed, arguments.seeds, arguments.images_per_class)
    ]
    table = pd.DataFrame(rows).assign(processor=precision.processor())
    print(table.groupby(["data", "transform"], sort=False)[["gain", "share"]].agg(["mean", "std"]).round(2))
    if arguments.save and Path(arguments.save).exists():
        before = pd.read_csv(arguments.save)
        table = pd.concat([before[~before["data"].isin(arguments.data)], table])
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
