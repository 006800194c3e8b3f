"""STFTSpectrogram, as Keras 3 computes it and the converter writes it. Its window is in the weights, which are random here as elsewhere;
named windows need scipy."""

from golden import L, golden, normal, single


def stft(name, shape, **config):
    golden(f"stft_spectrogram_{name}", single(L.STFTSpectrogram(window=None, **config), shape), [normal(2, *shape)], "STFTSpectrogram")


stft("default_step", (64, 1), frame_length=12)
for mode in ["log", "magnitude", "psd", "real", "imag", "angle", "stft"]:
    stft(mode, (24, 2), mode=mode, frame_length=8, frame_step=3)
stft("same", (23, 2), mode="magnitude", frame_length=6, padding="same", scaling="spectrum")
stft("expanded", (24, 3), mode="magnitude", frame_length=8, expand_dims=True, scaling=None, fft_length=16)
