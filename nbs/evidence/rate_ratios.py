"""Head and backbone at different rates: the validation loss of VGG16's head and top stage after three epochs.

Five images a class of the textures, from an untrained head on; three rates of the head, and a top stage that learns as
fast, at a tenth and at a hundredth of it. Each seed divides the images anew by place, and has a process of its own.
`--save` writes a row for each training.

    python rate_ratios.py [--seeds 5] [--images-per-class 5] [--epochs 3] [--size 64] [--save rate_ratios.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

RATES, RATIOS = (1e-4, 1e-3, 1e-2), (1.0, 0.1, 0.01)


def train(seed, images_per_class, epochs, size):
    "The validation loss for each rate and ratio of a seed"
    import keras

    from tlcourse import backbones, data, demo, fine_tuning

    splits = demo.few_images(data.load("textures"), images_per_class, seed)
    backbone = backbones.load_backbone("VGG16", "course", size)
    rows = []
    for rate in RATES:
        for ratio in RATIOS:
            model = fine_tuning.build_classifier(backbone, splits.train.class_names, seed=seed)
            phases = [fine_tuning.Phase("block5", epochs, rate, backbone_lr_ratio=ratio)]
            history = fine_tuning.fine_tune(model, splits, phases, seed=seed, restore_best=False, progress=False)
            loss = history.history["val_loss"][-1]
            rows.append({"seed": seed, "head rate": rate, "ratio": ratio, "loss": float(f"{loss:.4g}")})
            del model, history
            keras.backend.clear_session()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(train, seed, arguments.images_per_class, arguments.epochs, arguments.size)
        table = pd.DataFrame(rows).assign(processor=precision.processor())
        if arguments.save:  # after each seed: what was measured stays if the rest is stopped
            table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.groupby(["ratio", "head rate"], sort=False)["loss"].mean().unstack().round(3))


if __name__ == "__main__":
    main()
