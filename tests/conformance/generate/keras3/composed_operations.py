"""Keras 3's operations that are made of simpler ones: comparisons of images, losses of label sequences, greedy decoding."""

from functions import working_functions
from golden import keras

ops = keras.ops

QUALITY = [
    lambda x, y: ops.psnr(x, y, 1.0), lambda x, y: ops.psnr(x[0, 0], y[0, 0], max_val=255), lambda x, y: ops.image.ssim(x, y), lambda x, y: ops.image.ssim(ops.sigmoid(x), ops.sigmoid(x + 0.2 * y), max_val=2.0, filter_size=5, filter_sigma=0.8, k1=0.02, k2=0.05), lambda x, y: ops.image.ssim(x[0], y[0], filter_size=4),
]
# TensorFlow has no kernel for images whose channels are first, but this function moves them itself.
FIRST = [lambda x, y: ops.image.ssim(x, y, filter_size=3, data_format="channels_first"), lambda x, y: ops.image.ssim(x, x * 0.5 + y, 3.0, 6, data_format="channels_first")]
SEQUENCES = [
    lambda x, i: ops.ctc_loss(i + 1, x, 1 + i[:, 0] % 3, 6 + i[:, 1]), lambda x, i: ops.ctc_loss(i, x, i[:, 0] * 0 + 3, i[:, 0] * 0 + 9, mask_index=4), lambda x, i: ops.ctc_loss(i, x * 3.0, i[:, 1] * 0 + 4, 9 - i[:, 2], mask_index=-1), lambda x, i: ops.ctc_loss(ops.cast(i, "float32") + 1.0, x, i[:, 0], i[:, 1]),
    lambda x, i: ops.ctc_decode(x, 9 - i[:, 0]), lambda x, i: ops.ctc_decode(ops.round(x), 9 + i[:, 0] * 0, merge_repeated=False, mask_index=2), lambda x, i: ops.ctc_decode(x, i[:, 0], strategy="greedy", mask_index=-1), lambda x, i: ops.ctc_decode(ops.round(x), 5 + i[:, 0], mask_index=4),
]

working_functions("composed_quality", QUALITY, x=(2, 12, 13, 2), y=(2, 12, 13, 2))
working_functions("composed_quality_first", FIRST, x=(2, 3, 7, 8), y=(2, 3, 7, 8))
working_functions("composed_sequences", SEQUENCES, x=(2, 9, 5), i=("int32", (2, 4)))
working_functions("composed_sequences_open", SEQUENCES[::2], x=(2, 9, 5), i=("int32", (2, 4)), open_axes=True)
