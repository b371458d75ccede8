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
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from pretraining import augmentation, networks
from pretraining.averaging import averaged, optimizer_of
from pretraining.recipes import LONG, RECIPES
from pretraining.source import Source, order_of
from pretraining.teacher import described, teacher_of

from tlcourse.backbones import find_spec, load_backbone, preprocessing_module
from tlcourse.networks import precision
from tlcourse.training.checkpoints import load_state, save_state

JUDGED_AT = 64  # pixels, of the held-out images
JUDGED = "held-out accuracy"


class AnotherRun(ValueError):
    "The folder holds the state of a run that this one cannot go on from"


def compile_for(model, network, recipe, steps, per_epoch):
    "Set optimizer and losses of the model that trains this network"
    import keras

    warm_up = max(1, round(recipe.warm_up * per_epoch))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), 0.0, warmup_target=recipe.peak_rate, warmup_steps=warm_up
    )
    losses = {"classes": keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)}
    # Keras's cosine loss is minus the cosine; the constant changes no gradient
    if "teacher" in network.output:
        losses["teacher"] = keras.losses.CosineSimilarity()
    weights = {name: recipe.teacher_weight if name == "teacher" else 1.0 for name in losses}
    optimizer = optimizer_of(recipe, rate, per_epoch)
    model.compile(optimizer, loss=losses, loss_weights=weights, metrics={"classes": ["accuracy"]})
    optimizer.build(network.trainable_variables)


def preprocessing_of(spec):
    "What keras.applications does with pixels before the network"
    import keras

    return getattr(keras.applications, preprocessing_module(spec)).preprocess_input


def step(source, recipe, sizes, number, order, teacher, seed):
    "What `augmentation.shown` takes and the targets of a step; both depend on its number and the seed alone"
    place, rng = number % (len(source.train) // recipe.batch_size), np.random.default_rng([seed, 1, number])
    chosen = np.sort(order[place * recipe.batch_size : (place + 1) * recipe.batch_size])
    drawn = augmentation.draw(rng, len(chosen), int(sizes[number]), recipe)
    pixels = source.pixels[chosen]
    drawn["pixels"] = augmentation.turned(pixels, rng, recipe.turned) if recipe.turned else pixels
    targets = {"classes": np.eye(len(source.classes), dtype=np.float32)[source.labels[chosen]]}
    if teacher is not None:
        if recipe.teacher_labels:
            opinions = teacher.opinions[chosen].astype(np.float32)
            targets["classes"] += recipe.teacher_labels * (opinions - targets["classes"])
        targets["teacher"] = teacher.features[chosen].astype(np.float32)
    # pooled features are means over places: those of a mixed image are about the mixed ones
    return drawn, {name: augmentation.mixed(values, drawn) for name, values in targets.items()}


def steps_of(source, recipe, sizes, first, last, teacher, seed):
    "The steps from `first` to before `last`, for `fit`"
    import keras

    per_epoch = len(source.train) // recipe.batch_size
    orders = {epoch: order_of(source, epoch, seed) for epoch in range(first // per_epoch, (last - 1) // per_epoch + 1)}

    class Steps(keras.utils.PyDataset):
        def __len__(self):
            return last - first

        def __getitem__(self, number):
            number += first
            return step(source, recipe, sizes, number, orders[number // per_epoch], teacher, seed)

    workers = 12 if has_accelerator() else 2
    return Steps(workers=workers, max_queue_size=4 * workers)


def batches_for_statistics(source, recipe, spec, seed, number=10):
    "Preprocessed batches of 64 pixels, cropped and lit as in training but neither drawn nor mixed"
    plain = replace(recipe, styles=0.0, turned=0.0, mix_up=0.0, cut_mix=0.0)
    sizes, order = np.full(number, JUDGED_AT), order_of(source, 0, seed)
    for place in range(min(number, len(source.train) // recipe.batch_size)):
        drawn, _ = step(source, plain, sizes, place, order, None, seed)
        yield preprocessing_of(spec)(augmentation.shown(drawn))


def held_out_accuracy(network, source, spec):
    "Share of the held-out images whose class the network names, at 64 pixels"
    images = preprocessing_of(spec)(source.pixels[source.held_out].astype(np.float32))
    predicted = network.predict(images, verbose=0, batch_size=100)
    return float((predicted["classes"].argmax(axis=1) == source.labels[source.held_out]).mean())


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


def arrays_of(network):
    "The weights by name"
    return {f"model/{number}": np.array(value) for number, value in enumerate(network.get_weights())}


def state_of(network, optimizer):
    "Everything that the next step depends on, by name"
    import keras

    values = [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in optimizer.variables]
    return arrays_of(network) | {f"optimizer/{number}": value for number, value in enumerate(values)}


def restore(arrays, network, optimizer=None):
    "Put saved weights back, and a saved state of the optimizer"
    network.set_weights([arrays[f"model/{number}"] for number in range(len(network.weights))])
    for number, variable in enumerate(optimizer.variables if optimizer else []):
        variable.assign(arrays[f"optimizer/{number}"])


def train(network, source, recipe, spec, teacher, folder, seed, every, saved):
    """Train to the end of the recipe from a saved state, if there is one; the network ends as it was best

    A state is written after every so many steps. The held-out images are judged at every fifth state, and where the
    size of the images changes.
    """
    import keras

    sizes, per_epoch = recipe.plan(len(source.train)), len(source.train) // recipe.batch_size
    model = networks.training_model(network, preprocessing_of(spec))
    compile_for(model, network, recipe, len(sizes), per_epoch)
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
        "teacher": teacher and teacher.name,
    }
    identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    if saved:
        arrays, facts = saved
        if facts["identity"] != identity:
            message = "holds a run of another recipe, seed, source, teacher, precision or backend"
            raise AnotherRun(f"{folder} {message}; give another folder, or remove that one.")
        restore(arrays, network, model.optimizer)
        done, seconds, log = facts["done"], facts["seconds"], facts["log"]
        print(f"goes on from step {done} of {len(sizes)}", flush=True)
    while done < len(sizes):
        # a piece ends where the size of the images changes
        last = min(done + every, len(sizes))
        last = done + int(np.argmax(sizes[done:last] != sizes[done]) or last - done)
        start = time.perf_counter()
        if not log or log[-1]["size"] != sizes[done]:
            model.make_train_function(force=True)  # for maps of a known size: see fast_layers
        history = model.fit(steps_of(source, recipe, sizes, done, last, teacher, seed), shuffle=False, verbose=0)
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
                f"The loss is {log[-1]['loss']} at step {done}; try a lower peak_rate (--set); the last state stays"
            )
        facts = {"identity": identity, "kind": kind, "done": done, "seconds": seconds, "log": log}
        if done == len(sizes) or sizes[done] != size or len(log) % 5 == 0:
            best = best_of(log)
            with averaged(network, model.optimizer, batches_for_statistics(source, recipe, spec, seed)):
                log[-1][JUDGED] = held_out_accuracy(network, source, spec)
                if best is None or log[-1][JUDGED] >= best[JUDGED]:
                    save_state(folder / "best", arrays_of(network), facts)
        print(" · ".join(f"{name} {value:.4g}" for name, value in log[-1].items()), flush=True)
        save_state(folder / "state", state_of(network, model.optimizer), facts)
    arrays, facts = load_state(folder / "best") or (None, None)
    if not arrays or facts["log"][-1]["step"] != best_of(log)["step"] or facts["identity"] != identity:
        raise AnotherRun(f"{folder / 'best'} does not hold what was best in this run; remove {folder} and run again.")
    restore(arrays, network)
    return log


def best_of(log):
    "The row with the highest held-out accuracy, of equal ones the last; None where no row has one"
    return max(reversed([row for row in log if JUDGED in row]), key=lambda row: row[JUDGED], default=None)


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
        JUDGED: best_of(log)[JUDGED],
        "best at step": best_of(log)["step"],
        "computed in": kind,
        "difference of the file from the trained network": difference,
        "processor": precision.processor(),
        "backend": keras.backend.backend(),
        "versions": {name: import_module(name).__version__ for name in (keras.backend.backend(), "keras", "numpy")},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone", choices=list(LONG))
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
    parser.add_argument("--recipe", choices=list(RECIPES), default="long", help="default: long")
    parser.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="FIELD=VALUE",
        help="other values of the recipe, as JSON, such as averaging=0.5 'sizes=[[32, 1]]'",
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
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not 0 < arguments.share <= 100:
        parser.error(f"--share wants a number above 0, such as 0.1; {arguments.share} came")

    import keras

    spec = find_spec(arguments.backbone)
    shared = arguments.pixels or arguments.out
    try:
        changes = dict(pair.split("=", 1) for pair in arguments.set)
        recipe = RECIPES[arguments.recipe][spec.name]
        recipe = recipe.changed({name: json.loads(value) for name, value in changes.items()}).shortened(arguments.share)
        source = Source(arguments.source, shared, arguments.leave_out, arguments.limit)
    except ValueError as error:
        parser.error(str(error))
    if len(source.train) < recipe.batch_size:
        taken = f"a step takes {recipe.batch_size} images, and there are {len(source.train)}"
        parser.error(f"{taken}; make it smaller with --set batch_size=N")
    try:
        teacher = None
        if arguments.teacher:
            teacher = teacher_of(source, arguments.teacher, shared, with_opinions=recipe.teacher_labels > 0)
    except ValueError as error:
        parser.error(str(error))
    saved = load_state(arguments.out / "state")
    kind = computes_in(arguments.precision, saved)
    keras.config.set_dtype_policy("mixed_bfloat16" if kind == "bfloat16" else "float32")
    print(
        f"{spec.name}: {len(source.train)} images of {len(source.classes)} classes, {kind}, {precision.processor()}",
        flush=True,
    )
    network = networks.trainable_network(
        spec, len(source.classes), 0 if teacher is None else teacher.features.shape[1], arguments.seed
    )
    try:
        log = train(network, source, recipe, spec, teacher, arguments.out, arguments.seed, arguments.every, saved)
    except AnotherRun as error:
        parser.error(str(error))
    path = arguments.out / f"{spec.name.lower()}_course64.weights.h5"
    networks.write_float16(networks.finished(network, spec), path)
    keras.config.set_dtype_policy("float32")  # the file is read as the course reads it
    difference = networks.largest_difference(network, load_backbone(spec.name, str(path), 64).model)
    facts = card(spec, recipe, source, log, arguments.teacher, kind, arguments.seed, path, difference)
    (arguments.out / f"{spec.name.lower()}_card.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: held-out accuracy {best_of(log)[JUDGED]:.1%}, {difference:.1e} from the trained network")


if __name__ == "__main__":
    main()
