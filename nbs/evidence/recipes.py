"""Which recipe does best at equal CPU seconds: test accuracy of each with its 95 % interval over seeds.

How many epochs of a recipe cost so many CPU seconds, short runs of it tell first; a recipe has at least one epoch for
each of its phases. Each training is a process of its own with an empty cache: nothing is left over from the one before,
neither features nor memory. `--save` writes a row for each training; what the file has of other recipes and backbones
stays.

    python recipes.py [--seconds 20] [--seeds 5] [--images-per-class 10] [--size 64] [--save recipes.csv]
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

from tlcourse import backbones
from tlcourse.evidence import mean_interval
from tlcourse.fine_tuning import RECIPES
from tlcourse.measuring import epochs_for, in_own_process
from tlcourse.networks import precision


def train(name, recipe, epochs, seed, images_per_class, size):
    "CPU seconds of one training, and its accuracy in percent on the test images"
    from tlcourse import data, demo, evaluation, fine_tuning

    splits = demo.few_images(data.load("textures"), images_per_class, seed)
    backbone = backbones.load_backbone(name, "course", size)
    model = fine_tuning.build_classifier(backbone, splits.train.class_names, seed=seed)
    start = time.process_time()
    fine_tuning.fine_tune(model, splits, recipe=recipe, epochs=epochs, seed=seed)
    return time.process_time() - start, 100 * evaluation.evaluate(model, splits.test).accuracy


def epochs_at(seconds, name, recipe, where):
    "How many epochs of a recipe cost so many CPU seconds"
    fewest = len(RECIPES[recipe](list(backbones.find_spec(name).cut_points), 100))
    return epochs_for(seconds, lambda epochs: in_own_process(train, name, recipe, epochs, 99, *where)[0], fewest)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--backbones", nargs="+", default=["VGG16", "ResNet50"])
    parser.add_argument("--recipes", nargs="+", default=[name for name in RECIPES if name != "auto"])
    parser.add_argument("--save")
    arguments = parser.parse_args()
    where = arguments.images_per_class, arguments.size
    rows = []
    if arguments.save and Path(arguments.save).exists():
        with open(arguments.save, newline="") as file:
            again = {(name, recipe) for name in arguments.backbones for recipe in arguments.recipes}
            rows = [row for row in csv.DictReader(file) if (row["backbone"], row["recipe"]) not in again]
    print(f"processor {precision.processor()}; {arguments.seconds:.0f} CPU seconds a training", flush=True)
    for name in arguments.backbones:
        for recipe in arguments.recipes:
            epochs = epochs_at(arguments.seconds, name, recipe, where)
            runs = [in_own_process(train, name, recipe, epochs, seed, *where) for seed in range(arguments.seeds)]
            rows += [
                {"backbone": name, "recipe": recipe, "epochs": epochs, "seed": seed, "CPU seconds": round(spent, 1)}
                | {"accuracy": round(accuracy, 2), "processor": precision.processor()}
                for seed, (spent, accuracy) in enumerate(runs)
            ]
            spent, accuracy = zip(*runs, strict=True)
            interval = f" ± {mean_interval(accuracy).half:.1f}" if len(accuracy) > 1 else ""
            print(
                f"{name:9} {recipe:19} {statistics.mean(accuracy):5.1f}{interval} % "
                f"({epochs} epochs, {statistics.mean(spent):.0f} CPU seconds)",
                flush=True,
            )
            if arguments.save:  # after each recipe: what was measured stays if the rest is stopped
                with open(arguments.save, "w", newline="") as file:
                    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(rows)


if __name__ == "__main__":
    main()
