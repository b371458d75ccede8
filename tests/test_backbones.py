"""Backbones and what is kept of them, whatever Keras is set to."""

import contextlib

import keras
import numpy as np
import pytest

from tlcourse import backbones, features, scaling
from tlcourse.datasets.image_data import ImageData
from tlcourse.features import features_of
from tlcourse.networks import feature_cache

pytestmark = pytest.mark.training

STATES = {
    "a mixed policy": (keras.config.dtype_policy, keras.config.set_dtype_policy, "mixed_bfloat16"),
    "half the bits": (keras.config.floatx, keras.config.set_floatx, "float16"),
    "twice the bits": (keras.config.floatx, keras.config.set_floatx, "float64"),
    "channels first": (keras.config.image_data_format, keras.config.set_image_data_format, "channels_first"),
}
IMAGES = ImageData(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8), [0, 1] * 2, ["a", "b"])


@contextlib.contextmanager
def keras_set_to(state):
    get, put, value = STATES[state]
    before = get()
    put(value)
    try:
        yield
        assert getattr(get(), "name", get()) == value, "what others have set was not left as it was"
    finally:
        put(before)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def plain():
    backbone = backbones.load_backbone("MobileNetV2", None, 32, seed=3)
    return backbone, np.array(features.extract(backbone, IMAGES, precision="float32", cache=False))


@pytest.mark.parametrize("state", STATES)
def test_a_backbone_and_its_features_are_the_same_whatever_keras_is_set_to(plain, state):
    """Built, prepared for and run under another setting, and the entry found again without it"""
    backbone, expected = plain
    with keras_set_to(state):
        built = backbones.load_backbone("MobileNetV2", None, 32, seed=3)
        assert {layer.compute_dtype for layer in built.model.layers} == {"float32"}
        assert built.model.output_shape == backbone.model.output_shape
        weights = zip(built.model.get_weights(), backbone.model.get_weights(), strict=True)
        assert all(np.array_equal(*pair) for pair in weights)
        found = features.extract(built, IMAGES, precision="float32")
    assert found.dtype == np.float32 and np.array_equal(found, expected)
    assert np.array_equal(features.extract(backbone, IMAGES, precision="float32"), expected)
    assert len(feature_cache.entries()) == 1


@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "EfficientNetB0"])
def test_pixels_are_prepared_alike(name):
    backbone = backbones.Backbone(backbones.find_spec(name), None, "random", 32)
    expected = backbone.preprocess(IMAGES.images)
    for state in STATES:
        with keras_set_to(state):
            assert np.array_equal(backbone.preprocess(IMAGES.images), expected)
            assert backbone.preprocess(IMAGES.images).dtype == np.float32


def test_a_model_that_was_built_under_a_mixed_policy_gives_the_entry_of_float32(plain):
    """Its variables are those of float32, so its name in the cache is too"""
    backbone, expected = plain
    with keras_set_to("a mixed policy"):
        mixed = keras.applications.MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 3))
    mixed.set_weights(backbone.model.get_weights())
    assert "bfloat16" in {layer.compute_dtype for layer in mixed.layers}
    by_hand = backbones.Backbone(backbone.spec, mixed, "random", 32)
    assert np.array_equal(features.extract(by_hand, IMAGES, precision="float32"), expected)
    prepared = keras.Model(mixed.input, mixed.output)
    rows = [
        features_of(lambda *_, trunk=trunk: trunk, ("by hand",), trunk.get_weights(), IMAGES, "float32", cache=False)
        for trunk in (prepared, backbone.model)
    ]
    assert np.abs(rows[0] - rows[1]).max() <= 1e-5 * np.abs(rows[1]).max()


def test_wrong_preparations_are_the_same_too(plain):
    backbone, _ = plain
    expected = np.array(scaling.extract_as(backbone, IMAGES, "channels swapped", cache=False))
    with keras_set_to("a mixed policy"):
        assert np.array_equal(scaling.extract_as(backbone, IMAGES, "channels swapped"), expected)
