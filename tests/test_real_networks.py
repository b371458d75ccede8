"""The networks of the course at full size: what the tests with thin ones say of them holds."""

import numpy as np
import pytest

from tlcourse import backbones, data, fine_tuning
from tlcourse.splitting import Splits

pytestmark = [pytest.mark.training, pytest.mark.long(40)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))


@pytest.mark.parametrize(("name", "cut"), [("VGG16", "block5"), ("ResNet50", "conv5")])
def test_cached_training_is_plain_training(name, cut):
    images = data.load("textures").sample(per_class=3)
    splits = Splits(*(images.subset(range(start, 30, 3)) for start in range(3)))
    backbone = backbones.load_backbone(name, "course", 32)
    trained = []
    for cached in (None, True, False):
        model = fine_tuning.build_classifier(backbone, images.class_names)
        phases = [fine_tuning.Phase(cut, epochs=1, learning_rate=1e-3, optimizer="sgd")]
        options = {"cached": cached, "restore_best": False, "fold": False, "precision": "float32"}
        if cached is not None:
            fine_tuning.fine_tune(model, splits, phases, batch_size=4, **options)
        trained.append(model.get_weights())
    start, *both = trained
    assert any(not np.array_equal(one, other) for one, other in zip(both[0], start, strict=True))
    for one, plain in zip(*both, strict=True):
        assert np.abs(one - plain).max() <= 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize("name", ["VGG16", "ResNet50"])
def test_the_thin_networks_have_the_names_of_the_real_ones(name, tmp_path):
    from thin import thin_networks

    spec = backbones.find_spec(name)
    real = {layer.name for layer in backbones.build(spec, 32, pooling=None).layers}
    with thin_networks(tmp_path):
        thin = backbones.build(spec, 32, pooling=None)
    kinds = {"Conv2D", "BatchNormalization", "Activation", "Add", "MaxPooling2D"}
    named = {layer.name for layer in thin.layers if type(layer).__name__ in kinds}
    named -= {name for name in named if "_0_" in name}  # the real one changes its width in the first block of a stage
    assert named <= real and set(spec.cut_points.values()) <= named and thin.count_params() < 20_000
