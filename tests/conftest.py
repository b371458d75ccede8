"""The tests marked `long` start first, the longest before the others, so that no processor waits for one at the end."""


def seconds(item):
    marker = item.get_closest_marker("long")
    return marker.args[0] if marker else 0


def pytest_collection_modifyitems(items):
    items.sort(key=seconds, reverse=True)
