"""Keras 3's plain operations as nodes of their own: each in three configurations, several to a model."""

import numpy as np
from functions import working_functions
from golden import keras

ops = keras.ops

COMPARE = [
    lambda x, i: ops.greater_equal(x, 0.3), lambda x, i: ops.greater_equal(x, x[0]), lambda x, i: ops.greater_equal(i, 2), lambda x, i: ops.less_equal(x, 0.3), lambda x, i: ops.less_equal(x[0], x), lambda x, i: ops.less_equal(2, i),
    lambda x, i: ops.logical_and(ops.greater(x, 0.0), ops.less(x, 1.0)), lambda x, i: ops.logical_and(x, i[0, 0]), lambda x, i: ops.logical_and(i, 1), lambda x, i: ops.logical_or(ops.greater(x, 1.0), ops.less(x, -1.0)), lambda x, i: ops.logical_or(i, 0),
    lambda x, i: ops.not_equal(i, 2), lambda x, i: ops.not_equal(x, x[:1]), lambda x, i: ops.isinf(x), lambda x, i: ops.isinf(i), lambda x, i: ops.isinf(x / 0.0),
    lambda x, i: ops.left_shift(i, 1), lambda x, i: ops.left_shift(i, i), lambda x, i: ops.right_shift(i, 1), lambda x, i: ops.right_shift(i, i), lambda x, i: ops.bitwise_invert(i),
]
ELEMENTARY = [
    lambda x, i: ops.sign(x), lambda x, i: ops.sign(i - 1), lambda x, i: ops.clip(x, -0.5, 0.7), lambda x, i: ops.clip(i, 1, 2), lambda x, i: ops.clip(x, x[0, 0] - 1.0, 1.0), lambda x, i: ops.expm1(x), lambda x, i: ops.expm1(i), lambda x, i: ops.expm1(x * 1e-4),
    lambda x, i: ops.log1p(ops.abs(x)), lambda x, i: ops.log1p(i), lambda x, i: ops.log1p(ops.abs(x) * 1e-4), lambda x, i: ops.rsqrt(ops.abs(x) + 0.1), lambda x, i: ops.rsqrt(ops.square(x) + 1e-3), lambda x, i: ops.reciprocal(x + 5.0), lambda x, i: ops.reciprocal(ops.exp(x)),
    lambda x, i: ops.sin(x), lambda x, i: ops.sin(i), lambda x, i: ops.sin(x * 10.0), lambda x, i: ops.cos(x), lambda x, i: ops.cos(i), lambda x, i: ops.erf(x), lambda x, i: ops.erf(x * 3.0), lambda x, i: ops.erf(x * 0.01), lambda x, i: ops.floor(x), lambda x, i: ops.floor(i),
    lambda x, i: ops.floor(x * 3.0), lambda x, i: ops.ceil(x), lambda x, i: ops.ceil(i), lambda x, i: ops.ceil(x * 3.0), lambda x, i: ops.abs(i - 2), lambda x, i: ops.sqrt(i), lambda x, i: ops.square(i), lambda x, i: ops.exp(i), lambda x, i: ops.log(i + 1), lambda x, i: ops.power(x, 2),
    lambda x, i: ops.power(i, 2), lambda x, i: ops.power(2.0, x), lambda x, i: ops.subtract(i, x[0, 0, :3]), lambda x, i: ops.multiply(i, 2.5), lambda x, i: ops.divide(i, 2), lambda x, i: ops.floor_divide(x, 0.7), lambda x, i: ops.mod(x, 0.7), lambda x, i: ops.mod(i, -2),
]
SHAPED = [
    lambda x: ops.conv_transpose(x, np.linspace(-1, 1, 54, dtype="float32").reshape(3, 3, 2, 3), strides=2, padding="same"), lambda x: ops.conv_transpose(x, np.linspace(-1, 1, 24, dtype="float32").reshape(2, 2, 2, 3), strides=(2, 1)),
    lambda x: ops.conv_transpose(x, np.linspace(-1, 1, 54, dtype="float32").reshape(3, 3, 2, 3), padding="valid", dilation_rate=2), lambda x: ops.vsplit(x, 2), lambda x: ops.hsplit(x, [1, 2]), lambda x: ops.broadcast_to(x[:, :1], (2, 4, 6, 3)),
    lambda x: ops.one_hot(ops.cast(x[..., 0], "int32"), 3), lambda x: ops.argmax(x), lambda x: ops.argmin(x, axis=1, keepdims=True), lambda x: ops.take(x, [0, -1], axis=2), lambda x: ops.take(x, ops.cast(x[:, 0, 0] > 0, "int32"), axis=-1),
    lambda x: ops.max_pool(x, 2, strides=1, padding="same"), lambda x: ops.average_pool(x, (2, 3), padding="same"), lambda x: ops.depthwise_conv(x, np.linspace(-1, 1, 54, dtype="float32").reshape(3, 3, 3, 2), padding="same"),
]

I = {"i": ("int32", (2, 3))}
working_functions("plain_ops_compare", COMPARE, **I)
working_functions("plain_ops_elementary", ELEMENTARY, **I)
working_functions("plain_ops_shaped", SHAPED, x=(2, 4, 6, 3))
