"""TensorFlow's functions on symbolic tensors, which Keras 2 writes as TFOpLambda and SlicingOpLambda layers, many to a model."""

from functions import functions
from golden import keras, tf

K = keras.backend

ELEMENTARY = [
    lambda x: tf.tan(x), lambda x: tf.asin(tf.tanh(x)), lambda x: tf.acos(tf.tanh(x)), lambda x: tf.atan(x), lambda x: tf.sinh(x), lambda x: tf.cosh(x),
    lambda x: tf.math.asinh(x), lambda x: tf.math.acosh(1.0+tf.abs(x)), lambda x: tf.math.atanh(0.9*tf.tanh(x)), lambda x: tf.math.erfc(x),
    lambda x: tf.math.rint(x), lambda x: tf.math.sigmoid(x), lambda x: tf.math.sign(x), lambda x: tf.math.reciprocal_no_nan(tf.nn.relu(x)),
    lambda x: tf.math.softplus(x), lambda x: tf.math.is_nan(x), lambda x: tf.math.is_inf(x), lambda x: tf.math.is_finite(x),
    lambda x: tf.stop_gradient(x), lambda x: tf.identity(x), lambda x: tf.ones_like(x), lambda x: tf.zeros_like(x, dtype=tf.int32),
    lambda x: tf.cast(x, "int32"), lambda x: tf.saturate_cast(x*100.0, tf.int32), lambda x: tf.nn.crelu(x), lambda x: tf.nn.softmax(x, axis=1),
    lambda x: tf.nn.selu(x), lambda x: tf.nn.elu(x), lambda x: tf.nn.leaky_relu(x, 0.1), lambda x: tf.nn.silu(x), lambda x: tf.nn.swish(x),
    lambda x: tf.nn.gelu(x, True), lambda x: tf.math.log_sigmoid(x), lambda x: tf.math.zero_fraction(x), lambda x: tf.clip_by_value(x, -1.0, 0.5),
    lambda x: tf.clip_by_norm(x, 1.0), lambda x: tf.clip_by_norm(x, 1.0, axes=[1]), lambda x: tf.math.abs(x), lambda x: tf.math.round(x),
    lambda x: tf.bitwise.invert(tf.cast(x, tf.int32)), lambda x: tf.debugging.check_numerics(x, "m"), lambda x: tf.nn.relu6(x),
    lambda x: tf.math.l2_normalize(x, axis=-1), lambda x: tf.nn.l2_normalize(x, 1), lambda x: tf.math.xlogy(tf.nn.relu(x), 1.0+tf.abs(x)),
]
BINARY = [
    lambda x, y: tf.atan2(x, y), lambda x, y: tf.math.divide_no_nan(x, tf.nn.relu(y)), lambda x, y: tf.math.multiply_no_nan(x, tf.nn.relu(y)),
    lambda x, y: x//y, lambda x, y: tf.math.truediv(x, y), lambda x, y: tf.math.add_n([x, y]), lambda x, y: tf.add_n([x, y, x]),
    lambda x, y: tf.math.accumulate_n([x, y]), lambda x, y: tf.where(x>y, x, y), lambda x, y: tf.where(x>0, x, 0.0), lambda x, y: tf.math.maximum(x, y),
    lambda x, y: (x>0)&(y>0), lambda x, y: ~(x>0), lambda x, y: (x>0)|(y>0), lambda x, y: (x>0)^(y>0), lambda x, y: x@tf.transpose(y, [0, 2, 1]),
    lambda x, y: x**2, lambda x, y: 2**x, lambda x, y: abs(x), lambda x, y: 1/x, lambda x, y: tf.pow(tf.abs(x), y),
    lambda x, y: tf.math.xdivy(tf.nn.relu(x), y), lambda x, y: tf.math.subtract(1.0, y), lambda x, y: tf.math.scalar_mul(2.0, x),
    lambda x, y: tf.not_equal(x, 0.0), lambda x, y: tf.nn.bias_add(x, y[0, 0]), lambda x, y: tf.tensordot(x, y, axes=[[1, 2], [1, 2]]),
    lambda x, y: tf.tensordot(x, y[0], axes=[[2], [1]]), lambda x, y: tf.linalg.matvec(x, y[:, 0]),
    lambda x, y: tf.linalg.cross(x[..., :3], y[..., :3]), lambda x, y: tf.nn.batch_normalization(x, y[0, 0], tf.abs(y[0, 1]), y[1, 0], y[1, 1], 1e-3),
    lambda x, y: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(x), y),
    lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(tf.nn.sigmoid(x), y), lambda x, y: tf.concat([x, y], 1),
    lambda x, y: tf.stack([x, y], axis=-1), lambda x, y: tf.linalg.matmul(x, y, transpose_a=True),
    lambda x, y: tf.matmul(x, tf.constant([[1.0], [2.0], [3.0], [4.0]])), lambda x, y: tf.math.greater(x, y),
    lambda x, y: tf.repeat(x, [1, 0, 2], axis=1),
]
REDUCTIONS = [
    lambda x: tf.reduce_sum(x), lambda x: tf.math.reduce_std(x, axis=1), lambda x: tf.math.reduce_variance(x, axis=[1, 2], keepdims=True),
    lambda x: tf.reduce_logsumexp(x, axis=-1), lambda x: tf.math.reduce_logsumexp(x, axis=[1, 2], keepdims=True),
    lambda x: tf.math.reduce_euclidean_norm(x, axis=1), lambda x: tf.norm(x), lambda x: tf.norm(x, axis=-1, keepdims=True),
    lambda x: tf.norm(x, ord=1, axis=1), lambda x: tf.norm(x, ord="euclidean", axis=[1, 2]), lambda x: tf.nn.moments(x, axes=[1]),
    lambda x: tf.nn.moments(x, [1, 2], keepdims=True), lambda x: tf.math.count_nonzero(tf.nn.relu(x), axis=-1), lambda x: tf.argmax(x, axis=-1),
    lambda x: tf.math.argmax(x), lambda x: tf.sort(x), lambda x: tf.sort(x, axis=1, direction="DESCENDING"), lambda x: tf.argsort(x, axis=-1),
    lambda x: tf.argsort(x, direction="DESCENDING", axis=1), lambda x: tf.math.top_k(x, 2), lambda x: tf.nn.top_k(x, k=3, sorted=True),
    lambda x: tf.cumsum(x, axis=1), lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True), lambda x: tf.math.cumprod(x, axis=-1),
    lambda x: tf.reduce_prod(x, 1), lambda x: tf.reduce_all(x>-1.0, 1), lambda x: tf.reduce_any(x>1.0, [1, 2]),
    lambda x: tf.reduce_max(x, axis=-1, keepdims=True), lambda x: tf.linalg.normalize(x, axis=-1),
    lambda x: tf.math.reduce_mean(x, axis=1, keepdims=True), lambda x: tf.linalg.trace(x),
]
LAYOUT = [
    lambda x: tf.split(x, 2, axis=-1), lambda x: tf.split(x, [1, 3], axis=2), lambda x: tf.split(x, [1, -1], axis=-1),
    lambda x: tf.split(x, num_or_size_splits=3, axis=1), lambda x: tf.unstack(x, axis=1), lambda x: tf.unstack(x, num=4, axis=-1),
    lambda x: tf.reverse(x, axis=[1]), lambda x: tf.reverse(x, [1, -1]), lambda x: tf.roll(x, 1, axis=1),
    lambda x: tf.roll(x, shift=[1, -1], axis=[1, 2]), lambda x: tf.repeat(x, 2, axis=1), lambda x: tf.repeat(x, 2), lambda x: tf.tile(x, [1, 2, 1]),
    lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1]]), lambda x: tf.pad(x, [[0, 0], [1, 2], [3, 0]], mode="REFLECT"),
    lambda x: tf.pad(x, tf.constant([[0, 0], [2, 0], [1, 4]]), "SYMMETRIC"), lambda x: tf.pad(x, [[0, 0], [1, 0], [0, 0]], constant_values=-1.5),
    lambda x: tf.transpose(x, perm=[0, 2, 1]), lambda x: tf.transpose(x), lambda x: tf.slice(x, [0, 1, 1], [-1, 2, 2]),
    lambda x: tf.strided_slice(x, [0, 0, 1], [2, 3, 4], [1, 2, 1]), lambda x: tf.strided_slice(x, [0, 1], [2, 2], shrink_axis_mask=2),
    lambda x: tf.linalg.band_part(x, -1, 0), lambda x: tf.linalg.band_part(x, 0, 1), lambda x: tf.linalg.diag_part(x),
    lambda x: tf.linalg.diag(x[:, 0]),
    lambda x: tf.linspace(x[0, 0], x[0, 1], 4), lambda x: tf.linalg.matrix_transpose(x), lambda x: tf.expand_dims(x, -1),
    lambda x: tf.squeeze(x[:, :1]), lambda x: tf.reshape(x, [-1]), lambda x: tf.broadcast_to(x[:, :1], tf.shape(x)),
    lambda x: tf.sequence_mask(tf.cast(tf.abs(x[:, 0, 0]), tf.int32), 4), lambda x: tf.ensure_shape(x, [None, 3, 4]),
    lambda x: tf.nn.depth_to_space(x[:, :, None], 2), lambda x: tf.zeros([tf.shape(x)[0], 3]), lambda x: tf.ones((tf.shape(x)[0], 1)),
    lambda x: tf.zeros_like(x[:, 0]), lambda x: x[:, tf.newaxis], lambda x: tf.image.flip_left_right(x),
    lambda x: tf.one_hot(tf.cast(tf.abs(x[:, 0]), tf.int32), 3),
]
GATHER = [
    lambda x, i, j: tf.gather(x, i), lambda x, i, j: tf.gather(x, [0, 2], axis=1), lambda x, i, j: tf.gather(x, i, axis=-1),
    lambda x, i, j: tf.gather(x, i//2, axis=1, batch_dims=1), lambda x, i, j: tf.gather(x, i, axis=2, batch_dims=2),
    lambda x, i, j: tf.gather(x, 0, axis=1), lambda x, i, j: tf.gather_nd(x, j//2, batch_dims=1), lambda x, i, j: tf.gather_nd(x, [[0, 1], [1, 2]]),
    lambda x, i, j: tf.one_hot(i, 5), lambda x, i, j: tf.one_hot(i, depth=4, on_value=2.0, off_value=-1.0, axis=1),
    lambda x, i, j: tf.one_hot(i, 4, dtype=tf.int32), lambda x, i, j: tf.nn.embedding_lookup(x[0], i//2), lambda x, i, j: tf.bitwise.bitwise_and(i, 3),
    lambda x, i, j: tf.cast(i, tf.float32), lambda x, i, j: i*2+1, lambda x, i, j: i//2, lambda x, i, j: i%2, lambda x, i, j: tf.cast(i/2, "float32"),
    lambda x, i, j: tf.reduce_sum(i, 1), lambda x, i, j: tf.reduce_mean(i, 1), lambda x, i, j: tf.math.floordiv(i, 2),
    lambda x, i, j: tf.bitwise.left_shift(i, 1), lambda x, i, j: tf.math.minimum(i, 2), lambda x, i, j: tf.where(i>1, i, 0),
    lambda x, i, j: tf.equal(i, 2), lambda x, i, j: tf.gather(x, j[..., 0], batch_dims=1), lambda x, i, j: tf.clip_by_value(i, 1, 2),
    lambda x, i, j: tf.cumsum(i, axis=1), lambda x, i, j: tf.math.abs(i), lambda x, i, j: tf.maximum(i, 1),
    lambda x, i, j: tf.linalg.set_diag(x[:, :, :4], x[:, :, 0]),
]
IMAGES = [
    lambda x: tf.image.resize(x, [8, 5]), lambda x: tf.image.resize(x, (3, 9), method="nearest"),
    lambda x: tf.image.resize(x, [2, 3], method=tf.image.ResizeMethod.AREA), lambda x: tf.image.resize(x, [3, 4], method="bicubic", antialias=True),
    lambda x: tf.image.resize(x, [8, 8], preserve_aspect_ratio=True), lambda x: tf.compat.v1.image.resize_bilinear(x, [8, 5]),
    lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [8, 5]), lambda x: tf.compat.v1.image.resize_bilinear(x, [8, 5], half_pixel_centers=True),
    lambda x: tf.compat.v1.image.resize_images(x, [8, 5]), lambda x: tf.image.rgb_to_grayscale(x), lambda x: tf.image.grayscale_to_rgb(x[..., :1]),
    lambda x: tf.image.rgb_to_hsv(tf.sigmoid(x)), lambda x: tf.image.hsv_to_rgb(tf.sigmoid(x)), lambda x: tf.image.rgb_to_yuv(x),
    lambda x: tf.image.yuv_to_rgb(x), lambda x: tf.image.per_image_standardization(x), lambda x: tf.image.flip_left_right(x),
    lambda x: tf.image.flip_up_down(x), lambda x: tf.image.rot90(x), lambda x: tf.image.central_crop(x, 0.5),
    lambda x: tf.image.crop_to_bounding_box(x, 1, 1, 2, 3), lambda x: tf.image.pad_to_bounding_box(x, 1, 2, 7, 10),
    lambda x: tf.image.resize_with_crop_or_pad(x, 5, 4), lambda x: tf.image.adjust_contrast(x, 2.0), lambda x: tf.image.adjust_brightness(x, 0.2),
    lambda x: tf.image.adjust_saturation(x, 0.5), lambda x: tf.image.adjust_hue(x, 0.1), lambda x: tf.image.adjust_gamma(tf.abs(x), 0.5),
    lambda x: tf.image.convert_image_dtype(x, tf.float32), lambda x: tf.image.transpose(x),
    lambda x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "VALID"), lambda x: tf.nn.space_to_depth(x, 2),
    lambda x: tf.nn.max_pool(x, 2, 2, "VALID"), lambda x: tf.nn.max_pool2d(x, [1, 2, 2, 1], [1, 1, 1, 1], "SAME"),
    lambda x: tf.nn.avg_pool(x, ksize=2, strides=2, padding="SAME"), lambda x: tf.nn.avg_pool2d(x, [2, 3], 1, "VALID"),
    lambda x: tf.nn.pool(x, [2, 2], "MAX", strides=[2, 2], padding="SAME"), lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 3, 2]), 1, "SAME"),
    lambda x: tf.nn.conv2d(x, tf.ones([2, 2, 3, 2]), strides=[1, 2, 2, 1], padding="VALID"),
    lambda x: tf.nn.conv2d(x, tf.ones([2, 2, 3, 2]), strides=1, padding=[[0, 0], [1, 0], [2, 1], [0, 0]]),
    lambda x: tf.nn.depthwise_conv2d(x, tf.ones([2, 2, 3, 2]), [1, 1, 1, 1], "SAME"),
    lambda x: tf.nn.separable_conv2d(x, tf.ones([2, 2, 3, 1]), tf.ones([1, 1, 3, 4]), [1, 1, 1, 1], "SAME"),
    lambda x: tf.nn.conv2d_transpose(x, tf.ones([2, 2, 4, 3]), [2, 8, 12, 4], 2, "SAME"),
    lambda x: tf.nn.conv1d(x[:, 0], tf.ones([2, 3, 2]), 1, "SAME"), lambda x: tf.nn.max_pool1d(x[:, 0], 2, 2, "VALID"),
    lambda x: tf.nn.avg_pool1d(x[:, 0], 2, 1, "SAME"), lambda x: tf.nn.atrous_conv2d(x, tf.ones([2, 2, 3, 2]), 2, "SAME"),
    lambda x: tf.nn.convolution(x, tf.ones([2, 2, 3, 2]), padding="SAME"), lambda x: tf.nn.local_response_normalization(x, depth_radius=1),
    lambda x: tf.nn.lrn(x), lambda x: keras.applications.mobilenet.preprocess_input(x), lambda x: keras.applications.vgg16.preprocess_input(x),
    lambda x: keras.applications.densenet.preprocess_input(x), lambda x: tf.image.resize(x, tf.shape(x)[1:3]*2),
    lambda x: tf.image.resize(x, [tf.shape(x)[1], 4]), lambda x: tf.keras.backend.l2_normalize(x, -1),
]
BACKEND = [
    lambda x, y: K.mean(x, axis=1), lambda x, y: K.sum(x, axis=-1, keepdims=True), lambda x, y: K.max(x, axis=1), lambda x, y: K.min(x),
    lambda x, y: K.prod(x, axis=1), lambda x, y: K.var(x, axis=1), lambda x, y: K.std(x, axis=-1, keepdims=True),
    lambda x, y: K.any(K.greater(x, 0), axis=1), lambda x, y: K.all(x, axis=1), lambda x, y: K.argmax(x), lambda x, y: K.argmin(x, axis=1),
    lambda x, y: K.square(x), lambda x, y: K.abs(x), lambda x, y: K.sqrt(x), lambda x, y: K.exp(x), lambda x, y: K.log(K.abs(x)),
    lambda x, y: K.exp(-x), lambda x, y: K.round(x), lambda x, y: K.sign(x), lambda x, y: K.pow(x, 2), lambda x, y: K.clip(x, -1, 1),
    lambda x, y: K.not_equal(x, y), lambda x, y: K.greater(x, y), lambda x, y: K.less_equal(x, y), lambda x, y: K.maximum(x, y),
    lambda x, y: K.minimum(x, 0.5), lambda x, y: K.sin(x), lambda x, y: K.cos(x), lambda x, y: K.concatenate([x, y]),
    lambda x, y: K.reshape(x, (-1, 12)), lambda x, y: K.permute_dimensions(x, (0, 2, 1)), lambda x, y: K.repeat_elements(x, 2, axis=1),
    lambda x, y: K.repeat(x[:, 0], 3), lambda x, y: K.arange(0, 3)+K.cast(x[0, 0, :3], "int32"), lambda x, y: K.tile(x, [1, 2, 1]),
    lambda x, y: K.flatten(x), lambda x, y: K.batch_flatten(x), lambda x, y: K.expand_dims(x), lambda x, y: K.squeeze(K.expand_dims(x, 1), 1),
    lambda x, y: K.temporal_padding(x, (1, 2)), lambda x, y: K.stack([x, y], axis=1), lambda x, y: K.one_hot(K.cast(K.abs(x[:, 0]), "int32"), 3),
    lambda x, y: K.reverse(x, 1), lambda x, y: K.relu(x), lambda x, y: K.relu(x, alpha=0.1, max_value=2.0, threshold=0.5), lambda x, y: K.elu(x),
    lambda x, y: K.elu(x, 0.5), lambda x, y: K.softmax(x), lambda x, y: K.softplus(x), lambda x, y: K.softsign(x), lambda x, y: K.sigmoid(x),
    lambda x, y: K.hard_sigmoid(x), lambda x, y: K.tanh(x), lambda x, y: K.l2_normalize(x, axis=-1), lambda x, y: K.dot(x, K.transpose(y[0])),
    lambda x, y: K.dot(x, K.constant([[1.], [2.], [3.], [4.]])), lambda x, y: K.batch_dot(x, y, axes=[2, 2]), lambda x, y: K.transpose(x[0]),
    lambda x, y: K.cumsum(x, axis=1), lambda x, y: K.cumprod(x, axis=1), lambda x, y: K.zeros_like(x), lambda x, y: K.ones_like(x),
    lambda x, y: K.cast(x, "int32"), lambda x, y: K.stop_gradient(x), lambda x, y: K.categorical_crossentropy(K.softmax(x), K.softmax(y)),
    lambda x, y: K.binary_crossentropy(K.sigmoid(x), K.sigmoid(y)), lambda x, y: K.batch_normalization(x, y[0, 0], K.abs(y[0, 1]), y[1, 0], y[1, 1]),
    lambda x, y: K.bias_add(x, y[0, 0]), lambda x, y: K.spatial_2d_padding(K.expand_dims(x), ((1, 0), (0, 2))),
    lambda x, y: K.resize_images(K.expand_dims(x), 2, 3, "channels_last"), lambda x, y: K.pool2d(K.expand_dims(x), (2, 2)),
    lambda x, y: keras.activations.hard_sigmoid(x), lambda x, y: keras.activations.relu(x, max_value=6.0), lambda x, y: keras.activations.softmax(x),
    lambda x, y: keras.activations.mish(x), lambda x, y: keras.activations.gelu(x), lambda x, y: keras.activations.swish(x),
    lambda x, y: keras.activations.linear(x), lambda x, y: keras.activations.exponential(x), lambda x, y: keras.activations.get("relu")(x),
    lambda x, y: tf.math.softmax(x),
]

EXTRA = [
    lambda x: tf.eye(tf.shape(x)[1]), lambda x: tf.eye(3, batch_shape=[tf.shape(x)[0]]), lambda x: tf.range(tf.shape(x)[1]), lambda x: tf.rank(x), lambda x: tf.size(x),
    lambda x: tf.reshape(x, [tf.size(x)]), lambda x: tf.argmin(x, axis=1, output_type=tf.int32), lambda x: tf.transpose(x[0]),
]
functions("tf_functions_elementary", ELEMENTARY)
functions("tf_functions_binary", BINARY, y=(2, 3, 4))
functions("tf_functions_reductions", REDUCTIONS)
functions("tf_functions_layout", LAYOUT)
functions("tf_functions_sizes", EXTRA)
functions("tf_functions_gather", GATHER, i=("int32", (4, 4)), j=("int32", (4, 4, 1)), x=(4, 4, 5))
functions("tf_functions_images", IMAGES, x=(2, 4, 6, 3))
functions("tf_functions_backend", BACKEND, y=(2, 3, 4))

OPEN = [
    lambda x: tf.split(x, [1, -1], axis=-1), lambda x: tf.reverse(x, [1]), lambda x: tf.roll(x, 2, axis=1), lambda x: tf.repeat(x, 3, axis=1), lambda x: tf.pad(x, [[0, 0], [1, 1], [0, 0]], "SYMMETRIC"), lambda x: tf.cumsum(x, 1, exclusive=True),
    lambda x: tf.argmax(x, 1), lambda x: tf.sort(x, axis=1, direction="DESCENDING"), lambda x: tf.math.reduce_std(x, 1), lambda x: tf.reduce_logsumexp(x, 1), lambda x: tf.norm(x, axis=1), lambda x: tf.math.l2_normalize(x, 1),
    lambda x: tf.linalg.band_part(x, -1, 0), lambda x: tf.gather(x, tf.argsort(x[:, :, 0], axis=1), axis=1, batch_dims=1), lambda x: tf.slice(x, [0, 1, 0], [-1, -1, 2]), lambda x: tf.gather(x, [0, 1], axis=1), lambda x: tf.tensordot(x, [[1.0], [2.0], [3.0], [4.0]], 1),
    lambda x: tf.nn.avg_pool1d(x, 2, 1, "SAME"), lambda x: tf.image.flip_left_right(x[..., None]), lambda x: tf.image.resize(x[..., None], [3, 3]), lambda x: tf.math.count_nonzero(x > 0, axis=1), lambda x: tf.eye(tf.shape(x)[1]) + 0.0 * x[0, 0, 0],
]
functions("tf_functions_open", OPEN, x=(2, 5, 4), open_axes=True)
functions("tf_functions_open_short", OPEN, x=(3, 2, 4), open_axes=True)
functions("rectangular_diagonals", [
    lambda x: tf.linalg.set_diag(x, x[:, :, 0]), lambda x: tf.linalg.set_diag(tf.transpose(x, [0, 2, 1]), x[:, :, 1]), lambda x: tf.linalg.set_diag(x, x[:, :3, 1], k=1),
    lambda x: tf.linalg.set_diag(x, x[:, :2, 2], k=-1), lambda x: tf.linalg.set_diag(x, x[:, :1, 3], k=3), lambda x: tf.linalg.set_diag(x, x[:, :1, 3], k=-2),
])
functions("open_diagonals", [
    lambda x: tf.linalg.diag_part(tf.transpose(x, [0, 2, 1])), lambda x: tf.linalg.trace(tf.transpose(x, [0, 2, 1])), lambda x: tf.linalg.diag_part(tf.transpose(x, [0, 2, 1]) > 0.0),
    lambda x: tf.linalg.diag_part(x @ tf.transpose(x, [0, 2, 1])),
], x=(2, 5, 4), open_axes=True)
