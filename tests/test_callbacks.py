"""What people bring as callbacks sees one training of the whole model, and every file opens in Keras alone."""

import csv
import zipfile

import keras
import numpy as np
import pytest

from tlcourse import backbones, fine_tuning
from tlcourse.datasets.image_data import ImageData
from tlcourse.fine_tuning import Phase
from tlcourse.splitting import Splits

pytestmark = [
    pytest.mark.training,
    # Keras's writer, with NumPy 2
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

TWO = [Phase("head", 2, 1e-2), Phase("block5", 2, 1e-3, backbone_lr_ratio=0.1)]


@pytest.fixture(scope="module")
def backbone(thin):
    return backbones.load_backbone("VGG16", "course", 32)


@pytest.fixture(scope="module")
def splits():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    part = ImageData(pixels, np.arange(12) % 2, ["a", "b"])
    return Splits(part, part, part)


def trained(backbone, splits, callbacks, phases=TWO, **options):
    model = fine_tuning.build_classifier(backbone, ["a", "b"])
    options = {"batch_size": 4, "restore_best": False} | options
    return model, fine_tuning.fine_tune(model, splits, phases, callbacks=callbacks, **options)


def opens_in_keras_alone(path):
    assert "tlcourse" not in zipfile.ZipFile(path).read("config.json").decode()
    return keras.models.load_model(path)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_checkpoint_holds_the_whole_model_at_each_epoch(cached, optimizer, backbone, splits, tmp_path):
    phases = [Phase("head", 2, 1e-2, optimizer), Phase("block5", 2, 1e-3, optimizer, backbone_lr_ratio=0.1)]
    keeper = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    weights = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    model, _ = trained(backbone, splits, [keeper, weights], phases, cached=cached)
    assert sorted(path.name for path in tmp_path.glob("*.keras")) == [f"{epoch}.keras" for epoch in (1, 2, 3, 4)]
    last = opens_in_keras_alone(tmp_path / "4.keras")
    assert last.input_shape == (None, 32, 32, 3) and type(last.optimizer).__name__.lower() == optimizer
    assert all(np.array_equal(a, b) for a, b in zip(last.get_weights(), model.get_weights(), strict=True))
    first = opens_in_keras_alone(tmp_path / "1.keras")
    assert any(not np.array_equal(a, b) for a, b in zip(first.get_weights(), last.get_weights(), strict=True))
    fresh = fine_tuning.build_classifier(backbone, ["a", "b"])
    fresh.load_weights(tmp_path / "4.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(fresh.get_weights(), model.get_weights(), strict=True))
    last.fit(splits.train.images, splits.train.labels, verbose=0)  # compiled, and ready to go on


@pytest.mark.parametrize(("name", "end"), [("VGG16", "h5"), ("ResNet50", "hdf5"), ("EfficientNetB0", "h5")])
def test_what_keras_could_not_open_is_not_written(name, end, thin, splits, tmp_path):
    network = backbones.load_backbone(name, None, 32)
    path, model = tmp_path / f"all.{end}", fine_tuning.build_classifier(network, ["a", "b"])
    readable = all(isinstance(part, keras.layers.Layer) for part in model.operations)
    assert readable == (name == "EfficientNetB0")
    if readable:
        model.save(path)
        images = splits.train.images
        assert np.array_equal(keras.models.load_model(path).predict(images), model.predict(images))
    else:
        writes = [lambda: model.save(path)]
        if end == "h5":  # Keras's callback itself refuses the other
            keeper = keras.callbacks.ModelCheckpoint(path)
            other = keras.Model.from_config(model.get_config())  # does not know of the rule
            writes.append(lambda: fine_tuning.fine_tune(other, splits, TWO[:1], callbacks=[keeper]))
        for write in writes:
            with pytest.raises(ValueError, match=r"Expected the name of a \.keras file"):
                write()
        assert not path.exists()
    model.save_weights(tmp_path / "all.weights.h5")


def test_logs_of_all_phases_are_one(backbone, splits, tmp_path):
    heard = []
    hears = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: heard.append("begin"),
        on_train_end=lambda logs: heard.append("end"),
        on_epoch_begin=lambda epoch, logs: heard.append(epoch),
        on_train_batch_end=lambda batch, logs: heard.append("batch"),
    )
    kept = keras.callbacks.History()
    _, history = trained(backbone, splits, [keras.callbacks.CSVLogger(tmp_path / "log.csv"), hears, kept])
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    np.testing.assert_allclose([float(row["val_loss"]) for row in rows], history.history["val_loss"])
    assert kept.history["val_loss"] == pytest.approx(history.history["val_loss"]) and kept.params["epochs"] == 4
    assert [word for word in heard if word != "batch"] == ["begin", 0, 1, 2, 3, "end"] and "batch" in heard


def test_one_that_decides_by_patience_begins_anew_with_each_phase(backbone, splits):
    flat = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(flat=0.0))
    stop = keras.callbacks.EarlyStopping("flat", patience=2, mode="min")  # in the third epoch of each phase
    _, history = trained(backbone, splits, [flat, stop], [Phase("head", 5, 1e-2), Phase("block5", 5, 1e-4)])
    assert len(history.history["loss"]) == 6


@pytest.mark.parametrize("cached", [True, False])
def test_a_learning_rate_that_is_set_is_the_one_that_acts(cached, backbone, splits):
    rates = []

    def still(epoch, rate):
        rates.append(rate)
        return 0.0

    model, _ = trained(backbone, splits, keras.callbacks.LearningRateScheduler(still), cached=cached)
    before = fine_tuning.build_classifier(backbone, ["a", "b"]).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    np.testing.assert_allclose(rates, [1e-2, 0, 1e-3, 0])
    with pytest.raises(ValueError, match="LearningRateScheduler set it to 0, and the phase has a schedule"):
        trained(
            backbone,
            splits,
            [keras.callbacks.LearningRateScheduler(still)],
            [Phase("head", 2, schedule="cosine")],
            cached=cached,
        )


@pytest.mark.parametrize("options", [{"cached": True}, {"cached": False}, {"cached": False, "recompile": False}])
@pytest.mark.parametrize("listening", [True, False])
def test_a_run_that_is_interrupted_leaves_a_model_that_keras_opens(
    options, listening, backbone, splits, tmp_path, monkeypatch
):
    model = fine_tuning.build_classifier(backbone, ["a", "b"])
    if listening:
        calls = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: stop(epoch))]
    else:
        calls, original = [], fine_tuning.TrainingRun.epoch_ended
        monkeypatch.setattr(
            fine_tuning.TrainingRun, "epoch_ended", lambda run, *given: (original(run, *given), stop(run.epoch))
        )

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tuning.fine_tune(model, splits, TWO[1:], batch_size=4, callbacks=calls, **options)
    model.save(tmp_path / "left.keras")
    left = opens_in_keras_alone(tmp_path / "left.keras")
    assert all(np.array_equal(a, b) for a, b in zip(left.get_weights(), model.get_weights(), strict=True))


def test_what_cannot_follow_phases_is_refused(backbone, splits, tmp_path):
    with pytest.raises(ValueError, match="BackupAndRestore begins the epochs anew"):
        trained(backbone, splits, [keras.callbacks.BackupAndRestore(tmp_path)])
    with pytest.raises(TypeError, match="Expected callbacks of Keras; function came"):
        trained(backbone, splits, [lambda epoch, logs: None])
