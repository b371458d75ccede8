"""What a selection of features makes out of nothing, where the test images take part in it.

Two cases in which nothing can be learned, so that chance is 50 %: sixty rows of two thousand columns of noise with
labels that alternate (nearest neighbours), and the VGG16 features of thirty textures with the toss of a coin for a
label (logistic regression). The 20 features with the highest ANOVA F are chosen by all rows, or in each fold by the
training rows; the accuracy is that of a cross-validation with five folds. Each seed has its own noise and coins.
`--save` writes a row for each case, seed and choice.

    python selection_trap.py [--seeds 50] [--save selection_trap.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process


def measure(seeds):
    "The rows of all seeds"
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tlcourse import backbones, data, features
    from tlcourse.feature_selection import make_selector, select
    from tlcourse.networks import precision

    deep = np.asarray(features.extract(backbones.load_backbone("VGG16", "course", 64), data.load("textures")))
    linear, neighbour = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), KNeighborsClassifier(1)
    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(60, 2000)), np.arange(60) % 2, neighbour
        coins = deep[rng.choice(len(deep), 30, replace=False)], rng.permutation(np.arange(30) % 2), linear
        for case, (values, labels, model) in {"noise": noise, "coins": coins}.items():
            chosen = select(values, labels, "ANOVA F", 20).transform(values)
            inside = make_pipeline(make_selector("ANOVA F", 20), model)
            accuracies = {
                "all images choose": cross_val_score(model, chosen, labels).mean(),
                "training images choose": cross_val_score(inside, values, labels).mean(),
            }
            for who, accuracy in accuracies.items():
                rows.append({"case": case, "seed": seed, "who": who, "accuracy": 100 * accuracy})
    return [row | {"processor": precision.processor()} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = pd.DataFrame(in_own_process(measure, arguments.seeds))
    if arguments.save:
        table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    print(table.groupby(["case", "who"])["accuracy"].describe().round(1).to_string())


if __name__ == "__main__":
    main()
