"""Connectionist temporal classification: losses of label sequences and greedy decoding, as functions in a model."""

from functions import working_functions
from golden import keras, tf

K = keras.backend
LABELS = [[1, 2, 2, 3], [4, 1, 3, 3]]

LOSSES = [
    lambda x, i: K.ctc_batch_cost(i, tf.nn.softmax(x), 9 - i[:, :1] // 2, 1 + i[:, :1] % 2), lambda x, i: K.ctc_batch_cost(tf.cast(i, tf.float32), tf.sigmoid(x), 8 + 0 * i[:, :1], 3 + 0 * i[:, :1]),
    lambda x, i: tf.nn.ctc_loss(i + 1, x, 1 + i[:, 0] % 3, 6 + i[:, 1], logits_time_major=False), lambda x, i: tf.nn.ctc_loss(i, tf.transpose(x, [1, 0, 2]), i[:, 0] * 0 + 3, i[:, 0] * 0 + 9, blank_index=-1), lambda x, i: tf.nn.ctc_loss(i * 0 + LABELS, x * 3.0, i[:, 1], 5 + i[:, 2], logits_time_major=False, blank_index=0),
    lambda x, i: tf.nn.ctc_loss(labels=tf.where(i > 1, i + 1, i), logits=x, label_length=i[:, 0] * 0 + 2, logit_length=i[:, 0] * 0 + 8, logits_time_major=False, blank_index=2), lambda x, i: tf.nn.ctc_loss(i + 1, x, i[:, 0] * 0 + 4, i[:, 0] * 0 + 3, logits_time_major=False), lambda x, i: tf.nn.ctc_loss(i + 1, x, i[:, 0] * 0, i[:, 0], logits_time_major=False),
    lambda x, i: tf.compat.v1.nn.ctc_loss_v2(i + 1, tf.transpose(x, [1, 0, 2]), i[:, 0] * 0 + 1, i[:, 0] * 0 + 9),
]
DECODERS = [
    lambda x, i: flat_decoded(K.ctc_decode(tf.nn.softmax(x), 9 - i[:, 0])), lambda x, i: flat_decoded(K.ctc_decode(tf.nn.softmax(tf.round(x)), input_length=9 + i[:, 0] * 0, greedy=True)), lambda x, i: flat_decoded(K.ctc_decode(tf.nn.softmax(tf.concat([x[..., :4], x[..., 4:] + 1.5], -1)), i[:, 0])),
]


def flat_decoded(result):
    (decoded,), score = result
    return [decoded, score]


working_functions("sequence_label_losses", LOSSES, x=(2, 9, 5), i=("int32", (2, 4)))
working_functions("sequence_label_decoders", DECODERS, x=(2, 9, 5), i=("int32", (2, 4)))
working_functions("sequence_label_losses_open", [LOSSES[0], LOSSES[2], LOSSES[3], DECODERS[0]], x=(2, 9, 5), i=("int32", (2, 4)), open_axes=True)
