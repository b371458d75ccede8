"""Gradual unfreezing against all stages at once: test accuracy for the same number of epochs.

VGG16 learns from a few images a class of the textures, with the same rates and the same triangle: one more stage in
each phase, or all stages after one epoch of the head. Each seed divides the images anew by place, and has a process of
its own. `--save` writes a row for each kind of training.

The table beside this script is not from a run of it as it stands: it was written from the output that lesson 7 kept
when it still did the same in a cell, means and half intervals of five seeds. A run takes about 15 CPU minutes.

    python gradual.py [--seeds 5] [--images-per-class 5] [--epochs 8] [--size 64] [--save gradual.csv]
"""

import argparse

import pandas as pd

from tlcourse.evidence import mean_interval, paired_difference
from tlcourse.measuring import in_own_process
from tlcourse.networks import precision


def train(seed, images_per_class, epochs, size):
    "The accuracy in percent of both orders on the test images of a seed"
    import keras

    from tlcourse import backbones, data, demo, evaluation, fine_tuning
    from tlcourse.fine_tuning import Phase

    splits = demo.few_images(data.load("textures"), images_per_class, seed)
    backbone = backbones.load_backbone("VGG16", "course", size)
    orders = {
        "all at once": [
            Phase("head", 1, 1e-2, schedule="triangle"),
            Phase("all", epochs - 1, 1e-3, backbone_lr_ratio=0.1, stage_decay=1 / 2.6, schedule="triangle"),
        ],
        "gradual": fine_tuning.gradual_unfreezing(list(backbone.cut_points), epochs),
    }
    rows = []
    for order, phases in orders.items():
        model = fine_tuning.build_classifier(backbone, splits.train.class_names, seed=seed)
        fine_tuning.fine_tune(model, splits, phases, seed=seed, progress=False)
        accuracy = 100 * evaluation.evaluate(model, splits.test).accuracy
        rows.append({"seed": seed, "order": order, "accuracy": round(accuracy, 2)})
        del model
        keras.backend.clear_session()
    return rows


def summary(table, by, first):
    "Means over seeds and differences from the first kind on the same seeds, with half of Student's intervals"
    wide = table.pivot(index="seed", columns=by, values="accuracy")
    rows = []
    for name in dict.fromkeys(table[by]):
        of_mean, of_difference = mean_interval(wide[name]), paired_difference(wide[name], wide[first])
        rows.append({by: name, "seeds": len(wide), "mean": round(of_mean.mean, 1), "half": round(of_mean.half, 1)})
        rows[-1] |= {
            "difference": round(of_difference.mean, 1),
            "half of difference": round(of_difference.half, 1),
        }
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(train, seed, arguments.images_per_class, arguments.epochs, arguments.size)
        print(rows[-2:], flush=True)
    table = summary(pd.DataFrame(rows), "order", "all at once").assign(processor=precision.processor())
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.to_string())


if __name__ == "__main__":
    main()
