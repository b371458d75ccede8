"""The proof suite: what each exercise says to every answer that its notebook carries."""

import ast
import re

import pytest
from exercise_proofs import NOTEBOOKS, cells, exercises, module_of, mutants, proofs, run

TRAINED = {("01_first_transfer_exercises", "ex3")} | {("07_fine_tuning_exercises", f"ex{n}") for n in (2, 3, 5, 6)}


def marks(notebook, exercise):
    "Judges that train a network of Keras"
    return pytest.mark.training if (notebook.stem, exercise) in TRAINED else ()


PROOFS = [
    pytest.param(notebook, proof, id=f"{notebook.stem}-{proof.cell}", marks=marks(notebook, proof.exercise))
    for notebook in NOTEBOOKS
    for proof in proofs(notebook)
]
EXERCISES = [
    pytest.param(notebook, name, id=f"{notebook.stem}-{name}")
    for notebook in NOTEBOOKS
    for name in exercises(module_of(notebook))
]


@pytest.mark.parametrize("notebook, proof", PROOFS)
def test_each_answer_gets_its_outcome_and_message(notebook, proof):
    outcome = run(notebook, proof.exercise, proof.source, proof.cell)
    assert (outcome.status, outcome.message) == (proof.status, proof.message or outcome.message), outcome
    assert "{" not in outcome.words and "____" not in outcome.words.replace("`____`", "")


@pytest.mark.parametrize("notebook, name", EXERCISES)
def test_an_exercise_has_enough_proofs(notebook, name):
    mine = [proof for proof in proofs(notebook) if proof.exercise == name]
    assert sum(proof.status == "right" and proof.cell != f"{name}-solution" for proof in mine) >= 3
    assert sum(proof.status in ("wrong", "error") for proof in mine) >= 4
    assert {f"{name}-question", f"{name}-check"} <= set(cells(notebook)) | {f"{name}-question"}
    exercise = getattr(module_of(notebook), name)
    own = {key for key in exercise.words if key not in ("right", "hints", "choices")} - set(
        exercise.words.get("choices", ())
    )
    unproved = own - {proof.message for proof in mine}
    assert not unproved, f"no wrong answer gets {', '.join(sorted(unproved))}"


def _code_of(solution):
    "The lines of a solution that say something, without spaces"
    for line in ast.unparse(ast.parse(solution)).splitlines():
        line = re.sub(r"\s", "", line)
        if len(line) >= 12 and not line.startswith(("def", "return", "for", "import")):
            yield line


@pytest.mark.parametrize("notebook, name", EXERCISES)
def test_no_message_or_hint_has_code_of_the_solution(notebook, name):
    exercise = getattr(module_of(notebook), name)
    said = [words for key, words in exercise.words.items() if isinstance(words, str)] + exercise.words["hints"]
    said = [re.sub(r"\s", "", words.replace("{{", "{").replace("}}", "}")) for words in said]
    for line in _code_of(exercise.code):
        assert not any(line in words for words in said), line
    if exercise.kind == "value":
        expected = exercise.expected() if callable(exercise.expected) else exercise.expected
        numbers = [
            float(number) for words in said for number in re.findall(r"(?<![{\w.])\d+(?:\.\d+)?(?:e-?\d+)?", words)
        ]
        assert not any(abs(number - expected) <= 1e-6 * abs(expected) for number in numbers)


@pytest.mark.training
@pytest.mark.long(100)
def test_mutations_of_right_answers_are_rejected(record_property, monkeypatch):
    monkeypatch.setenv("TLCOURSE_EXERCISE_SECONDS", "20")  # some mutations make an endless loop
    made, survivors = 0, []
    for notebook in NOTEBOOKS:
        for proof in proofs(notebook):
            one = getattr(module_of(notebook), proof.exercise)
            if proof.status != "right" or not one.functions:
                continue
            for name, source in mutants(proof.source):
                made += 1
                if run(notebook, proof.exercise, source, "mutant").right:
                    survivors.append(f"{notebook.stem} {proof.cell}: {name}")
    record_property("mutants", made)
    record_property("survivors", survivors)
    print(f"{made} mutants, {made - len(survivors)} rejected; survivors:", *survivors, sep="\n")
    assert made and len(survivors) <= 0.05 * made, "\n".join(survivors)
