"""The learner's copy: never over an edit, whatever happens."""

import errno
import json
import os
import threading

import pytest

from tlcourse.classroom import course_files
from tlcourse.classroom.course_files import copy_course

LESSON = "lessons/01_lesson.ipynb"


@pytest.fixture
def source(tmp_path, monkeypatch):
    "A small course, as an installed package has it"
    source = tmp_path / "package" / "course"
    for name in (
        "index.ipynb",
        "settings.ini",
        LESSON,
        "exercises/01_lesson.ipynb",
        "toolkit/labs/00_lab_controller.ipynb",
        "lessons/.ipynb_checkpoints/01_lesson-checkpoint.ipynb",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"first {name}")
    monkeypatch.setattr(course_files, "_package", source.parent)
    return source


@pytest.fixture
def copy(source, tmp_path):
    copy_course(tmp_path / "copy", version="1.0")
    return tmp_path / "copy"


def outcomes(folder, version="2.0"):
    return dict(copy_course(folder, version=version))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_copy_has_the_course_and_nothing_else(copy):
    assert files(copy) == sorted(
        [
            ".tlcourse.json",
            "index.ipynb",
            "settings.ini",
            LESSON,
            "exercises/01_lesson.ipynb",
            "toolkit/labs/00_lab_controller.ipynb",
        ]
    )
    assert set(outcomes(copy).values()) == {"up to date"}


def test_in_a_checkout_the_settings_come_from_the_top(tmp_path, monkeypatch):
    (tmp_path / "nbs" / "lessons").mkdir(parents=True)
    (tmp_path / "settings.ini").write_text("[tlcourse]\n")
    monkeypatch.setattr(course_files, "_package", tmp_path / "tlcourse")
    assert course_files.course_source() == tmp_path / "nbs"
    assert course_files.course_files() == {"settings.ini": tmp_path / "settings.ini"}
    assert copy_course(tmp_path / "nbs") == [] and files(tmp_path / "nbs") == []


def test_an_installation_without_lessons_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(course_files, "_package", tmp_path / "tlcourse")
    with pytest.raises(FileNotFoundError, match="pip install --force-reinstall"):
        copy_course(tmp_path / "copy")


def test_an_unedited_file_is_updated_and_a_removed_one_comes_back(source, copy):
    (source / LESSON).write_text("second")
    (copy / "index.ipynb").unlink()
    done = outcomes(copy)
    assert (done[LESSON], done["index.ipynb"]) == ("updated", "copied")
    assert (copy / LESSON).read_text() == "second"


def test_an_edited_file_is_kept_and_its_new_version_offered_once(source, copy):
    (copy / LESSON).write_text("mine")
    assert outcomes(copy)[LESSON] == "yours, kept"
    (source / LESSON).write_text("second")
    assert outcomes(copy)[LESSON] == "yours, kept; the new version is 01_lesson.2.0.ipynb"
    beside = copy / "lessons" / "01_lesson.2.0.ipynb"
    assert beside.read_text() == "second" and (copy / LESSON).read_text() == "mine"
    beside.unlink()
    assert outcomes(copy)[LESSON] == "yours, kept"
    assert not beside.exists()


def test_no_file_beside_is_overwritten_either(source, copy):
    (copy / LESSON).write_text("mine")
    beside = copy / "lessons" / "01_lesson.2.0.ipynb"
    beside.write_text("mine too")
    (source / LESSON).write_text("second")
    assert outcomes(copy)[LESSON].endswith("is 01_lesson.2.0-2.ipynb")
    assert beside.read_text() == "mine too"


def test_an_edit_taken_back_is_no_edit(source, copy):
    original = (copy / LESSON).read_text()
    (copy / LESSON).write_text("mine")
    (source / LESSON).write_text("second")
    outcomes(copy)
    (copy / LESSON).write_text(original)
    assert outcomes(copy)[LESSON] == "updated"


def test_a_file_that_was_there_before_is_kept(source, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "settings.ini").write_text("[other]\n")
    (folder / "index.ipynb").write_bytes((source / "index.ipynb").read_bytes())
    done = outcomes(folder)
    assert done["settings.ini"] == "yours, kept; the new version is settings.2.0.ini"
    assert done["index.ipynb"] == "up to date"
    assert outcomes(folder)["settings.ini"] == "yours, kept"
    assert (folder / "settings.ini").read_text() == "[other]\n"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"files": 3}', '{"files": {"index.ipynb": "x"}}', "\x00\xff"])
def test_with_a_damaged_list_every_file_counts_as_edited(source, copy, damage):
    (copy / ".tlcourse.json").write_text(damage)
    (source / LESSON).write_text("second")
    done = outcomes(copy)
    assert done[".tlcourse.json"].startswith("damaged")
    assert done[LESSON].startswith("yours, kept; the new version is")
    assert (copy / LESSON).read_text() == f"first {LESSON}"
    assert ".tlcourse.json" not in outcomes(copy)
    assert json.loads((copy / ".tlcourse.json").read_text())["version"] == "2.0"


def test_a_file_is_no_folder_and_the_source_is_no_place_for_a_copy(source, copy):
    with pytest.raises(ValueError, match="is a file"):
        copy_course(copy / "index.ipynb")
    with pytest.raises(ValueError, match="outside of"):
        copy_course(source / "lessons" / "copy")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_error_says_what_to_do_and_leaves_no_half_file(source, copy, monkeypatch, number):
    (source / "index.ipynb").write_text("second")
    (source / LESSON).write_text("second")
    replace, calls = os.replace, []

    def fail_at_the_second(*names):
        calls.append(names)
        if len(calls) == 2:
            raise OSError(number, os.strerror(number))
        replace(*names)

    monkeypatch.setattr(os, "replace", fail_at_the_second)
    with pytest.raises(OSError, match="run the command again"):
        outcomes(copy)
    assert (copy / "index.ipynb").read_text() == "second"
    assert (copy / LESSON).read_text() == f"first {LESSON}"
    assert len(files(copy)) == 6
    done = outcomes(copy)
    assert (done["index.ipynb"], done[LESSON]) == ("up to date", "updated")


def test_a_folder_in_the_place_of_a_file_is_an_error_with_advice(copy):
    (copy / "index.ipynb").unlink()
    (copy / "index.ipynb").mkdir()
    with pytest.raises(OSError, match="could not be copied"):
        outcomes(copy)


def test_a_file_system_without_hard_links(source, tmp_path, monkeypatch):
    def no_links(*names):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    assert set(outcomes(tmp_path / "new").values()) == {"copied"}
    assert len(files(tmp_path / "new")) == 6


def test_copies_at_once_are_harmless(source, copy):
    (source / LESSON).write_text("second")
    (source / "index.ipynb").write_text("second")
    (copy / LESSON).write_text("mine")
    (copy / "settings.ini").unlink()
    failures = []

    def work():
        try:
            outcomes(copy)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (copy / LESSON).read_text() == "mine"
    assert (copy / "index.ipynb").read_text() == "second"
    assert len(files(copy)) == 7 and (copy / "lessons" / "01_lesson.2.0.ipynb").read_text() == "second"
    assert outcomes(copy)[LESSON] == "yours, kept"


def test_a_server_that_fails_gives_its_exit_code(copy, monkeypatch):
    monkeypatch.setattr(
        course_files, "_lab_command", lambda *arguments: [os.sys.executable, "-c", "import sys; sys.exit(7)"]
    )
    assert course_files.open_lab(copy) == 7


def test_the_server_does_not_ask_about_news_and_what_the_person_set_is_left_alone(copy, monkeypatch, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(mine))
    look = (
        "import json, os, pathlib, sys; ours, mine = os.environ['JUPYTER_CONFIG_PATH'].split(os.pathsep); "
        f"assert mine == {str(mine)!r}; file = pathlib.Path(ours) / 'labconfig' / 'default_setting_overrides.json'; "
        "news = json.loads(file.read_text())['@jupyterlab/apputils-extension:notification']; "
        "sys.exit(0 if news == {'fetchNews': 'false', 'checkForUpdates': False} else 1)"
    )
    monkeypatch.setattr(course_files, "_lab_command", lambda *arguments: [os.sys.executable, "-c", look])
    assert course_files.open_lab(copy) == 0
    assert not list(mine.iterdir())
