"""What a division by place changes: the score of nearest neighbours on textures that were divided in two ways.

The patches of each photograph are divided at random, with equal class shares, or by the place that they were cut from.
A 1-nearest-neighbour model on features of a frozen backbone learns from the training part (70 % of the images, or of
the places) and is scored on the test part (15 %). `--save` writes a row for each backbone, division and seed.

    python divisions.py [--seeds 20] [--save divisions.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process

CUTS = {"ResNet50": "conv2", "VGG16": "block3"}  # where each is cut


def measure(network, seeds):
    "The rows of one backbone"
    from sklearn.neighbors import KNeighborsClassifier

    from tlcourse import backbones, data, features, splitting
    from tlcourse.networks import precision

    textures = data.load("textures")
    textures.metadata["row"] = range(len(textures))
    backbone = backbones.load_backbone(network, "course", 64)
    deep = features.extract(backbone, textures, CUTS[network]).mean(axis=(1, 2))
    rows = []
    for seed in range(seeds):
        for how in ("stratified", "group"):
            parts = splitting.split(textures, how, seed=seed)
            train, test = (part.metadata["row"].to_numpy() for part in (parts.train, parts.test))
            model = KNeighborsClassifier(1).fit(deep[train], textures.labels[train])
            accuracy = 100 * model.score(deep[test], textures.labels[test])
            rows.append({"backbone": network, "division": how, "seed": seed, "accuracy": accuracy})
    return [row | {"processor": precision.processor()} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = pd.DataFrame([row for network in CUTS for row in in_own_process(measure, network, arguments.seeds)])
    if arguments.save:
        table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    print(table.groupby(["backbone", "division"])["accuracy"].describe().round(1).to_string())


if __name__ == "__main__":
    main()
