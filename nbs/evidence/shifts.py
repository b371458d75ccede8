"""What augmented copies are worth where the test images look different: accuracy of a linear classifier on ResNet50.

All textures, divided by place: three quarters to learn from, one to test on, so that for each test image there are
three training images. The classifier learns from the images as they are, or with two copies each; it is tested on
untouched images and on three shifts. Copies and shifts are drawn once; a seed is a division. One row a division, way to
train and test.

    python shifts.py [--seeds 10] [--images-per-class 64] [--save shifts.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision

RECIPES = {  # of copies: the transforms and their strengths, as in the lesson
    "geometry": ["flip", "rotation", "zoom", "translation"],
    "weather": {"flip": None, "erasing": None, "brightness": 0.5, "contrast": 0.8},
}


def measure(seeds, images_per_class):
    "Accuracy in percent for each division, way to train and test"
    import numpy as np
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import GroupShuffleSplit

    from tlcourse import augmentation, backbones, data, features

    textures = data.load("textures").sample(images_per_class, seed=0)
    resnet = backbones.load_backbone("ResNet50", "course", 64)
    plain = np.asarray(features.extract(resnet, textures))
    copies = {"as they are": plain[:0][None]}
    for name, transforms in RECIPES.items():
        layer = augmentation.augmenter(transforms)
        copies[name] = np.asarray(features.extract(resnet, textures, views=2, augment=layer)).reshape(2, *plain.shape)
    tests = {"untouched": plain}
    for kind in augmentation.SHIFTS:
        tests[kind] = np.asarray(features.extract(resnet, augmentation.shift(textures, kind)))
    rows = []
    divisions = GroupShuffleSplit(seeds, test_size=0.25, random_state=0).split(plain, groups=textures.metadata["group"])
    for seed, (train, test) in enumerate(divisions):
        for name, views in copies.items():
            learned = np.concatenate([plain[train], *(view[train] for view in views if len(view))])
            labels = np.tile(textures.labels[train], len(learned) // len(train))
            model = RidgeClassifier(np.var(learned, axis=0).sum() / 2).fit(learned, labels)
            rows += [
                {"seed": seed, "trained on": name, "tested on": kind}
                | {"accuracy": round(100 * model.score(other[test], textures.labels[test]), 2)}
                for kind, other in tests.items()
            ]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--images-per-class", type=int, default=64)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = in_own_process(measure, arguments.seeds, arguments.images_per_class)
    table = pd.DataFrame(rows).assign(processor=precision.processor())
    print(table.pivot_table("accuracy", "trained on", "tested on").round(1))
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
