"""A search finds what it should, loses nothing, and says what is wrong before the first trial."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import optuna
import pytest

from tlcourse import backbones, cli, data, fine_tuning, splitting, tuning
from tlcourse.datasets.image_data import ImageData
from tlcourse.search import trials
from tlcourse.search.search_space import combinations, discretised, parse_space
from tlcourse.splitting import Splits

COMPLETE, PRUNED, FAIL = (getattr(optuna.trial.TrialState, name) for name in ("COMPLETE", "PRUNED", "FAIL"))
SMALL = {"learning_rate": (1e-3, 1e-1), "optimizer": {"adam": {}, "sgd": {"momentum": (0.0, 0.9)}}}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def splits():
    images = data.load("textures").sample(per_class=6)
    return splitting.split(images, how="stratified", sizes=(0.5, 0.3, 0.2))


@pytest.fixture(scope="module")
def backbone(thin):
    return backbones.load_backbone("VGG16", "course", 32)


def params(study):
    return [trial.params for trial in study.trials]


# What is searched


@pytest.mark.training
@pytest.mark.parametrize("sampler", ["random", "tpe", "cma-es", "grid"])
def test_an_interrupted_search_tries_what_one_in_a_piece_tries(sampler, splits, backbone, tmp_path):
    options = {"space": SMALL, "sampler": sampler, "epochs": 2, "study": "one"}
    # more trials than TPE's ten random ones; the grid's levels depend on the count, so it gets the same one
    whole = tuning.search(splits, backbone, n_trials=16, storage="memory", **options)
    parts = str(tmp_path / "parts.journal")
    if sampler == "grid":
        stop = threading.Event()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tuning, "suggest", stopping_after(4, stop))
            tuning.search(splits, backbone, n_trials=16, storage=parts, stop=stop, **options)
    else:
        tuning.search(splits, backbone, n_trials=4, storage=parts, **options)
    assert trials.count_done(optuna.load_study(study_name="one", storage=trials.open_storage(parts))) == 4
    again = tuning.search(splits, backbone, n_trials=16, storage=parts, **options)
    assert params(again) == params(whole)
    assert len({json.dumps(one) for one in params(whole)}) == len(whole.trials)
    assert [trial.value for trial in again.trials] == [trial.value for trial in whole.trials]


def stopping_after(count, stop):
    calls = []

    def suggest(*arguments):
        calls.append(1)
        if len(calls) == count:
            stop.set()
        return original(*arguments)

    original = tuning.suggest
    return suggest


@pytest.mark.training
def test_the_grid_is_tried_once_each(splits, backbone):
    space = SMALL | {"batch_size": [8, 16]}
    study = tuning.search(splits, backbone, space, "grid", "none", 50, storage="memory", epochs=1)
    levels = {trial.params["learning_rate"] for trial in study.trials}
    entries = discretised(parse_space(space, tuning.PARAMETERS), len(levels))
    wanted = Counter(json.dumps(one, sort_keys=True) for one in combinations(entries))
    tried = Counter(json.dumps(trial.user_attrs["settings"], sort_keys=True) for trial in study.trials)
    assert tried == wanted and len(tried) > 20 and len(levels) > 2


@pytest.mark.training
def test_a_parameter_of_one_choice_is_there_with_it_only(splits, backbone):
    study = tuning.search(splits, backbone, SMALL, "random", "none", 12, storage="memory", epochs=1)
    kinds = {trial.params["optimizer"] for trial in study.trials}
    assert kinds == {"adam", "sgd"}
    for trial in study.trials:
        assert ("sgd.momentum" in trial.params) == (trial.params["optimizer"] == "sgd")


@pytest.mark.training
def test_a_trial_is_a_fine_tuning(splits, backbone):
    space = {"learning_rate": (1e-3, 1e-2), "depth": [0, 1], "width": 16, "dropout": 0.3, "schedule": "cosine"}
    study = tuning.search(
        splits, backbone, space, "random", "none", 4, storage="memory", epochs=3, score="loss", seed=5
    )
    assert {trial.params["depth"] for trial in study.trials} == {0, 1}
    for trial in study.trials:
        settings = tuning.complete(trial.user_attrs["settings"])
        model = tuning.build(backbone, splits.train.class_names, settings, seed=5)
        phases = [fine_tuning.Phase("head", 3, settings["learning_rate"], schedule="cosine")]
        history = fine_tuning.fine_tune(model, splits, phases, seed=5).history
        best = int(np.argmin(history["val_loss"]))
        assert trial.value == pytest.approx(history["val_loss"][best], rel=2e-2)
        assert trial.user_attrs["accuracy"] == pytest.approx(history["val_accuracy"][best], abs=0.06)


@pytest.mark.training
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's save, with NumPy 2
def test_the_best_trial_becomes_a_model(splits, backbone, tmp_path):
    import keras

    study = tuning.search(
        splits,
        backbone,
        {"learning_rate": (1e-3, 1e-1), "depth": 1, "width": 8},
        n_trials=3,
        storage="memory",
        epochs=3,
    )
    model = tuning.train_best(study, splits, backbone)
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [8, 10]
    probabilities = model.predict(splits.validation.images[:, ::2, ::2].astype("float32"), verbose=0)
    model.save(tmp_path / "best.keras")
    loaded = keras.models.load_model(tmp_path / "best.keras")
    np.testing.assert_allclose(
        loaded.predict(splits.validation.images[:, ::2, ::2].astype("float32"), verbose=0), probabilities, atol=1e-5
    )


@pytest.mark.training
def test_the_test_part_is_never_looked_at(splits, backbone):
    class Untouchable(ImageData):
        def __init__(self):
            "It has nothing"

        def __getattr__(self, name):
            raise AssertionError(f"the test part was asked for its {name}")

    guarded = Splits(splits.train, splits.validation, Untouchable())
    space = {"cut": ["head", "block5"]}
    tuning.search(guarded, backbone, space, "grid", "none", 2, storage="memory", epochs=1)
    tuning.search(guarded, backbone, {"augment": [0, 1]}, "grid", "none", 2, storage="memory", epochs=1, part=2)
    with pytest.raises(ValueError, match="looked at once, when the search is over"):
        tuning.search(splits, backbone, SMALL, part="test")


@pytest.mark.training
def test_cross_validation_is_the_mean_over_folds_with_no_group_on_both_sides(splits, backbone):
    bench = tuning.Workbench(splits, backbone, 2, epochs=2)
    result = bench.measure({"learning_rate": 1e-2})
    singles = []
    for train, validation in bench.folds():
        assert len(train) + len(validation) == len(splits.train) + len(splits.validation)
        assert not set(train.metadata["group"]) & set(validation.metadata["group"])
        one = tuning.Workbench(Splits(train, validation, splits.test), backbone, epochs=2)
        singles.append(one.measure({"learning_rate": 1e-2}))
    assert result["accuracy"] == pytest.approx(np.mean([one["accuracy"] for one in singles]))
    assert result["loss"] == pytest.approx(np.mean([one["loss"] for one in singles]), rel=1e-4)


@pytest.mark.training
def test_a_pruned_trial_ends_early_and_does_not_win(splits, backbone):
    study = tuning.search(
        splits, backbone, {"learning_rate": (1e-6, 1e-1)}, "random", "hyperband", 30, storage="memory", epochs=9
    )
    pruned = [trial for trial in study.trials if trial.state == PRUNED]
    assert pruned and all(len(trial.intermediate_values) < 9 for trial in pruned)
    assert study.best_trial.state == COMPLETE
    assert all(len(trial.intermediate_values) == 9 for trial in study.trials if trial.state == COMPLETE)


# What goes wrong in a trial


@pytest.mark.training
def test_a_trial_that_diverges_fails_with_its_reason_and_the_search_goes_on(splits, backbone):
    space = {"learning_rate": [1e-2, 1e38], "optimizer": "sgd", "depth": 1}
    study = tuning.search(splits, backbone, space, "grid", "none", 2, storage="memory", epochs=2)
    states = {trial.params["learning_rate"]: trial.state for trial in study.trials}
    assert states == {1e-2: COMPLETE, 1e38: FAIL}
    assert trials.failures(study)["reason"].str.startswith("diverged: ").all() and len(trials.failures(study)) == 1
    assert tuning.best_settings(study)["learning_rate"] == 1e-2


@pytest.mark.training
def test_a_full_memory_fails_the_trial(splits, backbone, monkeypatch):
    import tensorflow as tf

    errors = iter([MemoryError("no room"), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"), None])

    def fit(*arguments, **options):
        error = next(errors)
        if error:
            raise error
        return original(*arguments, **options)

    original = tuning.HeadTrainer.fit
    monkeypatch.setattr(tuning.HeadTrainer, "fit", fit)
    study = tuning.search(splits, backbone, SMALL, "random", "none", 3, storage="memory", epochs=1)
    assert [trial.state for trial in study.trials] == [FAIL, FAIL, COMPLETE]
    assert list(trials.failures(study)["reason"]) == ["out of memory: no room", "out of memory: OOM when allocating"]


def test_a_mistake_in_the_code_is_not_hidden(splits, backbone, monkeypatch):
    monkeypatch.setattr(tuning.HeadTrainer, "fit", lambda *arguments, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tuning.search(splits, backbone, SMALL, n_trials=3, storage="memory", study="broken")


@pytest.mark.training
def test_ctrl_c_keeps_what_is_done_and_tries_the_rest_again(splits, backbone, tmp_path, monkeypatch, capsys):
    def measure(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    calls, original = [], tuning.Workbench.measure
    monkeypatch.setattr(tuning.Workbench, "measure", measure)
    options = dict(sampler="random", n_trials=4, storage=str(tmp_path / "a.journal"), epochs=1)
    study = tuning.search(splits, backbone, SMALL, **options)
    assert trials.count_done(study) == 2 and "2 trials are kept" in capsys.readouterr().out
    interrupted = study.trials[2].params
    study = tuning.search(splits, backbone, SMALL, **options)
    assert trials.count_done(study) == 4 and study.trials[3].params == interrupted


@pytest.mark.training
def test_seconds_end_the_search(splits, backbone):
    started = []

    class Clock:
        def __getattr__(self, name):
            return getattr(time, name)

        def monotonic(self):
            return 10.0 * len(started)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "time", Clock())
        patch.setattr(
            tuning, "suggest", lambda *arguments, suggest=tuning.suggest: started.append(1) or suggest(*arguments)
        )
        patch.setattr(tuning, "_probe", lambda *arguments: None)
        study = tuning.search(splits, backbone, SMALL, "random", seconds=35.0, storage="memory", epochs=1)
    assert len(study.trials) == 4


# What is said before the first trial


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": {}}, "it is empty"),
        ({"space": {"learning_rate": (1e-3, "fast")}}, "Expected numbers as bounds of 'learning_rate'; 'fast' came"),
        ({"space": {"learning_rate": (1e-3, float("nan"))}}, "Expected numbers as bounds"),
        ({"space": {"learning_rate": (0.1, 0.01)}}, "lower bound of 'learning_rate' first"),
        ({"space": {"learning_rate": (0, 0.1)}}, "to be a number above 0; a bound of 0 came"),
        ({"space": {"lerning_rate": (0.01, 0.1)}}, "Did you mean 'learning_rate'"),
        ({"space": {"dropout": (0.0, 1.0)}}, "to below 1; a bound of 1.0 came"),
        ({"space": {"optimizer": ["adm", "sgd"]}}, "Did you mean 'adam'"),
        ({"space": {"optimizer": {"sgd": {"momentun": (0, 0.9)}}}}, "Did you mean 'momentum'"),
        (
            {"space": {"learning_rate": (0.01, 0.1), "optimizer": {"sgd": {"learning_rate": (0.1, 1.0)}}}},
            "each parameter once",
        ),
        ({"space": {"learning_rate": 0.1}}, "something to search"),
        ({"space": {"cut": ["head", "block6"]}}, "Did you mean 'block"),
        ({"space": {"cut": ["head", "block5"], "recipe": ["auto", "bit"]}}, "not both"),
        ({"space": {"depth": (0, 2), "batch_size": (8.0, 16.5)}}, "a whole number from 1"),
        ({"sampler": "tpee"}, "Did you mean 'tpe'"),
        ({"pruner": "hyperbend"}, "Did you mean 'hyperband'"),
        ({"score": "f1"}, "one of accuracy, loss"),
        ({"n_trials": 0}, "n_trials to be a whole number from 1"),
        ({"seconds": -1}, "seconds to be a number above 0"),
        ({"epochs": 0}, "whole number from 1"),
        ({"part": 1}, "a whole number from 2"),
        ({"part": 50}, "cannot be divided into 50 folds"),
        ({"storage": "postgresql://user:secret@localhost:1/none"}, r"user:\*\*\*@localhost:1/none cannot be reached"),
        ({"storage": "oracel://user:secret@localhost/none"}, "kind of database"),
    ],
)
def test_bad_input_is_told_before_the_first_trial(options, message, splits, backbone, monkeypatch):
    monkeypatch.setattr(trials, "_run", lambda *arguments: pytest.fail("a trial ran"))
    with pytest.raises(ValueError, match=message) as caught:
        tuning.search(splits, backbone, **({"space": SMALL, "n_trials": 2, "storage": "memory"} | options))
    assert "secret" not in str(caught.value) and "secret" not in str(caught.value.__cause__)


def test_a_gaussian_process_needs_pytorch(splits, backbone, monkeypatch):
    def find_spec(name, *rest):
        return None if name == "torch" else original(name, *rest)

    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(ValueError, match="pip install torch"):
        tuning.search(splits, backbone, SMALL, "gp", storage="memory")


needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch, which Optuna's Gaussian process needs, is not here (pip install torch)",
)


@pytest.mark.training
@needs_torch
def test_a_gaussian_process(splits, backbone):
    study = tuning.search(splits, backbone, SMALL, "gp", n_trials=14, storage="memory", epochs=1)
    assert len(study.trials) == 14 and {trial.state for trial in study.trials} <= {COMPLETE, PRUNED}


@needs_torch
def test_a_gaussian_process_goes_on_and_looks_where_it_was_good(tmp_path):
    "On a valley instead of a training, so that what is low is known"
    space = SMALL | {"dropout": (0.0, 0.7), "depth": {0: {}, 1: {"width": [8, 16]}}}
    entries = parse_space(space, tuning.PARAMETERS)

    def valley(trial):
        settings = tuning.suggest(trial, entries)
        return (np.log10(settings["learning_rate"]) + 2.2) ** 2 + settings["dropout"] + 0.1 * settings["depth"]

    def tried(sampler, storage, *counts):
        with trials.quiet_optuna():
            study = optuna.create_study(
                storage=trials.open_storage(storage),
                study_name="valley",
                sampler=tuning.make_sampler(sampler, seed=0),
                load_if_exists=True,
            )
        for count in counts:
            trials.run_trials(study, valley, count, progress=False)
        return study.trials

    whole = tried("gp", "memory", 20)
    tried("gp", str(tmp_path / "parts.journal"), 4, 13)
    parts = tried("gp", str(tmp_path / "parts.journal"), 20)
    assert [trial.params for trial in parts] == [trial.params for trial in whole]
    # it draws ten trials at random before it models anything
    first, then = (np.median([trial.value for trial in part]) for part in (whole[:10], whole[10:]))
    assert then < 0.5 * first
    by_luck = tried("random", "memory", 20)
    assert [trial.params for trial in by_luck[:10]] == [trial.params for trial in whole[:10]]
    assert then < 0.5 * np.median([trial.value for trial in by_luck[10:]])


@pytest.mark.training
def test_a_study_of_another_search_is_an_error(splits, backbone, tmp_path):
    options = dict(n_trials=1, storage=str(tmp_path / "a.journal"), study="mine", epochs=1)
    tuning.search(splits, backbone, SMALL, **options)
    with pytest.raises(ValueError, match="it has other space"):
        tuning.search(splits, backbone, {"learning_rate": (1e-3, 1.0)}, **options)
    with pytest.raises(ValueError, match="it has other epochs"):
        tuning.search(splits, backbone, SMALL, **(options | {"epochs": 2}))
    with pytest.raises(ValueError, match="it has other images"):
        tuning.search(Splits(splits.validation, splits.train, splits.test), backbone, SMALL, **options)


@pytest.mark.training
def test_less_time_than_a_trial_takes_is_told_after_the_probe(splits, backbone, monkeypatch):
    monkeypatch.setattr(trials, "_run", lambda *arguments: pytest.fail("a trial ran"))
    with pytest.raises(ValueError, match=r"One trial takes about .* s here, and seconds=1e-06 is less"):
        tuning.search(splits, backbone, SMALL, seconds=1e-6, storage="memory")


def test_a_torn_line_at_the_end_of_a_journal_is_taken_away(tmp_path):
    path = tmp_path / "a.journal"
    optuna.create_study(storage=trials.open_storage(path), study_name="one")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2].rstrip(b"\n"))
    study = optuna.load_study(storage=trials.open_storage(path), study_name="one")
    study.enqueue_trial({})
    assert (
        path.read_bytes().startswith(whole)
        and len(optuna.load_study(storage=trials.open_storage(path), study_name="one").trials) == 1
    )


# Pictures


@pytest.mark.training
def test_pictures(splits, backbone):
    study = tuning.search(
        splits, backbone, SMALL | {"dropout": (0.0, 0.5)}, "random", "median", 16, storage="memory", epochs=2
    )
    for figure in (
        tuning.draw_history(study),
        tuning.draw_importance(study),
        tuning.draw_parallel(study),
        tuning.draw_slice(study),
        tuning.draw_surface(study, "learning_rate", "dropout"),
    ):
        assert figure.get_suptitle() or figure.axes[0].get_title()
    best = tuning.draw_history(study).axes[0].lines[0].get_ydata()
    complete = [trial.value for trial in study.trials if trial.state == COMPLETE]
    assert list(best) == list(np.maximum.accumulate(complete))
    shares = tuning.importance(study)
    assert shares.sum() == pytest.approx(1) and set(shares.index) == {"learning_rate", "optimizer", "dropout"}
    with pytest.raises(ValueError, match="Its parameters are"):
        tuning.draw_surface(study, "learning_rate", "width")
    empty = optuna.create_study()
    with pytest.raises(ValueError, match="complete trials or more"):
        tuning.draw_importance(empty)


# Several processes

WORKER = """if True:
    import sys, time, optuna
    from pathlib import Path
    from tlcourse.search.trials import open_storage, quiet_optuna, run_trials, seeded_sampler
    where, name, count, go_on = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])

    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        while trial.number >= 8 and not go_on.exists():  # eight are complete, and all four workers have one that runs
            time.sleep(0.01)
        for step in range(3):
            time.sleep(0.1)
            trial.report(x, step)
        return x

    with quiet_optuna():
        study = optuna.create_study(storage=open_storage(where), study_name=name, load_if_exists=True,
                                    sampler=seeded_sampler(lambda seed: optuna.samplers.RandomSampler(seed), 0))
    print("ready", flush=True)
    run_trials(study, objective, count, beat=0.5)
"""


def postgresql_programs():
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name.split(".")[0]))
    found = next((folder for folder in folders if (folder / "initdb").exists()), None)
    if found is None and shutil.which("initdb"):
        found = Path(shutil.which("initdb")).parent
    return found


@contextmanager
def postgresql():
    "The URL of a server that lives in a temporary folder as long as the test"
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server here (Debian's package is postgresql)")
    pytest.importorskip("psycopg", reason="there is no driver for PostgreSQL here (pip install psycopg[binary])")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="tlcourse-pg-"))
    user = {}
    if os.getuid() == 0:  # the server refuses to run as root
        import pwd

        name = next(
            (name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()}), None
        )
        if name is None:
            pytest.skip("PostgreSQL does not run as root, and there is no other user here")
        user = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
        shutil.chown(folder, name)
    (folder / "password").write_text("open sesame\n")
    if user:
        shutil.chown(folder / "password", user["user"])
    run = dict(check=True, capture_output=True, cwd=folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **user)
    try:
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                folder / "data",
                "-U",
                "tuner",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--pwfile",
                folder / "password",
                "--no-sync",
            ],
            **run,
        )
        settings = f"-p {port} -h 127.0.0.1 -k {folder} -F"
        subprocess.run(
            [programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", settings, "start"],
            **(run | {"capture_output": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}),
        )
        try:
            yield f"postgresql://tuner:open%20sesame@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop"], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_storage(kind, tmp_path):
    if kind == "postgresql":
        with postgresql() as url:
            yield url
    else:
        yield {"journal": str(tmp_path / "shared.journal"), "sqlite": f"sqlite:///{tmp_path / 'shared.db'}"}[kind]


@pytest.mark.long(60)
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a matter of POSIX")
@pytest.mark.parametrize("kind", ["journal", "sqlite", "postgresql"])
def test_of_four_workers_two_are_killed_and_no_trial_is_lost(kind, tmp_path):
    count, go_on = 24, tmp_path / "go on"
    with a_storage(kind, tmp_path) as where:
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, where, "shared", str(count), go_on], stdout=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]
        try:
            assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 4
            study = optuna.load_study(study_name="shared", storage=trials.open_storage(where))
            before = wait_until(
                lambda: study.trials,
                lambda found: victims(found, workers),
            )
            for worker in victims(before, workers):
                worker.kill()
                worker.wait()
            killed = study.trials
            lost = [
                trial
                for trial in killed
                if trial.state.name == "RUNNING"
                and process_of(trial) in {worker.pid for worker in workers if worker.returncode == -signal.SIGKILL}
            ]
            left = [worker for worker in workers if worker.returncode is None]
            assert len(left) == 2
            go_on.touch()
            for worker in left:
                assert worker.wait(timeout=120) == 0
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
                worker.stdout.close()
        after = study.trials
    # what was finished when they were killed is there as it was, once
    for trial in killed:
        if trial.state == COMPLETE:
            assert after[trial.number].values == trial.values and after[trial.number].params == trial.params
    assert [trial.number for trial in after] == list(range(len(after)))
    complete = [trial for trial in after if trial.state == COMPLETE]
    assert count <= len(complete) <= count + 1  # two workers may take the last place at the same moment
    assert len({trial.params["x"] for trial in complete}) == len(complete)
    assert all(trial.value == trial.params["x"] for trial in complete)
    # each trial that was running in a killed process is failed, and its parameters were tried again
    assert lost
    for trial in lost:
        assert after[trial.number].state == FAIL
        again = [other for other in complete if first_of(after, other) == trial.number]
        assert len(again) == 1 and again[0].params == trial.params
    assert not [trial for trial in after if trial.state.name in ("RUNNING", "WAITING")]


def test_the_last_place_is_of_one_trial_and_what_was_lost_is_tried_again(monkeypatch):
    def objective(trial):
        return trial.suggest_float("x", 0, 1)

    def at_the_same_moment():
        monkeypatch.setattr(study, "ask", ask)
        other = ask(place)
        threading.Timer(0.5, lambda: study.tell(other, 0.5)).start()
        return ask()

    study, place = optuna.create_study(), {"x": optuna.distributions.FloatDistribution(0, 1)}
    ask = study.ask
    with trials.quiet_optuna():
        trials.run_trials(study, objective, 2)
        lost = ask(place)  # its process is killed: the last place of four is seen free by two
        monkeypatch.setattr(study, "ask", at_the_same_moment)
        trials.run_trials(study, objective, 4, beat=0.2)
    complete = [trial for trial in study.trials if trial.state == COMPLETE]
    assert len(complete) == 4
    assert [trial.params for trial in complete if first_of(study.trials, trial) == lost.number] == [lost.params]
    assert list(trials.failures(study).index) == [lost.number]


def first_of(found, trial):
    "The trial that this one tries again; on a slow machine that one may have been taken for lost and tried again too"
    while "retry of" in trial.user_attrs:
        trial = found[trial.user_attrs["retry of"]]
    return trial.number


def process_of(trial):
    return int(trial.user_attrs.get("worker", "nobody 0").split()[1])


def victims(found, workers):
    "Two workers, once all have a trial with its parameters that waits for the sign to go on"
    waiting = {
        process_of(trial)
        for trial in found
        if trial.number >= 8 and trial.state.name == "RUNNING" and trial.params and trial.user_attrs
    }
    return workers[:2] if waiting >= {worker.pid for worker in workers} else None


def wait_until(look, good, seconds=60):
    end = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
    return found


@pytest.mark.training
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_search_in_a_database_goes_on(kind, splits, backbone, tmp_path):
    with a_storage(kind, tmp_path) as where:
        options = dict(sampler="tpe", storage=where, study="mine", epochs=1)
        tuning.search(splits, backbone, SMALL, n_trials=2, **options)
        study = tuning.search(splits, backbone, SMALL, n_trials=4, **options)
        assert params(study) == params(
            tuning.search(splits, backbone, SMALL, n_trials=4, **(options | {"storage": "memory"}))
        )
        if kind == "postgresql":
            with pytest.raises(ValueError, match="password authentication failed") as caught:
                tuning.search(splits, backbone, SMALL, **(options | {"storage": where.replace("sesame", "barley")}))
            assert "barley" not in str(caught.value)


# The command line


@pytest.mark.training
def test_tune_works_on_one_study_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("settings.ini").write_text("[tlcourse]\nbackbone = VGG16\nimage_size = 32\ndataset = digits\n")
    Path("space.json").write_text(
        json.dumps({"learning_rate": {"low": 1e-3, "high": 0.1}, "depth": {"0": {}, "1": {"width": [8, 16]}}})
    )
    small = data.load("digits").sample(8)
    monkeypatch.setattr(data, "load", lambda name: small)
    command = ["tune", "--space", "space.json", "--storage", "mine.journal", "--study", "mine", "--epochs", "1"]
    assert cli.main([*command, "--trials", "2"]) == 0
    assert "2 trials are in the study mine" in capsys.readouterr().out
    assert cli.main([*command, "--trials", "3"]) == 0
    printed = capsys.readouterr().out
    assert "3 trials are in the study mine" in printed and '"batch_size": 16' in printed
    Path("space.json").write_text("{")
    assert cli.main(command) == 2
    assert "Expected a JSON object in space.json" in capsys.readouterr().err
