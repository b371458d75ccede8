"""A step of pretraining with the fast layers of tools/pretraining against one with Keras's own, as a ratio in one run.

Each step is the recipe's from pixels on: what is drawn of them, its batch, its optimizer, both losses, bfloat16 where
that is faster. The two take turns.

    python benchmarks/pretraining_step.py [--backbones VGG16 ResNet50] [--sizes 32 48 64] [--steps 4]
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from tlcourse.measuring import in_own_process

sys.path.append(str(Path(__file__).parents[1] / "tools"))


def seconds_a_step(name, size, layers, steps):
    "The median time of a step in seconds, and how many images it has"
    import keras
    import numpy as np
    import pretrain
    from pretraining import augmentation, networks
    from pretraining.recipes import LONG

    from tlcourse.backbones import find_spec

    if layers == "keras":
        networks.fast = lambda layer: layer.__class__.from_config(layer.get_config())
    keras.config.set_dtype_policy("mixed_bfloat16" if pretrain.computes_in("auto") == "bfloat16" else "float32")
    recipe, rng, spec = LONG[name], np.random.default_rng(0), find_spec(name)
    network = networks.trainable_network(spec, 180, 1280, 0)
    model = networks.training_model(network, pretrain.preprocessing_of(spec))
    pretrain.compile_for(model, network, recipe, 1000, 700)
    pixels = rng.integers(0, 256, (recipe.batch_size, 64, 64, 3), dtype=np.uint8)
    targets = {
        "classes": np.eye(180, dtype="float32")[rng.integers(0, 180, recipe.batch_size)],
        "teacher": rng.normal(size=(recipe.batch_size, 1280)).astype("float32"),
    }
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        drawn = augmentation.draw(rng, recipe.batch_size, size, recipe)
        drawn["pixels"] = augmentation.turned(pixels, rng, recipe.turned) if recipe.turned else pixels
        model.train_on_batch(drawn, {name: augmentation.mixed(values, drawn) for name, values in targets.items()})
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:]), recipe.batch_size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=["VGG16", "ResNet50"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 48, 64])
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    for name in options.backbones:
        for size in options.sizes:
            # one, the other, the other, the one: a slow spell of the machine then falls on both
            kinds = ("keras", "fast", "fast", "keras")
            found = [(kind, *in_own_process(seconds_a_step, name, size, kind, options.steps)) for kind in kinds]
            plain, fast = (sum(seconds for kind, seconds, _ in found if kind == chosen) / 2 for chosen in kinds[:2])
            rate, ratio = found[0][2] / fast, plain / fast
            print(
                f"{name:8} at {size} pixels: {rate:.0f} images a second, {ratio:.2f} times Keras's layers", flush=True
            )


if __name__ == "__main__":
    main()
