"""Conv2D and DepthwiseConv2D, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import L, golden, normal, np, predict, single

IMAGE = [7, 6, 4]
CONV = [
    ("valid", {"kernel_size": 3}, IMAGE),
    ("same_relu", {"kernel_size": 3, "padding": "same", "activation": "relu"}, IMAGE),
    ("strides_2_valid", {"kernel_size": 3, "strides": 2}, IMAGE),
    ("strides_2_same", {"kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("strides_1_2_same", {"kernel_size": 3, "strides": (1, 2), "padding": "same", "activation": "tanh"}, IMAGE),
    ("strides_2_1_valid", {"kernel_size": (2, 3), "strides": (2, 1)}, IMAGE),
    ("dilation_2_valid", {"kernel_size": 3, "dilation_rate": 2}, IMAGE),
    ("dilation_2_same", {"kernel_size": 3, "dilation_rate": 2, "padding": "same", "activation": "relu6"}, IMAGE),
    ("dilation_1_2_same", {"kernel_size": (2, 3), "dilation_rate": (1, 2), "padding": "same"}, IMAGE),
    ("groups_2", {"kernel_size": 3, "groups": 2}, IMAGE),
    ("groups_4_strides_2_same", {"kernel_size": 3, "groups": 4, "strides": 2, "padding": "same", "activation": "relu", "filters": 8}, IMAGE),
    ("groups_2_no_bias", {"kernel_size": 1, "groups": 2, "use_bias": False}, IMAGE),
    ("groups_2_dilation", {"kernel_size": 2, "groups": 2, "dilation_rate": 2, "padding": "same"}, IMAGE),
    ("even_kernel_same", {"kernel_size": 4, "padding": "same"}, IMAGE),
    ("even_kernel_strides_2_same", {"kernel_size": 2, "strides": 2, "padding": "same"}, IMAGE),
    ("one_by_one", {"kernel_size": 1, "use_bias": False}, IMAGE),
    ("one_by_one_strides_2", {"kernel_size": 1, "strides": 2, "activation": "sigmoid"}, IMAGE),
    ("rectangular_valid", {"kernel_size": (1, 4), "activation": "elu"}, IMAGE),
    ("rectangular_same", {"kernel_size": (5, 2), "padding": "same", "use_bias": False}, IMAGE),
    ("small_input_same", {"kernel_size": 5, "padding": "same"}, [2, 3, 3]),
    ("small_input_strides_3_same", {"kernel_size": 5, "strides": 3, "padding": "same"}, [2, 4, 3]),
    ("strides_larger_than_kernel", {"kernel_size": 2, "strides": 3}, IMAGE),
    ("softmax_activation", {"kernel_size": 2, "activation": "softmax"}, IMAGE),
    ("gelu_activation", {"kernel_size": 2, "activation": "gelu"}, IMAGE),
    ("channels_first_valid", {"kernel_size": 3, "data_format": "channels_first", "activation": "relu"}, [4, 7, 6]),
    ("channels_first_strides_2_same", {"kernel_size": (3, 2), "strides": 2, "padding": "same", "data_format": "channels_first"}, [4, 7, 6]),
    ("channels_first_dilation_groups", {"kernel_size": 2, "dilation_rate": 2, "groups": 2, "data_format": "channels_first", "use_bias": False}, [4, 7, 6]),
]
DEPTHWISE = [
    ("valid", {"kernel_size": 3}, IMAGE),
    ("same_relu6", {"kernel_size": 3, "padding": "same", "activation": "relu6"}, IMAGE),
    ("multiplier_2", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same", "activation": "tanh"}, IMAGE),
    ("multiplier_3_no_bias", {"kernel_size": 2, "depth_multiplier": 3, "use_bias": False}, IMAGE),
    ("strides_2_same", {"kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("strides_2_valid", {"kernel_size": 3, "strides": 2, "activation": "relu"}, IMAGE),
    ("dilation_2_valid", {"kernel_size": 3, "dilation_rate": 2}, IMAGE),
    ("dilation_2_same_multiplier_2", {"kernel_size": 3, "dilation_rate": 2, "padding": "same", "depth_multiplier": 2}, IMAGE),
    ("rectangular", {"kernel_size": (2, 4), "padding": "same", "use_bias": False}, IMAGE),
    ("small_input_same", {"kernel_size": 5, "padding": "same"}, [2, 3, 3]),
    ("channels_first", {"kernel_size": 3, "data_format": "channels_first", "depth_multiplier": 2, "activation": "relu"}, [4, 7, 6]),
    ("channels_first_strides_2_same", {"kernel_size": (3, 2), "strides": 2, "padding": "same", "data_format": "channels_first"}, [4, 7, 6]),
]


def channels_last_twin(layer, config, shape):
    """TensorFlow's CPU has no channels-first convolution: the same layer over transposed data computes what it would."""
    def compute(fed, weights):
        model = single(layer(**{**config, "data_format": "channels_last"}), shape[1:] + shape[:1])
        model.set_weights(weights)
        return np.moveaxis(predict(model, [np.moveaxis(fed[0], 1, -1)]), -1, 1)
    return compute


for prefix, layer, cases in (("conv2d", L.Conv2D, CONV), ("depthwise_conv2d", L.DepthwiseConv2D, DEPTHWISE)):
    for name, config, shape in cases:
        if layer is L.Conv2D:
            config = {"filters": 4, **config}
        first = config.get("data_format") == "channels_first"
        golden(f"{prefix}_{name}", single(layer(**config), shape), [normal(2, *shape)], layer.__name__,
               twin=channels_last_twin(layer, config, shape) if first else None,
               note="computed by a channels_last twin over transposed data: TensorFlow's CPU has no channels-first convolution" if first else None)

golden("conv2d_unknown_size", single(L.Conv2D(4, 3, strides=2, padding="same", activation="relu"), [None, None, 3]), [normal(2, 5, 8, 3)],
       "Conv2D", note="the input shape is [null, null, null, 3]")
