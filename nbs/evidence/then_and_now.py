"""ImageDataGenerator against layers in a tf.data pipeline: what an epoch of each costs, on the clock and of CPU time.

128 JPEG files of 224 pixels in two folders, the same transforms, batches of 32. Old and new take turns, so that a slow
spell of the machine falls on both. One row a turn, pipeline and clock. `--save` puts the rows of this kind of processor
in the place of those that the file has of it; those of others stay.

    python then_and_now.py [--turns 5] [--images 128] [--save then_and_now.csv]
"""

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks.precision import processor


def cost(batches):
    "Seconds and CPU seconds of an epoch"
    start = time.perf_counter(), time.process_time()
    for _ in batches:
        pass
    return {"clock": time.perf_counter() - start[0], "CPU": time.process_time() - start[1]}


def measure(turns, count):
    "Turn, pipeline, clock and milliseconds for an image"
    import numpy as np
    from PIL import Image

    from tlcourse import data
    from tlcourse.augmentation import new_pipeline, old_pipeline

    two = data.load("textures", appearance="photograph").sample(count // 2, seed=0).subset(np.arange(count))
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for number, (pixels, label) in enumerate(zip(two.images, two.labels, strict=True)):
            path = Path(folder) / two.class_names[label] / f"{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).resize((224, 224)).save(path)
        old, new = old_pipeline(folder), new_pipeline(folder)
        for turn in range(-1, turns):  # one that does not count comes first
            epochs = {"then": cost(old[number] for number in range(len(old))), "now": cost(new)}
            rows += [
                {"turn": turn, "pipeline": name, "quantity": clock, "ms for an image": round(1000 * spent / count, 3)}
                for name, one in epochs.items()
                for clock, spent in one.items()
                if turn >= 0
            ]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = pd.DataFrame(in_own_process(measure, arguments.turns, arguments.images)).assign(processor=processor())
    print(table.pivot_table("ms for an image", "pipeline", "quantity").round(2))
    if arguments.save:
        if Path(arguments.save).exists():
            before = pd.read_csv(arguments.save)
            table = pd.concat([before[before["processor"] != processor()], table])
        table.to_csv(arguments.save, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
