"""Constants among the inputs of merge layers, which files contain in the calls."""

import tensorflow as tf
from golden import K3, L, golden, keras, normal, values


def constants():
    x = keras.Input([3], name="x")
    row = tf.constant([[1.0, -2.0, 0.5]])
    golden("constant_added", keras.Model(x, L.Add(name="sum")([x, row])), [normal(2, 3)], ["Add"], note="a constant is an input of the layer")
    h = L.Dense(3, name="h")(x)
    if not K3:  # Keras 3 fails at it.
        golden("constant_first", keras.Model(x, L.Subtract(name="rest")([row, h])), [normal(2, 3)], ["Subtract", "Dense"], note="the constant is the first input")
    n = keras.Input([2, 2], dtype="int32", name="n")
    whole = tf.constant([[[1, 2], [3, 4]]], dtype="int32")
    golden("constant_of_integers", keras.Model(n, L.Multiply(name="product")([n, whole])), [values([[[1, 2], [3, -1]], [[0, 5], [7, 2]]], "int32")],
           ["Multiply"])
    t = keras.Input([4, 3], name="t")
    golden("constant_of_lower_rank", keras.Model(t, L.Maximum(name="most")([t, row])), [normal(2, 4, 3)], ["Maximum"], note="the constant has no axis of time")


def arguments():
    x = keras.Input([4, 3], batch_size=2, name="x")
    state, memory = tf.constant([[0.5, -1.0], [1.5, 0.25]]), tf.constant([[1.0, 0.0], [-0.5, 2.0]])
    keep = tf.constant([[True, True, False, False], [True, False, True, True]])
    golden("constant_state", keras.Model(x, L.GRU(2, name="gru")(x, initial_state=state)), [normal(2, 4, 3)], ["GRU"], note="the first state is a constant, for a batch of two")
    golden("constant_states", keras.Model(x, L.LSTM(2, name="lstm")(x, initial_state=[state, memory])), [normal(2, 4, 3)], ["LSTM"],
           note="both first states are constants, for a batch of two")
    golden("constant_mask", keras.Model(x, [L.LSTM(2, name="lstm")(x, mask=keep), L.GlobalAveragePooling1D(name="mean")(x, mask=keep)]), [normal(2, 4, 3)],
           ["LSTM", "GlobalAveragePooling1D"], note="the mask is a constant, for a batch of two")
    allowed = tf.constant([[True, False, False, False], [True, True, False, False], [True, True, True, False], [True, True, True, True]])
    y = L.MultiHeadAttention(2, 3, name="attention")(x, x, attention_mask=allowed)
    golden("constant_attention_mask", keras.Model(x, y), [normal(2, 4, 3)], ["MultiHeadAttention"], note="the attention mask is a constant")
    n = keras.Input([3], batch_size=2, dtype="int32", name="n")
    weights = tf.constant([[1.0, 0.5, 2.0], [0.25, 3.0, 1.0]])
    y = L.CategoryEncoding(num_tokens=4, output_mode="count", name="bag")(n, count_weights=weights)
    golden("constant_count_weights", keras.Model(n, y), [values([[0, 1, 1], [3, 2, 0]], "int32")], ["CategoryEncoding"], note="the weights are constants, for a batch of two")


constants()
arguments()
