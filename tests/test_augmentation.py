"""Augmentation: layers that draw rightly, shifts by seed, labels that lie, sounds, and a bench that is thin."""

import json
import random

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage, signal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from tlcourse import augmentation, backbones, data, features, fine_tuning
from tlcourse.augmentation import TRANSFORMS, augment_sounds, augmented, augmenter, augmenter_code, label_changes, shift
from tlcourse.datasets import tones
from tlcourse.datasets.image_data import ImageData
from tlcourse.datasets.tones import RATE, SAMPLES, Sounds
from tlcourse.splitting import Splits


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def patches():
    return data.load("textures").sample(per_class=2, seed=0)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits").sample(per_class=40, seed=0)


def pixels_of(images):
    return images.images.astype(np.float32)


def applied(transforms, pixels, seed=0):
    return np.asarray(augmenter(transforms, seed, image_size=pixels.shape[1])(pixels, training=True))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_transform_changes_in_training_only_and_keeps_shape_and_range(name):
    colourful = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 3)).astype(np.float32)
    layer = augmenter([name], seed=3, image_size=48)
    changed = np.asarray(layer(colourful, training=True))
    assert changed.shape == colourful.shape and changed.min() >= 0 and changed.max() <= 255
    assert np.abs(changed - colourful).max() > 5
    assert np.array_equal(applied([name], colourful, seed=3), changed)
    if name != "crop":  # Keras's RandomCrop takes the middle where nothing trains
        np.testing.assert_allclose(np.asarray(layer(colourful, training=False)), colourful, atol=1e-3)
    # drawn for each image, and anew for each call, unless there is nothing to draw
    same = np.repeat(colourful[:1], 24, axis=0)
    first, second = (np.asarray(layer(same, training=True)) for _ in range(2))
    drawn = "turn" not in name
    assert (np.abs(first - second).max() > 1) == drawn
    if name not in ("crop", "rand augment"):  # which draw once for a batch
        assert (np.ptp(first, axis=0).max() > 1) == drawn


@pytest.mark.parametrize("name", [name for name, one in TRANSFORMS.items() if one.highest])
def test_each_end_of_a_slider_works_and_more_changes_more(name):
    textured = pixels_of(data.load("textures", appearance="photograph").sample(per_class=2, seed=0))

    def change(share):
        changed = [applied({name: TRANSFORMS[name].highest * share}, textured, seed) for seed in range(4)]
        assert np.isfinite(changed).all()
        return np.abs(np.stack(changed) - textured).mean()

    assert change(0.02) < change(1)


def test_exact_transforms_against_numpy(patches):
    pixels = pixels_of(patches)
    np.testing.assert_allclose(applied(["half turn"], pixels), pixels[:, ::-1, ::-1], atol=0.51)
    quarter = applied(["quarter turn"], pixels)
    assert min(np.abs(quarter - np.rot90(pixels, turns, (1, 2))).max() for turns in (1, 3)) < 0.51
    for name, axis in (("flip", 2), ("flip upside down", 1)):
        changed, mirrored = applied([name], pixels), np.flip(pixels, axis)
        for one, flipped, kept in zip(changed, mirrored, pixels, strict=True):
            assert np.array_equal(one, flipped) or np.array_equal(one, kept)
        assert 4 <= (changed != pixels).any(axis=(1, 2, 3)).sum() <= 16


def test_noise_and_brightness_have_the_amount_that_was_asked_for(patches):
    grey = np.full((8, 64, 64, 3), 128, np.float32)
    assert applied({"noise": 0.1}, grey).std() == pytest.approx(25.5, rel=0.05)
    pixels = pixels_of(patches)
    brighter = applied({"brightness": 0.3}, pixels)
    for before, after in zip(pixels, brighter, strict=True):
        added = (after - before)[(after > 0) & (after < 255)]
        assert np.ptp(added) < 0.01 and abs(added.mean()) <= 0.3 * 255 + 0.01


@pytest.mark.parametrize(("direction", "axis"), [("time", 1), ("frequency", 0)])
def test_a_mask_is_one_stripe_of_the_mean(direction, axis):
    pixels = np.random.default_rng(1).uniform(0, 255, (200, 40, 50, 3)).astype(np.float32)
    layer = augmenter({f"{direction} mask": 0.4})
    widths = []
    for before, after in zip(pixels, np.asarray(layer(pixels, training=True)), strict=True):
        masked = (before != after).any(axis=2)
        stripe = masked.all(axis=1 - axis)
        assert np.array_equal(masked.any(axis=1 - axis), stripe)  # whole rows or columns only
        places = np.flatnonzero(stripe)
        widths.append(len(places))
        if len(places):
            assert np.ptp(places) == len(places) - 1  # in one piece
            np.testing.assert_allclose(after[masked], before.mean(), rtol=1e-4)
    side = pixels.shape[1 + axis]
    assert max(widths) <= 0.4 * side + 1 and np.mean(widths) == pytest.approx(0.2 * side, rel=0.15)


def test_a_mask_survives_saving(tmp_path):
    model = keras.Sequential([keras.Input((16, 16, 3)), augmentation.stripe_mask("time", 0.5, seed=2)])
    model.save(tmp_path / "mask.keras")
    loaded = keras.models.load_model(tmp_path / "mask.keras")
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()
    with pytest.raises(ValueError, match="'time' or 'frequency'; 'both' came"):
        augmentation.stripe_mask("both")


@pytest.mark.parametrize(
    "transforms",
    [["flip", "rotation", "erasing"], {"crop": 0.3, "noise": None}, ["time mask", "colour"], {"rand augment": 0.2}],
)
def test_the_code_does_what_the_layer_does(transforms, patches):
    pixels = pixels_of(patches)
    names = {"images": pixels}
    exec(augmenter_code(transforms, 5, 64), names)
    assert np.array_equal(np.asarray(names["changed"]), applied(transforms, pixels, seed=5))


def test_only_the_masks_need_the_course():
    assert "tlcourse" not in augmenter_code([name for name in TRANSFORMS if "mask" not in name], image_size=64)
    assert "from tlcourse.augmentation import stripe_mask" in augmenter_code(["time mask"])


def test_the_description_is_the_same_for_equal_augmenters_and_stays():
    # the name of a cached entry is made of it
    one, other = (augmenter({"zoom": 0.2, "time mask": None}, seed=1) for _ in range(2))
    before = json.dumps(one.get_config(), default=str)
    one(np.zeros((2, 32, 32, 3), np.float32), training=True)
    assert json.dumps(one.get_config(), default=str) == before == json.dumps(other.get_config(), default=str)
    assert before != json.dumps(augmenter({"zoom": 0.3, "time mask": None}, seed=1).get_config(), default=str)


def test_copies_by_seed_and_view(patches):
    layer = augmenter(["translation", "contrast"])
    first, second = augmented(patches, layer, seed=1), augmented(patches, layer, seed=1, view=1)
    assert np.array_equal(first.images, augmented(patches, layer, seed=1).images)
    assert not np.array_equal(first.images, second.images)
    assert first.labels.tolist() == patches.labels.tolist() and first.metadata.equals(patches.metadata)
    assert augmented(patches, layer, image_size=32).images.shape[1:3] == (32, 32)
    assert np.array_equal(augmented(patches, augmenter([])).images, patches.images)


@pytest.mark.training
def test_extract_takes_an_augmenter(patches, thin):
    vgg = backbones.load_backbone("VGG16", weights="course", image_size=32)
    small = patches.subset(range(4))

    def views():
        layer = augmenter(["contrast", "erasing"])
        return features.extract(vgg, small, views=2, augment=layer, precision="float32", cache=False)

    plain = features.extract(vgg, small, precision="float32", cache=False)
    once = views()
    assert once.shape == (8, 24) and np.array_equal(once, views())
    assert not np.allclose(once[:4], plain) and not np.allclose(once[:4], once[4:])


@pytest.fixture(scope="module")
def splits(patches):
    return Splits(*(patches.subset(range(start, 20, 2)) for start in (0, 1, 1)))


@pytest.mark.training
def test_fine_tune_takes_an_augmenter_and_repeats(patches, splits, thin):
    backbone = backbones.load_backbone("VGG16", weights="course", image_size=32)

    def weights_after(augment):
        model = fine_tuning.build_classifier(backbone, patches.class_names)
        phases = [fine_tuning.Phase("head", 2, 1e-2, augment=augment)]
        fine_tuning.fine_tune(model, splits, phases, batch_size=5, restore_best=False)
        return model.get_weights()[-2]

    layer = augmenter(["half turn", "contrast"])
    once, again = weights_after(layer), weights_after(layer)  # the same layer, which has drawn in between
    assert np.array_equal(once, again)
    assert not np.array_equal(once, weights_after(False))


@pytest.mark.training
def test_a_checkpoint_knows_the_augmentation(patches, splits, tmp_path, thin):
    backbone = backbones.load_backbone("VGG16", weights="course", image_size=32)

    def run(augment):
        model = fine_tuning.build_classifier(backbone, patches.class_names)
        phases = [fine_tuning.Phase("head", 1, augment=augment)]
        return fine_tuning.fine_tune(model, splits, phases, batch_size=10, checkpoint_dir=tmp_path).history["loss"]

    assert run(augmenter({"zoom": 0.2})) == run(augmenter({"zoom": 0.2}))
    with pytest.raises(ValueError, match="phases"):
        run(augmenter({"zoom": 0.3}))


def test_a_phase_refuses_what_is_no_layer():
    with pytest.raises(ValueError, match="True, False or a Keras layer, such as augmenter.*'flip' came"):
        fine_tuning.Phase(augment="flip")


@pytest.mark.parametrize("kind", augmentation.SHIFTS)
def test_a_shift_depends_on_seed_and_severity_only(kind, patches):
    before = patches.images.copy()
    once = shift(patches, kind, 0.5, seed=4)
    assert np.array_equal(once.images, shift(patches, kind, 0.5, seed=4).images)
    assert np.array_equal(once.images[:3], shift(patches.subset(range(3)), kind, 0.5, seed=4).images)
    assert not np.array_equal(once.images, shift(patches, kind, 0.5, seed=5).images)
    assert np.array_equal(shift(patches, kind, 0).images, patches.images) and np.array_equal(patches.images, before)

    def change(severity):
        return np.abs(shift(patches, kind, severity).images.astype(float) - patches.images).mean()

    assert change(0.1) < change(0.9)
    assert once.labels.tolist() == patches.labels.tolist() and once.metadata.equals(patches.metadata)


def test_occlusion_hides_about_the_share(patches):
    many = patches.subset(np.arange(20).repeat(10))
    hidden = (shift(many, "occlusion", 0.3).images != many.images).any(axis=3)
    assert 0.2 < hidden.mean() < 0.31  # blocks may overlap
    share_of_frame = hidden[:, [0, -1]].mean()
    assert 0.01 < share_of_frame < hidden.mean()  # blocks stay whole, so the edge is hidden less often, but not never


def test_fog_is_a_straight_line_for_each_image(patches):
    for before, after in zip(patches.images, shift(patches, "fog", 0.6).images, strict=True):
        slope, level = np.polyfit(before.ravel(), after.ravel().astype(float), 1)
        assert 1 - 0.6 - 0.01 <= slope <= 1 - 0.6 * 0.7 + 0.01
        assert np.abs(slope * before + level - after).max() < 1
        assert 168 <= level / (1 - slope) <= 232  # the air


def test_light_is_a_plane_for_each_image():
    grey = ImageData(np.full((6, 40, 40, 3), 100, np.uint8), np.zeros(6, int), ["grey"])
    rows, columns = np.mgrid[:40, :40]
    design = np.stack([np.ones(1600), rows.ravel(), columns.ravel()], axis=1)
    slopes = []
    for image in shift(grey, "light", 0.6).images:
        fitted, *_ = np.linalg.lstsq(design, image[..., 0].ravel().astype(float), rcond=None)
        assert np.abs(design @ fitted - image[..., 0].ravel()).max() <= 0.6
        slopes.append(fitted[1:])
    assert len(np.unique(np.round(slopes, 3), axis=0)) == 6


def leaning(seed, per_class=60):
    "Bars that lean left or right, at random places: a mirror turns one class into the other"
    rng = np.random.default_rng(seed)
    images = np.zeros((2 * per_class, 24, 24), np.uint8)
    for number, image in enumerate(images):
        top, left = rng.integers(2, 12, 2)
        for step in range(10):
            image[top + step, left + (step if number % 2 else 9 - step)] = 255
        image[:] = (ndimage.gaussian_filter(image.astype(float), 1) * 3 + rng.normal(20, 5, image.shape)).clip(0, 255)
    return ImageData(images, np.arange(2 * per_class) % 2, ["left", "right"], name="bars")


def gradients(images):
    "Features that see direction: the product of the gradients along the two axes, and the brightness"
    grey = images.images.mean(axis=-1)
    product = (np.gradient(grey, axis=1) * np.gradient(grey, axis=2)).mean(axis=(1, 2))
    return np.stack([product, grey.mean(axis=(1, 2))], axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_a_mirror_lies_where_direction_is_the_class(seed):
    transforms = ["flip", "quarter turn", "half turn", "brightness"]
    table = label_changes(leaning(seed), transforms, gradients, image_size=24, seed=seed)
    assert table.loc[["flip", "quarter turn"], "share"].min() > 0.9
    assert {*table.loc["flip", ["class", "becomes"]]} == {"left", "right"}
    assert table.loc["quarter turn", "changes label"]
    assert not table.loc[["half turn", "brightness"], "changes label"].any()


def test_digits_that_stand_on_their_heads(digits):
    table = label_changes(digits, ["half turn", "noise"], image_size=32)
    assert table.loc["half turn", "gain"] + table.loc["half turn", "half"] < 0
    assert {*table.loc["half turn", ["class", "becomes"]]} == {"6", "9"}
    assert table.loc["half turn", "changes label"] and not table.loc["noise", "changes label"]


def test_warnings_follow_the_table(monkeypatch):
    known = {"digits": {"half turn": ("6", "9"), "quarter turn": ("5", "4")}}
    monkeypatch.setattr(augmentation, "LABEL_CHANGES", known)
    warned = augmentation.label_warnings
    assert warned("digits", ["zoom"]) == {}
    assert warned("digits", {"half turn": None, "zoom": None}) == {"half turn": ("6", "9")}
    assert warned("digits", {"rotation": 0.1}) == {}
    assert warned("digits", {"rotation": 0.3}) == {"rotation": ("5", "4")}
    assert warned("digits", {"rotation": 0.5}) == {"rotation": ("6", "9")}
    assert warned("my photographs", ["flip"]) is None


@pytest.mark.parametrize(
    ("copies", "world"),
    [
        ({"translation": 0.12}, lambda test, seed: augmented(test, augmenter({"translation": 0.12}), seed + 50)),
        ({"brightness": 0.6, "contrast": 0.8}, lambda test, seed: shift(test, "fog", 0.8, seed)),
    ],
)
def test_augmentation_gains_where_the_world_is_another(copies, world, digits):
    "Pixels of digits and a linear model, on the mean of five seeds; lesson 6 does it with deep features"

    def rows(images):
        return images.images[:, ::4, ::4, 0].reshape(len(images), -1) / 255

    gains = []
    for seed in range(5):
        indices = train_test_split(np.arange(len(digits)), test_size=0.5, random_state=seed, stratify=digits.labels)
        train, test = (digits.subset(part) for part in indices)
        parts = [rows(train), *(rows(augmented(train, augmenter(copies), seed, view)) for view in range(4))]
        plain = LogisticRegression(C=0.1, max_iter=1000).fit(parts[0], train.labels)
        robust = LogisticRegression(C=0.1, max_iter=1000).fit(np.concatenate(parts), np.tile(train.labels, 5))
        moved = rows(world(test, seed))
        gains.append(robust.score(moved, test.labels) - plain.score(moved, test.labels))
    assert np.mean(gains) > 0.03, gains


@pytest.fixture(scope="module")
def sounds():
    return tones.make_tones(per_class=2)


def sine(frequency, samples=SAMPLES):
    "The same sine twelve times, silent after so many samples"
    wave = 0.3 * np.sin(2 * np.pi * frequency / RATE * np.arange(SAMPLES))
    wave[samples:] = 0
    waves = wave[None].astype(np.float32).repeat(12, axis=0)
    return Sounds(waves, np.zeros(12, int), ["sine"], pd.DataFrame(index=range(12)))


def pitch_of(wave):
    frequencies, power = signal.periodogram(wave, RATE, window="hann", nfft=4 * len(wave))
    return frequencies[power.argmax()]


@pytest.mark.parametrize("name", augmentation.SOUND_TRANSFORMS)
def test_each_change_of_a_sound_draws_by_seed_and_view(name, sounds):
    states, before = (random.getstate(), np.random.get_state()[1].copy()), sounds.waves.copy()
    once = augment_sounds(sounds, [name], seed=1)
    assert once.waves.shape == sounds.waves.shape and once.waves.dtype == np.float32
    assert 0.01 < np.abs(once.waves - sounds.waves).max() and np.abs(once.waves).max() <= 1
    assert np.array_equal(once.waves, augment_sounds(sounds, [name], seed=1).waves)
    assert not np.array_equal(once.waves, augment_sounds(sounds, [name], seed=1, view=1).waves)
    assert np.array_equal(once.waves[:2], augment_sounds(sounds.subset([0, 1]), [name], seed=1).waves)
    assert random.getstate() == states[0] and np.array_equal(np.random.get_state()[1], states[1])
    assert np.array_equal(sounds.waves, before)


def test_pitch_and_speed_do_what_their_names_say():
    original = sine(500, SAMPLES // 2)

    def measured(name, strength):
        changed = augment_sounds(original, {name: strength}).waves
        lengths = [np.flatnonzero(np.abs(wave) > 0.03).max() / (SAMPLES // 2) for wave in changed]
        return np.array([pitch_of(wave) for wave in changed]) / 500, np.array(lengths)

    pitches, lengths = measured("pitch", 4)
    assert np.ptp(pitches) > 0.1 and np.abs(12 * np.log2(pitches)).max() < 4.2 and np.abs(lengths - 1).max() < 0.15
    pitches, lengths = measured("time stretch", 0.3)
    assert np.abs(pitches - 1).max() < 0.02 and np.ptp(lengths) > 0.2
    pitches, lengths = measured("speed", 0.3)
    assert np.ptp(pitches) > 0.2
    np.testing.assert_allclose(pitches * lengths, 1, atol=0.05)  # twice as fast: an octave higher, half as long


def test_noise_and_gain_of_a_sound_have_the_amount_that_was_asked_for():
    original = sine(500)
    ratio = (augment_sounds(original, {"noise": 0.5}).waves - original.waves).std(axis=1) / original.waves.std(axis=1)
    assert 0.045 < ratio.min() < ratio.max() < 0.55
    gains = 20 * np.log10(augment_sounds(original, {"gain": 6.0}).waves.std(axis=1) / original.waves.std(axis=1))
    assert np.abs(gains).max() <= 6.01 and np.ptp(gains) > 4


def test_a_trial_shows_before_after_code_and_warning(digits):
    trial = augmentation.try_transforms(digits, ["half turn"], count=4, seed=2, image_size=32)
    assert np.abs(trial.after.images.astype(int) - trial.before.images[:, ::-1, ::-1]).max() <= 1
    assert trial.code == augmenter_code(["half turn"], 2, 32)
    assert trial.lies and "digits" in trial.warnings[0] and "half turn" in trial.warnings[0]
    assert len(trial.draw().axes) == 8
    harmless = augmentation.try_transforms(digits, ["contrast"], count=2, image_size=32)
    assert not harmless.lies and "digits" in harmless.warnings[0]
    own = ImageData(digits.images, digits.labels, digits.class_names, name="mine")
    assert "label_changes" in augmentation.try_transforms(own, ["flip"], count=2, image_size=32).warnings[0]


def parts_of(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def test_the_bench_is_thin_over_try_transforms(digits, monkeypatch):
    asked, real = [], augmentation.try_transforms
    monkeypatch.setattr(augmentation, "try_transforms", lambda *args: asked.append(args) or real(*args))
    own = ImageData(digits.images, digits.labels, digits.class_names, name="my <set>")
    bench, made = augmentation.bench(own, image_size=32), {}
    assert bench.wait(60)
    for part in parts_of(bench):
        made.setdefault(type(part).__name__, []).append(part)
    boxes = {box.description: box for box in made["Checkbox"]}
    sliding = [name for name, one in TRANSFORMS.items() if one.highest]
    (picture,), (button,) = made["Image"], made["Button"]
    assert list(boxes) == list(TRANSFORMS) and len(made["FloatSlider"]) == len(sliding)
    assert asked[-1][1] == {"flip": None} and "my &lt;set&gt;" in bench.status.value and not bench.message.value
    before = bytes(picture.value)
    boxes["noise"].value = True
    assert bench.wait(60)
    assert asked[-1][1] == {"flip": None, "noise": TRANSFORMS["noise"].strength} and bytes(picture.value) != before
    assert bytes(picture.value).startswith(b"\x89PNG") and "keras.layers.GaussianNoise" in bench.code.value
    made["FloatSlider"][sliding.index("noise")].value = 0.4
    assert bench.wait(60)
    assert asked[-1][1]["noise"] == pytest.approx(0.4)
    button.click()
    assert bench.wait(60)
    assert asked[-1][3] == asked[-2][3] + 1


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(5):
            smooth = ndimage.zoom(rng.uniform(0, 255, (6, 6, 3)), (10, 10, 1), order=1)
            Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # the old one calls what SciPy 2 drops
def test_then_and_now_give_the_same_kind_of_batches(folder):
    old, new = augmentation.old_pipeline(folder, 64, 4), augmentation.new_pipeline(folder, 64, 4)
    means = []
    for batches in ([old[number] for number in range(len(old))], [(np.asarray(x), np.asarray(y)) for x, y in new]):
        assert [len(images) for images, _ in batches] == [4, 4, 2]
        assert sorted(np.concatenate([np.ravel(labels) for _, labels in batches])) == [0] * 5 + [1] * 5
        pixels = np.concatenate([images for images, _ in batches])
        assert pixels.shape[1:] == (64, 64, 3) and pixels.dtype == np.float32
        assert pixels.min() >= 0 and 0.5 < pixels.max() <= 1
        means.append(pixels.mean())
    assert abs(means[0] - means[1]) < 0.05


@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")
def test_shear_range_counts_degrees():
    import tensorflow as tf

    generator = tf.keras.preprocessing.image.ImageDataGenerator(shear_range=0.2)
    assert max(abs(generator.get_random_transform((64, 64, 3), seed)["shear"]) for seed in range(50)) <= 0.2
    line = np.zeros((224, 224, 1), np.float32)
    line[:, 111:113] = 1

    def moved(shear):
        top = generator.apply_transform(line, {"shear": shear})[0, :, 0]
        return abs(np.average(np.arange(224), weights=top) - 111.5)

    assert moved(0.2) < 1 < 20 < moved(20)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: augmenter(["rotate"]), "names of transforms, of flip.*'rotate' came. Did you mean 'rotation'"),
        (lambda: augmenter(["mixup"]), r"mixes labels too.*Phase\(mix='mixup'\)"),
        (lambda: augmenter({"rotation": 45}), "'rotation', full turns either way, to be a number above 0 to 0.5; 45"),
        (lambda: augmenter({"rotation": float("nan")}), "above 0 to 0.5; nan came"),
        (lambda: augmenter({"rotation": True}), "above 0 to 0.5; True came"),
        (lambda: augmenter({"rotation": np.array([0.1, 0.2])}), r"above 0 to 0.5; ndarray of shape \(2,\) came"),
        (lambda: augmenter(["flip", "zoom", "flip"]), "each transform once; flip, zoom, flip came"),
        (lambda: augmenter({"zoom": 0}), "a number above 0 to 0.5; 0 came"),
        (lambda: augmenter({"flip": 0.5}), "no strength for 'flip'.*0.5 came. Pass None"),
        (lambda: augmenter(["crop"]), r"image_size in pixels for 'crop', such as augmenter"),
        (lambda: augment_sounds(sine(500), ["time mask"]), "'time mask' came. 'time mask' is for pictures"),
        (lambda: augment_sounds(sine(500), {"pitch": 40}), "'pitch', semitones .* above 0 to 12; 40 came"),
        (lambda: shift(leaning(0), "rain"), "one of occlusion, light, fog; 'rain' came"),
        (lambda: shift(leaning(0), "fog", 2), "severity to be a number from 0 to 1 or None; 2 came"),
    ],
)  # fmt: skip
def test_an_error_says_what_came_and_what_to_do(call, expected):
    with pytest.raises(ValueError, match=f"(?s){expected}"):
        call()


def test_strengths_of_numpy_are_strengths():
    plain = augmenter_code({"zoom": 0.25, "crop": 0.5}, 3, 64)
    assert augmenter_code({"zoom": np.float32(0.25), "crop": np.array(0.5)}, np.int64(3), np.int16(64)) == plain


def test_files_are_refused_by_shifts_and_taken_by_copies(folder):
    photos = data.from_folder(folder)
    with pytest.raises(ValueError, match="files came. Read them at one size first"):
        shift(photos, "fog")
    assert shift(augmented(photos, augmenter([]), image_size=24), "fog").images.shape == (10, 24, 24, 3)
