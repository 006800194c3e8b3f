"""Every operation of keras.ops that a model file can hold, many to a model."""

import numpy as np
from functions import functions
from golden import keras

ops = keras.ops

ELEMENTARY = [
    lambda x: ops.tan(x), lambda x: ops.arcsin(ops.tanh(x)), lambda x: ops.arccos(ops.tanh(x)), lambda x: ops.arctan(x), lambda x: ops.sinh(x),
    lambda x: ops.cosh(x), lambda x: ops.arcsinh(x), lambda x: ops.arccosh(ops.add(ops.abs(x), 1.0)),
    lambda x: ops.arctanh(ops.multiply(ops.tanh(x), 0.9)), lambda x: ops.log2(ops.add(ops.abs(x), 0.1)), lambda x: ops.log10(ops.add(ops.abs(x), 0.1)),
    lambda x: ops.exp2(x), lambda x: ops.cbrt(x), lambda x: ops.sinc(x), lambda x: ops.trunc(x), lambda x: ops.deg2rad(x), lambda x: ops.rad2deg(x),
    lambda x: ops.fabs(x), lambda x: ops.erfc(x), lambda x: ops.round(x, decimals=1), lambda x: ops.signbit(x), lambda x: ops.real(x),
    lambda x: ops.imag(x), lambda x: ops.conj(x), lambda x: ops.copy(x), lambda x: ops.stop_gradient(x), lambda x: ops.angle(x),
    lambda x: ops.saturate_cast(ops.multiply(x, 100.0), "int32"),
]
ACTIVATIONS = [
    lambda x: ops.relu(x), lambda x: ops.relu6(x), lambda x: ops.leaky_relu(x), lambda x: ops.elu(x, alpha=0.5), lambda x: ops.selu(x),
    lambda x: ops.celu(x, alpha=1.5), lambda x: ops.gelu(x, approximate=False), lambda x: ops.silu(x), lambda x: ops.hard_silu(x),
    lambda x: ops.hard_sigmoid(x), lambda x: ops.log_sigmoid(x), lambda x: ops.hard_tanh(x), lambda x: ops.softplus(x), lambda x: ops.softsign(x),
    lambda x: ops.log_softmax(x, axis=1), lambda x: ops.glu(x), lambda x: ops.glu(x, axis=-1),
    lambda x: ops.hard_shrink(x), lambda x: ops.hard_shrink(x, threshold=1.0), lambda x: ops.soft_shrink(x, threshold=0.25),
    lambda x: ops.tanh_shrink(x), lambda x: ops.threshold(x, 0.3, -1.0), lambda x: ops.squareplus(x, b=2), lambda x: ops.squareplus(x),
    lambda x: ops.sparse_plus(x), lambda x: ops.sparse_sigmoid(x), lambda x: ops.sparsemax(x), lambda x: ops.sparsemax(x, axis=1),
]
CHECKS = [
    lambda x: ops.isnan(ops.log(x)), lambda x: ops.isfinite(ops.log(x)), lambda x: ops.isposinf(ops.divide(x, 0.0)),
    lambda x: ops.isneginf(ops.divide(x, 0.0)), lambda x: ops.nan_to_num(ops.log(x)),
    lambda x: ops.nan_to_num(ops.divide(x, 0.0), nan=1.0, posinf=2.0, neginf=-3.0), lambda x: ops.isreal(x), lambda x: ops.logical_not(x),
    lambda x: ops.full_like(x, 2.5), lambda x: ops.full_like(x, 3, dtype="int32"), lambda x: ops.ones_like(x),
    lambda x: ops.zeros_like(x, dtype="int32"),
]
BINARY = [
    lambda x, y: ops.arctan2(x, y), lambda x, y: ops.logaddexp(x, y), lambda x, y: ops.logaddexp2(x, y), lambda x, y: ops.hypot(x, y),
    lambda x, y: ops.heaviside(x, y), lambda x, y: ops.fmax(x, y), lambda x, y: ops.fmin(x, y), lambda x, y: ops.fmod(x, y),
    lambda x, y: ops.divide_no_nan(x, ops.maximum(y, 0.0)), lambda x, y: ops.divide(x, y), lambda x, y: ops.isclose(x, ops.add(x, 1e-6)),
    lambda x, y: ops.floor_divide(x, y), lambda x, y: ops.mod(x, y), lambda x, y: ops.power(ops.abs(x), y), lambda x, y: ops.maximum(x, 0),
    lambda x, y: ops.minimum(1.0, y), lambda x, y: ops.where(ops.greater(x, y), x, 0.0), lambda x, y: ops.ldexp(x, ops.cast(ops.round(y), "int32")),
    lambda x, y: ops.logical_xor(x, ops.greater(y, 0)), lambda x, y: ops.add(x, ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0])),
]
INTEGERS = [
    lambda x, y: ops.bitwise_and(x, y), lambda x, y: ops.bitwise_xor(x, y), lambda x, y: ops.bitwise_not(x), lambda x, y: ops.bitwise_left_shift(x, y),
    lambda x, y: ops.bitwise_right_shift(x, 1), lambda x, y: ops.sum(x, axis=1), lambda x, y: ops.mean(x, axis=-1), lambda x, y: ops.cumsum(x, axis=1),
    lambda x, y: ops.max(x, axis=1), lambda x, y: ops.var(x, axis=1), lambda x, y: ops.floor_divide(x, 2), lambda x, y: ops.mod(x, ops.add(y, 1)),
    lambda x, y: ops.power(x, 2), lambda x, y: ops.one_hot(x, 4), lambda x, y: ops.one_hot(x, 5, axis=1, dtype="int32"),
    lambda x, y: ops.multi_hot(x, 5), lambda x, y: ops.argmax(x, axis=1), lambda x, y: ops.sort(x, axis=-1), lambda x, y: ops.argsort(x, axis=1),
    lambda x, y: ops.true_divide(x, 2), lambda x, y: ops.sqrt(x), lambda x, y: ops.exp(x), lambda x, y: ops.abs(ops.subtract(x, y)),
    lambda x, y: ops.square(x), lambda x, y: ops.pad(x, ((0, 0), (1, 2)), constant_values=7), lambda x, y: ops.equal(x, y),
    lambda x, y: ops.add(x, 1.5), lambda x, y: ops.count_nonzero(x, axis=1), lambda x, y: ops.dot(x, ops.transpose(y)),
    lambda x, y: ops.bitwise_or(x, y),
]
REDUCTIONS = [
    lambda x: ops.amax(x, axis=1), lambda x: ops.amin(x, axis=(1, 2), keepdims=True), lambda x: ops.std(x, axis=-1),
    lambda x: ops.std(x, axis=[1, 2], keepdims=True), lambda x: ops.var(x, axis=1, keepdims=True), lambda x: ops.var(x, axis=(0, 1)),
    lambda x: ops.var(x), lambda x: ops.logsumexp(x, axis=-1), lambda x: ops.logsumexp(x, axis=(1, 2), keepdims=True), lambda x: ops.logsumexp(x),
    lambda x: ops.ptp(x, axis=1), lambda x: ops.count_nonzero(ops.maximum(x, 0.0), axis=-1), lambda x: ops.average(x, axis=1),
    lambda x: ops.moments(x, axes=[1]), lambda x: ops.moments(x, axes=[1, 2], keepdims=True), lambda x: ops.norm(x[0]), lambda x: ops.norm(x, axis=-1),
    lambda x: ops.norm(x, ord=1, axis=1), lambda x: ops.norm(x, ord="fro", axis=(1, 2), keepdims=True),
    lambda x: ops.norm(x, ord=2, axis=1, keepdims=True), lambda x: ops.norm(x, ord=0, axis=1), lambda x: ops.normalize(x),
    lambda x: ops.normalize(x, axis=1, order=1), lambda x: ops.normalize(x, axis=-1, order=3), lambda x: ops.max(x, axis=1, initial=0.5),
    lambda x: ops.min(x, axis=[1], keepdims=True, initial=-0.5), lambda x: ops.prod(x, axis=1), lambda x: ops.prod(x, axis=1, dtype="float32"),
    lambda x: ops.all(ops.greater(x, -1.0), axis=1), lambda x: ops.any(ops.greater(x, 1.0), axis=(1, 2)), lambda x: ops.sum(x),
    lambda x: ops.rms_normalization(x), lambda x: ops.layer_normalization(x), lambda x: ops.norm(x, ord=3, axis=-1), lambda x: ops.mean(x),
]
ORDER = [
    lambda x: ops.argmax(x, axis=-1), lambda x: ops.argmax(x, axis=1, keepdims=True), lambda x: ops.argmax(x), lambda x: ops.argmin(x, axis=2),
    lambda x: ops.argmin(x, axis=1, keepdims=True), lambda x: ops.sort(x), lambda x: ops.sort(x, axis=1), lambda x: ops.argsort(x),
    lambda x: ops.argsort(x, axis=1), lambda x: ops.top_k(x, 2), lambda x: ops.top_k(x, k=1, sorted=False), lambda x: ops.cumsum(x, axis=1),
    lambda x: ops.cumsum(x), lambda x: ops.cumprod(x, axis=-1), lambda x: ops.diff(x), lambda x: ops.diff(x, n=2, axis=1),
    lambda x: ops.argsort(x, axis=None), lambda x: ops.sort(x, axis=0), lambda x: ops.cumsum(x, axis=1, dtype="float32"),
]
LAYOUT = [
    lambda x: ops.split(x, 2, axis=-1), lambda x: ops.split(x, [1, 3], axis=2), lambda x: ops.split(x, [1], axis=-2),
    lambda x: ops.array_split(x, 3, axis=-1), lambda x: ops.unstack(x, axis=1), lambda x: ops.unstack(x, num=4, axis=-1), lambda x: ops.hsplit(x, 3),
    lambda x: ops.dsplit(x, [1]), lambda x: ops.flip(x, axis=1), lambda x: ops.flip(x, axis=(1, -1)), lambda x: ops.flip(x), lambda x: ops.fliplr(x),
    lambda x: ops.flipud(x), lambda x: ops.roll(x, 1, axis=1), lambda x: ops.roll(x, -2, axis=-1), lambda x: ops.roll(x, [1, 3], axis=[1, 2]),
    lambda x: ops.roll(x, 5), lambda x: ops.repeat(x, 2, axis=1), lambda x: ops.repeat(x, [1, 0, 2], axis=1), lambda x: ops.repeat(x, 2),
    lambda x: ops.swapaxes(x, 1, 2), lambda x: ops.swapaxes(x, -1, 0), lambda x: ops.moveaxis(x, 1, -1), lambda x: ops.moveaxis(x, [0, 1], [-1, 0]),
    lambda x: ops.ravel(x), lambda x: ops.rot90(x, k=1, axes=(1, 2)), lambda x: ops.rot90(x[:, :, :3], k=2, axes=(1, 2)),
    lambda x: ops.rot90(x[:, :, :3], k=3, axes=(1, 2)), lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1))),
    lambda x: ops.pad(x, ((0, 0), (1, 0), (2, 2)), constant_values=-1.5),
    lambda x: ops.pad(x, ((0, 0), (1, 2), (3, 1)), mode="reflect"), lambda x: ops.pad(x, ((0, 0), (2, 2), (1, 4)), mode="symmetric"),
    lambda x: ops.transpose(x, (0, 2, 1)), lambda x: ops.reshape(x, (-1, 2, 6)), lambda x: ops.expand_dims(x, (1, -1)),
    lambda x: ops.tile(x, (1, 2, 2)), lambda x: ops.tile(x, 2), lambda x: ops.hstack([x, x]), lambda x: ops.vstack([x, x]),
    lambda x: ops.dstack([x, x]), lambda x: ops.append(x, x, axis=1), lambda x: ops.append(x, x), lambda x: ops.tril(x), lambda x: ops.triu(x, k=1),
    lambda x: ops.tril(x, k=-1), lambda x: ops.diagonal(x, axis1=1, axis2=2), lambda x: ops.diagonal(x, offset=1, axis1=2, axis2=1),
    lambda x: ops.trace(x, axis1=1, axis2=2), lambda x: ops.diag(x[:, 0, 0]), lambda x: ops.diag(x[0], k=1), lambda x: ops.diagflat(x[0, 0], k=-1),
    lambda x: ops.meshgrid(x[0, 0], x[0, :, 0]), lambda x: ops.meshgrid(x[0, 0], x[0, :, 0], indexing="ij"),
    lambda x: ops.slice(x, (0, 1, 1), (2, 2, 3)), lambda x: ops.squeeze(x[:, :1], 1), lambda x: ops.linspace(x[0, 0], x[0, 1], num=4),
    lambda x: ops.linspace(x[:, 0], x[:, 1], num=3, endpoint=False, axis=-1), lambda x: ops.depth_to_space(x[:, :, None, :], 2),
]
GATHER = [
    lambda x, i, j: ops.take(x, i, axis=1), lambda x, i, j: ops.take(x, [2, 0], axis=1), lambda x, i, j: ops.take(x, 1, axis=-1),
    lambda x, i, j: ops.take(x, i), lambda x, i, j: ops.take(x, [[0, -1], [1, 1]], axis=-1), lambda x, i, j: ops.take_along_axis(x, j, axis=1),
    lambda x, i, j: ops.take_along_axis(x, j, axis=-1), lambda x, i, j: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1),
    lambda x, i, j: ops.take(x, [0, 1], axis=0),
]
LINEAR = [
    lambda x, y: ops.matmul(x, ops.transpose(y, (0, 2, 1))), lambda x, y: ops.dot(x, ops.transpose(y[0])), lambda x, y: ops.dot(x, y[0, 0]),
    lambda x, y: ops.tensordot(x, y, axes=[[1, 2], [1, 2]]), lambda x, y: ops.tensordot(x, y, axes=[[2], [2]]),
    lambda x, y: ops.tensordot(x, ops.transpose(y[0]), axes=1), lambda x, y: ops.vdot(x, y), lambda x, y: ops.inner(x[0, 0], y[0, 1]),
    lambda x, y: ops.inner(x[0], y[1]), lambda x, y: ops.outer(x[0, 0], y[0, 1]), lambda x, y: ops.cross(x[..., :3], y[..., :3]),
    lambda x, y: ops.matmul(x, y[0, 0]), lambda x, y: ops.matmul(x[0, 0], ops.transpose(y, (0, 2, 1))), lambda x, y: ops.cdist(x, y),
    lambda x, y: ops.dot_product_attention(x[:, :, None], y[:, :, None], x[:, :, None]),
    lambda x, y: ops.dot_product_attention(x[:, :, None], y[:, :, None], x[:, :, None], is_causal=True, scale=0.3),
    lambda x, y: ops.batch_normalization(x, y[0, 0], ops.abs(y[0, 1]), axis=-1),
    lambda x, y: ops.batch_normalization(x, y[0, 0], ops.abs(y[0, 1]), axis=2, offset=y[1, 0], scale=y[1, 1], epsilon=0.1),
    lambda x, y: ops.layer_normalization(x, gamma=y[0, 0], beta=y[0, 1]), lambda x, y: ops.binary_crossentropy(ops.sigmoid(x), ops.sigmoid(y)),
    lambda x, y: ops.categorical_crossentropy(ops.softmax(x), ops.softmax(y)),
    lambda x, y: ops.categorical_crossentropy(ops.softmax(x), y, from_logits=True),
    lambda x, y: ops.binary_crossentropy(ops.sigmoid(x), y, from_logits=True), lambda x, y: ops.rms_normalization(x, scale=y[0, 0], axis=-1),
]
IMAGES = [
    lambda x: ops.image.resize(x, (8, 5)), lambda x: ops.image.resize(x, (3, 9), interpolation="nearest"),
    lambda x: ops.image.resize(x, (3, 4), interpolation="bicubic"), lambda x: ops.image.resize(x, (2, 3), antialias=True),
    lambda x: ops.image.resize(x, (6, 6), crop_to_aspect_ratio=True), lambda x: ops.image.resize(x, (6, 6), pad_to_aspect_ratio=True),
    lambda x: ops.image.rgb_to_grayscale(x), lambda x: ops.image.rgb_to_hsv(ops.sigmoid(x)), lambda x: ops.image.hsv_to_rgb(ops.sigmoid(x)),
    lambda x: ops.image.pad_images(x, top_padding=1, left_padding=2, bottom_padding=0, right_padding=3),
    lambda x: ops.image.pad_images(x, top_padding=1, left_padding=2, target_height=10, target_width=12),
    lambda x: ops.image.crop_images(x, top_cropping=1, left_cropping=2, bottom_cropping=1, right_cropping=1),
    lambda x: ops.image.crop_images(x, top_cropping=1, left_cropping=0, target_height=2, target_width=3),
    lambda x: ops.image.extract_patches(x, (2, 3)), lambda x: ops.image.extract_patches(x, 3, strides=1, padding="same"),
    lambda x: ops.image.extract_patches(x, (2, 2), strides=(1, 1), dilation_rate=2), lambda x: ops.space_to_depth(x, 2), lambda x: ops.max_pool(x, 2),
    lambda x: ops.max_pool(x, (2, 3), strides=1, padding="same"), lambda x: ops.average_pool(x, 2),
    lambda x: ops.average_pool(x, (3, 2), strides=(2, 1), padding="same"), lambda x: ops.space_to_depth(x, block_size=2),
]
KERNEL = ops.convert_to_tensor(np.random.default_rng(1).normal(0, 0.5, (3, 3, 3, 2)).round(2).astype("float32"))
CONVOLUTIONS = [
    lambda x: ops.conv(x, KERNEL), lambda x: ops.conv(x, KERNEL, strides=2, padding="same"),
    lambda x: ops.depthwise_conv(x, KERNEL),
    lambda x: ops.depthwise_conv(x, KERNEL, strides=2, padding="same"), lambda x: ops.conv(x[:, 0], KERNEL[0], padding="same"),
    lambda x: ops.conv(x[:, :, 0], KERNEL[0], strides=2), lambda x: ops.conv(x, KERNEL, dilation_rate=(1, 2)),
    lambda x: ops.separable_conv(x, KERNEL, ops.ones((1, 1, 6, 2)), padding="same"),
]

TWO, INTS = {"y": (2, 3, 4)}, {"x": ("int32", (2, 3)), "y": ("int32", (2, 3))}
INDICES = {"i": ("int32", (2, 3)), "j": ("int32", (2, 4, 4))}
functions("ops_elementary", ELEMENTARY)
functions("ops_activations", ACTIVATIONS)
functions("ops_checks", CHECKS)
functions("ops_binary", BINARY, **TWO)
functions("ops_integers", INTEGERS, **INTS)
functions("ops_reductions", REDUCTIONS)
functions("ops_order", ORDER)
functions("ops_layout", LAYOUT)
functions("ops_gather", GATHER, x=(2, 4, 4), **INDICES)
functions("ops_linear", LINEAR, **TWO)
functions("ops_images", IMAGES, x=(2, 4, 6, 3))
functions("ops_convolutions", CONVOLUTIONS, x=(2, 4, 6, 3))

OPEN = [
    lambda x: ops.split(x, 2, axis=-1), lambda x: ops.flip(x, axis=1), lambda x: ops.roll(x, 1, axis=1), lambda x: ops.roll(x, -7, axis=1), lambda x: ops.repeat(x, 2, axis=1), lambda x: ops.swapaxes(x, 1, 2),
    lambda x: ops.moveaxis(x, 1, -1), lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1))), lambda x: ops.pad(x, ((0, 0), (1, 1), (2, 0)), mode="reflect"), lambda x: ops.cumsum(x, axis=1), lambda x: ops.argmax(x, axis=1),
    lambda x: ops.sort(x, axis=1), lambda x: ops.argsort(x, axis=-2), lambda x: ops.diff(x, axis=1), lambda x: ops.var(x, axis=1), lambda x: ops.logsumexp(x, axis=(1, 2), keepdims=True), lambda x: ops.normalize(x, axis=1), lambda x: ops.tril(x),
    lambda x: ops.take(x, [0, -1], axis=1), lambda x: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1), lambda x: ops.layer_normalization(x), lambda x: ops.hstack([x, x]), lambda x: ops.tile(x, (1, 2, 1)), lambda x: ops.moments(x, axes=[1]),
    lambda x: ops.one_hot(ops.argmax(x, axis=-1), 4), lambda x: ops.unstack(x, axis=-1), lambda x: ops.max_pool(x, 2, padding="same"),
]
functions("ops_open", OPEN, x=(2, 5, 4), open_axes=True)
functions("ops_open_short", OPEN, x=(3, 2, 4), open_axes=True)
