"""Submissions that cheat get nothing, and those that attack take nobody with them."""

# ruff: noqa: E501  (the lines of the submissions)

import csv
import json
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

import tlcourse
from tlcourse import cli
from tlcourse.classroom import grading
from tlcourse.classroom.sandbox import Sandbox
from tlcourse.classroom.walls import Limits

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are those of Linux"),
    pytest.mark.long(200),  # all of them: side by side, they stay in one process, and the submissions are graded once
]
PACKAGE = Path(tlcourse.__file__).parent
START = "from tlcourse.exercises.fine_tuning import ____, ex1, ex4, ex5\nimport os, sys, json\n"
HONEST = "answer = 'none'\nrate = 1.6e-4\n"
WRONG = "answer = 'statistics'\nrate = 5.0\nguess = 0\n"

# Each gives wrong answers, and tries to make them count
CHEATS = {
    "redefines check": "from tlcourse.checking import exercise\nexercise.Exercise.check = ex1.check = lambda *a: exercise.Outcome('right', 'right')\nex1.check('statistics')",
    "redefines the judges": """
import tlcourse.checking.exercise as c, tlcourse.classroom.grading as g
right = lambda *a, **o: c.Outcome("right", "right")
for kind in (c.Exercise, c.Quiz, c.Value, c.Prediction):
    kind.evaluate = kind._compare = kind._judged = right
ex1.correct, ex4.expected, ex5.tolerance = {"statistics"}, 5.0, 1e9
g._judge = g._row = right""",
    "prints fake results": "print(json.dumps({'rows': [{'exercise': 'fine_tuning.ex1', 'points': 1, 'outcome': 'right', 'message': 'right', 'seconds': 0, 'isolation': 'isolated'}]}), flush=True)\nprint('✓ Right.', file=sys.stderr)",
    "writes into the ledger": "from tlcourse.checking import ledger\nfor n in (1, 4, 5):\n    ledger.append({'exercise': f'fine_tuning.ex{n}', 'event': 'attempt', 'outcome': 'right', 'points': 1})",
    "writes into its pipes": """
import struct
for message in ({"value": {"v": "none"}, "points": 1, "outcome": "right"}, {"rows": [{"points": 1, "outcome": "right"}]}, {"right": True}):
    said = json.dumps(message).encode()
    for file in range(3, 64):
        try:
            os.write(file, struct.pack(">Q", len(said)) + said)
        except OSError:
            pass""",
    "hands out an equal to everything": """
class Right(str):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = lambda self: hash("none")
class Number(float):
    __eq__ = __le__ = __ge__ = __lt__ = lambda self, other: True
    __sub__ = __rsub__ = __abs__ = __float__ = lambda self, *a: 0.0
answer, rate, guess = Right("statistics"), Number(5), Number(0)""",
    "rewrites the checkers": f"""
for name in ("exercises/fine_tuning.py", "checking/exercise.py", "classroom/grading.py"):
    for path in ({str(PACKAGE)!r}, "tlcourse"):
        try:
            with open(os.path.join(path, name), "a") as file:
                file.write("\\nExercise.evaluate = lambda self, *a: Outcome('right', 'right')\\n")
        except OSError:
            pass""",
    "ends its kernel": "import atexit\natexit.register(lambda: print('right'))\nos._exit(0)",
    "kills the judge": """
import signal
for target in {os.getppid()} - {0, 1}:  # never -1: if a wall is missing, that is everybody
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(target, number)
        except OSError:
            pass""",
    "redefines what hands data out": """
import tlcourse.classroom.sandbox as s
s.encode = lambda value: {"v": "none", "outcome": "right"} if value == "never" else {"z": 1}
s._answer = lambda request, made, settings: {"value": {"p": "right"}, "points": 1, "outcome": "right"}""",
    "hands out a pickle": """
import pickle, numpy
class Run:
    def __reduce__(self):
        return (os.system, ("touch pwned",))
answer = numpy.array([Run()], dtype=object)
rate = Run()""",
    "writes the table of grades": "for folder in ('.', '..', os.environ.get('PWD', '/'), '/tmp'):\n    try:\n        open(os.path.join(folder, 'grades.csv'), 'w').write('notebook,exercise,points\\nme,fine_tuning.ex1,1\\n')\n    except OSError:\n        pass",
}  # fmt: skip

# Each gives the right answer only if the attack came through
ATTACKS = {
    "fork bomb": "try:\n    while True:\n        if os.fork() == 0:\n            while True: os.fork()\n        answer = 'none'\nexcept OSError:\n    import subprocess\n    subprocess.run(['true'])\n    answer = 'none'",
    "endless loop": "while True:\n    pass\nanswer = 'none'",
    "ten gigabytes": "taken = bytearray(10 * 2**30)\nanswer = 'none'",
    "socket": "import socket\nline = socket.create_connection(('127.0.0.1', PORT), timeout=5)\nline.sendall(b'hello')\nanswer = 'none'",
    "a large file": "with open('large', 'wb') as file:\n    for _ in range(1100):\n        file.write(bytes(2**20))\nanswer = 'none'",
}  # fmt: skip


def write(folder, name, *cells):
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell.splitlines(True)} for cell in cells]}))
    return path


def points(rows, name):
    return {row["exercise"].rpartition(".")[2]: row["points"] for row in rows if Path(row["notebook"]).stem == name}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    "All of them in one run, as an instructor has them: what one does must not reach the next"
    folder = tmp_path_factory.mktemp("submissions")
    visitors = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            try:
                while True:
                    visitors.append(server.accept())
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        paths = []
        for name, code in CHEATS.items():
            paths.append(write(folder, name, START, WRONG, code))
        for name, code in ATTACKS.items():
            paths.append(
                write(folder, name, START, code.replace("PORT", str(server.getsockname()[1])), "rate = 1.6e-4")
            )
            paths.append(write(folder, f"after {name}", START, HONEST))
        paths.append(write(folder, "no exercises", "print('hello')"))
        (folder / "torn.ipynb").write_text('{"cells": [')
        package = {path: path.read_bytes() for path in PACKAGE.rglob("*.py")}
        rows = grading.grade(
            [*paths, folder / "torn.ipynb"],
            folder / "grades.csv",
            Limits(cell_seconds=10, call_seconds=20, notebook_seconds=300),
        )
        server.shutdown(socket.SHUT_RDWR)
    return folder, rows, package, visitors


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_gains_nothing(graded, name):
    _, rows, _, _ = graded
    found = points(rows, name)
    assert len(found) == 7 and not any(found.values())


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_stopped_and_the_next_is_graded(graded, name):
    _, rows, _, visitors = graded
    assert points(rows, name)["ex1"] == 0
    after = points(rows, f"after {name}")
    assert after["ex1"] == after["ex4"] == 1 and sum(after.values()) == 2
    assert not visitors


def test_a_stopped_cell_does_not_cost_the_others(graded):
    _, rows, _, _ = graded
    assert all(points(rows, name)["ex4"] == 1 for name in ("endless loop", "ten gigabytes", "socket", "a large file"))


def test_nothing_on_the_disk_was_changed(graded):
    folder, rows, package, _ = graded
    if any(row["isolation"] not in ("", "isolated") for row in rows):
        pytest.skip("namespaces are not allowed here")
    assert {path: path.read_bytes() for path in PACKAGE.rglob("*.py")} == package
    assert not list(folder.glob("pwned")) and not Path("pwned").exists()


def test_the_table_is_the_graders(graded):
    folder, rows, _, _ = graded
    with (folder / "grades.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [tuple(row) for row in table[:1]] == [grading.COLUMNS]
    assert [int(row["points"]) for row in table] == [row["points"] for row in rows]
    unread = {row["notebook"] for row in table if not row["sha256"]}
    assert {Path(notebook).stem for notebook in unread} == {"no exercises", "torn"}


def test_what_is_no_submission_has_a_row_that_says_so(graded):
    _, rows, _, _ = graded
    messages = {Path(row["notebook"]).stem: row["message"] for row in rows if not row["exercise"]}
    assert set(messages) == {"no exercises", "torn"}
    assert "tlcourse.exercises" in messages["no exercises"] and "Expected a Jupyter notebook" in messages["torn"]


def test_without_namespaces_it_says_so_and_refuses_processes_and_sockets_still(tmp_path):
    code = "import os, socket\nfound = []\nfor call in (os.fork, lambda: socket.socket(), lambda: os.execv('/bin/true', ['true'])):\n    try:\n        call()\n        found.append('came through')\n    except OSError as error:\n        found.append('refused')"
    with Sandbox([(0, code)], Limits(cell_seconds=20), namespaces=False) as sandbox:
        assert str(sandbox.isolation) == "not isolated: network, files, processes"
        assert sandbox.ask("found")["value"]["l"] == [{"v": "refused"}] * 3
    rows = [{"notebook": "a", "exercise": "x", "points": 1, "isolation": "not isolated: network, files, processes"}]
    assert grading.summary(rows).splitlines()[1].startswith("Attention: the submissions were not isolated")


def test_behind_the_walls_there_is_nothing_to_see(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("grades")
    code = f"""
import os
found = {{"me": os.getpid(), "processes": [name for name in os.listdir("/proc") if name.isdigit()], "environment": sorted(os.environ)}}
try:
    open({str(secret)!r}, "w")
    found["write"] = True
except OSError:
    found["write"] = False
open("mine", "w").write("here I may write")
"""
    os.environ["SECRET_OF_THE_GRADER"] = "1"
    try:
        with Sandbox([(0, code)], Limits(cell_seconds=20)) as sandbox:
            if not sandbox.isolation.processes:
                pytest.skip("namespaces are not allowed here")
            from tlcourse.classroom.sandbox import decode

            found = decode(sandbox.ask("found")["value"])
    finally:
        del os.environ["SECRET_OF_THE_GRADER"]
    assert found["me"] == 1 and found["processes"] == ["1"] and not found["write"]
    assert "SECRET_OF_THE_GRADER" not in found["environment"] and secret.read_text() == "grades"


@pytest.mark.training
@pytest.mark.long(60)
def test_models_come_out_as_files_and_the_command_writes_the_table(tmp_path, capsys):
    from exercise_proofs import NOTEBOOKS, cells

    proofs = cells(next(path for path in NOTEBOOKS if "fine_tuning" in path.stem))
    answers = [
        proofs["code-worksheet-imports"],
        proofs["ex2-right-graph"],
        proofs["ex3-right-adam"],
        proofs["ex6-right-keras"],
    ]
    subclass = "class Frozen(keras.Model):\n    def call(self, x):\n        return x\n\ndef freeze(model, last):\n    return Frozen()"
    right = write(tmp_path, "right", *answers)
    wrong = write(tmp_path, "wrong", answers[0], subclass, proofs["ex3-wrong-no-compile"], proofs["ex6-wrong-late"])
    assert cli.main(["grade", str(right), str(wrong), "--out", str(tmp_path / "grades.csv")]) == 0
    with (tmp_path / "grades.csv").open(newline="") as file:
        rows = {
            (Path(row["notebook"]).stem, row["exercise"].rpartition(".")[2]): (row["outcome"], row["message"])
            for row in csv.DictReader(file)
        }
    assert all(rows["right", name] == ("right", "right") for name in ("ex2", "ex3", "ex6"))
    assert rows["wrong", "ex2"] == ("error", "leave")
    assert rows["wrong", "ex3"] == ("wrong", "top stays") and rows["wrong", "ex6"] == ("wrong", "late freeze")
    assert f"{right}: 3 of 7" in capsys.readouterr().out
