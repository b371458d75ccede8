"""How far filled-in values are from the truth, where gaps are made by hand in a table of what the textures measure.

`error`: a share of all values is taken away at random; the root mean square error of the filled-in numbers, in standard
deviations of their columns, and the share of filled-in words that are right. `bias`: the fifth of a column that is
largest is taken away, or as many values at random; by how much the mean of the filled column is off, in standard
deviations. `--save` writes a row for each number.

    python gaps.py [--seeds 5] [--save gaps.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse import data
from tlcourse.networks.precision import processor
from tlcourse.quality.image_faults import measure
from tlcourse.quality.missing_values import WAYS, fill_missing

SHARES = (0.05, 0.1, 0.2, 0.4)


def table_of_textures():
    "Seven columns of numbers and one of words, a row an image"
    surfaces = data.load("textures", appearance="photograph")
    measured = pd.DataFrame([measure(image) for image in surfaces.images])
    truth = measured[["darkest", "brightest", "blur", "structure", "colour"]].copy()
    truth["red"], truth["blue"] = surfaces.images[..., 0].mean(axis=(1, 2)), surfaces.images[..., 2].mean(axis=(1, 2))
    truth["photograph"] = surfaces.metadata["photograph"].astype("str")
    return truth


def errors(truth, share, how, seed):
    "The error of filled-in numbers, and the share of filled-in words that are right"
    gaps = np.random.default_rng(seed).random(truth.shape) < share
    gaps[gaps.all(axis=1), 0] = False  # never a whole row
    filled = fill_missing(truth.mask(gaps), how, seed=seed)
    numbers = [column for column in truth if column != "photograph"]
    gaps = pd.DataFrame(gaps, truth.index, truth.columns)
    wrong = ((filled[numbers] - truth[numbers]) / truth[numbers].std()).to_numpy()[gaps[numbers].to_numpy()]
    words = (filled["photograph"] == truth["photograph"])[gaps["photograph"]].mean()
    return np.sqrt(np.mean(wrong**2)), words


def bias(truth, column, how, gone):
    "By how much the mean of a column is off once it is filled, in standard deviations"
    filled = fill_missing(truth.assign(**{column: truth[column].mask(gone)}), how)[column]
    return (filled.mean() - truth[column].mean()) / truth[column].std()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    truth = table_of_textures()
    rows = []
    for seed in range(arguments.seeds):
        for share in SHARES:
            for how in WAYS:
                if how != "drop":
                    error, words = errors(truth, share, how, seed)
                    rows += [(seed, share, "", how, "error", error), (seed, share, "", how, "words right", words)]
    for column in truth.columns.drop("photograph"):
        largest = (truth[column] > truth[column].quantile(0.8)).to_numpy()
        at_random = np.random.default_rng(0).permutation(largest)
        for how in WAYS:
            rows.append((0, 0.2, column, how, "off, the largest gone", bias(truth, column, how, largest)))
            rows.append((0, 0.2, column, how, "off, gone at random", bias(truth, column, how, at_random)))
    table = pd.DataFrame(rows, columns=["seed", "share of gaps", "column", "how", "measurement", "value"])
    table["value"] = table["value"].map(lambda value: float(f"{value:.4g}"))
    table["processor"] = processor()
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    shown = table.assign(case=table["column"] + table["share of gaps"].astype(str))
    print(shown.pivot_table(index="case", columns=["measurement", "how"], values="value").round(2).T.to_string())


if __name__ == "__main__":
    main()
