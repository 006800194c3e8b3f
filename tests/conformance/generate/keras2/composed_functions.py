"""TensorFlow's functions that are made of simpler ones: losses, statistics, pools with positions, comparisons of images, glimpses."""

import numpy as np
from functions import working_functions
from golden import tf

T = tf.compat.v1
KERNEL = np.random.default_rng(5).normal(0, 0.5, (3, 2, 2, 3)).round(2).astype("float32")

POOLS = [
    lambda x: list(tf.nn.max_pool_with_argmax(x, 2, 2, "VALID")), lambda x: list(tf.nn.max_pool_with_argmax(x, [2, 3], [2, 1], "SAME", output_dtype=tf.int32)),
    lambda x: list(tf.nn.max_pool_with_argmax(tf.round(x), 3, 2, "SAME", include_batch_in_index=True)), lambda x: list(T.nn.max_pool_with_argmax(tf.round(x), [1, 3, 2, 1], [1, 1, 2, 1], "VALID", include_batch_in_index=True)),
    lambda x: tf.nn.max_pool_with_argmax(-tf.abs(x), 3, 3, "SAME")[1], lambda x: tf.nn.max_pool_with_argmax(tf.math.log(tf.nn.relu(x - 1.0)), 2, 1, "SAME")[1], lambda x: tf.nn.max_pool_with_argmax(tf.math.log(tf.nn.relu(x - 1.0)), [3, 2], [2, 2], "SAME", include_batch_in_index=True)[1], lambda x: list(T.nn.max_pool_with_argmax(x, [1, 1, 1, 1], [1, 2, 3, 1], "SAME", Targmax=tf.int32)),
    lambda x: tf.nn.atrous_conv2d_transpose(x, KERNEL, [2, 5, 6, 2], 2, "SAME"), lambda x: tf.nn.atrous_conv2d_transpose(x, KERNEL, [2, 11, 9, 2], rate=3, padding="VALID"), lambda x: tf.nn.atrous_conv2d_transpose(x, KERNEL, [2, 5, 6, 2], 1, "SAME"),
]
LOSSES = [
    lambda x, y: tf.nn.weighted_cross_entropy_with_logits(tf.sigmoid(y), x, 2.5), lambda x, y: tf.nn.weighted_cross_entropy_with_logits(labels=tf.cast(y > 0, tf.float32), logits=x * 30.0, pos_weight=tf.abs(y)), lambda x, y: T.nn.weighted_cross_entropy_with_logits(tf.sigmoid(y), x, 0.0),
    lambda x, y: tf.nn.log_poisson_loss(tf.abs(y), x), lambda x, y: tf.nn.log_poisson_loss(tf.abs(y) * 3.0 + 0.01, x, compute_full_loss=True),
    lambda x, y: T.losses.absolute_difference(y, x), lambda x, y: T.losses.huber_loss(y, x, delta=0.5), lambda x, y: T.losses.hinge_loss(tf.cast(y > 0, tf.float32), x), lambda x, y: T.losses.mean_squared_error(y, x, weights=tf.cast(y[:, :1] > 0, tf.float32)), lambda x, y: T.losses.log_loss(tf.sigmoid(y), tf.sigmoid(x)),
    lambda x, y: T.losses.cosine_distance(y, x, axis=-1, reduction="none"), lambda x, y: T.losses.mean_squared_error(y, x, weights=2.0, reduction="weighted_sum"), lambda x, y: T.losses.mean_squared_error(y, x, weights=tf.abs(y), reduction="weighted_mean"), lambda x, y: T.losses.mean_squared_error(y, x, weights=3.0, reduction="weighted_sum_over_batch_size"), lambda x, y: T.losses.mean_squared_error(y, x, weights=0.0),
    lambda x, y: T.losses.sigmoid_cross_entropy(tf.cast(y > 0, tf.float32), x), lambda x, y: T.losses.sigmoid_cross_entropy(tf.cast(y > 0, tf.int32), x, weights=tf.nn.relu(y), label_smoothing=0.2), lambda x, y: T.losses.softmax_cross_entropy(tf.nn.softmax(y), x), lambda x, y: T.losses.softmax_cross_entropy(tf.nn.softmax(y), x, weights=tf.nn.relu(y[..., 0]), label_smoothing=0.1),
    lambda x, y: T.losses.softmax_cross_entropy(tf.nn.softmax(y), x, 2.0, reduction="none"), lambda x, y: T.losses.sparse_softmax_cross_entropy(tf.argmax(y, -1), x), lambda x, y: T.losses.sparse_softmax_cross_entropy(tf.argmax(y, -1)[..., None], x, weights=tf.nn.relu(y[..., :1]), reduction="weighted_mean"), lambda x, y: T.losses.compute_weighted_loss(x * y, tf.nn.relu(y[:, :1, :1])),
]
STATISTICS = [
    lambda x: list(tf.nn.weighted_moments(x, [1], tf.abs(x[:, :, :1]))), lambda x: list(tf.nn.weighted_moments(x, axes=[0, 2], frequency_weights=2.0, keepdims=True)), lambda x: list(T.nn.weighted_moments(x, [2], x * 0.0)), lambda x: list(tf.nn.weighted_moments(x, [1, 2], tf.cast(x > 0, tf.int32))),
    lambda x: list(tf.nn.sufficient_statistics(x, [1]))[:3], lambda x: list(tf.nn.sufficient_statistics(x, [0, 2], shift=0.5, keepdims=True)), lambda x: list(T.nn.sufficient_statistics(x, [-1], shift=x[:, :, :1])),
    lambda x: tf.linalg.global_norm([x, x[:, 0] * 2.0]), lambda x: tf.linalg.global_norm([x]), lambda x: tf.clip_by_global_norm([x, x[:, 0]], 1.5)[0], lambda x: list(tf.clip_by_global_norm([x, x[0]], 1e3)), lambda x: list(tf.clip_by_global_norm([x], tf.reduce_max(x), use_norm=tf.norm(x[0]))),
    lambda x: tf.linalg.tensor_diag(x[0, 0]), lambda x: tf.linalg.tensor_diag(tf.cast(x[0, :2], tf.int32)), lambda x: tf.linalg.tensor_diag_part(x[0, :, :3]), lambda x: tf.linalg.tensor_diag_part(tf.tensordot(x[:, 0], x[:, 0], 0)),
]
QUALITY = [
    lambda x, y: tf.image.psnr(x, y, 1.0), lambda x, y: tf.image.psnr(tf.cast(tf.abs(x) * 60.0, tf.int32), tf.cast(tf.abs(y) * 60.0, tf.int32), max_val=255), lambda x, y: tf.image.psnr(x, y[:1], 4.0),
    lambda x, y: tf.image.ssim(x, y, 1.0), lambda x, y: tf.image.ssim(tf.sigmoid(x), tf.sigmoid(x + y * 0.2), max_val=1.0, filter_size=5, filter_sigma=0.8, k1=0.02, k2=0.05), lambda x, y: tf.image.ssim(x[0], y[0], 3.0, filter_size=4), lambda x, y: tf.image.ssim(x, x + y, 2.0, filter_size=7, return_index_map=True), lambda x, y: tf.image.ssim(x[:, None], y[:1, None], 2.0, filter_size=3),
    lambda x, y: tf.image.ssim_multiscale(x, x + y * 0.3, 1.0, power_factors=(0.3, 0.7), filter_size=5), lambda x, y: tf.image.ssim_multiscale(tf.sigmoid(x), tf.sigmoid(x + 0.1 * y), max_val=1.0, power_factors=[0.2, 0.3, 0.5], filter_size=3, filter_sigma=1.0, k1=0.05, k2=0.1), lambda x, y: tf.image.ssim_multiscale(x, x, 1.0, filter_size=1),
    lambda x, y: tf.image.ssim(x, y, 2.0, 5, 0.9, 0.02, 0.05), lambda x, y: tf.image.ssim_multiscale(x, x + y * 0.3, 1.0, (0.3, 0.7), 5, 1.1, 0.02, 0.06),
    lambda x, y: tf.image.total_variation(x), lambda x, y: tf.image.total_variation(y[0]),
]
GLIMPSES = [
    lambda x, o: tf.image.extract_glimpse(x, [3, 3], o * 0.4, noise="zero"), lambda x, o: tf.image.extract_glimpse(x, [4, 9], o, noise="zero"), lambda x, o: tf.image.extract_glimpse(x, [3, 2], o * 3.0, centered=False, normalized=False, noise="zero"), lambda x, o: tf.image.extract_glimpse(x, size=(3, 2), offsets=o * 2.0, centered=True, normalized=False, noise="zero"),
    lambda x, o: tf.image.extract_glimpse(x, [2, 2], tf.sigmoid(o), centered=False, noise="zero"), lambda x, o: tf.image.extract_glimpse(x, [1, 1], [[0.0, 0.0], [-0.5, 0.9]], noise="zero"),
]
OPEN = [
    lambda x: list(tf.nn.max_pool_with_argmax(x[..., None], 2, 2, "SAME", include_batch_in_index=True)), lambda x: list(tf.nn.max_pool_with_argmax(x[..., None], 2, 1, "VALID")), lambda x: tf.image.ssim(x[..., None], x[..., None] * 0.9, 1.0, filter_size=3), lambda x: tf.image.psnr(x[..., None], x[..., None] * 0.9, 1.0), lambda x: tf.image.extract_glimpse(x[..., None], [3, 2], x[:, 0, :2], noise="zero"),
    lambda x: list(tf.nn.sufficient_statistics(x, [1]))[:3], lambda x: list(tf.clip_by_global_norm([x, x[:, 0]], 1.5)), lambda x: T.losses.sigmoid_cross_entropy(tf.cast(x > 0, tf.float32), x),
]

working_functions("composed_pools", POOLS, x=(2, 5, 6, 3))
working_functions("composed_losses", LOSSES, x=(2, 3, 4), y=(2, 3, 4))
working_functions("composed_statistics", STATISTICS)
working_functions("composed_quality", QUALITY, x=(2, 12, 13, 2), y=(2, 12, 13, 2))
working_functions("composed_glimpses", GLIMPSES, x=(2, 6, 5, 2), o=(2, 2))
working_functions("composed_open", OPEN, x=(2, 5, 4), open_axes=True)
