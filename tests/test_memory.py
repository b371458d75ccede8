"""What a training holds is free when it is over."""

import gc

import numpy as np
import pytest

from tlcourse.training.training_run import forget_steps

pytestmark = pytest.mark.training


def resources():
    "How many variables TensorFlow holds"
    import tensorflow as tf

    gc.collect()
    kind = type(tf.constant(0))
    return sum(type(thing) is kind and thing.dtype == tf.resource for thing in gc.get_objects())


def small_model():
    import keras

    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(pixels)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(x))
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


PIXELS, LABELS = np.random.default_rng(0).random((6, 8, 8, 3), np.float32), np.array([0, 1] * 3)


def test_plain_keras_keeps_its_variables_and_forget_steps_frees_them():
    def train(forget):
        model = small_model()
        model.fit(PIXELS, LABELS, validation_data=(PIXELS, LABELS), verbose=0)
        if forget:
            forget_steps(model)

    train(forget=True)  # what only a first training makes is there
    before = resources()
    for _ in range(3):
        train(forget=True)
    assert resources() == before
    train(forget=False)
    assert resources() > before  # where this fails, TensorFlow frees them itself, and forget_steps can go


def test_a_model_whose_steps_are_forgotten_goes_on():
    model, twin = small_model(), small_model()
    twin.set_weights(model.get_weights())
    for one in (model, twin):
        for _ in range(2):
            one.fit(PIXELS, LABELS, shuffle=False, verbose=0)
            if one is model:
                forget_steps(model)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))
    assert model.evaluate(PIXELS, LABELS, verbose=0) == twin.evaluate(PIXELS, LABELS, verbose=0)


def test_other_models_keep_their_steps():
    one, other = small_model(), small_model()
    for model in (one, other):
        model.fit(PIXELS, LABELS, verbose=0)
    forget_steps(one)
    other.fit(PIXELS, LABELS, verbose=0)
    assert np.isfinite(other.evaluate(PIXELS, LABELS, verbose=0)).all()


def test_fine_tuning_leaves_no_variables_behind(thin):
    from tlcourse import backbones, data, demo, fine_tuning

    splits = demo.few_images(data.load("textures"), 2, 0)

    def train():
        backbone = backbones.load_backbone("VGG16", "course", 32)
        model = fine_tuning.build_classifier(backbone, splits.train.class_names)
        phases = [fine_tuning.Phase("head", 1, 1e-2), fine_tuning.Phase("block5", 1, 1e-4)]
        fine_tuning.fine_tune(model, splits, phases)
        fine_tuning.find_learning_rate(model, splits, phases[1], steps=10)

    train()
    before = resources()
    train()
    assert resources() == before
