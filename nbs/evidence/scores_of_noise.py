"""What scores of transferability say about pure noise, beside the features of ResNet50.

The textures are dealt into five folds that share no place of a photograph, up to ten images a class; each has noise of
its own, of the same shape as its features, and is cut off at 0 as they are. One more score is LogME as a widely used
implementation has it, without the term for fewer images than features. `--save` writes a row for each score.

    python scores_of_noise.py [--save scores_of_noise.csv]
"""

import argparse
import os
import tempfile

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

import numpy as np
import pandas as pd

from tlcourse import backbones, data, features
from tlcourse.networks.precision import processor
from tlcourse.networks.transferability import SCORES, transferability

FOLDS, OF_A_CLASS = 5, 10


def folds(images):
    "Indices of each fold, class after class; images of one place stay together"
    rng, groups = np.random.default_rng(0), images.metadata["group"].reset_index(drop=True)
    found = [[] for _ in range(FOLDS)]
    for label in range(len(images.class_names)):
        of_class = groups[images.labels == label]
        dealt = [[] for _ in range(FOLDS)]
        for group in rng.permutation(of_class.unique()):
            min(dealt, key=len).extend(of_class.index[of_class == group])
        for fold, mine in zip(found, dealt, strict=True):
            fold += mine[:OF_A_CLASS]
    return found


def logme_without_a_term(features, labels):
    "LogME where the directions without features count as if they had any"
    squares, left = np.linalg.eigh(features @ features.T)
    squares, evidence, n = np.maximum(squares, 1e-10), [], len(labels)
    for one in np.unique(labels):
        along = (left.T @ (labels == one)) ** 2
        weights = noise = 1.0
        for _ in range(11):
            ratio = weights / noise
            size, wrong = (squares * along / (ratio + squares) ** 2).sum(), (along / (1 + squares / ratio) ** 2).sum()
            effective = (squares / (squares + ratio)).sum()
            weights, noise = effective / (size + 1e-5), (n - effective) / (wrong + 1e-5)
        evidence.append(
            features.shape[1] / 2 * np.log(weights)
            + n / 2 * np.log(noise / 2 / np.pi)
            - np.log(weights + noise * squares).sum() / 2
            - noise / 2 * wrong
            - weights / 2 * size
        )
    return np.mean(evidence) / n


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save")
    arguments = parser.parse_args()
    textures = data.load("textures")
    backbone = backbones.load_backbone("ResNet50", weights="course", image_size=64)
    rows = []
    for fold, indices in enumerate(folds(textures)):
        few = textures.subset(indices)
        deep = np.asarray(features.extract(backbone, few))
        noise = np.maximum(np.random.default_rng(fold).normal(size=deep.shape), 0)
        for of, every in (("ResNet50", deep), ("noise", noise)):
            rows.append((fold, "logme without a term", of, logme_without_a_term(every, few.labels)))
            rows += [(fold, method, of, transferability(every, few.labels, method)) for method in SCORES]
    table = pd.DataFrame(rows, columns=["fold", "score", "of", "value"]).assign(processor=processor())
    table["value"] = table["value"].map(lambda value: float(f"{value:.4g}"))
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.pivot_table(index="score", columns="of", values="value", aggfunc=["min", "max"]).round(3).to_string())


if __name__ == "__main__":
    main()
