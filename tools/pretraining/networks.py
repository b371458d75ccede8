"""The networks while they are trained, and what `keras.applications` makes of them afterwards."""

import numpy as np

from pretraining.augmentation import shown
from pretraining.fast_layers import fast
from tlcourse.backbones import BackboneSpec, build

EPSILON = 1e-3  # of the BatchNorm that VGG16 has while it is trained
LARGEST_VARIANCE = 2.0**14  # float16 ends at 65504; behind ResNet50's first convolution of pixels there is more


def with_batch_norm(spec: BackboneSpec, size):
    "VGG16 with a BatchNorm behind each convolution, each layer named as in keras.applications; and its pooled output"
    import keras

    inputs = x = keras.Input((size, size, 3))
    for layer in build(spec, spec.smallest).layers[1:]:
        if not isinstance(layer, keras.layers.Conv2D):
            x = layer.__class__.from_config(layer.get_config())(x)
            continue
        config = layer.get_config() | {"activation": "linear", "use_bias": False}
        x = fast(keras.layers.Conv2D.from_config(config))(x)
        normalization = keras.layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, name=f"{layer.name}_bn")
        x = fast(normalization)(x)
        x = keras.layers.Activation("relu", name=f"{layer.name}_relu")(x)
    return inputs, x


def trainable_network(spec, num_classes, teacher_features, seed):
    "A model from preprocessed images of any size to the logits of the classes and, with a teacher, to its features"
    import keras

    keras.utils.set_random_seed(seed)
    if spec.name.startswith("VGG"):
        inputs, pooled = with_batch_norm(spec, None)
    else:
        plain = build(spec, spec.smallest, input_tensor=keras.Input((None, None, 3)))
        copy = keras.models.clone_model(plain, clone_function=fast)
        inputs, pooled = copy.inputs[0], copy.output
    outputs = {"classes": keras.layers.Dense(num_classes, dtype="float32", name="classes")(pooled)}
    if teacher_features:
        outputs["teacher"] = keras.layers.Dense(teacher_features, dtype="float32", name="teacher")(pooled)
    model = keras.Model(inputs, outputs)
    draw = keras.initializers.HeNormal(seed)
    for number, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Conv2D):
            draw = keras.initializers.HeNormal(seed + number)
            layer.kernel.assign(draw(layer.kernel.shape))
        elif layer.name.endswith("_3_bn"):  # a residual block begins as the identity
            layer.gamma.assign(np.zeros(layer.gamma.shape))
    return model


def training_model(network, preprocess):
    "A model from what `augmentation.draw` draws, with the pixels, to the network's outputs; their weights are the same"
    import keras

    class Shown(keras.Model):
        def __init__(self):
            super().__init__(dtype="float32")  # 16 bits would round positions and pixels
            self.network = network

        def call(self, drawn, training=False):
            return self.network(preprocess(shown(drawn)), training=training)

    return Shown()


def finished(model, spec, size=64):
    "The trained network as keras.applications builds it: float32, without a head, BatchNorm of VGG16 folded away"
    import keras

    # a layer's own policy is what it was built with: the copy must not compute in 16 bits
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        plain = build(spec, size)
    finally:
        keras.config.set_dtype_policy(with_policy)
    names = {layer.name for layer in model.layers}
    for layer in plain.layers:
        if not layer.weights:
            continue
        trained = model.get_layer(layer.name).get_weights()
        if f"{layer.name}_bn" in names and isinstance(layer, keras.layers.Conv2D) and len(trained) == 1:
            trained = folded(trained[0], model.get_layer(f"{layer.name}_bn"))
        layer.set_weights(trained)
    return with_small_variances(plain)


def with_small_variances(plain):
    "The same network, its channels with a variance too large for 16 bits scaled down by a power of two"
    import keras

    for layer in plain.layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        gamma, beta, mean, variance = layer.get_weights()
        scale = np.exp2(np.ceil(np.log2(np.maximum(variance / LARGEST_VARIANCE, 1)) / 2)).astype(np.float32)
        if scale.max() > 1:
            convolution = plain.get_layer(f"{layer.name.removesuffix('_bn')}_conv")
            convolution.set_weights([value / scale for value in convolution.get_weights()])
            layer.set_weights([gamma, beta, mean / scale, variance / scale**2])
    return plain


def folded(kernel, normalization):
    "Kernel and bias of a convolution that does what the convolution and this BatchNorm do in inference"
    gamma, beta, mean, variance = (value.astype(np.float64) for value in normalization.get_weights())
    scale = gamma / np.sqrt(variance + normalization.epsilon)
    return [(kernel * scale).astype(np.float32), (beta - mean * scale).astype(np.float32)]


def pooled_features(model):
    "The part of the trained network that ends below the heads"
    import keras

    return keras.Model(model.input, model.get_layer("classes").input)


def largest_difference(model, plain, size=64, seed=0):
    "The largest difference between the features of both networks, as a share of the largest feature"
    images = np.random.default_rng(seed).uniform(-120, 130, (8, size, size, 3)).astype(np.float32)
    trained = computing_in(pooled_features(model), "float32").predict(images, verbose=0)
    exported = plain.predict(images, verbose=0)
    return float(np.abs(trained - exported).max() / np.abs(trained).max())


def computing_in(model, dtype, inputs=None):
    "A copy of the model that keeps its weights and computes in this type, on an input of its own by default"
    import keras

    def copied(layer):
        return layer.__class__.from_config(layer.get_config() | {"dtype": dtype})

    copy = keras.models.clone_model(model, inputs, clone_function=copied)
    values = [weight.astype(dtype) for weight in model.get_weights()]
    if not all(np.isfinite(value).all() for value in values):
        raise OverflowError(f"Expected weights that {dtype} can hold; {model.name} has larger ones, or NaN.")
    copy.set_weights(values)
    return copy


def write_float16(plain, path):
    "Write the weights in 16 bits, in a file that the same network in 32 bits reads"
    import keras

    # Keras numbers an input without a name, and the number gets into the file: equal weights shall be equal files
    inputs = keras.Input(plain.input_shape[1:], name="images", dtype="float16")
    computing_in(plain, "float16", inputs).save_weights(path)
