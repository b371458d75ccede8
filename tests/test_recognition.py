"""A classifier is known by what it was built on, and any network of Keras can be registered."""

import inspect

import keras
import numpy as np
import pytest

from tlcourse import backbones, fine_tuning
from tlcourse.backbones import BACKBONES, BackboneSpec, classifier_name, preprocessing_module, register, spec_of

pytestmark = pytest.mark.training

NETWORKS = [
    name
    for name, thing in vars(keras.applications).items()
    if callable(thing) and "include_top" in inspect.signature(thing).parameters
]
FAMILIES = {  # one of each: the name of its last layer that Keras itself names
    "ConvNeXtTiny": "convnext_tiny_stage_3_block_2_identity",
    "DenseNet121": "relu",
    "EfficientNetV2B0": "top_activation",
    "InceptionV3": "mixed10",
    "MobileNet": "conv_pw_13_relu",
    "MobileNetV3Small": "expanded_conv_10_add",
    "NASNetMobile": "normal_concat_12",
    "ResNet50V2": "post_relu",
    "ResNet101": "conv5_block3_out",
    "VGG19": "block5_pool",
    "Xception": "block14_sepconv2_act",
}


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(backbones, "BACKBONES", dict(BACKBONES))
    return backbones.BACKBONES


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_s_own_preprocessing_is_found(name):
    module = getattr(keras.applications, preprocessing_module(BackboneSpec(name, {})))
    assert module.__name__.rpartition(".")[2] in getattr(keras.applications, name).__module__
    assert module.preprocess_input(np.zeros((1, 2, 2, 3), np.float32)).shape == (1, 2, 2, 3)


def network(name):
    "Built without memory for its weights"
    with keras.StatelessScope():
        return getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(None, None, 3))


def classifier(body, name):
    with keras.StatelessScope():
        pooled = keras.layers.GlobalAveragePooling2D()(body.output)
        return keras.Model(body.input, keras.layers.Dense(2, activation="softmax")(pooled), name=name)


@pytest.mark.long(60)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_is_registered_by_name_and_cut_points_alone(name):
    body = network(name)
    spec = register(BackboneSpec(name, {"top": FAMILIES[name]}))
    assert spec_of(classifier(body, classifier_name(spec))) is spec
    # without its name it is known by its layers, unless their names count on from network to network
    counted = any(layer.name.startswith(("conv2d", "batch_normalization")) for layer in body.layers)
    assert spec_of(classifier(body, "mine")) is (None if counted else spec)


def test_one_network_is_not_taken_for_another_whose_layers_have_the_same_names(registry):
    body = network("ResNet101")
    register(BackboneSpec("VGG19", {}))  # nothing to know it by, and no reason to stop
    assert spec_of(classifier(body, "mine")) is None  # it has the cut points of ResNet50, and more between them
    cuts = {"conv4": "conv4_block23_out", "conv5": "conv5_block3_out"}
    deep = register(BackboneSpec("ResNet101", cuts))
    assert spec_of(classifier(body, "mine")) is spec_of(classifier(body, "resnet101_classifier")) is deep
    with pytest.raises(ValueError, match=r"fit none of them\. backbones\.register"):
        fine_tuning.stages(classifier(network("ResNet152"), "mine"))


@pytest.mark.long(30)
def test_of_a_registered_network_the_right_layers_are_frozen():
    cuts = {"conv4": "conv4_block23_out", "conv5": "conv5_block3_out"}
    register(BackboneSpec("ResNet101", cuts))
    backbone = backbones.load_backbone("ResNet101", None, 32)
    model = fine_tuning.build_classifier(backbone, ["a", "b"])
    fine_tuning.freeze_below(model, fine_tuning.boundary(model, "conv5"))
    trains = {layer.name for layer in model.layers if layer.trainable and layer.weights}
    convolutions = {f"conv5_block{block}_{number}_conv" for block in (1, 2, 3) for number in (1, 2, 3)}
    assert trains == {*convolutions, "conv5_block1_0_conv", "head_classes"}
    assert model.predict(np.zeros((1, 32, 32, 3)), verbose=0).shape == (1, 2)


def test_what_keras_does_not_have_is_said_with_what_is_near():
    with pytest.raises(ValueError, match="'ResNet110' came. Did you mean 'ResNet101'"):
        backbones.build(BackboneSpec("ResNet110", {}), 32)
    with pytest.raises(ValueError, match=r"it has no block5_pol\. Did you mean block5_pool"):
        backbones.build(BackboneSpec("VGG16", {"top": "block5_pol"}), 32)


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)  # Keras's writer
def test_weights_that_only_keras_knows_are_kept_beside_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    spec = register(BackboneSpec("MobileNet", {"top": "conv_pw_13_relu"}))
    with pytest.raises(ValueError, match=r"weights='imagenet' downloads them; weights=None"):
        backbones.load_backbone("MobileNet", image_size=32)
    real = keras.applications.MobileNet

    def downloads(weights=None, **options):
        return real(weights=None, **options)

    monkeypatch.setattr(keras.applications, "MobileNet", downloads)
    monkeypatch.setattr(backbones, "preprocessing_module", lambda spec: "mobilenet")
    first = backbones.load_backbone("MobileNet", "imagenet", 32)
    monkeypatch.setattr(keras.applications, "MobileNet", real)
    again = backbones.load_backbone("MobileNet", "auto", 32)
    assert first.weights == again.weights == "imagenet" and backbones.imagenet_weights_file(spec).is_file()
    assert all(np.array_equal(a, b) for a, b in zip(first.model.get_weights(), again.model.get_weights(), strict=True))
