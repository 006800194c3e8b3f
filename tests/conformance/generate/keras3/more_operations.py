"""Keras 3's operations that few models have: scatters, quantiles, searches, spectra, matrices, warps. Many to a model."""

import numpy as np
from functions import working_functions
from golden import golden, keras, normal

ops = keras.ops

def holes(x):
    """NaN where a number is above 1."""
    return x + ops.log(ops.where(ops.greater(x, 1.0), -1.0, 1.0))


def numbers(x):
    """Without NaN, which no output may have."""
    return ops.nan_to_num(x, nan=-7.0, posinf=99.0, neginf=-99.0)


def of(function):
    return lambda x: numbers(function(holes(x)))


SCATTER = [
    lambda x, i: ops.scatter(ops.expand_dims(i[0], -1), x[:, :, 0][0], (6,)), lambda x, i: ops.scatter([[0], [2], [0]], x[0], (4, 4)),
    lambda x, i: ops.scatter(i, ops.cast(i[:, 0], "int32"), (4, 4, 4)), lambda x, i: ops.scatter_update(x, [[0], [1]], x * 2),
    lambda x, i: ops.scatter_update(x, [[0, 1, 2], [1, 2, 3]], [5.0, 6.0]), lambda x, i: ops.scatter_update(x, [[1, 0], [1, 0]], x[0, :2]),
    lambda x, i: ops.scatter_update(x[0], ops.expand_dims(i[0] % 3, -1), x[1]), lambda x, i: ops.scatter_update(x[0], ops.expand_dims(i[0] % 3, -1), x[1], reduction="add"),
    lambda x, i: ops.scatter_update(x[0], ops.expand_dims(i[0] % 3, -1), x[1], reduction="max"), lambda x, i: ops.scatter_update(x[0], ops.expand_dims(i[0] % 3, -1), x[1], reduction="min"),
    lambda x, i: ops.scatter_update(i, [[0, 0], [1, 2]], [7, 8]),
    lambda x, i: ops.slice_update(x, (0, 1, 1), x[:, :2, :2]), lambda x, i: ops.slice_update(x, (0, 2, 0), x[:, :2]), lambda x, i: ops.slice_update(x, i[0] % 2, x[:, :2, :3]),
    lambda x, i: ops.slice_update(i, [0, 1], i[:, :1]),
    lambda x, i: ops.segment_sum(x[0], i[0], num_segments=5), lambda x, i: ops.segment_sum(x, i[:, 0], num_segments=4), lambda x, i: ops.segment_max(x[0], i[0], num_segments=4),
    lambda x, i: ops.segment_max(ops.cast(x[0] * 3, "int32"), i[0], num_segments=5), lambda x, i: ops.segment_sum(i[0], i[1], num_segments=4),
]
QUANTILES = [
    lambda x: ops.median(x), lambda x: ops.median(x, axis=1), lambda x: ops.median(x, axis=(1, 2), keepdims=True), lambda x: ops.median(x, axis=-1, keepdims=True),
    lambda x: ops.quantile(x, 0.3, axis=1), lambda x: ops.quantile(x, [0.1, 0.5, 0.9], axis=-1), lambda x: ops.quantile(x, 0.25), lambda x: ops.quantile(x, [0.25, 0.75], axis=(1, 2), keepdims=True),
    lambda x: ops.quantile(x, 0.4, axis=2, method="lower"), lambda x: ops.quantile(x, 0.4, axis=2, method="higher"), lambda x: ops.quantile(x, [0.4, 0.5], axis=2, method="midpoint"),
    lambda x: ops.quantile(x, [0.4, 0.5], axis=-2, method="nearest"), lambda x: ops.quantile(x, ops.sigmoid(x[0, 0]), axis=1), lambda x: ops.quantile(ops.cast(x * 3, "int32"), 0.6, axis=1),
    lambda x: ops.median(ops.cast(x * 3, "int32"), axis=1),
]
INDEX = [
    lambda x, i: ops.searchsorted(ops.sort(x[0, 0]), x[1, 1]), lambda x, i: ops.searchsorted(np.array([-1.0, 0.0, 0.5, 2.0], "float32"), x[0, 1], side="right"), lambda x, i: ops.searchsorted(np.array([0, 1, 1, 2, 3], "int32"), i[0]),
    lambda x, i: ops.searchsorted(np.array([0, 1, 1, 2, 3], "int32"), i[0], side="right"), lambda x, i: ops.digitize(x, np.array([-1.0, 0.0, 0.5, 2.0])), lambda x, i: ops.digitize(i, np.array([1, 2])),
    lambda x, i: ops.isclose(x, 0.5), lambda x, i: ops.in_top_k(i[:, 0], x[:, 0], 2), lambda x, i: ops.in_top_k(i[0], x[0], k=1),
    lambda x, i: ops.select([ops.greater(x, 1.0), ops.less(x, -1.0)], [x * 2, x + 10], 0.5), lambda x, i: ops.select([ops.greater(x, 0.0)], [x]),
    lambda x, i: ops.unravel_index(i[0], (2, 3)), lambda x, i: ops.unravel_index(i[1] + 5, (2, 2, 3)), lambda x, i: ops.correlate(x[0, 0], x[0, 1]), lambda x, i: ops.correlate(x[0, 0], x[0, 1, :3], mode="same"),
    lambda x, i: ops.correlate(x[0, 0, :2], x[0, 1], mode="full"), 
]
EXTRA = [
    lambda x: ops.erfinv(ops.tanh(x)), lambda x: ops.erfinv(ops.tanh(x) * 0.999), lambda x: ops.logdet(ops.matmul(x, ops.transpose(x, (0, 2, 1)))), lambda x: ops.slogdet(ops.matmul(x, ops.transpose(x, (0, 2, 1)))),
    lambda x: ops.view(ops.cast(x, "int32"), "int32"), lambda x: ops.logspace(x[0, 0], x[0, 1], num=4), lambda x: ops.logspace(x[:, 0] * 0.1, x[:, 1], num=3, endpoint=False, base=2, axis=-1),
    lambda x: ops.corrcoef(x[0]), lambda x: ops.vander(x[0, 0], N=3, increasing=True), lambda x: ops.log2(ops.abs(x) + 1.0),
]
SPECTRA = [
    lambda x: ops.rfft(x), lambda x: ops.rfft(x, fft_length=8), lambda x: ops.rfft(x, fft_length=9), lambda x: ops.rfft(x, fft_length=21), lambda x: ops.fft((x, x * x)), lambda x: ops.fft2((ops.reshape(x, (-1, 4, 5)), ops.reshape(ops.cos(x), (-1, 4, 5)))), lambda x: ops.ifft2((ops.reshape(x, (-1, 4, 5)), ops.reshape(ops.cos(x), (-1, 4, 5)))),
    lambda x: ops.irfft(ops.rfft(x)), lambda x: ops.irfft((x, x * x), fft_length=9), lambda x: ops.irfft((x, ops.cos(x)), fft_length=40), lambda x: ops.irfft((x, x * 0.0 + 1.0)),
    lambda x: ops.extract_sequences(x, 4, 2), lambda x: ops.extract_sequences(x, sequence_length=5, sequence_stride=3), lambda x: ops.stft(x, 6, 2, 8), lambda x: ops.stft(x, 8, 3, 8, window=None, center=False),
    lambda x: ops.stft(x, 7, 3, 9, window="hamming"), lambda x: ops.stft(x, 4, 2, 6, window="hann", center=False),
    lambda x: ops.istft(ops.stft(x, 6, 2, 8), 6, 2, 8), lambda x: ops.istft(ops.stft(x, 8, 4, 8, center=False), 8, 4, 8, center=False), lambda x: ops.istft(ops.stft(x, 6, 3, 6, window="hamming"), 6, 3, 6, length=10, window="hamming"),
    lambda x: ops.istft(ops.stft(x, 8, 4, 8, window=None, center=False), 8, 4, 8, window=None, center=False),
]


def spd(x):
    """Symmetric, with eigenvalues above 0."""
    return ops.matmul(x, ops.transpose(x, (0, 2, 1))) + ops.eye(4)


MATRICES = [
    lambda x: ops.det(x), lambda x: ops.inv(x), lambda x: ops.solve(x, x[:, :, :2]), lambda x: ops.solve(x, x[:, 0]), lambda x: ops.cholesky(spd(x)), lambda x: ops.solve_triangular(spd(x), x, lower=True),
    lambda x: ops.solve_triangular(spd(x), x[:, 1], lower=False), lambda x: ops.lu_factor(x[0]), lambda x: ops.qr(x), lambda x: ops.qr(x[:, :, :2]), lambda x: ops.qr(x[:, :2]), lambda x: ops.qr(x[:, :, :2], mode="complete"),
    lambda x: ops.slogdet(x), lambda x: ops.logdet(spd(x)), lambda x: ops.det(x[0]), lambda x: ops.inv(x[0, :3, :3]), lambda x: ops.cholesky(spd(x), upper=True), lambda x: ops.cholesky_inverse(ops.cholesky(spd(x))),
    lambda x: ops.norm(x, ord=1, axis=(1, 2)), lambda x: ops.norm(x, ord=-1, axis=(1, 2)),
]
WARPS = [
    lambda x: ops.image.affine_transform(x, np.array([1.0, 0.2, -0.5, 0.1, 0.9, 0.3, 0.0, 0.0], "float32")), lambda x: ops.image.affine_transform(x, np.array([1.0, 0.2, -0.5, 0.1, 0.9, 0.3, 0.01, 0.02], "float32"), interpolation="nearest", fill_value=2.0),
    lambda x: ops.image.affine_transform(x, np.array([1.3, 0.2, -3.5, 0.1, 1.4, 1.3, 0.0, 0.0], "float32"), fill_mode="reflect"), lambda x: ops.image.affine_transform(x, np.array([1.3, 0.2, -3.5, 0.1, 1.4, 1.3, 0.0, 0.0], "float32"), fill_mode="wrap"),
    lambda x: ops.image.affine_transform(x, np.array([1.3, 0.2, -3.5, 0.1, 1.4, 1.3, 0.0, 0.0], "float32"), fill_mode="nearest"), lambda x: ops.image.affine_transform(x, ops.reshape(x[:, 0, 0:4, 0:2] * 0.1 + 0.5, (-1, 8))),
    lambda x: ops.image.gaussian_blur(x), lambda x: ops.image.gaussian_blur(x, kernel_size=(3, 5), sigma=(0.7, 1.5)),
    lambda x: ops.image.perspective_transform(x, np.array([[0.0, 0.0], [0.0, 5.0], [3.0, 0.0], [3.0, 5.0]], "float32"), np.array([[0.5, 0.2], [0.3, 4.5], [2.6, 0.4], [2.9, 5.2]], "float32")),
    lambda x: ops.image.perspective_transform(x, np.array([[0.0, 0.0], [0.0, 5.0], [3.0, 0.0], [3.0, 5.0]], "float32"), np.array([[0.5, 0.2], [0.3, 4.5], [2.6, 0.4], [2.9, 5.2]], "float32"), interpolation="nearest", fill_value=1.5),
    lambda x: ops.image.map_coordinates(x[0, :, :, 0], ops.transpose(ops.abs(x[1, :, :4, :2]) * 1.5, (2, 0, 1)), order=1), lambda x: ops.image.map_coordinates(x[0, :, :, 0], ops.transpose(x[1, :, :4, :2] * 2.0, (2, 0, 1)), order=0, fill_mode="nearest"),
    lambda x: ops.image.map_coordinates(x[0, :, :, 0], ops.transpose(x[1, :, :4, :2] * 2.0, (2, 0, 1)), order=1, fill_mode="constant", fill_value=3.0), lambda x: ops.image.map_coordinates(x[0, :, :, 0], ops.transpose(x[1, :, :4, :2] * 2.0, (2, 0, 1)), order=1, fill_mode="wrap"),
    lambda x: ops.image.scale_and_translate(x, (2, 8, 5, 3), np.array([2.0, 0.7], "float32"), np.array([0.5, -0.3], "float32"), (1, 2), "linear"),
    lambda x: ops.image.scale_and_translate(x, (2, 3, 9, 3), np.array([0.6, 1.4], "float32"), np.array([0.1, 0.3], "float32"), (1, 2), "cubic", antialias=False),
    lambda x: ops.adaptive_average_pool(x, (2, 3)), lambda x: ops.adaptive_max_pool(x, (3, 4)), lambda x: ops.adaptive_average_pool(x[:, 0], (4,)), lambda x: ops.adaptive_max_pool(x[:, :, 0], output_size=(3,)),
    lambda x: ops.unfold(x, (2, 3)), lambda x: ops.unfold(ops.transpose(x, (0, 3, 1, 2)), 2, dilation=1, padding=1, stride=2), lambda x: ops.sparse_categorical_crossentropy(ops.cast(ops.abs(x[..., 0]), "int32") % 3, ops.softmax(x)),
    lambda x: ops.sparse_categorical_crossentropy(ops.cast(ops.abs(x[..., :1]), "int32") % 3, x, from_logits=True), 
    lambda x: ops.image.extract_patches_3d(ops.reshape(x, (-1, 4, 3, 2, 3)), (2, 2, 1)), lambda x: ops.image.sobel_edges(x),
]
OPEN = [
    lambda x: ops.median(x, axis=1), lambda x: ops.quantile(x, [0.25, 0.7], axis=1), lambda x: ops.scatter_update(x, [[0, 0], [1, 1]], x[0, :2]), lambda x: ops.slice_update(x, (0, 1, 1), x[:, :1, :2]),
    lambda x: ops.searchsorted(np.array([-1.0, 0.0, 1.0], "float32"), x[0, :, 0]), lambda x: ops.rfft(x), lambda x: ops.segment_sum(x, ops.argmax(x[:, 0], axis=-1), num_segments=5), lambda x: ops.inv(x[:, :2, :2]), lambda x: ops.rfft(ops.transpose(x, (0, 2, 1)), fft_length=6),
    lambda x: ops.extract_sequences(x, 2, 1), lambda x: ops.quantile(x, 0.5),
]


I = {"i": ("int32", (2, 3))}
working_functions("more_ops_scatter", SCATTER, **I)
working_functions("more_ops_quantiles", QUANTILES)
working_functions("more_ops_index", INDEX, **I)
working_functions("more_ops_special", EXTRA)
working_functions("more_ops_spectra", SPECTRA, x=(2, 20))
working_functions("more_ops_matrices", MATRICES, x=(2, 4, 4))
working_functions("more_ops_warps", WARPS, x=(2, 4, 6, 3))
working_functions("more_ops_open", OPEN, x=(2, 5, 4), open_axes=True)

NANS = [of(f) for f in [
    lambda x: ops.nansum(x), lambda x: ops.nansum(x, axis=1), lambda x: ops.nanprod(x, axis=-1, keepdims=True), lambda x: ops.nanmax(x, axis=1), lambda x: ops.nanmin(x, axis=(1, 2)), lambda x: ops.nanmean(x, axis=1), lambda x: ops.nanmean(x),
    lambda x: ops.nanvar(x, axis=1, keepdims=True), lambda x: ops.nanstd(x, axis=-1), lambda x: ops.nanargmax(x, axis=1), lambda x: ops.nanargmin(x, axis=-1, keepdims=True), lambda x: ops.nancumsum(x, axis=1), lambda x: ops.nancumprod(x, axis=-1),
    lambda x: ops.nanmedian(x, axis=1), lambda x: ops.nanquantile(x, 0.3, axis=(1, 2)), lambda x: ops.nanquantile(x, [0.2, 0.9], axis=1), lambda x: ops.nanpercentile(x, 40, axis=1, method="lower"), lambda x: ops.median(x, axis=1), lambda x: ops.max(x, axis=1), lambda x: ops.nanmax(x + ops.log(-ops.abs(x)), axis=1),
]]
NANS += [lambda x: ops.nansum(ops.cast(x, "int32"), axis=1), lambda x: ops.nanmean(ops.cast(x, "int32"), axis=1), lambda x: ops.nanmax(ops.cast(x, "int32")), lambda x: ops.percentile(x, [10, 60], axis=1), lambda x: ops.nanargmax(ops.cast(x, "int32"), axis=1)]
NUMERIC = [
    lambda x, i: ops.gcd(i, 6), lambda x, i: ops.lcm(i + 1, 6), lambda x, i: ops.kron(x[0], x[1, :2]), lambda x, i: ops.kron(x[0], i), lambda x, i: ops.isin(i, np.array([1, 3], "int32")), lambda x, i: ops.isin(x, x[0, 0], invert=True),
    lambda x, i: ops.trapezoid(x), lambda x, i: ops.trapezoid(x, dx=0.5, axis=1), lambda x, i: ops.trapezoid(i, axis=0), lambda x, i: ops.geomspace(ops.abs(x[0, 0]) + 1.0, ops.abs(x[0, 1]) + 2.0, num=4), lambda x, i: ops.allclose(x, x + 1e-9),
    lambda x, i: ops.empty_like(x) * 0.0, lambda x, i: ops.ndim(x) + i, lambda x, i: ops.i0(x), lambda x, i: ops.array(x),
    lambda x, i: ops.arange(ops.shape(x)[1]) + i[0], lambda x, i: ops.vander(x[0, 0], N=3, increasing=True), lambda x, i: ops.vander(x[0, 0]),
    lambda x, i: ops.arange(2, ops.shape(x)[2]) + i[0, 0], lambda x, i: ops.fold(ops.unfold(ops.reshape(x, (-1, 1, 3, 4)), (2, 2)), (3, 4), (2, 2)),
]
working_functions("more_ops_nan", NANS)
working_functions("more_ops_numeric", NUMERIC, **I)


def histograms(name, **options):
    """This Keras's node of `histogram` calls a function that is not there; the function itself is."""
    x = keras.Input((7,), name="x")
    model = keras.Model(x, ops.histogram(x[0], **options))
    golden(name, model, [normal(2, 7)], ["Histogram"], twin=lambda fed, _: [np.asarray(part) for part in ops.histogram(ops.convert_to_tensor(fed[0][0]), **options)],
           note="computed by the function, which the node of this version does not reach")


histograms("more_ops_histogram", bins=4)
histograms("more_ops_histogram_range", bins=5, range=(-2, 2))
histograms("more_ops_histogram_one", bins=1, range=(0, 3))
