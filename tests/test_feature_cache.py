"""The feature cache where the disk is full, where it cannot be written, and where two processes want the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tlcourse.networks import feature_cache

# Extracts each time it is told, with no file longer than it is told, and says what it gets
EXTRACT = """if True:
    import io, resource, sys
    import numpy as np
    from thin import stay_thin
    from tlcourse import backbones, data, features
    stay_thin()
    vgg = backbones.load_backbone("VGG16", "course", 32)
    images = data.load("textures").sample(per_class=6)
    print("ready", flush=True)
    for line in sys.stdin:
        if int(line):
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(line), int(line)))
        said = io.BytesIO()
        np.save(said, np.array(features.extract(vgg, images, cut="block3", precision="float32")))
        print(len(said.getvalue()), flush=True)
        sys.stdout.buffer.write(said.getvalue())
        sys.stdout.buffer.flush()
"""


def extracting():
    return subprocess.Popen(
        [sys.executable, "-c", EXTRACT],
        cwd=Path(__file__).parent,  # where the thin networks are
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def tell(process, longest=0):
    process.stdin.write(b"%d\n" % longest)
    process.stdin.flush()


def result(process):
    "What a process gave after it was told to go on"
    return process.stdout.read(int(process.stdout.readline()))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    return tmp_path / "features"


def entries(folder):
    return [path.name for path in folder.iterdir() if path.suffix in (".npy", ".part")]


@pytest.mark.training
@pytest.mark.skipif(os.name == "nt", reason="limits on files are a matter of POSIX")
def test_two_processes_and_a_full_disk_give_the_same_features(folder, thin):
    both = [extracting(), extracting()]
    for process in both:
        assert process.stdout.readline() == b"ready\n"
    for process in both:
        tell(process)
    first, second = map(result, both)
    assert first == second and len(first) > 20_000 and len(entries(folder)) == 1
    feature_cache.clear()
    tell(both[0], longest=5_000)
    assert result(both[0]) == first and not entries(folder)
    said = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "could not be kept" in said[0] and "they stay in memory" in said[0] and "could not be kept" not in said[1]


def test_a_folder_that_cannot_be_written_is_said(folder, monkeypatch):
    rows = np.arange(12.0).reshape(4, 3)
    key = feature_cache.digest(rows)

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(feature_cache.tempfile, "mkstemp", refuse)
    with pytest.warns(UserWarning, match="Permission denied"):
        assert np.array_equal(feature_cache.cached(key, lambda: iter([rows]), 4), rows)


def test_every_byte_counts(folder):
    rows = np.arange(6, dtype=np.uint8).reshape(2, 3)
    key = feature_cache.digest("every byte")
    feature_cache.write_entry(key, iter([rows]), 2)
    path = folder / f"{key}.npy"
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        with pytest.warns(UserWarning, match="is damaged"):
            assert feature_cache.open_entry(key) is None
