"""What is left of fine-tuning where weights are kept in bfloat16: how many move, and the training loss, over seeds.

The top stage of VGG16 trains for five epochs at a rate of 0.00001, once with its weights in float32 and once with
weights that are rounded to bfloat16 after each step; everything is computed in float32. A seed decides images, head and
order. One row a seed and way to keep the weights.

    python rounded_weights.py [--seeds 5] [--images-per-class 7] [--epochs 5] [--rate 1e-5]
        [--save rounded_weights.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks.precision import processor


def measure(seed, images_per_class, epochs, rate):
    "Percent of the weights that end elsewhere than they began, and the training loss of the last epoch"
    import keras
    import numpy as np
    import tensorflow as tf

    from tlcourse import backbones, data, fine_tuning
    from tlcourse.splitting import Splits

    def rounded(weight):
        return tf.cast(tf.cast(tf.convert_to_tensor(weight), tf.bfloat16), tf.float32)

    class RoundedWeights(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for weight in self.model.trainable_variables:
                weight.assign(rounded(weight))

    images = data.load("textures").sample(images_per_class + 2, seed=seed)
    last = np.arange(len(images)) % (images_per_class + 2) >= images_per_class  # not looked at: last weights are kept
    splits = Splits(images.subset(~last), images.subset(last), images.subset(last))
    vgg = backbones.load_backbone("VGG16", weights="course", image_size=64)
    model = fine_tuning.build_classifier(vgg, images.class_names, dropout=0.0, seed=seed)
    how = {"precision": "float32", "progress": False, "seed": seed, "restore_best": False}
    fine_tuning.fine_tune(model, splits, [fine_tuning.Phase("head", 5, 1e-2)], **how)
    for weight in model.weights:
        weight.assign(rounded(weight))
    start, rows = {weight.path: weight.numpy().copy() for weight in model.weights}, []
    for kept, callbacks in (("float32", []), ("bfloat16", [RoundedWeights()])):
        for weight in model.weights:
            weight.assign(start[weight.path])
        phases = [fine_tuning.Phase("block5", epochs, rate)]
        history = fine_tuning.fine_tune(model, splits, phases, callbacks=callbacks, **how)
        kernels = [one for one in model.weights if one.path.startswith("block5") and one.path.endswith("kernel")]
        moved = 100 * np.mean([np.mean(np.asarray(one) != start[one.path]) for one in kernels])
        rows.append(
            {"seed": seed, "kept in": kept, "moved": float(f"{moved:.4g}")}
            | {"training loss": float(f"{history.history['loss'][-1]:.4g}"), "processor": processor()}
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    table = pd.DataFrame(
        [
            row
            for seed in range(arguments.seeds)
            for row in in_own_process(measure, seed, arguments.images_per_class, arguments.epochs, arguments.rate)
        ]
    )
    print(table.drop(columns="processor"))
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
