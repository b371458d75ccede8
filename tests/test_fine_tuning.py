"""Fine-tuning on cached features is fine-tuning, and a killed run loses nothing."""

import contextlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tlcourse import backbones, data, fine_tuning
from tlcourse.datasets.batch_order import BatchOrder
from tlcourse.fine_tuning import Phase
from tlcourse.networks import feature_cache
from tlcourse.splitting import Splits

# of the residual one: all of it, a stage with a convolution in its shortcut above, one without
CUTS = [("VGG16", cut) for cut in ["head", *backbones.BACKBONES["VGG16"].cut_points]]
CUTS += [("ResNet50", cut) for cut in ("head", "conv3", "conv4")]
EXACT = {"fold": False, "precision": "float32"}

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("thin")]  # test_real_networks.py has two of full size


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def splits():
    images = data.load("textures").sample(per_class=3)
    parts = [images.subset(range(start, 30, 3)) for start in range(3)]
    return Splits(*parts)


@pytest.fixture(scope="module")
def loaded(thin):
    return {name: backbones.load_backbone(name, "course", 32) for name in ("ResNet50", "VGG16")}


def classifier(loaded, splits, name="VGG16", **options):
    return fine_tuning.build_classifier(loaded[name], splits.train.class_names, **options)


@pytest.mark.parametrize(("name", "cut"), CUTS)
def test_cached_training_is_plain_training(name, cut, splits, loaded):
    trained = []
    for cached in (True, False):
        model = classifier(loaded, splits, name)
        start = model.get_weights()
        phase = Phase(cut, epochs=3, learning_rate=1e-3, optimizer="sgd")
        fine_tuning.fine_tune(model, splits, [phase], batch_size=4, cached=cached, restore_best=False, **EXACT)
        trained.append(model)
    assert any(not np.array_equal(a, b) for a, b in zip(trained[0].get_weights(), start, strict=True))
    for one, plain in zip(*(model.get_weights() for model in trained), strict=True):
        assert np.abs(one - plain).max() <= 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize("cut", ["head", "block5", "all"])
def test_in_bfloat16_training_is_nearly_the_same(cut, splits, loaded):
    trained = []
    for precision in ("float32", "bfloat16"):
        model = classifier(loaded, splits, dropout=0.0)
        start = model.get_weights()
        phase = Phase(cut, epochs=2, learning_rate=1e-3, optimizer="sgd")
        fine_tuning.fine_tune(model, splits, [phase], batch_size=4, precision=precision, restore_best=False)
        kinds = {layer.compute_dtype for layer in model.layers} | {weight.dtype for weight in model.weights}
        assert kinds == {"float32"}
        trained.append(model.get_weights())
    step = [exact - old for exact, old in zip(trained[0], start, strict=True)]
    error = [rounded - exact for exact, rounded in zip(*trained, strict=True)]
    length = lambda arrays: np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays))  # noqa: E731
    assert 0 < length(error) < 0.1 * length(step)


def test_the_uncached_path_is_keras_fit(splits, loaded):
    import keras

    ours = classifier(loaded, splits, dropout=0.0)
    phase = Phase("block5", epochs=2, learning_rate=1e-2, optimizer="sgd", momentum=0.0)
    fine_tuning.fine_tune(ours, splits, [phase], batch_size=100, cached=False, restore_best=False)
    theirs = classifier(loaded, splits, dropout=0.0)
    for layer in theirs.layers:
        layer.trainable = layer.name.startswith(("block5", "head"))
    theirs.compile(keras.optimizers.SGD(1e-2), "sparse_categorical_crossentropy")
    order, images = BatchOrder(len(splits.train), 100, shuffle=True, seed=0), images_of(splits)
    for _ in range(2):
        (rows,) = order  # the same sums in the same order, so that what differs is not the rounding
        theirs.fit(images[rows], splits.train.labels[rows], batch_size=100, shuffle=False, verbose=0)
    for one, plain in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.abs(one - plain).max() <= 1e-5 * np.abs(plain).max()


def images_of(splits):
    return np.concatenate([pixels.numpy() for pixels, _ in splits.train.to_dataset(32)])


def test_a_flipped_byte_never_reaches_training(splits, loaded, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))  # what other tests keep stays whole

    def trained():
        model = classifier(loaded, splits)
        fine_tuning.fine_tune(model, splits, [Phase("head", 2, 1e-2)], batch_size=4)
        return model.get_weights()

    whole = trained()
    entries = list(feature_cache.features_folder().glob("*.npy"))
    assert entries
    for number, path in enumerate(entries):
        content = bytearray(path.read_bytes())
        content[(number + 1) * len(content) // (len(entries) + 2)] ^= 64
        path.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged"):
        again = trained()
    assert all(np.array_equal(one, other) for one, other in zip(whole, again, strict=True))


def test_the_best_weights_come_back(splits, loaded):
    model = classifier(loaded, splits)
    phases = [Phase("head", 3, 1e-2), Phase("head", 2, 10.0, optimizer="sgd")]
    history = fine_tuning.fine_tune(model, splits, phases, batch_size=4).history
    assert min(history["val_loss"]) < history["val_loss"][-1]
    held_out = splits.validation.to_dataset(32, 16)
    assert model.evaluate(held_out, verbose=0)[0] == pytest.approx(min(history["val_loss"]), rel=1e-3)


def test_patience_ends_a_phase(splits, loaded):
    # a rate at which a head on these features goes to and fro
    phases = [Phase("head", 30, 5.0, optimizer="sgd", patience=2), Phase("head", 1)]
    history = fine_tuning.fine_tune(classifier(loaded, splits), splits, phases, batch_size=4).history
    *first, last = history["val_loss"]
    lowest = np.minimum.accumulate(first)
    waits = [epoch for epoch in range(2, 30) if epoch < len(first) and lowest[epoch] == lowest[epoch - 2]]
    assert waits == [len(first) - 1] and np.isfinite(last)  # it ended as soon as two epochs were no better


def test_rates_follow_the_stages(splits, loaded):
    model = classifier(loaded, splits, head="flatten")  # a head that starts at zero sends nothing down
    before = {weight.path: weight.numpy() for weight in model.weights}
    phase = Phase("all", 1, 1e-3, "adam", backbone_lr_ratio=0.5, stage_decay=0.1)
    fine_tuning.fine_tune(model, splits, [phase], batch_size=100, restore_best=False)
    # the first step of Adam is the learning rate for every weight with a gradient
    step = {weight.path: np.abs(weight.numpy() - before[weight.path]).max() for weight in model.weights}
    for stage, ratio in (("block5", 0.5), ("block4", 0.05), ("block3", 0.005)):
        assert step[f"{stage}_conv1/kernel"] == pytest.approx(ratio * 1e-3, rel=0.02)


def test_l2_sp_pulls_back(splits, loaded):
    def distance(strength):
        model = classifier(loaded, splits)
        start = {weight.path: weight.numpy() for weight in model.weights if "block5" in weight.path}
        phase = Phase("block5", 3, 1e-2, "sgd", momentum=0.0, l2_sp=strength)
        fine_tuning.fine_tune(model, splits, [phase], batch_size=4, restore_best=False)
        assert all(weight.regularizer is None for weight in model.weights)
        return sum(
            np.square(weight.numpy() - start[weight.path]).sum() for weight in model.weights if weight.path in start
        )

    assert distance(50.0) < 0.5 * distance(0.0)


def test_class_weights_move_the_loss(splits, loaded):
    names = splits.train.class_names

    def share(class_weight):
        model = classifier(loaded, splits)
        fine_tuning.fine_tune(
            model, splits, [Phase("head", 3, 1e-2)], batch_size=4, class_weight=class_weight, restore_best=False
        )
        return model.predict(images_of(splits), verbose=0)[:, 0].mean()

    assert share({names[0]: 50.0}) > 1.5 * share(None)
    with pytest.raises(ValueError, match="to be names of classes"):
        share({"no such class": 2.0})


def test_class_weights_come_in_every_form(splits, loaded):
    from sklearn.utils.class_weight import compute_class_weight

    splits = Splits(splits.train.subset([0, 0, 0, *range(10)]), splits.validation, splits.test)
    names, labels = splits.train.class_names, splits.train.labels
    weights = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    forms = [
        "balanced",
        weights,
        weights.tolist(),
        tuple(weights),
        pd.Series(weights),
        pd.Series(weights, names)[::-1],
        dict(zip(names, weights, strict=True)),
        dict(enumerate(weights)),
        {np.int64(number): np.float32(weight) for number, weight in enumerate(weights)},
    ]

    def trained(class_weight):
        phases = [Phase("head", 1, 1e-2)]
        return fine_tuning.fine_tune(classifier(loaded, splits), splits, phases, class_weight=class_weight).history

    for form in forms:
        found = fine_tuning._class_weights(form, splits.train)
        np.testing.assert_allclose(found, fine_tuning._class_weights("balanced", splits.train), rtol=1e-6)
        assert found.dtype == np.float32
    assert trained(weights) == trained("balanced")
    partly = fine_tuning._class_weights({names[1]: 2}, splits.train)
    assert partly.tolist() == [1, 2] + [1] * (len(names) - 2)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("balance", "'balance' came"),
        ({0: -1.0}, "the weight of class .* above 0; -1.0 came"),
        ({0: float("nan")}, "above 0; nan came"),
        ({0: True}, "above 0; True came"),
        ({99: 1.0}, "their numbers from 0; 99 came"),
        ({0.5: 1.0}, "their numbers from 0; 0.5 came"),
        ({True: 1.0}, "their numbers from 0; True came"),
        ([1.0, 2.0], "10 numbers, each a number above 0; 2 came"),
        (np.ones((10, 1)), r"of shape \(10, 1\) came"),
        (np.array([0.0] + [1.0] * 9), "above 0; "),
        (np.array([np.inf] + [1.0] * 9), "above 0; "),
        (2.0, "10 numbers, each a number above 0; 2.0 came"),
    ],
)
def test_class_weights_that_cannot_be_meant(class_weight, message, splits, loaded, monkeypatch):
    monkeypatch.setattr(fine_tuning, "TrainingRun", lambda *arguments: pytest.fail("a training began"))
    with pytest.raises(ValueError, match=message):
        fine_tuning.fine_tune(classifier(loaded, splits), splits, epochs=1, class_weight=class_weight)


def test_a_number_that_may_be_a_name_is_refused():
    from tlcourse.datasets.image_data import ImageData

    data = ImageData(np.zeros((2, 1, 1, 3), np.uint8), np.array([0, 1]), ["1", "0"])
    with pytest.raises(ValueError, match="0 came"):
        fine_tuning._class_weights({0: 2.0}, data)
    assert fine_tuning._class_weights({"0": 2.0}, data).tolist() == [1, 2]


@pytest.mark.parametrize("recipe", fine_tuning.RECIPES)
def test_the_epochs_of_a_recipe_are_those_in_all(recipe):
    for count in range(1, 7):
        names = [f"stage{number}" for number in range(count)]
        for epochs in (*range(1, 15), np.int64(9), 100):
            phases = fine_tuning.RECIPES[recipe](names, epochs)
            assert sum(phase.epochs for phase in phases) == epochs and min(phase.epochs for phase in phases) >= 1


@pytest.mark.parametrize("settings", [{"cut": "block5"}, *({"recipe": name} for name in fine_tuning.RECIPES)])
def test_the_epochs_of_settings_are_those_in_all(settings):
    from tlcourse import tuning

    for epochs in range(1, 9):
        phases = tuning.phases_of(settings, ["block4", "block5"], epochs)
        assert sum(phase.epochs for phase in phases) == epochs


def test_a_run_trains_the_epochs_it_was_asked_for(splits, loaded):
    for recipe in ("top_stage", "lp_ft"):
        for epochs in (1, 2):
            model = classifier(loaded, splits)
            history = fine_tuning.fine_tune(model, splits, recipe=recipe, epochs=epochs, cached=False)
            assert len(history.history["loss"]) == len(history.epoch) == epochs


def test_numbers_of_numpy_train_the_same(splits, loaded):
    plain = Phase("head", 1, 0.25, "sgd", warmup=0.5, momentum=0.5, patience=3)
    other = Phase(
        "head", np.int64(1), np.float32(0.25), "sgd", warmup=np.float16(0.5), momentum=np.array(0.5), patience=3.0
    )
    assert other == plain and json.dumps(vars(other)) == json.dumps(vars(plain))
    histories = [
        fine_tuning.fine_tune(classifier(loaded, splits), splits, [phase], batch_size=size, seed=seed).history
        for phase, size, seed in ((plain, 8, 3), (other, np.int32(8), np.int64(3)))
    ]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("phases", [[], ["head"], {"head": 5}, [None]])
def test_phases_that_cannot_be_meant(phases, splits, loaded):
    with pytest.raises(ValueError, match="Expected phases to be"):
        fine_tuning.fine_tune(classifier(loaded, splits), splits, phases)


@pytest.fixture(scope="module")
def not_augmented(splits, loaded):
    model = classifier(loaded, splits)
    fine_tuning.fine_tune(model, splits, [Phase("head", 2, 1e-2)], batch_size=5, restore_best=False)
    return model.get_weights()


@pytest.mark.parametrize("options", [{"augment": True}, {"mix": "mixup"}, {"mix": "cutmix", "augment": True}])
def test_augmented_phases_train_and_repeat(options, splits, loaded, not_augmented):
    weights = []
    for _ in range(2):
        model = classifier(loaded, splits)
        fine_tuning.fine_tune(model, splits, [Phase("head", 2, 1e-2, **options)], batch_size=5, restore_best=False)
        weights.append(model.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))
    assert not np.array_equal(not_augmented[-2], weights[0][-2])


def test_range_test_leaves_the_model_alone(splits, loaded):
    model = classifier(loaded, splits)
    model.compile("adam", "sparse_categorical_crossentropy")
    optimizer, weights, trainable = model.optimizer, model.get_weights(), [layer.trainable for layer in model.layers]
    found = fine_tuning.find_learning_rate(model, splits, Phase("head"), batch_size=5, steps=40)
    assert model.optimizer is optimizer and [layer.trainable for layer in model.layers] == trainable
    assert all(np.array_equal(one, other) for one, other in zip(model.get_weights(), weights, strict=True))
    assert 1e-5 < found.suggestion < 0.5
    assert found.draw().axes[0].get_xscale() == "log"
    assert fine_tuning._steepest(found.table.assign(smoothed=np.arange(len(found.table)))) is None


# Forks a process for each run that it is told, says its number, what it says, and how it ended. Nothing is computed
# before the fork: TensorFlow's threads would not come along. A run may send a signal to itself at a moment, such as
# "step done 3": before the third step of this process is told to anybody
RUNS = """if True:
    import collections, hashlib, json, os, signal, sys
    import keras, tensorflow
    from thin import stay_thin
    from tlcourse import backbones, data, fine_tuning
    from tlcourse.training import checkpoints, training_run
    from tlcourse.fine_tuning import Phase
    from tlcourse.splitting import Splits

    stay_thin()
    images = data.load("textures").sample(per_class=6)
    splits = Splits(*(images.subset(range(start, 60, 3)) for start in range(3)))

    def interrupted_at(moment, sent):
        counts = collections.Counter()

        def reached(name):
            counts[name] += 1
            if f"{name} {counts[name]}" == moment:
                os.kill(os.getpid(), sent)

        class Files:
            def __getattr__(self, name):
                return getattr(os, name)

            def fsync(self, file):
                if f"half written {counts['half written'] + 1}" == moment:
                    os.ftruncate(file, os.fstat(file).st_size // 2)
                reached("half written")

            def replace(self, *names):
                reached("written")
                os.replace(*names)
                reached("saved")

        return reached, Files()

    def run(folder, moment, sent):
        # a shell ignores it for what it starts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
        reached, checkpoints.os = interrupted_at(moment, sent)
        keeper_of = training_run._keeper

        def keeper(*arguments):
            made = keeper_of(*arguments)
            for name, before, after in (
                ("on_train_batch_end", "step done", "step told"),
                ("on_test_begin", "validation", "-"),
            ):
                def told(number=None, logs=None, *, method=getattr(made, name), before=before, after=after):
                    reached(before)
                    method(*[one for one in (number, logs) if one is not None])
                    reached(after)

                setattr(made, name, told)
            return made

        training_run._keeper = keeper
        vgg = backbones.load_backbone("VGG16", "course", 32)
        model = fine_tuning.build_classifier(vgg, images.class_names)
        head = Phase("head", 4, 1e-3, schedule="cosine", warmup=0.1)
        phases = [head, Phase("block5", 3, 1e-4, "adamw", backbone_lr_ratio=0.5)]
        print("ready", flush=True)
        history = fine_tuning.fine_tune(model, splits, phases, batch_size=4, checkpoint_dir=folder)
        state = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights()))
        print(state.hexdigest(), repr(history.history["loss"]), flush=True)

    for line in sys.stdin:
        heard, say = os.pipe()
        child = os.fork()
        if child == 0:
            failed = 1
            try:
                os.read(heard, 1)  # its number is said before anything else
                run(*json.loads(line))
                failed = 0
            finally:
                os._exit(failed)
        print(child, flush=True)
        os.write(say, b"!")
        print("ended", os.waitpid(child, 0)[1], flush=True)
        os.close(heard)
        os.close(say)
"""


class Runs:
    "Runs in processes of their own, one after the other, which need not import TensorFlow each"

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUNS],
            cwd=Path(__file__).parent,  # where the thin networks are
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def start(self, folder, moment=None, sent=0):
        "The number of the process, at the moment before it trains"
        self.process.stdin.write(f"{json.dumps([str(folder), moment, sent])}\n")
        self.process.stdin.flush()
        number = int(self.lines.get(timeout=300))
        assert self.lines.get(timeout=300) == "ready\n"
        return number

    def wait(self, seconds=300.0):
        "What the run says at its end; None where it says nothing in so many seconds"
        with contextlib.suppress(queue.Empty):
            return self.lines.get(timeout=seconds)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def runs(thin):
    runs = Runs()
    yield runs
    runs.stop()


@pytest.fixture(scope="module")
def undisturbed(runs, tmp_path_factory):
    "What the run says where nothing stops it, and its seconds"
    runs.start(tmp_path_factory.mktemp("undisturbed"))
    begun = time.monotonic()
    said = runs.wait()
    seconds = time.monotonic() - begun
    assert said and not said.startswith("ended") and runs.wait() == "ended 0\n"
    return said, seconds


posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork and SIGKILL are matters of POSIX")
# Moments of one run after the other in one folder, each counted from where that run goes on. An epoch of the head is
# one call and so one step; there are four, and three of block5 with five steps each
KILLED_AT = [
    "half written 1",  # nothing is kept
    "saved 1",  # one epoch of the head
    "written 2",  # two, and a third that is not in its place
    "saved 3",  # the head is done
    "step told 3",
    "half written 1",
    "step done 7",  # in the second epoch of block5
]
INTERRUPTED_AT = [
    "validation 2",
    "step done 6",  # in the middle of an epoch of block5: of the third step nobody knows but the optimizer
    "step told 5",  # and in the next one, after the rest of this
]


@pytest.mark.long(60)
@posix
@pytest.mark.parametrize(
    ("sent", "moments", "left"),
    [(getattr(signal, "SIGKILL", 9), KILLED_AT, 10), (signal.SIGINT, INTERRUPTED_AT, 7)],
)
def test_a_run_that_is_stopped_at_any_moment_ends_where_it_would_have(sent, moments, left, runs, undisturbed, tmp_path):
    for moment in moments:
        runs.start(tmp_path, moment, sent)
        ended = runs.wait()
        assert ended == f"ended {sent if sent != signal.SIGINT else 256}\n", moment
    # it goes on from what was kept: so many steps are left, and a signal at one more never comes
    runs.start(tmp_path, f"step done {left + 1}", signal.SIGKILL)
    assert runs.wait() == undisturbed[0] and runs.wait() == "ended 0\n"


@pytest.mark.long(30)
@posix
@pytest.mark.parametrize(("sent", "times"), [(getattr(signal, "SIGKILL", 9), 1), (signal.SIGINT, 1)])
def test_a_run_that_is_stopped_from_outside_ends_where_it_would_have(sent, times, runs, undisturbed, tmp_path):
    "When the signal comes is left to the clock: what the run ends with is not"
    (whole, seconds), rng, stopped, run = undisturbed, random.Random(0), 0, 0
    while stopped < times:
        number = runs.start(tmp_path / f"disturbed {run}")
        said = runs.wait(rng.uniform(0.1, 0.8) * seconds)
        if said is None:
            os.kill(number, sent)  # its parent waits for it, so nobody else can have this number
            said = runs.wait()
        if said.startswith("ended"):
            stopped += said != "ended 0\n"
        else:  # it came to its end before the signal: another one
            assert said == whole
            assert runs.wait().startswith("ended")
            run += 1
    runs.start(tmp_path / f"disturbed {run}")
    assert runs.wait() == whole and runs.wait() == "ended 0\n"


def test_without_compiling_anew_an_unfrozen_stage_stays(splits, loaded):
    phases = [Phase("head", 1, 1e-2), Phase("block5", 1, 1e-2, "sgd")]
    moved = []
    for recompile in (True, False):
        model = classifier(loaded, splits)
        before = model.get_layer("block5_conv1").kernel.numpy()
        options = {"cached": False, "recompile": recompile, "restore_best": False}
        fine_tuning.fine_tune(model, splits, phases, batch_size=5, **options)
        moved.append(not np.array_equal(before, model.get_layer("block5_conv1").kernel.numpy()))
    assert moved == [True, False]
    with pytest.raises(ValueError, match="cached=False with recompile=False"):
        fine_tuning.fine_tune(model, splits, phases, recompile=False)


def test_a_loss_that_is_no_number_is_never_the_best(splits, loaded):
    model = classifier(loaded, splits)
    phases = [Phase("head", 1, 1e-2), Phase("head", 1, 1e30, optimizer="sgd")]
    history = fine_tuning.fine_tune(model, splits, phases, batch_size=4).history
    assert not history["val_loss"][1] < history["val_loss"][0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_checkpoint_of_another_run_is_refused(splits, loaded, tmp_path):
    fine_tuning.fine_tune(classifier(loaded, splits), splits, [Phase("head", 1)], checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="a run with other phases"):
        fine_tuning.fine_tune(classifier(loaded, splits), splits, [Phase("head", 2)], checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="a run with other weights"):
        fine_tuning.fine_tune(
            classifier(loaded, splits, head="flatten"), splits, [Phase("head", 1)], checkpoint_dir=tmp_path
        )


def test_a_finished_run_comes_back_at_once(splits, loaded, tmp_path):
    runs = []
    for _ in range(2):
        model = classifier(loaded, splits)
        runs.append(
            (
                fine_tuning.fine_tune(model, splits, [Phase("head", 2)], checkpoint_dir=tmp_path).history,
                model.get_weights(),
            )
        )
    assert runs[0][0] == runs[1][0]
    assert all(np.array_equal(one, other) for one, other in zip(runs[0][1], runs[1][1], strict=True))
