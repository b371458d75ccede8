"""The tests marked `long` start first, the longest before the others, so that no processor waits for one at the end."""

import pytest

# `make check` leaves out the files whose tests train networks, trace them, or wait for programs that do
TRAINING = (
    "augmentation backbones devices exercises feature_cache fine_tuning grading install lab_app lab_run "
    "model_selection pretraining readme tuning widgets"
).split()


def seconds(item):
    marker = item.get_closest_marker("long")
    return marker.args[0] if marker else 0


def pytest_collection_modifyitems(items):
    items.sort(key=seconds, reverse=True)
    for item in items:
        if item.path.stem.removeprefix("test_") in TRAINING:
            item.add_marker(pytest.mark.training)
