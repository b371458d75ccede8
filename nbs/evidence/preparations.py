"""What it costs a frozen backbone to get pixels that were prepared in another way than it was promised.

Textures (grey, with equal histograms), the photographs that they come from (some in colour) and charts (in colours that
say nothing of the kind). A linear head learns from ten images a class; the mistake is made throughout, in training and
in use, or in use only. For textures and photographs, the places of the training and the test part are apart. `--save`
writes a row for each data set, backbone, preparation, place of the mistake and seed.

    python preparations.py [--seeds 10] [--save preparations.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process

SIZES = (0.6, 0.1, 0.3)
SETS = {
    "textures": ("textures", {}),
    "photographs": ("textures", {"appearance": "photograph"}),
    "charts": ("charts", {"per_class": 40, "image_size": 64}),
}


def measure(name, network, seeds):
    "The rows of one data set and backbone"
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tlcourse import backbones, data, scaling, splitting
    from tlcourse.networks import precision

    source, options = SETS[name]
    images = data.load(source, **options)
    images.metadata["row"] = range(len(images))
    backbone = backbones.load_backbone(network, "course", 64)
    ways = [way for way in scaling.PREPARATIONS if way != "channels swapped"]
    ways = ways if name == "textures" else ["as promised", "channels swapped"]
    prepared = {way: np.asarray(scaling.extract_as(backbone, images, way)) for way in ways}
    rows = []
    for seed in range(seeds):
        parts = splitting.split(images, "stratified" if name == "charts" else "group", SIZES, seed=seed)
        train = parts.train.sample(10, seed).metadata["row"].to_numpy()
        test = parts.test.metadata["row"].to_numpy()
        heads = {
            way: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(
                values[train], images.labels[train]
            )
            for way, values in prepared.items()
        }
        for way, values in prepared.items():
            for where, head in (("throughout", heads[way]), ("only in use", heads["as promised"])):
                rows.append(
                    {
                        "data": name,
                        "network": network,
                        "prepared": way,
                        "where": where,
                        "seed": seed,
                        "accuracy": 100 * head.score(values[test], images.labels[test]),
                        "processor": precision.processor(),
                    }
                )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for name in SETS:
        for network in ("ResNet50", "VGG16"):
            rows += in_own_process(measure, name, network, arguments.seeds)
            table = pd.DataFrame(rows)
            if arguments.save:  # what was measured stays if the rest is stopped
                table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    means = table.groupby(["data", "prepared", "where", "network"], sort=False)["accuracy"].mean().unstack()
    print(means.round(1).to_string())


if __name__ == "__main__":
    main()
