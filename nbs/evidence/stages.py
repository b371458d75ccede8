"""A linear probe behind each stage of ResNet50, with the course's weights and with random ones, on three tasks.

Each task is dealt into five folds that share no image, up to twelve a class; in the textures they share no place of a
photograph either. The probe is `transferability(..., "linear_probe")` on the mean of each channel, at 64 pixels; each
fold has random weights of its own. `--save` writes a row for each probe.

    python stages.py [--save stages.csv]
"""

import argparse
import os
import tempfile

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

import numpy as np
import pandas as pd

from tlcourse import backbones, data
from tlcourse.networks.precision import processor
from tlcourse.networks.transferability import transferability

TASKS = ("textures", "digits", "charts")
FOLDS, OF_A_CLASS = 5, 12


def folds(images, seed=0):
    "Indices of each fold, class after class; images of one group stay together"
    rng = np.random.default_rng(seed)
    groups = images.metadata["group"] if "group" in images.metadata else pd.Series(np.arange(len(images)))
    groups = groups.reset_index(drop=True)
    found = [[] for _ in range(FOLDS)]
    for label in range(len(images.class_names)):
        of_class = groups[images.labels == label]
        dealt = [[] for _ in range(FOLDS)]
        for group in rng.permutation(of_class.unique()):
            min(dealt, key=len).extend(of_class.index[of_class == group])
        for fold, mine in zip(found, dealt, strict=True):
            fold += mine[:OF_A_CLASS]
    return found


def behind_each_stage(weights, seed, images):
    "Stage: the mean of each channel for every image"
    import keras
    import tensorflow as tf

    backbone = backbones.load_backbone("ResNet50", weights, 64, seed)
    pooled = {
        stage: keras.layers.GlobalAveragePooling2D()(backbone.model.get_layer(layer).output)
        for stage, layer in backbone.cut_points.items()
    }
    run = tf.function(keras.Model(backbone.model.input, pooled))
    found = [run(backbone.preprocess(pixels), training=False) for pixels, _ in images.to_dataset(64, 60)]
    return {stage: np.concatenate([one[stage].numpy() for one in found]) for stage in pooled}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for task in TASKS:
        everything = data.load(task)
        of_fold = folds(everything)
        dealt = everything.subset(np.concatenate(of_fold))
        learned = behind_each_stage("course", 0, dealt)
        for fold in range(FOLDS):
            begin = sum(len(one) for one in of_fold[:fold])
            mine = slice(begin, begin + len(of_fold[fold]))
            few = everything.subset(of_fold[fold])
            maps = {
                "pretrained": {stage: every[mine] for stage, every in learned.items()},
                "random": behind_each_stage(None, fold, few),
            }
            for weights, by_stage in maps.items():
                for stage, pooled in by_stage.items():
                    accuracy = transferability(pooled, few.labels, "linear_probe")
                    rows.append((fold, task, weights, stage, float(f"{accuracy:.4g}")))
    table = pd.DataFrame(rows, columns=["fold", "task", "weights", "stage", "accuracy"]).assign(processor=processor())
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.pivot_table(index="stage", columns=["task", "weights"], values="accuracy").round(3).to_string())


if __name__ == "__main__":
    main()
