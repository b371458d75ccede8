"""A linear classifier on frozen features of the textures: backbone, image size and number of training images.

For each seed the places of the photographs are divided anew (`demo.few_images`), so no place is in the training and in
the test part; the seeds share images. Features are those of the course's weights. `--save` writes a row for each
training.

    python resolution.py [--seeds 5] [--save resolution.csv]
"""

import argparse
import os
import tempfile

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlcourse import backbones, data, demo, features
from tlcourse.networks.precision import processor


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    patches = data.load("textures")
    patches.metadata["row"] = np.arange(len(patches))
    rows = []
    for name in ("VGG16", "ResNet50"):
        for size in (32, 64, 96):
            backbone = backbones.load_backbone(name, weights="course", image_size=size)
            deep = np.asarray(features.extract(backbone, patches))
            for images in (2, 5, 10, 20):
                for seed in range(arguments.seeds):
                    parts = demo.few_images(patches, images, seed)
                    train, test = (part.metadata["row"].to_numpy() for part in (parts.train, parts.test))
                    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
                    accuracy = model.fit(deep[train], patches.labels[train]).score(deep[test], patches.labels[test])
                    rows.append((name, size, images, seed, float(f"{accuracy:.4g}")))
    table = pd.DataFrame(rows, columns=["backbone", "image_size", "images a class", "seed", "accuracy"])
    table["processor"] = processor()
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    means = table.pivot_table(index=["backbone", "image_size"], columns="images a class", values="accuracy")
    print(means.round(3).to_string())


if __name__ == "__main__":
    main()
