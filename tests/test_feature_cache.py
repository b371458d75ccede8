"""The feature cache where the disk is full, where it cannot be written, and where two processes want the same."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tlcourse import feature_cache

EXTRACT = """if True:
    import os, sys
    import numpy as np
    from tlcourse import backbones, data, features
    if len(sys.argv) > 2:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    vgg = backbones.load_backbone("VGG16", "course", 32)
    images = data.load("textures").sample(per_class=6)
    print("ready", flush=True)
    sys.stdin.readline()
    np.save(sys.stdout.buffer, np.array(features.extract(vgg, images, cut="block3", precision="float32")))
"""


def extracting(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", EXTRACT, "x", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def result(process):
    "What a process gave after it was told to go on, and what it said"
    output, said = process.communicate(b"go\n")
    assert process.returncode == 0, said.decode()
    return output.removeprefix(b"ready\n"), said.decode()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    return tmp_path / "features"


def entries(folder):
    return [path.name for path in folder.iterdir() if path.suffix in (".npy", ".part")]


@pytest.mark.skipif(os.name == "nt", reason="limits on files are a matter of POSIX")
def test_two_processes_and_a_full_disk_give_the_same_features(folder):
    both = [extracting(), extracting()]
    for process in both:
        assert process.stdout.readline() == b"ready\n"
    for process in both:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    first, second = (result(process)[0] for process in both)
    assert first == second and len(entries(folder)) == 1
    feature_cache.clear()
    features, said = result(extracting(50_000))
    assert features == first
    assert "could not be kept" in said and "they stay in memory" in said
    assert not entries(folder)


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
