"""Operators over open axes. Keras 3 has no node for a size: `keras.ops.shape` of a symbolic tensor is a tuple with None in it, so only
the known part of it, -1, and operators that follow their inputs can be written."""

from golden import L, golden, keras, normal

ops = keras.ops


def at(name, build, layers, sizes, note=None):
    """One case per size, see families/open.py."""
    for label, inputs in sizes.items():
        golden(f"open_op_{name}_{label}", build(), inputs, layers, note=note)


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


def series(*lengths, channels=4):
    return {str(n): [normal(2, n, channels)] for n in lengths}


def known_part(x):
    """What survives of `keras.ops.shape`: the numbers, with -1 for the one axis that is unknown."""
    time, features = ops.shape(x)[1:]
    assert time is None
    return ops.reshape(x, (-1, features // 2, 2))


def attention(x, y):
    scores = ops.matmul(L.Dense(4, name="q")(x), ops.transpose(y, (0, 2, 1)))
    return ops.matmul(ops.softmax(scores / 2.0, axis=-1), y)


PAIRS = {"4_2": [normal(2, 4, 4), normal(2, 2, 4)], "3_5": [normal(2, 3, 4), normal(2, 5, 4)]}
HW = {"3x4": [normal(2, 3, 4, 2)], "5x2": [normal(2, 5, 2, 2)]}
at("shape_known_part", one([None, 4], known_part), "Reshape", series(3, 5), "keras.ops.shape leaves only numbers in the file; time and batch become one axis")
at("reshape", one([None, None, 2], lambda x: ops.reshape(x, (-1, 2))), "Reshape", HW, "everything but the channels becomes one axis")
at("attention", two([None, 4], [None, 4], attention), ["Matmul", "Softmax", "Transpose"], PAIRS, "softmax over the other input's unknown time")
at("mean", one([None, 4], lambda x: ops.sum(x, axis=1) / ops.sum(ops.ones_like(x), axis=1)), ["OnesLike", "Sum", "TrueDivide"], series(3, 6), "the number of steps is counted with ones")
at("broadcast", two([None, 4], [4], lambda x, y: ops.concatenate([x, ops.expand_dims(y, 1) + ops.zeros_like(x)], axis=-1)), ["Concatenate", "Add", "ZerosLike"],
   {"3": [normal(2, 3, 4), normal(2, 4)], "5": [normal(2, 5, 4), normal(2, 4)]}, "a vector is repeated for every step by adding zeros")
at("slice", one([None, 4], lambda x: x[:, 1:] - x[:, :-1]), ["GetItem", "Subtract"], series(4, 2), "differences of neighbours")
at("slice_step", one([None, 4], lambda x: ops.stack([x[:, ::2, 0], x[:, 1::2, -1]], axis=-1)), ["GetItem", "Stack"], series(4, 6), "every second step")
at("last_step", one([None, 4], lambda x: x[:, -1] * x[:, 0]), ["GetItem", "Multiply"], series(3, 1), "the first and the last step")
at("backwards", one([None, 4], lambda x: x[:, ::-1] + x), ["GetItem", "Add"], series(3, 4), "the steps in reverse")
at("standardise", one([None, None, 2], lambda x: (x - ops.mean(x, axis=(1, 2), keepdims=True)) / ops.max(ops.abs(x), axis=[1, 2], keepdims=True)), ["Mean", "Max", "Subtract"], HW,
   "an image minus its own mean")
at("tile", one([None, 3], lambda x: ops.tile(x, (1, 2, 1))), "Tile", series(2, 5, channels=3), "the unknown axis twice")
at("outer", two([None], [None], lambda x, y: ops.expand_dims(x, 2) * ops.expand_dims(y, 1)), ["ExpandDims", "Multiply"], {"3_4": [normal(2, 3), normal(2, 4)], "2_1": [normal(2, 2), normal(2, 1)]})
at("diagonal", one([None, 4], lambda x: ops.diagonal(ops.matmul(x, ops.transpose(x, (0, 2, 1))), axis1=1, axis2=2)), ["Diagonal", "Matmul"], series(3, 5), "neither side of the matrix is known")
at("diagonal_one_side", one([None, 4], lambda x: ops.diagonal(x, offset=1, axis1=2, axis2=1)), ["Diagonal"], series(3, 6), "the columns are not known")
