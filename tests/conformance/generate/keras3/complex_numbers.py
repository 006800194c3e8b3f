"""Operations of Keras 3 between real and complex tensors."""

import numpy as np
from functions import functions
from golden import golden, keras, normal, tf

ops = keras.ops

functions("complex_polar", [
    lambda x: ops.view_as_real(ops.nn.polar(ops.abs(x), x)), lambda x: ops.abs(ops.nn.polar(ops.abs(x), x)), lambda x: ops.real(ops.nn.polar(x, x * 2.0)), lambda x: ops.imag(ops.nn.polar(x, x)), lambda x: ops.angle(ops.nn.polar(ops.abs(x), x)),
    lambda x: ops.view_as_real(x), lambda x: ops.view_as_real(ops.conj(ops.nn.polar(x, x))),
])
x = keras.Input((3, 2), name="x")
pairs = ops.view_as_complex(x)
parts = [ops.view_as_real(ops.conj(pairs)), ops.abs(pairs), ops.real(pairs), ops.imag(pairs), ops.angle(pairs)]


def of_complex(fed, _weights):
    made = tf.complex(fed[0][..., 0], fed[0][..., 1])
    return [np.asarray(part) for part in (ops.view_as_real(ops.conj(made)), ops.abs(made), ops.real(made), ops.imag(made), ops.angle(made))]


golden("complex_of_pairs", keras.Model(x, parts), [normal(2, 3, 2)], ["ViewAsComplex", "ViewAsReal", "Conjugate", "Absolute", "Real", "Imag", "Angle"], twin=of_complex,
       note="this version's node of `view_as_complex` adds numbers of two types, which TensorFlow refuses; computed by the other functions from a complex tensor")
