"""Charts: the same pixels everywhere, boxes that are true, and a cache that survives damage."""

import hashlib
import json
import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from tlcourse.datasets import charts


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "charts"


def digest(images):
    return hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()


def test_a_fresh_process_with_other_defaults_draws_the_same_pixels(tmp_path):
    settings = tmp_path / "config"
    settings.mkdir()
    (settings / "matplotlibrc").write_text("font.family: monospace\nlines.antialiased: False\npatch.linewidth: 5\n")
    script = """if True:
        import hashlib, json, sys
        import matplotlib
        # Reading the backend would choose one, which imports pyplot
        before = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if not key.startswith("backend")}
        assert before["patch.linewidth"] == 5, "the matplotlibrc of this test was not read"
        from tlcourse.datasets import charts
        arrays = charts._draw_all(2, 64, 11)
        same = all(matplotlib.rcParams[key] == value for key, value in before.items())
        print(json.dumps([hashlib.sha256(arrays["images"].tobytes()).hexdigest(), arrays["boxes"].tolist(), same,
                          "matplotlib.pyplot" in sys.modules]))"""
    environ = dict(os.environ, MPLCONFIGDIR=str(settings))
    ran = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    pixels, boxes, same_defaults, used_pyplot = json.loads(ran.stdout)
    here = charts._draw_all(2, 64, 11)
    assert pixels == digest(here["images"])
    assert boxes == here["boxes"].tolist()
    assert same_defaults
    assert not used_pyplot


def test_a_chart_depends_only_on_seed_kind_and_number():
    few, more = charts.draw_charts(2, 48, seed=5), charts.draw_charts(3, 48, seed=5)
    kept = np.flatnonzero(np.arange(len(more)) % 3 < 2)
    assert (few.images == more.images[kept]).all()
    assert few.metadata.equals(more.metadata.iloc[kept].reset_index(drop=True))
    other = charts.draw_charts(2, 48, seed=6)
    assert not (few.images == other.images).all(axis=(1, 2, 3)).any()


def test_nothing_of_the_chart_before_stays_in_the_figure():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["font.family"] = "DejaVu Sans"
        used = charts._blank(64)
        for number in range(6):
            for kind in reversed(charts.CHARTS):
                seed = charts._style_seed(1, kind, number)
                fresh = charts._blank(64)
                assert charts._chart(used, kind, seed, 64) == charts._chart(fresh, kind, seed, 64)
                assert (charts._pixels(used) == charts._pixels(fresh)).all(), (kind, number)


@pytest.mark.parametrize("kind", charts.CHARTS)
@pytest.mark.parametrize("image_size", [48, 96, 151])
def test_the_box_is_where_the_axes_are(kind, image_size):
    for number in range(4):
        figure = charts._blank(image_size)
        left, top, right, bottom = charts._chart(figure, kind, charts._style_seed(2, kind, number), image_size)
        axes = figure.axes[0]
        for artist in [*axes.get_children(), *figure.texts, *figure.artists]:
            artist.set_visible(artist is axes.patch)
        axes.set_facecolor("magenta")
        figure.set_facecolor("white")
        rows, columns = np.nonzero((charts._pixels(figure) == (255, 0, 255)).all(axis=-1))
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (left, top, right, bottom)
        assert len(rows) == (right - left) * (bottom - top)
        # matplotlib's own opinion, in its coordinates
        extent = axes.get_window_extent()
        edges = extent.x0, image_size - extent.y1, extent.x1, image_size - extent.y0
        assert np.allclose(edges, [left, top, right, bottom])


def test_the_images_fit_the_course():
    data = charts.draw_charts(per_class=4, image_size=96)
    assert len(data.class_names) >= 8 and data.summary()["images"].tolist() == [4] * len(data.class_names)
    box = data.metadata
    assert (
        (0 <= box.left)
        & (box.left < box.right)
        & (box.right <= 96)
        & (0 <= box.top)
        & (box.top < box.bottom)
        & (box.bottom <= 96)
    ).all()
    # Something is drawn inside every box: no chart is invisible
    inside = [data.images[i][b.top + 2 : b.bottom - 2, b.left + 2 : b.right - 2] for i, b in box.iterrows()]
    assert min(len(np.unique(image.reshape(-1, 3), axis=0)) for image in inside) > 2


def test_the_second_call_reads_the_cache(own_cache, monkeypatch):
    first = charts.draw_charts(1, 48, seed=3)
    assert len(os.listdir(own_cache)) == 1
    monkeypatch.setattr(charts, "_draw_all", lambda *args: pytest.fail("drawn again"))
    second = charts.draw_charts(1, 48, seed=3)
    assert (first.images == second.images).all() and first.metadata.equals(second.metadata)


def test_other_arguments_and_another_generator_are_not_taken_from_the_cache(own_cache, monkeypatch):
    for arguments in ((1, 48, 0), (1, 48, 1), (1, 50, 0), (2, 48, 0)):
        charts.draw_charts(*arguments)
    assert len(os.listdir(own_cache)) == 4
    monkeypatch.setattr(charts, "GENERATOR_VERSION", charts.GENERATOR_VERSION + 1)
    charts.draw_charts(1, 48, 0)
    assert len(os.listdir(own_cache)) == 5


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-2000])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def other_arrays(path):
    np.savez(path, images=np.zeros((3, 2, 2, 3), np.uint8), boxes=np.zeros((3, 4)), style_seeds=np.zeros(3))


@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        flip_a_byte,
        other_arrays,
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, nothing=np.zeros(1)),
    ],
)
def test_a_damaged_cache_is_said_so_and_made_again(own_cache, damage):
    first = charts.draw_charts(1, 48)
    (path,) = own_cache.iterdir()
    good = digest(first.images)
    damage(path)
    with pytest.warns(UserWarning, match="is damaged .* drawn again"):
        assert digest(charts.draw_charts(1, 48).images) == good
    assert digest(charts.draw_charts(1, 48).images) == good  # without a warning: the file is whole again
    assert list(own_cache.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_is_only_a_warning(own_cache, monkeypatch):
    def full(file, **arrays):
        file.write(b"half a fi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(charts.np, "savez_compressed", full)
    with pytest.warns(UserWarning, match="No space left"):
        assert len(charts.draw_charts(1, 48)) == len(charts.CHARTS)
    assert list(own_cache.iterdir()) == []


@pytest.mark.parametrize("arguments", [dict(per_class=0), dict(image_size=16), dict(image_size=64.5), dict(seed=-1)])
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=f"Expected {next(iter(arguments))} to be a whole number"):
        charts.draw_charts(**arguments)
