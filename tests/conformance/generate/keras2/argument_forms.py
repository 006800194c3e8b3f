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

PIXELS = [
    lambda p: tf.image.convert_image_dtype(p * 60, tf.float32), lambda p: tf.image.convert_image_dtype(tf.cast(p * 60, tf.uint8), tf.float32), lambda p: tf.image.convert_image_dtype(tf.cast(p * 30000 - 40000, tf.int16), tf.float32),
    lambda p: number(tf.image.convert_image_dtype(number(p) / 3.0, tf.uint8)), lambda p: number(tf.image.convert_image_dtype(number(p) / 2.0 - 0.3, tf.uint8, saturate=True)), lambda p: number(tf.image.convert_image_dtype(number(p) / 4.0, tf.int16)),
    lambda p: number(tf.image.convert_image_dtype(tf.cast(p * 60, tf.uint8), tf.uint16)), lambda p: number(tf.image.convert_image_dtype(tf.cast(p * 10000, tf.uint16), tf.uint8)), lambda p: number(tf.image.convert_image_dtype(tf.cast(p * 60, tf.uint8), tf.int16)),
    lambda p: tf.image.rgb_to_grayscale(p * 60), lambda p: number(tf.image.rgb_to_grayscale(tf.cast(p * 60, tf.uint8))), lambda p: tf.image.grayscale_to_rgb(p[..., :1]), lambda p: tf.image.grayscale_to_rgb(p[..., :1] > 1),
    lambda p: number(tf.image.adjust_brightness(tf.cast(p * 80, tf.uint8), 0.2)), lambda p: number(tf.image.adjust_brightness(tf.cast(p * 80, tf.uint8), -0.3)), lambda p: tf.image.adjust_brightness(p * 60, 0.2),
    lambda p: number(tf.image.adjust_contrast(tf.cast(p * 80, tf.uint8), 1.5)), lambda p: number(tf.image.adjust_contrast(tf.cast(p * 80, tf.uint8), 0.3)), lambda p: number(tf.image.adjust_saturation(tf.cast(p * 80, tf.uint8), 1.5)),
    lambda p: number(tf.image.adjust_hue(tf.cast(p * 80, tf.uint8), 0.1)), lambda p: number(tf.image.adjust_gamma(tf.cast(p * 80, tf.uint8), 0.5)),
]
working_functions("argument_pixels", PIXELS, x=("int32", (2, 2, 3, 3)))
ALONE = [
    lambda x: tf.image.resize(x[0], [5, 2]), lambda x: tf.image.resize(x[0], [2, 2], method="nearest"), lambda x: tf.image.resize(x[0], [3, 5], method="bicubic"), lambda x: tf.image.resize_with_pad(x[0], 5, 3), lambda x: tf.image.resize_with_crop_or_pad(x[0], 5, 2),
    lambda x: tf.image.flip_left_right(x[0]), lambda x: tf.image.flip_up_down(x[1]), lambda x: tf.image.transpose(x[0]), lambda x: tf.image.rot90(x[0]), lambda x: tf.image.central_crop(x[0], 0.5), lambda x: tf.image.crop_to_bounding_box(x[0], 1, 0, 2, 3),
    lambda x: tf.image.pad_to_bounding_box(x[0], 1, 0, 5, 6), lambda x: tf.image.per_image_standardization(x[0]), lambda x: tf.image.adjust_contrast(x[0], 2.0), lambda x: tf.image.rgb_to_grayscale(x[0]), lambda x: tf.image.rgb_to_hsv(tf.abs(x[0])),
    lambda x: tf.image.total_variation(x[0]), lambda x: tf.image.total_variation(x),
    lambda x: L.Resizing(3, 2)(x[0]), lambda x: L.CenterCrop(2, 2)(x[0]), lambda x: L.Rescaling(0.5)(x[0]),
]
working_functions("argument_single_images", ALONE, x=(2, 4, 4, 3))
DIAGONALS = [
    lambda x, i: tf.linalg.band_part(x, i[0, 0] - 1, i[0, 1]), lambda x, i: tf.linalg.band_part(x, tf.shape(x)[1] - 2, 1), lambda x, i: tf.linalg.diag_part(x, k=(-1, 2), padding_value=7.0), lambda x, i: tf.linalg.diag_part(x, k=(-1, 2), align="LEFT_RIGHT"),
    lambda x, i: tf.linalg.diag_part(x, k=(-2, 3), align="LEFT_LEFT"), lambda x, i: tf.linalg.diag_part(x, k=(0, 1), align="RIGHT_RIGHT", padding_value=-1.0), lambda x, i: tf.linalg.diag_part(x, k=1, padding_value=7.0), lambda x, i: tf.linalg.diag_part(x, k=(1, 1)), lambda x, i: tf.linalg.diag_part(x, k=-2),
    lambda x, i: tf.linalg.diag(x, k=(-1, 1)), lambda x, i: tf.linalg.diag(x, k=(0, 2), align="LEFT_LEFT"), lambda x, i: tf.linalg.diag(x[:, 0], k=1, num_rows=5, num_cols=5, padding_value=3.0), lambda x, i: tf.linalg.diag(x[:, 0], num_rows=4, num_cols=6), lambda x, i: tf.linalg.diag(x[:, 0], k=-1, num_cols=4),
    lambda x, i: tf.linalg.diag(x[:, 0], k=2, padding_value=-1.0), lambda x, i: tf.linalg.diag(x, k=(-2, 0), num_rows=4, num_cols=5, align="LEFT_RIGHT", padding_value=2.0), lambda x, i: tf.linalg.set_diag(x, x[:, :, :3], k=(-1, 1)), lambda x, i: tf.linalg.set_diag(x, x[:, :2, :3], k=(0, 1), align="LEFT_LEFT"), lambda x, i: tf.linalg.set_diag(x, x[:, 0, :3], k=1),
]
working_functions("argument_diagonals", DIAGONALS, **I)
FRAMES = [
    lambda x: tf.signal.frame(x, 3, 2, pad_end=True, pad_value=5.0), lambda x: tf.signal.frame(x, 3, 2, pad_end=True), lambda x: tf.signal.frame(x, 5, 2), lambda x: tf.signal.frame(x, 2, 5, pad_end=True, pad_value=-1), lambda x: tf.signal.frame(x, 2, 1, axis=1), lambda x: tf.signal.frame(x, 2, 2, pad_end=True, pad_value=1.0, axis=1),
]
working_functions("argument_frames", FRAMES, x=(2, 3, 9))
CHOICES = [
    lambda x, i: K.switch(K.sum(x) > 0, x, -x), lambda x, i: K.switch(K.sum(x) < 0, x, -x), lambda x, i: K.switch(x > 0, x, -x), lambda x, i: K.switch(x[..., :1] > 0, x, -x), lambda x, i: K.switch(x[..., 0] > 0, x, -x),
    lambda x, i: tf.compat.v1.where(x[:, 0, 0] > 0, x, -x), lambda x, i: tf.compat.v1.where(x > 0, x, -x), lambda x, i: tf.compat.v1.where(tf.reduce_sum(x) > 0, x, -x),
    lambda x, i: tf.broadcast_to(x[:, :1], tf.shape(x)), lambda x, i: tf.broadcast_to(x, [2, 3, 4]), lambda x, i: tf.broadcast_to(x[0, 0], tf.shape(x)), lambda x, i: tf.broadcast_to(x, [5, 2, 3, 4]),
    lambda x, i: tf.gather(x, i % 3, batch_dims=1), lambda x, i: tf.gather(x, i, batch_dims=2), lambda x, i: tf.gather(x, i % 3, batch_dims=-1), lambda x, i: tf.gather(x, i, batch_dims=1, axis=-1), lambda x, i: tf.gather(x, i, batch_dims=1, axis=2),
]
J = {"i": ("int32", (2, 3))}
working_functions("argument_choices", CHOICES, **J)
working_functions("argument_choices_open", CHOICES, i=("int32", (2, 3, 2)), open_axes=True)
WRAPPED = [
    lambda i: number(tf.cast(i, tf.uint8) + 254), lambda i: number(tf.cast(i, tf.uint8) - 2), lambda i: number(-tf.cast(i, tf.int8) * 100), lambda i: number(tf.cast(i, tf.int8) * tf.cast(i + 60, tf.int8)), lambda i: number(tf.square(tf.cast(i + 180, tf.int16))),
    lambda i: number(tf.bitwise.invert(tf.cast(i, tf.uint8))), lambda i: number(tf.bitwise.invert(tf.cast(i, tf.uint16))), lambda i: number(tf.bitwise.invert(tf.cast(i, tf.int8))), lambda i: number(tf.bitwise.left_shift(tf.cast(i, tf.uint8), tf.cast(7, tf.uint8))),
    lambda i: number(tf.reduce_sum(tf.cast(i + 60, tf.int8), axis=1)), lambda i: number(tf.reduce_sum(tf.cast(i * 50, tf.uint8))), lambda i: number(tf.reduce_prod(tf.cast(i + 9, tf.int8), axis=-1)), lambda i: number(tf.reduce_mean(tf.cast(i * 50, tf.uint8), axis=1)),
    lambda i: number(tf.cumsum(tf.cast(i + 60, tf.int8), axis=1)), lambda i: number(tf.reshape(tf.cast(i, tf.uint8), [-1, 6]) + 254), lambda i: number(tf.concat([tf.cast(i, tf.uint8), tf.cast(i, tf.uint8)], 1) * 100), lambda i: number(tf.abs(tf.cast(i - 128, tf.int8))),
    lambda i: number(tf.transpose(tf.cast(i, tf.uint8)) * 100), lambda i: number(tf.cast(i, tf.uint8)[:, :2] * 100), lambda i: number(tf.where(i > 1, tf.cast(i, tf.uint8), tf.cast(i * 2, tf.uint8)) * 100), lambda i: number(tf.cast(i, tf.uint8) // 2) + number(tf.cast(i + 7, tf.uint8) % 3),
    lambda i: number(tf.maximum(tf.cast(i, tf.uint8), 2) * 100), lambda i: number(tf.pow(tf.cast(i, tf.uint8), 6)), lambda i: number(tf.cast(i, tf.uint8)) / 3.0 + number(tf.cast(i, tf.uint8) / 4), lambda i: tf.cast(i * 100, tf.uint8) > 200, lambda i: number(tf.math.squared_difference(tf.cast(i * 20, tf.uint8), 9)),
    lambda i: number(tf.saturate_cast(i * 100, tf.uint8) + 10), lambda i: number(tf.matmul(tf.cast(i, tf.int8) if False else i, i, transpose_b=True)),
]
working_functions("argument_narrow_integers", WRAPPED, x=("int32", (2, 3)))
LOSSES = [
    lambda x, y: keras.losses.categorical_focal_crossentropy(y, tf.nn.softmax(x)), lambda x, y: keras.losses.categorical_focal_crossentropy(y, x, from_logits=True, gamma=1.5), lambda x, y: K.categorical_focal_crossentropy(y, tf.sigmoid(x), alpha=0.5), lambda x, y: keras.losses.categorical_focal_crossentropy(y, tf.nn.softmax(x), label_smoothing=0.1),
    lambda x, y: keras.losses.binary_focal_crossentropy(y, tf.sigmoid(x), apply_class_balancing=True), lambda x, y: K.binary_focal_crossentropy(y, tf.sigmoid(x)), lambda x, y: K.binary_focal_crossentropy(y, x, from_logits=True),
    lambda x, y: keras.metrics.hinge(y, x), lambda x, y: keras.metrics.hinge(number(y > 0), x), lambda x, y: keras.metrics.squared_hinge(number(y > 0) * 2.0 - 1.0, x), lambda x, y: keras.metrics.categorical_hinge(y, x), lambda x, y: keras.losses.huber(y, x), lambda x, y: keras.losses.log_cosh(y, x), lambda x, y: keras.losses.cosine_similarity(y, x),
    lambda x, y: keras.metrics.mape(y, x), lambda x, y: keras.metrics.msle(y, x), lambda x, y: keras.metrics.kld(tf.nn.softmax(y), tf.nn.softmax(x)), lambda x, y: keras.metrics.poisson(y, tf.abs(x)), lambda x, y: keras.metrics.binary_accuracy(number(y > 0), x), lambda x, y: keras.metrics.categorical_accuracy(y, x),
    lambda x, y: keras.metrics.top_k_categorical_accuracy(y, x, k=2), lambda x, y: keras.metrics.sparse_categorical_accuracy(tf.argmax(y, -1), x), lambda x, y: keras.metrics.sparse_top_k_categorical_accuracy(tf.argmax(y, -1), x, k=2),
]
working_functions("argument_losses", LOSSES, x=(2, 4), y=(2, 4))

x, y = keras.Input([4], name="x"), keras.Input([4], name="y")
PROBABILITIES = [
    K.binary_crossentropy(y, K.sigmoid(x * 20.0)), K.categorical_crossentropy(y, K.softmax(x * 20.0)), K.sparse_categorical_crossentropy(tf.argmax(y, -1), K.softmax(x * 20.0)), K.binary_crossentropy(y, K.softmax(x * 0.5)), K.categorical_crossentropy(y, K.sigmoid(x * 20.0)),
    K.categorical_crossentropy(y, L.Softmax()(x * 20.0)), K.binary_crossentropy(y, L.Activation("sigmoid")(x * 20.0)), K.binary_crossentropy(y, L.Activation("softmax")(x * 20.0)), K.categorical_focal_crossentropy(y, K.softmax(x * 20.0)), K.categorical_crossentropy(y, 1.0 * K.softmax(x * 20.0)),
]
golden("cross_entropy_of_probabilities", keras.Model([x, y], PROBABILITIES), [normal(2, 4), normal(2, 4)], ["TFOpLambda"], note="`predict` runs a graph, in which Keras computes with the logits of the softmax or sigmoid")

x = keras.Input([3, 4], name="x")
golden("sync_batch_normalization", keras.Model(x, L.experimental.SyncBatchNormalization(epsilon=0.1)(x)), [normal(2, 3, 4)], ["BatchNormalization"], note="its class is `SyncBatchNormalization`")
