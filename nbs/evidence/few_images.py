"""A linear classifier on few scans of digits: on their pixels, and on frozen features of ResNet50 and of VGG16.

The digits are dealt into folds that share no image, 34 a class. In each fold, 20 of a class may be learned from and the
other 14 are for testing; that is drawn three times. So the folds are independent, and the draws within one are not.
Features are those of the course's weights at 64 pixels. `--save` writes a row for each training.

    python few_images.py [--save few_images.csv]
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

from tlcourse import backbones, data, features
from tlcourse.networks.precision import processor

FOLDS, OF_A_CLASS, TO_LEARN, DRAWS = 5, 34, 20, 3
COUNTS = (1, 2, 5, 10, 20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save")
    arguments = parser.parse_args()
    digits = data.load("digits").sample(FOLDS * OF_A_CLASS, seed=0)  # class after class
    inputs = {"pixels": digits.images[:, ::4, ::4, 0].reshape(len(digits), 64) / 255.0}
    for name in ("VGG16", "ResNet50"):
        backbone = backbones.load_backbone(name, weights="course", image_size=64)
        inputs[name] = np.asarray(features.extract(backbone, digits))
    of_class = np.arange(len(digits)).reshape(-1, FOLDS, OF_A_CLASS)
    rows = []
    for fold in range(FOLDS):
        for draw in range(DRAWS):
            order = np.random.default_rng([fold, draw]).permuted(of_class[:, fold], axis=1)
            test = order[:, TO_LEARN:].ravel()
            for count in COUNTS:
                train = order[:, :count].ravel()
                for name, every in inputs.items():
                    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
                    accuracy = model.fit(every[train], digits.labels[train]).score(every[test], digits.labels[test])
                    rows.append((fold, draw, name, count, float(f"{accuracy:.4g}")))
    table = pd.DataFrame(rows, columns=["fold", "draw", "input", "images a class", "accuracy"])
    table["processor"] = processor()
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.pivot_table(index="input", columns="images a class", values="accuracy").round(3).to_string())


if __name__ == "__main__":
    main()
