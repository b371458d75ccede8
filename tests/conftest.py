"""The order of the tests, and the thin networks."""

import gc

import pytest


def seconds(item):
    "The tests marked `long` start first, the longest before the others, so that no processor waits for one at the end"
    marker = item.get_closest_marker("long")
    return marker.args[0] if marker else 0


def pytest_collection_modifyitems(items):
    items.sort(key=seconds, reverse=True)


@pytest.fixture(scope="module")
def thin(tmp_path_factory):
    "VGG16 and ResNet50 are thin for the tests of a module"
    from thin import thin_networks

    with thin_networks(tmp_path_factory.getbasetemp() / "thin"):
        # what TensorFlow's modules hold stays to the end: no search for circles has to look through it each time
        gc.collect()
        gc.freeze()
        yield
