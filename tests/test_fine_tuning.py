"""Fine-tuning on cached features is fine-tuning, and a killed run loses nothing."""

import contextlib
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tlcourse import backbones, data, feature_cache, fine_tuning
from tlcourse.batch_order import BatchOrder
from tlcourse.fine_tuning import Phase
from tlcourse.splitting import Splits

CUTS = [(name, cut) for name in ("ResNet50", "VGG16") for cut in ["head", *backbones.BACKBONES[name].cut_points]]
EXACT = {"fold": False, "precision": "float32"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def splits():
    images = data.load("textures").sample(per_class=3)
    parts = [images.subset(range(start, 30, 3)) for start in range(3)]
    return Splits(*parts)


@pytest.fixture(scope="module")
def loaded():
    return {name: backbones.load_backbone(name, "course", 32) for name in ("ResNet50", "VGG16")}


def classifier(loaded, splits, name="VGG16", **options):
    return fine_tuning.build_classifier(loaded[name], splits.train.class_names, **options)


@pytest.mark.long(30)
@pytest.mark.parametrize(("name", "cut"), CUTS)
def test_cached_training_is_plain_training(name, cut, splits, loaded):
    trained = []
    for cached in (True, False):
        model = classifier(loaded, splits, name)
        phase = Phase(cut, epochs=3, learning_rate=1e-3, optimizer="sgd")
        fine_tuning.fine_tune(model, splits, [phase], batch_size=4, cached=cached, restore_best=False, **EXACT)
        trained.append(model)
    start = classifier(loaded, splits, name)
    assert any(not np.array_equal(a, b) for a, b in zip(trained[0].get_weights(), start.get_weights(), strict=True))
    for one, plain in zip(*(model.get_weights() for model in trained), strict=True):
        assert np.abs(one - plain).max() <= 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize("cut", ["head", "block5", "all"])
def test_in_bfloat16_training_is_nearly_the_same(cut, splits, loaded):
    trained = []
    for precision in ("float32", "bfloat16"):
        model = classifier(loaded, splits, dropout=0.0)
        phase = Phase(cut, epochs=2, learning_rate=1e-3, optimizer="sgd")
        fine_tuning.fine_tune(model, splits, [phase], batch_size=4, precision=precision, restore_best=False)
        kinds = {layer.compute_dtype for layer in model.layers} | {weight.dtype for weight in model.weights}
        assert kinds == {"float32"}
        trained.append(model.get_weights())
    start = classifier(loaded, splits).get_weights()
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
    phases = [Phase("head", 30, 5.0, optimizer="sgd", patience=2), Phase("head", 1)]
    history = fine_tuning.fine_tune(classifier(loaded, splits), splits, phases, batch_size=4).history
    assert len(history["loss"]) < 31


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
    with pytest.raises(ValueError, match="from names of classes"):
        share({"no such class": 2.0})


@pytest.mark.parametrize("options", [{"augment": True}, {"mix": "mixup"}, {"mix": "cutmix", "augment": True}])
def test_augmented_phases_train_and_repeat(options, splits, loaded):
    weights = []
    for _ in range(2):
        model = classifier(loaded, splits)
        fine_tuning.fine_tune(model, splits, [Phase("head", 2, 1e-2, **options)], batch_size=5, restore_best=False)
        weights.append(model.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))
    model = classifier(loaded, splits)
    fine_tuning.fine_tune(model, splits, [Phase("head", 2, 1e-2)], batch_size=5, restore_best=False)
    assert not np.array_equal(model.get_weights()[-2], weights[0][-2])


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


# Forks a process for each folder that it is told, says its number, what it says, and how it ended. Nothing is computed
# before the fork: TensorFlow's threads would not come along
RUNS = """if True:
    import hashlib, os, signal, sys
    import keras, tensorflow
    from tlcourse import backbones, data, fine_tuning
    from tlcourse.fine_tuning import Phase
    from tlcourse.splitting import Splits

    images = data.load("textures").sample(per_class=6)
    splits = Splits(*(images.subset(range(start, 60, 3)) for start in range(3)))

    def run(folder):
        # a shell ignores it for what it starts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
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
                run(line.rstrip())
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

    def start(self, folder):
        "The number of the process, at the moment before it trains"
        self.process.stdin.write(f"{folder}\n")
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
def runs():
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
    assert said and runs.wait() == "ended 0\n"
    return said, seconds


@pytest.mark.long(200)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork and SIGKILL are matters of POSIX")
@pytest.mark.parametrize(("sent", "times"), [(getattr(signal, "SIGKILL", 9), 10), (signal.SIGINT, 1)])
def test_a_run_that_is_stopped_again_and_again_ends_where_it_would_have(sent, times, runs, undisturbed, tmp_path):
    (whole, seconds), rng, stopped, run = undisturbed, random.Random(0), 0, 0
    while stopped < times:
        number = runs.start(tmp_path / f"disturbed {run}")
        said = runs.wait(rng.uniform(0.2, 0.6 * seconds))
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
