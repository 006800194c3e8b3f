"""TensorFlow's functions that few models have, which Keras 2 writes as TFOpLambda layers, and the functions of `K` that were not tried."""

import numpy as np
from functions import working_functions
from golden import keras, tf

K = keras.backend
T = tf.compat.v1

SCATTER = [
    lambda x, i: tf.scatter_nd(i[:, :1], x[:, 0], [5, 4]), lambda x, i: tf.scatter_nd(i, i[:, 0], [4, 4, 4]), lambda x, i: tf.scatter_nd([[1], [1]], x[:, 0], (3, 4)), lambda x, i: tf.tensor_scatter_nd_update(x, [[0, 1], [1, 2]], x[:, 0] * 2.0),
    lambda x, i: tf.tensor_scatter_nd_update(x, [[0, 0, 0], [0, 0, 0]], [5.0, 7.0]), lambda x, i: tf.tensor_scatter_nd_update(x[0], i[:, :1] % 3, x[:, 1]), lambda x, i: tf.tensor_scatter_nd_add(x[0], i[:, :1] % 3, x[:, 1]), lambda x, i: tf.tensor_scatter_nd_sub(x[0], i[:, :1] % 3, x[:, 1]),
    lambda x, i: tf.tensor_scatter_nd_max(x[0], i[:, :1] % 3, x[:, 1]), lambda x, i: tf.tensor_scatter_nd_min(x[0], i[:, :1] % 3, x[:, 1]), lambda x, i: tf.tensor_scatter_nd_add(i, [[0, 0], [0, 0], [1, 2]], [1, 2, 3]),
    lambda x, i: tf.math.unsorted_segment_sum(x[0], i[0], 5), lambda x, i: tf.math.unsorted_segment_sum(x[0], i[0] - 1, num_segments=3), lambda x, i: tf.math.unsorted_segment_mean(x, i, 4), lambda x, i: tf.math.unsorted_segment_max(x[0], i[0], 4), lambda x, i: tf.math.unsorted_segment_min(x[0], i[0], 4),
    lambda x, i: tf.math.unsorted_segment_prod(x[0], i[0], 4), lambda x, i: tf.math.unsorted_segment_sqrt_n(x[0], i[0], 4), lambda x, i: tf.math.unsorted_segment_max(i, i // 2, 3), 
    lambda x, i: tf.reverse_sequence(x, i[:, 0], seq_axis=1), lambda x, i: tf.reverse_sequence(x, i[:, 0], seq_axis=2, batch_axis=0), lambda x, i: tf.reverse_sequence(tf.transpose(x, [1, 2, 0]), i[:, 0], 1, 2), lambda x, i: tf.reverse_sequence(i, i[:, 1], 1),
    lambda x, i: tf.math.in_top_k(i[:, 0], x[:, 0], 2), lambda x, i: T.math.in_top_k(x[:, 1], i[:, 1], 1), lambda x, i: tf.math.confusion_matrix(i[0], i[1], 4), lambda x, i: tf.math.confusion_matrix(i[0], i[1], num_classes=5, weights=x[0, :, 0], dtype=tf.float32),
    lambda x, i: tf.searchsorted([0.0, 1.0, 2.0], x[0, 0]), lambda x, i: tf.searchsorted(tf.sort(x[:, 0]), x[:, 1], side="right"), lambda x, i: tf.searchsorted(tf.sort(i), i, out_type=tf.int64), lambda x, i: tf.math.bincount(i, minlength=5, maxlength=5), lambda x, i: tf.math.bincount(i, minlength=3, maxlength=3, axis=-1),
    lambda x, i: tf.math.bincount(i, minlength=4, maxlength=4, axis=-1, binary_output=True), lambda x, i: tf.histogram_fixed_width(x, [-2.0, 2.0], 6), lambda x, i: tf.histogram_fixed_width_bins(x, [-2.0, 2.0], nbins=4), lambda x, i: tf.unravel_index(i[0], [2, 3]), lambda x, i: tf.math.invert_permutation(tf.argsort(x[0, 0])),
    lambda x, i: tf.math.is_non_decreasing(x), lambda x, i: tf.math.is_strictly_increasing(tf.sort(x[0, 0])), lambda x, i: tf.nn.sparse_softmax_cross_entropy_with_logits(i, x), lambda x, i: K.sparse_categorical_crossentropy(i, tf.nn.softmax(x)), lambda x, i: K.sparse_categorical_crossentropy(i, x, from_logits=True),
]
SPECIAL = [
    lambda x: tf.math.erfinv(tf.tanh(x)), lambda x: tf.math.ndtri(tf.sigmoid(x)), lambda x: tf.math.erfcinv(tf.sigmoid(x) * 2.0), lambda x: tf.math.lgamma(x), lambda x: tf.math.lgamma(tf.abs(x) * 20.0), lambda x: tf.math.digamma(x), lambda x: tf.math.digamma(tf.abs(x) * 9.0), lambda x: tf.math.lbeta(tf.abs(x)),
    lambda x: tf.math.bessel_i0(x), lambda x: tf.math.bessel_i0e(x * 9.0), lambda x: tf.math.bessel_i1(x), lambda x: tf.math.bessel_i1e(x * 9.0), lambda x: tf.math.cumulative_logsumexp(x, axis=1), lambda x: tf.math.cumulative_logsumexp(x * 20.0, axis=-1, reverse=True), lambda x: tf.math.cumulative_logsumexp(x, 1, exclusive=True)[:, 1:],
    lambda x: tf.math.polyval([1.0, 2.0, 3.0], x), lambda x: tf.math.xlog1py(x, tf.abs(x)), lambda x: tf.nn.l2_loss(x), lambda x: tf.math.real(x), lambda x: tf.math.imag(x), lambda x: tf.math.conj(x), lambda x: tf.math.angle(x), lambda x: tf.linalg.adjoint(x),
    lambda x: tf.range(tf.shape(x)[1] - 1, -1, -1), lambda x: tf.range(tf.shape(x)[1], 0, delta=-2), lambda x: T.batch_gather(x, tf.argsort(x[:, :, 0], axis=1)), lambda x: T.div(x, 2.0), lambda x: T.to_float(tf.argmax(x, 1)), lambda x: T.to_int32(x), lambda x: tf.truncatediv(tf.cast(x * 3.0, tf.int32), 2),
    lambda x: tf.signal.frame(x[:, 0], 2, 1), lambda x: tf.signal.overlap_and_add(x, 2), lambda x: tf.signal.hann_window(4) * x, lambda x: tf.linalg.diag_part(x, k=1), lambda x: tf.math.reduce_any(x > 0),
    lambda x: tf.signal.dct(x), lambda x: tf.signal.dct(x, type=2, norm="ortho"), lambda x: tf.identity_n([x, x * 2.0]), lambda x: tf.nn.moments(x, [0]), lambda x: tf.tuple([x, x + 1.0]),
    lambda x: tf.nn.normalize_moments(3.0, x, x * x + 1.0, None), lambda x: tf.math.reduce_logsumexp(x), lambda x: tf.norm(x, ord=1, axis=[-2, -1], keepdims=True),
]


def spd(x):
    return tf.matmul(x, x, transpose_b=True) + tf.eye(4)


MATRICES = [
    lambda x: tf.linalg.det(x), lambda x: tf.linalg.inv(x), lambda x: tf.linalg.inv(x, adjoint=True), lambda x: tf.linalg.solve(x, x[:, :, :2]), lambda x: tf.linalg.solve(x, x[:, :, 1:], adjoint=True), lambda x: tf.linalg.cholesky(spd(x)), lambda x: tf.linalg.triangular_solve(spd(x), x), lambda x: tf.linalg.triangular_solve(spd(x), x, lower=False),
    lambda x: tf.linalg.triangular_solve(spd(x), x, lower=True, adjoint=True), lambda x: tf.linalg.cholesky_solve(tf.linalg.cholesky(spd(x)), x), lambda x: tf.linalg.qr(x), lambda x: tf.linalg.qr(x[:, :, :2]), lambda x: tf.linalg.qr(x[:, :2], full_matrices=True), lambda x: tf.linalg.lu(x), lambda x: tf.linalg.logdet(spd(x)),
    lambda x: tf.linalg.matvec(x, x[:, 0], transpose_a=True), lambda x: tf.linalg.set_diag(x, x[:, 0]),
]
BOXES = np.array([[0.0, 0.0, 1.0, 1.0], [0.2, 0.1, 0.7, 0.9], [0.8, 0.9, 0.1, -0.3]], "float32")
FILTER = np.random.default_rng(3).normal(0, 0.5, (3, 2, 3)).round(2).astype("float32")
IMAGES = [
    lambda x: tf.image.crop_and_resize(x, BOXES, [0, 1, 1], [3, 4]), lambda x: tf.image.crop_and_resize(x, BOXES, [1, 0, 0], [3, 4], method="nearest", extrapolation_value=7.0), lambda x: tf.image.crop_and_resize(x, BOXES, [1, 0, 0], (1, 5)), lambda x: T.image.crop_and_resize(x, BOXES, box_ind=[1, 0, 0], crop_size=[2, 2]),
    lambda x: tf.image.resize_with_pad(x, 8, 8), lambda x: tf.image.resize_with_pad(x, 5, 12, method="nearest"), lambda x: tf.image.resize_with_pad(x, 3, 3, antialias=True), lambda x: T.image.resize_image_with_pad(x, 8, 9), lambda x: tf.image.sobel_edges(x),
    lambda x: T.image.resize_bilinear(x, [7, 5], align_corners=True), lambda x: T.image.resize_nearest_neighbor(x, [7, 5], align_corners=True), lambda x: T.image.resize_bicubic(x, [7, 5]), lambda x: T.image.resize_bicubic(x, [7, 9], align_corners=True), lambda x: T.image.resize_bicubic(x, [3, 4], half_pixel_centers=True), lambda x: T.image.resize_area(x, [3, 4]),
    lambda x: T.image.resize_area(x, [3, 4], align_corners=True), lambda x: T.image.resize_images(x, [7, 5], method=2), lambda x: T.image.resize_images(x, [3, 5], method=3, align_corners=True), lambda x: T.image.resize_images(x, [3, 5], method=1), lambda x: T.image.resize_images(x, [8, 8], preserve_aspect_ratio=True), lambda x: T.image.resize(x, [3, 8], align_corners=True),
    lambda x: tf.nn.dilation2d(x, FILTER, [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1]), lambda x: tf.nn.dilation2d(x, FILTER, strides=[1, 2, 1, 1], padding="VALID", data_format="NHWC", dilations=[1, 1, 2, 1]), lambda x: tf.nn.erosion2d(x, FILTER, [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1]), lambda x: tf.nn.erosion2d(x, FILTER, [1, 1, 2, 1], "VALID", "NHWC", [1, 1, 1, 1]),
    lambda x: T.nn.dilation2d(x, FILTER, strides=[1, 1, 1, 1], rates=[1, 1, 2, 1], padding="SAME"), lambda x: tf.nn.pool(x, [2, 2], "MAX", padding="VALID", dilations=[1, 2]), lambda x: tf.nn.pool(x, [2, 3], "AVG", padding="VALID", dilations=[2, 1]),
    lambda x: tf.image.rgb_to_yiq(x), lambda x: tf.image.yiq_to_rgb(x), lambda x: tf.image.image_gradients(x),
    lambda x: T.image.extract_image_patches(x, ksizes=[1, 2, 2, 1], strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="SAME"), lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), lambda x: tf.nn.batch_norm_with_global_normalization(x, x[0, 0, 0], tf.abs(x[0, 0, 1]), x[0, 0, 2], x[0, 0, 3], 0.01, True),
    lambda x: T.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID"), lambda x: T.nn.avg_pool(x, ksize=[1, 2, 2, 1], strides=[1, 1, 1, 1], padding="SAME"), lambda x: T.nn.conv2d(x, tf.ones([2, 2, 3, 2]), strides=[1, 1, 1, 1], padding="SAME"), lambda x: T.nn.relu_layer(x[:, 0, 0], tf.ones([3, 2]), tf.ones([2])), lambda x: T.nn.xw_plus_b(x[:, 0, 0], tf.ones([3, 2]), tf.ones([2])),
    lambda x: T.nn.depthwise_conv2d_native(x, tf.ones([2, 2, 3, 1]), [1, 1, 1, 1], "SAME"), lambda x: T.nn.fused_batch_norm(x, tf.ones([3]), tf.zeros([3]), tf.zeros([3]), tf.ones([3]), is_training=False)[0], lambda x: tf.nn.conv3d(x[:, :, :, None], tf.ones([2, 2, 1, 3, 2]), [1, 1, 1, 1, 1], "SAME"), lambda x: tf.nn.max_pool3d(x[:, :, :, None], [2, 2, 1], 1, "VALID"),
    lambda x: tf.image.resize(x, [5, 7], method="mitchellcubic"), lambda x: tf.image.resize(x, [5, 7], method="lanczos3"), lambda x: tf.image.resize(x, [3, 3], method="gaussian"),
]
BACKEND = [
    lambda x, y: K.batch_dot(x, y, axes=2), lambda x, y: K.switch(K.greater(x, 0.0), x, y), lambda x, y: K.switch(K.greater(x[:, :1], 0.0), x, y), lambda x, y: K.batch_dot(x, y, axes=(1, 1)), lambda x, y: K.batch_dot(x[:, 0], y[:, 0]), lambda x, y: K.batch_dot(x, y[:, 0], axes=(2, 1)), lambda x, y: K.dot(x, K.transpose(y[0])), lambda x, y: K.resize_images(K.expand_dims(x), 2, 2, "channels_last", interpolation="bilinear"), lambda x, y: K.resize_volumes(x[..., None, None], 2, 2, 1, "channels_last"),
    lambda x, y: K.spatial_3d_padding(x[..., None, None], ((1, 0), (0, 1), (0, 0))), lambda x, y: K.in_train_phase(x, y, training=0), lambda x, y: K.in_test_phase(x, y, training=0), lambda x, y: K.gather(x[0], K.cast(K.abs(y[:, 0]) * 0.5, "int32")),
     lambda x, y: K.pool3d(x[..., None, None], (2, 2, 1)), 
    lambda x, y: K.one_hot(K.argmax(x), 4), lambda x, y: K.reverse(x, axes=(1, 2)), lambda x, y: K.arange(4, dtype="float32") * x, lambda x, y: K.ones_like(x) * K.zeros_like(y), lambda x, y: K.mean(K.greater(x, 0.0), axis=1),
    lambda x, y: K.binary_crossentropy(K.sigmoid(x), y, from_logits=True), lambda x, y: K.categorical_crossentropy(K.softmax(x), y, axis=1), lambda x, y: K.cumsum(x), lambda x, y: K.sparse_categorical_crossentropy(K.cast(K.abs(y[..., 0]), "int32"), K.softmax(x)), lambda x, y: K.int_shape(x)[1] * x, lambda x, y: x * K.cast(K.shape(x)[1], "float32"), lambda x, y: x + K.cast(K.ndim(x), "float32"),
]
OPEN = [
    lambda x: tf.reverse_sequence(x, tf.argmax(x[:, :, 0], axis=1), seq_axis=1), lambda x: tf.math.cumulative_logsumexp(x, axis=1), lambda x: tf.range(tf.shape(x)[1] - 1, -1, -1), lambda x: tf.math.unsorted_segment_sum(x, tf.argmax(x, 2), 4), lambda x: tf.tensor_scatter_nd_update(x, [[0, 0]], x[:1, 0]), lambda x: tf.searchsorted(tf.sort(x[:, :, 0]), x[:, :, 1]),
    lambda x: tf.math.lgamma(x), lambda x: tf.scatter_nd(tf.argmax(x, 2)[0][:, None], x[0], [5, 4]), lambda x: tf.image.crop_and_resize(x[..., None], BOXES[:2], [0, 0], [2, 2]), lambda x: tf.compat.v1.image.resize_bilinear(x[..., None], [3, 3], align_corners=True)
]

COMPLEX = [
    lambda x: tf.abs(tf.signal.stft(x, 16, 8)), lambda x: tf.math.real(tf.signal.stft(x, 12, 5, fft_length=20)), lambda x: tf.math.imag(tf.signal.stft(x, frame_length=9, frame_step=4, window_fn=None)), lambda x: tf.abs(tf.signal.stft(x, 16, 8, pad_end=True)),
    lambda x: tf.signal.inverse_stft(tf.signal.stft(x, 16, 8), 16, 8), lambda x: tf.signal.inverse_stft(tf.signal.stft(x, 10, 5), 10, 5, window_fn=None), lambda x: tf.math.real(tf.signal.fft(tf.cast(x, tf.complex64))), lambda x: tf.math.imag(tf.signal.ifft(tf.cast(x, tf.complex64))), lambda x: tf.math.real(tf.signal.ifft(tf.math.conj(tf.signal.fft(tf.cast(x, "complex64"))))),
    lambda x: tf.abs(tf.signal.fft2d(tf.cast(tf.reshape(x, [-1, 4, 10]), tf.complex64))), lambda x: tf.math.real(tf.signal.ifft2d(tf.signal.fft2d(tf.cast(tf.reshape(x, [-1, 4, 10]), tf.complex64)))), lambda x: tf.math.log(tf.math.square(tf.abs(tf.signal.stft(x, 16, 8))) + 1e-2), lambda x: tf.math.angle(tf.signal.fft(tf.complex(x, x * x + 1.0))),
]


working_functions("more_functions_scatter", SCATTER, i=("int32", (2, 3)))
working_functions("more_functions_special", SPECIAL)
working_functions("more_functions_matrices", MATRICES, x=(2, 4, 4))
working_functions("more_functions_images", IMAGES, x=(2, 4, 6, 3))
working_functions("more_functions_backend", BACKEND, y=(2, 3, 4))
working_functions("more_functions_open", OPEN, x=(2, 5, 4), open_axes=True)
working_functions("more_functions_complex", COMPLEX, x=(2, 40))
