"""The instant head: seconds from a slider to the new picture, for 500 training images.

    python benchmarks/instant_head.py [repeats]

Median and highest of each kind of change, on features of ResNet50 (2,048 columns) of the textures; one process, as in a
notebook. The goal is a median under a second on two cores.
"""

import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from tlcourse import backbones, data, features
from tlcourse.labs.instant_head import LEFT_OUT, HeadBench, HeadSettings
from tlcourse.labs.widgets import InstantHead

IMAGES = 500


def main(repeats=9):
    images = data.load("textures")
    order = np.random.default_rng(0).permutation(len(images))
    train, tried = images.subset(np.sort(order[:IMAGES])), images.subset(np.sort(order[IMAGES:]))
    backbone = backbones.load_backbone("ResNet50", weights="course", image_size=64)
    rows = [features.extract(backbone, part) for part in (train, tried)]
    start = time.perf_counter()
    bench = HeadBench(*rows, train, tried)
    print(
        f"{len(train)} training and {len(tried)} validation images, {rows[0].shape[1]} features; the bench itself: "
        f"{time.perf_counter() - start:.2f} s, once"
    )
    head = InstantHead(bench)
    head.wait()
    all_of_them = HeadSettings(per_class=IMAGES)
    names = train.class_names
    changes = {
        "regularisation": lambda number: replace(all_of_them, regularisation=10.0 ** (number % 9 - 3)),
        "images a class": lambda number: replace(all_of_them, per_class=50 - number),
        "class weight": lambda number: replace(all_of_them, weighted=names[number % len(names)], weight=10.0),
        "another label": lambda number: replace(all_of_them, labels={number: (train.labels[number] + 1) % len(names)}),
        "left out": lambda number: replace(all_of_them, labels={number: LEFT_OUT}),
    }
    medians = []
    clocks = {"wall": time.perf_counter, "processor": time.process_time}
    for name, change in changes.items():
        seconds = {clock: [] for clock in clocks}
        for number in range(repeats):
            before = {clock: read() for clock, read in clocks.items()}
            head.redraw(change(number))
            for clock, read in clocks.items():
                seconds[clock].append(read() - before[clock])
        medians.append(statistics.median(seconds["wall"]))
        print(
            f"{name:15} median {medians[-1]:.2f} s, highest {max(seconds['wall']):.2f} s of {repeats}; "
            f"median of processor time {statistics.median(seconds['processor']):.2f} s"
        )
    print(f"highest median: {max(medians):.2f} s")
    return 0 if max(medians) < 1 else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
