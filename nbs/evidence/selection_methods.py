"""What ten ways to select features leave of the accuracy of a linear model, and what the selection costs.

Features of VGG16 (512) for textures; ten training images a class, test images from other places, logistic regression
on standardised features. Each method keeps 8, 32 and 128 features; "sequential" asks thousands of models, so it keeps
four. The three methods that take seconds and more are measured in the first divisions only. `--save` writes the rows of
`feature_selection.measure`: the accuracy, and the CPU seconds of selecting and of learning, on one thread.

    python selection_methods.py [--divisions 20] [--slow 5] [--save selection_methods.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process

SIZES = (0.55, 0.1, 0.35)
SLOW = ("mutual information", "ridge", "sequential")


def measure(division, slow):
    "The rows of one division"
    from tlcourse import backbones, data, feature_selection, features, splitting
    from tlcourse.networks import precision

    textures = data.load("textures")
    textures.metadata["row"] = range(len(textures))
    deep = np.asarray(features.extract(backbones.load_backbone("VGG16", "course", 64), textures))
    parts = splitting.split(textures, "group", SIZES, seed=division)
    fold = [part.metadata["row"].to_numpy() for part in (parts.train.sample(10, division), parts.test)]
    methods = [method for method in feature_selection.METHODS if slow or method not in SLOW]
    measured = feature_selection.measure(
        deep, textures.labels, [fold], [method for method in methods if method != "sequential"]
    )
    if slow:
        one_by_one = feature_selection.measure(deep, textures.labels, [fold], ["sequential"], [4])
        measured = pd.concat([measured, one_by_one[one_by_one["method"] == "sequential"]])
    return measured.assign(fold=division, processor=precision.processor())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--divisions", type=int, default=20)
    parser.add_argument("--slow", type=int, default=5)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    threads, found = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1"), []
    for division in range(arguments.divisions):
        found.append(in_own_process(measure, division, division < arguments.slow, **threads))
        table = pd.concat(found)
        if arguments.save:  # what was measured stays if the rest is stopped
            table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    print(table.groupby(["method", "features"])[["accuracy", "selecting", "learning"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
