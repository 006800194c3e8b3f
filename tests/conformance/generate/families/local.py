"""Locally connected layers of Keras 2, pools of Keras 3 that adapt to their input, and pools in forms that others leave out."""

from golden import K3, L, golden, keras, normal, np, predict, single, skipped

ONE = [
    ("implementation_1", {"kernel_size": 3}, [6, 2]),
    ("implementation_1_strides", {"kernel_size": 2, "strides": 2, "activation": "relu", "use_bias": False}, [7, 2]),
    ("implementation_1_channels_first", {"kernel_size": 3, "data_format": "channels_first"}, [2, 6]),
    ("implementation_2", {"kernel_size": 3, "implementation": 2}, [6, 2]),
    ("implementation_2_same", {"kernel_size": 3, "implementation": 2, "padding": "same", "strides": 2}, [5, 2]),
    ("implementation_2_channels_first", {"kernel_size": 2, "implementation": 2, "data_format": "channels_first"}, [2, 5]),
    ("implementation_3", {"kernel_size": 3, "implementation": 3}, [6, 2]),
    ("implementation_3_same", {"kernel_size": 3, "implementation": 3, "padding": "same", "strides": 2}, [6, 2]),
    ("implementation_3_channels_first", {"kernel_size": 2, "implementation": 3, "data_format": "channels_first"}, [2, 5]),
]
TWO = [
    ("implementation_1", {"kernel_size": 2}, [4, 3, 2]),
    ("implementation_1_strides", {"kernel_size": (1, 2), "strides": (2, 1), "activation": "tanh"}, [4, 3, 2]),
    ("implementation_1_channels_first", {"kernel_size": (2, 1), "data_format": "channels_first"}, [2, 4, 3]),
    ("implementation_2", {"kernel_size": 2, "implementation": 2, "use_bias": False}, [3, 4, 1]),
    ("implementation_2_same", {"kernel_size": (2, 3), "implementation": 2, "padding": "same"}, [3, 3, 2]),
    ("implementation_2_channels_first", {"kernel_size": 2, "implementation": 2, "data_format": "channels_first"}, [2, 3, 3]),
    ("implementation_3", {"kernel_size": 2, "implementation": 3}, [3, 4, 2]),
    ("implementation_3_same", {"kernel_size": (2, 3), "implementation": 3, "padding": "same", "strides": (1, 2)}, [3, 4, 2]),
    ("implementation_3_channels_first", {"kernel_size": 2, "implementation": 3, "data_format": "channels_first"}, [2, 3, 3]),
]
if not K3:
    for prefix, layer, cases in (("locally_connected1d", L.LocallyConnected1D, ONE), ("locally_connected2d", L.LocallyConnected2D, TWO)):
        for name, config, shape in cases:
            try:
                golden(f"{prefix}_{name}", single(layer(**{"filters": 2, **config}), shape), [normal(2, *shape)], layer.__name__)
            except Exception as error:
                skipped(f"{prefix}_{name}", error)


def attempt(name, build, shape):
    """A case of one layer, or what this Keras says."""
    layer = build()
    try:
        golden(name, single(layer, shape), [normal(2, *[n or 5 for n in shape])], type(layer).__name__)
    except Exception as error:
        skipped(name, error)


if K3:
    for kind in ("average", "max"):
        one, two, three = (getattr(L, f"Adaptive{kind.capitalize()}Pooling{n}D") for n in (1, 2, 3))
        attempt(f"adaptive_{kind}_pooling1d_default", lambda: one(3), [7, 2])
        attempt(f"adaptive_{kind}_pooling1d_exact", lambda: one(2), [6, 3])
        attempt(f"adaptive_{kind}_pooling1d_channels_first", lambda: one(4, data_format="channels_first"), [2, 6])
        attempt(f"adaptive_{kind}_pooling2d_default", lambda: two((3, 2)), [7, 5, 2])
        attempt(f"adaptive_{kind}_pooling2d_pair", lambda: two((2, 3)), [4, 3, 2])
        attempt(f"adaptive_{kind}_pooling2d_larger", lambda: two(5), [3, 4, 2])
        attempt(f"adaptive_{kind}_pooling2d_channels_first", lambda: two(2, data_format="channels_first"), [2, 5, 4])
        attempt(f"adaptive_{kind}_pooling3d_default", lambda: three(2), [3, 4, 5, 2])
        attempt(f"adaptive_{kind}_pooling3d_each", lambda: three((2, 2, 3)), [2, 3, 4, 1])
        attempt(f"adaptive_{kind}_pooling1d_open", lambda: one(3), [None, 2])
        attempt(f"adaptive_{kind}_pooling2d_open", lambda: two((3, 2)), [None, None, 2])
        attempt(f"adaptive_{kind}_pooling2d_open_height", lambda: two(2, data_format="channels_first"), [2, None, 4])
        attempt(f"adaptive_{kind}_pooling3d_channels_first", lambda: three(2, data_format="channels_first"), [1, 3, 3, 4])
    for name, config, shape in [("rms_scaling", {"rms_scaling": True}, [3, 4]), ("rms_scaling_axes", {"rms_scaling": True, "axis": [1, 2], "epsilon": 0.1}, [3, 2, 2])]:
        attempt(f"layer_normalization_{name}", lambda: L.LayerNormalization(**config), shape)

for kind in ("Average", "Max"):
    label = kind.lower()
    three = getattr(L, f"{kind}Pooling3D")
    attempt(f"{label}_pooling3d_default", lambda: three(2), [4, 5, 4, 2])
    attempt(f"{label}_pooling3d_same", lambda: three((2, 3, 2), strides=(1, 2, 2), padding="same"), [3, 4, 3, 2])
    attempt(f"{label}_pooling3d_open", lambda: three(2), [None, 4, 4, 1])
    one = getattr(L, f"{kind}Pooling1D")
    attempt(f"{label}_pooling1d_strides", lambda: one(3, strides=2), [8, 2])
    attempt(f"{label}_pooling1d_same", lambda: one(2, strides=3, padding="same"), [7, 2])
    attempt(f"{label}_pooling1d_channels_first", lambda: one(2, data_format="channels_first"), [2, 6])
    for n, shape in ((1, [4, 2]), (3, [2, 3, 2, 2])):
        layer = getattr(L, f"Global{kind}Pooling{n}D")
        attempt(f"global_{label}_pooling{n}d_keepdims", lambda: layer(keepdims=True), shape)
        attempt(f"global_{label}_pooling{n}d_channels_first", lambda: layer(data_format="channels_first"), shape)
    attempt(f"global_{label}_pooling3d_default", lambda: getattr(L, f"Global{kind}Pooling3D")(), [2, 3, 2, 2])
    attempt(f"global_{label}_pooling3d_open", lambda: getattr(L, f"Global{kind}Pooling3D")(), [None, 3, 2, 2])
