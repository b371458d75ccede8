"""What scaling features is worth, and what a scaler costs that saw the wrong images.

Features of textures (ResNet50, behind conv2) come as they are, each in a unit of its own, or with one more column of
seconds that says nothing about the class. Nearest neighbours and logistic regression learn from them without a scaler
and with two; the places of the training and the test part are apart. Further rows have nearest neighbours on features
that were standardised by a scaler that saw all images, and, for photographs of the first two classes only, by one that
was fitted on the test batch itself. `--save` writes a row for each condition and seed; `steps` are those of logistic
regression, a thousand where it did not converge.

    python scalers.py [--seeds 10] [--save scalers.csv]
"""

import argparse
import warnings

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process

SIZES = (0.6, 0.1, 0.3)


def measure(seeds):
    "The rows of all seeds"
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

    from tlcourse import backbones, data, features, splitting
    from tlcourse.networks import precision

    textures = data.load("textures")
    textures.metadata["row"] = range(len(textures))
    labels = textures.labels
    backbone = backbones.load_backbone("ResNet50", "course", 64)
    deep = features.extract(backbone, textures, "conv2").mean(axis=(1, 2))
    scalers = {"none": FunctionTransformer, "standardised": StandardScaler, "min-max": MinMaxScaler}
    models = {"neighbours": KNeighborsClassifier(1), "logistic": LogisticRegression(max_iter=1000)}
    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        columns = {
            "as they are": deep,
            "unequal units": deep * 10.0 ** rng.uniform(-3, 3, deep.shape[1]),
            "and seconds": np.column_stack([deep, rng.uniform(0, 1e6, len(deep))]),
        }
        parts = splitting.split(textures, "group", SIZES, seed=seed)
        train, test = (part.metadata["row"].to_numpy() for part in (parts.train, parts.test))

        def note(unit, scaler, model, accuracy, steps=None, seed=seed):
            rows.append(
                {
                    "features": unit,
                    "scaler": scaler,
                    "model": model,
                    "seed": seed,
                    "accuracy": 100 * accuracy,
                    "steps": steps,
                }
            )

        for unit, values in columns.items():
            for scaler, make in scalers.items():
                for name, model in models.items():
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", ConvergenceWarning)
                        fitted = make_pipeline(make(), model).fit(values[train], labels[train])
                    steps = fitted[-1].n_iter_.max() if name == "logistic" else None
                    note(unit, scaler, name, fitted.score(values[test], labels[test]), steps)
        everything = StandardScaler().fit(deep).transform(deep)
        leaked = KNeighborsClassifier(1).fit(everything[train], labels[train])
        note("as they are", "saw all images", "neighbours", leaked.score(everything[test], labels[test]))
        batch, scaler = test[labels[test] < 2], StandardScaler().fit(deep[train])
        model = KNeighborsClassifier(1).fit(scaler.transform(deep[train]), labels[train])
        for name, values in (("transform", scaler.transform(deep[batch])), ("fit_transform", None)):
            values = StandardScaler().fit_transform(deep[batch]) if values is None else values
            note("two classes in use", name, "neighbours", model.score(values, labels[batch]))
    return [row | {"processor": precision.processor()} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = pd.DataFrame(in_own_process(measure, arguments.seeds))
    if arguments.save:
        table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    means = table.groupby(["features", "scaler", "model"], sort=False)[["accuracy", "steps"]].mean()
    print(means.round(1).to_string())


if __name__ == "__main__":
    main()
