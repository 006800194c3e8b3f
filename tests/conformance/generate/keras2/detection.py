"""Non-maximum suppression whose results have fixed shapes, at the end of detection models."""

from functions import working_functions
from golden import tf

I = tf.image


def spread(b):
    """Boxes with their edges in order, half of which overlap."""
    low = tf.sigmoid(b[..., :2])
    return tf.concat([low, low + 0.2 + 0.3 * tf.sigmoid(b[..., 2:])], -1)


COMBINED = [
    lambda x, b, s: list(I.combined_non_max_suppression(spread(b), tf.sigmoid(s), 3, 10)), lambda x, b, s: list(I.combined_non_max_suppression(spread(b), tf.sigmoid(s), 4, 5, iou_threshold=0.3, score_threshold=0.6, clip_boxes=False)),
    lambda x, b, s: list(I.combined_non_max_suppression(spread(b[:, :, :1]), s, max_output_size_per_class=2, max_total_size=20, iou_threshold=0.1, pad_per_class=True)), lambda x, b, s: list(I.combined_non_max_suppression(b, tf.sigmoid(s), 9, 9, iou_threshold=0.0, pad_per_class=True, clip_boxes=False)),
    lambda x, b, s: list(I.combined_non_max_suppression(spread(b), tf.sigmoid(s), 12, 30, 1.0)), lambda x, b, s: list(I.combined_non_max_suppression(spread(b[:, :, :1]), tf.sigmoid(s), 3, 4, score_threshold=1.0)), lambda x, b, s: list(I.combined_non_max_suppression(spread(b[:, :, 1:2]), tf.sigmoid(s[..., :1]), 5, 3)),
    lambda x, b, s: list(I.combined_non_max_suppression(tf.concat([b[..., 2:], b[..., :2]], -1), s, 3, 9, 0.2)), lambda x, b, s: list(I.combined_non_max_suppression(spread(b), s - 1.5, 8, 30, 0.1)), lambda x, b, s: list(I.combined_non_max_suppression(spread(b), s * 3.0, 9, 20, 0.2, score_threshold=-4.0, pad_per_class=True)),
]
PADDED = [
    lambda x, b, s: list(I.non_max_suppression_padded(spread(b[:, :, 0]), s[..., 0], 5, pad_to_max_output_size=True)), lambda x, b, s: list(I.non_max_suppression_padded(spread(b[0, :, 0]), s[0, :, 0], 4, iou_threshold=0.2, pad_to_max_output_size=True)),
    lambda x, b, s: list(I.non_max_suppression_padded(spread(b[:, :, 0]), tf.sigmoid(s[..., 1]), 12, iou_threshold=0.3, score_threshold=0.5, pad_to_max_output_size=True)), lambda x, b, s: list(I.non_max_suppression_padded(spread(b[:, :, 1]), s[..., 1], max_output_size=3, iou_threshold=0.4, pad_to_max_output_size=True, sorted_input=True, canonicalized_coordinates=True, tile_size=4)),
    lambda x, b, s: list(I.non_max_suppression_padded(tf.gather(spread(b[:, :, 0]), [2, 1, 0, 3], axis=-1), tf.round(s[..., 0]), 6, 0.3, pad_to_max_output_size=True)), lambda x, b, s: list(I.non_max_suppression_padded(spread(b[:, :, 0]) - 0.7, s[..., 0], 6, 0.3, pad_to_max_output_size=True)), lambda x, b, s: list(I.non_max_suppression_padded(spread(b[:, :, 1]) - 1.0, s[..., 1], 2, 0.1, pad_to_max_output_size=True)),
    lambda x, b, s: list(I.non_max_suppression_padded(spread(b), tf.transpose(s[:, :, :2], [0, 1, 2]), 1, pad_to_max_output_size=True)),
]
OPEN = [
    lambda x, b, s: list(I.combined_non_max_suppression(spread(b)[:, :, None], tf.sigmoid(s), 3, 8, 0.3)), lambda x, b, s: list(I.combined_non_max_suppression(spread(b)[:, :, None], tf.sigmoid(s), 20, 70, 0.4, pad_per_class=True)), lambda x, b, s: list(I.non_max_suppression_padded(spread(b), s[..., 0], 4, 0.3, pad_to_max_output_size=True)),
]

working_functions("detection_combined", COMBINED, x=(2, 1), b=(2, 9, 3, 4), s=(2, 9, 3))
working_functions("detection_padded", PADDED, x=(2, 1), b=(2, 9, 2, 4), s=(2, 9, 2))
working_functions("detection_open", OPEN, x=(2, 1), b=(2, 7, 4), s=(2, 7, 3), open_axes=True)
