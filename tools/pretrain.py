"""Pretrain a backbone of the course on Tiny ImageNet and write its weights, with a card that says how they were made.

The source is the official tiny-imagenet-200.zip or a folder of shards. The run goes on where it was killed: the same
command again. It computes with the Keras backend that KERAS_BACKEND names (tensorflow, jax, torch), on a GPU where that
finds one.

    python tools/pretrain.py ResNet50 --source tiny-imagenet-200.zip --out run [--share 0.1] [--leave-out WNID ...]
"""

import argparse
import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from pretraining import networks
from pretraining.source import Source, crops, order_of
from pretraining.teacher import described, teacher_network

from tlcourse.backbones import find_spec, load_backbone, preprocessing_module
from tlcourse.networks import precision
from tlcourse.training.checkpoints import load_state, save_state


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

    def shortened(self, share):
        "The recipe with this share of its epochs"
        return replace(
            self, sizes=tuple((size, epochs * share) for size, epochs in self.sizes), warm_up=self.warm_up * share
        )


RECIPES = {
    "ResNet50": Recipe(((32, 5), (48, 3), (64, 2)), peak_rate=0.1),
    "VGG16": Recipe(((32, 5), (48, 3), (64, 1)), peak_rate=0.05, smallest_crop=0.55),
}


class AnotherRun(ValueError):
    "The folder holds the state of a run that this one cannot go on from"


def plan(recipe, images):
    "The size of the images in each step"
    per_epoch = images // recipe.batch_size
    return np.concatenate([np.full(max(1, round(epochs * per_epoch)), size) for size, epochs in recipe.sizes])


def compile_for(model, recipe, steps, per_epoch):
    "Set optimizer and losses"
    import keras

    warm_up = max(1, round(recipe.warm_up * per_epoch))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), 0.0, warmup_target=recipe.peak_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.SGD(
        rate, recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    losses = {"classes": keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)}
    # Keras's cosine loss is minus the cosine; the constant changes no gradient
    if "teacher" in model.output:
        losses["teacher"] = keras.losses.CosineSimilarity()
    weights = {name: recipe.teacher_weight if name == "teacher" else 1.0 for name in losses}
    model.compile(optimizer, loss=losses, loss_weights=weights, metrics={"classes": ["accuracy"]})


def steps_of(source, recipe, sizes, first, last, spec, teacher, seed):
    "The steps from `first` to before `last`, for `fit`; what one sees depends on its number and the seed alone"
    import keras

    preprocess = getattr(keras.applications, preprocessing_module(spec)).preprocess_input
    per_epoch = len(source.train) // recipe.batch_size
    orders = {epoch: order_of(source, epoch, seed) for epoch in range(first // per_epoch, (last - 1) // per_epoch + 1)}
    one_hot = np.eye(len(source.classes), dtype=np.float32)

    class Steps(keras.utils.PyDataset):
        def __len__(self):
            return last - first

        def __getitem__(self, number):
            epoch, place = divmod(first + number, per_epoch)
            chosen = np.sort(orders[epoch][place * recipe.batch_size : (place + 1) * recipe.batch_size])
            rng = np.random.default_rng([seed, 1, first + number])
            images = crops(source.pixels[chosen], int(sizes[first + number]), rng, recipe.smallest_crop)
            targets = {"classes": one_hot[source.labels[chosen]]}
            if teacher is not None:
                targets["teacher"] = teacher[chosen].astype(np.float32)
            return preprocess(images), targets

    return Steps(workers=2, max_queue_size=8)


def teacher_features(source, weights, folder):
    "Centred pooled features of MobileNetV2 for every image, seen at 128 pixels, float16, kept in a file"
    backbone = teacher_network(weights, 128)
    # of these images by these weights: another source or teacher has another file
    known = hashlib.sha256(json.dumps(source.came_from, sort_keys=True).encode())
    for value in backbone.model.get_weights():
        known.update(value.tobytes())
    path = folder / f"teacher-{known.hexdigest()[:16]}.npy"
    if path.is_file():
        return np.load(path, mmap_mode="r")
    parts = []
    for start in range(0, len(source.pixels), 256):
        images = source.pixels[start : start + 256].astype(np.float32).repeat(2, axis=1).repeat(2, axis=2)
        parts.append(backbone.model.predict_on_batch(backbone.preprocess(images)))
    features = np.concatenate(parts)
    features = (features - features.mean(axis=0)).astype(np.float16)
    part = path.with_suffix(".part.npy")
    np.save(part, features)
    part.replace(path)
    return features


def held_out_accuracy(model, source, spec, size, images=2000):
    "Share of the held-out images whose class the model names, at this size"
    import keras

    chosen = source.held_out[:: max(1, len(source.held_out) // images)]
    pixels = keras.ops.convert_to_numpy(
        keras.ops.image.resize(source.pixels[chosen].astype(np.float32), (size, size), antialias=True)
    )
    predicted = model.predict(
        getattr(keras.applications, preprocessing_module(spec)).preprocess_input(np.array(pixels)),
        verbose=0,
        batch_size=100,
    )
    return float((predicted["classes"].argmax(axis=1) == source.labels[chosen]).mean())


def computes_in(asked, saved=None):
    "The kind of numbers for the run: bfloat16 on an accelerator and where this processor is faster in it"
    if asked != "auto":
        return asked
    if saved:  # what is timed can come out otherwise the next time: a run keeps what it began with
        return saved[1]["kind"]
    if has_accelerator():
        return "bfloat16"
    fast = not precision.imitates_bfloat16() and precision.gain_of_bfloat16(convolution) >= precision.GAIN
    return "bfloat16" if fast else "float32"


def has_accelerator():
    "Whether the backend of Keras computes on something else than the processor"
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def convolution(kind):
    "A convolution that the backend of Keras runs, for `networks.precision.gain_of_bfloat16`"
    from keras import ops, random

    images, kernel = (
        ops.cast(random.normal(shape, seed=0, dtype="float32"), kind) for shape in ((32, 32, 32, 64), (3, 3, 64, 64))
    )
    return lambda: ops.convert_to_numpy(ops.cast(ops.conv(images, kernel, 1, "same"), "float32"))


def state_of(model):
    "Everything that the next step depends on, by name"
    import keras

    named = {f"model/{number}": value for number, value in enumerate(model.get_weights())}
    optimizer = [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in model.optimizer.variables]
    return named | {f"optimizer/{number}": value for number, value in enumerate(optimizer)}


def restore(model, arrays):
    "Put a saved state back"
    model.set_weights([arrays[f"model/{number}"] for number in range(len(model.weights))])
    model.optimizer.build(model.trainable_variables)
    for number, variable in enumerate(model.optimizer.variables):
        variable.assign(arrays[f"optimizer/{number}"])


def train(model, source, recipe, spec, teacher, folder, seed, every, saved):
    "Train to the end of the recipe from a saved state, if there is one; a state is written after every so many steps"
    import keras

    sizes = plan(recipe, len(source.train))
    per_epoch = len(source.train) // recipe.batch_size
    compile_for(model, recipe, len(sizes), per_epoch)
    model.optimizer.build(model.trainable_variables)
    done, seconds, log = 0, 0.0, []
    kind = keras.config.dtype_policy().compute_dtype
    identity = {
        "recipe": asdict(recipe),
        "seed": seed,
        "backbone": spec.name,
        "classes": source.classes,
        "images": len(source.train),
        "source": source.came_from,
        "computed in": kind,
        "backend": keras.backend.backend(),
        "teacher": None if teacher is None else hashlib.sha256(teacher[:100].tobytes()).hexdigest(),
    }
    identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    if saved:
        arrays, facts = saved
        if facts["identity"] != identity:
            message = "holds a run of another recipe, seed, source, teacher, precision or backend"
            raise AnotherRun(f"{folder} {message}; give another folder, or remove that one.")
        restore(model, arrays)
        done, seconds, log = facts["done"], facts["seconds"], facts["log"]
        print(f"goes on from step {done} of {len(sizes)}", flush=True)
    while done < len(sizes):
        # a piece ends where the size of the images changes
        last = min(done + every, len(sizes))
        last = done + int(np.argmax(sizes[done:last] != sizes[done]) or last - done)
        start = time.perf_counter()
        if not log or log[-1]["size"] != sizes[done]:
            model.make_train_function(force=True)  # for maps of a known size: see fast_layers
        history = model.fit(steps_of(source, recipe, sizes, done, last, spec, teacher, seed), shuffle=False, verbose=0)
        seconds += time.perf_counter() - start
        size = int(sizes[done])
        done = last
        accuracy = history.history.get("classes_accuracy", history.history.get("accuracy"))[-1]
        log.append(
            {
                "step": done,
                "size": size,
                "loss": history.history["loss"][-1],
                "accuracy": accuracy,
                "seconds": round(seconds, 1),
            }
        )
        if not math.isfinite(log[-1]["loss"]):
            raise FloatingPointError(
                f"The loss is {log[-1]['loss']} at step {done}; try a lower peak_rate in RECIPES; the last state stays"
            )
        if done == len(sizes) or sizes[done] != size or len(log) % 5 == 0:
            log[-1]["held-out accuracy"] = held_out_accuracy(model, source, spec, size)
        print(" · ".join(f"{name} {value:.4g}" for name, value in log[-1].items()), flush=True)
        facts = {"identity": identity, "kind": kind, "done": done, "seconds": seconds, "log": log}
        save_state(folder / "state", state_of(model), facts)
    return log


def card(spec, recipe, source, log, teacher, kind, seed, path, difference):
    "What must be known of the weights, as JSON"
    import keras

    return {
        "backbone": spec.name,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": f"Tiny ImageNet, {len(source.train)} images of {len(source.classes)} classes",
        "classes": source.classes,
        "recipe": asdict(recipe) | {"teacher": teacher and f"{described(teacher)} at 128 pixels"},
        "seed": seed,
        "log": log,
        "seconds": log[-1]["seconds"],
        "training accuracy": log[-1]["accuracy"],
        "held-out accuracy": log[-1]["held-out accuracy"],
        "computed in": kind,
        "difference of the file from the trained network": difference,
        "processor": precision.processor(),
        "backend": keras.backend.backend(),
        "versions": {name: import_module(name).__version__ for name in (keras.backend.backend(), "keras", "numpy")},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone", choices=list(RECIPES))
    parser.add_argument(
        "--source", required=True, help="tiny-imagenet-200.zip, or a folder of source_*.npz and classes.json"
    )
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for the state, the log, the weights and the card"
    )
    parser.add_argument(
        "--pixels",
        type=Path,
        help="folder for decoded images and teacher's features; runs may share it (default: --out)",
    )
    parser.add_argument("--share", type=float, default=1.0, help="share of the recipe's epochs (default 1)")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="WNID", help="classes that are not trained on")
    parser.add_argument("--limit", type=int, help="at most so many images of a class: for trying the script out")
    parser.add_argument(
        "--teacher",
        help="weights of MobileNetV2: 'imagenet' (downloaded), a file without the top, or the .h5 file of a whole "
        "model that has the network in it; without it nothing is distilled",
    )
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--every", type=int, default=200, help="steps between two states on disk (default 200)")
    parser.add_argument("--batch-size", type=int, help="images a step (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not 0 < arguments.share <= 100:
        parser.error(f"--share wants a number above 0, such as 0.1; {arguments.share} came")

    import keras

    spec = find_spec(arguments.backbone)
    recipe = RECIPES[spec.name].shortened(arguments.share)
    if arguments.batch_size:
        recipe = replace(recipe, batch_size=arguments.batch_size)
    shared = arguments.pixels or arguments.out
    try:
        source = Source(arguments.source, shared, arguments.leave_out, arguments.limit)
    except ValueError as error:
        parser.error(str(error))
    if len(source.train) < recipe.batch_size:
        parser.error(
            f"a step takes {recipe.batch_size} images, and there are {len(source.train)}; give a smaller --batch-size"
        )
    try:
        teacher = teacher_features(source, arguments.teacher, shared) if arguments.teacher else None
    except ValueError as error:
        parser.error(str(error))
    saved = load_state(arguments.out / "state")
    kind = computes_in(arguments.precision, saved)
    keras.config.set_dtype_policy("mixed_bfloat16" if kind == "bfloat16" else "float32")
    print(
        f"{spec.name}: {len(source.train)} images of {len(source.classes)} classes, {kind}, {precision.processor()}",
        flush=True,
    )
    model = networks.trainable_network(
        spec, len(source.classes), 0 if teacher is None else teacher.shape[1], arguments.seed
    )
    try:
        log = train(model, source, recipe, spec, teacher, arguments.out, arguments.seed, arguments.every, saved)
    except AnotherRun as error:
        parser.error(str(error))
    path = arguments.out / f"{spec.name.lower()}_course64.weights.h5"
    networks.write_float16(networks.finished(model, spec), path)
    keras.config.set_dtype_policy("float32")  # the file is read as the course reads it
    difference = networks.largest_difference(model, load_backbone(spec.name, str(path), 64).model)
    facts = card(spec, recipe, source, log, arguments.teacher, kind, arguments.seed, path, difference)
    (arguments.out / f"{spec.name.lower()}_card.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: held-out accuracy {log[-1]['held-out accuracy']:.1%}, {difference:.1e} from the trained network")


if __name__ == "__main__":
    main()
