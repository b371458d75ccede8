"""Training steps with oneDNN kernels against TensorFlow's default, as a ratio in one run; tlcourse turns oneDNN on."""

import statistics
import time

from tlcourse.measuring import in_own_process

STEPS, BATCH, SIZE = 4, 16, 64


def seconds_a_step(name):
    "The median time of a training step of the whole network, in seconds"
    import keras
    import numpy as np

    constructor = getattr(keras.applications, name)
    body = constructor(include_top=False, weights=None, pooling="avg", input_shape=(SIZE, SIZE, 3))
    model = keras.Model(body.input, keras.layers.Dense(10, activation="softmax")(body.output))
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(BATCH, SIZE, SIZE, 3)).astype("float32"), rng.integers(0, 10, BATCH)
    model.train_on_batch(images, labels)
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        model.train_on_batch(images, labels)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    for network in ("ResNet50", "VGG16"):
        # off, on, off, on: a slow spell of the machine then falls on both
        pairs = [
            [in_own_process(seconds_a_step, network, TF_ENABLE_ONEDNN_OPTS=onednn) for onednn in "01"] for _ in range(2)
        ]
        ratio = sum(off for off, _ in pairs) / sum(on for _, on in pairs)
        print(f"{network}, {BATCH} images of {SIZE} pixels: a step is {ratio:.2f} times as fast with oneDNN")


if __name__ == "__main__":
    main()
