"""How far one small test set can be off: the spread of its score, for images drawn one by one and place by place.

The places of the textures are divided in two halves. A 1-nearest-neighbour model on features of ResNet50 learns from
fifty patches of one half; test sets are drawn from the other half, with replacement: patch by patch, place by place, or
patch by patch with another fifty training patches each time. `--save` writes a row for each seed, way of drawing and
size, with the standard deviation of the score over the test sets and the one of the binomial distribution, in points.

    python test_sets.py [--seeds 20] [--draws 500] [--save test_sets.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process

SIZES = (20, 50, 100, 200)


def place_by_place(pool, places, size, rng):
    "As many rows as asked for, drawn a whole place after the other"
    known, rows = np.unique(places[pool]), []
    while len(rows) < size:
        rows.extend(rng.permutation(pool[places[pool] == rng.choice(known)]))
    return np.array(rows[:size])


def measure(seeds, draws):
    "The rows of all seeds"
    from sklearn.metrics import pairwise_distances

    from tlcourse import backbones, data, features
    from tlcourse.networks import precision

    textures = data.load("textures")
    places = textures.metadata["group"].astype("category").cat.codes.to_numpy()
    backbone = backbones.load_backbone("ResNet50", "course", 64)
    apart = pairwise_distances(features.extract(backbone, textures, "conv2").mean(axis=(1, 2)))

    def is_right(train, test):
        return textures.labels[train[apart[np.ix_(test, train)].argmin(axis=1)]] == textures.labels[test]

    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        learned_from = np.isin(places, rng.permutation(places.max() + 1)[: places.max() // 2 + 1])
        half, pool = np.flatnonzero(learned_from), np.flatnonzero(~learned_from)
        train = rng.choice(half, 50, replace=False)
        right = np.zeros(len(textures), bool)
        right[pool] = is_right(train, pool)
        share = right[pool].mean()
        for size in SIZES:
            scores = {
                "patches": [right[rng.choice(pool, size)].mean() for _ in range(draws)],
                "places": [right[place_by_place(pool, places, size, rng)].mean() for _ in range(draws)],
                "patches, a new model each time": [
                    is_right(rng.choice(half, 50, replace=False), rng.choice(pool, size)).mean() for _ in range(draws)
                ],
            }
            for drawn, values in scores.items():
                rows.append(
                    {
                        "seed": seed,
                        "drawn": drawn,
                        "images": size,
                        "accuracy": 100 * share,
                        "spread": 100 * np.std(values),
                        "binomial": 100 * np.sqrt(share * (1 - share) / size),
                        "processor": precision.processor(),
                    }
                )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = pd.DataFrame(in_own_process(measure, arguments.seeds, arguments.draws))
    if arguments.save:
        table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    print(table.groupby(["drawn", "images"])[["spread", "binomial"]].mean().round(1).to_string())


if __name__ == "__main__":
    main()
