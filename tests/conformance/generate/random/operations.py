"""Functions that stand in graphs as nodes: TensorFlow's in Keras 2, `keras.ops` in Keras 3. A table of makers: each draws its arguments for the
nodes it is given and returns the function of their tensors."""

import numpy as np
from golden import K3, keras, tf

UNARY = {}
INTEGER = []
BINARY = []

K = keras.ops if K3 else None


def unary(make):
    UNARY[make.__name__] = make
    return make


def binary(make):
    BINARY.append(make)
    return make


def pick(d, names):
    """A function of the Keras at hand, by its dotted name."""
    name = d.choice(names.split())
    found = K if K3 else tf
    for part in name.split("."):
        found = getattr(found, part)
    return found


def constant(d, shape):
    """A number, or an array that broadcasts."""
    if d.maybe(0.6):
        return d.one(2, 0.5, -1.5, 3, 1e-3)
    rank = len(shape)
    cut = d.randint(1, rank)
    sizes = [size if d.maybe(0.7) else 1 for size in shape[cut:]]
    values = np.array([round(d.uniform(-2, 2), 2) for _ in range(int(np.prod(sizes)))], "float32").reshape(sizes)
    return values


# ---- one tensor --------------------------------------------------------------------------------------------------------------


@unary
def elementwise(d, x):
    if K3:
        return pick(d, """abs absolute negative square sign exp expm1 sin cos tan sinh cosh tanh arctan arcsinh floor ceil round trunc relu relu6 leaky_relu elu selu celu
            gelu silu hard_silu sigmoid hard_sigmoid log_sigmoid hard_tanh softplus softsign hard_shrink soft_shrink tanh_shrink threshold squareplus sparse_plus
            sparse_sigmoid erf isnan isfinite isinf logical_not zeros_like ones_like sinc exp2 cbrt nan_to_num signbit deg2rad rad2deg real conj stop_gradient""")
    return pick(d, """abs negative square sign exp math.expm1 sin cos tan sinh cosh tanh atan asinh floor math.ceil round math.rint nn.relu nn.relu6 nn.elu nn.selu
        nn.gelu nn.silu nn.swish sigmoid math.log_sigmoid math.softplus nn.softsign math.erf math.erfc math.is_nan math.is_finite zeros_like ones_like identity
        stop_gradient nn.leaky_relu math.sigmoid""")


@unary
def guarded(d, x):
    """What is defined for positive numbers alone."""
    f = pick(d, "sqrt log rsqrt log2 log10 log1p reciprocal" if K3 else "sqrt math.log math.rsqrt math.log1p math.reciprocal math.lgamma math.digamma")
    absolute = K.abs if K3 else tf.abs
    return lambda t: f(absolute(t) + 0.5)


@unary
def bounded(d, x):
    f = pick(d, "arcsin arccos arctanh" if K3 else "math.asin math.acos math.atanh math.erfinv")
    tanh = K.tanh if K3 else tf.tanh
    return lambda t: f(tanh(t) * 0.9)


@unary
def scaled(d, x):
    """An operator with a number or an array, on either side."""
    c = constant(d, x.full)
    return d.one(
        lambda t: t + c, lambda t: t - c, lambda t: c - t, lambda t: t * c, lambda t: t / (abs(c) + 1), lambda t: c + t, lambda t: c * t,
        lambda t: t // 0.7, lambda t: t % 1.3, lambda t: t**2, lambda t: -t, lambda t: abs(t), lambda t: c / (abs(t) + 1),
    )


@unary
def functions_with_numbers(d, x):
    c = constant(d, x.full)
    f = pick(d, "add subtract multiply maximum minimum" if K3 else "add subtract multiply maximum minimum math.squared_difference math.atan2")
    return d.one(lambda t: f(t, c), lambda t: f(c, t)) if not isinstance(c, np.ndarray) or K3 else lambda t: f(t, c)


@unary
def clipped(d, x):
    low, high = d.one((-1, 1), (0.0, 2.5), (-0.5, 0.75))
    return (lambda t: K.clip(t, low, high)) if K3 else (lambda t: tf.clip_by_value(t, low, high))


@unary
def reduced(d, x):
    if K3:
        f = pick(d, "sum mean max min prod std var logsumexp amax amin median any all count_nonzero norm ptp nanmax nansum")
    else:
        f = pick(d, """reduce_sum reduce_mean reduce_max reduce_min reduce_prod math.reduce_std math.reduce_variance reduce_logsumexp math.reduce_euclidean_norm
            math.count_nonzero norm math.zero_fraction""")
    axis = d.one(d.axis(x.rank), d.axes(x.rank), tuple(d.axes(x.rank)))
    keep = {"keepdims": d.maybe()} if d.maybe() else {}
    return lambda t: f(t, axis=axis, **keep)


@unary
def ordered(d, x):
    axis = d.axis(x.rank)
    if K3:
        f = pick(d, "argmax argmin sort argsort cumsum cumprod softmax log_softmax flip diff")
    else:
        f = pick(d, "argmax argmin sort argsort cumsum math.cumprod nn.softmax nn.log_softmax math.l2_normalize math.cumulative_logsumexp")
        if f in (tf.cumsum, tf.math.cumprod) and d.maybe():
            return lambda t: f(t, axis=axis, exclusive=True, reverse=True)
        if f in (tf.sort, tf.argsort) and d.maybe():
            return lambda t: f(t, axis=axis, direction="DESCENDING")
    return lambda t: f(t, axis=axis)


@unary
def top(d, x):
    k = d.randint(1, x.full[-1])
    return (lambda t: tuple(K.top_k(t, k))) if K3 else (lambda t: tuple(tf.math.top_k(t, k)))


@unary
def transposed(d, x):
    order = [0, *d.sample(range(1, x.rank), x.rank - 1)]
    if K3 and d.maybe(0.3):
        a, b = d.sample(range(1, x.rank), 2) if x.rank > 2 else (1, 1)
        return d.one(lambda t: K.swapaxes(t, a, b), lambda t: K.moveaxis(t, a, b - x.rank))
    return (lambda t: K.transpose(t, order)) if K3 else (lambda t: tf.transpose(t, order))


@unary
def reshaped(d, x):
    """Some neighbouring axes become one, the batch is what the tensor says or -1."""
    start = d.randint(1, x.rank - 1)
    sizes = list(x.full[1:start]) + [int(np.prod(x.full[start:]))]
    if None in x.shape[1:] and d.maybe(0.7):
        if K3:
            return lambda t: K.reshape(t, (-1, *[K.shape(t)[i] for i in range(1, start)], x.full[-1]))
        return lambda t: tf.reshape(t, [tf.shape(t)[0], *[tf.shape(t)[i] for i in range(1, start)], -1]) if start < 2 or None in x.shape[start:] else tf.reshape(t, [-1, *[tf.shape(t)[i] for i in range(1, start)], int(np.prod(x.full[start:]))])
    if K3:
        return lambda t: K.reshape(t, (-1, *sizes))
    return d.one(lambda t: tf.reshape(t, [-1, *sizes]), lambda t: tf.reshape(t, (tf.shape(t)[0], *sizes)))


@unary
def expanded(d, x):
    axis = d.one(d.randint(1, x.rank), -1)
    f = K.expand_dims if K3 else tf.expand_dims
    return lambda t: f(t, axis)


@unary
def squeezed(d, x):
    ones = [i for i in range(1, x.rank) if x.shape[i] == 1]
    axis = d.choice(ones)
    f = K.squeeze if K3 else tf.squeeze
    return lambda t: f(t, axis)


@unary
def sliced(d, x):
    """Python's indexing."""
    index = [slice(None)]
    for size in x.full[1 : d.randint(2, x.rank)]:
        start, stop = sorted((d.randint(0, size), d.randint(0, size)))
        kind = d.one("all", "part", "one", "step", "back", "tail", "new", "negative")
        index.append({"all": slice(None), "part": slice(start, max(stop, start + 1)), "one": d.randrange(size), "step": slice(None, None, 2), "back": slice(None, None, -1),
                      "tail": slice(-min(2, size), None), "new": None, "negative": -1}[kind])
        if kind == "new":
            index.append(slice(None))
    if K3 and d.maybe(0.25):
        index[1:] = [Ellipsis, d.one(0, -1, slice(0, 1), None)]
    index = tuple(index)
    return lambda t: t[index]


@unary
def pieces(d, x):
    axis = d.axis(x.rank)
    size = x.shape[axis]
    count = d.choice([n for n in range(1, size + 1) if size % n == 0 and n <= 6])
    if K3:
        if d.maybe(0.3):
            return lambda t: tuple(K.unstack(t, axis=axis)[:4]) if size <= 6 else tuple(K.split(t, count, axis=axis))
        if size > 1 and d.maybe(0.3):
            cut = d.randint(1, size - 1)
            return lambda t: tuple(K.split(t, [cut], axis=axis))
        return lambda t: tuple(K.split(t, count, axis=axis))
    if d.maybe(0.3) and size <= 6:
        return lambda t: tuple(tf.unstack(t, axis=axis))
    if size > 1 and d.maybe(0.3):
        cut = d.randint(1, size - 1)
        return lambda t: tuple(tf.split(t, [cut, size - cut], axis=axis))
    return lambda t: tuple(tf.split(t, count, axis=axis))


@unary
def repeated(d, x):
    axis = d.axis(x.rank)
    times = d.randint(1, 3)
    tiles = [1] + [d.randint(1, 2) for _ in x.full[1:]]
    shift = d.randint(-2, 3)
    if K3:
        return d.one(lambda t: K.repeat(t, times, axis=axis), lambda t: K.tile(t, tiles), lambda t: K.roll(t, shift, axis=axis), lambda t: K.flip(t, axis=axis))
    return d.one(lambda t: tf.repeat(t, times, axis=axis), lambda t: tf.tile(t, tiles), lambda t: tf.roll(t, shift, axis), lambda t: tf.reverse(t, [axis]))


@unary
def padded(d, x):
    widths = [[0, 0]] + [[d.randint(0, min(2, size - 1)), d.randint(0, min(2, size - 1))] for size in x.full[1:]]
    mode = d.one("constant", "reflect", "symmetric")
    value = d.one(0, 1.5)
    if K3:
        return lambda t: K.pad(t, widths, mode=mode, **({"constant_values": value} if mode == "constant" else {}))
    return lambda t: tf.pad(t, widths, mode=mode.upper(), **({"constant_values": value} if mode == "constant" else {}))


@unary
def taken(d, x):
    axis = d.axis(x.rank)
    ids = [d.randrange(x.full[axis]) for _ in range(d.randint(1, 4))]
    return (lambda t: K.take(t, ids, axis=axis)) if K3 else (lambda t: tf.gather(t, ids, axis=axis))


@unary
def compared(d, x):
    f = pick(d, "greater less greater_equal less_equal equal not_equal")
    c = d.one(0, 0.25, -0.5)
    if K3:
        return d.one(lambda t: f(t, c), lambda t: K.where(f(t, c), t, c), lambda t: K.cast(f(t, c), "float32"), lambda t: K.logical_not(f(t, c)))
    return d.one(lambda t: f(t, c), lambda t: tf.where(f(t, c), t, tf.zeros_like(t)), lambda t: tf.cast(f(t, c), tf.float32), lambda t: tf.logical_not(f(t, c)))


@unary
def cast(d, x):
    dtype = d.one("int32", "float32", "bool", "int64", "float16")
    return (lambda t: K.cast(t, dtype)) if K3 else (lambda t: tf.cast(t, dtype))


@unary
def normalised(d, x):
    axes = d.axes(x.rank)
    if K3:
        return d.one(lambda t: K.normalize(t, axis=axes[0]), lambda t: tuple(K.moments(t, axes, keepdims=True)), lambda t: K.moments(t, axes)[1])
    return d.one(lambda t: tuple(tf.nn.moments(t, axes)), lambda t: tf.math.l2_normalize(t, axis=axes[0]), lambda t: tf.nn.moments(t, axes, keepdims=True)[0])


@unary
def image(d, x):
    assert x.rank == 4
    size = (d.randint(1, 7), d.randint(1, 7))
    ksize, stride, padding = d.randint(1, 2), d.randint(1, 2), d.one("same", "valid")
    if K3:
        method = d.one("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        return d.one(
            lambda t: K.image.resize(t, size, interpolation=method),
            lambda t: K.max_pool(t, ksize, stride, padding=padding),
            lambda t: K.average_pool(t, ksize, stride, padding=padding),
            lambda t: K.image.extract_patches(t, (ksize, ksize), strides=(stride, stride), padding=padding),
            lambda t: K.image.pad_images(t, 1, 0, 2, 1),
            lambda t: K.image.crop_images(t, 0, 0, target_height=1, target_width=1),
            lambda t: K.image.rgb_to_grayscale(t),
        )
    method = d.one("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
    return d.one(
        lambda t: tf.image.resize(t, size, method=method),
        lambda t: tf.nn.max_pool2d(t, ksize, stride, padding.upper()),
        lambda t: tf.nn.avg_pool2d(t, ksize, stride, padding.upper()),
        lambda t: tf.image.extract_patches(t, [1, ksize, ksize, 1], [1, stride, stride, 1], [1, 1, 1, 1], padding.upper()),
        lambda t: tf.image.flip_left_right(t),
        lambda t: tf.image.resize_with_crop_or_pad(t, *size),
        lambda t: tf.nn.depth_to_space(t, 2) if x.full[-1] % 4 == 0 else tf.nn.space_to_depth(t, 1 + x.full[1] % 2),
        lambda t: tf.image.rgb_to_grayscale(t),
    )


@unary
def multiplied(d, x):
    """A product with a constant matrix."""
    size = x.shape[-1]
    matrix = np.array([round(d.uniform(-1, 1), 2) for _ in range(size * 3)], "float32").reshape(size, 3)
    if K3:
        return d.one(lambda t: K.matmul(t, matrix), lambda t: K.dot(t, matrix), lambda t: K.einsum("...a,ab->...b", t, matrix), lambda t: K.tensordot(t, matrix, axes=1))
    return d.one(lambda t: tf.matmul(t, matrix), lambda t: t @ matrix, lambda t: tf.tensordot(t, matrix, 1), lambda t: tf.einsum("...a,ab->...b", t, matrix))


@unary
def shaped_like(d, x):
    value = d.one(0.5, 2, -1)
    wide = (x.full[0], d.randint(2, 3), *x.full[1:])
    if K3:
        return d.one(
            lambda t: K.full_like(t, value), lambda t: K.broadcast_to(K.expand_dims(t, 1), wide), lambda t: t * K.ones_like(t), lambda t: K.zeros_like(t) + value,
            lambda t: K.tril(t), lambda t: K.triu(t, k=1), lambda t: K.reshape(t, (x.full[0], -1)),
        )
    return d.one(
        lambda t: tf.zeros_like(t) + value, lambda t: tf.fill(tf.shape(t), float(value)), lambda t: tf.ones(tf.shape(t)) * t, lambda t: tf.linalg.band_part(t, 1, -1),
        lambda t: tf.broadcast_to(tf.expand_dims(t, 1), wide), lambda t: tf.reshape(t, [tf.shape(t)[0], -1]), lambda t: tf.ensure_shape(t, (None, *x.full[1:])),
    )


@unary
def diagonal(d, x):
    assert x.rank > 2
    a, b = d.sample(range(1, x.rank), 2)
    k = d.randint(-1, 1)
    if K3:
        return d.one(lambda t: K.diagonal(t, offset=k, axis1=a, axis2=b), lambda t: K.trace(t, offset=k, axis1=a, axis2=b - x.rank))
    return d.one(lambda t: tf.linalg.diag_part(t), lambda t: tf.linalg.trace(t), lambda t: tf.linalg.diag(t), lambda t: tf.linalg.set_diag(t, tf.linalg.diag_part(t) * 2))


@unary
def along(d, x):
    axis = d.axis(x.rank)
    size = x.full[axis]
    if K3:
        return d.one(
            lambda t: K.take_along_axis(t, K.argsort(t, axis=axis), axis=axis),
            lambda t: K.quantile(t, 0.25, axis=axis),
            lambda t: K.median(t, axis=axis, keepdims=True),
            lambda t: K.percentile(t, 30, axis=axis),
            lambda t: K.one_hot(K.argmax(t, axis=axis), size),
            lambda t: K.norm(t, ord=2, axis=axis),
            lambda t: K.normalize(t, axis=axis, order=1),
            lambda t: K.average(t, axis=axis, weights=K.convert_to_tensor(np.arange(1, size + 1, dtype="float32"))),
            lambda t: K.all(t > 0, axis=axis), lambda t: K.any(t > 1, axis=axis, keepdims=True),
            lambda t: K.digitize(t, np.array([-1.0, 0.0, 0.7])), lambda t: K.searchsorted(np.array([-1.0, 0.0, 0.7], "float32"), t),
        )
    return d.one(
        lambda t: tf.gather(t, tf.argsort(t, axis=-1), batch_dims=x.rank - 1),
        lambda t: tf.one_hot(tf.argmax(t, axis=axis), size, axis=-1),
        lambda t: tf.norm(t, ord=1, axis=axis, keepdims=True),
        lambda t: tf.reduce_all(t > 0, axis=axis), lambda t: tf.reduce_any(t > 1, axis=axis, keepdims=True),
        lambda t: tf.reduce_sum(tf.cast(t > 0, tf.int32), axis), lambda t: tf.math.in_top_k(tf.zeros_like(tf.argmax(t, -1)), t, 1),
        lambda t: tf.searchsorted([-1.0, 0.0, 0.7], tf.reshape(t, [-1])), lambda t: tf.clip_by_norm(t, 1.5, axes=[axis]),
        lambda t: tf.roll(t, [1, -1], [axis, axis]), lambda t: tf.reverse(t, axis=[axis]),
        lambda t: tf.slice(t, [0] * x.rank, [-1] * (x.rank - 1) + [1]), lambda t: tf.strided_slice(t, [0] * x.rank, list(x.full), [1] * (x.rank - 1) + [2]),
    )


@unary
def convolved(d, x):
    """Convolutions and pools as functions."""
    axes = x.rank - 2
    assert 1 <= axes <= 3
    size = [d.randint(1, 2) for _ in range(axes)]
    stride, dilation = d.one(1, 2), 1
    if stride == 1:
        dilation = d.one(1, 2)
    padding = d.one("same", "valid")
    shape = [*size, x.shape[-1], 2]
    kernel = np.array([round(d.uniform(-1, 1), 2) for _ in range(int(np.prod(shape)))], "float32").reshape(shape)
    if K3:
        return d.one(
            lambda t: K.conv(t, kernel, strides=stride, padding=padding, dilation_rate=dilation),
            lambda t: K.depthwise_conv(t, kernel, strides=stride, padding=padding, dilation_rate=dilation),
            lambda t: K.conv_transpose(t, np.swapaxes(kernel, -1, -2).copy(), strides=stride, padding=padding),
            lambda t: K.average_pool(t, size, strides=stride, padding=padding), lambda t: K.max_pool(t, tuple(size), padding=padding),
        )
    return d.one(
        lambda t: tf.nn.convolution(t, kernel, strides=stride, padding=padding.upper(), dilations=dilation),
        lambda t: tf.nn.pool(t, size, "MAX", strides=[stride] * axes, padding=padding.upper()), lambda t: tf.nn.pool(t, size, "AVG", padding=padding.upper()),
        lambda t: tf.nn.conv2d(t, kernel, [1, stride, stride, 1], padding.upper()) if axes == 2 else tf.nn.conv1d(t, kernel, stride, padding.upper()),
        lambda t: tf.nn.depthwise_conv2d(t, kernel, [1, stride, stride, 1], padding.upper()),
    )


# ---- whole numbers -----------------------------------------------------------------------------------------------------------


def integer(make):
    INTEGER.append(make)
    return make


@integer
def to_one_hot(d, x):
    return (lambda t: K.one_hot(t, 8, axis=-1)) if K3 else (lambda t: tf.one_hot(t, 8, **d.pick(on_value=2.0, off_value=-1.0)))


@integer
def to_float(d, x):
    return (lambda t: K.cast(t, "float32")) if K3 else (lambda t: tf.cast(t, tf.float32))


@integer
def whole_arithmetic(d, x):
    return d.one(lambda t: t + 1, lambda t: t * 2, lambda t: t // 2, lambda t: t % 3, lambda t: 7 - t, lambda t: t - 3, lambda t: abs(t - 4), lambda t: t // -3, lambda t: t % -3)


@integer
def whole_compared(d, x):
    f = pick(d, "equal not_equal greater")
    return lambda t: f(t, 3)


@integer
def whole_reduced(d, x):
    f = pick(d, "sum max min argmax cumsum sort mean any" if K3 else "reduce_sum reduce_max reduce_min argmax cumsum sort reduce_mean")
    axis = d.axis(x.rank)
    return lambda t: f(t, axis=axis)


@integer
def whole_lookup(d, x):
    table = np.array([round(d.uniform(-1, 1), 2) for _ in range(24)], "float32").reshape(8, 3)
    return (lambda t: K.take(table, t, axis=0)) if K3 else (lambda t: tf.gather(tf.constant(table), t))


# ---- two tensors -------------------------------------------------------------------------------------------------------------


@binary
def arithmetic(d, x, y):
    f = pick(d, "add subtract multiply maximum minimum arctan2 logaddexp" if K3 else "add subtract multiply maximum minimum math.squared_difference math.atan2")
    return d.one(lambda a, b: f(a, b), lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / (abs(b) + 1), lambda a, b: f(b, a))


@binary
def relation(d, x, y):
    f = pick(d, "greater less greater_equal less_equal not_equal")
    where = K.where if K3 else tf.where
    return d.one(lambda a, b: f(a, b), lambda a, b: where(f(a, b), a, b), lambda a, b: where(a > b, b, a * 2))


@binary
def joined(d, x, y):
    axis = d.axis(x.rank)
    if x.full[:axis] + x.full[axis:][1:] != y.full[:axis] + y.full[axis:][1:]:
        raise ValueError("other shapes")
    if x.full == y.full and d.maybe():
        f = K.stack if K3 else tf.stack
        return lambda a, b: f([a, b], axis=axis)
    return (lambda a, b: K.concatenate([a, b], axis=axis)) if K3 else (lambda a, b: tf.concat([a, b], axis))


@binary
def product(d, x, y):
    """Batched products of matrices."""
    if x.rank < 3 or x.rank != y.rank:
        raise ValueError("no matrices")
    if K3:
        return d.one(
            lambda a, b: K.matmul(a, K.swapaxes(b, -1, -2)),
            lambda a, b: K.matmul(K.swapaxes(a, -1, -2), b),
            lambda a, b: K.einsum("...ij,...kj->...ik", a, b),
        )
    return d.one(
        lambda a, b: tf.matmul(a, b, transpose_b=True),
        lambda a, b: tf.matmul(a, b, transpose_a=True),
        lambda a, b: tf.einsum("...ij,...kj->...ik", a, b),
        lambda a, b: tf.matmul(a, b),
    )
