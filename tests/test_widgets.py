"""The views: every button does what its function does, and every mishap says something."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tlcourse import data, model_selection, tuning
from tlcourse.datasets.image_data import ImageData
from tlcourse.labs import lab_run, widgets
from tlcourse.labs.camera_bench import LEVELS
from tlcourse.labs.instant_head import LEFT_OUT, HeadBench, HeadSettings
from tlcourse.labs.lab_controller import Stopped
from tlcourse.labs.lab_run import LabRun, RunSettings
from tlcourse.labs.widgets import (
    YOURS,
    CameraLab,
    FineTuneLab,
    InstantHead,
    PreparationLab,
    RunControls,
    code_box,
    picture,
)
from tlcourse.training.optimizers import OPTIMIZERS

SETTINGS = RunSettings(backbone="VGG16", cut="block5", epochs=3, images_per_class=3)


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield
    deadline = time.monotonic() + 20
    while [thread for thread in threading.enumerate() if thread.name.startswith("tlcourse")]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def validation():
    return SETTINGS.split(data.load("textures")).validation


class FakeTraining:
    "A training without a network: three epochs, each of which waits for the test"

    def __init__(self, validation):
        self.validation, self.step, self.fails = validation, threading.Semaphore(0), None

    def __call__(self, settings, work):
        labels, names = self.validation.labels, self.validation.class_names
        history, points = {name: [] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}, []
        work.report(doing="looking for <images>")
        work.ready()
        stopped = False
        try:
            for epoch in range(3):
                assert self.step.acquire(timeout=20)
                if self.fails:
                    raise self.fails
                for name, values in history.items():
                    values.append(0.5 + 0.1 * epoch if "accuracy" in name else 1.5 - 0.2 * epoch)
                points.append((epoch + 1.0, history["loss"][-1], history["accuracy"][-1]))
                work.report(doing=f"epoch {epoch + 1}", done=epoch + 1, steps=3, left=1.2, points=list(points))
                work.report(history={name: list(values) for name, values in history.items()})
                work.check()
        except Stopped:
            stopped = True
        probabilities = np.eye(len(names))[np.where(np.arange(len(labels)) % 3, labels, 0)] * 0.9 + 0.01
        return LabRun(settings, "course", "group", history, [[0, "head"]], names, labels, probabilities, 1.0, stopped)


@pytest.fixture
def training(validation, monkeypatch):
    fake = FakeTraining(validation)
    monkeypatch.setattr(lab_run, "train", fake)
    return fake


@pytest.fixture
def lab(training, tmp_path):
    made = FineTuneLab(tmp_path / "runs", SETTINGS)
    yield made
    training.step.release(3)
    made.close()
    assert made.controller.wait(20)


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def settled(lab):
    for latest in (lab._draw_curves, lab._draw_run, lab._draw_heat):
        assert latest.wait(60)


def off(lab):
    return {name for name, button in lab.buttons.items() if button.disabled}


def is_png(image):
    return image.image.value[:4] == b"\x89PNG" and image.layout.display != "none"


def finish(lab, training):
    training.step.release(3)
    assert lab.controller.wait(60)
    settled(lab)


def test_a_run_from_start_to_code(lab, training):
    assert off(lab) == {"pause", "stop"} and "Ready" in lab.status.value and "No run yet" in lab.table.value
    lab.buttons["start"].click()
    until(lambda: lab.controller.state == "running" and "Training" in lab.status.value)
    assert off(lab) == {"start"} and all(control.disabled for control in lab.controls.controls.values())
    assert "looking for &lt;images&gt;" in lab.status.value
    training.step.release()
    until(lambda: is_png(lab.curves))
    first = lab.curves.image.value
    training.step.release()
    until(lambda: lab.curves.image.value != first)
    assert 0.6 < lab.progress.value < 0.7 and "about 1 s left" in lab.status.value
    finish(lab, training)
    assert lab.controller.state == "done" and off(lab) == {"pause", "stop"} and lab.progress.value == 1
    assert all(is_png(image) for image in (lab.curves, lab.confusion, lab.mistakes))
    assert "run 1" in lab.table.value and "0.7" not in lab.message.value
    assert lab.code == lab.run.code(plain=True) and "keras.Model(" in lab.code_view.value
    lab.code_kind.value = False
    assert lab.code == lab.run.code() and "fine_tuning.Phase" in lab.code_view.value
    assert "70.0%" in lab.curves.caption.value
    assert "no longer in memory" in lab.heat_note.value  # this run has no network at all
    assert len(lab.which.options) > 20 and not lab.controls.controls["epochs"].disabled


def test_two_clicks_start_one_run(lab, training):
    for _ in range(3):
        lab.buttons["start"].click()
    assert "A run is on" in lab.message.value
    finish(lab, training)
    assert len(lab.session.runs) == 1


def test_pause_and_go_on_are_one_button(lab, training):
    lab.buttons["start"].click()
    until(lambda: lab.controller.state == "running")
    lab.buttons["pause"].click()
    until(lambda: "Paused" in lab.status.value)
    assert lab.buttons["pause"].description == "Go on" and "start" in off(lab)
    training.step.release(3)
    time.sleep(0.05)
    assert lab.controller.state == "paused"
    lab.buttons["pause"].click()
    assert lab.controller.wait(20) and lab.controller.state == "done"
    settled(lab)
    assert lab.buttons["pause"].description == "Pause"


def test_stop_keeps_what_there_is_and_reset_forgets(lab, training):
    lab.buttons["start"].click()
    until(lambda: lab.controller.state == "running")
    lab.buttons["stop"].click()
    assert off(lab) == {"start", "pause", "stop"}
    finish(lab, training)
    assert lab.run.stopped and "1 of 3" in lab.table.value
    lab.controls.controls["epochs"].value = 9
    lab.buttons["start"].click()
    until(lambda: lab.controller.state == "running")
    lab.buttons["reset"].click()
    finish(lab, training)
    assert lab.controller.state == "idle" and len(lab.session.runs) == 1
    assert lab.controls.settings == SETTINGS and off(lab) == {"pause", "stop"}


def test_an_exception_in_training_is_shown_as_text(lab, training):
    training.fails = ValueError("no <b>such</b> thing")
    lab.buttons["start"].click()
    training.step.release()
    assert lab.controller.wait(20)
    assert "Failed" in lab.status.value and off(lab) == {"pause", "stop"}
    assert "ValueError: no &lt;b&gt;such&lt;/b&gt; thing" in lab.message.value and 'role="alert"' in lab.message.value
    training.fails = None
    lab.buttons["start"].click()
    assert lab.message.value == ""
    finish(lab, training)
    assert lab.controller.state == "done"


def test_settings_that_cannot_be_meant_are_said_and_nothing_starts(lab):
    lab.controls.controls["dataset"].value = YOURS
    lab.controls.controls["weights"].value = "auto"
    lab._defaults = SETTINGS
    lab.session.start = lambda settings: settings.phases() and (_ for _ in ()).throw(ValueError(settings.folder or "?"))
    lab.controls.controls["folder"].value = "my photos"
    lab.buttons["start"].click()
    assert "ValueError: my photos" in lab.message.value and lab.controller.state == "idle"
    del lab.session.start


def test_a_cell_that_is_run_again_shows_the_same_run(lab, training, tmp_path):
    lab.controls.controls["epochs"].value = 7
    lab.buttons["start"].click()
    until(lambda: lab.controller.state == "running")
    newer = FineTuneLab(tmp_path / "runs", SETTINGS)
    assert newer.controller is lab.controller and newer.controls.settings.epochs == 7
    assert off(newer) == {"start"} and off(lab) == set(lab.buttons) and "newer view" in lab.message.value
    finish(newer, training)
    assert "run 1" in newer.table.value and "run 1" not in lab.table.value and "Done" in newer.status.value
    newer.close()


def test_a_closed_view_leaves_no_thread_and_the_run_is_kept(training, tmp_path):
    lab = FineTuneLab(tmp_path / "runs", SETTINGS)
    lab.buttons["start"].click()
    until(lambda: lab.controller.state == "running")
    lab.close()
    training.step.release(3)
    assert lab.controller.wait(20)
    assert [run.stopped for run in lab_run.kept(tmp_path / "runs")] == [True]


def test_runs_of_another_kernel_are_found_compared_taken_and_removed(lab, training, tmp_path):
    for epochs in (3, 5):
        lab.controls.controls["epochs"].value = epochs
        lab.buttons["start"].click()
        finish(lab, training)
    lab_run._sessions.clear()
    again = FineTuneLab(tmp_path / "runs", SETTINGS)
    settled(again)
    assert [name for name, _ in again.shown.options] == ["run 2", "run 1"] and again.run.name == "run 2"
    assert all(is_png(image) for image in (again.curves, again.confusion, again.mistakes))
    alone = again.curves.image.value
    again.other.value = again.session.runs[0]
    settled(again)
    assert again.curves.image.value != alone
    assert again.controls.settings.epochs == 3
    again.actions["take"].click()
    assert again.controls.settings.epochs == 5
    again.actions["export"].click()
    assert "no longer in memory" in again.message.value
    again.actions["forget"].click()
    settled(again)
    assert again.run.name == "run 1" and "run 2" not in again.table.value
    again.shown.value = again.session.runs[0]
    again.actions["forget"].click()
    settled(again)
    assert again.run is None and again.code == "" and "No run yet" in again.code_view.value
    assert all(action.disabled for action in again.actions.values()) and not is_png(again.curves)
    assert lab_run.kept(tmp_path / "runs") == []
    again.close()


def test_a_run_whose_images_are_gone_says_so(lab, training, monkeypatch):
    lab.buttons["start"].click()
    finish(lab, training)
    lab._images = None
    monkeypatch.setattr(RunSettings, "load", lambda settings: data.load("digits"))
    lab._show_run(lab.run)
    settled(lab)
    assert "Put the old ones back" in lab.message.value


def test_a_figure_that_cannot_be_drawn_stops_neither_run_nor_view(lab, training, monkeypatch):
    monkeypatch.setattr(widgets, "draw_curves", lambda *arguments: (_ for _ in ()).throw(MemoryError("no room")))
    lab.buttons["start"].click()
    finish(lab, training)
    assert lab.controller.state == "done" and "MemoryError: no room" in lab.message.value
    assert any(isinstance(error, MemoryError) for error in lab._draw_curves.errors)


def test_controls_hold_every_setting():
    controls = RunControls(SETTINGS)
    assert set(controls.controls) == set(vars(SETTINGS)) and controls.settings == SETTINGS
    other = dict(
        dataset="digits",
        images_per_class=7,
        backbone="ResNet50",
        weights="course",
        image_size=96,
        head="flatten",
        recipe="lp_ft",
    )
    other |= dict(cut="conv3", epochs=12, learning_rate=1e-3, backbone_ratio=0.1, optimizer=OPTIMIZERS[0], batch_size=8)
    other |= dict(augment="CutMix", seed=5)
    assert set(other) | {"folder"} == set(vars(SETTINGS))
    for changed in (
        RunSettings(**other),
        RunSettings(**other | {"dataset": "textures", "folder": "/photos", "image_size": 72}),
    ):
        controls.settings = changed
        assert controls.settings == changed
    assert all(control.description for control in controls.controls.values())


def test_controls_that_mean_nothing_are_off():
    controls = RunControls(SETTINGS)

    def off():
        return {name for name, control in controls.controls.items() if control.disabled}

    assert off() == {"folder"}
    controls.controls["cut"].value = "head"
    assert off() == {"folder", "backbone_ratio"}
    controls.controls["recipe"].value = "lp_ft"
    assert off() == {"folder", "cut", "learning_rate", "backbone_ratio", "optimizer"}
    controls.controls["dataset"].value = YOURS
    assert "folder" not in off()
    controls.enable(False)
    assert off() == set(controls.controls)
    controls.enable(True)
    assert off() == {"cut", "learning_rate", "backbone_ratio", "optimizer"}


@pytest.mark.parametrize("name", ["VGG16", "ResNet50", "MobileNetV2"])
def test_the_cuts_are_those_of_the_backbone(name):
    controls = RunControls(SETTINGS)
    controls.controls["backbone"].value = name
    values = [value for _, value in controls.controls["cut"].options]
    stages = list(widgets.BACKBONES[name].cut_points)
    assert values == ["head", *reversed(stages), "all"]
    assert controls.controls["cut"].value == stages[-1]
    controls.controls["cut"].value = "all"
    controls.controls["backbone"].value = "VGG16" if name != "VGG16" else "ResNet50"
    assert controls.controls["cut"].value == "all"


def test_code_is_shown_as_text():
    assert "&lt;/textarea&gt;" in code_box("x = '</textarea>'") and "'</textarea>'" not in code_box("x = '</textarea>'")


def test_pictures_leave_pyplot_alone():
    import matplotlib.pyplot as plt

    mine, _ = plt.subplots()
    threads = [
        threading.Thread(target=picture, args=(lambda figure: figure.subplots().plot([1, 2]),)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plt.get_fignums() == [mine.number] and plt.gcf() is mine
    plt.close(mine)


@pytest.fixture
def head():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    clouds = rng.normal(size=(120, 40)) + rng.normal(size=(3, 40))[np.tile(labels, 2)]
    images = ImageData(rng.integers(0, 256, (60, 16, 16, 3)), labels, ["a", "b", "c"])
    made = InstantHead(HeadBench(clouds[:60], clouds[60:], images, images))
    assert made.wait(60)
    return made


def drawn(head):
    assert head.wait(60)
    return head.picture.image.value, head.result.accuracy


def test_each_slider_trains_and_draws_again(head):
    seen = [drawn(head)]
    for control, value in ((head.per_class, 2), (head.regularisation, 1e4), (head.weight, 50.0), (head.weighted, "b")):
        control.value = value
        seen.append(drawn(head))
    assert seen[0][1] > seen[1][1]
    assert head.result.recall["b"] > head.result.recall.drop("b").max()
    assert f"{head.result.accuracy:.1%} right with 6 training images" in head.status.value
    head._buttons["reset"].click()
    assert drawn(head)[1] == seen[0][1] and head.settings == HeadSettings()


def test_a_label_in_the_gallery_trains_again(head):
    before = drawn(head)
    images = [label for label in head._labels if label.layout.visibility == "visible"]
    assert [label.value for label in images] == [0, 1, 2] * 3 + [0]
    images[1].value = 0
    images[2].value = LEFT_OUT
    after = drawn(head)
    assert after[0] != before[0] and head.settings.labels == {20: 0, 40: LEFT_OUT}
    assert len(head.result.used) == 29 and head.result.given[20] == 0
    head._buttons["hardest"].click()
    assert int(head._order[0]) == head.result.used[head.result.fits[head.result.used].argmin()]


def test_an_image_is_taken_in(head):
    head.per_class.value = 2
    drawn(head)
    for _ in range(2):
        head._buttons["later"].click()
    assert head._labels[0].value == LEFT_OUT
    head._labels[0].value = 1
    drawn(head)
    assert len(head.result.used) == 7 and "1 labels changed" in head._where.value
    head._buttons["later"].click()
    head._buttons["earlier"].click()
    assert head._labels[0].value == 1


def test_one_class_is_not_enough_and_is_said(head):
    head.per_class.value = 1
    drawn(head)
    for label in head._labels[1:3]:
        label.value = LEFT_OUT
    assert head.wait(60) and "at least two classes" in head.message.value
    head._labels[1].value = 1
    assert head.wait(60) and head.message.value == ""


def test_head_and_scikit_learn_agree_on_chosen_rows():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    labels = np.tile(np.arange(2), 15)
    rows, tried = rng.normal(size=(30, 50)) + labels[:, None], rng.normal(size=(30, 50)) + labels[:, None]
    images = ImageData(np.zeros((30, 4, 4, 3), np.uint8), labels, ["a", "b"])
    settings = HeadSettings(per_class=4, regularisation=3.0, weighted="b", weight=5.0, labels={29: 0, 0: LEFT_OUT})
    result = HeadBench(rows, tried, images, images).fit(settings)
    used, given = np.array([1, 2, 3, 4, 5, 6, 7, 29]), labels.copy()
    given[29] = 0
    scaled = [(one - rows.mean(axis=0)) / rows.std(axis=0) for one in (rows[used], tried)]
    plain = LogisticRegression(C=1 / 3, class_weight={1: 5.0}, tol=1e-8, max_iter=1000).fit(scaled[0], given[used])
    assert np.array_equal(result.used, used)
    np.testing.assert_allclose(result.probabilities, plain.predict_proba(scaled[1]), atol=2e-3)


def test_features_that_do_not_fit_are_refused():
    images = ImageData(np.zeros((4, 4, 4, 3), np.uint8), [0, 0, 1, 1], ["a", "b"])
    for rows, tried in (
        (np.zeros((3, 2)), np.zeros((4, 2))),
        (np.zeros((4, 2)), np.zeros((4, 3))),
        (np.zeros(4), np.zeros(4)),
    ):
        with pytest.raises(ValueError, match="one row of features an image"):
            HeadBench(rows, tried, images, images)


class FakeBench:
    "What a bench measures, without images and networks: each question is noted, and one of them fails"

    def __init__(self, curve=None):
        self.asked, self.curve = [], curve

    def measure(self, *asked):
        self.asked.append(asked)
        if "prepared twice" in asked:
            raise MemoryError("no room for <images>")
        draw = lambda figure: figure.subplots().plot([0, len(self.asked)])  # noqa: E731
        return SimpleNamespace(draw=draw, accuracy=0.25, promised=0.75, curve=pd.Series([0.75, 0.25]))


def test_a_preparation_is_measured_drawn_and_said():
    lab = PreparationLab(FakeBench())
    assert lab.wait(20) and is_png(lab.picture) and "25.0% right, 75.0%" in lab.status.value
    first = lab.picture.image.value
    lab.name.value, lab.where.value = "not prepared", "throughout"
    assert lab.wait(20) and lab.bench.asked[-1] == ("not prepared", "throughout") and lab.picture.image.value != first
    lab.name.value = "prepared twice"
    assert lab.wait(20) and "MemoryError: no room for &lt;images&gt;" in lab.message.value
    assert 'role="alert"' in lab.message.value and lab.status.value == ""
    lab.name.value = "as promised"
    assert lab.wait(20) and lab.message.value == "" and "25.0%" in lab.status.value


def test_the_camera_gets_worse_step_by_step():
    lab = CameraLab(FakeBench())
    assert lab.wait(20) and lab.bench.asked == [("blurred", 0.0)]
    lab.level.index = 3
    assert lab.wait(20) and lab.bench.asked[-1] == ("blurred", LEVELS["blurred"][3])
    lab.way.value = "noisy"
    assert lab.wait(20) and lab.bench.asked[-1] == ("noisy", LEVELS["noisy"][3])
    assert [value for _, value in lab.level.options] == list(LEVELS["noisy"]) and is_png(lab.picture)
    assert "25.0% right, 75.0% with the camera as it was" in lab.status.value


def test_every_control_of_the_benches_has_a_label():
    table = pd.DataFrame({"candidate": ["a", "b"], "images": 5, "accuracy": [0.5, 0.7]})
    table = table.assign(latency_ms=[1.0, 2.0], inference_mb=[10.0, 30.0])
    surface = pd.DataFrame(np.eye(3), pd.Index([1, 2, 3], name="row"), pd.Index([1, 2, 3], name="column"))
    contest = tuning.beat_the_tuner(surface)
    benches = [PreparationLab(FakeBench()), CameraLab(FakeBench()), model_selection.picker(table), contest]
    for bench in benches:
        assert bench.wait(60) and is_png(bench.picture) and bench.message.value == ""
        controls = list(with_values(bench))
        assert controls and all(one.description for one in controls)
    buttons = contest.children[2].children
    buttons[0].click()
    assert contest.wait(60) and "you: best" in contest.answer.words
    hidden = contest.picture.image.value
    buttons[1].value = True
    assert contest.wait(60) and contest.picture.image.value != hidden


def with_values(widget):
    "The widgets in a view that a person sets"
    for child in getattr(widget, "children", ()):
        if hasattr(child, "options") or hasattr(child, "min"):
            yield child
        yield from with_values(child)
