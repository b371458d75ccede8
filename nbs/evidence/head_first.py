"""The head first or everything from the start, tested on the images as they are and as a worse camera sees them.

ResNet50 learns from ten images a class of the textures in ten epochs at the same rates: everything from the start, the
head alone, or half of the epochs for the head and half for everything (LP-FT, Kumar et al., 2022). The worse camera is
out of focus by 0.6 pixels, with noise of 5 grey levels. Each seed divides the images anew by place, and has a process
of its own. `--save` writes a row for each kind of training and
camera.

The table beside this script is not from a run of it as it stands: it was written from the output that lesson 7 kept
when it still did the same in a cell, means and half intervals of five seeds. A run takes about 15 CPU minutes.

    python head_first.py [--seeds 5] [--images-per-class 10] [--epochs 10] [--size 64] [--save head_first.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.evidence import mean_interval, paired_difference
from tlcourse.measuring import in_own_process
from tlcourse.networks import precision


def worse_camera(images):
    "The same images out of focus by 0.6 pixels, with noise of 5 grey levels"
    from scipy import ndimage

    from tlcourse import data

    soft = ndimage.gaussian_filter(images.images.astype(np.float32), (0, 0.6, 0.6, 0))
    pixels = soft + np.random.default_rng(0).normal(0, 5, soft.shape)
    return data.ImageData(pixels.round().clip(0, 255).astype(np.uint8), images.labels, images.class_names)


def train(seed, images_per_class, epochs, size):
    "The accuracy in percent of each way on both kinds of test images of a seed"
    import keras

    from tlcourse import backbones, data, demo, evaluation, fine_tuning
    from tlcourse.fine_tuning import Phase
    from tlcourse.splitting import Splits

    splits = demo.few_images(data.load("textures"), images_per_class, seed)
    # the last weights are kept, so that nothing is chosen by the validation part: few images of it save time
    splits = Splits(splits.train, splits.validation.sample(1, seed), splits.test, splits.how)
    backbone = backbones.load_backbone("ResNet50", "course", size)
    everything = {"learning_rate": 1e-2, "backbone_lr_ratio": 0.01}
    ways = {
        "everything from the start": [Phase("all", epochs, **everything)],
        "head alone": [Phase("head", epochs, 1e-2)],
        "LP-FT": [Phase("head", epochs // 2, 1e-2), Phase("all", epochs - epochs // 2, **everything)],
    }
    tests = {"the same camera": splits.test, "a worse camera": worse_camera(splits.test)}
    rows = []
    for way, phases in ways.items():
        model = fine_tuning.build_classifier(backbone, splits.train.class_names, seed=seed)
        fine_tuning.fine_tune(model, splits, phases, seed=seed, restore_best=False, progress=False)
        for camera, test in tests.items():
            accuracy = 100 * evaluation.evaluate(model, test).accuracy
            rows.append({"seed": seed, "way": way, "camera": camera, "accuracy": round(accuracy, 2)})
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
    parser.add_argument("--images-per-class", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(train, seed, arguments.images_per_class, arguments.epochs, arguments.size)
        print(rows[-6:], flush=True)
    parts = pd.DataFrame(rows).groupby("camera", sort=False)
    table = pd.concat(
        [summary(part, "way", "everything from the start").assign(camera=camera) for camera, part in parts]
    ).assign(processor=precision.processor())
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.to_string())


if __name__ == "__main__":
    main()
