"""L2-SP: how far the weights go, and what a pull to where they started is worth, with two images a class.

All layers of ResNet50 learn from two images a class of the textures for twenty epochs, with no pull, a weak one and a
strong one. `distance` is the length of the difference of the backbone's weights from where they started. Each seed
divides the images anew by place, and has a process of its own. `--save` writes a row for each kind of training.

The table beside this script is not from a run of it as it stands: it was written from the output that lesson 7 kept
when it still did the same in a cell, means and half intervals of five seeds. A run takes about 15 CPU minutes.

    python pull.py [--seeds 5] [--images-per-class 2] [--epochs 20] [--size 64] [--save pull.csv]
"""

import argparse

import numpy as np
import pandas as pd

from tlcourse.evidence import mean_interval, paired_difference
from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

PULLS = {"no pull": 0.0, "weak pull": 0.1, "strong pull": 10.0}


def train(seed, images_per_class, epochs, size):
    "The accuracy in percent on the test images of a seed and the distance of the weights, for each pull"
    import keras

    from tlcourse import backbones, data, demo, evaluation, fine_tuning
    from tlcourse.splitting import Splits

    splits = demo.few_images(data.load("textures"), images_per_class, seed)
    # the last weights are kept, so that nothing is chosen by the validation part: few images of it save time
    splits = Splits(splits.train, splits.validation.sample(1, seed), splits.test, splits.how)
    backbone = backbones.load_backbone("ResNet50", "course", size)
    rows = []
    for name, pull in PULLS.items():
        model = fine_tuning.build_classifier(backbone, splits.train.class_names, seed=seed)
        body = [weight for weight in model.weights if not weight.path.startswith("head")]
        start = [weight.numpy() for weight in body]
        phases = [fine_tuning.Phase("all", epochs, 3e-4, l2_sp=pull)]
        fine_tuning.fine_tune(model, splits, phases, seed=seed, restore_best=False, progress=False)
        distance = np.sqrt(sum(np.square(weight.numpy() - old).sum() for weight, old in zip(body, start, strict=True)))
        accuracy = 100 * evaluation.evaluate(model, splits.test).accuracy
        rows.append({"seed": seed, "pull": name, "distance": float(f"{distance:.4g}"), "accuracy": round(accuracy, 2)})
        del model, body
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
    parser.add_argument("--images-per-class", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(train, seed, arguments.images_per_class, arguments.epochs, arguments.size)
        print(rows[-len(PULLS) :], flush=True)
    found = pd.DataFrame(rows)
    distances = found.groupby("pull", sort=False)["distance"].mean().round(2).to_numpy()
    table = summary(found, "pull", "no pull").assign(distance=distances, processor=precision.processor())
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.to_string())


if __name__ == "__main__":
    main()
