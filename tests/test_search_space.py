"""A space is looked at before the first trial, and holds Python's own values, whoever wrote them and how."""

import json

import numpy as np
import optuna
import pandas as pd
import pytest

from tlcourse.search.search_space import (
    Choice,
    Fixed,
    Range,
    combinations,
    discretised,
    names,
    numbers,
    parse_space,
    suggest,
    value_of,
)

KNOWN = {
    "rate": numbers(0, default=1e-2, above=True, log=True),
    "width": numbers(1, 4096, default=256, whole=True, log=True),
    "dropout": numbers(0, 1, default=0.2, below=True),
    "decay": numbers(0),
    "optimizer": names(["sgd", "adam"], "adam"),
    "nesterov": names([False, True], False),
    "size": names([8, 16]),
}
RATES, WIDTHS = Range("rate", 1e-4, 1e-1, True), Range("width", 10, 30, True, True)


@pytest.mark.parametrize(
    ("space", "entry"),
    [
        ({"width": {"low": 1e1, "high": 3e1}}, WIDTHS),
        ({"width": (10.0, np.float32(30))}, WIDTHS),
        ({"width": (np.int64(10), np.int16(30))}, WIDTHS),
        ({"width": {"low": "1e1", "high": "3e1"}}, WIDTHS),
        ({"width": optuna.distributions.FloatDistribution(10, 30, log=True)}, WIDTHS),
        ({"width": optuna.distributions.IntDistribution(10, 30)}, Range("width", 10, 30, False, True)),
        ({"rate": ("1e-4", "1e-1")}, RATES),
        ({"rate": (np.float64(1e-4), np.array(1e-1))}, RATES),
        ({"rate": {"low": 1e-4, "high": 1e-1, "log": np.True_}}, RATES),
        ({"width": ["1e1", "30"]}, Choice("width", (10, 30))),
        ({"width": np.array([16, 64])}, Choice("width", (16, 64))),
        ({"width": pd.Series([16.0, 64.0])}, Choice("width", (16, 64))),
        ({"width": range(8, 33, 8)}, Choice("width", (8, 16, 24, 32))),
        ({"rate": np.geomspace(1e-3, 1e-1, 3).astype("float32")}, None),
        ({"width": {"16": {}, "1e2": {}}}, Choice("width", (16, 100), {16: [], 100: []})),
        ({"optimizer": np.array(["sgd", "adam"])}, Choice("optimizer", ("sgd", "adam"))),
        ({"nesterov": [np.True_, False]}, Choice("nesterov", (True, False))),
        ({"nesterov": ["true", "false"]}, Choice("nesterov", (True, False))),
        ({"size": ["8", np.int8(16)]}, Choice("size", (8, 16))),
        ({"decay": [None, 0.1]}, Choice("decay", (None, 0.1))),
        ({"decay": ["null", "1e-1"]}, Choice("decay", (None, 0.1))),
    ],
)
def test_a_space_holds_values_of_python(space, entry):
    (found,) = parse_space(space, KNOWN)
    assert entry is None or found == entry and repr(found) == repr(entry)
    plain = (int, float, str, bool, type(None))
    values = found.values if isinstance(found, Choice) else (found.low, found.high, found.log)
    assert all(type(value) in plain for value in values)
    json.dumps([values])


def test_a_trial_gets_what_the_parameter_takes():
    space = {"width": {"low": 1e1, "high": 3e1}, "rate": ("1e-4", "1e-1"), "dropout": [np.float32(0.5), "0"]}
    entries = parse_space(space, KNOWN)

    def objective(trial):
        found = suggest(trial, entries)
        assert all(value_of(name, value, KNOWN) == value for name, value in found.items())
        assert type(found["width"]) is int
        return found["rate"]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, 20)
    for found in combinations(discretised(entries, 3)):
        assert type(found["width"]) is int and value_of("rate", found["rate"], KNOWN)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"width": (10, 30.5)}, "'width' to be a whole number from 1 to 4096; a bound of 30.5 came"),
        ({"width": (0, 30)}, "a bound of 0 came"),
        ({"width": (True, 30)}, "numbers as bounds of 'width'; True came"),
        ({"width": (10, float("inf"))}, "numbers as bounds of 'width'; inf came"),
        ({"width": (10, np.array([30]))}, "numbers as bounds of 'width'; array"),
        ({"width": ("ten", 30)}, "numbers as bounds of 'width'; 'ten' came"),
        ({"width": (10, None)}, "numbers as bounds of 'width'; None came"),
        ({"width": [8, "8"]}, "different choices for 'width'"),
        ({"width": {8: {}, "8": {}}}, "different choices for 'width'"),
        ({"width": []}, "one or more different choices for 'width'"),
        ({"width": np.array([])}, "one or more different choices for 'width'"),
        ({"width": [16, 2.5]}, "'width' to be a whole number from 1 to 4096; 2.5 came"),
        ({"width": [16, np.nan]}, "'width' to be .* nan came"),
        ({"width": np.ones((2, 2))}, r"'width' to be .*shape \(2, 2\) came"),
        ({"width": {16, 64}}, "'width' to be a whole number"),
        ({"width": [16, True]}, "'width' to be .* True came"),
        ({"rate": {"low": 1e-4, "high": 1e-1, "log": "false"}}, "'log' of 'rate' to be True or False; 'false' came"),
        ({"optimizer": ("sgd", "adam")}, "'optimizer' to be one of sgd, adam; a range"),
        ({"optimizer": [np.array(["sgd"]), "adam"]}, "'optimizer' to be one of"),
        ({"optimizer": ["sgd", ["adam"]]}, "'optimizer' to be one of"),
        ({"nesterov": [0, 1]}, "'nesterov' to be one of False, True; 0 came"),
        ({"size": [True, 8]}, "'size' to be one of 8, 16; True came"),
        ({3: [1, 2]}, "no parameter 3"),
        ({"width": 16, "rate": np.float32(0.1)}, "something to search"),
    ],
)
def test_what_cannot_be_meant_is_told(space, message):
    with pytest.raises(ValueError, match=message):
        parse_space(space, KNOWN)


def test_one_value():
    assert value_of("width", "1e2", KNOWN) == 100 and type(value_of("width", np.float64(3), KNOWN)) is int
    assert value_of("decay", None, KNOWN) is None and value_of("optimizer", np.str_("sgd"), KNOWN) == "sgd"
    with pytest.raises(ValueError, match="Did you mean 'dropout'"):
        value_of("dropuot", 0.1, KNOWN)
    assert parse_space({"width": np.int64(8), "rate": (0.1, 1)}, KNOWN)[0] == Fixed("width", 8)
