"""What photographs teach about sounds, and what augmented sounds are worth: accuracy on spectrograms, over five seeds.

A seed makes new sounds of all instruments. **Copies**: a linear classifier on VGG16's features learns from half of the
sounds, as they are or with two copies each (waves: all transforms of sounds; masks: both masks of SpecAugment), and is
tested on the other half, as it is, 20 decibels softer, and at another speed. **Starts**: eight sounds of each
instrument to learn from; a linear classifier on pixels, on VGG16 with random weights and with those from photographs;
a new head on the latter, the same and then the top stage; and VGG16 trained from scratch. Values of linear classifiers
are means of four divisions. One row a seed, way to train and test.

    python sounds.py [--seeds 5] [--sounds-per-class 16] [--epochs 5] [--save sounds.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision


def accuracy(learned, labels, views, tests, divisions):
    "Mean accuracy in percent on each test of a linear classifier that learned from images and their copies"
    import numpy as np
    from sklearn.linear_model import RidgeClassifier

    found = {name: [] for name in tests}
    for train, test in divisions:
        features = np.concatenate([learned[train], *(view[train] for view in views)])
        model = RidgeClassifier(np.var(features, axis=0).sum() / 2)
        model.fit(features, np.tile(labels[train], 1 + len(views)))
        for name, other in tests.items():
            found[name].append(100 * model.score(other[test], labels[test]))
    return {name: float(np.mean(values)) for name, values in found.items()}


def measure(seed, sounds_per_class, epochs):
    "The rows of one seed"
    import numpy as np
    from sklearn.model_selection import StratifiedShuffleSplit

    from tlcourse import augmentation, backbones, evaluation, features, fine_tuning
    from tlcourse.datasets import tones
    from tlcourse.splitting import Splits

    sounds = tones.make_tones(sounds_per_class, seed=seed)
    labels, pictures = sounds.labels, tones.spectrograms(sounds)

    def described(backbone, images, **how):
        return np.asarray(features.extract(backbone, images, **how))

    def heard(transforms, **how):
        return described(vgg, tones.spectrograms(augmentation.augment_sounds(sounds, transforms, **how)))

    vgg = backbones.load_backbone("VGG16", "course", 64)
    plain = described(vgg, pictures)
    far = tones.Sounds(sounds.waves / 10, labels, sounds.class_names, sounds.metadata)
    tests = {
        "untouched": plain,
        "far away": described(vgg, tones.spectrograms(far)),
        "other speed": heard({"speed": 0.4}, seed=9),
    }
    layer = augmentation.augmenter(["time mask", "frequency mask"])
    copies = {
        "as they are": [],
        "waves": [heard(list(augmentation.SOUND_TRANSFORMS), view=view) for view in range(2)],
        "masks": described(vgg, pictures, views=2, augment=layer).reshape(2, *plain.shape),
    }
    half = len(sounds) // 2
    divisions = list(StratifiedShuffleSplit(4, train_size=half, random_state=seed).split(plain, labels))
    rows = [
        {"experiment": "copies", "trained on": name, "tested on": test, "accuracy": value}
        for name, views in copies.items()
        for test, value in accuracy(plain, labels, views, tests, divisions).items()
    ]
    random_vgg = backbones.load_backbone("VGG16", None, 64, seed)
    grey = pictures.images.mean(axis=-1)
    grey = grey.reshape(len(grey), 16, 4, 16, 4).mean(axis=(2, 4)).reshape(len(grey), -1)
    starts = {"pixels": grey, "random": described(random_vgg, pictures), "pictures": plain}
    starts = {name: accuracy(one, labels, [], {name: one}, divisions)[name] for name, one in starts.items()}
    head, top = fine_tuning.Phase("head", 40, 1e-2), fine_tuning.Phase("block5", 5, 1e-4)
    for name, weights, phases in (
        ("head", "course", [head]),
        ("tuned", "course", [head, top]),
        ("scratch", None, [fine_tuning.Phase("all", epochs, 1e-4)]),
    ):
        train, test = divisions[0]
        backbone = backbones.load_backbone("VGG16", weights, 64, seed)
        model = fine_tuning.build_classifier(backbone, sounds.class_names, seed=seed)
        # for validation, at which nothing is chosen: the last weights are kept
        parts = Splits(pictures.subset(train), pictures.subset(test[:8]), pictures.subset(test))
        fine_tuning.fine_tune(model, parts, phases, seed=seed, restore_best=False, progress=False)
        starts[name] = 100 * evaluation.evaluate(model, parts.test).accuracy
    rows += [
        {"experiment": "starts", "trained on": name, "tested on": "untouched", "accuracy": value}
        for name, value in starts.items()
    ]
    return [{"seed": seed} | row | {"accuracy": round(row["accuracy"], 2)} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sounds-per-class", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=5, help="of training from scratch")
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        rows += in_own_process(measure, seed, arguments.sounds_per_class, arguments.epochs)
        table = pd.DataFrame(rows).assign(processor=precision.processor())
        print(table.pivot_table("accuracy", ["experiment", "trained on"], "tested on").round(1), flush=True)
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
