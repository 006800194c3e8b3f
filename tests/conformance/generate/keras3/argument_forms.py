"""Keras 3's operations with arguments and types of tensors that few models use. Many to a model."""

import numpy as np
from functions import working_functions
from golden import golden, ids, keras, normal

ops = keras.ops


def number(x):
    """Types that no output may have, as numbers."""
    return ops.cast(x, "float32")


TYPES = [
    lambda x, i: ops.moments(i, 1), lambda x, i: ops.moments(i, [0, 1], keepdims=True), lambda x, i: ops.prod(x, axis=1, dtype="int64"), lambda x, i: ops.prod(i, axis=-1, dtype="float16"),
    lambda x, i: ops.threshold(i, 1, -3), lambda x, i: ops.leaky_relu(i, negative_slope=0), lambda x, i: ops.diff(x > 0), lambda x, i: ops.diff(i > 1, n=2, axis=1), lambda x, i: ops.imag(i), lambda x, i: ops.round(i * 7, decimals=-1),
    lambda x, i: keras.activations.relu(i, threshold=1), lambda x, i: keras.activations.relu(i, max_value=2, threshold=1),
    lambda x, i: number(ops.cast(x * 100, "int32")) + number(ops.cast(ops.cast(x * 100, "int32"), "uint8")), lambda x, i: number(ops.cast(i * 100, "int8")), lambda x, i: number(ops.cast(i * 40000, "int16")), lambda x, i: number(ops.cast(i * 40000, "uint16")),
    lambda x, i: number(ops.saturate_cast(x * 100, "uint8")), lambda x, i: number(ops.saturate_cast(i * 100, "int8")),
]
AXES = [
    lambda x, i: ops.average(x, weights=ops.abs(x) + 1), lambda x, i: ops.average(x > 0, axis=None, weights=ops.abs(x)), lambda x, i: ops.normalize(x, axis=None), lambda x, i: ops.softmax(x, axis=None),
    lambda x, i: ops.log_softmax(x, axis=None), lambda x, i: ops.rot90(x, k=2, axes=(1, 2)), lambda x, i: ops.rot90(x, k=-2), lambda x, i: ops.rot90(x[:, :, :3], k=2, axes=(2, 1)), lambda x, i: ops.rot90(x, k=3, axes=(1, 2)),
]
INDICES = [
    lambda x, i: ops.slice(x, i[0] % 2, (1, 2, 3)), lambda x, i: ops.slice(x, (0, 1, 1), (2, 2, 2)),
]
PRODUCTS = [
    lambda x, i: ops.cross(x, x * x, axis=1), lambda x, i: ops.cross(x, ops.cos(x), 1, 1, -1), lambda x, i: ops.cross(x[..., :2], ops.cos(x)[..., :2]), lambda x, i: ops.cross(x[..., :2], x[..., 1:]), lambda x, i: ops.cross(x[..., 1:], np.array([1.0, 2.0], "float32")),
]
INFINITIES = [
    lambda x, i: ops.softmax(ops.where(x > 1.5, float("-inf"), x)), lambda x, i: ops.minimum(x, float("inf")), lambda x, i: ops.clip(x, 0.0, float("inf")), lambda x, i: ops.norm(x, ord=float("inf"), axis=1), lambda x, i: ops.norm(x, ord=-np.inf, axis=-1),
    lambda x, i: ops.norm(x, ord=np.inf, axis=(1, 2)), lambda x, i: ops.where([[True], [False], [True]], x, float("-inf")) > 0, lambda x, i: ops.isinf(ops.maximum(x, float("-inf"))),
]

I = {"i": ("int32", (2, 3))}
working_functions("argument_types", TYPES, **I)
working_functions("argument_axes", AXES, **I)
working_functions("argument_indices", INDICES, **I)
IMAGES = [
    lambda x: ops.image.resize(x, (3, 7)), lambda x: ops.image.resize(x * 30, (5, 7), interpolation="bicubic"), lambda x: ops.image.resize(x, (5, 2), interpolation="nearest"),
]
working_functions("argument_images", IMAGES, x=("int32", (2, 4, 4, 3)))
working_functions("argument_products", PRODUCTS, **I)
working_functions("argument_infinities", INFINITIES, **I)

PIXELS = [
    lambda p: ops.image.rgb_to_grayscale(p * 60), lambda p: number(ops.image.rgb_to_grayscale(ops.cast(p * 60, "uint8"))),
]
working_functions("argument_pixels", PIXELS, x=("int32", (2, 2, 3, 3)))
ALONE = [
    lambda x: ops.image.resize(x[0], (5, 2)), lambda x: ops.image.resize(x[0], (2, 2), interpolation="nearest"), lambda x: ops.image.extract_patches(x[0], (2, 2)), lambda x: ops.image.extract_patches(x[0], 3, strides=1, padding="same"), lambda x: ops.image.rgb_to_grayscale(x[0]), lambda x: ops.image.rgb_to_hsv(ops.abs(x[0])),
    lambda x: ops.image.hsv_to_rgb(ops.sigmoid(x[0])), lambda x: ops.image.pad_images(x[0], 1, 0, target_height=6, target_width=6), lambda x: ops.image.crop_images(x[0], 1, 1, target_height=2, target_width=2), lambda x: ops.image.affine_transform(x[0], [1.0, 0.1, 0.0, 0.0, 1.0, 0.2, 0.0, 0.0]), lambda x: ops.image.gaussian_blur(x[0]),
    lambda x: keras.layers.Resizing(3, 2)(x[0]), lambda x: keras.layers.Resizing(2, 3, crop_to_aspect_ratio=True)(x[0]), lambda x: keras.layers.Resizing(2, 3, pad_to_aspect_ratio=True)(x[0]), lambda x: keras.layers.CenterCrop(2, 2)(x[0]), lambda x: keras.layers.Rescaling(0.5)(x[0]),
]
working_functions("argument_single_images", ALONE, x=(2, 4, 4, 3))
CHOICES = [
    lambda x, i: ops.broadcast_to(x, (2, 3, 4)), lambda x, i: ops.broadcast_to(x[:, :1], (2, 3, 4)), lambda x, i: ops.broadcast_to(x[:, :1], ops.shape(x)), lambda x, i: ops.broadcast_to(x, (5, 2, 3, 4)), lambda x, i: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1), lambda x, i: ops.take_along_axis(x, i % 3, axis=1), lambda x, i: ops.take_along_axis(x, i, axis=2),
    lambda x, i: ops.take_along_axis(x, i[:, :, :1], axis=-1), lambda x, i: ops.take_along_axis(x, i[:, :1], axis=1), lambda x, i: ops.take_along_axis(x, i, axis=None), lambda x, i: ops.take_along_axis(x[:, :, :1], i % 3, axis=1), lambda x, i: ops.squeeze(x), lambda x, i: ops.squeeze(x[:, :1]),
]
working_functions("argument_choices", CHOICES, i=("int32", (2, 3, 4)))
# What is squeezed from an open axis depends on its length, so those two functions are left out.
working_functions("argument_choices_open", CHOICES[:-2], i=("int32", (2, 3, 4)), open_axes=True)
WRAPPED = [
    lambda i: number(ops.cast(i, "uint8") + 254), lambda i: number(ops.cast(i, "uint8") - 2), lambda i: number(-ops.cast(i, "int8") * 100), lambda i: number(ops.cast(i, "int8") * ops.cast(i + 60, "int8")), lambda i: number(ops.square(ops.cast(i + 180, "int16"))), lambda i: number(ops.bitwise_not(ops.cast(i, "uint8"))),
    lambda i: number(ops.bitwise_not(ops.cast(i, "uint16"))), lambda i: number(ops.bitwise_not(ops.cast(i, "int8"))), lambda i: number(ops.bitwise_left_shift(ops.cast(i, "uint8"), 7)), lambda i: number(ops.sum(ops.cast(i + 60, "int8"), axis=1)), lambda i: number(ops.prod(ops.cast(i + 9, "int8"), axis=-1)),
    lambda i: ops.mean(ops.cast(i * 50, "uint8"), axis=1), lambda i: number(ops.cumsum(ops.cast(i + 60, "int8"), axis=1)), lambda i: number(ops.reshape(ops.cast(i, "uint8"), [-1, 6]) + 254), lambda i: number(ops.concatenate([ops.cast(i, "uint8"), ops.cast(i, "uint8")], 1) * 100), lambda i: number(ops.abs(ops.cast(i - 128, "int8"))),
    lambda i: number(ops.transpose(ops.cast(i, "uint8")) * 100), lambda i: number(ops.cast(i, "uint8")[:, :2] * 100), lambda i: number(ops.where(i > 1, ops.cast(i, "uint8"), ops.cast(i * 2, "uint8")) * 100), lambda i: number(ops.maximum(ops.cast(i, "uint8"), 2) * 100), lambda i: number(ops.cast(i, "uint8") * i * 100),
    lambda i: number(ops.cast(i, "uint8") * ops.cast(i, "int8") * 100), lambda i: number(ops.cast(i, "uint8") * ops.cast(i > 1, "bool") * 100), lambda i: ops.cast(i, "uint8") / 4, lambda i: number(ops.saturate_cast(i * 100, "uint8") + 10), lambda i: number(ops.max(ops.cast(i, "uint8"), axis=1) * 100),
]
working_functions("argument_narrow_integers", WRAPPED, x=("int32", (2, 3)))
LOSSES = [
    lambda x, y: ops.categorical_crossentropy(y, ops.softmax(x * 20.0)), lambda x, y: ops.sparse_categorical_crossentropy(ops.argmax(y, -1), ops.softmax(x * 20.0)), lambda x, y: ops.binary_crossentropy(y, ops.sigmoid(x * 20.0)), lambda x, y: ops.categorical_crossentropy(y, keras.activations.softmax(x * 20.0)),
    lambda x, y: ops.binary_crossentropy(y, keras.layers.Activation("sigmoid")(x * 20.0)), lambda x, y: ops.categorical_crossentropy(y, keras.layers.Softmax()(x * 20.0)), lambda x, y: ops.binary_crossentropy(y, ops.softmax(x * 20.0)), lambda x, y: ops.categorical_crossentropy(y, ops.sigmoid(x * 20.0)), lambda x, y: ops.categorical_crossentropy(y, 1.0 * ops.softmax(x * 20.0)),
    lambda x, y: ops.categorical_crossentropy(y, ops.cast(ops.softmax(x * 20.0), "float32")),
]
working_functions("argument_losses", LOSSES, x=(2, 4), y=(2, 4))

x, y = keras.Input([4], name="x"), keras.Input([4], name="y")
golden("cross_entropy_of_probabilities", keras.Model([x, y], [loss(x, y) for loss in LOSSES]), [normal(2, 4), normal(2, 4)], ["CategoricalCrossentropy", "BinaryCrossentropy", "SparseCategoricalCrossentropy"], note="as `argument_losses`, by `predict`, which runs a graph")

x = keras.Input([4, 3, 3], name="x")
golden("max_num_bounding_boxes", keras.Model(x, keras.layers.MaxNumBoundingBoxes(2)(x)), [normal(2, 4, 3, 3)], ["MaxNumBoundingBoxes"], note="limits bounding boxes in training; images stay")
x = keras.Input([4], name="x")
golden("relu_up_to_infinity", keras.Model(x, keras.layers.ReLU(max_value=float("inf"))(x)), [normal(2, 4)], ["ReLU"], note="Keras writes `Infinity`, which is not JSON")

x = keras.Input([3], dtype="int32", name="x")
lookup = keras.layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode="tf_idf", idf_weights=[0.5, 1.0, 2.0], name="lookup")
golden("integer_lookup_tf_idf_keras", keras.Model(x, lookup(x)), [ids(2, 3, high=5)], ["IntegerLookup"], archive="keras", keep_weights=True, note="through .keras, which has the weights of the terms twice")
