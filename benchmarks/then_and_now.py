"""ImageDataGenerator against tf.data with Keras layers: images a second, as a ratio in one run.

The same folder of photographs, the same transforms, the same size; one row is decoding alone, so that it can be seen
what the transforms cost. Old and new take turns, so that a slow spell of the machine falls on both.

    python benchmarks/then_and_now.py [--images 128] [--size 224] [--rounds 5]
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from pathlib import Path

from PIL import Image

from tlcourse import data
from tlcourse.networks import precision


def write_folder(folder, count, size):
    "So many photographs of two classes as JPEG files"
    textures = data.load("textures", appearance="photograph")
    for number in range(count):
        row = number // 2 % 64 + 64 * (number % 2)
        path = folder / textures.class_names[number % 2] / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(textures.images[row]).resize((size, size), Image.Resampling.BICUBIC).save(path)


def decode_only(folder, size):
    "What is left of the two without transforms: a generator and a data set"
    import keras
    import tensorflow as tf

    old = tf.keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255)
    old = old.flow_from_directory(str(folder), target_size=(size, size), batch_size=32, class_mode="binary")
    new = keras.utils.image_dataset_from_directory(
        str(folder), label_mode="binary", image_size=(size, size), batch_size=32, verbose=False
    )
    return old, new.map(lambda images, labels: (images / 255, labels)).prefetch(tf.data.AUTOTUNE)


def cost(batches):
    "Seconds and processor seconds of an epoch"
    started, worked = time.perf_counter(), time.process_time()
    for _ in batches:
        pass
    return time.perf_counter() - started, time.process_time() - worked


def main():
    from tlcourse.augmentation import new_pipeline, old_pipeline

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"processor {precision.processor()}; {arguments.images} images of {arguments.size} pixels", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(folder, arguments.images, arguments.size)
        with contextlib.redirect_stdout(io.StringIO()):  # the old way says how many images it found
            pairs = {
                "decoding only": decode_only(folder, arguments.size),
                "with transforms": (old_pipeline(folder, arguments.size), new_pipeline(folder, arguments.size)),
            }
        for what, (old, new) in pairs.items():

            def turn(old=old, new=new):
                # the old one repeats without end, so an epoch is as many batches as it has
                pairs = zip(cost(old[number] for number in range(len(old))), cost(new), strict=True)
                return [then / now for then, now in pairs]

            turn()  # the first one traces and opens files
            wall, work = (sorted(ratios) for ratios in zip(*(turn() for _ in range(arguments.rounds)), strict=True))
            print(
                f"{what}: now {statistics.median(wall):.1f} times as many images a second as then ({wall[0]:.1f} to "
                f"{wall[-1]:.1f} in {arguments.rounds} rounds); then {statistics.median(work):.1f} times the processor "
                "time of now",
                flush=True,
            )


if __name__ == "__main__":
    main()
