"""Numbers of any library are as good as Python's in the public API; what is none is an error before any work."""

import inspect
import math
import re
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from test_public_api import OBJECTS

from tlcourse import evaluation, tuning
from tlcourse.datasets.image_data import ImageData, blank_figure
from tlcourse.feature_selection import CorrelationFilter
from tlcourse.foundations.arguments import Number, as_number, number_in, takes_numbers
from tlcourse.networks import inference
from tlcourse.quality.image_faults import find_faults
from tlcourse.search import trials
from tlcourse.splitting import split
from tlcourse.training.optimizers import make_optimizer

# folders and modules whose numbers come from sliders, from settings.ini, from the exercises or from the course itself
NOT_CALLED = "checking classroom cli exercises foundations labs.lab_controller labs.widget_parts settings".split()
# what the library makes and a caller only reads
RESULTS = {
    "augmentation.Transform",
    "backbones.Backbone",
    "backbones.BackboneSpec",
    "demo.Run",
    "datasets.downloads.Archive",
    "datasets.downloads.OpenDataset",
    "evidence.Estimate",
    "feature_selection.Method",
    "fine_tuning.RangeTest",
    "datasets.image_files.FileFacts",
    "labs.camera_bench.CameraResult",
    "labs.lab_run.LabRun",
    "labs.preparation_bench.PreparationResult",
    "search.search_space.Range",
}
# looked at inside, as not only a number may come, or several, or scikit-learn wants to see it as it came
INSIDE = {
    "feature_selection.CorrelationFilter.n_features_to_select": lambda value: CorrelationFilter(
        n_features_to_select=value
    ).fit(np.eye(3)),
    "feature_selection.CorrelationFilter.threshold": lambda value: CorrelationFilter(value).fit(np.eye(3)),
    "evaluation.evaluate.image_size": lambda value: evaluation.evaluate(ANY_SIZE, IMAGES, image_size=value),
    "evaluation.predict.image_size": lambda value: evaluation.predict(
        ANY_SIZE, IMAGES, IMAGES.class_names, image_size=value
    ),
    "datasets.image_data.ImageData.to_dataset.image_size": lambda value: IMAGES.to_dataset(value),
    "networks.inference.images_at_a_time.image_size": lambda value: inference.images_at_a_time(value),
    "networks.inference.run_over.size": lambda value: inference.run_over(None, IMAGES, size=value),
    "networks.inference.size_of_images.image_size": lambda value: inference.size_of_images(ANY_SIZE, IMAGES, value),
    "networks.inference.stream.size": lambda value: next(inference.stream(None, IMAGES, size=value)),
    "datasets.image_data.blank_figure.size": lambda value: blank_figure((value, 3)),
    "training.optimizers.make_optimizer.learning_rate": lambda value: make_optimizer("sgd", value),
    "splitting.split.sizes": lambda value: split(IMAGES, sizes=(value, 0.25, 0.25)),
    "tuning.Workbench.part": lambda value: tuning.Workbench(None, None, value),
    "tuning.search.part": lambda value: tuning.search(None, SimpleNamespace(cut_points={}), part=value),
}
ANY_SIZE = SimpleNamespace(input_shape=(None, None, None, 3), output_shape=(None, 2), layers=[])
MEASURES = {"width": [64, 64, 320], "height": [64, 64, 320], "brightest": 250, "darkest": 5, "middle": 120}
MEASURES |= {"blur": 1.0, "structure": 40.0, "colour": 50}
IMAGES = ImageData(np.zeros((20, 1, 1, 3), np.uint8), np.arange(20) % 2, ["cat", "dog"])

FROM_0, FROM_1, FROM_2 = ((0, 7), (-1, 1.5)), ((1, 7), (0, -1, 1.5)), ((2, 7), (1, 0, -2, 2.5))
ABOVE_0, AT_LEAST_0 = ((1e-6, 2), (0, -1)), ((0, 0.5, 3), (-0.1,))
SHARE, PART = ((0, 0.5, 1), (-0.1, 1.1)), ((0, 0.5), (-0.1, 1))
ANY = ((-2, 0, 3), ())
OPEN = ((-math.inf, 0, math.inf), ())
LIMIT = ((1e-6, 2, math.inf), (0, -1, -math.inf))

ROWS = {  # name of a parameter, or its full name where that is not enough: values that can be meant, and that cannot
    "above": OPEN,
    "amount": AT_LEAST_0,
    "at_a_time": FROM_1,
    "backbone_ratio": ABOVE_0,
    "backbone_lr_ratio": ABOVE_0,
    "batch_size": FROM_1,
    "beat": ABOVE_0,
    "below": OPEN,
    "datasets.charts.draw_charts.image_size": ((48, 512), (47, 513, 64.5)),
    "datasets.charts.draw_charts.per_class": ((1, 10_000), (0, 10_001)),
    "columns": FROM_1,
    "components_per_class": FROM_1,
    "copies": FROM_0,
    "count": FROM_1,
    "depth": FROM_0,
    "deviation": ABOVE_0,
    "devices": FROM_1,
    "digits": FROM_0,
    "distortion": ABOVE_0,
    "done": FROM_0,
    "dropout": PART,
    "epochs": FROM_1,
    "evidence.check_statements.above": ANY,
    "factor": ABOVE_0,
    "fewest": FROM_1,
    "filters": FROM_1,
    "first_epoch": FROM_0,
    "folds": FROM_2,
    "high": OPEN,
    "highest": ABOVE_0,
    "image_size": FROM_1,
    "images_per_class": FROM_1,
    "index": ((-1, 0, 5), (0.5,)),
    "interval": ABOVE_0,
    "keep": FROM_1,
    "l2_sp": AT_LEAST_0,
    "labs.camera_bench.CameraBench.measure.level": AT_LEAST_0,
    "labs.camera_bench.worse.level": AT_LEAST_0,
    "label_smoothing": PART,
    "learning_rate": ABOVE_0,
    "level": ((0.5, 0.95), (0, 1, -0.1)),
    "levels": FROM_2,
    "limit_gb": AT_LEAST_0,
    "low": OPEN,
    "lowest": ABOVE_0,
    "max_latency_ms": LIMIT,
    "max_memory_mb": LIMIT,
    "max_params": LIMIT,
    "mean": ((0, 255), (-1, 256)),
    "momentum": PART,
    "most": FROM_1,
    "n_trials": FROM_1,
    "neighbors": FROM_1,
    "neighbours": FROM_1,
    "num_classes": FROM_1,
    "num_features": FROM_1,
    "num_rows": FROM_0,
    "overlap": AT_LEAST_0,
    "patience": FROM_1,
    "per_class": FROM_1,
    "per_kind": FROM_1,
    "phase": FROM_0,
    "resamples": FROM_1,
    "retries": FROM_0,
    "regularisation": ABOVE_0,
    "rows": FROM_1,
    "search.search_space.Range.levels.count": FROM_2,
    "seconds": ABOVE_0,
    "seed": ((0, 2**31 - 1), (-1, 2**31, 0.5)),
    "seeds": FROM_1,
    "severity": SHARE,
    "share": ((0.01, 1), (0, -0.1, 1.1)),
    "silence": ABOVE_0,
    "softening": ABOVE_0,
    "splitting.splits_from_folder.share": ((0.15, 0.4), (0, 0.5, -0.1)),
    "stage_decay": ABOVE_0,
    "steps": FROM_1,
    "fine_tuning.find_learning_rate.steps": ((10, 60), (9, 10.5)),
    "datasets.tones.load_tones.per_class": ((1, 10_000), (0, 10_001)),
    "datasets.tones.make_tones.per_class": ((1, 10_000), (0, 10_001)),
    "timeout": AT_LEAST_0,
    "total": FROM_0,
    "training.training_run.TrainingRun.steps": FROM_0,
    "trials": FROM_1,
    "tries": FROM_0,
    "turns": FROM_1,
    "view": FROM_0,
    "views": FROM_1,
    "warmup": PART,
    "weakest": AT_LEAST_0,
    "weight": AT_LEAST_0,
    "weight_decay": AT_LEAST_0,
    "width": FROM_1,
    "within": AT_LEAST_0,
    "workers": FROM_1,
}


def numeric_parameters():
    "Every parameter of the public API that is annotated as a number or has one as its default"
    for name, value in OBJECTS.items():
        if name.startswith(tuple(f"{place}." for place in NOT_CALLED)) or name in RESULTS:
            continue
        for parameter in inspect.signature(value).parameters.values():
            words = inspect.formatannotation(parameter.annotation)
            number = isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool)
            if number or re.search(r"\b(int|float)\b", words):
                yield f"{name}.{parameter.name}"


FOUND = list(numeric_parameters())


def rule_and_row(full):
    owner, _, name = full.rpartition(".")
    value = OBJECTS[owner]
    function = value.__init__ if isinstance(value, type) else value
    assert name in getattr(function, "numbers", ()), f"give {owner} @takes_numbers(), or put {full} into INSIDE"
    return function, function.numbers[name], ROWS.get(full) or ROWS[name]


def test_the_walk_finds_the_numbers():
    assert len(FOUND) > 150
    assert INSIDE.keys() <= set(FOUND) and RESULTS <= set(OBJECTS)
    assert not [row for row in ROWS if row not in FOUND and row not in {full.rpartition(".")[2] for full in FOUND}]


@pytest.mark.parametrize("full", FOUND)
def test_a_number_has_a_row(full):
    assert full in INSIDE or full in ROWS or full.rpartition(".")[2] in ROWS, f"give {full} a row in ROWS"


@pytest.mark.parametrize("full", sorted(set(FOUND) - INSIDE.keys()))
def test_numbers_of_any_library_are_the_same(full):
    _, rule, (good, _) = rule_and_row(full)
    for value in good:
        others = [np.float64(value), np.array(value), pd.Series([value]).iloc[0]]
        if math.isfinite(value):
            others += [Fraction(value), Decimal(value)]
        if float(value).is_integer():
            others += [np.int64(value), float(value)]
        for other in [value, *others]:
            came = rule(other, "n")
            assert type(came) in (int, float) and came == value
            assert not rule.whole or type(came) is int


NO_NUMBERS = (
    math.nan,
    np.float32("nan"),
    True,
    np.True_,
    "3",
    b"3",
    [3],
    (3,),
    np.array([3]),
    np.array([[1, 2]]),
    pd.Series([3]),
    pd.NA,
    pd.NaT,
    3j,
    {},
    object(),
)


@pytest.mark.parametrize("full", sorted(set(FOUND) - INSIDE.keys()))
def test_what_is_no_number_is_told_before_any_work(full):
    function, rule, (good, bad) = rule_and_row(full)
    name = full.rpartition(".")[2]
    signature = inspect.signature(function)
    infinite = () if math.inf in good else (math.inf, -math.inf)
    optional = "None" in str(signature.parameters[name].annotation)
    for value in (*NO_NUMBERS, *bad, *infinite, *(() if optional else (None,))):
        # nothing can be done with these, so that the message comes first
        others = {
            one.name: object()
            for one in signature.parameters.values()
            if one.default is one.empty and one.name not in (*function.numbers, name) and one.kind != one.VAR_KEYWORD
        }
        others |= {
            one: (ROWS.get(f"{full.rpartition('.')[0]}.{one}") or ROWS[one])[0][-1]
            for one in function.numbers
            if one != name and signature.parameters[one].default is inspect.Parameter.empty
        }
        with pytest.raises(ValueError, match=f"Expected {name} to be .* came"):
            function(**others, **{name: value})
    assert rule.optional == optional and (not optional or rule(None, name) is None)


@pytest.mark.parametrize("full", INSIDE)
def test_what_is_no_number_is_told_inside_too(full):
    name = full.rpartition(".")[2]
    for value in (*NO_NUMBERS, -1, math.inf):
        if not (value is pd.NA and "CorrelationFilter" in full):
            with pytest.raises(ValueError, match=f"Expected .*{name}.* came"):
                INSIDE[full](value)


def test_numbers_of_any_library_are_the_same_inside_too():
    assert make_optimizer("sgd", np.float32(0.5)).learning_rate == 0.5
    assert make_optimizer("sgd", keras.optimizers.schedules.CosineDecay(0.5, 9)).learning_rate == 0.5
    assert len(split(IMAGES, sizes=np.array([2, 1, 1]) / 4).train) == 10
    assert CorrelationFilter(np.float32(0.4)).fit(np.eye(3)).support_.sum() == 1
    assert blank_figure(np.array([2, 3])).get_size_inches().tolist() == [2, 3]


def test_limits_of_faults_are_numbers():
    for value in (*NO_NUMBERS, -1, math.inf, None):
        with pytest.raises(ValueError, match="Expected limit 'size' to be a number from 0; .* came"):
            find_faults(pd.DataFrame(MEASURES), {"size": value})
    with pytest.raises(ValueError, match="limits among .*; 3 came"):
        find_faults(pd.DataFrame(MEASURES), {3: 1})
    found = [find_faults(pd.DataFrame(MEASURES), {"size": size}) for size in (2, np.float32(2), np.array(2))]
    assert len(found[0]) == 1 and found[0].equals(found[1]) and found[0].equals(found[2])


def test_a_search_without_an_end_is_refused():
    with pytest.raises(ValueError, match="n_trials or seconds; neither came"):
        trials.run_trials(None, None)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("3", "without quotes"),
        (np.array([1, 2]), r"ndarray of shape \(2,\) came. One number is wanted"),
        (True, "truth value"),
        (math.nan, "divided by 0"),
        (2.5, "Round it"),
        (None, "cannot be left open"),
        (list(range(1000)), " … came"),
    ],
)
def test_the_message_says_what_to_do(value, advice):
    with pytest.raises(ValueError, match=f"Expected epochs to be a whole number from 1; .*{advice}"):
        Number(1, whole=True)(value, "epochs")


def test_tensors_are_numbers():
    import tensorflow as tf

    assert as_number(tf.constant(3)) == 3 and as_number(tf.Variable(0.5)) == 0.5
    assert as_number(tf.constant([3])) is None and as_number(tf.constant("3")) is None
    assert as_number(tf.constant(True)) is None


def test_extremes():
    assert as_number(10**400) == 10**400 and not Number().fits(Fraction(10**400)) and as_number(Decimal("sNaN")) is None
    assert Number(0, whole=True)(np.uint64(2**64 - 1), "n") == 2**64 - 1
    assert type(as_number(np.longdouble(0.5))) is float and not Number(whole=True).fits(math.inf)


def test_several_numbers():
    for several in ([1, 2.0], (1, 2), np.array([1, 2]), pd.Series([1, 2], [7, 8]), range(1, 3), pd.Index([1, 2])):
        assert Number(1, whole=True).each(several, "sizes", 2) == (1, 2)
    for wrong in (3, "12", b"12", {1: 2, 3: 4}, {1, 2}, np.ones((2, 1)), [1], [1, 2, 3], [1, None], None, [[1], [2]]):
        with pytest.raises(ValueError, match="Expected .*sizes"):
            Number().each(wrong, "sizes", 2)


def test_texts():
    read = {"1e1": 10.0, "16": 16, "-.5": -0.5, " 3 ": 3, "1_000": None, "ten": None, "": None, "٣": None}
    assert {words: number_in(words) for words in read} == read


def test_the_decorator_takes_numbers_by_place_and_by_name():
    @takes_numbers(share=Number(0, 1))
    def function(name, share: float, *rest, epochs: int = 3, patience: int | None = None, flag: bool = True):
        return name, share, rest, epochs, patience, flag

    assert function("a", np.float64(0.5), 1, epochs=np.int8(2), flag=0) == ("a", 0.5, (1,), 2, None, 0)
    with pytest.raises(ValueError, match="Expected share"):
        function("a", 2)
    with pytest.raises(TypeError, match="missing"):
        function()
    with pytest.raises(TypeError, match="a rule for the number 'unheard'"):
        takes_numbers()(_unheard)
    with pytest.raises(TypeError, match="Expected rules for numbers of _unheard; other came"):
        takes_numbers(unheard=Number(), other=Number())(_unheard)


def _unheard(unheard: int = 1):
    return unheard
