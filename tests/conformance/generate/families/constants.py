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
    golden("constant_concatenated", keras.Model(x, L.Concatenate(name="all")([h, row, x])), [normal(1, 3)], ["Concatenate", "Dense"],
           note="a constant row between the inputs, for a batch of one")
    n = keras.Input([2, 2], dtype="int32", name="n")
    whole = tf.constant([[[1, 2], [3, 4]]], dtype="int32")
    golden("constant_of_integers", keras.Model(n, L.Multiply(name="product")([n, whole])), [values([[[1, 2], [3, -1]], [[0, 5], [7, 2]]], "int32")],
           ["Multiply"])
    t = keras.Input([4, 3], name="t")
    golden("constant_of_lower_rank", keras.Model(t, L.Maximum(name="most")([t, row])), [normal(2, 4, 3)], ["Maximum"], note="the constant has no axis of time")


constants()
