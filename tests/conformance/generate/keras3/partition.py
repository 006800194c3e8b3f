"""The positions of the smallest elements. On TensorFlow, Keras converts to whole numbers first and computes vectors only."""

from functions import functions
from golden import keras

ops = keras.ops

functions("partition", [
    lambda x, i: ops.argpartition(x, 5, axis=None), lambda x, i: ops.argpartition(x * 9.0, 7, axis=None), lambda x, i: ops.argpartition(i, 0, axis=None), lambda x, i: ops.argpartition(x[0, 0] * 5.0, 1), lambda x, i: ops.argpartition(ops.abs(x[0, :, 1]) * 5.0, 40), lambda x, i: ops.argpartition(i[1], -3, axis=0),
], i=("int32", (2, 5)))
