"""TensorFlow's functions with arguments and types of tensors that few models use, which Keras 2 writes as TFOpLambda. Many to a model."""

import numpy as np
from functions import working_functions
from golden import L, golden, keras, normal, tf

K = keras.backend


def number(x):
    """Types that no output may have, as numbers."""
    return tf.cast(x, tf.float32)


def finite(x):
    return tf.where(tf.math.is_finite(x), x, 7.0)


TYPES = [
    lambda x, i: number(tf.saturate_cast(x * 100.0, tf.uint8)), lambda x, i: number(tf.saturate_cast(x * 100.0, tf.int8)), lambda x, i: number(tf.saturate_cast(i * 100, tf.uint8)), lambda x, i: number(tf.saturate_cast(i * 40000 - 50000, tf.int16)),
    lambda x, i: tf.saturate_cast(x * 1e12, tf.int32), lambda x, i: number(tf.cast(i * 100, tf.uint8)), lambda x, i: number(tf.cast(i * 100, tf.int8)), lambda x, i: number(tf.cast(i * 40000, tf.int16)), lambda x, i: number(tf.cast(i * 40000, tf.uint16)),
    lambda x, i: tf.math.imag(i), lambda x, i: tf.nn.moments(i, [1]), lambda x, i: K.cast_to_floatx(i),
]
VALUES = [
    lambda x, i: tf.realdiv(x, 2.0), lambda x, i: tf.nn.silu(x, 1.5), lambda x, i: tf.nn.swish(x, beta=0.5), lambda x, i: finite(tf.math.cumulative_logsumexp(x, axis=1, exclusive=True)), lambda x, i: finite(tf.math.cumulative_logsumexp(x, -1, True, True)),
    lambda x, i: tf.nn.softmax(tf.where(x > 1.5, -np.inf, x)), lambda x, i: tf.minimum(x, np.inf), lambda x, i: tf.norm(x, ord=np.inf, axis=1), lambda x, i: tf.norm(x, ord=np.inf, axis=[-2, -1]), lambda x, i: tf.clip_by_value(x, 0.0, np.inf),
    lambda x, i: tf.matmul(x, x, adjoint_b=True), lambda x, i: tf.matmul(x, x, adjoint_a=True), lambda x, i: tf.roll(x, i[0, 1] - 1, axis=2), lambda x, i: tf.roll(x, shift=i[1, 1], axis=-2), lambda x, i: tf.where([[True], [False], [True]], x, 0.0),
    lambda x, i: K.sparse_categorical_crossentropy(i, x, from_logits=True, ignore_class=1), lambda x, i: K.print_tensor(x),
]
INDICES = [
    lambda x, i: x[None], lambda x, i: x[:, i[0, 0] % 3], lambda x, i: x[..., i[0, 1]], lambda x, i: x[0, i[0, 1] % 3 - 3, 1:], lambda x, i: x[:, tf.newaxis, i[0, 2] % 3, ::-1], lambda x, i: tf.slice(x, [0, i[0, 0] % 2, 0], [-1, 2, -1]),
    lambda x, i: tf.slice(x, i[0] % 2, [1, 2, 3]), lambda x, i: tf.reshape(x, [tf.reduce_prod(tf.shape(x)[:2]), 4]), lambda x, i: tf.reshape(x, [-1, tf.reduce_prod(tf.shape(x)[1:])]), lambda x, i: x[:, : tf.reduce_min(tf.shape(x)[1:]) - 1],
    lambda x, i: tf.zeros([tf.reduce_sum(tf.shape(x)), 1]) + x[0, 0], lambda x, i: x[..., : tf.reduce_max(tf.shape(x))],
]

I = {"i": ("int32", (2, 3))}
working_functions("argument_types", TYPES, **I)
working_functions("argument_values", VALUES, **I)
working_functions("argument_indices", INDICES, **I)
working_functions("argument_indices_open", INDICES[:6] + INDICES[7:], i=("int32", (2, 3)), open_axes=True)

x = keras.Input([3, 4], name="x")
golden("sync_batch_normalization", keras.Model(x, L.experimental.SyncBatchNormalization(epsilon=0.1)(x)), [normal(2, 3, 4)], ["BatchNormalization"], note="its class is `SyncBatchNormalization`")
