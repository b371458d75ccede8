"""Counting the work of a network, and choosing one: against TensorFlow's graph, scipy, and by behaviour."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import weightedtau

from tlcourse import backbones
from tlcourse.datasets.image_data import ImageData
from tlcourse.model_selection import agreement, choose_model, on_front, pick, rank_backbones
from tlcourse.networks import model_cost
from tlcourse.splitting import Splits


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def splits():
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    pixels = rng.integers(0, 80, (30, 32, 32, 3)) + 80 * labels[:, None, None, None]
    data = ImageData(pixels.astype(np.uint8), labels, ["dark", "grey", "light"])
    return Splits(data.subset(range(15)), data.subset(range(15, 24)), data.subset(range(24, 30)))


@pytest.mark.training
@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_multiply_adds_are_those_of_the_graph(name):
    import tensorflow as tf

    model = backbones.build(backbones.find_spec(name), 64)
    signature = tf.TensorSpec((1, *model.input_shape[1:]))
    graph = tf.function(lambda images: model(images, training=False)).get_concrete_function(signature).graph
    total = 0
    for operation in graph.get_operations():
        if operation.type in ("Conv2D", "DepthwiseConv2dNative", "MatMul"):
            _, kernel = operation.inputs
            total += int(np.prod(operation.outputs[0].shape[1:-1])) * int(np.prod(kernel.shape))
    assert model_cost.multiply_adds(model) == total > 1e6


def test_a_network_that_cannot_be_measured_is_said_so():
    spec = backbones.BackboneSpec("NoSuchNetwork", {})
    with pytest.raises(RuntimeError, match="NoSuchNetwork at 32 pixels could not be measured: ValueError"):
        model_cost._measured_apart(spec, 32, 16, False, True)


@pytest.mark.training
def test_a_broken_profile_is_measured_again(monkeypatch):
    measured = model_cost.profile("MobileNetV2", 32, training=False)
    (kept,) = model_cost.cache_folder("profiles").glob("*.json")
    kept.write_text("{")
    assert model_cost.profile("MobileNetV2", 32, training=False).index.equals(measured.index)
    monkeypatch.setattr(model_cost.subprocess, "run", None)  # from here on only what is kept
    assert model_cost.profile("MobileNetV2", 32, training=False)["latency_ms"] > 0


def test_the_front_is_what_nothing_beats():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"latency_ms": rng.integers(0, 8, 40), "imagenet_accuracy": rng.integers(0, 8, 40)})
    front = on_front(table)
    assert 0 < front.sum() < 40
    for name, row in table.iterrows():
        no_worse = (table["latency_ms"] <= row["latency_ms"]) & (table["imagenet_accuracy"] >= row["imagenet_accuracy"])
        better = no_worse & (table != row).any(axis=1)
        assert front[name] == (not better.any())


@pytest.mark.training
def test_ranking_leaves_backbones_and_test_images_alone(splits):
    named = {seed: backbones.load_backbone("MobileNetV2", None, 32, seed) for seed in (1, 2)}
    before = [weights.copy() for one in named.values() for weights in one.model.get_weights()]
    untouched = Splits(splits.train, splits.validation, None)  # a test part that was looked at would fail
    table = rank_backbones(untouched, named, ["knn", "logme"], recipe="feature_extraction")
    assert list(table.columns[:5]) == ["weights", "imagenet_accuracy", "features", "parameters", "multiply_adds"]
    assert table["accuracy"].is_monotonic_decreasing and set(table.index) == {1, 2}
    after = [weights for one in named.values() for weights in one.model.get_weights()]
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_ranking_says_what_is_wrong(splits):
    with pytest.raises(ValueError, match="one of VGG16, ResNet50"):
        rank_backbones(splits, ["VGG61"])
    with pytest.raises(ValueError, match="Expected methods from logme"):
        rank_backbones(splits, ["VGG16"], ["log_me"])
    with pytest.raises(ValueError, match="one name came twice"):
        rank_backbones(splits, ["VGG16", "VGG16"])
    with pytest.raises(ValueError, match="source_probabilities"):
        rank_backbones(splits, ["VGG16"], ["leep"], image_size=32)


def judged(seed=0, backbones=6):
    rng = np.random.default_rng(seed)
    accuracy = rng.random(backbones)
    scores = {"logme": accuracy + 0.1 * rng.normal(size=backbones), "knn": rng.random(backbones), "sfda": -accuracy}
    return pd.DataFrame(scores | {"imagenet_accuracy": 0.7, "accuracy": accuracy})


def test_agreement_is_scipys():
    table = judged()
    found = agreement(table, ["logme", "knn", "sfda", "imagenet_accuracy"])
    for method in ("logme", "knn", "sfda"):
        assert found.loc[method, "tau"] == pytest.approx(weightedtau(table["accuracy"], table[method]).statistic)
    assert found.loc["sfda", "tau"] == pytest.approx(-1)
    assert found.loc["imagenet_accuracy", "tau"] == 0  # the same for all: no order
    assert (found["low"] <= found["tau"]).all() and (found["tau"] <= found["high"]).all()
    assert found.index[-1] == "sfda"


def test_agreement_over_several_rankings():
    tables = [judged(seed).assign(task=seed) for seed in range(8)]
    found = agreement(pd.concat(tables), ["knn", "logme"], by="task")
    expected = np.mean([weightedtau(table["accuracy"], table["knn"]).statistic for table in tables])
    assert found.loc["knn", "tau"] == pytest.approx(expected)
    assert found.loc["knn", "low"] < found.loc["knn", "tau"] < found.loc["knn", "high"]
    with pytest.raises(ValueError, match="at least two backbones"):
        agreement(tables[0].assign(task=range(6)), by="task")
    with pytest.raises(ValueError, match="recipe="):
        agreement(tables[0].drop(columns="accuracy"))


@pytest.mark.training
def test_a_choice_with_images_gives_its_reasons(splits):
    choice = choose_model("image_classification", splits, image_size=32)
    assert choice.name in ("VGG16", "ResNet50") and choice.head == "classification" and choice.weights == "course"
    assert list(choice.reasons) == ["task match", "complexity", "accuracy", "hardware"]
    assert "15 training images in 3 classes" in repr(choice)
    probes = choice.table["linear_probe"].dropna()
    chance = np.sqrt(probes.max() * (1 - probes.max()) / 15)
    assert probes[choice.name] >= probes.max() - chance
    # of those as good, the cheapest
    assert choice.name == choice.table.loc[probes.index[probes >= probes.max() - chance], "multiply_adds"].idxmin()


def test_a_choice_without_images_says_so():
    choice = choose_model("image_classification")
    assert choice.name == "ResNet50" and "published table alone" in repr(choice)
    assert "weights" in choice.table.loc["MobileNetV2", "left_out"]


def test_a_choice_for_detection():
    choice = choose_model("object_detection")
    assert (choice.name, choice.head) == ("VGG16", "detection")
    with pytest.raises(ValueError, match="No backbone is left: VGG16: parameters is 1.471e"):
        choose_model("object_detection", max_params=1e6)


def test_limits_are_kept(monkeypatch):
    costs = {"VGG16": (9.0, 200.0), "ResNet50": (5.0, 300.0), "MobileNetV2": (2.0, 90.0), "EfficientNetB0": (3.0, 80.0)}

    def profile(name, image_size, training):
        latency, memory = costs[name]
        return pd.concat(
            [model_cost.count(name, image_size), pd.Series({"latency_ms": latency, "inference_mb": memory})]
        )

    monkeypatch.setattr("tlcourse.model_selection.profile", profile)
    assert choose_model("image_classification", max_latency_ms=10).name == "ResNet50"
    assert choose_model("image_classification", max_memory_mb=250).name == "VGG16"
    assert choose_model("image_classification", max_params=20e6).name == "VGG16"
    with pytest.raises(ValueError, match="latency_ms is 9, the limit is 4.*tlcourse weights --download MobileNetV2"):
        choose_model("image_classification", max_latency_ms=4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "segmentation"}, "'image_classification' or 'object_detection'; 'segmentation' came"),
        ({"task": "image_classification", "max_latency_ms": 0}, "max_latency_ms to be a number above 0"),
        ({"task": "image_classification", "max_params": float("nan")}, "max_params to be a number above 0"),
    ],
)
def test_choosing_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        choose_model(**arguments)


def test_pick_is_the_best_within():
    table = pd.DataFrame(
        {"accuracy": [0.9, 0.8, 0.7], "latency_ms": [9.0, 5.0, 1.0], "inference_mb": [100.0, 300.0, 50.0]},
        index=["a", "b", "c"],
    )
    assert [pick(table, latency, 400) for latency in (10, 5, 4, 0.5)] == ["a", "b", "c", None]
    assert pick(table, 10, 60) == "c"
