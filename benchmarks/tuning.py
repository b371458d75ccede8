"""What a search on shared features saves against KerasTuner.

The same 60 configurations of a head on a frozen ResNet50, the same epochs on the same images: `tuning.search`
from an empty cache, with its features, its tracing and its storage in the time, and KerasTuner's RandomSearch, which
trains the full model, the trunk frozen. KerasTuner would take hours, so it gets a few of the configurations with two
epochs each, before and after our run, so that a slow spell of the machine hits both. Its second epoch stands for the
others; building, compiling and tracing are counted once a configuration. CPU time stands beside time on the clock.

keras-tuner needs tensorboard too; both come with `pip install "tlcourse[dev]"`.

    python benchmarks/tuning.py [--images 1000] [--size 96] [--epochs 10] [--configurations 60] [--plain 2]
"""

import argparse
import os
import tempfile

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from parts.clocks import now  # noqa: E402
from parts.photographs import photographs  # noqa: E402

from tlcourse import backbones, splitting, tuning  # noqa: E402
from tlcourse.networks import precision  # noqa: E402
from tlcourse.splitting import Splits  # noqa: E402


def ours(splits, size, configurations, epochs):
    "Seconds of the whole search, and its study"
    start = now()
    backbone = backbones.load_backbone("ResNet50", "course", size)
    study = tuning.search(
        splits, backbone, None, "random", "none", configurations, storage="memory", epochs=epochs, progress=False
    )
    return now() - start, study


def kerastuner(splits, size, settings, epochs):
    "Seconds that RandomSearch takes for these settings, from two epochs of each"
    import keras
    import keras_tuner
    import numpy as np

    backbone = backbones.load_backbone("ResNet50", "course", size)
    parts = [(part.images.astype("float32"), part.labels) for part in (splits.train, splits.validation)]
    took = []

    class Stopwatch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.begun = now()

        def on_epoch_end(self, epoch, logs=None):  # validation is in it
            took.append(now() - self.begun)

    class Full(keras_tuner.HyperModel):
        def build(self, hp):
            chosen = settings[hp.Choice("configuration", list(range(len(settings))))]
            pixels = keras.Input((size, size, 3))
            base = backbones.build(backbone.spec, size, pooling=None)
            base.set_weights(backbone.model.get_weights())
            base.trainable = False
            x = keras.layers.GlobalAveragePooling2D()(base(backbone.preprocess(pixels), training=False))
            for _ in range(chosen["depth"]):
                x = keras.layers.Dense(chosen["width"], activation="relu")(x)
            x = keras.layers.Dense(10, activation="softmax")(keras.layers.Dropout(chosen["dropout"])(x))
            model = keras.Model(pixels, x)
            rate = chosen["learning_rate"]
            optimizer = {
                "adam": lambda: keras.optimizers.Adam(rate),
                "adamw": lambda: keras.optimizers.AdamW(rate, weight_decay=chosen["weight_decay"] or 0.004),
                "sgd": lambda: keras.optimizers.SGD(rate, momentum=chosen["momentum"]),
            }[chosen["optimizer"]]()
            model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
            return model

        def fit(self, hp, model, *arguments, **options):
            batch_size = settings[hp.get("configuration")]["batch_size"]
            return model.fit(*arguments, **options, batch_size=batch_size)

    start = now()
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(
            Full(), "val_accuracy", max_trials=len(settings), seed=0, directory=folder, project_name="x"
        )
        tuner.search(*parts[0], validation_data=parts[1], epochs=2, verbose=0, callbacks=[Stopwatch()])
    total = now() - start
    if not len(took) == 2 * len(settings):
        raise RuntimeError(f"KerasTuner was to train {2 * len(settings)} epochs; it trained {len(took)}")
    return total + (epochs - 2) * np.sum(took[1::2], axis=0)


def against_kerastuner(options):
    images = photographs(options.images, options.size)
    parts = splitting.split(images, sizes=(0.8, 0.1, 0.1))
    splits = Splits(parts.train, parts.validation, parts.test)
    # what is tried is known before: random search draws the same for the same seed
    drawn = [tuning.complete(one) for one in configurations_of(options.configurations)]
    few = drawn[:: max(1, len(drawn) // (2 * options.plain))][: 2 * options.plain]
    before = kerastuner(splits, options.size, few[::2], options.epochs)
    our_time, study = ours(splits, options.size, options.configurations, options.epochs)
    after = kerastuner(splits, options.size, few[1::2], options.epochs)
    tried = [trial.user_attrs["settings"] for trial in study.trials]
    if tried != configurations_of(options.configurations):
        raise RuntimeError("the two did not try the same")
    theirs = (before + after) * options.configurations / len(few)
    clock, cpu = theirs / our_time
    print(precision.processor())
    print(
        f"{options.configurations} heads on {len(splits.train)} + {len(splits.validation)} images, {options.size} px, "
        f"{options.epochs} epochs: tuning.search {our_time[0]:.0f} s; KerasTuner {theirs[0]:.0f} s, scaled from "
        f"{len(few)} configurations of two epochs: {clock:.0f} times as fast ({cpu:.0f} times in CPU time)",
        flush=True,
    )


def configurations_of(count):
    "What a random search of HEAD_SPACE with seed 0 tries"
    import optuna

    from tlcourse.search.search_space import parse_space, suggest
    from tlcourse.search.trials import quiet_optuna

    entries = parse_space(tuning.HEAD_SPACE, tuning.PARAMETERS)
    with quiet_optuna():
        study = optuna.create_study(sampler=tuning.make_sampler("random", 0))
        found = []
        for _ in range(count):
            trial = study.ask()
            found.append(suggest(trial, entries))
            study.tell(trial, 0.0)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--configurations", type=int, default=60)
    parser.add_argument("--plain", type=int, default=2, help="configurations for KerasTuner before and after our run")
    against_kerastuner(parser.parse_args())
