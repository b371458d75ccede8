"""Where the seconds of a training go on this kind of processor, and what each shortcut saves: clock, CPU time, memory.

The experiments of the lesson on efficiency: the parts of an epoch, the cache, folding, the batch size, the order of a
`tf.data` pipeline, bfloat16 and `jit_compile`. Each turn is measured in a process of its own, as the least seconds of
two calls after one that does not count. One row a turn and quantity. `--save` puts the rows of this kind of processor
in the place of those that the file has of it; those of others stay.

    python efficiency.py [--turns 3] [--save efficiency.csv]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks.precision import processor

BATCHES = (4, 16, 64)
EPOCHS = (1, 3, 10)


def once(work):
    "Seconds that one call takes, on the clock and of CPU time"
    start = time.perf_counter(), time.process_time()
    work()
    return {"clock": time.perf_counter() - start[0], "CPU": time.process_time() - start[1]}


def seconds(work, calls=2):
    "The least seconds of several calls; a call before them, in which TensorFlow traces, does not count"
    work()
    found = [once(work) for _ in range(calls)]
    return {clock: min(one[clock] for one in found) for clock in ("clock", "CPU")}


def textures_as_files(folder):
    "Forty textures of 64 pixels, and as many photographs of about 500, as JPEG files"
    import numpy as np
    import skimage.data
    from PIL import Image

    from tlcourse import data
    from tlcourse.datasets.image_data import ImageData
    from tlcourse.datasets.image_files import ImageFiles

    def written(images, name):
        (Path(folder) / name).mkdir()
        paths = [Path(folder) / name / f"{number:03d}.jpg" for number in range(len(images))]
        for path, pixels in zip(paths, images, strict=True):
            Image.fromarray(pixels).save(path, quality=90)
        return ImageFiles(paths)

    textures = data.load("textures").sample(4, seed=0)
    names = ["astronaut", "chelsea", "coffee", "rocket"]
    photographs = written([getattr(skimage.data, name)() for name in names] * 10, "photographs")
    return textures, {
        "small files": ImageData(written(textures.images, "textures"), textures.labels, textures.class_names),
        "photographs": ImageData(photographs, np.arange(40) % 4, names),
    }


def frozen_network(name, fold=False, precision="float32"):
    "A network of the course, and a function from pixels to its features"
    from tlcourse import backbones
    from tlcourse.networks.folding import frozen_copy
    from tlcourse.networks.inference import inference_function

    backbone = backbones.load_backbone(name, weights="course", image_size=64)
    return backbone, inference_function(
        frozen_copy(backbone.model, fold=fold, precision=precision, preprocess=backbone.preprocess)
    )


def parts_of_an_epoch():
    "Seconds for an image of each part of an epoch, by files"
    import keras
    import tensorflow as tf

    from tlcourse.augmentation import augmenter

    _, trunk = frozen_network("VGG16")
    layer = augmenter(["flip", "rotation", "zoom", "brightness"])
    augment = tf.function(lambda pixels: layer(pixels, training=True))
    classes = keras.layers.Dense(10, activation="softmax")
    head = keras.Sequential([keras.Input((512,)), keras.layers.Dropout(0.2), classes])
    adam = keras.optimizers.Adam(1e-2)
    adam.build(head.trainable_variables)

    @tf.function
    def train_head(features, labels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, head(features, training=True)))
        adam.apply(tape.gradient(loss, head.trainable_variables), head.trainable_variables)
        return loss

    found = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name, images in textures_as_files(folder)[1].items():
            batches = list(images.to_dataset(64, batch_size=16))
            features = [(trunk(pixels), labels) for pixels, labels in batches]
            parts = {
                "files": lambda images=images: [None for _ in images.to_dataset(64, batch_size=16)],
                "augmentation": lambda batches=batches: [augment(pixels).numpy() for pixels, _ in batches],
                "trunk": lambda batches=batches: [trunk(pixels).numpy() for pixels, _ in batches],
                "head": lambda features=features: [train_head(*batch).numpy() for batch in features],
            }
            for part, work in parts.items():
                each = {clock: spent / len(images) for clock, spent in seconds(work).items()}
                found.append(("profile", f"{name}: {part}", False, each))
    return found


def cache():
    "Seconds of training a head with and without the cache, from an empty folder"
    import numpy as np

    from tlcourse import fine_tuning
    from tlcourse.splitting import Splits

    vgg, _ = frozen_network("VGG16")
    found = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        _, files = textures_as_files(folder)
        images = files["small files"]
        order = np.random.default_rng(0).permutation(len(images))
        splits = Splits(*(images.subset(rows) for rows in np.split(order, [30, 36])))
        for epochs in EPOCHS:
            for cached in (False, True):
                model = fine_tuning.build_classifier(vgg, images.class_names, dropout=0.0)
                phases = [fine_tuning.Phase("head", epochs, 1e-2)]
                how = {"cached": cached, "fold": False, "precision": "float32", "progress": False}
                with (
                    tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty,
                    mock.patch.dict(os.environ, TLCOURSE_CACHE=empty),
                ):
                    spent = once(
                        lambda model=model, phases=phases, how=how: fine_tuning.fine_tune(model, splits, phases, **how)
                    )
                found.append(("cache", f"{epochs} epochs", cached, spent))
    return found


def networks():
    "Folding, the batch size forward, bfloat16 and jit_compile"
    import keras
    import numpy as np
    import tensorflow as tf

    from tlcourse import data, fine_tuning

    textures = data.load("textures").sample(10, seed=0)
    vgg, trunk = frozen_network("VGG16")
    found = []

    def pixels(count):
        return tf.constant(textures.images[:count].astype("float32"))

    for folded in (False, True):
        run, batch = frozen_network("ResNet50", folded)[1], pixels(16)
        found.append(("fold", "ResNet50", folded, seconds(lambda run=run, batch=batch: run(batch).numpy())))
    for count in BATCHES:
        batch = pixels(count)
        spent = seconds(lambda batch=batch: trunk(batch).numpy())
        found.append(("batch", f"forward: {count}", False, {clock: one / count for clock, one in spent.items()}))
    for rounded in (False, True):
        run = frozen_network("VGG16", precision="bfloat16")[1] if rounded else trunk
        two = pixels(2)
        found.append(("bfloat16", "VGG16", rounded, seconds(lambda run=run, two=two: run(two).numpy())))
    features = np.concatenate([trunk(images).numpy() for images, _ in textures.to_dataset(64, 16)])
    eight = textures.images[:8].astype("float32")

    def head_epoch(jit):
        hidden, classes = keras.layers.Dense(256, activation="relu"), keras.layers.Dense(10, activation="softmax")
        model = keras.Sequential([keras.Input((512,)), hidden, classes])
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        return lambda: model.fit(features, textures.labels, batch_size=16, verbose=0)

    def network_forward(jit):
        model = fine_tuning.build_classifier(vgg, textures.class_names)
        model.compile(jit_compile=jit)
        return lambda: model.predict_on_batch(eight)

    for name, make in (("head", head_epoch), ("VGG16", network_forward)):
        for jit in (False, True):
            work = make(jit)
            found.append(("jit_compile", f"{name}, first call", jit, once(work)))
            found.append(("jit_compile", name, jit, seconds(work, calls=3)))
    return found


def pipelines():
    "Seconds of an epoch of a pipeline without and with one change"
    import tensorflow as tf

    from tlcourse import data

    _, trunk = frozen_network("VGG16")
    generator = tf.random.Generator.from_seed(0)

    def change(pixels):
        seeds = generator.make_seeds(2)
        flipped = tf.image.stateless_random_flip_left_right(pixels, seeds[:, 0])
        return tf.clip_by_value(tf.image.stateless_random_brightness(flipped, 80.0, seeds[:, 1]), 0.0, 255.0)

    def read(path):
        return tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(path), channels=3), (64, 64), antialias=True)

    def cost_of(pipeline, use=lambda pixels: None):
        return seconds(lambda: [use(pixels) for pixels in pipeline])

    by_hand = tf.data.Options()
    by_hand.autotune.enabled = False
    by_hand.experimental_optimization.apply_default_optimizations = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        _, files = textures_as_files(folder)
        paths = tf.data.Dataset.from_tensor_slices(list(files["photographs"].images.paths))
        in_memory = tf.data.Dataset.from_tensor_slices(data.load("textures").images.astype("float32"))
        in_memory = in_memory.with_options(by_hand)
        left_alone = paths.map(read).batch(16)
        plain = left_alone.with_options(by_hand)
        decoded = paths.map(read, num_parallel_calls=os.cpu_count()).batch(16).with_options(by_hand)
        a_batch = cost_of(plain)["clock"] / len(plain)

        def wait(pixels):
            time.sleep(a_batch)

        def compute(pixels):
            return trunk(pixels).numpy()

        return [
            ("pipeline", name, with_it, cost_of(*how))
            for name, sides in {
                "decode in parallel": ((plain,), (decoded,)),
                "keep decoded images": ((decoded,), (decoded.cache(),)),
                "batch before augmenting": ((in_memory.map(change).batch(16),), (in_memory.batch(16).map(change),)),
                "prefetch for one who waits": ((plain, wait), (plain.prefetch(2), wait)),
                "prefetch for the trunk": ((plain, compute), (plain.prefetch(2), compute)),
                "left to TensorFlow, for one who waits": ((plain, wait), (left_alone, wait)),
            }.items()
            for with_it, how in enumerate(sides)
        ]


def training_steps():
    "Seconds and peak memory of a training step of the whole network, each batch size in a process of its own"
    from tlcourse.networks import model_cost

    found = []
    for count in BATCHES:
        cost = model_cost.profile("VGG16", 64, batch_size=count, again=True)
        step = {"clock": cost["training_step_ms"] / 1000 / count, "MB": cost["training_mb"]}
        found.append(("batch", f"training: {count}", False, step))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    print(f"processor {processor()}", flush=True)
    rows = []
    for turn in range(arguments.turns):
        for experiment in (parts_of_an_epoch, cache, networks, pipelines, training_steps):
            rows += [
                {"experiment": name, "what": what, "shortcut": bool(shortcut), "turn": turn}
                | {"quantity": quantity, "value": float(f"{value:.4g}"), "processor": processor()}
                for name, what, shortcut, found in in_own_process(experiment)
                for quantity, value in found.items()
            ]
            print(f"turn {turn}: {experiment.__name__}", flush=True)
    table = pd.DataFrame(rows)
    columns = ["experiment", "what", "shortcut"]
    print(table.pivot_table("value", columns, "quantity", sort=False).to_string(float_format="{:.4g}".format))
    if arguments.save:
        if Path(arguments.save).exists():
            before = pd.read_csv(arguments.save)
            table = pd.concat([before[before["processor"] != processor()], table])
        table.to_csv(arguments.save, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
