"""The validation accuracy of a head with a hidden layer, for 13 learning rates and 8 shares of dropout.

VGG16's features of ten images a class of the textures, five epochs with Adam, validation images of other places. Each
seed divides the images anew by place, and decides the first weights too. `--save` writes a row for each training.

    python surface.py [--seeds 5] [--size 64] [--save surface.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

RATES, DROPOUTS = np.geomspace(1e-4, 1, 13), np.linspace(0, 0.7, 8)


def measure(seed, size):
    "A row for each place on the surface of a seed"
    from tlcourse import backbones, data, demo, tuning
    from tlcourse.splitting import Splits

    few = demo.few_images(data.load("textures"), 10, seed)
    # the part that scores is the large one: nothing is tested here
    splits = Splits(few.train, few.test, few.validation, few.how)
    bench = tuning.Workbench(splits, backbones.load_backbone("VGG16", "course", size), epochs=5)
    rows = []
    for dropout in map(float, DROPOUTS):
        for rate in map(float, RATES):
            settings = {"learning_rate": rate, "dropout": dropout, "depth": 1, "width": 64}
            accuracy = bench.measure(settings, seed)["accuracy"]
            rows.append({"seed": seed, "learning rate": float(f"{rate:.4g}"), "dropout": round(dropout, 1)})
            rows[-1]["accuracy"] = float(f"{accuracy:.4g}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(measure, seed, arguments.size)
        print(f"seed {seed}: {len(rows)} rows", flush=True)
        table = pd.DataFrame(rows).assign(processor=precision.processor())
        if arguments.save:  # after each seed: what was measured stays if the rest is stopped
            table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.groupby(["learning rate"])["accuracy"].mean().round(3).to_dict())


if __name__ == "__main__":
    main()
