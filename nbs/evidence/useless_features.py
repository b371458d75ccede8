"""What selecting features is worth to a model, where some features are useless, or made as loud as the others.

Textures, ten training images a class, test images from other places. Nearest neighbours on the 2048 features of
ResNet50, as they are and standardised: all of them, or those that ANOVA F or the variance chose. And nearest neighbours
and logistic regression on the 512 standardised features of VGG16 beside useless ones, which are features shuffled over
the images: all columns, or the 128 that ANOVA F chose. `--save` writes a row for each condition and division.

    python useless_features.py [--divisions 20] [--save useless_features.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process

SIZES = (0.55, 0.1, 0.35)


def measure(divisions):
    "The rows of all divisions"
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tlcourse import backbones, data, feature_selection, features, splitting
    from tlcourse.networks import precision

    textures = data.load("textures")
    textures.metadata["row"] = range(len(textures))
    deep = {
        network: np.asarray(features.extract(backbones.load_backbone(network, "course", 64), textures))
        for network in ("ResNet50", "VGG16")
    }
    models = {
        "neighbours, as they are": KNeighborsClassifier(1),
        "neighbours, standardised": make_pipeline(StandardScaler(), KNeighborsClassifier(1)),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    }
    found = []

    def note(network, values, fold, useless, name, methods, counts, seed):
        table = feature_selection.measure(values, textures.labels, [fold], methods, counts, models[name])
        found.append(table.assign(fold=seed, network=network, useless=useless, model=name))

    for seed in range(divisions):
        parts = splitting.split(textures, "group", SIZES, seed=seed)
        fold = [part.metadata["row"].to_numpy() for part in (parts.train.sample(10, seed), parts.test)]
        for name in list(models)[:2]:
            note("ResNet50", deep["ResNet50"], fold, 0, name, ["ANOVA F", "variance"], [128, 384], seed)
        rng = np.random.default_rng(seed)
        for useless in (0, 1024, 4096):
            values = np.hstack([deep["VGG16"], *(rng.permuted(deep["VGG16"], axis=0) for _ in range(useless // 512))])
            for name in list(models)[1:]:
                note("VGG16", values, fold, useless, name, ["ANOVA F"], [128], seed)
    table = pd.concat(found)[["network", "useless", "model", "method", "features", "fold", "accuracy"]]
    return table.assign(processor=precision.processor())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--divisions", type=int, default=20)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = in_own_process(measure, arguments.divisions)
    if arguments.save:
        table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    by = ["network", "model", "useless", "method", "features"]
    print(table.groupby(by, sort=False)["accuracy"].mean().round(3).to_string())


if __name__ == "__main__":
    main()
