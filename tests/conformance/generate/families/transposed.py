"""Transposed convolutions, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import K3, L, golden, keras, normal, np, predict, single, skipped

TWIN = "computed by a channels_last twin over transposed data: TensorFlow's CPU has no channels-first convolution"
ONE = [
    ("valid", {"kernel_size": 3}, [5, 2]),
    ("strides_2_same", {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}, [4, 3]),
    ("strides_3_valid_no_bias", {"kernel_size": 2, "strides": 3, "use_bias": False}, [4, 2]),
    ("output_padding", {"kernel_size": 5, "strides": 3, "padding": "same", "output_padding": 1}, [4, 2]),
    ("output_padding_valid", {"kernel_size": 2, "strides": 2, "output_padding": 1}, [4, 2]),
    ("channels_first", {"kernel_size": 4, "strides": 2, "data_format": "channels_first"}, [2, 5]),
    ("dilation_2_same", {"kernel_size": 3, "dilation_rate": 2, "padding": "same"}, [6, 2]),
]
TWO = [
    ("valid", {"kernel_size": 3}, [4, 3, 2]),
    ("same_relu", {"kernel_size": 3, "padding": "same", "activation": "relu"}, [4, 3, 2]),
    ("strides_2_valid", {"kernel_size": 3, "strides": 2}, [3, 4, 2]),
    ("strides_2_same", {"kernel_size": 3, "strides": 2, "padding": "same"}, [3, 4, 2]),
    ("strides_2_even_kernel_same", {"kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}, [3, 2, 3]),
    ("strides_1_3_same", {"kernel_size": (2, 5), "strides": (1, 3), "padding": "same", "activation": "tanh"}, [3, 3, 2]),
    ("strides_larger_than_kernel", {"kernel_size": 2, "strides": 3}, [3, 2, 2]),
    ("strides_larger_than_kernel_same", {"kernel_size": 1, "strides": 2, "padding": "same"}, [3, 2, 2]),
    ("output_padding_same", {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1}, [3, 4, 2]),
    ("output_padding_0_same", {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0}, [3, 4, 2]),
    ("output_padding_even_same", {"kernel_size": 4, "strides": 3, "padding": "same", "output_padding": 2}, [3, 2, 2]),
    ("output_padding_valid", {"kernel_size": (2, 3), "strides": 2, "output_padding": (0, 1)}, [3, 2, 2]),
    ("dilation_2_valid", {"kernel_size": 3, "dilation_rate": 2}, [4, 5, 2]),
    ("dilation_2_same", {"kernel_size": 3, "dilation_rate": 2, "padding": "same"}, [4, 5, 2]),
    ("dilation_2_even_kernel_same", {"kernel_size": 2, "dilation_rate": 2, "padding": "same"}, [4, 5, 2]),
    ("softmax_activation", {"kernel_size": 2, "strides": 2, "activation": "softmax"}, [2, 2, 2]),
    ("channels_first", {"kernel_size": 3, "strides": 2, "data_format": "channels_first", "padding": "same"}, [2, 3, 4]),
    ("channels_first_valid", {"kernel_size": (2, 3), "data_format": "channels_first", "activation": "elu"}, [2, 3, 4]),
]
THREE = [
    ("valid", {"kernel_size": 2}, [2, 3, 2, 2]),
    ("strides_2_same", {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}, [2, 2, 3, 2]),
    ("strides_1_2_3_valid", {"kernel_size": (1, 2, 2), "strides": (1, 2, 3), "use_bias": False}, [2, 2, 2, 2]),
    ("output_padding", {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": (1, 0, 1)}, [2, 2, 2, 1]),
    ("dilation_2", {"kernel_size": 2, "dilation_rate": 2}, [3, 2, 3, 1]),
]


def channels_last_twin(layer, config, shape):
    """The same layer over transposed data."""
    def compute(fed, weights):
        model = single(layer(**{**config, "data_format": "channels_last"}), shape[1:] + shape[:1])
        model.set_weights(weights)
        return np.moveaxis(predict(model, [np.moveaxis(fed[0], 1, -1)]), -1, 1)
    return compute


for prefix, layer, cases in (("conv1d_transpose", L.Conv1DTranspose, ONE), ("conv2d_transpose", L.Conv2DTranspose, TWO), ("conv3d_transpose", L.Conv3DTranspose, THREE)):
    for name, config, shape in cases:
        config = {"filters": 3, **config}
        first = config.get("data_format") == "channels_first"
        try:
            golden(f"{prefix}_{name}", single(layer(**config), shape), [normal(2, *shape)], layer.__name__,
                   twin=channels_last_twin(layer, config, shape) if first else None, note=TWIN if first else None)
        except Exception as error:
            skipped(f"{prefix}_{name}", error)

for size in ("3x4", "5x2"):
    golden(f"open_conv2d_transpose_{size}", single(L.Conv2DTranspose(2, 3, strides=2, padding="same"), [None, None, 2]), [normal(2, *map(int, size.split("x")), 2)],
           "Conv2DTranspose")
    golden(f"open_conv2d_transpose_valid_{size}", single(L.Conv2DTranspose(2, (3, 2), strides=(2, 3)), [None, None, 2]), [normal(2, *map(int, size.split("x")), 2)],
           "Conv2DTranspose")
for length in (3, 6):
    golden(f"open_conv1d_transpose_{length}", single(L.Conv1DTranspose(2, 4, strides=2, padding="same"), [None, 2]), [normal(2, length, 2)], "Conv1DTranspose")
    golden(f"open_conv3d_transpose_{length}", single(L.Conv3DTranspose(2, 2, strides=2), [None, 2, 2, 1]), [normal(1, length, 2, 2, 1)], "Conv3DTranspose")
golden("conv2d_transpose_autoencoder",
       keras.Sequential([
           keras.Input([8, 8, 1], name="x"), L.Conv2D(4, 3, strides=2, padding="same", activation="relu"), L.Conv2D(3, 3, strides=2, padding="same"),
           L.Conv2DTranspose(3, 3, strides=2, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(),
           L.Conv2DTranspose(2, 3, strides=2, padding="same", activation="relu"), L.Conv2D(1, 3, padding="same", activation="sigmoid"),
       ]),
       [normal(1, 8, 8, 1)], ["Conv2DTranspose", "Conv2D", "BatchNormalization", "ReLU"], kind="network")
