"""Feature selection: the scores are those of other libraries, and no test image takes part in a choice."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy import stats
from sklearn.feature_selection import mutual_info_classif
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from tlcourse import feature_selection
from tlcourse.feature_selection import METHODS, CorrelationFilter, make_selector, measure, select, summarise

LABELLED = [name for name, method in METHODS.items() if method.labels]
# What the others choose depends a little on the order: of a generator's draws, or of the folds inside
ORDER_FREE = ["variance", "ANOVA F", "chi-squared", "correlation", "RFE"]


def amounts(seed=0, rows=60, columns=30, classes=3):
    "Features of 0 or more, as from a ReLU, that know a little of the class, and the classes"
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = rng.normal(size=(classes, columns)) * rng.uniform(0, 1.5, columns)
    return (centres[labels] + rng.normal(size=(rows, columns))).clip(0).astype(np.float32) * rng.uniform(
        0.2, 3, columns
    ), labels


def planted(seed=0, rows=120, useful=(3, 11, 17, 22)):
    "Four features that tell five classes apart, each one from the others, among thirty of noise"
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % (len(useful) + 1)
    features = rng.uniform(0, 1, (rows, 30))
    for number, column in enumerate(useful):
        features[:, column] += 2.0 * (labels == number)
    return features, labels, list(useful)


def of_best(scores, count):
    return np.sort(np.argsort(-scores, kind="stable")[:count]).tolist()


@pytest.mark.parametrize("count", [1, 7, 12])
@pytest.mark.parametrize("seed", [0, 1])
def test_filters_choose_what_scipy_and_numpy_rank_first(seed, count):
    features, labels = amounts(seed)
    groups = [features[labels == label] for label in range(3)]
    sums, shares = np.array([group.sum(axis=0, dtype=float) for group in groups]), np.bincount(labels) / len(labels)
    expected = np.outer(shares, sums.sum(axis=0))
    scores = {
        "variance": features.astype(float).var(axis=0),
        "ANOVA F": stats.f_oneway(*groups).statistic,
        "chi-squared": ((sums - expected) ** 2 / expected).sum(axis=0),
        "mutual information": mutual_info_classif(features, labels, random_state=5),
    }
    for method, score in scores.items():
        chosen = select(features, labels, method, count, seed=5)
        assert chosen.get_support(indices=True).tolist() == of_best(score, count), method


@pytest.mark.parametrize("method", LABELLED)
def test_each_method_finds_what_tells_classes_apart(method):
    features, labels, useful = planted()
    selector = select(features, labels, method, count=4)
    assert selector.get_support(indices=True).tolist() == useful
    assert np.array_equal(selector.transform(features), features[:, useful])


def repeated_by_hand(features, threshold=None, count=None):
    "The same rule one pair at a time, with numpy's correlations"
    left = list(range(features.shape[1]))
    while len(left) > (count or 1):
        table = np.abs(np.corrcoef(features[:, left].T))
        np.fill_diagonal(table, -1)
        one, other = np.unravel_index(table.argmax(), table.shape)
        if threshold is not None and table[one, other] <= threshold:
            break
        one, other = left[one], left[other]
        left.remove(one if features[:, one].var() < features[:, other].var() else other)
    return left


@pytest.mark.parametrize("seed", range(5))
def test_the_correlation_filter_against_one_pair_at_a_time(seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 25)) + 0.3 * rng.normal(size=(40, 25))
    for threshold in (0.3, 0.7, 0.9, 1.0):
        chosen = CorrelationFilter(threshold).fit(features).get_support(indices=True)
        assert chosen.tolist() == repeated_by_hand(features, threshold=threshold)
        table = np.abs(np.corrcoef(features[:, chosen].T)) - np.eye(len(chosen))
        assert len(chosen) == 1 or table.max() <= threshold
    for count in (1, 4, 24, 25):
        chosen = CorrelationFilter(n_features_to_select=count).fit(features).get_support(indices=True)
        assert chosen.tolist() == repeated_by_hand(features, count=count)


def test_constant_features_go_first_and_one_stays():
    rng = np.random.default_rng(0)
    column = rng.normal(size=(20, 1))
    features = np.hstack([np.full((20, 1), 0.1), column, np.zeros((20, 1)), 2 * column, rng.normal(size=(20, 1))])
    assert CorrelationFilter(n_features_to_select=3).fit(features).get_support(indices=True).tolist() == [1, 3, 4]
    assert CorrelationFilter(n_features_to_select=2).fit(features).get_support(indices=True).tolist() == [3, 4]
    assert CorrelationFilter(1.0).fit(features[:, [0, 1]]).get_support(indices=True).tolist() == [1]
    assert CorrelationFilter().fit(np.ones((5, 3))).get_support().sum() == 1


def test_the_correlation_filter_is_a_scikit_learn_estimator():
    for estimator, check in estimator_checks_generator(CorrelationFilter(), mark="skip"):
        if not hasattr(check, "mark"):
            check(estimator)


def test_the_correlation_filter_names_the_columns_of_a_frame():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 5], "double": [2.0, 4, 6, 10], "b": [1.0, -1, 1, 0]})
    fitted = CorrelationFilter().set_output(transform="pandas").fit(frame)
    assert fitted.transform(frame).columns.tolist() == ["double", "b"]


@pytest.mark.parametrize("method", ORDER_FREE)
def test_the_order_of_images_and_the_names_of_classes_do_not_matter(method):
    features, labels = amounts(2)
    rng = np.random.default_rng(0)
    chosen = select(features, labels, method, 6).get_support()
    rows = rng.permutation(len(labels))
    assert np.array_equal(select(features[rows], labels[rows], method, 6).get_support(), chosen)
    names = np.array(["zebra", "ant", "moth"])[labels]
    assert np.array_equal(select(features, names, method, 6).get_support(), chosen)
    columns = rng.permutation(features.shape[1])
    assert np.array_equal(select(features[:, columns], labels, method, 6).get_support(), chosen[columns])


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_chooses_the_same_and_the_features_stay_as_they_are(method):
    features, labels = amounts(3, rows=36, columns=12)
    before = features.copy()
    features.flags.writeable = False  # as from the cache
    one, other = (select(features, labels, method, 5, seed=7) for _ in range(2))
    assert np.array_equal(one.get_support(), other.get_support()) and one.get_support().sum() == 5
    assert np.array_equal(features, before)


@pytest.mark.parametrize("method", METHODS)
def test_constant_and_zero_columns_are_chosen_last(method):
    features, labels = amounts(4, columns=12)
    features[:, [2, 5]] = [0.0, 3.0]
    assert not select(features, labels, method, 6).get_support()[[2, 5]].any()


def noise(seed):
    return np.random.default_rng(seed).normal(size=(40, 1000)), np.arange(40) % 2


def test_selecting_before_the_division_makes_a_score_out_of_noise():
    before, after = [], []
    for seed in range(16):
        features, labels = noise(seed)
        folds = list(StratifiedKFold(5, shuffle=True, random_state=seed).split(features, labels))
        leaked = select(features, labels, "ANOVA F", 20).transform(features)
        neighbour = KNeighborsClassifier(1)
        before.append(cross_val_score(neighbour, leaked, labels, cv=folds).mean())
        table = measure(features, labels, folds, ["ANOVA F"], [20], neighbour)
        after.append(table.loc[table["method"] == "ANOVA F", "accuracy"].mean())
    low, high = stats.ttest_1samp(before, 0.5).confidence_interval(0.99)
    assert low > 0.7
    low, high = stats.ttest_1samp(after, 0.5).confidence_interval(0.99)
    assert low < 0.5 and high < 0.62


def test_measure_is_scikit_learns_pipeline_in_the_same_folds():
    features, labels = amounts(5)
    folds = list(StratifiedKFold(4, shuffle=True, random_state=0).split(features, labels))
    neighbour = KNeighborsClassifier(3)
    table = measure(features, labels, folds, ["ANOVA F", "trees"], [3, 9], neighbour, seed=2)
    assert table.groupby(["method", "features"]).size().to_dict() == {
        ("all", 30): 4, ("ANOVA F", 3): 4, ("ANOVA F", 9): 4, ("trees", 3): 4, ("trees", 9): 4
    }  # fmt: skip
    for (method, count), rows in table.groupby(["method", "features"]):
        model = neighbour if method == "all" else make_pipeline(make_selector(method, count, seed=2), neighbour)
        assert rows["accuracy"].tolist() == cross_val_score(model, features, labels, cv=folds).tolist()
    assert (table[["selecting", "learning"]] >= 0).all(axis=None)


def test_measure_shows_a_method_the_training_rows_only(monkeypatch):
    features, labels = amounts(6)
    folds, seen = list(KFold(3, shuffle=True, random_state=0).split(features)), []

    def spy(features, labels, *options):
        seen.append((features, labels))
        return select(features, labels, *options)

    monkeypatch.setattr(feature_selection, "select", spy)
    measure(features, labels, folds, ["ANOVA F"], [4])
    assert len(seen) == 3
    for (shown, shown_labels), (train, _) in zip(seen, folds, strict=True):
        assert np.array_equal(shown, features[train]) and np.array_equal(shown_labels, labels[train])


def test_the_summary_has_the_intervals_of_scipy():
    features, labels = amounts(7)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=1).split(features, labels))
    measured = measure(features, labels, folds, ["correlation", "ANOVA F"], [5])
    table = summarise(measured)
    assert table.index.tolist() == [("all", 30), ("correlation", 5), ("ANOVA F", 5)]
    of = {method: 100 * rows["accuracy"].to_numpy() for method, rows in measured.groupby("method")}
    for method in ("ANOVA F", "correlation"):
        row = table.loc[(method, 5)]
        for mean, half, values in (("accuracy", "half", of[method]), ("gain", "half of gain", of[method] - of["all"])):
            low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
            np.testing.assert_allclose([row[mean] - row[half], row[mean] + row[half]], [low, high])
    assert table.loc[("all", 30), "gain"] == table.loc[("all", 30), "half of gain"] == 0


def test_figures_show_each_method_with_titles_and_units():
    features, labels = amounts(8)
    folds = StratifiedKFold(3).split(features, labels)
    measured = measure(features, labels, folds, ["trees", "variance"], [2, 8])
    for draw in (feature_selection.draw_accuracy, feature_selection.draw_time):
        (axis,) = draw(measured, "VGG16").axes
        assert axis.get_title().startswith("VGG16") and "features" in axis.get_xlabel()
        assert {"variance", "trees"} <= {entry.get_text() for entry in axis.get_legend().get_texts()}
        assert [label.get_text() for label in axis.get_xticklabels()] == ["2", "8"]
    assert "(s" in axis.get_ylabel() and not plt.get_fignums()


GOOD, GOOD_LABELS = amounts(9)
ONE_NAN = GOOD.copy()
ONE_NAN[3, 4] = np.nan


@pytest.mark.parametrize(
    ("arguments", "expected", "to_do"),
    [
        ((GOOD, GOOD_LABELS, "Anova f", 3), "one of variance, ANOVA F", "Did you mean 'ANOVA F'"),
        ((GOOD, GOOD_LABELS, "ANOVA F", 31), "from 1 to 29, fewer than the 30 features; 31 came", "Choose fewer"),
        ((GOOD, GOOD_LABELS, "trees", 30), "from 1 to 29", "train on all features"),
        ((GOOD, GOOD_LABELS, "trees", 0), "count to be a whole number from 1; 0 came", ""),
        ((GOOD, GOOD_LABELS, "trees", 0.5), "count to be a whole number from 1; 0.5 came", ""),
        ((GOOD - 1, GOOD_LABELS, "chi-squared", 3), "0 or more for 'chi-squared'.*values below 0 came", "MinMaxScaler"),
        ((ONE_NAN, GOOD_LABELS, "ANOVA F", 3), "1 values are NaN .*, the first in row 3, column 4", "SimpleImputer"),
        ((GOOD, GOOD_LABELS * 0, "L1", 3), "at least two classes for 'L1'; all 60 are of class 0", "stratified"),
        ((GOOD, None, "L1", 3), "labels for 'L1'; none came", "'variance' or 'correlation'"),
        ((GOOD, GOOD_LABELS[:-1], "L1", 3), r"one label for each of the 60 rows.*\(59,\) came", "argmax"),
        ((GOOD, np.eye(3)[GOOD_LABELS], "L1", 3), r"labels of shape \(60, 3\) came", "argmax"),
        ((GOOD[:4], GOOD_LABELS[:4], "sequential", 3), "at least 3 training images.*class 1 has 1", "Add images"),
        ((GOOD[:, :, None, None], GOOD_LABELS, "trees", 3), r"one row an image; \(60, 30, 1, 1\) came", "Pool"),
    ],
)  # fmt: skip
def test_an_error_says_what_came_and_what_to_do(arguments, expected, to_do):
    with pytest.raises(ValueError, match=f"(?s){expected}.*{to_do}"):
        select(*arguments)


def test_methods_that_look_at_no_label_need_none():
    for method in set(METHODS) - set(LABELLED):
        same = select(GOOD, np.zeros(60, int), method, 5).get_support()
        assert np.array_equal(select(GOOD, None, method, 5).get_support(), same)


def test_a_row_on_both_sides_of_a_fold_is_refused():
    with pytest.raises(ValueError, match="fold 0 has 1 rows on both sides, such as row 9.*splitting.split"):
        measure(GOOD, GOOD_LABELS, [(range(10), range(9, 60))])
    mask = np.arange(60) < 30
    with pytest.raises(ValueError, match="fold 0 has 1 rows on both sides, such as row 29"):
        measure(GOOD, GOOD_LABELS, [(mask, np.arange(29, 60))])


@pytest.mark.parametrize(
    "options", [{"threshold": 1.5}, {"threshold": -0.1}, {"n_features_to_select": 0}, {"n_features_to_select": 31}]
)
def test_the_correlation_filter_says_what_it_expects(options):
    with pytest.raises(ValueError, match="Expected .* from .* came"):
        CorrelationFilter(**options).fit(GOOD)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_works_with_as_few_images_as_it_says(method):
    count, rng = METHODS[method].images_per_class, np.random.default_rng(0)
    labels = np.repeat([0, 1], count)
    features = rng.random((2 * count, 6))
    if method == "ANOVA F":  # one image of a class is enough where another class has two
        features, labels = rng.random((3, 6)), np.array([0, 0, 1])
        with pytest.raises(ValueError, match="more training images than classes"):
            select(features[1:], labels[1:], method, 2)
    assert select(features, labels, method, np.int64(2)).get_support().sum() == 2


@pytest.mark.parametrize("method", METHODS)
def test_where_all_features_are_constant_some_stay(method):
    found = select(np.ones((20, 5)), np.repeat(["a", "b"], 10), method, 2).get_support().sum()
    assert 1 <= found <= 2


def test_a_feature_without_spread_within_the_classes_is_the_best():
    labels = np.repeat([0, 1], 10)
    features = np.column_stack([np.random.default_rng(0).random((20, 3)), labels])
    assert select(features, labels, "ANOVA F", 1).get_support().tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": []}, "one fold or more"),
        ({"counts": [4, 0]}, "each of counts to be a whole number from 1; 0 came"),
        ({"counts": 4}, "counts to be several numbers"),
        ({"counts": [4, 30]}, "fewer than the 30 features; 30 came"),
        ({"methods": ["ANOVA F", "anova"]}, "'anova' came"),
        ({"labels": GOOD_LABELS[:-1]}, r"one label for each of the 60 rows"),
        ({"features": GOOD[:, 0]}, "one row an image"),
    ],
)
def test_measure_tells_what_cannot_be_before_the_first_fold(change, message, monkeypatch):
    monkeypatch.setattr(feature_selection, "select", lambda *arguments: pytest.fail("a fold began"))
    given = {"features": GOOD, "labels": GOOD_LABELS, "folds": KFold(3).split(GOOD), "methods": ["ANOVA F"]}
    with pytest.raises(ValueError, match=message):
        measure(**(given | {"counts": [4]} | change))


def test_measure_takes_one_method_and_counts_of_numpy():
    folds = list(KFold(3, shuffle=True, random_state=0).split(GOOD))
    one = measure(GOOD, GOOD_LABELS, folds, "ANOVA F", np.array([2, 4]))
    assert one["accuracy"].equals(measure(GOOD, GOOD_LABELS, folds, ["ANOVA F"], [2, 4])["accuracy"])


def test_the_table_of_methods_tells_what_each_needs():
    table = feature_selection.methods_table()
    assert list(table.index) == list(METHODS) and set(table["family"]) == {"filter", "wrapper", "embedded"}
    assert table.loc["variance", "needs"] == "nothing" and "below 0" in table.loc["chi-squared", "needs"]
    assert table.loc["sequential", "needs"] == "labels, 3 images a class"
