"""Pretraining: what a run leaves, that a killed run ends where an undisturbed one does, and what the files hold."""

import contextlib
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

TOOLS, THIN = Path(__file__).parents[1] / "tools", Path(__file__).with_name("thin.py")
sys.path.insert(0, str(TOOLS))

import pretrain  # noqa: E402
from pretraining import augmentation, averaging, networks, parts, teacher  # noqa: E402
from pretraining.recipes import LONG, SHORT, Recipe  # noqa: E402
from pretraining.source import Source, order_of  # noqa: E402
from thin import thin_networks  # noqa: E402

from tlcourse.backbones import find_spec, load_backbone  # noqa: E402
from tlcourse.training.checkpoints import load_state  # noqa: E402

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


PIECES = "averaging=1 mix_up=0.1 cut_mix=0.1 styles=0.1 saturation=0.3 turned=0.2 batch_size=16".split()


def options(archive, out, pixels, *more):
    "Of a run of nine steps with each piece that a recipe can have"
    run = ["VGG16", "--source", str(archive), "--out", str(out), "--pixels", str(pixels), "--recipe", "short"]
    return [*run, *"--share 0.1 --every 2 --precision float32 --set".split(), *PIECES, *more]


def run_here(arguments):
    "What a run with a thin VGG16 prints"
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as printed,
        warnings.catch_warnings(action="ignore"),  # Keras's writer of weights
        thin_networks(),
    ):
        import keras

        keras.utils.clear_session()  # layers are numbered from the first, as in a process of its own
        patch.setattr(sys, "argv", ["pretrain.py", *arguments])
        pretrain.main()
    return printed.getvalue()


def command(arguments):
    return [sys.executable, str(THIN), str(TOOLS / "pretrain.py"), *arguments]


def run_alone(arguments):
    "What a run prints in a process of its own: what ran before in a process can change the last bit of a sum"
    ran = subprocess.run(command(arguments), capture_output=True, text=True)
    assert not ran.returncode, ran.stderr[-2000:]
    return ran.stdout


@pytest.fixture(scope="module")
def undisturbed(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    return out, run_alone(options(archive, out, out))


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


def killed(arguments, out, environment):
    "A run in a process of its own, killed behind the state of step 5"
    with subprocess.Popen(command(arguments), stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout:
            if line.startswith("step 7"):
                break
        process.send_signal(signal.SIGKILL)
    assert not (out / "vgg16_card.json").exists()


def test_a_killed_run_that_is_carried_elsewhere_ends_with_the_same_weights(archive, undisturbed, tmp_path, capsys):
    killed(options(archive, tmp_path / "here", undisturbed[0]), tmp_path / "here", os.environ)
    shutil.move(tmp_path / "here", tmp_path / "there")
    arguments = options(archive, tmp_path / "there", undisturbed[0])
    assert "goes on from step" in run_alone(arguments)
    written, expected = (folder / "vgg16_course64.weights.h5" for folder in (tmp_path / "there", undisturbed[0]))
    assert written.read_bytes() == expected.read_bytes()
    with pytest.raises(SystemExit):
        run_here([*arguments, "--seed", "1"])
    assert "another recipe, seed, source" in capsys.readouterr().err


def test_what_is_written_is_the_average_that_was_best(undisturbed):
    (last, facts), (best, of_best) = (load_state(undisturbed[0] / name) for name in ("state", "best"))
    assert of_best["log"] == facts["log"][: len(of_best["log"])]
    judged = [row["held-out accuracy"] for row in facts["log"] if "held-out accuracy" in row]
    assert len(judged) >= 3 and of_best["log"][-1]["held-out accuracy"] == max(judged)
    with thin_networks():
        network = networks.trainable_network(find_spec("VGG16"), 3, 0, 0)
        assert len(last) > 2 * len(best) - 20  # the weights, their momentum and their average
        assert np.abs(last["model/0"] - best["model/0"]).max() > 1e-4
        pretrain.restore(best, network)
        expected = networks.finished(network, find_spec("VGG16")).get_weights()
    for value, other in zip(weights(undisturbed[0]), expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=2e-3, atol=1e-5)


def losses_of(folder):
    return [row["loss"] for row in json.loads((folder / "vgg16_card.json").read_text())["log"]]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_of_keras_run_and_go_on(backend, archive, undisturbed, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed, and tlcourse does not need it")
    environment = os.environ | {"KERAS_BACKEND": backend}
    arguments = options(archive, tmp_path, undisturbed[0])
    killed(arguments, tmp_path, environment)
    again = subprocess.run(command(arguments), capture_output=True, text=True, env=environment)
    assert "goes on from step" in again.stdout, again.stderr[-2000:]
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
def test_a_teacher_is_read_out_of_the_file_of_a_whole_model(tmp_path):
    import keras

    inner = keras.applications.MobileNetV2((96, 96, 3), include_top=False, weights=None)
    inputs = keras.Input((96, 96, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inner(inputs))
    whole = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(pooled)))
    whole.save(tmp_path / "whole.h5")
    read = teacher.teacher_network(tmp_path / "whole.h5", 96)
    for layer in filter(lambda layer: layer.weights, inner.layers):
        for value, other in zip(layer.get_weights(), read.model.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(other, value)

    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "other.h5")
    with pytest.raises(ValueError, match="has no kernel of Conv1"):
        teacher.teacher_network(tmp_path / "other.h5", 96)


def test_a_teacher_s_opinion_is_of_images_that_it_was_not_fitted_to(archive, tmp_path):
    source = Source(archive, tmp_path)
    wrong = np.arange(180) % 5 == 0  # look like another class; by its own mark each could be learned by heart
    looks_like = np.where(wrong, (source.labels + 1) % 3, source.labels)
    features = np.concatenate([np.eye(180), np.eye(3)[looks_like]], axis=1).astype(np.float16)
    found = teacher.opinions_of(features, source, epochs=15, batch_size=8)
    np.testing.assert_allclose(found.sum(axis=1, dtype=np.float64), 1, atol=5e-3)
    assert (found.argmax(axis=1) == looks_like).mean() > 0.95


def test_features_of_a_teacher_are_centred_and_of_images_of_128_pixels():
    pixels = np.random.default_rng(1).integers(0, 256, (300, 64, 64, 3), dtype=np.uint8)
    mean = SimpleNamespace(predict_on_batch=lambda images: images[:, 1:128:2, 1:128:2].mean(axis=(1, 2)))
    features = teacher.features_of(pixels, SimpleNamespace(model=mean, preprocess=lambda images: images / 2))
    means = pixels.mean(axis=(1, 2)) / 2
    np.testing.assert_allclose(features, means - means.mean(axis=0), atol=5e-3)


def test_what_a_teacher_says_is_kept_in_files(archive, tmp_path, monkeypatch):
    source = Source(archive, tmp_path)
    arrays = iter(np.random.default_rng(0).normal(size=(2, 180, 4)))
    stub = SimpleNamespace(model=SimpleNamespace(get_weights=lambda: [np.zeros(2)]))
    monkeypatch.setattr(teacher, "teacher_network", lambda weights, size: stub)
    monkeypatch.setattr(teacher, "features_of", lambda pixels, backbone: next(arrays))
    monkeypatch.setattr(teacher, "opinions_of", lambda features, source: next(arrays))
    found, again = (teacher.teacher_of(source, "file", tmp_path, with_opinions=True) for _ in range(2))
    assert again.name == found.name
    np.testing.assert_array_equal(again.features, found.features)
    np.testing.assert_array_equal(again.opinions, found.opinions)


# Keras's own writer of weights
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("name", ["VGG16", "ResNet50"])
def test_the_finished_network_is_the_trained_one(name, tmp_path):
    "With BatchNorm statistics as a training leaves them: none is 0 or 1"
    rng = np.random.default_rng(0)
    with thin_networks():
        model = networks.trainable_network(find_spec(name), 5, 7, seed=0)
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
        read = load_backbone(name, str(tmp_path / "half.weights.h5"), 64).model
    assert (tmp_path / "half.weights.h5").read_bytes() == (tmp_path / "again.weights.h5").read_bytes()
    images = rng.uniform(-120, 130, (4, 64, 64, 3)).astype(np.float32)
    expected = plain.predict(images, verbose=0)
    difference = np.abs(read.predict(images, verbose=0) - expected).max() / np.abs(expected).max()
    assert 0 < difference < 5e-3


def test_each_layer_of_the_whole_resnet50_is_finished():
    model = networks.trainable_network(find_spec("ResNet50"), 5, 7, seed=0)
    layer = model.get_layer("conv4_block3_2_bn")
    gamma, beta, mean, variance = layer.get_weights()
    layer.set_weights([gamma, beta, mean, variance + networks.LARGEST_VARIANCE])
    plain = networks.finished(model, find_spec("ResNet50"), 32)
    for layer in filter(lambda layer: layer.weights, plain.layers):
        scaled = layer.name in ("conv4_block3_2_conv", "conv4_block3_2_bn")
        for value, other in zip(model.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
            assert scaled or np.array_equal(other, value)
    assert max(abs(value).max() for value in plain.get_layer("conv4_block3_2_bn").get_weights()) <= 2**14
    scaled = plain.get_layer("conv4_block3_2_conv").kernel / model.get_layer("conv4_block3_2_conv").kernel
    np.testing.assert_allclose(scaled, 0.5, rtol=1e-6)


def test_classes_that_are_left_out_are_not_trained_on(archive, tmp_path):
    source = Source(archive, tmp_path, ["n01629819"])
    assert source.classes == ["n01443537", "n01641577"]
    used = np.concatenate([source.train, source.held_out])
    assert len(np.unique(used)) == 120 and (source.pixels[used].mean(axis=(0, 1, 2))[1] < 100)
    with pytest.raises(ValueError, match="n99"):
        Source(archive, tmp_path, ["n99"])
    with pytest.raises(ValueError, match="neither"):
        Source(tmp_path / "nowhere", tmp_path)


def test_the_held_out_images_are_the_same_whatever_is_trained_on(archive, tmp_path):
    source, few = Source(archive, tmp_path), Source(archive, tmp_path, limit=10)
    np.testing.assert_array_equal(source.held_out, [0, 50, 60, 110, 120, 170])  # the first of each fifty of a class
    np.testing.assert_array_equal(few.held_out, source.held_out)
    assert len(few.train) == 27 and not set(source.train) & set(source.held_out)


def test_an_epoch_sees_each_image_once_and_each_epoch_in_another_order(archive, tmp_path):
    source = Source(archive, tmp_path)
    first, second = order_of(source, 0, 0), order_of(source, 1, 0)
    np.testing.assert_array_equal(np.sort(first), source.train)
    assert not np.array_equal(first, second)


PLAIN = Recipe(((32, 1),), 0.1)


def images_of(pixels, recipe=PLAIN, size=32, seed=0, **given):
    "What the network sees, and what was drawn"
    import keras

    drawn = augmentation.draw(np.random.default_rng(seed), len(pixels), size, recipe) | given | {"pixels": pixels}
    return keras.ops.convert_to_numpy(augmentation.shown(drawn)), drawn


@pytest.mark.parametrize("size", [32, 48, 64])
def test_a_crop_is_what_pillow_reads_from_the_same_box(size):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    left, top, width, height = rng.uniform(0, 10, (2, 6)).tolist() + rng.uniform(40, 54, (2, 6)).tolist()
    boxes = np.array([left, top, width, height])
    given = {
        "columns": augmentation.sampling(boxes[0], boxes[2], size),
        "rows": augmentation.sampling(boxes[1], boxes[3], size),
        "colour": augmentation.colour_matrices(np.ones(6), np.ones(6)),
        "brightness": np.ones(6, np.float32),
    }
    seen, _ = images_of(pixels, size=size, **given)
    for number, image in enumerate(seen):
        box = (left[number], top[number], left[number] + width[number], top[number] + height[number])
        read = Image.fromarray(pixels[number]).resize((size, size), Image.Resampling.BILINEAR, box=box)
        np.testing.assert_allclose(image, np.asarray(read, np.float32), atol=1.1)  # Pillow rounds twice
    flipped, _ = images_of(pixels, size=size, **given | {"columns": given["columns"][:, ::-1]})
    np.testing.assert_allclose(flipped, seen[:, :, ::-1], atol=1e-3)


def test_a_crop_of_a_picture_without_detail_changes_its_light_alone():
    lit, _ = images_of(np.full((20, 64, 64, 3), 100, np.uint8))
    assert lit.std(axis=(1, 2, 3)).max() < 1e-3 and 80 <= lit.min() and lit.max() <= 120
    assert np.ptp(lit.mean((1, 2, 3))) > 5


def test_colours_get_stronger_and_weaker_and_grey_stays_grey():
    pixels = np.zeros((50, 64, 64, 3), np.uint8)
    pixels[:, :, :32, 0] = pixels[:, :, 32:, 1] = 120
    spread = [np.ptp(images_of(pixels, replace(PLAIN, saturation=share))[0], axis=3).mean((1, 2)) for share in (0, 0.8)]
    assert spread[1].max() > 1.2 * spread[0].max() and spread[1].min() < 0.7 * spread[0].min()
    grey = np.repeat(np.random.default_rng(0).integers(60, 180, (50, 64, 64, 1), dtype=np.uint8), 3, axis=3)
    assert np.ptp(images_of(grey, replace(PLAIN, saturation=0.8))[0], axis=3).max() < 1e-2


def test_the_styles_draw_a_share_of_the_images():
    pixels = np.random.default_rng(0).integers(0, 256, (200, 64, 64, 3), dtype=np.uint8)
    pixels[:, :, :32] //= 2
    recipe = replace(PLAIN, styles=0.6)
    seen, drawn = images_of(pixels, recipe, seed=1)
    of_style = [np.flatnonzero(drawn["style"][:, number]) for number in range(3)]
    assert all(20 <= len(images) <= 60 for images in of_style)
    grey, posterised, edges = (seen[images] for images in of_style)
    assert np.ptp(grey, axis=3).max() < 1e-2 and np.ptp(edges, axis=3).max() < 1e-2
    assert max(len(np.unique(image)) for image in posterised) <= 5
    others = drawn["style"].sum(axis=1) == 0
    assert min(len(np.unique(image)) for image in seen[others]) > 100
    flat, _ = images_of(np.full((200, 64, 64, 3), 90, np.uint8), recipe, seed=1)
    np.testing.assert_allclose(flat[of_style[2]], 255, atol=0.1)  # a picture without edges is white
    halves = np.full((200, 64, 64, 3), 40, np.uint8)
    halves[:, :, 32:] = 160
    drawn_edges = images_of(halves, recipe, seed=1)[0][of_style[2]]
    assert (drawn_edges.min(axis=(1, 2, 3)) < 100).all() and np.median(drawn_edges) > 250


@pytest.mark.parametrize("pieces", [{"mix_up": 0.7}, {"cut_mix": 0.7}, {"mix_up": 0.3, "cut_mix": 0.4}])
def test_targets_are_mixed_as_the_images_are(pieces):
    "Each image has one value all over, which is its target too: the mean of a mixed image is its mixed target"
    values = np.linspace(0, 250, 100).round()
    pixels = np.broadcast_to(values[:, None, None, None], (100, 64, 64, 3)).astype(np.uint8)
    recipe = replace(PLAIN, **pieces)
    seen, drawn = images_of(pixels, recipe, brightness=np.ones(100, np.float32))
    targets = augmentation.mixed(values[:, None], drawn)[:, 0]
    np.testing.assert_allclose(seen.mean(axis=(1, 2, 3)), targets, atol=0.05)
    changed = np.abs(targets - values) > 0.5
    assert 0.5 < changed.mean() < 0.8
    in_pieces = seen[changed].std(axis=(1, 2, 3)) > 0.1
    assert in_pieces.mean() == pytest.approx(pieces.get("cut_mix", 0) / sum(pieces.values()), abs=0.2)


def test_a_share_of_the_images_is_turned_about_the_middle():
    pixels = np.random.default_rng(0).integers(0, 256, (100, 64, 64, 3), dtype=np.uint8)
    before = pixels.copy()
    turned = augmentation.turned(pixels, np.random.default_rng(0), 0.4)
    np.testing.assert_array_equal(pixels, before)
    assert 0.25 < (turned != pixels).any(axis=(1, 2, 3)).mean() < 0.55
    still = augmentation.turned(pixels, np.random.default_rng(0), 1, degrees=0, shear=0)
    np.testing.assert_array_equal(still, pixels)
    ring = np.hypot(*(np.mgrid[:64, :64] - 31.5))[None, :, :, None]
    rings = np.repeat((120 + 100 * np.cos(ring / 4)).astype(np.uint8), 3, axis=3)
    seen = augmentation.turned(rings, np.random.default_rng(0), 1, shear=0)
    inside = ring[0, :, :, 0] < 28
    assert (seen != rings).any() and np.abs(seen[0].astype(int) - rings[0])[inside].max() < 12


def test_a_step_depends_on_its_number_and_the_seed_alone_and_mixes_what_the_teacher_says(archive, tmp_path):
    source, rng = Source(archive, tmp_path), np.random.default_rng(0)
    opinions = rng.dirichlet(np.ones(3), 180).astype(np.float16)
    known = teacher.Teacher("known", rng.normal(size=(180, 5)).astype(np.float16), opinions)
    recipe = replace(PLAIN, batch_size=16, teacher_labels=0.4, mix_up=0.5, turned=0.3, styles=0.3)
    order, sizes = order_of(source, 1, 0), np.full(30, 32)
    drawn, targets = pretrain.step(source, recipe, sizes, 12, order, known, 0)
    again, _ = pretrain.step(source, recipe, sizes, 12, order, known, 0)
    other, _ = pretrain.step(source, recipe, sizes, 13, order, known, 0)
    for name, values in drawn.items():
        np.testing.assert_array_equal(again[name], values)
    assert not np.array_equal(other["rows"], drawn["rows"])
    chosen = np.sort(order[32:48])  # the third step of its epoch, of ten
    labels = 0.6 * np.eye(3)[source.labels[chosen]] + 0.4 * opinions[chosen].astype(float)
    np.testing.assert_allclose(targets["classes"], augmentation.mixed(labels, drawn), atol=1e-6)
    np.testing.assert_allclose(targets["teacher"], augmentation.mixed(known.features[chosen], drawn), atol=1e-3)


def test_averages_stay_beside_the_weights_until_they_are_judged():
    import keras

    rng = np.random.default_rng(0)
    images, wanted = rng.normal(size=(40, 6)).astype(np.float32), rng.normal(size=(40, 1)).astype(np.float32)

    def trained(reach):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
        recipe = replace(PLAIN, averaging=reach, weight_decay=1e-3)
        model.compile(averaging.optimizer_of(recipe, 0.1, per_epoch=4), "mean_squared_error")
        kept = []
        for first in range(0, 40, 10):  # `fit` ends four times
            model.fit(images[first : first + 10], wanted[first : first + 10], batch_size=10, verbose=0)
            kept.append([np.array(value) for value in model.get_weights()])
        return model, kept

    (_, plain), (model, kept) = trained(0), trained(0.5)
    for values, others in zip(plain, kept, strict=True):
        for value, other in zip(values, others, strict=True):
            np.testing.assert_allclose(other, value, rtol=1e-5, atol=1e-6)
    expected = kept[0]
    for values in kept[1:]:  # half an epoch of four steps: half of what is new
        expected = [(old + new) / 2 for old, new in zip(expected, values, strict=True)]
    with averaging.averaged(model, model.optimizer, [images[:20], images[20:]]):
        found = [np.array(value) for value in model.get_weights()]
    for number in (0, 1, 4, 5):  # gamma, beta, kernel, bias
        np.testing.assert_allclose(found[number], expected[number], rtol=1e-5, atol=1e-6)
    halves = images.reshape(2, 20, 6)
    np.testing.assert_allclose(found[2], halves.mean(axis=(0, 1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[3], halves.var(axis=1).mean(axis=0), rtol=1e-4)
    for value, other in zip(model.get_weights(), kept[-1], strict=True):
        np.testing.assert_array_equal(value, other)


LOG = [None, 0.2, 0.5, None, 0.5, 0.4]


def test_of_equal_states_the_last_is_the_best():
    log = [{"step": step} | ({} if held is None else {"held-out accuracy": held}) for step, held in enumerate(LOG)]
    assert pretrain.best_of(log)["step"] == 4 and pretrain.best_of(log[:1]) is None


def test_recipes_are_long_and_the_old_ones_have_none_of_the_later_pieces():
    assert all(sum(epochs for _, epochs in recipe.sizes) >= 30 for recipe in LONG.values())
    assert SHORT["VGG16"] == Recipe(((32, 5), (48, 3), (64, 1)), 0.05, smallest_crop=0.55)
    drawn = augmentation.draw(np.random.default_rng(0), 3, 32, SHORT["VGG16"])
    assert set(drawn) == {"rows", "columns", "brightness", "colour"}
    recipe = SHORT["ResNet50"].changed({"sizes": [[32, 10]], "averaging": 2, "batch_size": 100}).shortened(0.5)
    assert recipe.sizes == ((32, 5.0),) and recipe.averaging == 1 and recipe.warm_up == 0.3
    np.testing.assert_array_equal(recipe.plan(230), np.full(10, 32))
    with pytest.raises(ValueError, match="mixup"):
        PLAIN.changed({"mixup": 1})


def test_files_are_cut_into_parts_and_joined(tmp_path):
    rng = np.random.default_rng(0)
    files = [tmp_path / "large.npz", tmp_path / "small.json"]
    for path, size in zip(files, (2500, 10), strict=True):
        path.write_bytes(rng.bytes(size))
    parts.cut(files, tmp_path / "parts", 1000)
    assert max(path.stat().st_size for path in (tmp_path / "parts").glob("*.0*")) == 1000
    parts.join(tmp_path / "parts", tmp_path / "joined")
    assert all((tmp_path / "joined" / path.name).read_bytes() == path.read_bytes() for path in files)
    (tmp_path / "parts" / "large.npz.001").write_bytes(rng.bytes(1000))
    with pytest.raises(ValueError, match="send them again"):
        parts.join(tmp_path / "parts", tmp_path / "joined")
    (tmp_path / "parts" / "large.npz.001").unlink()
    with pytest.raises(ValueError, match=r"missing: large.npz.001"):
        parts.join(tmp_path / "parts", tmp_path / "joined")


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
