"""The next number after another, which Keras 3 computes in double precision: it is the same number in single precision."""

from functions import functions
from golden import keras

ops = keras.ops

functions("next_after", [lambda x: (ops.nextafter(x, 100.0) - x) * 1e7, lambda x: ops.nextafter(x, -x), lambda x: ops.nextafter(x, ops.cast(x, "int32")), lambda x: ops.nextafter(ops.round(x), 1.0)])
