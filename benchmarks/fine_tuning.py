"""What training only what changes saves, against plain Keras as its transfer-learning guide does it.

Everything in one run, for ResNet50 and VGG16: extraction against `predict`; a head alone; the top stage against plain
Keras with the same layers frozen, and against the guide's way (the whole base unfrozen). Our side is run in full, from
an empty cache: folding, tracing and extraction are in its time. Plain Keras pays the same for each step, so a part of
the images stands for all of them. The two take turns, so that a slow spell of the machine hits both: after every second
of our epochs plain Keras trains an epoch of its part, after each hundred images of ours it predicts the same hundred.
An epoch of a head on features takes a fraction of a second, and several times as long after a turn of the other as
alone; there plain Keras trains before our run and after it.
Plain Keras has a process of its own, with the C library's own rule for freed memory. CPU time stands beside time on the
clock: a processor that others use too takes away the second, not the first.

    python benchmarks/fine_tuning.py [--images 1000] [--sizes 96 224] [--epochs 10] [--plain-images 96]
"""

import argparse
import json
import multiprocessing
import os
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.managers import BaseManager
from unittest import mock

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

from parts.clocks import now  # noqa: E402
from parts.photographs import photographs  # noqa: E402

from tlcourse import backbones, features, fine_tuning  # noqa: E402
from tlcourse.networks import feature_cache, folding, inference, model_cost, precision  # noqa: E402
from tlcourse.splitting import Splits  # noqa: E402
from tlcourse.training.training_run import TrainingRun  # noqa: E402

BATCH = 16
CLASSES = 10  # of textures
CHUNK = 100  # images that extraction and `predict` take in turn


def seconds(work, *arguments, **options):
    start = now()
    work(*arguments, **options)
    return now() - start


def ratios(plain, ours):
    "How many times as fast, on the clock and in CPU time"
    clock, cpu = plain / ours
    return f"{clock:.2f} times as fast ({plain[0]:.0f} s, {ours[0]:.1f} s; {cpu:.2f} times in CPU time)"


def matrix_peak(kind):
    "GFLOPS of a large matrix product, the best of five"
    import tensorflow as tf

    a = tf.cast(tf.random.stateless_normal((2048, 2048), (0, 1)), kind)
    product = tf.function(lambda x: tf.reduce_sum(tf.cast(x @ x, "float32")))
    return 2 * 2048**3 / min(seconds(lambda: product(a).numpy())[0] for _ in range(5)) / 1e9


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
    "Plain `fit`, an epoch of a part of the images at a time; what trains is the head, the top stage too, or everything"

    def __init__(self, name, size, images, plain_images, trains):
        import keras

        self.data, self.weights = [], []  # a part of the images, and how many of its epochs make one of all images
        for count in (images, images // 10):
            few = max(BATCH, plain_images * count // images)
            self.data.append(photographs(few, size).to_dataset(size, BATCH))
            self.weights.append(-(-count // BATCH) / -(-few // BATCH))
        base, _, self.model = plain_model(name, size, CLASSES)
        base.trainable = trains != "head"
        if trains == "top stage":
            *_, (_, frozen), _ = backbones.find_spec(name).cut_points.items()
            below = True
            for layer in base.layers:
                layer.trainable = not below and "bn" not in layer.name
                below = below and layer.name != frozen
        rate = {"head": 1e-3, "top stage": 1e-4, "everything": 1e-5}[trains]
        self.model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.epochs = []
        self.turn()  # traces

    def turn(self):
        "One more epoch of the part: seconds of its training and of its validation are noted"
        import keras

        class Stopwatch(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.begun, self.tested = now(), 0

            def on_test_begin(self, logs=None):
                self.test_begun = now()

            def on_test_end(self, logs=None):
                self.tested = now() - self.test_begun

            def on_epoch_end(self, epoch, logs=None):
                self.trained = now() - self.begun - self.tested

        watch = Stopwatch()
        train, validation = self.data
        self.model.fit(train, validation_data=validation, shuffle=False, verbose=0, callbacks=[watch])
        self.epochs.append((watch.trained, watch.tested))

    def seconds(self, epochs):
        "Of so many epochs of all images, and of the tracing before them"
        import numpy as np

        turns = np.array(self.epochs)  # turn, training and validation, clock and CPU
        traced = (turns[0] - np.median(turns[1:], axis=0)).sum(axis=0)
        return traced + epochs * (self.weights @ turns[1:].mean(axis=0))


class PlainPrediction:
    "Plain `predict`, some images at a time"

    def __init__(self, name, size, images):
        _, self.model, _ = plain_model(name, size, CLASSES)
        self.images = photographs(images, size)

    def turn(self, first, last):
        "Seconds, and what it gives for these images"
        result = []
        some = self.images.subset(range(first, last)).to_dataset(self.model.input_shape[1], 32)
        return seconds(lambda: result.append(self.model.predict(some, verbose=0))), result[0]


class PlainKeras(BaseManager):
    "A process of its own for plain Keras"

    @classmethod
    def started(cls):
        process = cls(ctx=multiprocessing.get_context("spawn"))
        with mock.patch.dict(os.environ, {"MALLOC_TOP_PAD_": "131072"}):  # what it is anyway: tlcourse leaves it alone
            process.start()
        return process  # a context: it ends with it


PlainKeras.register("Training", PlainTraining)
PlainKeras.register("Prediction", PlainPrediction)


@contextmanager
def taking_turns(others):
    "After every second epoch of ours, a turn of each of the others, not in our time: a list that fills with theirs"
    ended, pauses = TrainingRun.epoch_ended, []

    def then_the_others(run, *arguments):
        ended(run, *arguments)
        if run.epoch % 2 == 0:
            pauses.append(seconds(lambda: [other.turn() for other in others]))

    with mock.patch.object(TrainingRun, "epoch_ended", then_the_others):
        yield pauses


def our_seconds(name, splits, size, phase, others):
    "Seconds that `fine_tune` takes from an empty cache, where it is known already which precision is faster"
    enough = min(len(splits.train), -(-fine_tuning.PAYS // size**2))  # images, for the question to be asked
    first = replace(splits, train=splits.train.subset(range(enough))), replace(phase, epochs=1), []
    for parts, one, opponents in (first, (splits, phase, others)):
        feature_cache.clear()
        model = fine_tuning.build_classifier(backbones.load_backbone(name, "course", size), splits.train.class_names)
        with taking_turns(opponents) as pauses:
            spent = seconds(fine_tuning.fine_tune, model, parts, [one], batch_size=BATCH)
    return spent - sum(pauses)


def extraction(plain_keras, name, images, size, peaks):
    "Images a second of `extract` against `predict`: of all calls, the first of which traces, and of those after it"
    import numpy as np

    backbone = backbones.load_backbone(name, "course", size)
    features.extract(backbone, images.subset(range(CHUNK)), cache=False)  # the question about the precision is asked
    kind = chosen_precision(f"{backbone.name} ")
    predictor = plain_keras.Prediction(name, size, len(images))
    start = now()
    function = inference.inference_function(folding.frozen_copy(backbone.model, True, kind, backbone.preprocess))
    prepared = now() - start
    plain, ours, exact, result = [], [], [], []
    for first in range(0, len(images) - CHUNK + 1, CHUNK):
        some = images.subset(range(first, first + CHUNK))
        spent, expected = predictor.turn(first, first + CHUNK)
        plain.append(spent)
        exact.append(expected)
        ours.append(seconds(lambda some=some: result.append(inference.run_over(function, some))))
    error = np.linalg.norm(np.concatenate(result) - np.concatenate(exact)) / np.linalg.norm(np.concatenate(exact))
    rate = len(some) / np.median(ours[1:], axis=0)[0]
    share = 2 * model_cost.multiply_adds(backbone.model) * rate / 1e9 / peaks[kind]
    print(f"  extraction in {kind}, relative error {error:.2%}")
    calls = len(ours) - 1  # the first one traces, and the median of the others counts
    print(f"  against predict: {ratios(*(calls * np.median(side[1:], axis=0) for side in (plain, ours)))}")
    print(f"  with folding and tracing: {ratios(sum(plain), prepared + sum(ours))}")
    print(f"  {rate:.0f} images/s, {share:.0%} of the peak of matrix products in {kind}", flush=True)


def chosen_precision(question):
    "What the machine answered when it was asked; float32 where it never was"
    path = feature_cache.features_folder() / "precision.json"
    answers = json.loads(path.read_text()) if path.exists() else {}
    return next((answer for asked, answer in answers.items() if asked.startswith(question)), "float32")


def compare(plain_keras, name, size, count, plain_images, epochs, peaks):
    "Everything for one network and one size of images"
    images, held_out = photographs(count, size), photographs(count // 10, size)
    splits = Splits(images, held_out, held_out)
    print(f"\n{name}, {count} images at {size}, {epochs} epochs", flush=True)
    extraction(plain_keras, name, images, size, peaks)
    head, same, guide = (
        plain_keras.Training(name, size, count, plain_images, trains) for trains in ("head", "top stage", "everything")
    )
    for _ in range(3):
        head.turn()
    ours = our_seconds(name, splits, size, fine_tuning.Phase("head", epochs), [])
    for _ in range(3):
        head.turn()
    print(f"  head only: {ratios(head.seconds(epochs), ours)}", flush=True)
    top = list(backbones.find_spec(name).cut_points)[-1]
    ours = our_seconds(name, splits, size, fine_tuning.Phase(top, epochs, 1e-4), [same, guide])
    for other, what in (same, "plain Keras, the same layers frozen"), (guide, "the guide's way"):
        print(f"  top stage against {what}: {ratios(other.seconds(epochs), ours)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 224])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--plain-images", type=int, default=96)
    parser.add_argument("--backbones", nargs="+", default=["ResNet50", "VGG16"])
    arguments = parser.parse_args()
    if arguments.images < 2 * CHUNK:
        parser.error(f"--images wants at least {2 * CHUNK}: a median over parts of {CHUNK}; {arguments.images} came")
    peaks = {kind: matrix_peak(kind) for kind in precision.PRECISIONS}
    gain = precision.gain_of_bfloat16(precision.convolution)
    print(f"processor {precision.processor()}; one convolution in bfloat16 is {gain:.2f} times as fast as in float32")
    print("matrix products: " + ", ".join(f"{peak:.0f} GFLOPS in {kind}" for kind, peak in peaks.items()))
    for size in arguments.sizes:
        for name in arguments.backbones:
            with PlainKeras.started() as plain_keras:
                compare(plain_keras, name, size, arguments.images, arguments.plain_images, arguments.epochs, peaks)


if __name__ == "__main__":
    main()
