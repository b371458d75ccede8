"""What successive halving saves and what it kills: the same random trials to the end, and with that pruner.

Heads on VGG16's features of ten images a class of the textures, nine epochs, the validation loss on images of other
places. A row is a trial: its loss and place where all ran to the end, and after how many epochs the pruner ended it
(nine: it did not). Each seed divides the images anew by place, and decides what is tried. `--save` writes the rows.

    python pruning.py [--seeds 5] [--trials 45] [--epochs 9] [--size 64] [--save pruning.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

SPACE = {"learning_rate": (1e-5, 1e-1), "schedule": ["constant", "cosine"], "dropout": (0.0, 0.5)}


def measure(seed, trials, epochs, size):
    "A row for each trial of a seed"
    from tlcourse import backbones, data, demo, tuning
    from tlcourse.splitting import Splits

    few = demo.few_images(data.load("textures"), 10, seed)
    # the part that scores is the large one: nothing is tested here
    splits = Splits(few.train, few.test, few.validation, few.how)
    backbone = backbones.load_backbone("VGG16", "course", size)
    options = dict(sampler="random", n_trials=trials, storage="memory", seed=seed, score="loss", epochs=epochs)
    whole, pruned = (
        tuning.search(splits, backbone, SPACE, pruner=pruner, study="pruning", progress=False, **options)
        for pruner in ("none", "successive halving")
    )
    rows = []
    for one, other in zip(whole.trials, pruned.trials, strict=True):
        if one.params != other.params:
            raise RuntimeError("The two searches tried different settings.")
        ran = epochs if other.state.name == "COMPLETE" else max(other.intermediate_values)
        rows.append({"seed": seed, "trial": one.number, "learning rate": float(f"{one.params['learning_rate']:.4g}")})
        rows[-1] |= {"schedule": one.params["schedule"], "loss": float(f"{one.value:.4g}"), "epochs": epochs}
        rows[-1] |= {"epochs when pruned": ran, "state when pruned": other.state.name.lower()}
    places = pd.Series([trial.value for trial in whole.trials]).rank(method="first").astype(int)
    return [row | {"place": int(place)} for row, place in zip(rows, places, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=45)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(measure, seed, arguments.trials, arguments.epochs, arguments.size)
        print(f"seed {seed}: {len(rows)} rows", flush=True)
        table = pd.DataFrame(rows).assign(processor=precision.processor())
        if arguments.save:  # after each seed: what was measured stays if the rest is stopped
            table.to_csv(arguments.save, index=False, lineterminator="\n")
    saved = 100 * (1 - table.groupby("seed")["epochs when pruned"].sum() / table.groupby("seed")["epochs"].sum())
    print(f"epochs saved, percent: {saved.round(1).to_dict()}")
    print(table[table["place"] == 1].set_index("seed")["state when pruned"].to_dict())


if __name__ == "__main__":
    main()
