"""The validation loss after each epoch at a high and at a low learning rate.

A head on VGG16's features of ten images a class of the textures, thirty epochs with Adam, validation images of other
places. Each seed divides the images anew by place, and decides the first weights too. `--save` writes a row for each
epoch.

    python slow_start.py [--seeds 5] [--rates 0.02 0.003] [--epochs 30] [--size 64] [--save slow_start.csv]
"""

import argparse

import pandas as pd

from tlcourse.evidence import paired_difference
from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

OVERLAP = 0.35 / 0.55  # validation images for each training image, before a few of these are drawn


def measure(seed, rates, epochs, size):
    "A row for each rate and epoch of a seed"
    from tlcourse import backbones, data, demo, tuning
    from tlcourse.search.head_training import HeadTrainer
    from tlcourse.splitting import Splits

    few = demo.few_images(data.load("textures"), 10, seed)
    # the part that scores is the large one: nothing is tested here
    splits = Splits(few.train, few.test, few.validation, few.how)
    bench = tuning.Workbench(splits, backbones.load_backbone("VGG16", "course", size))
    ((train, held_out),) = bench.features()
    trainer, rows = HeadTrainer(bench.num_features, len(bench.class_names)), []
    for rate in rates:
        losses = trainer.fit(train, held_out, tuning.complete({"learning_rate": rate}), epochs, seed)["val_loss"]
        rows += [
            {"seed": seed, "learning rate": rate, "epoch": epoch, "loss": float(f"{loss:.4g}")}
            for epoch, loss in enumerate(losses, 1)
        ]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs=2, default=[0.02, 0.003])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(measure, seed, arguments.rates, arguments.epochs, arguments.size)
    table = pd.DataFrame(rows).assign(processor=precision.processor())
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    for epoch in (3, arguments.epochs):
        wide = table[table["epoch"] == epoch].pivot(index="seed", columns="learning rate", values="loss")
        first, second = (wide[rate] for rate in arguments.rates)
        print(f"epoch {epoch}: the high rate's loss is higher by {paired_difference(first, second, overlap=OVERLAP)}")


if __name__ == "__main__":
    main()
