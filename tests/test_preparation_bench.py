"""The preparation bench: what it measures is what scikit-learn gives by hand, and its view says what went wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tlcourse.datasets.image_data import ImageData
from tlcourse.labs import preparation_bench
from tlcourse.labs.preparation_bench import PreparationBench
from tlcourse.labs.widgets import PreparationLab
from tlcourse.splitting import Splits


@pytest.fixture
def rows():
    "Features of each part, right and wrong; the wrong ones are moved and twice as large"
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 10)
    centres = rng.normal(size=(3, 8))
    right = {part: rng.normal(size=(30, 8)) + 2 * centres[labels] for part in ("train", "validation")}
    return labels, {"as promised": right, "prepared twice": {part: 2 * one - 3 for part, one in right.items()}}


@pytest.fixture
def bench(rows, monkeypatch):
    labels, features = rows
    part = {}
    for name in ("train", "validation"):
        part[name] = ImageData(np.zeros((30, 4, 4, 3), np.uint8), labels, ["a", "b", "c"], name=name)
    asked = []

    def extract_as(backbone, data, name):
        asked.append((data.name, name))
        return features[name][data.name]

    monkeypatch.setattr(preparation_bench, "extract_as", extract_as)
    made = PreparationBench(SimpleNamespace(name="a network"), Splits(part["train"], part["validation"], part["train"]))
    made.asked = asked
    return made


def by_hand(rows, trained, used):
    labels, features = rows
    scaler = StandardScaler().fit(features[trained]["train"])
    head = LogisticRegression(max_iter=1000).fit(scaler.transform(features[trained]["train"]), labels)
    return head.score(scaler.transform(features[used]["validation"]), labels)


def test_accuracies_are_those_by_hand(bench, rows):
    promised = by_hand(rows, "as promised", "as promised")
    in_use = bench.measure("prepared twice")
    assert (in_use.accuracy, in_use.promised) == (by_hand(rows, "as promised", "prepared twice"), promised)
    assert in_use.accuracy < promised
    throughout = bench.measure("prepared twice", "throughout")
    # Scaling takes a shift and a factor out again
    assert throughout.accuracy == by_hand(rows, "prepared twice", "prepared twice") == promised
    assert len(bench.asked) == len(set(bench.asked)) == 4


def test_the_figure_shows_both(bench):
    result = bench.measure("prepared twice")
    left, right = result.draw().axes
    widths = sorted(patch.get_width() for patch in right.patches)
    assert widths == sorted([result.accuracy, result.promised])
    shares = [patch.get_data().values.sum() for patch in left.patches]
    assert len(shares) == 2 and all(0 < share <= 1 for share in shares)


def test_the_view_follows_and_says_what_went_wrong(bench, monkeypatch):
    lab = PreparationLab(bench)
    assert lab.wait(120) and lab.result.name == "as promised" and lab.picture.image.value[:4] == b"\x89PNG"
    lab.name.value = "prepared twice"
    assert lab.wait(120) and f"{lab.result.accuracy:.1%} right" in lab.status.value
    in_use = lab.result.accuracy
    lab.where.value = "throughout"
    assert lab.wait(120) and lab.result.accuracy > in_use
    lab.name.value = "not prepared"  # of which there are no features here
    assert lab.wait(120) and "KeyError" in lab.message.value
    lab.name.value = "as promised"
    assert lab.wait(120) and lab.message.value == ""


def test_an_unknown_place_is_refused(bench):
    with pytest.raises(ValueError, match="only in use, throughout"):
        bench.measure("as promised", "never")
