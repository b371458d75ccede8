"""What near-duplicates on both sides of a division add to a score.

For each seed, twelve patches of each kind of texture are drawn, and each gets a copy with noise. A 1-nearest-neighbour
model on features of ResNet50 learns from half of the images and is scored on two fifths; images and copies are divided
at random, or an image and its copy go to one part. `--save` writes a row for each noise, division and seed.

    python copies.py [--seeds 20] [--save copies.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process

NOISES = (3, 10)  # grey levels
SIZES = (0.5, 0.1, 0.4)


def with_copies(few, noise, seed):
    "The images and a noisy copy of each; `original` says which belong together"
    from tlcourse.datasets.image_data import ImageData

    copies = few.images + np.random.default_rng(seed).normal(0, noise, few.images.shape)
    metadata = pd.DataFrame({"original": np.tile(np.arange(len(few)), 2), "row": np.arange(2 * len(few))})
    images = np.concatenate([few.images, copies.round().clip(0, 255).astype(np.uint8)])
    return ImageData(images, np.tile(few.labels, 2), few.class_names, metadata, "originals and copies")


def measure(seeds):
    "The rows of all seeds"
    from sklearn.neighbors import KNeighborsClassifier

    from tlcourse import backbones, data, features, splitting
    from tlcourse.datasets.image_data import ImageData
    from tlcourse.networks import precision

    textures, backbone = data.load("textures"), backbones.load_backbone("ResNet50", "course", 64)
    sets = {
        (noise, seed): with_copies(textures.sample(12, seed), noise, seed) for noise in NOISES for seed in range(seeds)
    }
    # all at once, for each call of `extract` traces the network anew
    together = [images.images for images in sets.values()]
    together = ImageData(np.concatenate(together), np.zeros(sum(map(len, together)), int), ["any"])
    deep = np.split(features.extract(backbone, together, "conv2").mean(axis=(1, 2)), len(sets))
    rows = []
    for ((noise, seed), images), seen in zip(sets.items(), deep, strict=True):
        for how, column in (("random", None), ("group", "original")):
            parts = splitting.split(images, how, SIZES, column, seed)
            train, test = (part.metadata["row"].to_numpy() for part in (parts.train, parts.test))
            model = KNeighborsClassifier(1).fit(seen[train], images.labels[train])
            accuracy = 100 * model.score(seen[test], images.labels[test])
            rows.append({"noise": noise, "division": how, "seed": seed, "accuracy": accuracy})
    return [row | {"processor": precision.processor()} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = pd.DataFrame(in_own_process(measure, arguments.seeds))
    if arguments.save:
        table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    print(table.groupby(["noise", "division"])["accuracy"].mean().unstack().round(1).to_string())


if __name__ == "__main__":
    main()
