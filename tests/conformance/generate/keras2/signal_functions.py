"""Functions of `tf.signal` beside the short-time transforms: cosine transforms, windows, shifted spectra, transforms of three axes."""

from functions import functions
from golden import tf

S = tf.signal


def complexes(x):
    return tf.complex(x, x * x + 1.0)


COSINE = [
    lambda x: S.dct(x, type=1), lambda x: S.dct(x, type=1, n=9), lambda x: S.dct(x, n=3), lambda x: S.dct(x, type=3), lambda x: S.dct(x, type=3, norm="ortho"), lambda x: S.dct(x, type=4), lambda x: S.dct(x, type=4, n=7, norm="ortho"),
    lambda x: S.idct(x, type=1), lambda x: S.idct(x), lambda x: S.idct(x, norm="ortho"), lambda x: S.idct(x, type=3, norm="ortho"), lambda x: S.idct(x, type=4), lambda x: S.idct(x, n=5),
    lambda x: S.mfccs_from_log_mel_spectrograms(x), lambda x: S.inverse_mdct(x), lambda x: S.inverse_mdct(x, norm="ortho", window_fn=None), lambda x: S.mdct(tf.reshape(x, [-1, 18]), 8), lambda x: S.mdct(tf.reshape(x, [-1, 18]), 4, norm="ortho"),
    lambda x: S.mdct(tf.reshape(x, [-1, 18]), 8, window_fn=None, pad_end=True),
]
WINDOWS = [
    lambda x: S.kaiser_window(tf.shape(x)[1]), lambda x: S.kaiser_window(tf.shape(x)[2] + 1, beta=5.0), lambda x: S.kaiser_window(tf.shape(x)[1] - 2), lambda x: S.kaiser_bessel_derived_window(tf.shape(x)[2]), lambda x: S.kaiser_bessel_derived_window(tf.shape(x)[1] * 3, beta=4.0),
    lambda x: S.vorbis_window(tf.shape(x)[2]), lambda x: S.hann_window(tf.shape(x)[2]), lambda x: S.hann_window(tf.shape(x)[1]), lambda x: S.hamming_window(tf.shape(x)[2], periodic=False), lambda x: S.hann_window(tf.shape(x)[1] - 2),
]
SHIFTED = [
    lambda x: S.fftshift(x), lambda x: S.fftshift(x, axes=[1, 2]), lambda x: S.ifftshift(x, axes=1), lambda x: S.ifftshift(x, axes=[-1]), lambda x: tf.math.real(S.fftshift(S.fft(complexes(x)), axes=-1)), lambda x: tf.math.imag(S.ifftshift(complexes(x), axes=[1, 2])),
    lambda x: tf.math.real(S.fft3d(complexes(x))), lambda x: tf.math.imag(S.ifft3d(complexes(x[:, None]))),
]

functions("signal_functions_cosine", COSINE, x=(2, 3, 6))
functions("signal_functions_cosine_open", [lambda x: S.dct(x), lambda x: S.dct(x, type=4, norm="ortho"), lambda x: S.idct(x), lambda x: S.mdct(x, 4), lambda x: S.mfccs_from_log_mel_spectrograms(x)], x=(2, 5, 10), open_axes=True)
functions("signal_functions_windows", WINDOWS, x=(2, 3, 8))
functions("signal_functions_shifted", SHIFTED, x=(2, 3, 4))
