"""Pretraining: what a run leaves, that a killed run ends where an undisturbed one does, and what the files hold."""

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOLS, THIN = Path(__file__).parents[1] / "tools", Path(__file__).with_name("thin.py")
sys.path.insert(0, str(TOOLS))

import pretrain  # noqa: E402
from pretraining import networks  # noqa: E402
from pretraining.source import Source, crops, order_of  # noqa: E402
from pretraining.teacher import teacher_network  # noqa: E402
from thin import thin_networks  # noqa: E402

from tlcourse.backbones import find_spec, load_backbone  # noqa: E402

pytestmark = pytest.mark.training

CLASSES = {"n01443537": (200, 60, 40), "n01629819": (40, 180, 60), "n01641577": (50, 70, 210)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    "A file like the official one: three classes of 60 images, each class of one colour with noise"
    path, rng = tmp_path_factory.mktemp("source") / "tiny-imagenet-200.zip", np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as file:
        for name, colour in CLASSES.items():
            for number in range(60):
                pixels = (rng.normal(colour, 40, (64, 64, 3))).clip(0, 255).astype(np.uint8)
                stored = io.BytesIO()
                Image.fromarray(pixels).save(stored, "JPEG")
                file.writestr(f"tiny-imagenet-200/train/{name}/images/{name}_{number}.JPEG", stored.getvalue())
        file.writestr("tiny-imagenet-200/val/images/val_0.JPEG", b"not for training")
    return path


@pytest.fixture(scope="module", autouse=True)
def weights_of_thin_networks(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THIN_WEIGHTS", str(tmp_path_factory.mktemp("thin")))
        yield


def command(archive, out, pixels):
    "A run with a thin VGG16"
    run = [sys.executable, str(THIN), str(TOOLS / "pretrain.py"), "VGG16", "--source", str(archive), "--out", str(out)]
    return [*run, "--pixels", str(pixels), *"--share 0.1 --batch-size 16 --every 2 --precision float32".split()]


@pytest.fixture(scope="module")
def undisturbed(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    done = subprocess.run(command(archive, out, out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return out, done.stdout


def weights(folder):
    with thin_networks():
        return load_backbone("VGG16", str(folder / "vgg16_course64.weights.h5"), 64).model.get_weights()


def test_a_run_learns_and_says_how_its_weights_were_made(undisturbed):
    out, printed = undisturbed
    facts = json.loads((out / "vgg16_card.json").read_text())
    assert facts["classes"] == sorted(CLASSES) and "174 images of 3 classes" in facts["source"]
    assert facts["difference of the file from the trained network"] < 1e-3
    assert_learned(facts, printed)
    losses = [float(line.split("loss ")[1].split()[0]) for line in printed.splitlines() if "loss " in line]
    np.testing.assert_allclose(losses, [row["loss"] for row in facts["log"]], rtol=1e-3)


def assert_learned(facts, printed=""):
    "What the batches say: in so few steps no average of a BatchNorm has settled, and held-out images need those"
    losses, accuracies = ([row[name] for row in facts["log"]] for name in ("loss", "accuracy"))
    assert losses[-1] < losses[0] and min(losses) < 0.6 * losses[0], printed
    assert np.mean(accuracies) > 0.6, printed  # chance is a third; the colours are easy


def killed_and_resumed(run, out, environment):
    "What the second process prints, after one that was killed behind the state of step 5"
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout:
            if line.startswith("step 7"):
                break
        process.send_signal(signal.SIGKILL)
    assert not (out / "vgg16_card.json").exists()
    again = subprocess.run(run, capture_output=True, text=True, env=environment)
    assert "goes on from step" in again.stdout, again.stderr[-2000:]
    return again.stdout


def test_a_killed_run_ends_with_the_same_weights(archive, undisturbed, tmp_path):
    run = command(archive, tmp_path, undisturbed[0])
    killed_and_resumed(run, tmp_path, os.environ)
    written, expected = (folder / "vgg16_course64.weights.h5" for folder in (tmp_path, undisturbed[0]))
    assert written.read_bytes() == expected.read_bytes()
    other = subprocess.run([*run, "--seed", "1"], capture_output=True, text=True)
    assert other.returncode == 2 and "another recipe, seed, source" in other.stderr


def losses_of(folder):
    return [row["loss"] for row in json.loads((folder / "vgg16_card.json").read_text())["log"]]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_of_keras_run_and_go_on(backend, archive, undisturbed, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed, and tlcourse does not need it")
    killed_and_resumed(command(archive, tmp_path, undisturbed[0]), tmp_path, os.environ | {"KERAS_BACKEND": backend})
    facts = json.loads((tmp_path / "vgg16_card.json").read_text())
    assert facts["backend"] == backend and backend in facts["versions"]
    assert facts["difference of the file from the trained network"] < 1e-3
    assert_learned(facts)
    # the first weights are other random numbers; the images, their order and the recipe are the same
    losses, expected = losses_of(tmp_path), losses_of(undisturbed[0])
    assert len(losses) == len(expected)
    assert np.mean(losses) == pytest.approx(np.mean(expected), rel=0.5)
    assert np.isfinite(weights(tmp_path)[-1]).all()  # TensorFlow reads what another backend wrote


def test_a_run_goes_on_in_the_precision_that_it_began_in(monkeypatch):
    monkeypatch.setattr(pretrain, "has_accelerator", lambda: True)
    assert pretrain.computes_in("auto") == "bfloat16"
    assert pretrain.computes_in("auto", ({}, {"kind": "float32"})) == "float32"
    assert pretrain.computes_in("bfloat16", ({}, {"kind": "float32"})) == "bfloat16"


# Keras's own writer of weights
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_teacher_is_read_out_of_the_file_of_a_whole_model(archive, tmp_path):
    import keras

    inner = keras.applications.MobileNetV2((96, 96, 3), include_top=False, weights=None)
    inputs = keras.Input((96, 96, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inner(inputs))
    whole = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(pooled)))
    whole.save(tmp_path / "whole.h5")
    teacher = teacher_network(tmp_path / "whole.h5", 96)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 96, 96, 3)).astype(np.float32)
    expected = keras.Model(inputs, pooled).predict(images, verbose=0)
    np.testing.assert_allclose(teacher.model.predict(images, verbose=0), expected, rtol=1e-4, atol=1e-6)

    source = Source(archive, tmp_path)
    features = pretrain.teacher_features(source, tmp_path / "whole.h5", tmp_path)
    assert features.shape == (180, 1280) and np.abs(features.mean(axis=0, dtype=np.float64)).max() < 1e-3
    np.testing.assert_array_equal(pretrain.teacher_features(source, tmp_path / "whole.h5", tmp_path), features)

    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "other.h5")
    with pytest.raises(ValueError, match="has no kernel of Conv1"):
        teacher_network(tmp_path / "other.h5", 96)


# Keras's own writer of weights
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("name", ["VGG16", "ResNet50"])
def test_the_finished_network_is_the_trained_one(name, tmp_path):
    "With BatchNorm statistics as a training leaves them: none is 0 or 1"
    model, rng = networks.trainable_network(find_spec(name), 5, 7, seed=0), np.random.default_rng(0)
    for layer in model.layers:
        if "bn" in layer.name:
            shape = layer.gamma.shape
            layer.set_weights(
                [rng.uniform(0.5, 1.5, shape), *rng.normal(0, 0.3, (2, *shape)), rng.uniform(0.5, 2, shape)]
            )
        if layer.name == "conv1_bn":  # as it came out of a run; float16 ends at 65504
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta, mean * 100, variance * 1e5])
    plain = networks.finished(model, find_spec(name), 64)
    assert networks.largest_difference(model, plain) < 1e-4
    networks.write_float16(plain, tmp_path / "half.weights.h5")
    networks.write_float16(plain, tmp_path / "again.weights.h5")
    assert (tmp_path / "half.weights.h5").read_bytes() == (tmp_path / "again.weights.h5").read_bytes()
    read = load_backbone(name, str(tmp_path / "half.weights.h5"), 64).model
    images = rng.uniform(-120, 130, (4, 64, 64, 3)).astype(np.float32)
    expected = plain.predict(images, verbose=0)
    difference = np.abs(read.predict(images, verbose=0) - expected).max() / np.abs(expected).max()
    assert 0 < difference < 5e-3


def test_classes_that_are_left_out_are_not_trained_on(archive, tmp_path):
    source = Source(archive, tmp_path, ["n01629819"])
    assert source.classes == ["n01443537", "n01641577"]
    used = np.concatenate([source.train, source.held_out])
    assert len(np.unique(used)) == 120 and (source.pixels[used].mean(axis=(0, 1, 2))[1] < 100)
    with pytest.raises(ValueError, match="n99"):
        Source(archive, tmp_path, ["n99"])
    with pytest.raises(ValueError, match="neither"):
        Source(tmp_path / "nowhere", tmp_path)


def test_an_epoch_sees_each_image_once_and_each_epoch_in_another_order(archive, tmp_path):
    source = Source(archive, tmp_path)
    first, second = order_of(source, 0, 0), order_of(source, 1, 0)
    np.testing.assert_array_equal(np.sort(first), source.train)
    assert not np.array_equal(first, second)


def test_a_crop_of_a_picture_without_detail_changes_its_light_alone():
    flat = np.full((20, 64, 64, 3), 100, np.uint8)
    cut = crops(flat, 32, np.random.default_rng(0), 0.6, jitter=0)
    np.testing.assert_allclose(cut, 100)
    lit = crops(flat, 32, np.random.default_rng(0), 0.6)
    assert (
        lit.std(axis=(1, 2, 3)).max() < 1e-4
        and 80 <= lit.min()
        and lit.max() <= 120
        and np.ptp(lit.mean((1, 2, 3))) > 5
    )


@pytest.mark.parametrize(
    ("side", "kernel", "strides"), [(1, 3, 1), (2, 3, 1), (6, 3, 1), (12, 3, 1), (6, 1, 1), (5, 1, 2)]
)
def test_a_fast_convolution_computes_what_keras_s_does(side, kernel, strides):
    import keras
    from pretraining.fast_layers import fast

    rng, found = np.random.default_rng(0), []
    images = rng.normal(size=(8, side, side, 5)).astype(np.float32)
    first = [rng.normal(size=(kernel, kernel, 5, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32)]
    for made in (lambda layer: layer, fast):
        inputs = keras.Input((side, side, 5))
        # a layer below: the gradient has to come through the convolution
        before = keras.layers.Dense(5, kernel_initializer="identity", name="before")(inputs)
        layer = made(keras.layers.Conv2D(7, kernel, strides, padding="same", activation="relu", name="convolution"))
        model = keras.Model(inputs, layer(before))
        layer.set_weights(first)
        model.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
        output = model.predict(images, verbose=0)
        model.train_on_batch(images, np.ones_like(output))
        found.append([output, *model.get_weights()])
    for plain, small in zip(*found, strict=True):
        np.testing.assert_allclose(small, plain, rtol=1e-4, atol=1e-5)
    assert np.abs(found[0][3] - first[0]).max() > 1e-3  # and the kernel moved


@pytest.mark.parametrize("side", [1, 9])
def test_a_fast_batch_norm_computes_what_keras_s_does(side):
    import keras
    from pretraining.fast_layers import fast

    rng, found = np.random.default_rng(0), []
    images = rng.normal(3, 5, (16, side, side, 6)).astype(np.float32)
    first = [rng.uniform(0.5, 2, 6), *rng.normal(0, 1, (2, 6)), rng.uniform(0.5, 2, 6)]
    for made in (lambda layer: layer, fast):
        inputs = keras.Input((side, side, 6))
        before = keras.layers.Dense(6, kernel_initializer="identity", name="before")(inputs)
        layer = made(keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name="normalization"))
        model = keras.Model(inputs, keras.layers.Activation("relu")(layer(before)))
        layer.set_weights(first)
        model.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
        model.train_on_batch(images, np.ones_like(images))
        found.append([model.predict(images, verbose=0), *model.get_weights()])
    for plain, small in zip(*found, strict=True):
        np.testing.assert_allclose(small, plain, rtol=1e-4, atol=1e-5)
    assert np.abs(found[0][5] - first[2]).max() > 0.1 and np.abs(found[0][6] - first[3]).max() > 0.1  # moving ones
