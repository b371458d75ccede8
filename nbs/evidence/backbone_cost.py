"""What a backbone costs: CPU milliseconds of one core for an image and for a training step, and memory.

Each backbone and image size is measured in a process of its own, with random weights, in float32, on one core: so what
is counted is work, and not how busy the machine was. After a run that is not counted, an image alone and a training
step of the whole network with Adam on 16 images are timed several times (the step only twice), and 32 images at once
show the memory, which is the peak beyond that of TensorFlow itself. At 32 and 96 pixels only inference of the two
backbones is measured that the course has weights for. `--save` writes a row for each run.

    python backbone_cost.py [--runs 5] [--save backbone_cost.csv]
"""

import argparse
import time
from pathlib import Path

import pandas as pd

from tlcourse.backbones import BACKBONES, find_spec
from tlcourse.measuring import in_own_process
from tlcourse.networks.precision import processor

SIZES = {32: False, 64: True, 96: False, 224: True}  # pixels: whether all backbones are measured, and their training

TRAINING_RUNS = 2  # a step of VGG16 at 224 pixels takes half a minute of one core
COUNTED = ["backbone", "image_size", "run", "parameters", "multiply_adds"]
MEASURED = ["latency_ms", "inference_mb", "training_step_ms", "training_mb"]


def peak_mb():
    "The most memory that this process has had (Linux)"
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def cpu_ms(run, times):
    "CPU milliseconds of each run but the first"
    spent = []
    for _ in range(times + 1):
        start = time.process_time()
        run()
        spent.append(1e3 * (time.process_time() - start))
    return spent[1:]


def cost(name, size, training, runs):
    "A row for each run of one backbone at one size"
    import keras
    import numpy as np
    import tensorflow as tf

    from tlcourse.backbones import build
    from tlcourse.networks.inference import inference_function
    from tlcourse.networks.model_cost import multiply_adds

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.ops.convert_to_numpy(keras.ops.ones(3) + 1)
    start = peak_mb()
    model = build(find_spec(name), size)
    run = inference_function(model)
    one, many, few = (np.zeros((count, size, size, 3), np.float32) for count in (1, 32, 16))
    found = {"latency_ms": cpu_ms(lambda: run(one).numpy(), runs)}
    run(many).numpy()
    found["inference_mb"] = peak_mb() - start
    if training:
        classifier = keras.Sequential([model, keras.layers.Dense(10)])
        classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        labels = np.arange(len(few)) % 10
        steps = cpu_ms(lambda: classifier.train_on_batch(few, labels), TRAINING_RUNS)
        found["training_step_ms"] = steps + [float("nan")] * (runs - TRAINING_RUNS)
        found["training_mb"] = peak_mb() - start
    counted = {"parameters": model.count_params(), "multiply_adds": multiply_adds(model)}
    rows = pd.DataFrame(found).rename_axis("run").reset_index()
    return rows.assign(backbone=name, image_size=size, **counted).to_dict("records")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help=f"{TRAINING_RUNS} or more")
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    for size, everything in SIZES.items():
        for spec in BACKBONES.values():
            if everything or spec.course_weights:
                rows += in_own_process(cost, spec.name, size, everything, arguments.runs)
                print({name: f"{value:.4g}" for name, value in rows[-1].items() if name != "backbone"}, spec.name)
    table = pd.DataFrame(rows)[[*COUNTED, *MEASURED]].assign(processor=processor())
    table[MEASURED] = table[MEASURED].map(lambda value: float(f"{value:.4g}"))
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")
    print(table.groupby(["image_size", "backbone"]).mean(numeric_only=True).round(1).to_string())


if __name__ == "__main__":
    main()
