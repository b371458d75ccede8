"""What training only what changes saves, against plain Keras as its transfer-learning guide does it.

Everything in one run, for ResNet50 and VGG16: extraction against `predict`; a head alone; the top stage against plain
Keras with the same layers frozen, and against the guide's way (the whole base unfrozen). Our side is run in full, from
an empty cache: folding, tracing and extraction are in its time. Plain Keras pays the same for each step, so some of its
steps are timed and the rest follow: the extra time of the first epoch, which traces, plus epochs times the median of
the other epochs.

    python benchmarks/fine_tuning.py [--images 1000] [--sizes 96 224] [--epochs 10] [--plain-images 160]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

from tlcourse import backbones, data, feature_cache, features, fine_tuning, folding, inference, precision  # noqa: E402
from tlcourse.splitting import Splits  # noqa: E402

BATCH = 16
TURNS = 3  # how often extraction, `predict` and our training of a head are timed
PLAIN_EPOCHS = 5  # of plain Keras that are timed, after one that traces


def photographs(count, size):
    "Images of the wanted number and size: time depends on nothing else"
    import numpy as np

    images = data.load("textures")
    rows = np.arange(count) % len(images)
    pixels = images.images[rows].repeat(-(-size // 64), axis=1).repeat(-(-size // 64), axis=2)[:, :size, :size].copy()
    pixels[:, 0, 0, 0], pixels[:, 0, 1, 0] = np.arange(count) % 256, np.arange(count) // 256  # no two alike
    return data.ImageData(pixels, images.labels[rows], images.class_names)


def seconds(work, *arguments, **options):
    start = time.perf_counter()
    work(*arguments, **options)
    return time.perf_counter() - start


def matrix_peak(kind):
    "GFLOPS of a large matrix product, the best of five"
    import tensorflow as tf

    a = tf.cast(tf.random.stateless_normal((2048, 2048), (0, 1)), kind)
    product = tf.function(lambda x: tf.reduce_sum(tf.cast(x @ x, "float32")))
    return 2 * 2048**3 / min(seconds(lambda: product(a).numpy()) for _ in range(5)) / 1e9


def multiply_adds(model):
    "Multiply-adds of the convolutions and dense layers for one image"
    import numpy as np

    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            places = np.prod(layer.output.shape[1:-1], dtype=int)  # the last axis is in the kernel
            total += int(places) * int(np.prod(layer.kernel.shape))
    return total


def plain_model(name, size, classes):
    "The model of the guide: a base called with training=False, pooling, dropout, a dense layer"
    import keras

    backbone = backbones.load_backbone(name, "course", size)
    pixels = keras.Input((size, size, 3))
    base = backbones.build(backbone.spec, size, pooling=None)
    base.set_weights(backbone.model.get_weights())
    x = base(backbone.preprocess(pixels), training=False)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    top = keras.layers.Dense(classes, activation="softmax")(keras.layers.Dropout(0.2)(pooled))
    return base, keras.Model(pixels, pooled), keras.Model(pixels, top)


def stopwatch():
    "A callback that notes the seconds of training and of validation in each epoch of a fit"
    import keras

    class Stopwatch(keras.callbacks.Callback):
        train, validation = [], []

        def on_epoch_begin(self, epoch, logs=None):
            self.begun, self.tested = time.perf_counter(), 0.0

        def on_test_begin(self, logs=None):
            self.test_begun = time.perf_counter()

        def on_test_end(self, logs=None):
            self.tested = time.perf_counter() - self.test_begun

        def on_epoch_end(self, epoch, logs=None):
            self.validation.append(self.tested)
            self.train.append(time.perf_counter() - self.begun - self.tested)

    watch = Stopwatch()
    watch.train, watch.validation = [], []
    return watch


def plain_seconds(model, splits, size, epochs, plain_images, rate):
    "Seconds that plain `fit` takes for so many epochs of all images"
    import keras

    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watch = stopwatch()
    part = splits.train.subset(range(min(plain_images, len(splits.train))))
    train, validation = (images.to_dataset(size, BATCH) for images in (part, splits.validation))
    model.fit(train, validation_data=validation, epochs=1 + PLAIN_EPOCHS, verbose=0, callbacks=[watch])
    steps = -(-len(splits.train) // BATCH) / -(-len(part) // BATCH)
    train, validation = (statistics.median(times[1:]) for times in (watch.train, watch.validation))
    traced = watch.train[0] - train + watch.validation[0] - validation
    return traced + epochs * (train * steps + validation)


def our_seconds(name, splits, size, phase):
    "Seconds that `fine_tune` takes from an empty cache, where it is known already which precision is faster"
    times = []
    for one in (replace(phase, epochs=1), *[phase] * (TURNS if phase.train == "head" else 1)):
        feature_cache.clear()
        model = fine_tuning.build_classifier(backbones.load_backbone(name, "course", size), splits.train.class_names)
        times.append(seconds(fine_tuning.fine_tune, model, splits, [one], batch_size=BATCH))
    return statistics.median(times[1:])


def extraction(name, images, size, peaks):
    "Images a second of `extract` against `predict`: at the first call, when both trace, and once they are traced"
    import numpy as np

    backbone = backbones.load_backbone(name, "course", size)
    dataset = images.to_dataset(size, 32)
    result = features.extract(backbone, images, cache=False)  # the question about the precision is asked
    kind = chosen_precision(f"{backbone.name} ")
    function = inference.inference_function(folding.frozen_copy(backbone.model, True, kind, backbone.preprocess))
    inference.run_over(function, images.subset(range(64)))
    first, later = [], []
    for _ in range(TURNS):
        _, predictor, _ = plain_model(name, size, len(images.class_names))
        plain = seconds(predictor.predict, dataset, verbose=0)
        first.append(plain / seconds(features.extract, backbone, images, cache=False))
        later.append((seconds(predictor.predict, dataset, verbose=0), seconds(inference.run_over, function, images)))
    exact = predictor.predict(dataset, verbose=0)
    error = np.linalg.norm(result - exact) / np.linalg.norm(exact)
    rate = len(images) / statistics.median(ours for _, ours in later)
    share = 2 * multiply_adds(backbone.model) * rate / 1e9 / peaks[kind]
    ratio = statistics.median(plain / ours for plain, ours in later)
    print(f"  extraction in {kind}: {ratio:.2f} times as fast as predict", end="; ")
    print(f"{statistics.median(first):.2f} times at the first call; relative error {error:.2%}")
    print(f"  {rate:.0f} images/s, {share:.0%} of the peak of matrix products in {kind}", flush=True)


def chosen_precision(question):
    "What the machine answered when it was asked; float32 where it never was"
    path = feature_cache.features_folder() / "precision.json"
    answers = json.loads(path.read_text()) if path.exists() else {}
    return next((answer for asked, answer in answers.items() if asked.startswith(question)), "float32")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 224])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--plain-images", type=int, default=160)
    parser.add_argument("--backbones", nargs="+", default=["ResNet50", "VGG16"])
    arguments = parser.parse_args()
    epochs, plain_images = arguments.epochs, arguments.plain_images
    peaks = {kind: matrix_peak(kind) for kind in precision.PRECISIONS}
    gain = precision.gain_of_bfloat16(precision.convolution)
    print(f"processor {precision.processor()}; one convolution in bfloat16 is {gain:.2f} times as fast as in float32")
    print("matrix products: " + ", ".join(f"{peak:.0f} GFLOPS in {kind}" for kind, peak in peaks.items()))
    for size in arguments.sizes:
        images = photographs(arguments.images, size)
        held_out = photographs(arguments.images // 10, size)
        splits = Splits(images, held_out, held_out)
        for name in arguments.backbones:
            *_, (_, frozen), (top, _) = backbones.find_spec(name).cut_points.items()
            base, _, model = plain_model(name, size, len(images.class_names))
            print(f"\n{name}, {len(images)} images at {size}, {epochs} epochs", flush=True)
            extraction(name, images, size, peaks)

            base.trainable = False
            head = plain_seconds(model, splits, size, epochs, plain_images, 1e-3)
            ours = our_seconds(name, splits, size, fine_tuning.Phase("head", epochs))
            print(f"  head only: {head / ours:.2f} times as fast ({head:.0f} s, {ours:.1f} s)", flush=True)

            base.trainable = True
            below = True
            for layer in base.layers:
                layer.trainable = not below and "bn" not in layer.name
                below = below and layer.name != frozen
            same = plain_seconds(model, splits, size, epochs, plain_images, 1e-4)
            base.trainable = False  # Keras passes on a change only
            base.trainable = True
            guide = plain_seconds(model, splits, size, epochs, plain_images, 1e-5)
            ours = our_seconds(name, splits, size, fine_tuning.Phase(top, epochs, 1e-4))
            print(f"  top stage: {same / ours:.2f} times as fast as plain Keras ({same:.0f} s, {ours:.0f} s)")
            print(f"  top stage: {guide / ours:.2f} times as fast as the guide's way ({guide:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
