"""Sizes that a graph reads from its own tensors: `tf.shape`, which Keras 2 writes as TFOpLambda and SlicingOpLambda layers."""

from golden import L, golden, keras, normal, tf


def at(name, build, sizes, note=None):
    """One case per size, see families/open.py."""
    for label, inputs in sizes.items():
        model = build()
        classes = ["SlicingOpLambda"] if any(type(layer).__name__ == "SlicingOpLambda" for layer in model.layers) else []
        golden(f"open_shape_{name}_{label}", model, inputs, ["TFOpLambda", *classes], note=note)


def series(*lengths, channels=4):
    return {str(n): [normal(2, n, channels)] for n in lengths}


def one(shape, function):
    """A model of a function of one input named `x`."""
    def build():
        x = keras.Input(shape, name="x")
        return keras.Model(x, function(x))
    return build


def two(first, second, function):
    """A model of a function of two inputs."""
    def build():
        x, y = keras.Input(first, name="x"), keras.Input(second, name="y")
        return keras.Model([x, y], function(x, y))
    return build


def heads(x):
    """Splits features into heads and joins them again, as attention does."""
    s = tf.shape(x)
    y = tf.transpose(tf.reshape(L.Dense(6, name="d")(x), [s[0], s[1], 2, 3]), [0, 2, 1, 3])
    weights = tf.nn.softmax(tf.matmul(y, y, transpose_b=True) / 3.0**0.5, axis=-1)
    return tf.reshape(tf.transpose(tf.matmul(weights, y), [0, 2, 1, 3]), [s[0], s[1], 6])


def crop(x, y):
    """The middle of `x`, as large as `y`: how U-Nets with `valid` convolutions cut their skips."""
    dy, dx = tf.shape(x)[1] - tf.shape(y)[1], tf.shape(x)[2] - tf.shape(y)[2]
    return tf.concat([x[:, dy // 2:dy // 2 + tf.shape(y)[1], dx // 2:dx // 2 + tf.shape(y)[2]], y], axis=-1)


def of_backend(x):
    s = keras.backend.shape(x)
    return keras.backend.reshape(x, (s[0], s[1] * 2, 2))


def unstacked(x):
    batch, time = tf.unstack(tf.shape(x)[:2])
    return tf.reshape(x, [batch, time * 4])


HW = {"3x4": [normal(2, 3, 4, 2)], "5x2": [normal(2, 5, 2, 2)]}
at("reshape", one([None, 4], lambda x: tf.reshape(L.Dense(6, name="d")(x), [tf.shape(x)[0], tf.shape(x)[1], 2, 3])), series(3, 5), "the list of sizes mixes tensors and numbers")
at("heads", one([None, 4], heads), series(4, 2), "self-attention in two heads")
at("mean", one([None, 4], lambda x: tf.reduce_sum(x, 1) / tf.cast(tf.shape(x)[1], tf.float32)), series(3, 6), "a size is cast and divides")
at("stack", one([None, None, 2], lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], tf.shape(x)[1] * tf.shape(x)[2], 2]))), HW, "the sizes are stacked; the constant is _CONSTANT_VALUE")
at("negative_index", one([None, None, 2], lambda x: tf.reshape(x, [-1, tf.shape(x)[-2] * tf.shape(x)[-1]])), HW, "-1 and a product of sizes; the batch is not kept")
at("floordiv", one([None, 4], lambda x: tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1] // 2, 8))), series(2, 6), "two steps become one: compat.v1.floor_div")
at("int64", one([None, 4], lambda x: tf.reshape(x, [tf.shape(x, out_type=tf.int64)[0], -1])), series(3, 1), "sizes of int64")
at("tile", two([None, 4], [3], lambda x, y: tf.concat([x, tf.tile(tf.expand_dims(y, 1), [1, tf.shape(x)[1], 1])], -1)),
   {"3": [normal(2, 3, 4), normal(2, 3)], "5": [normal(2, 5, 4), normal(2, 3)]}, "a vector is repeated for every step")
at("backend", one([None, 4], of_backend), series(3, 4), "keras.backend.shape and keras.backend.reshape")
at("static_part", one([None, 4], lambda x: tf.reshape(x, (-1, keras.backend.int_shape(x)[2] // 2))), series(3, 2), "only what is known is used: no shape in the graph")
at("concat", one([None, 4], lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:-1], [2, 2]], 0))), series(3, 5), "sizes are sliced and joined with a constant list")
at("unstack", one([None, 4], unstacked), series(3, 5), "sizes are unstacked: a layer with two outputs")
at("slice_to_other", two([None, 4], [None, 4], lambda x, y: x[:, :tf.shape(y)[1]] + y), {"5_3": [normal(2, 5, 4), normal(2, 3, 4)], "4_4": [normal(2, 4, 4), normal(2, 4, 4)]},
   "a slice ends where the other input does: a tensor in slice_spec")
at("slice_from_end", two([None, 4], [None, 4], lambda x, y: x[:, -tf.shape(y)[1]:] * y), {"5_3": [normal(2, 5, 4), normal(2, 3, 4)], "2_1": [normal(2, 2, 4), normal(2, 1, 4)]},
   "a slice starts at a negated size")
at("crop", two([None, None, 1], [None, None, 2], crop), {"6x7_3x4": [normal(2, 6, 7, 1), normal(2, 3, 4, 2)], "5x4_3x4": [normal(2, 5, 4, 1), normal(2, 3, 4, 2)]},
   "the middle of one image, as large as the other")
