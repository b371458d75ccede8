"""What noise, and taking it out, does to images and to a network that has learned without noise.

For each seed the textures are divided anew by place. A linear head on the frozen ResNet50 learns from images without
noise; it then sees test images without noise, with it, and with it taken out by four filters and by an autoencoder that
has learned from the training images. A second head learns from images with noise and sees such images. `--save` writes
a row for each: how close the images are to those without noise, and the accuracy.

    python image_noise.py [--seeds 5] [--save image_noise.csv]
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

from tlcourse import backbones, data, features, splitting
from tlcourse.datasets.image_data import ImageData
from tlcourse.networks.precision import processor
from tlcourse.quality.noise import FILTERS, add_noise, build_denoiser, closeness, denoise, train_denoiser

DEVIATION, EPOCHS, TEST_IMAGES = 30, 8, 11  # grey levels; of the autoencoder; of a class


def all_seen(backbone, sets):
    "What the backbone says about each image of each set"
    images = np.concatenate(list(sets.values()))
    deep = np.asarray(features.extract(backbone, ImageData(images, np.zeros(len(images), int), ["any"])))
    return dict(zip(sets, np.split(deep, np.cumsum([len(one) for one in sets.values()])[:-1]), strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    textures = data.load("textures")
    backbone = backbones.load_backbone("ResNet50", weights="course", image_size=64)
    rows = []
    for seed in range(arguments.seeds):
        parts = splitting.split(textures, how="group", sizes=(0.5, 0.1, 0.4), seed=seed)
        train, test = parts.train, parts.test.sample(TEST_IMAGES, seed)
        noisy = add_noise(test.images, "gaussian", DEVIATION, seed=seed)
        autoencoder = build_denoiser(seed=seed)
        train_denoiser(autoencoder, train.images, "gaussian", DEVIATION, epochs=EPOCHS, seed=seed)
        versions = {"no noise": test.images, "noise": noisy}
        versions |= {how: denoise(noisy, how, DEVIATION) for how in FILTERS}
        cleaned = autoencoder.predict(noisy.astype("float32"), verbose=0)
        versions["autoencoder"] = cleaned.round().clip(0, 255).astype(np.uint8)
        shown = {"clean": train.images, "with noise": add_noise(train.images, "gaussian", DEVIATION, seed=100 + seed)}
        seen = all_seen(backbone, shown | versions)
        head, used_to_noise = (
            make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(seen[how], train.labels)
            for how in shown
        )
        overlap = len(test) / len(train)
        for name, images in versions.items():
            close = closeness(images, test.images) if name != "no noise" else {"psnr": np.nan, "ssim": 1.0}
            rows.append((seed, name, close["psnr"], close["ssim"], head.score(seen[name], test.labels), overlap))
        close, accuracy = closeness(noisy, test.images), used_to_noise.score(seen["noise"], test.labels)
        rows.append((seed, "learned with noise", close["psnr"], close["ssim"], accuracy, overlap))
        print(f"seed {seed}", flush=True)
    named = ["seed", "images", "psnr", "ssim", "accuracy", "test images for each training image"]
    table = pd.DataFrame(rows, columns=named)
    table[named[2:]] = table[named[2:]].map(lambda value: float(f"{value:.4g}"))
    table["processor"] = processor()
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.groupby("images", sort=False).mean(numeric_only=True).round(3).to_string())


if __name__ == "__main__":
    main()
