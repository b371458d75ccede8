"""What the course's weights are worth: a linear probe on them and on random ones, and fine-tuning against from scratch.

A probe is a logistic regression on frozen pooled features, standardised, of 40 training and 30 test images a class; how
strongly it is regularised is chosen by cross-validation within the training images. `--weights` compares files with the
bundled ones. The flowers are judged where TLCOURSE_DATA names a folder that has them. `--unseen` adds classes of the
source of pretraining for files that were not trained on them; the bundled weights were, and are left out there.

    python benchmarks/weights.py [--seeds 5] [--backbones VGG16] [--tasks flowers ...] [--weights ResNet50=FILE ...]
                                 [--unseen SOURCE WNID ...] [--save FILE]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tlcourse.evidence import mean_interval
from tlcourse.measuring import epochs_for, in_own_process

sys.path.append(str(Path(__file__).parents[1] / "tools"))

TRAIN, TEST = 40, 30  # images a class
TASKS = ("textures", "charts", "digits", "flowers")
UNSEEN = "unseen classes"


def images_of(task, unseen):
    "The images of a task"
    from tlcourse import data
    from tlcourse.datasets.image_data import ImageData

    if task != UNSEEN:
        return data.load(task)
    from pretraining.source import Source

    where, folder, *classes = unseen
    source = Source(where, folder)
    rows = np.flatnonzero(np.isin(source.labels, [source.classes.index(name) for name in classes]))
    _, labels = np.unique(source.labels[rows], return_inverse=True)
    return ImageData(np.asarray(source.pixels[rows]), labels, sorted(classes), name=task)


def divide(images, seed):
    "40 training and 30 test images a class, or as many as there are; by place where the set has places"
    from tlcourse.splitting import split

    how = "group" if "group" in images.metadata else "stratified"
    parts = split(images, how, sizes=(0.5, 0.1, 0.4), seed=seed)
    fewest = [np.bincount(part.labels).min() for part in (parts.train, parts.test)]
    return parts.train.sample(min(TRAIN, fewest[0]), seed), parts.test.sample(min(TEST, fewest[1]), seed)


def probes(name, weights, task, size, seeds, unseen):
    "Accuracy in percent of the probe for each seed"
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tlcourse import backbones, features

    backbone, found = backbones.load_backbone(name, weights, size), []
    images = images_of(task, unseen)
    for seed in range(seeds):
        if weights is None:
            backbone = backbones.load_backbone(name, None, size, seed)
        train, test = divide(images, seed)
        of_train, of_test = (features.extract(backbone, part) for part in (train, test))
        # rotated to as many directions as there are images: with an L2 penalty the same model, from fewer numbers
        probe = make_pipeline(StandardScaler(), PCA(), LogisticRegression(max_iter=2000))
        search = GridSearchCV(probe, {"logisticregression__C": [1e-4, 1e-3, 1e-2, 1e-1, 1]}, cv=3)
        search.fit(of_train, train.labels)
        found.append(100 * search.score(of_test, test.labels))
    return found


def fine_tuned(name, weights, seed, epochs=None):
    "CPU seconds and accuracy in percent with ten images a class of the flowers; from scratch where `epochs` are given"
    from tlcourse import backbones, data, demo, evaluation, fine_tuning

    splits = demo.few_images(data.load("flowers"), 10, seed)
    backbone = backbones.load_backbone(name, weights if epochs is None else None, 96, seed)
    model = fine_tuning.build_classifier(backbone, splits.train.class_names, seed=seed)
    phases = None if epochs is None else [fine_tuning.Phase("all", epochs, demo.SCRATCH_RATE, batch_norm="training")]
    start = time.process_time()
    options = {"recipe": "top_stage"} if phases is None else {"phases": phases}
    fine_tuning.fine_tune(model, splits, seed=seed, **options)
    return time.process_time() - start, 100 * evaluation.evaluate(model, splits.test).accuracy


def against_scratch(name, weights, seeds):
    "Fine-tuned and from scratch for each seed, in epochs that take no less, and the CPU seconds of both"
    tuned = [in_own_process(fine_tuned, name, weights, seed) for seed in range(seeds)]
    seconds = statistics.mean(spent for spent, _ in tuned)
    epochs = epochs_for(seconds, lambda number: in_own_process(fine_tuned, name, weights, 99, number)[0])
    scratch = [in_own_process(fine_tuned, name, weights, seed, epochs) for seed in range(seeds)]
    while statistics.mean(spent for spent, _ in scratch) < seconds:
        epochs += 1
        scratch = [in_own_process(fine_tuned, name, weights, seed, epochs) for seed in range(seeds)]
    return pd.DataFrame(
        [
            {"fine-tuned": accuracy, "from scratch": from_scratch, "seconds": spent, "scratch seconds": of_scratch}
            for (spent, accuracy), (of_scratch, from_scratch) in zip(tuned, scratch, strict=True)
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backbones", nargs="+", default=["ResNet50", "VGG16"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 96], help="of the probes, in pixels")
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=TASKS)
    parser.add_argument("--weights", nargs="*", default=[], metavar="BACKBONE=FILE")
    parser.add_argument("--unseen", nargs="+", default=[], metavar=("SOURCE", "WNID"))
    parser.add_argument("--without-scratch", action="store_true", help="leave out fine-tuning against from scratch")
    parser.add_argument("--save")
    arguments = parser.parse_args()
    tasks, folder = list(arguments.tasks), os.environ.get("TLCOURSE_DATA")
    if "flowers" in tasks and (folder is None or not (Path(folder) / "flowers").is_dir()):
        print("TLCOURSE_DATA names no folder with flowers: they are left out")
        tasks.remove("flowers")
    rows = []
    with tempfile.TemporaryDirectory() as pixels:
        unseen = [arguments.unseen[0], pixels, *arguments.unseen[1:]] if arguments.unseen else []
        tasks += [UNSEEN] if unseen else []
        files = dict(pair.split("=", 1) for pair in arguments.weights)
        for name in arguments.backbones:
            kinds = {"random": None, "course": "course"} | ({"file": files[name]} if name in files else {})
            for size in arguments.sizes:
                for task in tasks:
                    for kind, weights in kinds.items():
                        if task == UNSEEN and kind == "course":
                            continue
                        values = in_own_process(probes, name, weights, task, size, arguments.seeds, unseen)
                        rows += [
                            {
                                "backbone": name,
                                "size": size,
                                "task": task,
                                "weights": kind,
                                "seed": seed,
                                "accuracy": value,
                            }
                            for seed, value in enumerate(values)
                        ]
                        half = mean_interval(values).half
                        mean = statistics.mean(values)
                        print(f"{name:9} {size:3} {task:15} {kind:7} {mean:5.1f} ± {half:.1f} %", flush=True)
                        if arguments.save:
                            table = pd.DataFrame(rows)
                            table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
            if "flowers" in tasks and not arguments.without_scratch:
                table = against_scratch(name, files.get(name, "course"), arguments.seeds)
                gain = table["fine-tuned"] - table["from scratch"]
                half = mean_interval(gain).half
                share = table["scratch seconds"].sum() / table["seconds"].sum()
                print(table.round(1).to_string(index=False))
                print(
                    f"{name}: fine-tuning is {gain.mean():+.1f} ± {half:.1f} points from scratch, "
                    f"which had {share:.0%} of its CPU seconds",
                    flush=True,
                )


if __name__ == "__main__":
    main()
