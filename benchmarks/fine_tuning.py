"""What training only what changes saves, against plain Keras as its transfer-learning guide does it.

Everything in one run, for ResNet50 and VGG16: extraction against `predict`; a head alone; the top stage against plain
Keras with the same layers frozen, and against the guide's way (the whole base unfrozen). Our side is run in full, from
an empty cache: folding, tracing and extraction are in its time. Plain Keras pays the same for each step, so a part of
the images stands for all of them. The two take turns: after each of our epochs plain Keras trains its part of that
epoch, after each hundred images of ours it predicts the same hundred, so that a slow spell of the machine hits both.

    python benchmarks/fine_tuning.py [--images 1000] [--sizes 96 224] [--epochs 10] [--plain-images 160]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

from tlcourse import backbones, data, feature_cache, features, fine_tuning, folding, inference, precision  # noqa: E402
from tlcourse.splitting import Splits  # noqa: E402
from tlcourse.training_run import TrainingRun  # noqa: E402

BATCH = 16
CHUNK = 100  # images that extraction and `predict` take in turn


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


class PlainTraining:
    "Plain `fit`, an epoch of a part of the images at a time"

    def __init__(self, model, splits, size, part, rate):
        import keras

        self.data, self.weights = [], []  # a part of the images, and how many of its epochs make one of all images
        for images in (splits.train, splits.validation):
            few = images.subset(range(max(BATCH, round(part * len(images)))))
            self.data.append(few.to_dataset(size, BATCH))
            self.weights.append(-(-len(images) // BATCH) / -(-len(few) // BATCH))
        self.model = keras.Model(model.inputs, model.outputs)
        self.model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.epochs = []
        self.turn()  # traces

    def turn(self):
        "One more epoch of the part: seconds of its training and of its validation are noted"
        import keras

        class Stopwatch(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.begun, self.tested = time.perf_counter(), 0.0

            def on_test_begin(self, logs=None):
                self.test_begun = time.perf_counter()

            def on_test_end(self, logs=None):
                self.tested = time.perf_counter() - self.test_begun

            def on_epoch_end(self, epoch, logs=None):
                self.trained = time.perf_counter() - self.begun - self.tested

        watch = Stopwatch()
        train, validation = self.data
        self.model.fit(train, validation_data=validation, shuffle=False, verbose=0, callbacks=[watch])
        self.epochs.append((watch.trained, watch.tested))

    def seconds(self):
        "Of all epochs of all images, and of the tracing before them"
        first, *later = self.epochs
        traced = sum(first) - statistics.median(map(sum, later))
        trained, tested = map(sum, zip(*later, strict=True))
        return traced + self.weights[0] * trained + self.weights[1] * tested


@contextmanager
def taking_turns(others):
    "After each epoch of ours, one of each of the others, whose time is not ours: a list that fills with that time"
    ended, pauses = TrainingRun.epoch_ended, []

    def then_the_others(run, *arguments):
        ended(run, *arguments)
        pauses.append(seconds(lambda: [other.turn() for other in others]))

    with mock.patch.object(TrainingRun, "epoch_ended", then_the_others):
        yield pauses


def our_seconds(name, splits, size, phase, others):
    "Seconds that `fine_tune` takes from an empty cache, where it is known already which precision is faster"
    for one, opponents in ((replace(phase, epochs=1), []), (phase, others)):
        feature_cache.clear()
        model = fine_tuning.build_classifier(backbones.load_backbone(name, "course", size), splits.train.class_names)
        with taking_turns(opponents) as pauses:
            spent = seconds(fine_tuning.fine_tune, model, splits, [one], batch_size=BATCH)
    return spent - sum(pauses)


def extraction(name, images, size, peaks):
    "Images a second of `extract` against `predict`: of all calls, the first of which traces, and of those after it"
    import numpy as np

    backbone = backbones.load_backbone(name, "course", size)
    few = images.subset(range(min(CHUNK, len(images))))
    features.extract(backbone, few, cache=False)  # the question about the precision is asked
    kind = chosen_precision(f"{backbone.name} ")
    _, predictor, _ = plain_model(name, size, len(images.class_names))
    start = time.perf_counter()
    function = inference.inference_function(folding.frozen_copy(backbone.model, True, kind, backbone.preprocess))
    prepared = time.perf_counter() - start
    plain, ours, exact, result = [], [], [], []
    for first in range(0, len(images), CHUNK):
        some = images.subset(range(first, min(first + CHUNK, len(images))))
        plain.append(seconds(lambda some=some: exact.append(predictor.predict(some.to_dataset(size, 32), verbose=0))))
        ours.append(seconds(lambda some=some: result.append(inference.run_over(function, some))))
    error = np.linalg.norm(np.concatenate(result) - np.concatenate(exact)) / np.linalg.norm(np.concatenate(exact))
    rate = len(some) / statistics.median(ours[1:])
    share = 2 * multiply_adds(backbone.model) * rate / 1e9 / peaks[kind]
    print(f"  extraction in {kind}: {sum(plain[1:]) / sum(ours[1:]):.2f} times as fast as predict", end="; ")
    print(f"{sum(plain) / (prepared + sum(ours)):.2f} times with folding and tracing; relative error {error:.2%}")
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

            part = plain_images / len(images)
            base.trainable = False
            plain = PlainTraining(model, splits, size, part, 1e-3)
            ours = our_seconds(name, splits, size, fine_tuning.Phase("head", epochs), [plain])
            ratio = plain.seconds() / ours
            print(f"  head only: {ratio:.2f} times as fast ({ratio * ours:.0f} s, {ours:.1f} s)", flush=True)

            base.trainable = True
            guide = PlainTraining(model, splits, size, part, 1e-5)
            below = True
            for layer in base.layers:
                layer.trainable = not below and "bn" not in layer.name
                below = below and layer.name != frozen
            same = PlainTraining(model, splits, size, part, 1e-4)
            ours = our_seconds(name, splits, size, fine_tuning.Phase(top, epochs, 1e-4), [same, guide])
            for plain, what in (same, "plain Keras"), (guide, "the guide's way"):
                ratio = plain.seconds() / ours
                print(f"  top stage: {ratio:.2f} times as fast as {what}", end=" ")
                print(f"({ratio * ours:.0f} s, {ours:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
