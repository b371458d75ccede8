"""How a backbone is pretrained, as fields; each piece that came later is off unless a recipe turns it on."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Recipe:
    "How a backbone is pretrained"

    sizes: tuple  # (height and width of the images in pixels, epochs) of each part
    peak_rate: float  # learning rate at the end of the warm-up
    batch_size: int = 128
    smallest_crop: float = 0.6  # share of the image's area
    warm_up: float = 0.6  # epochs
    weight_decay: float = 2e-4  # on kernels only
    momentum: float = 0.9  # Nesterov's
    clip_norm: float = 5.0  # of all gradients together
    label_smoothing: float = 0.1
    teacher_weight: float = 6.0  # of 1 − cosine to the teacher's centred features, beside the cross-entropy
    teacher_labels: float = 0.0  # share of the labels that says what the teacher would call the image
    averaging: float = 0.0  # epochs that an average of the weights reaches back; 0: the weights themselves
    mix_up: float = 0.0  # share of the images into which another one is faded
    cut_mix: float = 0.0  # share of the images that have a rectangle of another one
    styles: float = 0.0  # share of the images that are made grey, posterised or edges
    saturation: float = 0.0  # colours get stronger or weaker by at most this share
    turned: float = 0.0  # share of the images that are turned by up to 15 degrees and sheared

    def shortened(self, share):
        "The recipe with this share of its epochs"
        return replace(
            self,
            sizes=tuple((size, epochs * share) for size, epochs in self.sizes),
            warm_up=self.warm_up * share,
            averaging=self.averaging * share,
        )

    def changed(self, values):
        "The recipe with these values in fields, such as `{'averaging': 0.5}`"
        unknown = sorted(set(values) - set(self.__dataclass_fields__))
        if unknown:
            known = ", ".join(self.__dataclass_fields__)
            raise ValueError(f"Expected fields of a recipe, of {known}; {', '.join(unknown)} came.")
        if "sizes" in values:
            values = values | {"sizes": tuple(map(tuple, values["sizes"]))}
        return replace(self, **values)

    def plan(self, images):
        "The size of the images in each step"
        per_epoch = images // self.batch_size
        return np.concatenate([np.full(max(1, round(epochs * per_epoch)), size) for size, epochs in self.sizes])


SHORT = {  # those of the weights that were bundled first
    "ResNet50": Recipe(((32, 5), (48, 3), (64, 2)), peak_rate=0.1),
    "VGG16": Recipe(((32, 5), (48, 3), (64, 1)), peak_rate=0.05, smallest_crop=0.55),
}
LONG = {
    "ResNet50": Recipe(((32, 20), (48, 8), (64, 4)), peak_rate=0.1, warm_up=1.0),
    "VGG16": Recipe(((32, 20), (48, 8), (64, 4)), peak_rate=0.05, smallest_crop=0.55, warm_up=1.0),
}
RECIPES = {"long": LONG, "short": SHORT}
