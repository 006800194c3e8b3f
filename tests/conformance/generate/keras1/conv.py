"""Convolutions and what goes with them, with their channels last (`tf`) and first (`th`)."""

from golden_old import THEANO, golden, keras, normal, single, skipped

L = keras.layers
IMAGE = [7, 6, 4]
FIRST = [4, 7, 6]

for what, options in (
    ("valid", {"activation": "relu"}),
    ("same", {"border_mode": "same", "bias": False}),
    ("stride_2", {"subsample_length": 2}),
    ("stride_2_same", {"subsample_length": 2, "border_mode": "same"}),
    ("even_same", {"filter_length": 4, "border_mode": "same"}),
    ("full", {"border_mode": "full"}),
):
    try:
        golden("convolution1d_" + what, single(L.Convolution1D(5, **dict({"filter_length": 3}, **options)), [8, 4]), [normal(2, 8, 4)], "Conv1D")
    except ValueError as error:
        skipped("convolution1d_" + what, error)
for what, options in (("valid", {}), ("same", {"border_mode": "same", "activation": "tanh"}), ("rate_3", {"atrous_rate": 3, "filter_length": 2})):
    layer = L.AtrousConvolution1D(5, **dict({"filter_length": 3, "atrous_rate": 2}, **options))
    golden("atrous_convolution1d_" + what, single(layer, [9, 4]), [normal(2, 9, 4)], "Conv1D")

CONV = [
    ("valid", (3, 2), {"activation": "relu"}),
    ("same", (3, 3), {"border_mode": "same", "bias": False}),
    ("strides_2_1", (2, 3), {"subsample": (2, 1)}),
    ("strides_2_same", (3, 3), {"subsample": (2, 2), "border_mode": "same"}),
    ("even_same", (2, 4), {"border_mode": "same"}),
    ("even_strides_2_same", (4, 2), {"border_mode": "same", "subsample": (2, 2)}),
    ("full", (3, 2), {"border_mode": "full"}),
]
for ordering, shape in (("tf", IMAGE), ("th", FIRST)):
    for what, (rows, columns), options in CONV:
        name = "convolution2d_{}_{}".format(ordering, what)
        try:
            golden(name, single(L.Convolution2D(5, rows, columns, dim_ordering=ordering, **options), shape), [normal(2, *shape)], "Conv2D")
        except ValueError as error:
            skipped(name, error)
    for what, options in (("valid", {}), ("same", {"border_mode": "same"})):
        layer = L.AtrousConvolution2D(3, 2, 3, atrous_rate=(2, 2), dim_ordering=ordering, **options)
        golden("atrous_convolution2d_{}_{}".format(ordering, what), single(layer, shape), [normal(2, *shape)], "Conv2D")
    for what, sides, options in (
        ("valid", (9, 8), {}),
        ("strides_2_same", (14, 12), {"subsample": (2, 2), "border_mode": "same", "activation": "relu"}),
        ("strides_2_same_odd", (13, 11), {"subsample": (2, 2), "border_mode": "same"}),
        ("strides_2_valid_larger", (16, 14), {"subsample": (2, 2), "bias": False}),
    ):
        size = (None,) + ((sides + (5,)) if ordering == "tf" else ((5,) + sides))
        # Only a Theano of known sizes computes one.
        batch = 2 if THEANO else None
        size = (batch,) + size[1:]
        layer = L.Deconvolution2D(5, 3, 3, output_shape=size, dim_ordering=ordering, **options)
        name = "deconvolution2d_{}_{}".format(ordering, what)
        try:
            golden(name, single(layer, shape, batch=batch), [normal(2, *shape)], "Conv2DTranspose")
        except Exception as error:
            skipped(name, error)
    try:
        for what, options in (("valid", {}), ("same", {"border_mode": "same", "depth_multiplier": 2}), ("strides_2", {"subsample": (2, 2), "bias": False})):
            layer = L.SeparableConvolution2D(9, 3, 2, dim_ordering=ordering, **options)
            golden("separable_convolution2d_{}_{}".format(ordering, what), single(layer, shape), [normal(2, *shape)], "SeparableConv2D")
    except RuntimeError as error:
        skipped("separable_convolution2d", error)
    volume = [4, 5, 3, 2] if ordering == "tf" else [2, 4, 5, 3]
    for what, sizes, options in (("valid", (2, 3, 1), {"activation": "tanh"}), ("same", (3, 3, 3), {"border_mode": "same", "bias": False}), ("strides_2", (2, 2, 2), {"subsample": (2, 2, 2)})):
        layer = L.Convolution3D(3, *sizes, dim_ordering=ordering, **options)
        golden("convolution3d_{}_{}".format(ordering, what), single(layer, volume), [normal(2, *volume)], "Conv3D")
    if not THEANO or ordering == "th":
        for what, options in (("valid", {"activation": "relu"}), ("strides_2", {"subsample": (2, 1)}), ("no_bias", {"bias": False})):
            layer = L.LocallyConnected2D(3, 3, 2, dim_ordering=ordering, **options)
            golden("locally_connected2d_{}_{}".format(ordering, what), single(layer, shape, batch=2), [normal(2, *shape)], "LocallyConnected2D")
    film = [3, 5, 4, 2] if ordering == "tf" else [3, 2, 5, 4]
    for what, sizes, options in (("same", (3, 3), {"border_mode": "same"}), ("valid", (2, 3), {"inner_activation": "sigmoid"}), ("sequences", (3, 2), {"border_mode": "same", "return_sequences": True, "go_backwards": True})):
        layer = L.ConvLSTM2D(3, *sizes, dim_ordering=ordering, **options)
        name = "conv_lstm2d_{}_{}".format(ordering, what)
        try:
            golden(name, single(layer, film), [normal(2, *film)], "ConvLSTM2D")
        except Exception as error:
            skipped(name, error)

for what, options in (("valid", {"activation": "relu"}), ("stride_2", {"subsample_length": 2}), ("no_bias", {"bias": False})):
    layer = L.LocallyConnected1D(3, 3, **options)
    golden("locally_connected1d_" + what, single(layer, [8, 4], batch=2), [normal(2, 8, 4)], "LocallyConnected1D")

if not THEANO:
    for name, layer, shape, class_name in (
        ("up_sampling1d", L.UpSampling1D(3), [4, 3], "UpSampling1D"),
        ("up_sampling2d", L.UpSampling2D((2, 3)), IMAGE, "UpSampling2D"),
        ("up_sampling3d", L.UpSampling3D((1, 2, 3)), [2, 3, 2, 2], "UpSampling3D"),
        ("zero_padding1d", L.ZeroPadding1D(2), [4, 3], "ZeroPadding1D"),
        ("zero_padding1d_pair", L.ZeroPadding1D((1, 2)), [4, 3], "ZeroPadding1D"),
        ("zero_padding1d_named", L.ZeroPadding1D({"right_pad": 2}), [4, 3], "ZeroPadding1D"),
        ("zero_padding2d", L.ZeroPadding2D((1, 2)), IMAGE, "ZeroPadding2D"),
        ("zero_padding2d_four", L.ZeroPadding2D((1, 2, 0, 3)), IMAGE, "ZeroPadding2D"),
        ("zero_padding2d_named", L.ZeroPadding2D({"top_pad": 1, "right_pad": 2}), IMAGE, "ZeroPadding2D"),
        ("zero_padding3d", L.ZeroPadding3D((1, 0, 2)), [2, 3, 2, 2], "ZeroPadding3D"),
        ("cropping1d", L.Cropping1D((1, 2)), [6, 3], "Cropping1D"),
        ("cropping2d", L.Cropping2D(((1, 2), (0, 1))), IMAGE, "Cropping2D"),
        ("cropping3d", L.Cropping3D(((1, 0), (0, 1), (1, 1))), [4, 3, 4, 2], "Cropping3D"),
    ):
        golden(name, single(layer, shape), [normal(2, *shape)], class_name)
