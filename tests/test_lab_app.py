"""The app: what the command calls, and what it says where it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tlcourse import cli
from tlcourse.classroom import course_files, lab_app


def test_the_command_serves_the_lab_and_copies_nothing(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(lab_app, "open_app", lambda folder, browser, port: calls.append((folder, browser, port)) or 0)
    monkeypatch.setattr(course_files, "copy_course", lambda *arguments: pytest.fail("the app needs no copy"))
    assert cli.main(["lab", str(tmp_path), "--app", "--no-browser", "--port", "8890"]) == 0
    assert calls == [(str(tmp_path), False, 8890)]


def test_without_voila_the_command_says_what_brings_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lab_app.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["lab", str(tmp_path / "new"), "--app"]) == 2
    assert "pip install" in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_what_is_served_is_one_cell_that_keeps_runs_in_the_folder(monkeypatch, tmp_path):
    seen = {}

    class Server:
        def __init__(self, command, env):
            seen.update(command=command, env=env, notebook=json.loads(Path(command[3]).read_text()))
            seen["kernels"] = list(Path(env["JUPYTER_PATH"].split(":")[0]).rglob("kernel.json"))

        def wait(self, timeout=None):
            return 0

    monkeypatch.setattr(lab_app.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "Popen", Server)
    folder = tmp_path / "it's a demo"
    assert lab_app.open_app(folder, browser=False, port=8890) == 0
    assert seen["command"][:3] == [sys.executable, "-m", "voila"] and "--port=8890" in seen["command"]
    (cell,) = seen["notebook"]["cells"]
    compile(cell["source"], "the cell", "exec")
    assert repr(str(folder)) in cell["source"] and folder.is_dir() and len(seen["kernels"]) == 1
    with pytest.raises(ValueError, match="port from 1 to 65535"):
        lab_app.open_app(folder, port=70000)
