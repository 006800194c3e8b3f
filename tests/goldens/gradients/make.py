"""Writes gradients.json: what TensorFlow's own GradientTape answers, at ordinary points and at corners. `generate/all.sh gradients` runs it.

Never computes an expected value itself: `op` is the text that TensorFlow evaluated, and the gradients are those of sum(output * upstream).
"""

import json
import zlib
from pathlib import Path

import golden
import numpy as np
import tensorflow as tf

keras = golden.keras
ROWS = []


def row(name, op, note=None, **inputs):
    """One row. An input is nested numbers, or a shape in a string like "2x3" for seeded ones; whole numbers in lists are cast to float
    unless the name of the input is `ids`, `condition` or `target`, which get no gradient."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    fixed, free = {}, {}
    for key, value in inputs.items():
        if isinstance(value, str):
            value = rng.normal(0, 1, [int(n) for n in value.split("x")]).round(3)
        dtype = {"ids": "int32", "condition": "bool"}.get(key, "float32")
        (fixed if key in ("ids", "condition", "target") else free)[key] = tf.constant(np.array(value, dtype))
    with tf.GradientTape() as tape:
        for tensor in free.values():
            tape.watch(tensor)
        output = eval(op, {"tf": tf, "keras": keras, **fixed, **free})  # noqa: S307
        upstream = tf.constant((rng.uniform(0.25, 2, output.shape) * rng.choice([-1, 1], output.shape)).round(2).astype("float32"))
        total = tf.reduce_sum(output * upstream)
    gradients = tape.gradient(total, free)
    written = {"name": name, "op": op, "inputs": {key: plain(value) for key, value in {**fixed, **free}.items()}, "upstream": plain(upstream),
               "output": plain(output), "gradients": {key: None if value is None else plain(tf.convert_to_tensor(value)) for key, value in gradients.items()}}
    if note:
        written["note"] = note
    ROWS.append(written)


def plain(value):
    """A shape and flat values. What JSON cannot say is a string: "NaN", "Infinity", "-Infinity"."""
    array = value.numpy()
    return {"shape": list(array.shape), "values": [number(v) for v in array.reshape(-1)]}


def number(value):
    if value.dtype.kind != "f":
        return value.item()
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return float(str(value))  # the shortest text that is this float32


POINTS = [-3.5, -1, -0.5, 0, 0.5, 1, 3.5]
CORNERS = {"condition": [True, False, True, False]}


def pools():
    ties = [[[[1], [1], [2], [0]], [[1], [0], [2], [2]], [[-1], [-1], [3], [3]], [[-1], [-1], [3], [3]]]]
    row("max_pool_ties", "tf.nn.max_pool2d(x, 2, 2, 'VALID')", "the first of equal values in window order gets all", x=ties)
    row("max_pool_ties_overlapping", "tf.nn.max_pool2d(x, 3, 1, 'VALID')", x=ties)
    row("max_pool_ties_same", "tf.nn.max_pool2d(x, 3, 2, 'SAME')", x=ties)
    row("max_pool_all_equal", "tf.nn.max_pool2d(x, 2, 2, 'SAME')", x=[[[[-2], [-2], [-2]]] * 3])
    row("max_pool", "tf.nn.max_pool2d(x, [2, 3], [2, 1], 'SAME')", x="1x4x5x2")
    row("max_pool1d_ties", "tf.nn.max_pool1d(x, 2, 1, 'VALID')", x=[[[1], [1], [1], [2], [2]]])
    row("average_pool_same", "tf.nn.avg_pool2d(x, 3, 2, 'SAME')", "padding does not count", x="1x4x5x2")
    row("average_pool_valid", "tf.nn.avg_pool2d(x, 2, 1, 'VALID')", x="1x3x3x2")
    row("global_average", "tf.reduce_mean(x, [1, 2])", x="2x2x3x2")
    row("global_max_ties", "tf.reduce_max(x, [1, 2])", "equal values share", x=[[[[1, 2], [1, 0]], [[1, 2], [0, 2]]]])


def reductions():
    ties = [[1, 3, 3], [2, 2, 2], [0, -1, -2]]
    row("reduce_max_ties", "tf.reduce_max(x, axis=1)", "equal values share", x=ties)
    row("reduce_min_ties", "tf.reduce_min(x, axis=0, keepdims=True)", x=[[1, 3, 0], [1, 2, 0], [1, 2, 5]])
    row("reduce_max_all_ties", "tf.reduce_max(x)", x=ties)
    row("reduce_sum", "tf.reduce_sum(x, axis=[0, 2])", x="2x3x2")
    row("reduce_mean", "tf.reduce_mean(x, axis=[0, -1], keepdims=True)", x="2x3x2")
    row("reduce_prod", "tf.reduce_prod(x, axis=1)", x="2x3")
    row("reduce_prod_zeros", "tf.reduce_prod(x, axis=1)", "none, one and two zeros", x=[[2, -3, 0.5], [2, 0, 5], [0, 3, 0]])
    row("reduce_prod_zero_all", "tf.reduce_prod(x)", x=[[2, 0], [4, 0.5]])
    row("reduce_variance", "tf.math.reduce_variance(x, axis=1)", x="2x4")
    row("reduce_std_constant", "tf.math.reduce_std(x, axis=1)", "the second row has no spread", x=[[1, 2, 4], [3, 3, 3]])
    row("reduce_logsumexp", "tf.reduce_logsumexp(x, axis=1)", x=[[1, 2, 0.5], [100, 100, -100]])
    row("norm", "tf.norm(x, axis=1)", "the norm of zeros", x=[[3, 4], [0, 0]])
    row("cumsum", "tf.cumsum(x, axis=1)", x="2x4")
    row("cumsum_exclusive_reverse", "tf.cumsum(x, axis=0, exclusive=True, reverse=True)", x="3x2")


def corners():
    row("maximum_equal", "tf.maximum(x, y)", "the first operand gets all", x=[1, 2, 3, 0], y=[1, 3, 2, -0.0])
    row("minimum_equal", "tf.minimum(x, y)", "the first operand gets all", x=[1, 2, 3, 0], y=[1, 3, 2, -0.0])
    row("maximum_broadcast", "tf.maximum(x, y)", x=[[1, 2, 3], [2, 2, 2]], y=[2])
    row("maximum_number", "tf.maximum(x, 0.0)", x=[-1, 0, 1])
    row("relu_zero", "tf.nn.relu(x)", x=[-1, -0.0, 0, 1e-30, 1])
    row("relu6_bounds", "tf.nn.relu6(x)", x=[-1, 0, 3, 6, 7])
    row("leaky_relu_zero", "tf.nn.leaky_relu(x, alpha=0.2)", x=[-1, 0, 1])
    row("keras_relu_all", "keras.activations.relu(x, alpha=0.3, max_value=4.0, threshold=1.0)", x=[-1, 0, 1, 2, 4, 5])
    row("abs_zero", "tf.abs(x)", x=[-2, -0.0, 0, 3])
    row("sign", "tf.sign(x)", x=[-2, 0, 3])
    row("clip_bounds", "tf.clip_by_value(x, -1.0, 2.0)", x=[-2, -1, 0, 2, 3])
    row("sqrt_zero", "tf.sqrt(x)", x=[0, 1e-8, 0.25, 4])
    row("rsqrt", "tf.math.rsqrt(x)", x=[0.0625, 1, 4])
    row("square_zero", "tf.square(x)", x=[-1, 0, 3])
    row("l2_normalize", "tf.math.l2_normalize(x, axis=1)", "zeros, almost zeros (the squares are less than epsilon), and ordinary", x=[[0, 0], [1e-7, -2e-7], [2e-6, 1e-6], [3, 4]])
    row("l2_normalize_axes", "tf.math.l2_normalize(x, axis=[1, 2])", x="2x2x2")
    row("where", "tf.where(condition, x, y)", x=[1, 2, 3, 4], y=[5, 6, 7, 8], **CORNERS)
    row("where_broadcast", "tf.where(condition, x, y)", x=[[1, 2, 3, 4], [5, 6, 7, 8]], y=[0.5], **CORNERS)
    row("where_nan_branch", "tf.where(x > 0, tf.math.log(x), 0.0)", "the branch that is not taken poisons the gradient: 0 times infinity", x=[-1, 0, 4])
    row("where_nan_branch_sqrt", "tf.where(x > 0, tf.sqrt(x), 0.0)", "not here: where the upstream is 0, the gradient of sqrt is 0, even where the root is NaN or 0", x=[-1, 0, 4])
    row("where_nan_branch_safe", "tf.where(x > 0, tf.sqrt(tf.where(x > 0, x, 1.0)), 0.0)", x=[-1, 0, 4])
    row("log_zero", "tf.math.log(x)", x=[0, 0.5, 2])
    row("log1p", "tf.math.log1p(x)", x=[-0.5, 0, 1e-8, 3])
    row("expm1", "tf.math.expm1(x)", x=[-1, 0, 1e-8, 2])
    row("floor", "tf.floor(x)", "no gradient at all", x=[-1.5, 0, 2.5])
    row("round", "tf.round(x)", "no gradient at all", x=[-1.5, 0.5, 2.5])
    row("pow", "tf.pow(x, y)", x=[2, 0.5, 3, 1.5], y=[3, -2, 0, 0.5])
    row("pow_zero_base", "tf.pow(x, y)", "log(0) counts as 0 in the exponent's gradient", x=[0, 0, 0], y=[0, 1, 2])
    row("pow_negative_base", "tf.pow(x, y)", x=[-2, -2, -1], y=[2, 3, 0])
    row("pow_number", "x ** 2.0", x=[-2, 0, 3])
    row("pow_half", "x ** 0.5", x=[0, 4])
    row("pow_of_number", "2.0 ** x", x=[-1, 0, 3])
    row("divide", "x / y", x=[[1, -2], [3, 0]], y=[[2, -4], [0.5, 3]])
    row("divide_broadcast", "x / y", x="2x3", y=[[2], [-4]])
    row("divide_by_zero", "x / y", x=[1, 0], y=[0, 0])
    row("divide_no_nan", "tf.math.divide_no_nan(x, y)", x=[1, 2, 0], y=[0, 4, 0])
    row("reciprocal", "tf.math.reciprocal(x)", x=[0.5, -4])
    row("squared_difference", "tf.math.squared_difference(x, y)", x="2x3", y="3")
    row("floormod", "tf.math.floormod(x, y)", x=[5.5, -5.5, 3], y=[3, 3, -2])


def activations():
    for name, op in [("sigmoid", "tf.sigmoid(x)"), ("tanh", "tf.tanh(x)"), ("softplus", "tf.math.softplus(x)"), ("elu", "tf.nn.elu(x)"), ("selu", "tf.nn.selu(x)"),
                     ("gelu_exact", "tf.nn.gelu(x, approximate=False)"), ("gelu_approximate", "tf.nn.gelu(x, approximate=True)"), ("silu", "tf.nn.silu(x)"),
                     ("mish", "keras.activations.mish(x)"), ("softsign", "tf.nn.softsign(x)"), ("exp", "tf.exp(x)"), ("erf", "tf.math.erf(x)"), ("log_sigmoid", "tf.math.log_sigmoid(x)"),
                     ("sin", "tf.sin(x)"), ("cos", "tf.cos(x)"), ("elu_alpha", "keras.activations.elu(x, alpha=0.4)")]:
        row(name, op, x=POINTS)
    row("hard_sigmoid", "keras.activations.hard_sigmoid(x)", "Keras 2: clip(0.2 x + 0.5, 0, 1); its corners are at -2.5 and 2.5", x=[-3, -2.5, -1, 0, 2.5, 3])
    row("hard_sigmoid_keras3", "tf.nn.relu6(x + 3.0) / 6.0", "Keras 3: its corners are at -3 and 3", x=[-4, -3, -1, 0, 3, 4])
    row("saturated", "tf.sigmoid(x) + tf.tanh(x) + tf.math.softplus(x)", x=[-100, 100])
    row("prelu", "tf.nn.relu(x) - alpha * tf.nn.relu(-x)", x=[[-2, 0, 3], [1, -1, -0.5]], alpha=[0.1, 0.2, 0.3])
    row("softmax", "tf.nn.softmax(x)", x="2x4")
    row("softmax_axis_1", "tf.nn.softmax(x, axis=1)", x="2x3x2")
    row("softmax_large", "tf.nn.softmax(x)", x=[[100, -100, 99], [0, 0, 0]])
    row("log_softmax", "tf.nn.log_softmax(x)", x="2x4")
    row("log_softmax_large", "tf.nn.log_softmax(x)", x=[[100, -100, 99], [0, 0, 0]])


def networks():
    row("batch_norm_training", "tf.nn.batch_normalization(x, *tf.nn.moments(x, [0]), beta, gamma, 1e-3)", "mean and biased variance of the batch", x="4x3", gamma=[1, 0.5, 2], beta=[0, 1, -1])
    row("batch_norm_training_rank4", "tf.raw_ops.FusedBatchNormV3(x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=1e-3, is_training=True)[0]", "the fused kernel",
        x="2x2x3x2", gamma=[1, 0.5], beta=[0, 1])
    row("batch_norm_training_one_row", "tf.nn.batch_normalization(x, *tf.nn.moments(x, [0]), beta, gamma, 1e-3)", "a batch of one: the variance is 0", x=[[2, -1]], gamma=[1, 0.5], beta=[0, 1])
    row("batch_norm_inference", "tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)", x="3x2", gamma=[1, 0.5], beta=[0, 1], mean=[0.5, -1], variance=[2, 0.25])
    row("layer_norm", "tf.nn.batch_normalization(x, *tf.nn.moments(x, [-1], keepdims=True), beta, gamma, 1e-3)", x="2x2x4", gamma=[1, 0.5, 2, 1.5], beta=[0, 1, -1, 0.5])
    row("conv2d_same_stride_2", "tf.nn.conv2d(x, w, 2, 'SAME')", x="1x5x4x2", w="3x3x2x2")
    row("conv2d_same_stride_2_even", "tf.nn.conv2d(x, w, 2, 'SAME')", x="1x4x5x1", w="2x4x1x2")
    row("conv2d_valid", "tf.nn.conv2d(x, w, [1, 2], 'VALID')", x="2x4x5x1", w="2x3x1x2")
    row("conv2d_dilated_same", "tf.compat.v1.nn.with_space_to_batch(x, [2, 2], 'SAME', lambda t, _spatial, _padding: tf.nn.conv2d(t, w, 1, 'VALID'), [3, 3])",
        "dilation 2: TensorFlow's CPU kernels have no dilated gradient of their own", x="1x5x4x1", w="3x3x1x2")
    row("conv2d_groups", "tf.concat([tf.nn.conv2d(x[..., :2], w[..., :2], 1, 'SAME'), tf.nn.conv2d(x[..., 2:], w[..., 2:], 1, 'SAME')], -1)", "two groups: the kernel has half the channels", x="1x3x3x4", w="2x2x2x4")
    row("conv1d_causal", "tf.compat.v1.nn.with_space_to_batch(tf.pad(x, [[0, 0], [4, 0], [0, 0]]), [2], 'VALID', lambda t, _spatial, _padding: tf.nn.conv1d(t, w, 1, 'VALID'), [3])",
        "dilation 2, padded on the left only", x="1x5x2", w="3x2x2")
    row("depthwise_same_stride_2", "tf.nn.depthwise_conv2d(x, w, [1, 2, 2, 1], 'SAME')", x="1x5x4x2", w="3x3x2x2")
    row("depthwise_valid", "tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], 'VALID')", x="1x3x4x2", w="2x2x2x1")
    row("matmul", "tf.matmul(x, y)", x="2x3", y="3x2")
    row("matmul_transpose_a", "tf.matmul(x, y, transpose_a=True)", x="3x2", y="3x2")
    row("matmul_transpose_b", "tf.matmul(x, y, transpose_b=True)", x="2x3", y="4x3")
    row("matmul_transpose_both", "tf.matmul(x, y, transpose_a=True, transpose_b=True)", x="3x2", y="4x3")
    row("matmul_batch_broadcast", "tf.matmul(x, y)", x="2x2x3", y="1x3x2")
    row("dense", "tf.nn.relu(tf.matmul(x, w) + b)", x="3x2", w="2x4", b="4")
    row("attention", "tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / 2.0), v)", q="1x2x3", k="1x3x3", v="1x3x2")
    row("upsample_nearest", "tf.repeat(tf.repeat(x, 2, axis=1), 3, axis=2)", x="1x2x2x2")
    row("upsample_bilinear", "tf.image.resize(x, [4, 6], 'bilinear')", "half-pixel centers", x="1x2x3x1")


def arrangements():
    row("add_outer", "x + y", "[n, 1] + [1, n]", x="3x1", y="1x3")
    row("multiply_outer", "x * y", x="2x1", y="1x3")
    row("subtract_rank", "x - y", x="2x2x3", y="3")
    row("add_itself", "x + x * x", "one tensor used three times", x="3")
    row("concat", "tf.concat([x, y, x], axis=1)", "one part appears twice", x="2x2", y="2x1")
    row("stack", "tf.stack([x, y], axis=1)", x="2x2", y="2x2")
    row("slice_strides", "x[:, 1::2]", x="2x5")
    row("slice_backwards", "x[::-2, 1:3]", x="4x3")
    row("slice_index", "x[..., -1, tf.newaxis]", x="2x2x3")
    row("split", "tf.split(x, [1, 3], axis=1)[1]", x="2x4")
    row("reverse", "tf.reverse(x, [1])", x="2x3")
    row("transpose", "tf.transpose(x, [2, 0, 1])", x="2x3x2")
    row("pad", "tf.pad(x, [[0, 1], [2, 0]])", x="2x2")
    row("pad_reflect", "tf.pad(x, [[0, 0], [2, 1]], 'REFLECT')", x="1x3")
    row("tile", "tf.tile(x, [2, 3])", x="2x2")
    row("repeat", "tf.repeat(x, 3, axis=1)", x="2x2")
    row("reshape", "tf.reshape(x, [3, -1])", x="2x3x2")
    row("squeeze_expand", "tf.expand_dims(tf.squeeze(x, 1), 0)", x="2x1x3")
    row("gather_repeated", "tf.gather(x, ids)", "rows that are looked up several times add up, others get zeros", x="4x2", ids=[[2, 0, 2], [2, 3, 0]])
    row("gather_axis_1", "tf.gather(x, ids, axis=1)", x="2x4", ids=[3, 3, 1])
    row("stop_gradient", "x * tf.stop_gradient(x)", x="3")


def losses():
    row("loss_categorical_crossentropy", "keras.losses.categorical_crossentropy(target, p)", "probabilities are divided by their sum and clipped at 1e-7: a clipped one gets no gradient",
        p=[[0.2, 0.3, 0.5], [0.4, 0.4, 0.4], [1, 0, 0]], target=[[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    row("loss_categorical_crossentropy_logits", "tf.nn.softmax_cross_entropy_with_logits(target, x)", x=[[1, 2, 0.5], [100, -100, 0]], target=[[0, 1, 0], [0, 0.5, 0.5]])
    row("loss_binary_crossentropy", "keras.losses.binary_crossentropy(target, p)", "clipped at 1e-7", p=[[0.2], [0.9], [1], [0]], target=[[0], [1], [0], [0]])
    row("loss_binary_crossentropy_logits", "tf.nn.sigmoid_cross_entropy_with_logits(target, x)", x=[-2, 0, 0.5, 100], target=[0, 1, 0.5, 0])
    row("loss_mean_squared_error", "keras.losses.mean_squared_error(target, x)", x="2x3", target=[[0, 1, 0], [1, 0, 0]])
    row("loss_mean_absolute_error", "keras.losses.mean_absolute_error(target, x)", "equal values", x=[[0, 2, -1], [1, 0.5, 0]], target=[[0, 1, 0], [1, 0, 0]])
    row("loss_huber", "keras.losses.huber(target, x)", "the corners are at a distance of 1", x=[[0, 1, 2], [-1, -3, 0.5]], target=[[0, 0, 0], [0, 0, 0]])
    row("loss_log_cosh", "keras.losses.log_cosh(target, x)", x=[[0, 1, -3]], target=[[0, 0, 0]])


for part in (pools, reductions, corners, activations, networks, arrangements, losses):
    part()
names = [written["name"] for written in ROWS]
assert len(set(names)) == len(names)
lines = ",\n".join("  " + json.dumps(written, allow_nan=False) for written in ROWS)
path = Path(__file__).with_name("gradients.json")
path.write_text(f'{{\n "producer": "tensorflow {tf.__version__}, keras {golden.VERSION}, CPU",\n "recipe": "goldens/gradients/make.py",\n "rows": [\n{lines}\n ]\n}}\n')
print(f"gradients: {len(ROWS)} rows")
