"""What the check of labels finds, and what leaving its suspects out is worth, on the textures.

Features are those of the frozen ResNet50 behind `conv2`. Two measurements for each seed. `found`: one label in ten of
all images is changed; of a hundred suspects, how many have a changed label, and the other way round. `worth`: the
images are divided anew by place, one training label in five is changed, and a linear head learns from the right labels,
from the changed ones, and from those that are not suspected; accuracy is that on test images with their right labels.
`--save` writes a row for each number, with the test images for each training image of the division.

    python wrong_labels.py [--seeds 5] [--save wrong_labels.csv]
"""

import argparse
import os
import tempfile

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlcourse import backbones, data, features, splitting
from tlcourse.cleaning import suspect_labels
from tlcourse.networks.precision import processor


def flip(labels, share, seed):
    "The labels with a share of them changed to another class, and which are changed"
    rng = np.random.default_rng(seed)
    changed = np.zeros(len(labels), bool)
    changed[rng.choice(len(labels), round(share * len(labels)), replace=False)] = True
    classes = len(np.unique(labels))
    return np.where(changed, (labels + rng.integers(1, classes, len(labels))) % classes, labels), changed


def found(labels, deep, seed):
    wrong, changed = flip(labels, 0.1, seed)
    suspected = np.isin(np.arange(len(wrong)), suspect_labels(wrong, deep)["image"])
    return {
        "suspects that are guilty, %": 100 * changed[suspected].mean(),
        "changed labels that are suspected, %": 100 * suspected[changed].mean(),
    }


def worth(textures, deep, seed):
    parts = splitting.split(textures, how="group", seed=seed)
    train, test = (part.metadata["row"].to_numpy() for part in (parts.train, parts.test))
    right = textures.labels[train]
    wrong, _ = flip(right, 0.2, seed)
    trusted = np.setdiff1d(np.arange(len(train)), suspect_labels(wrong, deep[train])["image"])
    everything = np.arange(len(train))

    def accuracy(chosen, labels):
        head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        return 100 * head.fit(deep[train][chosen], labels[chosen]).score(deep[test], textures.labels[test])

    return {
        "right labels": accuracy(everything, right),
        "changed labels": accuracy(everything, wrong),
        "suspects left out": accuracy(trusted, wrong),
    }, len(test) / len(train)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    textures = data.load("textures")
    textures.metadata["row"] = np.arange(len(textures))
    backbone = backbones.load_backbone("ResNet50", weights="course", image_size=64)
    deep = np.asarray(features.extract(backbone, textures, cut="conv2")).mean(axis=(1, 2))
    rows = []
    for seed in range(arguments.seeds):
        rows += [(seed, "found", name, value, "") for name, value in found(textures.labels, deep, seed).items()]
        accuracies, overlap = worth(textures, deep, seed)
        rows += [(seed, "worth", name, value, round(overlap, 3)) for name, value in accuracies.items()]
    table = pd.DataFrame(rows, columns=["seed", "measurement", "name", "value", "test images for each training image"])
    table["value"] = table["value"].map(lambda value: float(f"{value:.4g}"))
    table["processor"] = processor()
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.pivot(index="seed", columns="name", values="value").round(1).to_string())


if __name__ == "__main__":
    main()
