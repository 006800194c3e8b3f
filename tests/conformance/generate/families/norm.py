"""BatchNormalization and LayerNormalization, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import L, golden, keras, normal, single

BATCH = [
    ("rank2", {}, [5]),
    ("rank3", {"epsilon": 0.1}, [4, 3]),
    ("rank4", {}, [4, 3, 2]),
    ("rank5", {}, [2, 3, 2, 4]),
    ("axis_1_rank4", {"axis": 1}, [4, 3, 2]),
    ("axis_1_rank3", {"axis": 1, "epsilon": 0.01}, [4, 3]),
    ("axis_minus_2", {"axis": -2}, [4, 3, 2]),
    ("no_center", {"center": False}, [4, 3, 2]),
    ("no_scale", {"scale": False}, [4, 3, 2]),
    ("no_center_no_scale", {"center": False, "scale": False, "epsilon": 0.01}, [4, 3, 2]),
]
LAYER = [
    ("rank2", {}, [5]),
    ("rank3", {"epsilon": 0.1}, [4, 3]),
    ("rank4_two_axes", {"axis": [2, 3]}, [4, 3, 2]),
    ("rank4_all_axes", {"axis": [1, 2, 3]}, [4, 3, 2]),
    ("axis_1", {"axis": 1}, [4, 3]),
    ("axis_2_rank4", {"axis": 2}, [4, 3, 2]),
    ("negative_axes", {"axis": [-2, -1]}, [4, 3, 2]),
    ("split_axes", {"axis": [1, 3]}, [4, 3, 2]),
    ("no_center", {"center": False}, [4, 3]),
    ("no_scale", {"scale": False}, [4, 3]),
    ("no_center_no_scale", {"center": False, "scale": False}, [4, 3]),
]
for name, config, shape in BATCH:
    golden(f"batch_normalization_{name}", single(L.BatchNormalization(**config), shape), [normal(3, *shape)], "BatchNormalization")
for name, config, shape in LAYER:
    golden(f"layer_normalization_{name}", single(L.LayerNormalization(**config), shape), [normal(2, *shape)], "LayerNormalization")
PLAIN = {"center": False, "scale": False}
for name, axes, shape in [("axis", 1, [None, 3]), ("axes", [1, 3], [None, 2, 3]), ("last_axis", -1, [2, None])]:
    golden(f"layer_normalization_open_{name}", single(L.LayerNormalization(axis=axes, **PLAIN), shape), [normal(2, *[n or 4 for n in shape])], "LayerNormalization",
           note="without weights, the length of the axis need not be known")

golden("batch_normalization_after_dense",
       keras.Sequential([keras.Input([4], name="x"), L.Dense(6, use_bias=False), L.BatchNormalization(), L.Activation("relu"), L.Dense(3)]),
       [normal(3, 4)], ["BatchNormalization", "Dense"])
golden("batch_normalization_after_conv",
       keras.Sequential([
           keras.Input([7, 7, 3], name="x"), L.Conv2D(5, 3, strides=2, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(6.0),
           L.DepthwiseConv2D(3, padding="same", depth_multiplier=2), L.BatchNormalization(scale=False), L.ReLU(negative_slope=0.1),
           L.Conv2D(4, 1, activation="relu"), L.BatchNormalization(),
       ]),
       [normal(2, 7, 7, 3)], ["BatchNormalization", "Conv2D", "DepthwiseConv2D"])
