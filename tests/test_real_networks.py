"""The networks of the course at full size: what the tests with thin ones say of them holds."""

import numpy as np
import optuna
import pytest

from tlcourse import backbones, data, fine_tuning, splitting, tuning
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


# Searches in which something has to be learned: how low a loss gets decides what they do


@pytest.fixture(scope="module")
def parts():
    images = data.load("textures").sample(per_class=6)
    return splitting.split(images, how="stratified", sizes=(0.5, 0.3, 0.2))


@pytest.fixture(scope="module")
def vgg():
    return backbones.load_backbone("VGG16", "course", 32)


@pytest.mark.parametrize("space", [{"cut": ["head", "block5"]}, {"recipe": ["feature_extraction", "top_stage"]}])
def test_phases_are_searched_too(space, parts, vgg):
    study = tuning.search(parts, vgg, space, "grid", "none", 2, storage="memory", epochs=2)
    assert sorted(trial.state for trial in study.trials) == [optuna.trial.TrialState.COMPLETE] * 2
    assert study.trials[0].user_attrs["loss"] != study.trials[1].user_attrs["loss"]


@pytest.mark.parametrize(
    "pruner",
    [optuna.pruners.MedianPruner(n_startup_trials=2), optuna.pruners.SuccessiveHalvingPruner(reduction_factor=3)],
    ids=["median", "successive halving"],
)
def test_a_hopeless_trial_with_a_cut_stops_training_in_its_first_epochs(pruner, parts, vgg, monkeypatch):
    import keras

    begun = []

    class Count(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            begun[-1] += 1

    def fine_tune(*arguments, callbacks=(), **options):
        begun.append(0)
        return original(*arguments, callbacks=[*callbacks, Count()], **options)

    original = tuning.fine_tune
    monkeypatch.setattr(tuning, "fine_tune", fine_tune)
    storage, epochs = optuna.storages.InMemoryStorage(), 6
    queue = optuna.create_study(storage=storage, study_name="cut", direction="minimize")
    for rate in (1e-2, 8e-3, 1e-7):
        queue.enqueue_trial({"learning_rate": rate})
    space = {"learning_rate": (1e-7, 1e-1), "cut": "block5"}
    options = {"storage": storage, "study": "cut", "epochs": epochs, "score": "loss"}
    study = tuning.search(parts, vgg, space, "random", pruner, 3, **options)
    assert begun == [len(trial.intermediate_values) for trial in study.trials]
    assert begun[0] == epochs and begun[2] <= 2
    assert [study.trials[0].state, study.trials[2].state] == [
        optuna.trial.TrialState.COMPLETE,
        optuna.trial.TrialState.PRUNED,
    ]
    assert study.trials[2].params == {"learning_rate": 1e-7} and study.best_trial.number < 2
    # the next search with this storage goes on from there, and trains nothing again
    again = tuning.search(parts, vgg, space, "random", pruner, 3, **options)
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
    assert len(begun) == 3
