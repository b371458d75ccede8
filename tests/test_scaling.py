"""Pixels as a backbone was promised them, and as people get it wrong."""

import keras
import numpy as np
import pytest

from tlcourse import backbones, features, scaling
from tlcourse.datasets.image_data import ImageData


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def vgg():
    return backbones.load_backbone("VGG16", weights="course", image_size=32)


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    return ImageData(pixels, [0, 0, 1, 1, 1], ["a", "b"])


MEAN = np.array([103.939, 116.779, 123.68])  # of blue, green and red, as Caffe has them


def by_hand(name, pixels):
    "What VGG16 gets, written out"
    return {
        "as promised": pixels[..., ::-1] - MEAN,
        "not prepared": pixels,
        "divided by 255": pixels / 255,
        "divided by 255, then prepared": pixels[..., ::-1] / 255 - MEAN,
        "prepared twice": (pixels[..., ::-1] - MEAN)[..., ::-1] - MEAN,
        "channels swapped": pixels - MEAN,
    }[name]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("name", scaling.PREPARATIONS)
def test_preparations_by_hand_and_the_pixels_stay(name, dtype, vgg, images):
    pixels = images.images.astype(dtype)
    prepared = scaling.preparation(vgg, name)(pixels)
    np.testing.assert_allclose(prepared, by_hand(name, images.images.astype(float)), rtol=1e-5, atol=1e-4)
    assert prepared.dtype == np.float32 and np.array_equal(pixels, images.images)


def test_a_backbone_with_another_promise(images):
    mobile = backbones.load_backbone("MobileNetV2", weights=None, image_size=32)
    pixels = images.images.astype(float)
    for name, expected in {
        "as promised": pixels / 127.5 - 1,
        "divided by 255, then prepared": pixels / 255 / 127.5 - 1,
        "prepared twice": (pixels / 127.5 - 1) / 127.5 - 1,
        "channels swapped": pixels[..., ::-1] / 127.5 - 1,
    }.items():
        np.testing.assert_allclose(scaling.preparation(mobile, name)(images.images), expected, atol=1e-5)


@pytest.mark.training
@pytest.mark.parametrize("name", scaling.PREPARATIONS)
def test_features_are_those_of_plain_keras_on_pixels_prepared_so(name, vgg, images):
    expected = vgg.model.predict(by_hand(name, images.images.astype(np.float32)), verbose=0)
    np.testing.assert_allclose(scaling.extract_as(vgg, images, name), expected, rtol=1e-3, atol=1e-4 * expected.max())


@pytest.mark.training
def test_the_right_preparation_gives_the_features_of_the_course(vgg, images):
    expected = features.extract(vgg, images, precision="float32", cache=False)
    np.testing.assert_allclose(scaling.extract_as(vgg, images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.training
def test_the_cache_tells_preparations_apart(vgg, images, monkeypatch):
    first = {name: np.array(scaling.extract_as(vgg, images, name)) for name in scaling.PREPARATIONS}
    monkeypatch.setattr(scaling, "frozen_copy", lambda *arguments: pytest.fail("the cache was not asked"))
    for name, array in first.items():
        assert np.array_equal(scaling.extract_as(vgg, images, name), array)
    assert len({array.tobytes() for array in first.values()}) == len(first)


@pytest.mark.training
def test_swapped_channels_leave_grey_images_as_they_are(vgg, images):
    grey = ImageData(images.images[..., 0], images.labels, images.class_names)
    right, swapped = (scaling.extract_as(vgg, grey, name, cache=False) for name in ("as promised", "channels swapped"))
    np.testing.assert_allclose(swapped, right, rtol=1e-5, atol=1e-6)
    in_colour = scaling.extract_as(vgg, images, "channels swapped", cache=False)
    assert not np.allclose(in_colour, scaling.extract_as(vgg, images, cache=False), rtol=1e-2)


def test_keras_changes_a_float_array_in_place_and_the_backbone_does_not(vgg, images):
    pixels = images.images.astype(np.float32)
    prepared = vgg.preprocess(pixels)
    assert np.array_equal(pixels, images.images)
    keras.applications.vgg16.preprocess_input(pixels)
    # What Keras returns is a view of the array with the channels turned round
    np.testing.assert_allclose(pixels, prepared[..., ::-1])
    assert not np.array_equal(pixels, images.images)


def test_an_unknown_name_is_refused_with_the_known_ones(vgg, images):
    with pytest.raises(ValueError, match="one of as promised, not prepared.*'rescale' came"):
        scaling.extract_as(vgg, images, "rescale")
