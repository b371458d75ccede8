"""Whether what is fast is as good: test accuracy of the fast path and of plain Keras, on the same seeds.

A head first, then the top stage with it, on images of textures. The fast path folds BatchNorm, trains on cached
features and computes in bfloat16 where this machine gains from it; plain Keras calls `fit` on the whole model with the
layers below frozen. Both start with the same weights and see the images in the same order.

    python benchmarks/accuracy.py [--seeds 5] [--images-per-class 20] [--size 64]
"""

import argparse
import os
import tempfile

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()

from tlcourse import backbones, data, demo, evaluation, fine_tuning  # noqa: E402
from tlcourse.datasets.batch_order import BatchOrder  # noqa: E402
from tlcourse.networks import precision  # noqa: E402

BATCH = 16


def plain_fit(model, splits, phases, seed):
    "What plain Keras does with the same phases"
    import keras

    order = BatchOrder(len(splits.train), BATCH, shuffle=True, seed=seed)
    size = model.input_shape[1]
    for phase in phases:
        fine_tuning.freeze_below(model, fine_tuning.boundary(model, phase.train))
        model.compile(keras.optimizers.Adam(phase.learning_rate), "sparse_categorical_crossentropy")
        for _ in range(phase.epochs):
            model.fit(splits.train.to_dataset(size, order=order), shuffle=False, verbose=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=20)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    gains = not precision.imitates_bfloat16()
    gains = gains and precision.gain_of_bfloat16(precision.convolution) >= precision.GAIN
    kind = "bfloat16" if gains else "float32"
    print(f"processor {precision.processor()}; the fast path computes in {kind}")
    images = data.load("textures")
    for name in ("ResNet50", "VGG16"):
        differences = []
        for seed in range(arguments.seeds):
            splits = demo.few_images(images, arguments.images_per_class, seed)
            backbone = backbones.load_backbone(name, "course", arguments.size)
            top = list(backbone.cut_points)[-1]
            phases = [fine_tuning.Phase("head", 4, 1e-2), fine_tuning.Phase(top, 4, 1e-4)]
            accuracy = []
            for fast in (True, False):
                model = fine_tuning.build_classifier(backbone, images.class_names, seed=seed)
                if fast:
                    options = {"precision": kind, "fold": True, "restore_best": False}
                    fine_tuning.fine_tune(model, splits, phases, batch_size=BATCH, seed=seed, **options)
                else:
                    plain_fit(model, splits, phases, seed)
                accuracy.append(100 * evaluation.evaluate(model, splits.test).accuracy)
            differences.append(accuracy[0] - accuracy[1])
            print(f"{name}, seed {seed}: fast {accuracy[0]:.1f} %, plain {accuracy[1]:.1f} %", flush=True)
        mean = sum(differences) / len(differences)
        print(f"{name}: the fast path is {mean:+.2f} points from plain Keras, mean of {len(differences)} seeds")


if __name__ == "__main__":
    main()
