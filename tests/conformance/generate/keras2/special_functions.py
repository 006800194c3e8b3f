"""The special functions of `tf.math` and `tf.math.special` beside those of the error function and the gamma function."""

import numpy as np
from functions import functions
from golden import golden, keras, normal, tf

M = tf.math
S = tf.math.special


def positive(x, scale=1.0, least=0.05):
    return tf.abs(x) * scale + least


BESSEL = [lambda x, f=f, scale=scale: f(positive(x, scale)) for f in [S.bessel_y0, S.bessel_y1, S.bessel_k0, S.bessel_k0e, S.bessel_k1, S.bessel_k1e] for scale in [0.5, 6.0]]
BESSEL += [lambda x, f=f, scale=scale: f(x * scale) for f in [S.bessel_j0, S.bessel_j1] for scale in [1e-4, 1.0, 8.0]] + [lambda x, f=f: f(x) for f in [S.bessel_i0, S.bessel_i0e, S.bessel_i1, S.bessel_i1e]]
INTEGRALS = [lambda x, f=f, scale=scale: f(x * scale) for f in [S.dawsn, S.fresnel_cos, S.fresnel_sin] for scale in [0.5, 2.0, 9.0]] + [lambda x: S.dawsn(x * 1e9 + 1e9)]
INTEGRALS += [lambda x, scale=scale: S.expint(positive(x, scale)) * tf.exp(-positive(x, scale)) for scale in [0.3, 2.0, 8.0, 20.0]] + [lambda x, scale=scale: S.spence(positive(x, scale, 0.0)) for scale in [0.5, 2.0, 20.0]]
GAMMA = [
    lambda x: M.igamma(positive(x), positive(x[:, ::-1])), lambda x: M.igammac(positive(x), positive(x[:, ::-1])), lambda x: M.igamma(positive(x, 5.0), positive(x, 4.5)), lambda x: M.igammac(2.0, positive(x, 3.0)), lambda x: M.igamma(0.5, positive(x, 9.0)),
    lambda x: M.igammac(positive(x, 9.0), positive(x[:, ::-1], 0.3)), lambda x: M.igamma(positive(x[0], 3.0), positive(x[:, :1], 3.0)),
    lambda x: M.betainc(positive(x), positive(x[:, ::-1]), tf.sigmoid(x)), lambda x: M.betainc(2.0, 0.5, tf.sigmoid(x)), lambda x: M.betainc(positive(x, 9.0), positive(x, 7.0), tf.sigmoid(x[:, ::-1])), lambda x: M.betainc(0.3, positive(x, 3.0), tf.sigmoid(x * 3.0)), lambda x: M.betainc(positive(x, 3.0), 14.0, tf.sigmoid(x - 2.0)),
    lambda x: M.zeta(positive(x, 3.0, 1.1), positive(x[:, ::-1])), lambda x: M.zeta(positive(x, 2.0, 1.5), 1.0), lambda x: M.zeta(3.0, positive(x, 30.0)), lambda x: M.zeta(2.0, x * 0.5 + 0.01), lambda x: M.zeta(3.0, x - 0.3),
    lambda x: M.polygamma(1.0, positive(x)), lambda x: M.polygamma(2.0, positive(x, 3.0)), lambda x: M.polygamma(0.0, positive(x, 3.0)), lambda x: M.polygamma(tf.round(positive(x, 2.0)), positive(x[:, ::-1], 2.0, 0.5)), lambda x: M.polygamma(1.0, x),
]
NEXT = [
    lambda x: (M.nextafter(x, 100.0) - x) * 1e7, lambda x: (M.nextafter(x, -100.0) - x) * 1e7, lambda x: (M.nextafter(tf.round(x), tf.zeros_like(x)) - tf.round(x)) * 1e7,
    lambda x: (M.nextafter(x * 1e30, x) - x * 1e30) * 1e-23, lambda x: M.nextafter(x, x),
]

functions("special_functions_bessel", BESSEL)
functions("special_functions_integrals", INTEGRALS)
functions("special_functions_gamma", GAMMA)
functions("special_functions_next", NEXT)


def of_large(name, shape):
    """For large parameters the kernel in single precision loses four digits, the one in double precision does not."""
    table = [lambda a, x: M.igamma(a, a + x * tf.sqrt(a)), lambda a, x: M.igammac(a, a + x * tf.sqrt(a))]
    inputs = [keras.Input(shape[1:], name="a"), keras.Input(shape[1:], name="x")]

    def computed(fed, _weights):
        a, x = (tf.constant(value, tf.float64) for value in fed)
        return [np.asarray(function(a, x), "float32") for function in table]

    parameters = lambda rng: np.exp(rng.uniform(4.0, 9.0, shape)).round().astype("float32")
    golden(name, keras.Model(inputs, [function(*inputs) for function in table]), [parameters, normal(*shape, scale=1.5)], "TFOpLambda", twin=computed,
           note="computed in double precision by the same functions: in single precision they lose four digits for large parameters")


of_large("special_functions_large_gamma", (2, 3, 4))
