"""Downloads: a server on this machine offers good, hostile, broken and missing archives."""

import hashlib
import io
import logging
import os
import re
import stat
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from tlcourse.datasets import downloads
from tlcourse.datasets.downloads import OPEN_DATASETS, Archive, OpenDataset, fetch

PATTERN = r"toys/(?P<class>[^/]+)/(?P<file>[^/]+\.jpg)"
GOOD = {
    "toys/ball/1.jpg": b"round",
    "toys/cube/1.jpg": b"square",
    "toys/cube/2.jpg": b"also square",
    "toys/LICENSE": b"text",
}
UNPACKED = {"ball/1.jpg": b"round", "cube/1.jpg": b"square", "cube/2.jpg": b"also square"}


class Server:
    "Serves `files` and counts what was asked for"

    def __init__(self):
        self.files, self.asked, self.lie_about_length = {}, [], 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                content = outer.files.get(self.path.strip("/"))
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"") + outer.lie_about_length))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs=dict(poll_interval=0.01), daemon=True)
        self.thread.start()

    def url(self, name):
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TLCOURSE_DATA", raising=False)
    server = Server()
    yield server
    server.stop()


def tar(members, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(
                content if isinstance(content, zipfile.ZipInfo) else name,
                b"/etc/passwd" if isinstance(content, zipfile.ZipInfo) else content,
            )
    return buffer.getvalue()


@pytest.fixture
def offer(server, monkeypatch):
    def offer(*contents, classes=2, urls=None):
        archives = []
        for number, content in enumerate(contents):
            server.files[f"part{number}"] = content
            archives.append(
                Archive(
                    urls or (server.url(f"part{number}"),), hashlib.sha256(content).hexdigest(), len(content), PATTERN
                )
            )
        monkeypatch.setitem(OPEN_DATASETS, "toys", OpenDataset("toys", tuple(archives), classes, 3, "none", "none"))

    return offer


def unpacked(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("pack", [tar, zipped, lambda members: tar(members, "w:")], ids=["tar.gz", "zip", "tar"])
def test_the_images_of_an_archive_are_unpacked_by_class(offer, tmp_path, pack):
    offer(pack(GOOD))
    assert fetch("toys", tmp_path, progress=False) == tmp_path / "toys"
    assert unpacked(tmp_path / "toys") == UNPACKED
    assert os.listdir(tmp_path) == ["toys"]  # neither the archive nor a temporary folder is left


def test_without_a_folder_the_cache_is_used(offer, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    offer(tar(GOOD))
    assert fetch("toys", progress=False) == tmp_path / "datasets" / "toys"


def test_what_is_there_is_not_downloaded_again(server, offer, tmp_path):
    offer(tar(GOOD))
    fetch("toys", tmp_path, progress=False)
    fetch("toys", tmp_path, progress=False)
    assert len(server.asked) == 1


def link(name, kind, target):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_link(name):
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


NAMES = [
    "../evil.jpg",
    "toys/../evil.jpg",
    "toys/./evil.jpg",
    "/toys/ball/evil.jpg",
    "toys/../../evil.jpg",
    "toys/ball/../../../evil.jpg",
    "toys/..\\..\\evil/x.jpg",
    "toys/ball/..\\evil.jpg",
    "toys/C:/evil.jpg",
    "toys/ball/a:evil.jpg",
    "other/ball/evil.jpg",
    "toys/evil.jpg",
    "toys/ball/deeper/evil.jpg",
    "toys/ball/evil.sh",
]


@pytest.mark.parametrize("pack", [tar, zipped])
def test_hostile_names_are_not_written_anywhere(offer, tmp_path, pack):
    home = tmp_path / "a" / "b" / "c"
    offer(pack({**{name: b"evil" for name in NAMES}, **GOOD}))
    fetch("toys", home, progress=False)
    assert unpacked(tmp_path) == {f"a/b/c/toys/{name}": content for name, content in UNPACKED.items()}


def test_links_and_devices_are_not_unpacked(offer, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    entries = [
        link("toys/ball/s.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        link("toys/ball/h.jpg", tarfile.LNKTYPE, "toys/LICENSE"),
        link("toys/ball/p.jpg", tarfile.FIFOTYPE, ""),
        link("toys/ball/d.jpg", tarfile.CHRTYPE, ""),
        link("toys/cube", tarfile.SYMTYPE, str(outside)),
    ]  # the class itself, before its files
    offer(
        tar({**{entry.name: entry for entry in entries}, **GOOD}),
        zipped({"toys/ball/z.jpg": zip_link("toys/ball/z.jpg")}),
    )
    fetch("toys", tmp_path / "home", progress=False)
    assert unpacked(tmp_path / "home" / "toys") == UNPACKED
    assert not any(path.is_symlink() for path in (tmp_path / "home").rglob("*"))
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("pack", [tar, zipped])
def test_an_enormous_member_is_refused(offer, tmp_path, pack):
    offer(pack({**GOOD, "toys/cube/huge.jpg": bytes(5_000_000)}))
    with pytest.raises(ValueError, match="at most 4 times .*huge.jpg"):
        fetch("toys", tmp_path, progress=False)
    assert os.listdir(tmp_path) == []


def test_parts_are_merged_and_equal_names_stay_apart(offer, tmp_path):
    offer(zipped(GOOD), zipped({"toys/ball/1.jpg": b"another", "toys/ball/7.jpg": b"new"}))
    fetch("toys", tmp_path, progress=False)
    assert unpacked(tmp_path / "toys") == {**UNPACKED, "ball/part2-1.jpg": b"another", "ball/7.jpg": b"new"}


def test_addresses_are_tried_in_order(server, offer, tmp_path):
    content = tar(GOOD)
    server.files["wrong"] = b"<html>please log in</html>"
    offer(content, urls=(server.url("gone"), server.url("wrong"), server.url("part0")))
    fetch("toys", tmp_path, progress=False)
    assert unpacked(tmp_path / "toys") == UNPACKED
    assert server.asked == ["/gone", "/wrong", "/part0"]


def test_a_wrong_file_is_refused_and_not_kept(server, offer, tmp_path):
    page = b"<html>please log in</html>"
    offer(tar(GOOD), urls=(server.url("page"),))
    server.files["page"] = page
    expected = OPEN_DATASETS["toys"].archives[0].sha256
    with pytest.raises(ValueError, match="(?s)SHA-256 .*login page") as caught:
        fetch("toys", tmp_path, progress=False)
    assert expected in str(caught.value) and hashlib.sha256(page).hexdigest() in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_missing_file_says_what_the_server_answered(server, offer, tmp_path):
    offer(tar(GOOD), urls=(server.url("gone"), server.url("also-gone")))
    with pytest.raises(ConnectionError) as caught:
        fetch("toys", tmp_path, progress=False)
    assert str(caught.value).count("404") == 2 and "TLCOURSE_DATA" in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_without_a_network_the_message_says_what_to_do(server, offer, tmp_path):
    offer(tar(GOOD))
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(ConnectionError, match=r"toys/<class>/\*.jpg(.|\n)*TLCOURSE_DATA"):
        fetch("toys", tmp_path, progress=False)
    assert os.listdir(tmp_path) == []


def test_a_connection_that_breaks_off_leaves_nothing(server, offer, tmp_path):
    offer(tar(GOOD))
    server.lie_about_length = 1000
    with pytest.raises(ConnectionError, match="did not come"):
        fetch("toys", tmp_path, progress=False)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_noticed_before_downloading(server, offer, tmp_path, monkeypatch):
    offer(tar(GOOD))
    needed = 2 * OPEN_DATASETS["toys"].size
    usage = downloads.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage._replace(free=needed - 1))
    with pytest.raises(OSError, match="MB of free disk .* MB are available"):
        fetch("toys", tmp_path, progress=False)
    assert server.asked == [] and os.listdir(tmp_path) == []
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage._replace(free=needed))
    fetch("toys", tmp_path, progress=False)


@pytest.mark.parametrize("where", ["_download", "_extract"])
def test_a_disk_that_fills_up_is_said_so(offer, tmp_path, monkeypatch, where):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    offer(tar(GOOD))
    monkeypatch.setattr(downloads, where, full)
    with pytest.raises(OSError, match="No space left on device.*MB are free.*TLCOURSE_CACHE") as caught:
        fetch("toys", tmp_path, progress=False)
    assert caught.value.errno == 28
    assert os.listdir(tmp_path) == []


def test_an_interrupted_extraction_is_not_taken_for_complete(offer, tmp_path, monkeypatch):
    whole = downloads._extract

    def interrupted(*args, **kwargs):
        whole(*args, **kwargs)
        raise KeyboardInterrupt

    offer(tar(GOOD))
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "_extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("toys", tmp_path, progress=False)
    assert os.listdir(tmp_path) == []
    fetch("toys", tmp_path, progress=False)
    assert unpacked(tmp_path / "toys") == UNPACKED


def test_an_archive_without_the_expected_classes_is_refused(offer, tmp_path):
    offer(tar(GOOD), classes=3)
    with pytest.raises(ValueError, match="Expected 3 classes of 'toys'; 2 came"):
        fetch("toys", tmp_path, progress=False)
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_no_archive_is_refused(offer, tmp_path):
    offer(b"the checksum fits, but this is no archive")
    with pytest.raises(ValueError, match="Expected an archive that can be unpacked"):
        fetch("toys", tmp_path, progress=False)
    assert os.listdir(tmp_path) == []


def test_two_at_once_both_get_the_set(offer, tmp_path, monkeypatch):
    offer(tar(GOOD))
    together, whole = threading.Barrier(2, timeout=30), downloads._extract

    def extract_together(*args, **kwargs):
        whole(*args, **kwargs)
        together.wait()  # so that both are unpacked before either is renamed

    monkeypatch.setattr(downloads, "_extract", extract_together)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: fetch("toys", tmp_path, progress=False), range(2)))
    assert both == [tmp_path / "toys"] * 2
    assert unpacked(tmp_path / "toys") == UNPACKED and os.listdir(tmp_path) == ["toys"]


def test_pooch_stays_quiet_and_is_left_as_it_was(offer, tmp_path, capfd):
    logger = pooch.get_logger()
    before = logger.level, list(logger.filters)
    assert logger.isEnabledFor(logging.INFO)  # else this test could not fail
    offer(tar(GOOD))
    fetch("toys", tmp_path, progress=False)
    assert capfd.readouterr() == ("", "")
    assert (logger.level, list(logger.filters)) == before


def test_the_progress_bar_can_be_shown(offer, tmp_path, capfd):
    offer(tar(GOOD))
    fetch("toys", tmp_path)
    assert "100%" in capfd.readouterr().err


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="flowers, beans, eurosat, pets, rock_paper_scissors; 'flower' came"):
        fetch("flower", tmp_path)


@pytest.mark.parametrize("name", ["flowers", "beans", "eurosat", "pets", "rock_paper_scissors"])
def test_the_table_is_complete(name):
    dataset = OPEN_DATASETS[name]
    assert dataset.name == name and dataset.licence and dataset.page.startswith("https://")
    assert dataset.classes > 1 and dataset.images > 100 * dataset.classes / 2
    for archive in dataset.archives:
        assert re.fullmatch("[0-9a-f]{64}", archive.sha256) and archive.size > 10_000_000
        assert archive.urls[0].startswith("https://") and len(set(archive.urls)) == len(archive.urls)


@pytest.mark.parametrize(
    "name, part, member, expected",
    [
        ("flowers", 0, "flower_photos/roses/12240303_80d87f77a3_n.jpg", ("roses", "12240303_80d87f77a3_n.jpg")),
        ("flowers", 0, "flower_photos/LICENSE.txt", None),
        ("flowers", 0, "flower_photos/roses/._12240303_80d87f77a3_n.jpg", None),
        ("beans", 0, "train/bean_rust/bean_rust_train.12.jpg", ("bean_rust", "bean_rust_train.12.jpg")),
        ("beans", 2, "test/healthy/healthy_test.3.jpg", ("healthy", "healthy_test.3.jpg")),
        ("beans", 0, "__MACOSX/train/bean_rust/._bean_rust_train.12.jpg", None),
        ("eurosat", 0, "2750/SeaLake/SeaLake_1.jpg", ("SeaLake", "SeaLake_1.jpg")),
        ("pets", 0, "images/Abyssinian_12.jpg", ("Abyssinian", "Abyssinian_12.jpg")),
        ("pets", 0, "images/basset_hound_9.jpg", ("basset_hound", "basset_hound_9.jpg")),
        ("pets", 0, "images/Abyssinian_100.mat", None),
        ("rock_paper_scissors", 0, "rps/rock/rock01-000.png", ("rock", "rock01-000.png")),
        ("rock_paper_scissors", 1, "rps-test-set/paper/testpaper01-00.png", ("paper", "testpaper01-00.png")),
    ],
)
def test_patterns_take_the_images_and_nothing_else(name, part, member, expected):
    match = re.fullmatch(OPEN_DATASETS[name].archives[part].pattern, member)
    assert (match and (match["class"], match["file"])) == expected
