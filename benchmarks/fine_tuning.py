"""What training only what changes saves, against plain Keras as its transfer-learning guide does it.

Everything in one run: extraction against `predict`, head only, top stage against plain Keras with the same layers
frozen and against the guide's way (the whole base unfrozen), for ResNet50 and VGG16. Plain Keras is timed over a few
epochs, the first of them apart because it traces; the remaining ones are taken at the median of the others. Our side is
run in full, from an empty cache, tracing and extraction included.

    python benchmarks/fine_tuning.py [--images 1000] [--sizes 96 224] [--epochs 10] [--plain-epochs 3]
"""

import argparse
import os
import statistics
import tempfile
import time

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

from tlcourse import backbones, data, fine_tuning, folding, inference  # noqa: E402
from tlcourse.splitting import Splits  # noqa: E402


def photographs(count, size):
    "Images of the wanted number and size: time depends on nothing else"
    import numpy as np

    images = data.load("textures")
    rows = np.arange(count) % len(images)
    pixels = images.images[rows].repeat(-(-size // 64), axis=1).repeat(-(-size // 64), axis=2)[:, :size, :size].copy()
    pixels[:, 0, 0, 0] = np.arange(count) % 251  # no two alike
    return data.ImageData(pixels, images.labels[rows], images.class_names)


def matrix_peak():
    "GFLOPS of a large matrix product in float32, the best of five"
    import tensorflow as tf

    a = tf.random.stateless_normal((2048, 2048), (0, 1))
    product = tf.function(lambda x: x @ x)
    best = min(seconds(lambda: product(a).numpy()) for _ in range(5))
    return 2 * 2048**3 / best / 1e9


def seconds(work, *arguments, **options):
    start = time.perf_counter()
    work(*arguments, **options)
    return time.perf_counter() - start


def plain_model(name, size, classes):
    "The model of the guide: a base called with training=False, pooling, dropout, a dense layer"
    import keras

    backbone = backbones.load_backbone(name, "course", size)
    pixels = keras.Input((size, size, 3))
    base = backbones.build(backbone.spec, size, pooling=None)
    base.set_weights(backbone.model.get_weights())
    x = base(backbone.preprocess(pixels), training=False)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    return base, keras.Model(pixels, keras.layers.Dense(classes, activation="softmax")(x))


def epoch_stopwatch():
    "A callback that notes the seconds of each epoch of a fit"
    import keras

    class Stopwatch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.seconds, self.last = [], time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            now = time.perf_counter()
            self.seconds.append(now - self.last)
            self.last = now

    return Stopwatch()


def plain_seconds(model, splits, size, epochs, measured, rate):
    "Seconds that plain `fit` takes for so many epochs, from some of them"
    import keras

    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stopwatch = epoch_stopwatch()
    train, validation = (part.to_dataset(size, 16) for part in (splits.train, splits.validation))
    model.fit(train, validation_data=validation, epochs=measured, verbose=0, callbacks=[stopwatch])
    first, *rest = stopwatch.seconds
    return first + (epochs - 1) * statistics.median(rest)


def our_seconds(name, splits, size, phase):
    from tlcourse import feature_cache

    feature_cache.clear()
    model = fine_tuning.build_classifier(backbones.load_backbone(name, "course", size), splits.train.class_names)
    return seconds(fine_tuning.fine_tune, model, splits, [phase])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 224])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--plain-epochs", type=int, default=3)
    parser.add_argument("--backbones", nargs="+", default=["ResNet50", "VGG16"])
    arguments = parser.parse_args()
    epochs, measured = arguments.epochs, arguments.plain_epochs
    peak = matrix_peak()
    gain = inference.gain_of_bfloat16()
    print(f"processor {inference.processor()}; {peak:.0f} GFLOPS in float32 matrix products; bfloat16 {gain:.2f} times")
    for size in arguments.sizes:
        images = photographs(arguments.images, size)
        held_out = images.subset(range(max(10, arguments.images // 10)))
        splits = Splits(images, held_out, held_out)
        for name in arguments.backbones:
            top = list(backbones.find_spec(name).cut_points)[-1]
            base, model = plain_model(name, size, len(images.class_names))
            print(f"\n{name}, {len(images)} images at {size}, {epochs} epochs", flush=True)

            predict = images.to_dataset(size, 32)
            base.trainable = False
            model.predict(predict, verbose=0)
            backbone = backbones.load_backbone(name, "course", size)
            classifier = fine_tuning.build_classifier(backbone, images.class_names)
            start = time.perf_counter()
            function = inference.inference_function(folding.fold_batch_norm(classifier))
            inference.run_over(function, held_out)
            built = time.perf_counter() - start
            ratio = statistics.median(
                seconds(model.predict, predict, verbose=0) / seconds(inference.run_over, function, images)
                for _ in range(3)
            )
            print(
                f"  a folded network: {ratio:.2f} times as fast as predict; folding and tracing {built:.1f} s",
                flush=True,
            )

            head = plain_seconds(model, splits, size, epochs, measured, 1e-3)
            ours = our_seconds(name, splits, size, fine_tuning.Phase("head", epochs))
            print(f"  head only: {head / ours:.2f} times as fast ({head:.0f} s, {ours:.0f} s)", flush=True)

            base.trainable = True
            frozen = fine_tuning.boundary(classifier, top)
            below = True
            for layer in base.layers:
                layer.trainable = not below and "bn" not in layer.name
                below = below and layer.name != frozen
            same = plain_seconds(model, splits, size, epochs, measured, 1e-4)
            base.trainable = True
            guide = plain_seconds(model, splits, size, epochs, measured, 1e-5)
            ours = our_seconds(name, splits, size, fine_tuning.Phase(top, epochs, 1e-4))
            print(f"  top stage: {same / ours:.2f} times as fast as plain Keras ({same:.0f} s, {ours:.0f} s)")
            print(f"  top stage: {guide / ours:.2f} times as fast as the guide's way ({guide:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
