"""Source images for pretraining: read once, kept as pixels."""

import hashlib
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from pretraining.augmentation import SIDE

HELD_OUT = 50  # of how many images of a class one is not trained on


def shard_files(folder):
    "Each image's file and its class, from shards `source_*.npz`: `bytes`, `offsets` and `labels`"
    names = [entry["wnid"] for entry in json.loads((folder / "classes.json").read_text(encoding="utf-8"))]
    for path in sorted(folder.glob("source_*.npz")):
        with np.load(path) as shard:
            data, offsets, labels = shard["bytes"], shard["offsets"], shard["labels"]
        for start, end, label in zip(offsets[:-1], offsets[1:], labels, strict=True):
            yield data[start:end].tobytes(), names[label]


def archive_files(path):
    "Each image's file and its class, from the official `tiny-imagenet-200.zip`, training part"
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            parts = name.split("/")
            if len(parts) == 5 and parts[1] == "train" and name.endswith(".JPEG"):
                yield archive.read(name), parts[2]


class Source:
    "Images of Tiny ImageNet as pixels, shape (n, 64, 64, 3), with labels; decoded once into a file under `folder`"

    def __init__(self, where, folder, leave_out=(), limit=None):
        where, self.folder = Path(where), Path(folder)
        if not (where.is_file() or list(where.glob("source_*.npz"))):
            message = f"Expected tiny-imagenet-200.zip or a folder of source_*.npz; there is neither at {where}."
            raise ValueError(message)
        self.pixels, names = self.decoded(where)
        classes = sorted(set(names))
        unknown = sorted(set(leave_out) - set(classes))
        if unknown:
            came = ", ".join(unknown)
            raise ValueError(f"Expected WordNet ids of classes of the source, such as {classes[0]}; {came} came.")
        self.classes = [name for name in classes if name not in set(leave_out)]
        number = {name: label for label, name in enumerate(self.classes)}
        labels = np.array([number.get(name, -1) for name in names])
        # the first image of each fifty of a class is held out, whatever is left out: the same for each network
        place = np.zeros(len(labels), int)
        for label in range(len(self.classes)):
            of_class = np.flatnonzero(labels == label)
            place[of_class] = np.arange(len(of_class))
        self.labels = labels
        few = place < (len(labels) if limit is None else limit)
        self.train = np.flatnonzero((labels >= 0) & few & (place % HELD_OUT > 0))
        self.held_out = np.flatnonzero((labels >= 0) & (place % HELD_OUT == 0))

    def decoded(self, where):
        "The pixels of all images, and the class of each"
        target, facts = self.folder / "pixels.npy", self.folder / "pixels.json"
        self.came_from = fingerprint(where)
        if facts.is_file() and target.is_file():
            known = json.loads(facts.read_text(encoding="utf-8"))
            if known["source"] == self.came_from:
                return np.load(target, mmap_mode="r"), known["classes"]
        self.folder.mkdir(parents=True, exist_ok=True)
        files, names = zip(*(archive_files(where) if where.is_file() else shard_files(where)), strict=True)
        facts.unlink(missing_ok=True)  # until the pixels are whole
        pixels = np.lib.format.open_memmap(target, "w+", np.uint8, (len(files), SIDE, SIDE, 3))

        def decode(number):
            with Image.open(io.BytesIO(files[number])) as image:
                pixels[number] = np.asarray(image.convert("RGB"))

        with ThreadPoolExecutor() as pool:
            list(pool.map(decode, range(len(files))))
        pixels.flush()
        facts.write_text(json.dumps({"source": self.came_from, "classes": names}), encoding="utf-8")
        return np.load(target, mmap_mode="r"), list(names)


def fingerprint(where):
    "The SHA-256 of each file of the source"
    paths = [where] if where.is_file() else [where / "classes.json", *sorted(where.glob("source_*.npz"))]
    found = {}
    for path in paths:
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def order_of(source, epoch, seed):
    "The training images in the order in which an epoch sees them"
    return np.random.default_rng([seed, 0, epoch]).permutation(source.train)
