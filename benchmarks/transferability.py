"""LogME on features of a usual size against the algorithm that its paper gives, on the same linear algebra.

The paper's algorithm decomposes the features once and then repeats, for each class, a fixed-point iteration of two
precisions, at most eleven times. Ours finds the greatest evidence of all classes at once. Each is timed in turn on the
same features; the ratio of the medians is what counts. The second table lets the iteration run on until it stands.

    python benchmarks/transferability.py [--images 2000] [--features 2048] [--classes 10] [--turns 5]
"""

import argparse
import statistics
import time

import numpy as np

from tlcourse.networks.transferability import logme


def decomposed(features):
    "Left singular vectors and squared singular values by the product of the features with themselves"
    if features.shape[0] > features.shape[1]:
        right, squares, _ = np.linalg.svd(features.T @ features)
        kept = squares > 1e-10
        return features @ right[:, kept] / np.sqrt(squares[kept]), squares[kept]
    left, squares, _ = np.linalg.svd(features @ features.T)
    kept = squares > 1e-10
    return left[:, kept], squares[kept]


def by_iteration(features, labels, most=11, close=1e-3):
    "LogME by the fixed point of You et al. (2021), the determinant counted over the directions with features"
    n = len(labels)
    left, squares = decomposed(features)
    evidence = []
    for label in np.unique(labels):
        column = (labels == label).astype(float)
        along = (left.T @ column) ** 2
        rest = (column**2).sum() - along.sum()
        weights = noise = 1.0
        ratio = weights / noise
        for _ in range(most):
            effective = (squares / (squares + ratio)).sum()
            size = (squares * along / (ratio + squares) ** 2).sum()
            wrong = (along / (1 + squares / ratio) ** 2).sum() + rest
            weights, noise = effective / (size + 1e-5), (n - effective) / (wrong + 1e-5)
            before, ratio = ratio, weights / noise
            if abs(ratio - before) / before <= close:
                break
        size = (squares * along / (ratio + squares) ** 2).sum()
        wrong = (along / (1 + squares / ratio) ** 2).sum() + rest
        evidence.append(
            len(squares) / 2 * np.log(weights)
            + n / 2 * np.log(noise / (2 * np.pi))
            - np.log(weights + noise * squares).sum() / 2
            - noise / 2 * wrong
            - weights / 2 * size
        )
    return np.mean(evidence) / n


def seconds_of(function, *arguments):
    start = time.perf_counter()
    value = function(*arguments)
    return time.perf_counter() - start, value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    labels = np.arange(arguments.images) % arguments.classes
    centres = 0.1 * rng.normal(size=(arguments.classes, arguments.features))
    features = np.maximum(rng.normal(size=(arguments.images, arguments.features)) + centres[labels], 0)

    def to_the_end(features, labels):
        return by_iteration(features, labels, most=1000, close=1e-9)

    print(f"{arguments.images} images, {arguments.features} features, {arguments.classes} classes")
    for name, theirs in (("at most 11 iterations", by_iteration), ("iterations to the end", to_the_end)):
        taken = {theirs: [], logme: []}
        for _ in range(arguments.turns):
            for function, times in taken.items():
                second, value = seconds_of(function, features, labels)
                times.append(second)
                if function is theirs:
                    their_value = value
                else:
                    our_value = value
        their, our = (statistics.median(times) for times in taken.values())
        print(f"  {name}: {their:.2f} s, LogME {their_value:.6f}", end="; ")
        print(f"ours {our:.2f} s, {our_value:.6f}: {their / our:.2f} times as fast", flush=True)


if __name__ == "__main__":
    main()
