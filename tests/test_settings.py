"""Settings and other text files as editors of every system save them."""

import codecs
import json
import os
import stat
from pathlib import Path

import pandas as pd
import pytest

from tlcourse import cli, data, tuning
from tlcourse.quality import missing_values
from tlcourse.settings import Settings, cache_folder, find_settings_file, load_settings, read_text

TEXT = "# Übung\n[tlcourse]\nimage_size = 96   # pixels\nseed = 3\n"
ENCODINGS = {
    "plain": (TEXT.encode(), None),
    "with a mark": (codecs.BOM_UTF8 + TEXT.encode(), None),
    "with a mark before the section": (codecs.BOM_UTF8 + TEXT.partition("\n")[2].encode(), None),
    "of Windows": (codecs.BOM_UTF8 + TEXT.replace("\n", "\r\n").encode(), None),
    "of an old Mac": (TEXT.replace("\n", "\r").encode(), None),
    "UTF-16": (TEXT.encode("utf-16"), None),
    "UTF-16, the other way round": (codecs.BOM_UTF16_BE + TEXT.replace("\n", "\r\n").encode("utf-16-be"), None),
    "another spelling": (TEXT.replace("[tlcourse]", "[ TLCourse ]").encode(), None),
    "with a section of another tool": (f"[DEFAULT]\nlib_name = x\n{TEXT}[other]\nseed = many\n".encode(), None),
    "Latin-1": (TEXT.encode("latin-1"), r"settings\.ini, line 1: expected text in UTF-8; b'\\xdc' came"),
    "Latin-1 below": ("[tlcourse]\nseed = 3\ncache = Übung\n".encode("latin-1"), "line 3: expected text in UTF-8"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "line 1: expected text in UTF-8"),
    "UTF-16 that ends early": (TEXT.encode("utf-16")[:-1], "expected text in UTF-16"),
    "twice": (TEXT.encode() + b"[TLCOURSE]\nseed = 4\n", r"one section \[tlcourse\]"),
    "twice the same": (TEXT.encode() + b"seed = 4\n", r"settings\.ini cannot be read as settings.*line  ?5"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODINGS)
def test_settings_are_read_or_refused_with_the_line(tmp_path, name):
    content, refused = ENCODINGS[name]
    (tmp_path / "settings.ini").write_bytes(content)
    assert find_settings_file(tmp_path) == tmp_path / "settings.ini"
    if refused:
        with pytest.raises(ValueError, match=refused):
            load_settings(tmp_path, {})
    else:
        settings = load_settings(tmp_path, {})
        assert (settings.image_size, settings.seed) == (96, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe", b"[DEFAULT]\nlib_name = x\n", b"no section\n", b"[a]\nx = 1\n[a]\nx = 2\n", b"\0\1\2" * 99,
        "[Übung]\n".encode("latin-1"), "# [tlcourse]\n[other]\n".encode("utf-16"), b"[other]\nof = [tlcourse]\n",
    ],
)  # fmt: skip
def test_a_file_of_another_tool_is_passed_over_whatever_is_in_it(tmp_path, content):
    (tmp_path / "settings.ini").write_text("[tlcourse]\nseed = 5\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "settings.ini").write_bytes(content)
    assert load_settings(inner, {}).seed == 5


def test_a_settings_ini_that_cannot_be_opened_is_passed_over(tmp_path):
    (tmp_path / "settings.ini").write_text("[tlcourse]\nseed = 5\n")
    (tmp_path / "a" / "settings.ini").mkdir(parents=True)
    assert load_settings(tmp_path / "a", {}).seed == 5
    secret = tmp_path / "a" / "b"
    secret.mkdir()
    (secret / "settings.ini").write_text("[tlcourse]\nseed = 6\n")
    (secret / "settings.ini").chmod(0)
    expected = 6 if os.access(secret / "settings.ini", os.R_OK) else 5  # root may read everything
    assert load_settings(secret, {}).seed == expected
    (secret / "settings.ini").chmod(stat.S_IRWXU)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let go of a working folder")
def test_a_working_folder_that_is_gone_has_no_settings(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_settings_file() is None and load_settings(environ={}) == Settings()


def test_relative_paths_begin_at_the_file_that_has_them(tmp_path, monkeypatch):
    course, elsewhere = tmp_path / "course", tmp_path / "elsewhere"
    (course / "lessons").mkdir(parents=True)
    (course / "sets").mkdir()
    elsewhere.mkdir()
    (course / "settings.ini").write_text("[tlcourse]\ndata = sets\ncache = kept\nweights = mine.weights.h5\n")
    monkeypatch.chdir(course / "lessons")
    for name in ("TLCOURSE_DATA", "TLCOURSE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    settings = load_settings()
    assert (settings.data, settings.cache) == (course / "sets", course / "kept")
    assert settings.weights == str(course / "mine.weights.h5")
    assert cache_folder("features") == course / "kept" / "features"
    monkeypatch.chdir(elsewhere)
    assert load_settings(course).data == course / "sets"
    monkeypatch.setenv("TLCOURSE_CACHE", "here")
    kept = cache_folder()
    monkeypatch.chdir(tmp_path)
    assert kept == elsewhere / "here" and kept.is_dir()
    with pytest.raises(ValueError, match=rf"`data` is '{tmp_path}/missing'; allowed is the path of an existing folder"):
        load_settings(environ={"TLCOURSE_DATA": "missing"})
    for word in ("auto", "course", "imagenet", "none"):
        assert load_settings(environ={"TLCOURSE_WEIGHTS": f" {word} "}).weights == word
    assert load_settings(environ={"TLCOURSE_DATA": "", "TLCOURSE_CACHE": " "}).data is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_that_a_program_saved_its_own_way(tmp_path, encoding, end):
    table = pd.DataFrame({"file": ["ä.jpg", "二.jpg"], "iso": [100, 200]})
    path = missing_values.to_openrefine(table, tmp_path / "metadata.csv")
    path.write_bytes(end.join(path.read_text(encoding="utf-8").splitlines()).encode(encoding))
    pd.testing.assert_frame_equal(missing_values.from_openrefine(path, table), table)


def test_a_table_that_is_none_is_refused(tmp_path):
    table, path = pd.DataFrame({"file": ["ä.jpg"]}), tmp_path / "metadata.csv"
    for content, message in (
        ("row_id,file\n0,ä.jpg\n".encode("latin-1"), r"metadata\.csv, line 2: expected text in UTF-8"),
        (b"", r"metadata\.csv: expected the table"),
        (b'row_id,file\n0,"a', r"metadata\.csv: expected the table"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            missing_values.from_openrefine(path, table)


def test_a_search_space_may_have_a_mark(tmp_path, monkeypatch, capsys):
    class Enough(Exception):
        pass

    def search(splits, backbone, space, *arguments, **options):
        raise Enough(space)

    monkeypatch.setattr(tuning, "search", search)
    path = tmp_path / "space.json"
    path.write_bytes(codecs.BOM_UTF8 + json.dumps({"depth": [0, 1]}, indent=1).replace("\n", "\r\n").encode())
    arguments = ["tune", "--data", "digits", "--space", str(path)]
    with pytest.raises(Enough, match=r"\{'depth': \[0, 1\]\}"):
        cli.main(arguments)
    path.write_bytes(b'{"depth":\n"\xdc"}')
    assert cli.main(arguments) != 0
    assert "line 2" in capsys.readouterr().err


def test_text_comes_as_it_is(tmp_path):
    (tmp_path / "a").write_bytes(b"a\r\nb\rc\n")
    assert read_text(tmp_path / "a") == "a\r\nb\rc\n"
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "b")


def test_a_data_folder_of_a_relative_path(tmp_path, monkeypatch):
    from test_data import put

    put(tmp_path / "sets", "ours/a/1.png", "ours/b/1.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TLCOURSE_DATA", "sets")
    ours = data.load("ours")
    monkeypatch.chdir(Path(__file__).parent)
    assert ours.images[0].shape == (4, 6, 3)
