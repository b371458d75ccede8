"""What the five best of forty trials keep of their lead with new seeds.

A random search of forty heads on VGG16's features of ten images a class of the textures; the accuracy is that on
validation images of other places. The five best train again with other first weights and another order of the images.
Each `division` divides the images anew by place, and decides what is tried. A row is a training: of the search, or
`again` with its seed. `--save` writes the rows.

    python luck.py [--divisions 5] [--trials 40] [--seeds 5] [--size 64] [--save luck.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

SPACE = {
    "learning_rate": (1e-3, 1e-1),
    "dropout": (0.0, 0.6),
    "batch_size": [8, 16, 32],
    "depth": {0: {}, 1: {"width": [32, 64]}},
}


def measure(division, trials, seeds, size):
    "A row for each training of a division"
    from tlcourse import backbones, data, demo, tuning
    from tlcourse.splitting import Splits

    few = demo.few_images(data.load("textures"), 10, division)
    # the part that scores is the large one: nothing is tested here
    splits = Splits(few.train, few.test, few.validation, few.how)
    backbone = backbones.load_backbone("VGG16", "course", size)
    study = tuning.search(
        splits, backbone, SPACE, "random", "none", trials, storage="memory", seed=division, progress=False
    )
    rows = [
        {"division": division, "trial": trial.number, "training": "search", "seed": division, "accuracy": trial.value}
        for trial in study.trials
    ]
    top, bench = tuning.trials_table(study).head(5).index, tuning.Workbench(splits, backbone)
    for seed in range(100, 100 + seeds):
        for number in top:
            accuracy = bench.measure(study.trials[number].user_attrs["settings"], seed)["accuracy"]
            rows.append({"division": division, "trial": number, "training": "again", "seed": seed})
            rows[-1]["accuracy"] = accuracy
    return [row | {"accuracy": float(f"{row['accuracy']:.4g}")} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--divisions", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for division in range(arguments.divisions):
        rows += in_own_process(measure, division, arguments.trials, arguments.seeds, arguments.size)
        print(f"division {division}: {len(rows)} rows", flush=True)
        table = pd.DataFrame(rows).assign(processor=precision.processor())
        if arguments.save:  # after each division: what was measured stays if the rest is stopped
            table.to_csv(arguments.save, index=False, lineterminator="\n")
    for division, found in table.groupby("division"):
        search, again = (
            found[found["training"] == name].groupby("trial")["accuracy"].mean() for name in ("search", "again")
        )
        print(
            f"division {division}: all {search.mean():.3f}, the five {search[again.index].mean():.3f}, "
            f"with new seeds {again.mean():.3f}"
        )


if __name__ == "__main__":
    main()
