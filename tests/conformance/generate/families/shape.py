"""Merging and reshaping layers, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import L, golden, keras, normal, single


def merge(layer, shapes):
    """A model whose inputs `a`, `b`, ... of these shapes all go into one layer."""
    inputs = [keras.Input(shape, name="abcd"[i]) for i, shape in enumerate(shapes)]
    return keras.Model(inputs, layer(inputs))


MERGES = [
    ("add_two", L.Add(), [[3, 4], [3, 4]]),
    ("add_three", L.Add(), [[5], [5], [5]]),
    ("add_broadcast_channel", L.Add(), [[3, 2, 4], [1, 1, 4]]),
    ("add_broadcast_both", L.Add(), [[3, 1], [1, 4]]),
    ("add_broadcast_rank", L.Add(), [[3, 2, 4], [4]]),
    ("concatenate_default", L.Concatenate(), [[3, 2], [3, 4]]),
    ("concatenate_three", L.Concatenate(axis=-1), [[3, 2, 2], [3, 2, 1], [3, 2, 3]]),
    ("concatenate_axis_1", L.Concatenate(axis=1), [[3, 4], [2, 4]]),
    ("concatenate_axis_2", L.Concatenate(axis=2), [[3, 4, 2], [3, 1, 2]]),
    ("concatenate_axis_minus_2", L.Concatenate(axis=-2), [[3, 4, 2], [3, 1, 2]]),
    ("concatenate_axis_minus_3", L.Concatenate(axis=-3), [[3, 4, 2], [1, 4, 2]]),
]
for name, layer, shapes in MERGES:
    golden(name, merge(layer, shapes), [normal(2, *shape) for shape in shapes], type(layer).__name__)

SHAPES = [
    ("flatten_rank2", L.Flatten, {}, [4]),
    ("flatten_rank3", L.Flatten, {}, [3, 4]),
    ("flatten_rank4", L.Flatten, {}, [3, 2, 4]),
    ("flatten_channels_first", L.Flatten, {"data_format": "channels_first"}, [4, 3, 2]),
    ("flatten_channels_first_rank3", L.Flatten, {"data_format": "channels_first"}, [4, 3]),
    ("reshape_split", L.Reshape, {"target_shape": (2, 3)}, [6]),
    ("reshape_minus_one", L.Reshape, {"target_shape": (-1, 4)}, [3, 8]),
    ("reshape_minus_one_middle", L.Reshape, {"target_shape": (2, -1, 2)}, [3, 8]),
    ("reshape_flat", L.Reshape, {"target_shape": (-1,)}, [3, 2, 2]),
    ("zero_padding2d_default", L.ZeroPadding2D, {}, [3, 2, 2]),
    ("zero_padding2d_int", L.ZeroPadding2D, {"padding": 2}, [3, 2, 2]),
    ("zero_padding2d_pair", L.ZeroPadding2D, {"padding": (1, 2)}, [3, 2, 2]),
    ("zero_padding2d_nested", L.ZeroPadding2D, {"padding": ((0, 1), (2, 0))}, [3, 2, 2]),
    ("zero_padding2d_channels_first", L.ZeroPadding2D, {"padding": ((1, 0), (2, 1)), "data_format": "channels_first"}, [2, 3, 2]),
]
for name, layer, config, shape in SHAPES:
    golden(name, single(layer(**config), shape), [normal(2, *shape)], layer.__name__)

x = keras.Input([2, 6], name="x")
golden("flatten_after_reshape", keras.Model(x, L.Dense(2)(L.Flatten()(L.Reshape((-1, 3))(x)))), [normal(2, 2, 6)], ["Flatten", "Reshape", "Dense"])
