"""How much of a network to unfreeze, with how many images: test accuracy for the same number of epochs.

VGG16 learns from a few images a class of the textures: two epochs of the head, and three more with nothing else, with
the top stage, or with everything. Each seed divides the images anew by place; each number of images has a process of
its own. `--save` writes a row for each kind of training.

The table beside this script is not from a run of it as it stands: it was written from the output that lesson 7 kept
when it still did the same in a cell: the means of three seeds, and the half intervals as its figure had them, to 0.1
points. A run takes about 30 CPU minutes.

    python depths.py [--seeds 5] [--counts 2 8 24] [--size 64] [--save depths.csv]
"""

import argparse

import pandas as pd

from tlcourse.evidence import mean_interval
from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

DEPTHS = ("head", "block5", "all")


def train(seed, count, size):
    "The accuracy in percent of each depth on the test images of a seed"
    import keras

    from tlcourse import backbones, data, demo, evaluation, fine_tuning
    from tlcourse.fine_tuning import Phase

    splits = demo.few_images(data.load("textures"), count, seed)
    backbone = backbones.load_backbone("VGG16", "course", size)
    rows = []
    for lowest in DEPTHS:
        model = fine_tuning.build_classifier(backbone, splits.train.class_names, seed=seed)
        phases = [Phase("head", 2, 1e-2), Phase(lowest, 3, 1e-2 if lowest == "head" else 1e-4)]
        fine_tuning.fine_tune(model, splits, phases, seed=seed, progress=False)
        accuracy = 100 * evaluation.evaluate(model, splits.test).accuracy
        rows.append({"seed": seed, "images a class": count, "lowest": lowest, "accuracy": round(accuracy, 2)})
        del model
        keras.backend.clear_session()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs="+", default=[2, 8, 24])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        for count in arguments.counts:
            rows += in_own_process(train, seed, count, arguments.size)
            print(rows[-len(DEPTHS) :], flush=True)
    groups = pd.DataFrame(rows).groupby(["images a class", "lowest"], sort=False)["accuracy"]
    table = groups.agg(seeds="size", mean="mean", half=lambda values: mean_interval(values).half).round(1).reset_index()
    table["processor"] = precision.processor()
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.to_string())


if __name__ == "__main__":
    main()
