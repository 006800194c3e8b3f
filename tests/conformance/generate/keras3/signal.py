"""STFTSpectrogram and MelSpectrogram, as Keras 3 computes it and the converter writes it. Its window is in the weights, which are random here as elsewhere;
named windows need scipy."""

from golden import L, golden, normal, single


def stft(name, shape, **config):
    golden(f"stft_spectrogram_{name}", single(L.STFTSpectrogram(window=None, **config), shape), [normal(2, *shape)], "STFTSpectrogram")


stft("default_step", (64, 1), frame_length=12)
for mode in ["log", "magnitude", "psd", "real", "imag", "angle", "stft"]:
    stft(mode, (24, 2), mode=mode, frame_length=8, frame_step=3)
stft("same", (23, 2), mode="magnitude", frame_length=6, padding="same", scaling="spectrum")
stft("expanded", (24, 3), mode="magnitude", frame_length=8, expand_dims=True, scaling=None, fft_length=16)


def mel(name, shape, **config):
    golden(f"mel_spectrogram_{name}", single(L.MelSpectrogram(**config), shape), [normal(2, *shape)], "MelSpectrogram")


SMALL = {"fft_length": 64, "sequence_stride": 16, "num_mel_bins": 12, "sampling_rate": 1000}
mel("decibels", (200,), **SMALL)
mel("power", (200,), power_to_db=False, **SMALL)
mel("hamming", (150,), window="hamming", sequence_length=40, min_freq=50.0, max_freq=400, mag_exp=1.5, **SMALL)
mel("odd_length", (150,), sequence_length=33, power_to_db=False, **SMALL)
mel("no_window", (150,), window=None, top_db=20.0, ref_power=10.0, min_power=1e-3, **SMALL)
mel("channels", (2, 100), **SMALL)
