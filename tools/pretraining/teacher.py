"""The network whose features a backbone learns beside the classes."""

import hashlib
from dataclasses import replace
from pathlib import Path

from tlcourse.backbones import load_backbone


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
