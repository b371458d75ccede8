"""Keras's convolution and BatchNorm as they train fast on a processor: the same function, computed in another way.

The gradient of a kernel takes longest where the feature map has a few pixels: oneDNN goes through the whole kernel once
for each image. And Keras 3 makes of a BatchNorm in training a dozen passes over the features, where TensorFlow has one
operation.
"""

from functools import cache

AS_ONE_PRODUCT = 4  # pixels of the largest map on which a kernel of 3 x 3 is one matrix product of its patches
AS_NINE_PRODUCTS = 64  # and on which its gradient is nine, one for each of the kernel's places


def shifted(images, kernel):
    "What each place of the kernel sees: images of the same size, shifted, zeros beside them"
    from keras import ops

    (height, width), (rows, columns) = images.shape[1:3], kernel.shape[:2]
    around = [[0, 0], [rows // 2, rows // 2], [columns // 2, columns // 2], [0, 0]]
    wide = ops.pad(images, around)
    return [wide[:, row : row + height, column : column + width] for row in range(rows) for column in range(columns)]


def rows_of(images):
    "One row for each pixel of each image"
    from keras import ops

    return ops.reshape(images, (-1, images.shape[-1]))


def one_product(images, kernel):
    'The convolution, padding "same", as a matrix product'
    from keras import ops

    patches = ops.concatenate(shifted(images, kernel), axis=-1) if kernel.shape[:2] != (1, 1) else images
    found = ops.matmul(rows_of(patches), ops.reshape(kernel, (-1, kernel.shape[-1])))
    return ops.reshape(found, (-1, *images.shape[1:3], kernel.shape[-1]))


@cache
def gradient_by_products():
    'The convolution, padding "same"; the gradient of the kernel is a matrix product for each of its places'
    from keras import ops

    @ops.custom_gradient
    def convolution(images, kernel):
        def gradient(*arguments, upstream=None):
            above = arguments[0] if upstream is None else upstream
            turned = ops.transpose(ops.flip(kernel, (0, 1)), (0, 1, 3, 2))
            columns = rows_of(above)
            places = [ops.matmul(ops.transpose(rows_of(seen)), columns) for seen in shifted(images, kernel)]
            return ops.conv(above, turned, 1, "same"), ops.reshape(ops.stack(places), kernel.shape)

        return ops.conv(images, kernel, 1, "same"), gradient

    return convolution


@cache
def fast_classes():
    "The classes that replace Keras's own, by those"
    import keras

    class FastConv2D(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            height, width = inputs.shape[1:3]
            plain = (
                self.data_format == "channels_last"
                and self.groups == 1
                and tuple(self.dilation_rate) == (1, 1)
                and None not in (height, width)
            )
            if plain and tuple(self.kernel_size) == (1, 1):
                return one_product(inputs[:, :: self.strides[0], :: self.strides[1]], kernel)
            if plain and self.padding == "same" and tuple(self.strides) == (1, 1) and tuple(self.kernel_size) == (3, 3):
                if height * width <= AS_ONE_PRODUCT:
                    return one_product(inputs, kernel)
                if height * width <= AS_NINE_PRODUCTS:
                    # reshaped it is a tensor: TensorFlow wants more of a gradient that is given a variable
                    return gradient_by_products()(inputs, keras.ops.reshape(kernel, kernel.shape))
            return super().convolution_op(inputs, kernel)

    class FastBatchNormalization(keras.layers.BatchNormalization):
        def call(self, inputs, training=None, mask=None):
            known = self.scale and self.center and not self.renorm and self.axis in (3, -1) and len(inputs.shape) == 4
            if not (known and training and self.trainable and mask is None) or keras.backend.backend() != "tensorflow":
                return super().call(inputs, training=training, mask=mask)
            import tensorflow as tf

            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
            )
            values = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
            variance = variance * (values - 1) / values  # TensorFlow's is that of a sample, Keras's that of the batch
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
            return outputs

    return {kind.__base__: kind for kind in (FastConv2D, FastBatchNormalization)}


def fast(layer):
    "A copy of the layer, without its weights, that computes as above"
    return fast_classes().get(layer.__class__, layer.__class__).from_config(layer.get_config())
