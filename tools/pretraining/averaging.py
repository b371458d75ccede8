"""The average of the weights over the last steps, which is judged and written in their place."""

from contextlib import contextmanager

import numpy as np


def optimizer_of(recipe, rate, per_epoch):
    "SGD as the recipe says; with averages, they stay beside the weights until `take_averages`"
    import keras

    class AveragingSGD(keras.optimizers.SGD):
        def finalize_variable_values(self, var_list):
            "Nothing: `fit` calls this at its end, and a run goes on from there with the weights themselves"

        def take_averages(self, variables):
            super().finalize_variable_values(variables)

    reach = recipe.averaging * per_epoch  # steps
    kind, more = keras.optimizers.SGD, {}
    if recipe.averaging:
        kind, more = AveragingSGD, {"use_ema": True, "ema_momentum": max(0.0, 1 - 1 / max(reach, 1))}
    optimizer = kind(
        rate, recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm, **more
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def estimate_statistics(network, batches):
    "Set each BatchNorm's statistics to the mean of those of these batches of preprocessed images"
    import keras

    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    kept = [layer.momentum for layer in layers]
    for number, images in enumerate(batches):
        for layer in layers:
            layer.momentum = number / (number + 1)
        network(images, training=True)
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum


@contextmanager
def averaged(network, optimizer, batches):
    "While this lasts, the network has its average weights, if the optimizer keeps any, and statistics of these"
    if not optimizer.use_ema:
        yield
        return
    kept = [np.array(value) for value in network.get_weights()]
    try:
        optimizer.take_averages(network.trainable_variables)
        # copies: JAX gives away the arrays of a network that predicts, and these are the optimizer's
        network.set_weights([np.array(value) for value in network.get_weights()])
        estimate_statistics(network, batches)
        yield
    finally:
        network.set_weights(kept)
