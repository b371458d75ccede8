"""What splitting promises: shares, a piece of each class in each part, groups of any kind, the latest images last."""

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest

from tlcourse import splitting
from tlcourse.datasets.image_data import ImageData
from tlcourse.datasets.moments import read_moments
from tlcourse.splitting import split


def images(labels, **metadata):
    "Images of one pixel; lists in the metadata stay what they are"
    columns = {name: pd.Series(list(values), dtype=object) for name, values in metadata.items()}
    names = [f"class {number}" for number in range(max([*labels, 1]) + 1)]
    return ImageData(
        np.zeros((len(labels), 1, 1, 3), np.uint8),
        np.array(labels, int),
        names,
        pd.DataFrame({"row": range(len(labels))} | columns),
    )


def counts(splits):
    return {name: np.bincount(part.labels).tolist() for name, part in splits.parts.items()}


# A piece of each class in each part


@pytest.mark.parametrize("seed", range(3))
def test_three_images_of_a_rare_class_are_one_for_each_part(seed):
    parts = split(images([0] * 300 + [1] * 3), seed=seed)
    assert counts(parts) == {"train": [210, 1], "validation": [45, 1], "test": [45, 1]}


def test_three_groups_of_a_rare_class_are_one_for_each_part():
    labels = np.repeat([0] * 40 + [1] * 3, 5)
    data = images(labels, group=np.repeat(range(43), 5))
    for seed in range(5):
        parts = split(data, "group", seed=seed)
        assert all(part.labels.sum() == 5 for part in parts.parts.values()) and parts.shared_groups().empty


def test_whatever_the_shares_each_part_has_each_class_or_it_is_an_error():
    rng, refused = np.random.default_rng(0), 0
    for seed in range(150):
        sizes = rng.dirichlet([3, 1, 1])
        many = rng.integers(3, 12, rng.integers(2, 5))
        many[0] += rng.integers(0, 100)
        data = images(np.repeat(np.arange(len(many)), many))
        try:
            parts = split(data, sizes=sizes, seed=seed)
        except ValueError as error:
            assert "cannot be divided in shares" in str(error)
            refused += 1
            continue
        found = np.array(list(counts(parts).values()))
        assert found.min() >= 1 and (found.sum(axis=0) == many).all()
        assert np.abs(found.sum(axis=1) - sizes * len(data)).max() < 2
        rows = np.concatenate([part.metadata["row"] for part in parts.parts.values()])
        assert sorted(rows) == list(range(len(data)))
    assert refused < 75


@pytest.mark.parametrize("how", splitting.HOWS)
def test_a_split_repeats(how):
    rng = np.random.default_rng(0)
    data = images(rng.integers(0, 3, 90), group=rng.integers(0, 30, 90), time=rng.permutation(90))
    first, second = split(data, how, seed=3), split(data, how, seed=np.int64(3))
    for one, other in zip(first.parts.values(), second.parts.values(), strict=True):
        assert one.metadata["row"].tolist() == other.metadata["row"].tolist()


# Sizes


@pytest.mark.parametrize(
    "sizes", [(0.5, 0.25, 0.25), [0.5, 0.25, 0.25], np.array([2, 1, 1]) / 4, pd.Series([2, 1, 1]) / 4]
)
@pytest.mark.parametrize("how", splitting.HOWS)
def test_sizes_are_shares(sizes, how):
    data = images([0, 1] * 40, group=range(80), time=range(80))
    assert [len(part) for part in split(data, how, sizes).parts.values()] == [40, 20, 20]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0.7, 0.2, 0.2), r"sum to 1.*\(0.6364, 0.1818, 0.1818\)"),
        ((70, 15, 15), r"sum to 1.*\(0.7, 0.15, 0.15\)"),
        ((0.7, 0.3), "3 numbers.*2 came"),
        ((0.7, 0.3, 0.0), "above 0; 0.0 came"),
        ((1.2, -0.1, -0.1), "above 0; -0.1 came"),
        ((np.nan, 0.5, 0.5), "above 0; nan came"),
        ((True, 0.5, 0.5), "above 0; True came"),
        (0.7, "3 numbers.*0.7 came"),
        ("abc", "3 numbers.*'abc' came"),
        ({0.7, 0.2, 0.1}, "3 numbers"),
        (None, "3 numbers.*None came"),
        (np.ones((3, 1)) / 3, r"3 numbers.*shape \(3, 1\) came"),
    ],
)
@pytest.mark.parametrize("how", ["stratified", "time"])
def test_other_sizes_are_refused(sizes, message, how):
    with pytest.raises(ValueError, match=message):
        split(images([0, 1] * 40, time=range(80)), how, sizes)


@pytest.mark.parametrize("how", splitting.HOWS)
def test_too_few_images_are_told(how):
    for count in range(3):
        with pytest.raises(ValueError, match="Expected|cannot be divided"):
            split(images([0] * count, group=range(count), time=range(count)), how)


# Groups


@pytest.mark.parametrize(
    "name",
    [
        int,
        np.int64,
        str,
        float,
        lambda number: (number, "patient"),
        lambda number: (number,),
        lambda number: frozenset([number]),
        lambda number: str(number) if number % 2 else number,
        lambda number: (number,) if number % 3 else number,
        lambda number: pd.Timestamp(2024, 1, 1) + pd.Timedelta(days=number),
        lambda number: bytes([number]),
        lambda number: "" if number == 3 else str(number),
    ],
)
def test_a_group_is_whatever_can_be_a_key(name):
    numbers = np.repeat(range(30), 4)
    data = images(numbers // 2 % 2, group=[name(int(number)) for number in numbers])
    together = split(data, "group")
    assert together.shared_groups().empty and [len(part) for part in together.parts.values()] == [80, 20, 20]
    table = split(data, "random").shared_groups()
    assert len(table) and set(table.index) <= set(data.metadata["group"]) and (table.gt(0).sum(axis=1) > 1).all()
    assert table.index.name == "group" and list(table) == ["train", "validation", "test"]


def test_the_order_of_the_images_does_not_decide_the_groups():
    numbers = np.repeat(range(30), 4)
    for name in (int, str, lambda number: number if number % 2 else str(number)):
        groups = [name(int(number)) for number in numbers]
        backwards = split(images((numbers // 2 % 2)[::-1], group=groups[::-1]), "group")
        forwards = split(images(numbers // 2 % 2, group=groups), "group")
        assert set(backwards.test.metadata["group"]) == set(forwards.test.metadata["group"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (lambda number: None if number == 3 else number, "4 missing values"),
        (lambda number: np.nan if number == 3 else number, "4 missing values"),
        (lambda number: (1, None if number == 3 else number), "missing value inside the tuples"),
        (lambda number: (1, float("nan") if number == 3 else number), "missing value inside the tuples"),
        (lambda number: [number], "keys of a dictionary"),
        (lambda number: {"patient": number}, "keys of a dictionary"),
        (lambda number: np.array([number, 1]), "keys of a dictionary"),
    ],
)
def test_what_says_nothing_of_a_group_is_refused(name, message):
    numbers = np.repeat(range(30), 4)
    data = images(numbers // 2 % 2, group=[name(int(number)) for number in numbers])
    with pytest.raises(ValueError, match=message):
        split(data, "group")
    with pytest.raises(ValueError, match=message):
        splitting.Splits(data, data, data).shared_groups()


# Moments

DAYS = [dt.date(2023, 12, 9) + dt.timedelta(days=number) for number in range(60)]
WAYS = {
    "ISO 8601": "{0:%Y-%m-%d}".format,
    "with a clock": "{0:%Y-%m-%dT14:30:00}".format,
    "with a zone": "{0:%Y-%m-%d 14:30:00+02:00}".format,
    "of a camera": "{0:%Y:%m:%d 14:30:00}".format,
    "with dots": "{0.day}.{0.month}.{0.year}".format,
    "day first": "{0.day}/{0.month}/{0.year}".format,
    "month first": "{0.month}/{0.day}/{0.year}".format,
    "month first, with a clock": "{0.month}/{0.day}/{0.year} 2:30 PM".format,
    "day first, with dashes": "{0:%d-%m-%Y}".format,
    "in words": "{0:%d %B %Y}".format,
    "in American words": "{0:%b %d, %Y}".format,
    "eight digits": "{0:%Y%m%d}".format,
    "eight digits, day first": "{0:%d%m%Y}".format,
    "a number, day first": lambda day: int(f"{day:%d%m%Y}"),
    "a number": lambda day: int(f"{day:%Y%m%d}"),
    "days since": lambda day: day.toordinal(),
    "days since, as texts": lambda day: str((day - DAYS[0]).days),
    "dates": lambda day: day,
    "datetimes": lambda day: dt.datetime.combine(day, dt.time(1)),
    "with zones": lambda day: dt.datetime.combine(day, dt.time(1), dt.UTC),
    "NumPy's": np.datetime64,
    "pandas'": pd.Timestamp,
    "periods": lambda day: pd.Period(day, "D"),
    "NumPy's durations": lambda day: np.timedelta64(day - DAYS[0]),
    "durations": lambda day: day - DAYS[0],
}


@pytest.mark.parametrize("way", WAYS)
def test_the_latest_images_test_however_their_dates_are_written(way):
    order = np.random.default_rng(0).permutation(len(DAYS))
    data = images([0, 1] * 30, time=[WAYS[way](DAYS[number]) for number in order])
    parts = split(data, "time", (0.5, 0.25, 0.25))
    taken = {name: sorted(order[part.metadata["row"]]) for name, part in parts.parts.items()}
    assert taken == {"train": [*range(30)], "validation": [*range(30, 45)], "test": [*range(45, 60)]}


def test_a_column_of_any_kind_is_read():
    texts = ["2024-03-01", "2024-01-10", "2023-12-31"]
    dates = pd.to_datetime(texts)
    for column in (
        pd.Series(texts, dtype="string"),
        pd.Series(texts, dtype="category"),
        pd.Series(dates),
        pd.Series(dates.tz_localize("Europe/Berlin")),
        pd.Series([3, 2, 1], dtype="Int64"),
        pd.Series([3.5, 2.5, 1.5], dtype="float32"),
        pd.Series(pd.Categorical(["late", "noon", "early"], ["early", "noon", "late"], ordered=True)),
    ):
        assert read_moments(column).argsort().tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    "values",
    [
        ["03/04/2024", "05/06/2024"],
        ["03-04-2024", "05-06-2024"],
        ["03042024", "05062024"],
        ["030424", "050624"],
        ["01.03.24", "02.03.24"],
        ["2024-02-30", "2024-01-01"],
        ["2024-03-01", "1 April"],
        ["14:30", "9:30"],
        ["early", "late"],
        ["", "2024-03-01"],
        ["2024-03-01T10:00:00Z", "2024-03-01T11:00:00"],
        [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)],
        [True, False],
        [1, "2024-03-01"],
        [1.0, float("inf")],
        [(2024, 3), (2024, 4)],
        [dt.time(3), dt.time(1)],
        [["2024-03-01"], ["2024-03-02"]],
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(values):
    data = images([0, 1] * 10, taken=values * 10)
    with pytest.raises(ValueError, match="Expected .*'taken'.* came"):
        split(data, "time", column="taken")


def test_images_of_one_moment_stay_together():
    moments = [number // 10 for number in range(100)]
    parts = split(images([0, 1] * 50, time=moments), "time", (0.65, 0.15, 0.2))
    found = [set(part.metadata["time"]) for part in parts.parts.values()]
    assert not any(one & other for one, other in itertools.combinations(found, 2))
    assert max(found[0]) < min(found[1]) and max(found[1]) < min(found[2])


def test_missing_and_unknown_columns_are_told():
    with pytest.raises(ValueError, match="a column 'time' in the metadata"):
        split(images([0, 1] * 10), "time")
    with pytest.raises(ValueError, match="1 missing values"):
        split(images([0, 1] * 2, time=["2024-03-01", None, "2024-03-02", "2024-03-03"]), "time")
    twice = images([0, 1] * 10, group=range(20))
    twice.metadata.insert(0, "group", range(20), allow_duplicates=True)
    with pytest.raises(ValueError, match="one column 'group'.* 2 came"):
        split(twice, "group")
