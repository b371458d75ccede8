"""Student copies: no answer left in them, nothing else lost."""

import json
import re

import pytest

from tlcourse.classroom.course_files import copy_course, course_files
from tlcourse.classroom.student import guess_cells, student_copy

LESSONS = {
    name: path for name, path in course_files().items() if name.startswith("lessons/") and path.suffix == ".ipynb"
}
EXERCISES = {name: path for name, path in course_files().items() if name.startswith("exercises/")}


def cells(content):
    return json.loads(content)["cells"]


def source(cell):
    return "".join(cell["source"])


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_has_gaps_for_its_guesses_and_keeps_the_rest(name):
    content = LESSONS[name].read_bytes()
    before, after = cells(content), cells(student_copy(content))
    guesses = {before[place]["id"] for place in guess_cells({"cells": before})}
    asked = sum(
        "redict" in source(cell) and not source(cell).startswith("#")
        for cell in before
        if cell["cell_type"] == "markdown"
    )
    assert len(guesses) >= min(2, asked)
    after = {cell["id"]: cell for cell in after}
    assert after.keys() - {cell["id"] for cell in before} == {"code-import-gap"}
    for cell in before:
        copy = after[cell["id"]]
        if cell["id"] in guesses:
            assert "____" in source(copy) and not re.search(r"(?<![\w'\"])= *[\d'\"TF]", source(copy))
        else:
            assert source(copy) == source(cell)
        if cell["cell_type"] == "code":
            assert copy["outputs"] == (cell["outputs"] if "#| slow" in source(cell) else [])


@pytest.mark.parametrize("name", EXERCISES)
def test_a_worksheet_has_questions_and_gaps_and_no_answer(name):
    content = EXERCISES[name].read_bytes()
    before, after = cells(content), cells(student_copy(content))
    kept = [cell["id"] for cell in after]
    for number in {re.match(r"ex\d+", cell["id"])[0] for cell in before if re.match(r"ex\d+-", cell["id"])}:
        assert [kept.index(f"{number}-{part}") for part in ("question", "stub", "check")] == sorted(
            kept.index(f"{number}-{part}") for part in ("question", "stub", "check")
        )
    text = "\n".join(map(source, after))
    assert "# right:" not in text and "# wrong" not in text and "#|" not in text and "Wrong(" not in text
    assert kept.index("code-worksheet-imports") < kept.index("ex1-stub")


def test_the_copy_of_a_course_is_made_of_student_copies(tmp_path):
    copy_course(tmp_path / "course")
    for name, path in course_files().items():
        assert (tmp_path / "course" / name).read_bytes() == student_copy(path.read_bytes())
    assert set(outcome for _, outcome in copy_course(tmp_path / "course")) == {"up to date"}


@pytest.mark.parametrize("content", [b"", b"no notebook", b"[1, 2]", b'{"cells": 3}', b"\xff\xfe", b'{"cells": []}'])
def test_what_is_no_notebook_stays_as_it_is(content):
    assert student_copy(content) == content


def test_constants_of_an_experiment_are_no_guesses():
    code = [
        "counts = [2, 4]\nseeds = 3",
        "table = run(counts, seeds)",
        "my_guess = 5",
        "pd.DataFrame({'your guess': [my_guess]})",
        "rate = float('1e-3')",
    ]
    notebook = {
        "cells": [
            {"cell_type": "code", "id": str(place), "source": [one], "outputs": [], "metadata": {}}
            for place, one in enumerate(code)
        ]
    }
    assert guess_cells(notebook) == [2]
