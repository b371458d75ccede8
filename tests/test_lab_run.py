"""A run of the lab: its code gives it again, and what was kept of it comes back."""

import ast
import errno
import os
import threading
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

from tlcourse import data
from tlcourse.fine_tuning import RECIPES, Phase
from tlcourse.labs import lab_run
from tlcourse.labs.lab_run import AUGMENTS, LabRun, RunSettings, Session, draw_curves, forget, keep, kept, table_of

SMALL = RunSettings(backbone="VGG16", weights="course", image_size=32, cut="block5", epochs=2, images_per_class=3)


# Keras writes a file by a call that NumPy 2 will refuse one day
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
    pytest.mark.usefixtures("thin"),
]


@pytest.fixture(autouse=True)
def own_places(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(tmp_path)
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tlcourse")]


def run_through(settings, folder, listener=None):
    lab = Session(folder)
    if listener is not None:
        lab.controller.listen(lambda state, facts: listener(lab.controller, state, facts))
    assert lab.start(settings)
    assert lab.controller.wait(300)
    return lab


def executed(run, plain=False):
    "What the code of a run makes"
    made = {}
    exec(compile(run.code(plain), "the code of the run", "exec"), made)
    return made


def imported(code):
    "What code imports, such as `numpy` and `tlcourse.data`"
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


CHANGES = [
    {"weights": "auto", "optimizer": "adamw", "backbone_ratio": 0.1},
    {"folder": "", "cut": "head", "optimizer": "sgd", "head": "flatten", "seed": 1},
    {"backbone": "ResNet50", "cut": "all", "epochs": 1, "augment": "RandAugment"},
    {"recipe": "gradual_unfreezing", "augment": "MixUp"},
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    "A folder with few images: what is shown does not depend on how many there are"
    folder = tmp_path_factory.mktemp("photos")
    textures = data.load("textures").sample(20)
    for number, (pixels, label) in enumerate(zip(textures.images, textures.labels, strict=True)):
        if label < 3:
            place = folder / textures.class_names[label]
            place.mkdir(exist_ok=True)
            Image.fromarray(pixels).resize((32, 32)).save(place / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, photos, thin):
    "Each run is made once, for the two tests of its code"
    made = {}

    def run_of(changes):
        key = str(changes)
        if key not in made:
            settings = RunSettings(**vars(SMALL) | {"folder": str(photos), "batch_size": 4} | changes)
            made[key] = run_through(settings, tmp_path_factory.mktemp("runs"))
        return made[key]

    return run_of


@pytest.mark.training
@pytest.mark.long(60)
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_the_code_gives_the_run_again_to_the_last_digit(changes, runs, tmp_path, capsys):
    lab = runs(changes)
    run, settings = lab.controller.result, lab.settings
    assert lab.controller.state == "done", lab.controller.error
    made = executed(run)
    assert made["history"].history == run.history
    assert made["phases"] == settings.phases()
    again = keras.models.load_model(tmp_path / "model.keras")
    pixels = np.stack([made["splits"].validation.images[index] for index in range(4)]).astype("float32")
    if pixels.shape[1] == settings.image_size:
        np.testing.assert_allclose(again.predict(pixels, verbose=0), run.probabilities[:4], atol=1e-5)
    assert f"accuracy {run.accuracy:.1%}" in capsys.readouterr().out
    exported = keras.models.load_model(lab.export(run))
    for one, other in zip(exported.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.training
@pytest.mark.long(60)
@pytest.mark.parametrize(
    "changes",
    [*CHANGES, *({"recipe": name} for name in ("lp_ft", "discriminative")), {"recipe": "bit", "weights": "none"}],
    ids=str,
)
def test_the_code_in_keras_alone_gives_the_history_of_the_run(changes, runs, tmp_path, capsys):
    run = runs(changes).controller.result
    code = run.code(plain=True)
    ours = {name for name in imported(code) if not name.startswith(("keras", "numpy", "tensorflow"))}
    assert ours <= {"tlcourse.data", "tlcourse.splitting", "tlcourse.backbones"}
    made = executed(run, plain=True)
    assert set(made["history"]) == set(run.history)
    # so few images are computed in float32 without folding: what differs is the order of sums
    for name, values in run.history.items():
        np.testing.assert_allclose(made["history"][name], values, rtol=1e-4, atol=1e-4, err_msg=name)
    assert f"validation accuracy {run.accuracy:.1%}" in capsys.readouterr().out
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(made["validation"][0], verbose=0), run.probabilities, atol=1e-4)


@pytest.mark.training
def test_a_run_that_is_stopped_keeps_its_epochs_and_a_pause_changes_nothing(tmp_path):
    paused = []

    def pause_and_stop(controller, state, facts):
        done = len(facts.get("history", {}).get("loss", ()))
        if state == "running" and done == 1 and not paused and controller.pause():
            paused.append(threading.Timer(0.2, controller.resume))
            paused[0].start()
        if state == "running" and done == 2 and facts.get("points", [(0,)])[-1][0] > 2:
            controller.stop()

    settings = RunSettings(**vars(SMALL) | {"epochs": 6, "cut": "head"})
    settings = RunSettings(**vars(settings) | {"cut": "block5"})
    run = run_through(settings, tmp_path / "runs", pause_and_stop).controller.result
    assert run.stopped and paused and 2 <= len(run.history["loss"]) < 6
    made = executed(run)
    count = len(run.history["loss"])
    assert {name: values[:count] for name, values in made["history"].history.items()} == run.history
    assert f"stopped after {count} epochs" in run.code()
    (again,) = kept(tmp_path / "runs")
    assert again.stopped and "of 6" in table_of([again])["epochs"].iloc[0]


@pytest.mark.training
def test_a_stop_before_the_first_epoch_keeps_nothing(tmp_path):
    lab = run_through(SMALL, tmp_path / "runs", lambda controller, state, facts: controller.stop())
    assert lab.controller.state == "idle" and not lab.runs and not kept(tmp_path / "runs")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"images_per_class": 4000}, "per_class from 1 to"),
        ({"folder": "/no/such/folder"}, "no/such/folder"),
        ({"weights": "imaginary.h5"}, "no such file"),
        ({"image_size": 8}, "at least 32 pixels"),
        ({"head": "tail"}, "head to be one of"),
    ],
    ids=str,
)
def test_what_cannot_be_run_fails_with_the_words_of_the_library(changes, words, tmp_path):
    lab = run_through(RunSettings(**vars(SMALL) | changes), tmp_path / "runs")
    assert lab.controller.state == "failed" and words in str(lab.controller.error)
    assert not kept(tmp_path / "runs")


def test_settings_that_cannot_be_meant_are_refused_before_the_thread(tmp_path):
    for changes, words in (
        ({"recipe": "magic"}, "recipe to be one of own, feature_extraction"),
        ({"augment": "rain"}, "augment to be one of none"),
        ({"optimizer": "newton"}, "optimizer to be one of"),
        ({"learning_rate": 0.0}, "learning_rate to be a number above 0"),
    ):
        with pytest.raises(ValueError, match=words):
            Session(tmp_path / "runs").start(RunSettings(**vars(SMALL) | changes))


def test_phases():
    def phases(**changes):
        return RunSettings(**vars(SMALL) | changes).phases()

    head = dict(learning_rate=0.1, optimizer="sgd")
    assert phases(cut="head", epochs=5, **head) == [Phase("head", 5, 0.1, "sgd")]
    assert phases(cut="block4", epochs=5, backbone_ratio=0.5, **head) == [
        Phase("head", 2, 0.1, "sgd"),
        Phase("block4", 3, 0.1, "sgd", backbone_lr_ratio=0.5),
    ]
    assert phases(cut="all", epochs=1) == [Phase("all", 1, 0.01, backbone_lr_ratio=0.01)]
    for recipe, make in RECIPES.items():
        assert phases(recipe=recipe, epochs=7) == make([f"block{number}" for number in range(1, 6)], 7)
        assert all(phase.augment for phase in phases(recipe=recipe, augment="RandAugment"))
    assert {(phase.augment, phase.mix) for name in AUGMENTS for phase in phases(augment=name)} == {
        (False, None),
        (True, None),
        (False, "mixup"),
        (False, "cutmix"),
    }


def made_up(seed=0, epochs=3, **changes):
    rng = np.random.default_rng(seed)
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    history = {name: rng.random(epochs).tolist() for name in names}
    labels, probabilities = rng.integers(0, 3, 20), rng.dirichlet(np.ones(3), 20)
    settings = RunSettings(**vars(SMALL) | {"epochs": epochs})
    run = dict(history=history, labels=labels, probabilities=probabilities, starts=[[0, "head"], [1, "block5"]])
    return LabRun(
        **dict(settings=settings, weights="course", how="group", class_names=["a", "b", "c"], seconds=1.5)
        | run
        | changes
    )


def test_kept_runs_come_back_as_they_were(tmp_path):
    assert kept(tmp_path / "none yet") == []
    runs = [keep(made_up(seed), tmp_path) for seed in range(3)]
    (tmp_path / "notes").mkdir()
    (tmp_path / "004").mkdir()  # of a kernel that was killed between the two steps
    for one, other in zip(runs, kept(tmp_path), strict=True):
        assert (one.history, one.settings, one.starts, one.name) == (
            other.history,
            other.settings,
            other.starts,
            other.name,
        )
        assert np.array_equal(one.probabilities, other.probabilities) and np.array_equal(one.labels, other.labels)
        assert one.accuracy == other.accuracy and other.code() == one.code()
    forget(runs[1])
    assert [run.name for run in kept(tmp_path)] == ["run 1", "run 3"]
    assert keep(made_up(), tmp_path).folder.name == "005"


def test_kernels_at_once_never_share_a_number(tmp_path):
    made = []
    threads = [
        threading.Thread(target=lambda seed=seed: made.append(keep(made_up(seed), tmp_path))) for seed in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.folder.name for run in made) == [f"{number:03}" for number in range(1, 9)]
    assert len(kept(tmp_path)) == 8


def test_a_damaged_run_is_said_and_the_others_are_there(tmp_path):
    for seed in range(2):
        keep(made_up(seed), tmp_path)
    (tmp_path / "001" / "state.npz").write_bytes(b"half")
    with pytest.warns(UserWarning, match="damaged"):
        assert [run.name for run in kept(tmp_path)] == ["run 2"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(kept(tmp_path)) == 1


def test_a_later_version_may_know_more_settings(tmp_path, monkeypatch):
    run = keep(made_up(), tmp_path)
    monkeypatch.setattr(lab_run, "asdict", lambda settings: vars(settings) | {"colour": "blue"})
    keep(run, tmp_path)
    assert [one.settings for one in kept(tmp_path)] == [run.settings] * 2


def test_where_nothing_can_be_kept_the_run_stays_in_the_list(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(lab_run, "save_state", full)
    monkeypatch.setattr(lab_run, "train", lambda settings, work: made_up())
    lab = run_through(SMALL, tmp_path / "runs")
    assert lab.controller.state == "done" and len(lab.runs) == 1
    assert "No space left" in lab.controller.facts["trouble"]
    assert lab.runs[0].name == "run that was not kept"
    with pytest.raises(ValueError, match="no longer in memory"):
        lab.export(lab.runs[0])


def test_what_is_forgotten_while_it_runs_is_not_kept(tmp_path, monkeypatch):
    def slow(settings, work):
        work.ready()
        lab.controller.reset()
        return made_up()

    monkeypatch.setattr(lab_run, "train", slow)
    lab = Session(tmp_path / "runs")
    lab.start(SMALL)
    assert lab.controller.wait(20) and lab.controller.state == "idle" and not lab.runs
    assert not kept(tmp_path / "runs")


def test_one_session_a_folder(tmp_path):
    one = lab_run.session(tmp_path / "a")
    assert lab_run.session(tmp_path / "a") is one and lab_run.session(tmp_path / "b") is not one
    one.controller.close()
    assert lab_run.session(tmp_path / "a") is not one


def test_other_images_than_those_of_the_run_are_refused():
    with pytest.raises(ValueError, match="Put the old ones back, or run it again"):
        made_up().report()


def test_curves_show_what_the_history_has():
    one, other = made_up(0), made_up(1)
    figure = draw_curves({"one": vars(one), "other": vars(other)}, 3)
    for axis, name in zip(figure.axes, ("loss", "accuracy"), strict=True):
        drawn = [line.get_ydata() for line in axis.lines if len(line.get_xdata()) == 3]
        expected = [run.history[key] for run in (one, other) for key in (name, f"val_{name}")]
        assert all(np.array_equal(line, values) for line, values in zip(drawn, expected, strict=True))
    live = draw_curves({"this run": {"points": [(0.5, 2.0, 0.3), (1.0, 1.0, 0.5)]}}, 3)
    assert [list(axis.lines[0].get_ydata()) for axis in live.axes] == [[2.0, 1.0], [0.3, 0.5]]
    assert len(draw_curves({}, 3).axes) == 2
