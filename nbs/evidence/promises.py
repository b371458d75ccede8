"""What the best of many trials promises on thirty validation images, and what it keeps on the others.

A hundred heads on VGG16's features of ten images a class of the textures train five epochs and answer all validation
images, which are of other places. Thirty of these, drawn at random, choose the best of 1 to 100 trials, and the rest
say what it is worth; a row is the mean of 500 such draws. Each seed divides the images anew by place, and decides what
is tried. `--save` writes the rows.

    python promises.py [--seeds 5] [--trials 100] [--size 64] [--save promises.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.evidence import mean_interval
from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

OVERLAP = 0.35 / 0.55  # validation images for each training image, before a few of these are drawn
FEW = 30  # images that choose


def measure(seed, trials, size):
    "A row for each number of trials of a seed"
    from tlcourse import backbones, data, demo, tuning
    from tlcourse.search.head_training import HeadTrainer
    from tlcourse.splitting import Splits

    few = demo.few_images(data.load("textures"), 10, seed)
    # the part that scores is the large one: nothing is tested here
    splits = Splits(few.train, few.test, few.validation, few.how)
    bench = tuning.Workbench(splits, backbones.load_backbone("VGG16", "course", size))
    ((train, (features, labels)),) = bench.features()
    trainer = HeadTrainer(bench.num_features, len(bench.class_names))
    rng, answers = np.random.default_rng(seed), []
    for _ in range(trials):
        settings = {
            "learning_rate": 10 ** rng.uniform(-3, -1.5),
            "dropout": rng.uniform(0, 0.6),
            "batch_size": int(rng.choice([8, 16, 32])),
            "depth": int(rng.integers(2)),
            "width": 64,
        }
        trainer.fit(train, (features, labels), tuning.complete(settings), 5)
        *hidden, kernel, bias = trainer.weights
        layer = np.maximum(features @ hidden[0] + hidden[1], 0) if hidden else features
        answers.append((layer @ kernel + bias).argmax(axis=1) == labels)
    answers, rows = np.stack(answers), []
    for count in (1, 3, 10, 30, trials):
        promised, kept = [], []
        for _ in range(500):
            chosen = rng.permutation(answers.shape[1]) < FEW
            some = answers[rng.choice(trials, count, replace=False)]
            best = some[:, chosen].mean(axis=1).argmax()
            promised.append(some[best, chosen].mean())
            kept.append(some[best, ~chosen].mean())
        rows.append({"seed": seed, "trials": count, "promised": float(f"{np.mean(promised):.4g}")})
        rows[-1]["kept"] = float(f"{np.mean(kept):.4g}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(measure, seed, arguments.trials, arguments.size)
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(processor=precision.processor())
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    for count, found in table.groupby("trials"):
        too_much = 100 * mean_interval(found["promised"] - found["kept"], overlap=OVERLAP)
        print(f"the best of {count} promises {too_much} points too much")


if __name__ == "__main__":
    main()
