"""Layers of one input with random options, by the rank of what they take (the batch included)."""

import numpy as np
from golden import K3, L, keras

MAKERS = []
INTEGERS = []


def layer(*ranks, weight=1, only=None, family=None):
    """Registers a maker `(draw, spec) -> layer` for inputs of floats of these ranks."""

    def register(make):
        make.family = family
        if only is None or only == (3 if K3 else 2):
            MAKERS.append((make, ranks, weight))
        return make

    return register


def integers(*ranks):
    def register(make):
        INTEGERS.append((make, ranks))
        return make

    return register


class Spec:
    """What a maker may know of its input: `shape` with None where it is open, `full` as it is when the model runs."""

    def __init__(self, shape, full, dtype="float32", batch=None):
        self.shape, self.full, self.dtype, self.batch = tuple(shape), tuple(full), dtype, batch
        self.rank = len(self.full)


def make(d, spec, makers=None):
    """A random layer for this input."""
    makers = makers or MAKERS
    fitting = [(make, weight * (5 if make.family == d.focus else 1)) for make, ranks, weight in makers if spec.rank in ranks]
    chosen = d.choices([make for make, _ in fitting], [weight for _, weight in fitting])[0]
    return chosen(d, spec)


def low_rank(d):
    return {"lora_rank": d.randint(1, 3), **d.pick(lora_alpha=1.5)} if K3 and d.maybe(0.04) else {}


# ---- core --------------------------------------------------------------------------------------------------------------------


@layer(2, 3, 4, 5, weight=2)
def dense(d, x):
    return L.Dense(d.units(), **low_rank(d), **d.some(activation=d.activation(), use_bias=d.maybe()), **d.weights("kernel", "bias"))


@layer(2, 3, 4)
def einsum_dense(d, x):
    letters = "abcde"[: x.rank]
    inside = d.sample(letters[1:], d.randint(1, x.rank - 1))
    kept = "".join(letter for letter in letters if letter not in inside)
    new = "xyz"[: d.randint(1, 2)]
    out = list(kept[1:] + new)
    d.shuffle(out)
    equation = f"{letters},{''.join(sorted(inside))}{new}->{letters[0]}{''.join(out)}"
    sizes = [d.randint(1, 4) if letter in new else x.shape[letters.index(letter)] for letter in out]
    bias = "".join(d.sample(out, d.randint(1, len(out))))
    return L.EinsumDense(equation, tuple(sizes), **low_rank(d), **d.some(activation=d.activation(), bias_axes=bias), **d.weights("kernel", "bias"))


@layer(2, 3, 4, 5, weight=2)
def activation(d, x):
    return L.Activation(d.activation() or "relu", **d.some())


@layer(2, 3, 4, 5, weight=2)
def activation_layer(d, x):
    slope = {"negative_slope": d.one(0.1, 0.5)} if K3 else {"alpha": d.one(0.1, 0.5, np.float32(0.25))}
    shared = d.axes(x.rank) if d.maybe() else None
    softmax = d.axes(x.rank) if d.maybe(0.3) and x.rank > 2 else d.axis(x.rank)
    return d.one(
        lambda: L.ReLU(**d.some(max_value=d.one(1.5, 6), negative_slope=d.one(0.1, 0.3), threshold=d.one(0.0, 0.5, 1))),
        lambda: L.LeakyReLU(**slope, **d.some()),
        lambda: L.ELU(**d.some(alpha=d.one(0.5, 1.0, 2))),
        lambda: L.PReLU(shared_axes=shared, **d.some(), **d.weights("alpha")),
        lambda: L.Softmax(**d.some(axis=softmax)),
        lambda: L.ReLU(0.0) if K3 else L.ThresholdedReLU(**d.some(theta=d.one(0.5, 1.0))),
    )()


@layer(2, 3, 4, 5)
def noise(d, x):
    spatial = {3: "SpatialDropout1D", 4: "SpatialDropout2D", 5: "SpatialDropout3D"}.get(x.rank, "Dropout")
    form = {"data_format": d.one("channels_first", "channels_last")} if x.rank > 3 else {}
    return d.one(
        lambda: L.Dropout(d.one(0, 0.3, 0.5), **d.some(noise_shape=(None,) + (1,) * (x.rank - 1), seed=4)),
        lambda: getattr(L, spatial)(0.4, **d.some(**form)),
        lambda: L.GaussianNoise(0.3, **d.some(seed=1)) if K3 else L.GaussianNoise(0.3, **d.some()),
        lambda: L.GaussianDropout(0.2, **d.some(seed=2)),
        lambda: L.AlphaDropout(0.3, **d.some(noise_shape=(None,) + (1,) * (x.rank - 1))),
        lambda: L.ActivityRegularization(**d.some(l1=0.1, l2=0.2)),
        lambda: L.Identity(**d.some()),
    )()


@layer(3, 4, weight=3)
def masking(d, x):
    return L.Masking(**d.some(mask_value=d.one(0.0, 1, -2.0)))


# ---- normalisation -----------------------------------------------------------------------------------------------------------


@layer(2, 3, 4, 5, weight=3)
def normalisation(d, x):
    axis = d.axis(x.rank)
    scale = d.some(center=d.maybe(), scale=d.maybe(), epsilon=d.one(1e-2, 1e-5, 0.1))
    size = x.shape[axis] or 1
    groups = d.one(*[n for n in range(1, size + 1) if size % n == 0], -1)
    batch = d.some(momentum=0.8, axis=d.one(axis, [axis]) if not K3 else axis, **({"synchronized": False} if K3 else {}))
    return d.one(
        lambda: L.BatchNormalization(**{**scale, **batch}, **d.weights("beta", "gamma")),
        lambda: L.BatchNormalization(**{**scale, **batch}, **d.weights("moving_mean", "moving_variance")) if d.maybe(0.3) else L.BatchNormalization(**scale),
        lambda: L.LayerNormalization(**scale, axis=d.axes(x.rank) if d.maybe(0.4) else axis, **d.weights("beta", "gamma")),
        lambda: L.GroupNormalization(groups, axis=axis, **scale, **d.weights("beta", "gamma")),
        lambda: L.UnitNormalization(**d.some(axis=d.axes(x.rank) if d.maybe(0.4) else axis)),
        lambda: L.RMSNormalization(axis=axis, **d.some(epsilon=0.1)) if K3 else L.LayerNormalization(**scale),
    )()


@layer(2, 3, 4)
def normalization(d, x):
    axis = d.axis(x.rank)
    size = x.full[axis]
    if d.maybe(0.3):
        return L.Normalization(axis=None, mean=0.3, variance=2.0, **d.some(**({"invert": True})))
    return L.Normalization(axis=axis, mean=[round(d.uniform(-1, 1), 2) for _ in range(size)], variance=[round(d.uniform(0.5, 2), 2) for _ in range(size)], **d.some(invert=True))


@layer(2, 3, 4)
def spectral(d, x):
    inner = L.Dense(d.units(), **d.some(use_bias=False, activation="tanh")) if x.rank < 4 or d.maybe() else L.Conv2D(d.units(), 2, **d.some(padding="same"))
    return L.SpectralNormalization(inner, **d.some(power_iterations=2))


# ---- convolution -------------------------------------------------------------------------------------------------------------


def window(d, x, kernel="kernel_size"):
    """Kernel, strides or dilation, padding."""
    axes = x.rank - 2
    found = {kernel: d.sizes(axes)}
    if d.maybe(0.4):
        found["strides"] = d.sizes(axes)
    elif d.maybe(0.4):
        found["dilation_rate"] = d.sizes(axes)
    if d.maybe():
        found["padding"] = d.one("same", "valid", "SAME", "causal") if x.rank == 3 else d.one("same", "valid", "Valid")
    return found


@layer(3, 4, 5, weight=6, family="images")
def conv(d, x):
    kind = getattr(L, f"Conv{x.rank - 2}D")
    channels = x.shape[-1] or 1
    groups = d.choice([n for n in range(1, channels + 1) if channels % n == 0])
    filters = groups * d.randint(1, 3) if d.maybe(0.3) else d.units()
    extra = {"groups": groups} if filters % groups == 0 and d.maybe() else {}
    return kind(filters, **window(d, x), **extra, **low_rank(d), **d.some(activation=d.activation(), use_bias=d.maybe()), **d.weights("kernel", "bias"))


@layer(3, 4, weight=3, family="images")
def depthwise(d, x):
    kind = getattr(L, f"DepthwiseConv{x.rank - 2}D")
    return kind(**window(d, x), **d.some(depth_multiplier=d.randint(1, 3), activation=d.activation(), use_bias=d.maybe()), **d.weights("depthwise", "bias"))


@layer(3, 4, weight=3, family="images")
def separable(d, x):
    kind = getattr(L, f"SeparableConv{x.rank - 2}D")
    options = d.some(depth_multiplier=d.randint(1, 3), activation=d.activation(), use_bias=d.maybe())
    return kind(d.units(), **window(d, x), **options, **d.weights("depthwise", "pointwise", "bias"))


@layer(3, 4, 5, weight=3, family="images")
def transposed(d, x):
    kind = getattr(L, f"Conv{x.rank - 2}DTranspose")
    options = window(d, x)
    if d.maybe(0.25):
        options["output_padding"] = d.sizes(x.rank - 2, 0, 1)
    form = {"data_format": "channels_first"} if d.maybe(0.1) and not K3 else {}
    return kind(d.units(), **options, **form, **d.some(activation=d.activation(), use_bias=d.maybe()), **d.weights("kernel", "bias"))


@layer(3, 4, weight=1, only=2, family="images")
def local(d, x):
    kind = getattr(L, f"LocallyConnected{x.rank - 2}D")
    options = {"kernel_size": d.sizes(x.rank - 2)}
    implementation = d.randint(1, 3)
    if implementation > 1 and d.maybe():
        options["padding"] = "same"
    if d.maybe(0.4):
        options["strides"] = d.sizes(x.rank - 2)
    if d.maybe(0.2):
        options["data_format"] = "channels_first"
    return kind(d.randint(1, 4), implementation=implementation, **options, **d.some(activation=d.activation(), use_bias=d.maybe()), **d.weights("kernel", "bias"))


# ---- pooling -----------------------------------------------------------------------------------------------------------------


@layer(3, 4, 5, weight=3, family="images")
def pooling(d, x):
    axes = x.rank - 2
    kind = getattr(L, f"{d.one('Max', 'Average')}Pooling{axes}D")
    options = d.some(pool_size=d.sizes(axes), strides=d.sizes(axes), padding=d.one("same", "valid"))
    if d.maybe(0.15) and axes < 3:
        options["data_format"] = "channels_first"
    return kind(**options)


@layer(3, 4, 5, weight=2, family="images")
def global_pooling(d, x):
    kind = getattr(L, f"Global{d.one('Max', 'Average')}Pooling{x.rank - 2}D")
    return kind(**d.some(keepdims=d.maybe(), data_format=d.one("channels_first", "channels_last")))


@layer(3, 4, 5, only=3)
def adaptive_pooling(d, x):
    kind = getattr(L, f"Adaptive{d.one('Max', 'Average')}Pooling{x.rank - 2}D")
    return kind(d.sizes(x.rank - 2, 1, 4), **d.some(data_format=d.one("channels_first", "channels_last")))


# ---- shapes ------------------------------------------------------------------------------------------------------------------


@layer(2, 3, 4, 5, weight=2)
def flatten(d, x):
    return L.Flatten(**d.some(p=0.2, data_format=d.one("channels_first", "channels_last")))


@layer(2, 3, 4, 5, weight=3)
def reshape(d, x):
    sizes = list(x.full[1:])
    if None not in x.shape[1:]:
        total = int(np.prod(sizes))
        sizes = []
        for _ in range(d.randint(0, 2)):
            sizes.append(d.choice([n for n in range(1, total + 1) if total % n == 0]))
            total //= sizes[-1]
        sizes.append(total)
        d.shuffle(sizes)
    if d.maybe(0.5):
        sizes[d.randrange(len(sizes))] = -1
    return L.Reshape(d.one(tuple(sizes), sizes), **d.some())


@layer(3, 4, 5, weight=2)
def permute(d, x):
    return L.Permute(d.sample(range(1, x.rank), x.rank - 1), **d.some())


@layer(2, weight=3)
def repeat(d, x):
    return L.RepeatVector(d.randint(1, 5), **d.some())


def pairs(d, axes, low=0, high=2):
    if axes == 1:
        return d.one(d.randint(low, high), (d.randint(low, high), d.randint(low, high)))
    if d.maybe(0.3):
        return d.randint(low, high)
    if d.maybe(0.4):
        return tuple(d.randint(low, high) for _ in range(axes))
    return tuple((d.randint(low, high), d.randint(low, high)) for _ in range(axes))


@layer(3, 4, 5, weight=3, family="images")
def pad_crop_upsample(d, x):
    axes = x.rank - 2
    form = {} if axes == 1 or d.maybe(0.7) else {"data_format": d.one("channels_first", "channels_last")}
    if axes == 2 and d.maybe(0.5):
        form["interpolation"] = d.one("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic", "area")
    plain = {key: value for key, value in form.items() if key != "interpolation"}
    return d.one(
        lambda: getattr(L, f"ZeroPadding{axes}D")(pairs(d, axes), **plain, **d.some()),
        lambda: getattr(L, f"Cropping{axes}D")(pairs(d, axes, 0, 1), **plain, **d.some()),
        lambda: getattr(L, f"UpSampling{axes}D")(d.sizes(axes), **form, **d.some()),
    )()


# ---- images ------------------------------------------------------------------------------------------------------------------


@layer(2, 3, 4, 5)
def rescaling(d, x):
    return L.Rescaling(d.one(0.5, 1 / 255, 2), **d.some(offset=d.one(-1.0, 0.25)))


@layer(4, weight=2, family="images")
def image(d, x):
    method = d.one("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5") if K3 else d.one("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
    ratio = {"crop_to_aspect_ratio": True} if d.maybe(0.3) else {"pad_to_aspect_ratio": True} if K3 and d.maybe(0.3) else {}
    height, width = x.full[1:3]
    return d.one(
        lambda: L.Resizing(d.randint(1, 8), d.randint(1, 8), interpolation=method, **ratio, **d.some()),
        lambda: L.CenterCrop(d.randint(1, height + 2), d.randint(1, width + 2), **d.some()),
        lambda: L.RandomCrop(d.randint(1, height + 2), d.randint(1, width + 2), **d.some()),
        lambda: L.RandomFlip(**d.some(mode=d.one("horizontal", "vertical"))),
        lambda: L.RandomRotation(0.2, **d.some(fill_mode="nearest", interpolation="nearest")),
        lambda: L.RandomZoom(0.3, **d.some(width_factor=0.2)),
        lambda: L.RandomTranslation(0.2, 0.1, **d.some(fill_mode="wrap")),
        lambda: L.RandomContrast(0.3, **d.some()),
        lambda: L.RandomBrightness(0.3, **d.some(value_range=(0, 1))),
    )()


# ---- integers ----------------------------------------------------------------------------------------------------------------


@integers(2, 3)
def embedding(d, x):
    return L.Embedding(8, d.randint(1, 6), mask_zero=d.maybe(0.6), **low_rank(d), **d.some(), **d.weights("embeddings"))


@integers(2)
def category(d, x):
    if d.maybe(0.6):
        return L.CategoryEncoding(8, output_mode=d.one("multi_hot", "count", "one_hot") if d.maybe(0.8) else "multi_hot", **d.some())
    return d.one(
        lambda: L.Hashing(d.randint(2, 9), **d.some(salt=d.one(3, [1, 2]), mask_value=2, output_mode=d.one("int", "multi_hot", "count"))),
        lambda: L.IntegerLookup(vocabulary=[5, 3, 1, 7], **d.some(num_oov_indices=d.randint(1, 2), mask_token=0, output_mode=d.one("int", "multi_hot", "count"))),
    )()


@layer(2, 3)
def discretization(d, x):
    return L.Discretization(bin_boundaries=sorted(round(d.uniform(-2, 2), 2) for _ in range(d.randint(1, 4))), **d.some(output_mode=d.one("int", "multi_hot", "count", "one_hot")))
