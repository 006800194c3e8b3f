"""Separable and depthwise convolutions, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import L, golden, keras, normal, np, predict, single, skipped

TWIN = "computed by a channels_last twin over transposed data: TensorFlow's CPU has no channels-first convolution"
SEPARABLE1 = [
    ("valid", {"filters": 4, "kernel_size": 3}, [6, 2]),
    ("same_multiplier_2", {"filters": 3, "kernel_size": 3, "padding": "same", "depth_multiplier": 2, "activation": "relu"}, [6, 2]),
    ("strides_2", {"filters": 3, "kernel_size": 2, "strides": 2, "use_bias": False}, [7, 2]),
    ("dilation_2", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, [7, 2]),
    ("causal", {"filters": 2, "kernel_size": 3, "padding": "causal"}, [6, 2]),
    ("channels_first", {"filters": 3, "kernel_size": 3, "data_format": "channels_first"}, [2, 6]),
    ("open", {"filters": 3, "kernel_size": 3, "padding": "same"}, [None, 2]),
]
SEPARABLE2 = [
    ("valid", {"filters": 4, "kernel_size": 3}, [5, 4, 2]),
    ("same_relu6", {"filters": 3, "kernel_size": 3, "padding": "same", "activation": "relu6"}, [4, 5, 3]),
    ("multiplier_3_no_bias", {"filters": 2, "kernel_size": (2, 3), "depth_multiplier": 3, "use_bias": False}, [4, 5, 2]),
    ("strides_2_same", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, [5, 5, 2]),
    ("dilation_2_same", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, [5, 6, 2]),
    ("channels_first", {"filters": 3, "kernel_size": 3, "data_format": "channels_first", "activation": "tanh"}, [2, 5, 4]),
    ("open", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, [None, None, 2]),
]
DEPTHWISE1 = [
    ("valid", {"kernel_size": 3}, [6, 2]),
    ("same_multiplier_2", {"kernel_size": 3, "padding": "same", "depth_multiplier": 2, "activation": "relu"}, [6, 2]),
    ("strides_2_no_bias", {"kernel_size": 2, "strides": 2, "use_bias": False}, [7, 3]),
    ("dilation_2", {"kernel_size": 3, "dilation_rate": 2}, [7, 2]),
    ("channels_first", {"kernel_size": 3, "data_format": "channels_first", "padding": "same"}, [2, 6]),
]
DEPTHWISE2 = [
    ("channels_first_dilation_multiplier", {"kernel_size": 2, "dilation_rate": 2, "depth_multiplier": 2, "data_format": "channels_first"}, [2, 5, 6]),
    ("one_channel_multiplier_3", {"kernel_size": 2, "depth_multiplier": 3}, [4, 4, 1]),
    ("dilation_3_no_bias", {"kernel_size": 2, "dilation_rate": 3, "use_bias": False, "padding": "same"}, [5, 6, 2]),
]


def channels_last_twin(layer, config, shape):
    """The same layer over transposed data."""
    def compute(fed, weights):
        model = single(layer(**{**config, "data_format": "channels_last"}), shape[1:] + shape[:1])
        model.set_weights(weights)
        return np.moveaxis(predict(model, [np.moveaxis(fed[0], 1, -1)]), -1, 1)
    return compute


for prefix, layer, cases in (("separable_conv1d", L.SeparableConv1D, SEPARABLE1), ("separable_conv2d", L.SeparableConv2D, SEPARABLE2),
                             ("depthwise_conv1d", L.DepthwiseConv1D, DEPTHWISE1), ("depthwise_conv2d", L.DepthwiseConv2D, DEPTHWISE2)):
    for name, config, shape in cases:
        first = config.get("data_format") == "channels_first"
        try:
            golden(f"{prefix}_{name}", single(layer(**config), shape), [normal(2, *[n or 5 for n in shape])], layer.__name__,
                   twin=channels_last_twin(layer, config, shape) if first else None, note=TWIN if first else None)
        except Exception as error:
            skipped(f"{prefix}_{name}", error)

golden("separable_conv2d_sequential_keras_file",
       keras.Sequential([keras.Input([6, 6, 2], name="x"), L.SeparableConv2D(4, 3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(), L.SeparableConv2D(3, 3, strides=2)]),
       [normal(1, 6, 6, 2)], ["SeparableConv2D", "BatchNormalization", "ReLU"], archive="keras")
