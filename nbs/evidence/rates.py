"""What a head on cached features reaches at each learning rate, for layers, batch sizes and optimizers.

VGG16's features of ten images a class of the textures; the loss and the accuracy are those of validation images of
other places, at the epoch of the lowest loss. Three experiments: `rate` (Adam, without and with a hidden layer, ten and
forty epochs), `batch` (SGD, three batch sizes, no dropout, five epochs) and `optimizer` (five optimizers, ten epochs).
Each seed divides the images anew by place, and decides the first weights too. `--save` writes a row for each training.

    python rates.py [--seeds 5] [--size 64] [--save rates.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision


def settings_of():
    "Experiment, epochs and settings of each training of a seed"
    from tlcourse.training.optimizers import OPTIMIZERS

    for epochs in (10, 40):
        for depth in (0, 1):
            for power in range(-5, 2):
                yield "rate", epochs, {"learning_rate": 10.0**power, "depth": depth, "width": 64}
    for batch_size in (4, 16, 64):
        for rate in np.geomspace(1e-4, 1, 13):
            yield (
                "batch",
                5,
                {"optimizer": "sgd", "batch_size": batch_size, "learning_rate": float(rate), "dropout": 0.0},
            )
    for optimizer in OPTIMIZERS:
        for rate in np.geomspace(1e-5, 1, 11):
            yield "optimizer", 10, {"optimizer": optimizer, "learning_rate": float(rate)}


def measure(seed, size):
    "A row for each training of a seed"
    from tlcourse import backbones, data, demo, tuning
    from tlcourse.splitting import Splits

    few = demo.few_images(data.load("textures"), 10, seed)
    # the part that scores is the large one: nothing is tested here
    splits = Splits(few.train, few.test, few.validation, few.how)
    bench = tuning.Workbench(splits, backbones.load_backbone("VGG16", "course", size))
    rows = []
    for experiment, epochs, settings in settings_of():
        try:
            found = bench.measure(settings, seed, epochs)
        except tuning.TrialFailed:  # the loss was no number
            found = {"loss": np.nan, "accuracy": np.nan}
        full = tuning.complete(settings)
        rows.append(
            {"seed": seed, "experiment": experiment, "optimizer": full["optimizer"], "batch size": full["batch_size"]}
            | {"hidden layers": full["depth"], "epochs": epochs, "learning rate": float(f"{full['learning_rate']:.4g}")}
            | {name: float(f"{found[name]:.4g}") for name in ("loss", "accuracy")}
        )
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
    best = table.loc[
        table.groupby(["experiment", "optimizer", "batch size", "hidden layers", "epochs", "seed"])["loss"].idxmin()
    ]
    by = ["experiment", "optimizer", "batch size", "hidden layers", "epochs"]
    print(best.groupby(by)[["learning rate", "loss", "accuracy"]].mean().round(4).to_string())


if __name__ == "__main__":
    main()
