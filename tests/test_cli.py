"""The command line: what it calls, what it says, and with which exit code it ends."""

import os
import signal
import subprocess
import sys

import pandas as pd
import pytest

import tlcourse
from tlcourse import backbones, cli, demo
from tlcourse.classroom import course_files
from tlcourse.datasets import downloads

COMMANDS = ["lab", "demo", "datasets", "weights", "tune", "progress", "class", "grade"]


def tlcourse_process(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "tlcourse", *arguments], capture_output=True, text=True, **options)


def test_version_and_module():
    assert tlcourse_process("--version").stdout == f"tlcourse {tlcourse.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_imports_nothing_heavy(command):
    script = f"""if True:
        import sys
        from tlcourse.cli import main
        try:
            main([{command!r}, "--help"])
        except SystemExit:
            pass
        heavy = {{"numpy", "pandas", "tensorflow", "keras", "matplotlib", "jupyterlab", "optuna"}} & set(sys.modules)
        assert not heavy, heavy"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert f"example: tlcourse {command}" in ran.stdout


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["lba"], "there is no command 'lba'. Did you mean `tlcourse lab`?"),
        (["xyzzy"], "Commands are lab, demo, datasets, weights, tune, cache, progress, class, grade."),
        (["demo", "--seeds", "-1"], "expected a whole number from 1"),
        (["lab", "a", "b"], "unrecognized arguments: b"),
    ],
)
def test_a_mistyped_command_line_is_one_message(arguments, expected):
    ran = tlcourse_process(*arguments)
    assert ran.returncode == 2
    assert ran.stderr.startswith("tlcourse: ") and expected in ran.stderr and ran.stderr.count("\n") == 1


def test_a_wrong_setting_is_one_message():
    ran = tlcourse_process("datasets", env=dict(os.environ, TLCOURSE_SED="3"))
    assert ran.returncode == 2
    assert ran.stderr.startswith("tlcourse: the environment variable TLCOURSE_SED") and "Traceback" not in ran.stderr


def test_demo_calls_the_demo(monkeypatch, capsys):
    calls = []

    def run(**options):
        calls.append(options)
        return pd.DataFrame({"backbone": "VGG16", "route": ["from scratch", "fine-tuned"], "accuracy": [0.25, 0.875]})

    monkeypatch.setattr(demo, "run", run)
    assert cli.main(["demo", "--seeds", "2", "--images-per-class", "5", "--out", "results"]) == 0
    assert calls == [dict(seeds=2, images_per_class=5, folder="results")]
    assert "62.5" in capsys.readouterr().out  # the gain in points


def test_lab_copies_and_opens(monkeypatch, tmp_path, capsys):
    opened = []
    monkeypatch.setattr(
        course_files, "open_lab", lambda *arguments, **options: opened.append((arguments, options)) or 0
    )
    assert cli.main(["lab", str(tmp_path), "--no-browser", "--port", "8899"]) == 0
    assert opened == [((str(tmp_path),), dict(browser=False, port=8899))]
    assert (tmp_path / "settings.ini").is_file()
    (tmp_path / "settings.ini").write_text("[tlcourse]\nseed = 5\n")
    assert cli.main(["lab", str(tmp_path)]) == 0
    assert (tmp_path / "settings.ini").read_text() == "[tlcourse]\nseed = 5\n"
    assert capsys.readouterr().out.count("The course is in") == 2


def test_downloads_are_asked_for_by_name(monkeypatch, capsys):
    monkeypatch.setattr(downloads, "fetch", lambda name: f"folder of {name}")
    monkeypatch.setattr(backbones, "download_weights", lambda name: f"file of {name}")
    assert cli.main(["datasets", "--download", "flowers"]) == 0
    assert cli.main(["weights", "--download", "VGG16"]) == 0
    printed = capsys.readouterr().out
    assert "folder of flowers" in printed and "file of VGG16" in printed


@pytest.mark.parametrize(
    "error, message",
    [
        (ConnectionError("no address answers"), "no address answers"),
        (OSError(28, "the disk is full"), "the disk is full"),
        (PermissionError(13, "Permission denied", "photos"), "Permission denied: photos"),
        (ValueError("Expected a name"), "Expected a name"),
    ],
)
def test_expected_errors_are_one_clean_message(monkeypatch, capsys, error, message):
    def fail(name):
        raise error

    monkeypatch.setattr(downloads, "fetch", fail)
    assert cli.main(["datasets", "--download", "flowers"]) == 2
    assert capsys.readouterr().err == f"tlcourse: {message}\n"


def test_a_mistake_in_the_course_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(downloads, "fetch", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["datasets", "--download", "flowers"])


def test_ctrl_c_ends_with_a_short_word():
    script = """if True:
        import os, signal, sys
        from tlcourse import cli
        from tlcourse.datasets import downloads
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it runs in the background
        downloads.fetch = lambda name: os.kill(os.getpid(), signal.SIGINT)
        sys.exit(cli.main(["datasets", "--download", "flowers"]))"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (128 + signal.SIGINT, "tlcourse: stopped\n")


@pytest.mark.skipif(os.name == "nt", reason="a pipe that closes early is a matter of POSIX")
def test_a_reader_that_stops_early_is_no_error():
    command = f"{sys.executable} -m tlcourse datasets | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
