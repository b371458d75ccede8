"""The network whose features a backbone learns beside the classes, and what that network would call each image."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tlcourse.backbones import load_backbone


@dataclass(frozen=True)
class Teacher:
    "What is known of each image of the source"

    name: str  # of what it was computed from: the same on every machine
    features: np.ndarray  # centred and pooled, float16, shape (images, channels)
    opinions: np.ndarray | None = None  # probabilities of the classes, float16, shape (images, classes)


def kept_in(path, compute):
    "The array in this file, which is computed and written if it is missing"
    if not path.is_file():
        part = path.with_suffix(".part.npy")
        np.save(part, compute())
        part.replace(path)
    return np.load(path, mmap_mode="r")


def teacher_of(source, weights, folder, with_opinions=False):
    "Features of MobileNetV2 for every image, and opinions if asked for; each kept in a file of the folder"
    backbone = teacher_network(weights, 128)
    # of these images by these weights: another source or teacher has another file
    known = hashlib.sha256(json.dumps(source.came_from, sort_keys=True).encode())
    for value in backbone.model.get_weights():
        known.update(value.tobytes())
    name = known.hexdigest()[:16]
    features = kept_in(folder / f"teacher-{name}.npy", lambda: features_of(source.pixels, backbone))
    if not with_opinions:
        return Teacher(name, features)
    known.update(source.train.tobytes() + source.labels[source.train].tobytes())
    path = folder / f"opinions-{known.hexdigest()[:16]}.npy"
    return Teacher(name, features, kept_in(path, lambda: opinions_of(features, source)))


def features_of(pixels, backbone):
    "Pooled features of each image, seen at 128 pixels, less their mean"
    parts = []
    for start in range(0, len(pixels), 256):
        images = pixels[start : start + 256].astype(np.float32).repeat(2, axis=1).repeat(2, axis=2)
        parts.append(backbone.model.predict_on_batch(backbone.preprocess(images)))
    features = np.concatenate(parts)
    return (features - features.mean(axis=0)).astype(np.float16)


def opinions_of(features, source, epochs=6, batch_size=256):
    "Probabilities by a linear layer on the features; one fitted to one half of the training images judges the other"
    import keras

    features = np.asarray(features, np.float32) / np.std(features[source.train], dtype=np.float32)
    found = np.empty((len(features), len(source.classes)), np.float16)
    half = np.arange(len(features)) % 2
    for judged in (0, 1):
        keras.utils.set_random_seed(judged)
        dense = keras.layers.Dense(len(source.classes), "softmax", kernel_initializer="zeros")
        layer = keras.Sequential([keras.Input(features.shape[1:]), dense])
        layer.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        fitted = source.train[half[source.train] != judged]
        layer.fit(features[fitted], source.labels[fitted], batch_size=batch_size, epochs=epochs, verbose=0)
        found[half == judged] = layer.predict(features[half == judged], batch_size=1024, verbose=0)
    return found


def teacher_network(weights, size):
    "MobileNetV2 without its top, with the weights of ImageNet, of a file, or of a whole model in a file"
    found = layers_of_whole_model(weights) if weights != "imagenet" else {}
    if not found:
        return load_backbone("MobileNetV2", weights, size)
    backbone = load_backbone("MobileNetV2", None, size)
    for layer in backbone.model.layers:
        known = found.get(layer.name, {})
        missing = [weight.name for weight in layer.weights if weight.name not in known]
        if missing:
            expected = "the layers of MobileNetV2 as Keras 3 names them"
            raise ValueError(f"Expected a model with {expected}; {weights} has no {missing[0]} of {layer.name}.")
        layer.set_weights([known[weight.name] for weight in layer.weights])
    return replace(backbone, weights=str(weights))


def described(weights):
    "Which network and which weights, for a card"
    if weights == "imagenet":
        return "MobileNetV2 of ImageNet"
    return f"MobileNetV2 of the file with SHA-256 {hashlib.sha256(Path(weights).read_bytes()).hexdigest()}"


def layers_of_whole_model(path):
    "The weights by layer and name in an HDF5 file that `model.save` wrote, also of a network that is one of its layers"
    import h5py

    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            *_, layer, weight = name.split("/")
            found.setdefault(layer, {})[weight.removesuffix(":0")] = item[()]

    if Path(path).is_file() and h5py.is_hdf5(path):
        with h5py.File(path) as file:
            if "model_weights" in file:
                file["model_weights"].visititems(note)
    return found
