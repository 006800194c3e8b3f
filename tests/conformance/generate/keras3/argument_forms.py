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

x = keras.Input([4, 3, 3], name="x")
golden("max_num_bounding_boxes", keras.Model(x, keras.layers.MaxNumBoundingBoxes(2)(x)), [normal(2, 4, 3, 3)], ["MaxNumBoundingBoxes"], note="limits bounding boxes in training; images stay")
x = keras.Input([4], name="x")
golden("relu_up_to_infinity", keras.Model(x, keras.layers.ReLU(max_value=float("inf"))(x)), [normal(2, 4)], ["ReLU"], note="Keras writes `Infinity`, which is not JSON")

x = keras.Input([3], dtype="int32", name="x")
lookup = keras.layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode="tf_idf", idf_weights=[0.5, 1.0, 2.0], name="lookup")
golden("integer_lookup_tf_idf_keras", keras.Model(x, lookup(x)), [ids(2, 3, high=5)], ["IntegerLookup"], archive="keras", keep_weights=True, note="through .keras, which has the weights of the terms twice")
