"""Keras 2.2.4 on Theano, which turns the kernels of convolutions around and pads `same` by half a window on both sides. Run by
`lib/golden_old.py`."""

from golden_old import golden, keras, normal, single

L = keras.layers
IMAGE = [7, 6, 4]
for name, layer, shape in (
    ("conv1d_strides_2_same", L.Conv1D(5, 3, padding="same", strides=2), [8, 4]),
    ("conv1d_causal", L.Conv1D(5, 3, padding="causal", dilation_rate=2), [8, 4]),
    ("conv2d_valid", L.Conv2D(5, (3, 2), activation="relu"), IMAGE),
    ("conv2d_strides_2_same", L.Conv2D(5, 3, strides=2, padding="same"), IMAGE),
    ("conv2d_even_same", L.Conv2D(5, (2, 4), padding="same", use_bias=False), IMAGE),
    ("conv2d_dilation_2_same", L.Conv2D(5, 3, padding="same", dilation_rate=2), IMAGE),
    ("conv2d_channels_first", L.Conv2D(5, 3, strides=2, padding="same", data_format="channels_first"), [4, 7, 6]),
    ("conv3d_same", L.Conv3D(3, (2, 3, 1), padding="same"), [4, 5, 3, 2]),
    ("depthwise_conv2d_strides_2_same", L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", strides=2), IMAGE),
    ("separable_conv1d_same", L.SeparableConv1D(9, 3, padding="same"), [8, 4]),
    ("separable_conv2d_same", L.SeparableConv2D(9, 3, padding="same"), IMAGE),
    ("conv2d_transpose_valid", L.Conv2DTranspose(5, 3, strides=2), IMAGE),
    ("conv2d_transpose_same", L.Conv2DTranspose(5, 3, strides=2, padding="same"), IMAGE),
    ("conv2d_transpose_output_padding", L.Conv2DTranspose(5, 3, strides=2, padding="same", output_padding=1), IMAGE),
    ("conv_lstm2d_same", L.ConvLSTM2D(3, 3, padding="same"), [3, 5, 4, 2]),
    ("conv_lstm2d_even", L.ConvLSTM2D(3, 2, padding="valid"), [3, 5, 4, 2]),
    ("max_pooling2d_same", L.MaxPooling2D(3, strides=2, padding="same"), IMAGE),
    ("max_pooling1d_same", L.MaxPooling1D(5, strides=1, padding="same"), [8, 4]),
    ("average_pooling2d_same", L.AveragePooling2D(4, strides=2, padding="same"), IMAGE),
    ("locally_connected2d", L.LocallyConnected2D(3, 3), IMAGE),
    ("lstm", L.LSTM(3), [5, 4]),
):
    golden(name, single(layer, shape), [normal(2, *shape)], type(layer).__name__)
