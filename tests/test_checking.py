"""The frame: gaps, time limits, errors in the learner's words, and objects that are left as they were."""

import random
import threading
import time

import keras
import numpy as np
import pytest
from exercise_proofs import run

from tlcourse.checking import ledger
from tlcourse.checking.exercise import Exercise, Lab, Prediction, Quiz, TimeUp, Wrong, ____, has_gap, limited

WORDS = {"en": {"right": "Yes.", "wrong": "No.", "hints": ["?"]}}


def exercise(judge, **options):
    return Exercise("demo.ex1", ["answer"], judge, WORDS, "answer = 1", **{"seconds": 20, **options})


def helper():
    return ____


rate = ____


class Model(keras.Model):
    def call(self, inputs):
        return ____(inputs)


@pytest.mark.parametrize(
    "value",
    [
        ____,
        [1, (2, {____})],
        {"rate": ____},
        {____: 1},
        np.array([1, ____], dtype=object),
        lambda x: ____,
        lambda x: [____ for _ in x],
        lambda: lambda: ____,
        lambda x=____: x,
        lambda: helper(),
        lambda: rate,
        ____ + 1,
        round(____ / 2),
    ],
)
def test_a_gap_counts_wherever_it_is(value):
    assert has_gap(value)
    assert exercise(lambda answer: None, functions=callable(value)).evaluate(value).status == "not attempted"


def test_no_gap_where_there_is_none():
    assert not any(
        map(has_gap, ("____", [1, "____"], lambda x: "____", np.arange(3), print, keras.layers.Dense(2), None))
    )


def test_an_endless_loop_ends_off_the_main_thread_too():
    found = []

    def check():
        found.append(exercise(lambda answer: answer(), seconds=0.3).evaluate(endless))

    thread = threading.Thread(target=check)
    thread.start()
    thread.join(20)
    assert [outcome.message for outcome in found] == ["time"]


def endless():
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def test_the_thread_of_an_endless_loop_is_gone():
    with pytest.raises(TimeUp):
        limited(endless, 0.2)
    assert not [
        thread
        for thread in threading.enumerate()
        if thread.name == "tlcourse answer" and thread.is_alive() and not thread.join(3) and thread.is_alive()
    ]


def test_code_that_nothing_stops_is_left_to_itself():
    event = threading.Event()

    def stubborn():
        while not event.is_set():
            try:
                event.wait(0.05)
            except BaseException:
                pass

    assert exercise(lambda answer: answer(), seconds=0.3).evaluate(stubborn).message == "time"
    event.set()


def test_an_error_names_the_learners_own_line(tmp_path):
    source = "import numpy as np\n\ndef answer():\n    return np.zeros((2, 2)) @ np.zeros((3, 3))\n"
    file = tmp_path / "cell.py"
    file.write_text(source)
    made = {}
    exec(compile(source, str(file), "exec"), made)
    outcome = exercise(lambda answer: answer()).evaluate(made["answer"])
    assert outcome.status == "error" and outcome.values["number"] == 4
    assert outcome.words.startswith(
        "Line 4 of your code, `return np.zeros((2, 2)) @ np.zeros((3, 3))`, ended with ValueError"
    )
    assert "Traceback" not in outcome.words and "\n" not in outcome.words


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_no_error_of_an_answer_gets_out(error):
    def answer():
        raise error

    assert exercise(lambda answer: answer()).evaluate(answer).status == "error"


def test_random_numbers_go_on_as_if_there_had_been_no_check():
    np.random.seed(1)
    random.seed(1)
    expected = np.random.random(3), random.random()
    np.random.seed(1)
    random.seed(1)
    exercise(lambda answer: answer()).evaluate(lambda: np.random.random() + random.random())
    assert np.array_equal(np.random.random(3), expected[0]) and random.random() == expected[1]


def test_the_same_answer_gets_the_same_outcome():
    def judge(answer):
        if answer() < 0.5:
            raise Wrong("wrong")

    assert len({exercise(judge).evaluate(np.random.random).status for _ in range(5)}) == 1


def test_an_answer_by_name_comes_from_the_module_that_asks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = Exercise("demo.ex1", ["frozen"], lambda frozen: None, WORDS, "frozen = 1", functions=False)
    assert eval("one.check()", {"one": one, "frozen": 3}).right
    assert eval("one.check()", {"one": one}).message == "missing"
    assert eval("one.check()", {"one": one, "frozen": ____}).message == "gap"


def test_each_learner_has_an_order_and_each_choice_an_explanation():
    words = {
        "en": {
            "right": "",
            "hints": ["?"],
            "choices": {name: name for name in "abcde"},
            **{name: f"{name} is explained" for name in "abcde"},
        }
    }
    quiz = Quiz("demo.ex2", ["answer"], {"a", "c"}, words)
    orders = {tuple(quiz.order(str(learner))) for learner in range(30)}
    assert len(orders) > 20 and all(sorted(order) == list("abcde") for order in orders)
    assert quiz.order("ada") == quiz.order("ada")
    assert quiz.evaluate(["c", "a"]).right and "a is explained" in quiz.evaluate({"a", "c"}).words
    assert quiz.evaluate({"a"}).message == "incomplete" and quiz.evaluate({"a", "b"}).message == "b"
    del words["en"]["e"]
    with pytest.raises(ValueError, match="explanation for every choice"):
        Quiz("demo.ex2", ["answer"], "a", words)


def test_a_guess_is_in_the_ledger_before_anything_is_measured(tmp_path, monkeypatch):
    (tmp_path / "settings.ini").write_text("[tlcourse]\n")
    monkeypatch.chdir(tmp_path)
    seen = []

    def measure():
        seen.extend(record["event"] for record in ledger.read())
        return 3.0

    words = {"en": {**WORDS["en"], "right": "{guess} {measured}", "far": "{guess} {measured}", "low": "low"}}
    card = Prediction(
        "demo.ex3", ["guess"], measure, words, tolerance=0.5, ideas={"low": lambda guess, measured: guess < 1}
    )
    assert card.check(0).message == "low" and seen == ["commit"]
    assert card.check(3.4).right and card.check(9).message == "far" and card.check("three").message == "no number"
    assert [record.get("guess") for record in ledger.read() if record["event"] == "commit"] == [
        [0],
        [3.4],
        [9],
        ["three"],
    ]


def test_a_lab_counts_its_tries(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def goal(settings, measured):
        if measured["loss"] > 1:
            raise Wrong("wrong")

    lab = Lab(
        "demo.ex4",
        ["settings"],
        {"rate": (1, 2, 3)},
        lambda rate: {"loss": 3.0 - rate},
        goal,
        WORDS,
        "settings = {'rate': 3}",
        budget=2,
    )
    assert lab.attempt(rate=1) == {"loss": 2.0} and lab.attempt(rate=2)
    with pytest.raises(ValueError, match="budget of 2"):
        lab.attempt(rate=3)
    lab.reset()
    assert lab.attempt(rate=3)
    with pytest.raises(ValueError, match="values 1, 2, 3"):
        lab.attempt(rate=4)
    assert lab.evaluate({"rate": 2}).right and lab.evaluate({"rate": 1}).message == "wrong"
    box = lab.widget()
    box.children[0].value = 2
    box.children[-2].click()
    assert "loss: 1" in box.children[-1].value


def card_of(exercise, *values):
    "A card after each value was set and checked, and what it said each time"
    card, said = exercise.widget(), []
    for value in values:
        if isinstance(value, set):
            for box in card.fields:
                box.value = any(exercise.words["choices"][name] == box.description for name in value)
        else:
            card.fields[0].value = value
        card.buttons["check"].click()
        said.append(card.said.value)
    return card, said


CHOICES = {"a": "the first", "b": "the second", "c": "the third"}


def test_a_quiz_is_a_card_to_click():
    texts = {
        "en": WORDS["en"] | {"choices": CHOICES, "a": "Not the first.", "b": "Yes, the second.", "c": "Not the third."}
    }
    one = Quiz("demo.q1", ["answer"], "b", texts)
    card = one.widget()
    assert [name for _, name in card.fields[0].options] == one.order() and card.fields[0].value is None
    card.buttons["check"].click()
    assert "Choose or write" in card.said.value and card.outcome is None
    card, said = card_of(one, "a", "b")
    assert "Not the first." in said[0] and "Yes, the second." in said[1] and card.outcome.right
    card.buttons["hint"].click()
    assert "Hint 1" in card.said.value
    several = Quiz("demo.q2", ["answer"], ["a", "c"], texts)
    card, said = card_of(several, {"a"}, {"a", "b", "c"}, {"a", "c"})
    assert "not all that is" in said[0] and "Yes, the second." in said[1] and card.outcome.right
    assert all('role="status"' in words for words in said)


def test_a_prediction_is_a_card_that_measures_when_it_is_checked():
    measured = []
    texts = {"en": WORDS["en"] | {"right": "It is {measured}.", "far": "Not {guess}."}}
    number = Prediction("demo.p1", ["guess"], lambda: measured.append(1) or 4.0, texts, tolerance=1.0)
    card = number.widget()
    card.buttons["check"].click()
    assert "Choose or write" in card.said.value and not measured
    card.fields[0].value = "many"
    card.buttons["check"].click()
    assert "Expected a number" in card.said.value and 'role="alert"' in card.said.value and not measured
    card, said = card_of(number, "9", "3.5")
    assert "Not 9.0." in said[0] and "It is 4.0." in said[1] and len(measured) == 1
    word = Prediction("demo.p2", ["guess"], lambda: "up", texts, allowed=["up", "down"])
    card, said = card_of(word, "down", "up")
    assert "Not down." in said[0] and "It is up." in said[1]


def test_what_goes_wrong_in_a_card_is_said():
    texts = {"en": WORDS["en"] | {"far": "Not {guess}."}}
    broken = Prediction("demo.p3", ["guess"], lambda: 1 / 0, texts)
    _, said = card_of(broken, "1")
    assert "ZeroDivisionError" in said[0]


@pytest.mark.training
def test_the_learners_model_is_left_as_it_was():
    from exercise_proofs import NOTEBOOKS

    notebook = next(path for path in NOTEBOOKS if "fine_tuning" in path.stem)
    source = """
mine = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, name="block1"), keras.layers.Dense(3)])
before, given = mine.get_weights(), []

def freeze(model, last):
    given.append(model)
    model.trainable = False
    return model
"""
    assert run(notebook, "ex2", source, "mine").message == "head frozen"
