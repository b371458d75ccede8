"""The ledger: many writers at once, some of them killed, and no line lost that was finished."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tlcourse.checking import ledger
from tlcourse.checking.exercise import Exercise, Wrong, ____
from tlcourse.classroom import reports

WRITER = """if True:
    import sys
    from tlcourse.checking import ledger
    path, who = sys.argv[1:]
    number = 0
    while True:
        # long lines: a file system that tore them would tear some of these
        ledger.append({"who": who, "number": number, "text": who * 2000}, path)
        print(number, flush=True)
        number += 1"""


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_twenty_processes_write_and_five_are_killed(tmp_path):
    path = tmp_path / "folder" / "ledger.jsonl"
    said = [(tmp_path / f"said {who}").open("w+") for who in range(20)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"{who:02}"], stdout=said[who]) for who in range(20)
    ]
    until = time.monotonic() + 120
    while time.monotonic() < until and any(file.seek(0, 2) < 20 for file in said):
        time.sleep(0.05)
    for writer in random.Random(0).sample(writers, 5):
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    time.sleep(0.5)
    for writer in writers:
        writer.terminate()
        writer.wait()
    finished = {}
    for who, file in enumerate(said):
        file.seek(0)
        finished[f"{who:02}"] = [int(number) for number in file.read().split("\n")[:-1]]
        file.close()
    records = ledger.read(path)
    found = {who: [record["number"] for record in records if record["who"] == who] for who in finished}
    for who, numbers in finished.items():
        assert len(numbers) >= 3
        # one more may be in the file than its writer had time to say
        assert found[who] in (numbers, [*numbers, len(numbers)])
    assert all(record["text"] == record["who"] * 2000 for record in records)
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    assert len(lines) - len(records) <= 20  # a torn line is the last of a process that was ended


def test_a_torn_line_spoils_only_itself(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger.append({"exercise": "a"}, path)
    with path.open("ab") as file:
        file.write(b'\n{"exercise": "b", "outc')
    ledger.append({"exercise": "c"}, path)
    with path.open("ab") as file:
        file.write('\n{"exercise": "ü'.encode()[:-1])
    assert [record["exercise"] for record in ledger.read(path)] == ["a", "c"]
    assert ledger.read(tmp_path / "missing") == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "new" / "ledger.jsonl"
    ledger.append({}, path)
    assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0


def test_it_is_beside_the_settings_of_the_course(tmp_path):
    (tmp_path / "settings.ini").write_text("[tlcourse]\n")
    (tmp_path / "lessons").mkdir()
    assert ledger.ledger_path(tmp_path / "lessons") == tmp_path / ".tlcourse" / "ledger.jsonl"


def test_a_disk_without_room_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger.os, "write", lambda file, line: len(line) - 1)
    with pytest.raises(OSError, match="Make room on the disk"):
        ledger.append({}, tmp_path / "ledger.jsonl")


WORDS = {"en": {"right": "Yes.", "wrong": "No.", "hints": ["first", "second"]}}


def judge(answer):
    if answer() != 1:
        raise Wrong("wrong")


@pytest.fixture
def exercise(tmp_path, monkeypatch):
    (tmp_path / "settings.ini").write_text("[tlcourse]\n")
    monkeypatch.chdir(tmp_path)
    return Exercise("demo.ex1", ["one"], judge, WORDS, "def one():\n    return 1", seconds=5)


def test_what_a_learner_does_is_noted(exercise, tmp_path):
    assert "sure=True" in repr(exercise.solution())
    assert [repr(exercise.hint()) for _ in range(3)] == [
        "Hint 1 of 2: first",
        "Hint 2 of 2: second",
        "Hint 2 of 2: second",
    ]
    assert exercise.check(lambda: 2).status == "wrong"
    assert exercise.check(____).status == "not attempted"
    assert exercise.check(lambda: 1).right
    assert "return 1" in repr(exercise.solution())
    table = reports.progress()
    assert table.loc["demo.ex1"].drop("seconds").to_dict() == {
        "kind": "behaviour",
        "attempts": 2,
        "hints": 3,
        "outcome": "right",
        "message": "wrong",
        "solution": True,
        "until right": 2,
    }
    assert reports.export(tmp_path / "me.jsonl") == 7
    assert [json.loads(line)["event"] for line in (tmp_path / "me.jsonl").read_text().splitlines()] == [
        "hint", "hint", "hint", "attempt", "attempt", "attempt", "solution",
    ]  # fmt: skip


def test_a_solution_asks_no_more_after_an_attempt_in_another_notebook(exercise):
    exercise.check(lambda: 2)
    again = Exercise("demo.ex1", ["one"], judge, WORDS, "def one():\n    return 1")
    assert "return 1" in repr(again.solution())


def test_a_ledger_that_cannot_be_written_stops_no_check(exercise, monkeypatch):
    def full(*arguments):
        raise OSError("no room")

    monkeypatch.setattr(ledger, "append", full)
    with pytest.warns(UserWarning, match="no room"):
        assert exercise.check(lambda: 1).right
