"""Networks with the names, stages and kinds of layers of VGG16 and ResNet50, and a thousandth of their work.

What most tests ask of a network is where it is cut, what is frozen, what is cached and what is traced. None of that
depends on how wide it is. Tests of what weights have learned, of preprocessing and of files take the real ones.
"""

import os
import random
import warnings
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from tlcourse import backbones


def vgg16(include_top=False, weights=None, input_tensor=None, input_shape=None, pooling=None):
    "Two convolutions in the highest block, one in the others"
    import keras

    pixels = x = keras.Input(input_shape) if input_tensor is None else input_tensor
    for block, channels in enumerate((4, 8, 8, 16, 24), start=1):
        for number in (1, 2) if block == 5 else (1,):
            x = keras.layers.Conv2D(
                channels,
                3,
                padding="same",
                activation="relu",
                name=f"block{block}_conv{number}",
                **_drawn("of pixels" if block == 1 else "he"),
            )(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return _model(pixels, x, weights, input_tensor, pooling, "vgg16")


def resnet50(include_top=False, weights=None, input_tensor=None, input_shape=None, pooling=None):
    "The last block of each stage, with two convolutions; the shortcuts of `conv2` and `conv4` have none"
    import keras

    pixels = x = keras.Input(input_shape) if input_tensor is None else input_tensor
    x = keras.layers.Conv2D(4, 7, 2, padding="same", name="conv1_conv", **_drawn("of pixels"))(x)
    x = keras.layers.Activation("relu", name="conv1_relu")(_normalized(x, "conv1_bn"))
    x = keras.layers.MaxPooling2D(3, 2, padding="same", name="pool1_pool")(x)
    for stage, block, channels, stride in ((2, 3, 4, 1), (3, 4, 8, 2), (4, 6, 8, 1), (5, 3, 24, 2)):
        x = _residual(x, f"conv{stage}_block{block}", channels, stride)
    return _model(pixels, x, weights, input_tensor, pooling, "resnet50")


def _residual(x, name, channels, stride):
    import keras

    def convolved(x, number, size, stride=1):
        convolution = keras.layers.Conv2D(
            channels, size, stride, padding="same", name=f"{name}_{number}_conv", **_drawn("he")
        )
        return _normalized(convolution(x), f"{name}_{number}_bn")

    shortcut = x if stride == 1 and x.shape[-1] == channels else convolved(x, 0, 1, stride)
    x = keras.layers.Activation("relu", name=f"{name}_1_relu")(convolved(x, 1, 3, stride))
    x = keras.layers.Add(name=f"{name}_add")([shortcut, convolved(x, 3, 1)])
    return keras.layers.Activation("relu", name=f"{name}_out")(x)


def _normalized(x, name):
    "With statistics as a training leaves them: no mean is 0 and no variance 1"
    import keras

    return keras.layers.BatchNormalization(epsilon=1.001e-5, name=name, **_drawn("statistics"))(x)


def _drawn(kind):
    "First weights; each layer draws its own, and after `random.seed` the same"
    import keras

    def between(low, high):
        return keras.initializers.RandomUniform(low, high, seed=random.randrange(2**31))

    if kind != "statistics":
        # preprocessed pixels are about 60 from 0; features shall be about 1, as a trained network has them
        scale = 2 / 60**2 if kind == "of pixels" else 2
        kernel = keras.initializers.VarianceScaling(scale, seed=random.randrange(2**31))
        return {"kernel_initializer": kernel, "bias_initializer": between(-0.1, 0.1)}
    return {
        "gamma_initializer": between(0.5, 1.5),
        "beta_initializer": between(-0.3, 0.3),
        "moving_mean_initializer": between(-3.0, 3.0),
        "moving_variance_initializer": between(0.5, 2.0),
    }


def _model(pixels, x, weights, input_tensor, pooling, name):
    import keras

    if pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D()(x)
    if input_tensor is not None:
        pixels = keras.utils.get_source_inputs(input_tensor)
    model = keras.Model(pixels, x, name=name)
    if weights is not None:
        model.load_weights(weights)
    return model


@contextmanager
def thin_networks(folder=None):
    """While this lasts, VGG16 and ResNet50 are thin, and the course's weights of them are files in the folder

    The first to ask makes the files.
    """
    import keras

    folder = Path(os.environ["THIN_WEIGHTS"] if folder is None else folder)

    def file_of(spec):
        return folder / f"{spec.name.lower()}_course64.weights.h5" if spec.course_weights else None

    for number, (name, make) in enumerate({"VGG16": vgg16, "ResNet50": resnet50}.items()):
        file = file_of(backbones.find_spec(name))
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            state = random.getstate()
            random.seed(number)
            with warnings.catch_warnings(action="ignore"):  # Keras's writer has a call that NumPy 2 will refuse one day
                make(input_shape=(32, 32, 3)).save_weights(file)
            random.setstate(state)
    with (
        mock.patch.multiple(keras.applications, VGG16=vgg16, ResNet50=resnet50),
        mock.patch.multiple(
            backbones,
            course_weights_file=file_of,
            check_course_weights=lambda file: file,
            imagenet_weights_file=lambda spec: None,
        ),
        mock.patch.dict(os.environ, THIN_WEIGHTS=str(folder)),
    ):
        yield


def stay_thin(_kept=[]):  # noqa: B006
    "For a process that a test starts: thin networks to its end, from the files that `THIN_WEIGHTS` names"
    _kept.append(thin_networks())  # what nobody holds would be closed at once
    _kept[-1].__enter__()


if __name__ == "__main__":  # thin.py SCRIPT ARGUMENTS... runs a script with thin networks
    import runpy
    import sys

    stay_thin()
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
