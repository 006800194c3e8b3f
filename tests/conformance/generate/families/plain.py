"""Layers that drop, merge, move or only watch: as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import K3, L, golden, keras, normal, single, skipped


def attempt(name, build, shape, second=None):
    """A case of one layer, or what this Keras says. `second`: the shape of another input."""
    layer = build()
    shapes = [shape] if second is None else [shape, second]
    inputs = [normal(2, *[n or 4 for n in shape]) for shape in shapes]
    try:
        if second is None:
            model = single(layer, shape)
        else:
            tensors = [keras.Input(shape, name="ab"[i]) for i, shape in enumerate(shapes)]
            model = keras.Model(tensors, layer(tensors))
        golden(name, model, inputs, type(layer).__name__)
    except Exception as error:
        skipped(name, error)


for n, shape in ((1, [4, 3]), (2, [3, 2, 2]), (3, [2, 2, 3, 2])):
    drop = getattr(L, f"SpatialDropout{n}D")
    attempt(f"spatial_dropout{n}d_default", lambda: drop(0.5), shape)
    attempt(f"spatial_dropout{n}d_open", lambda: drop(0.2), [None, *shape[1:]])
    if n > 1:
        attempt(f"spatial_dropout{n}d_channels_first", lambda: drop(0.2, data_format="channels_first"), shape)
    else:
        attempt("spatial_dropout1d_seed", lambda: drop(0.1, seed=3), shape)
for cls, first, second in (("GaussianNoise", 0.5, 0.0), ("GaussianDropout", 0.3, 0.0), ("AlphaDropout", 0.3, 0.1)):
    name = {"GaussianNoise": "gaussian_noise", "GaussianDropout": "gaussian_dropout", "AlphaDropout": "alpha_dropout"}[cls]
    layer = getattr(L, cls)
    attempt(f"{name}_default", lambda: layer(first), [4])
    attempt(f"{name}_other", lambda: layer(second), [3, 2])
    attempt(f"{name}_open", lambda: layer(first), [None, 2])
attempt("activity_regularization_l1", lambda: L.ActivityRegularization(l1=0.1), [4])
attempt("activity_regularization_both", lambda: L.ActivityRegularization(l1=0.1, l2=0.2), [3, 2])
attempt("activity_regularization_open", lambda: L.ActivityRegularization(l2=0.2), [None, 2])
attempt("identity_default", lambda: L.Identity(), [4])
attempt("identity_rank3", lambda: L.Identity(), [3, 2])
attempt("identity_open", lambda: L.Identity(), [None, 2])
for cls in ("Average", "Maximum", "Minimum", "Subtract", "Multiply"):
    layer = getattr(L, cls)
    attempt(f"{cls.lower()}_same_shape", lambda: layer(), [3, 4], [3, 4])
    attempt(f"{cls.lower()}_broadcast", lambda: layer(), [3, 2, 4], [1, 2, 1])
    attempt(f"{cls.lower()}_open", lambda: layer(), [None, 3], [None, 3])

VOLUME = [3, 4, 3, 2]
MOVES = {
    "Cropping3D": [("default", {}), ("pairs", {"cropping": ((1, 0), (0, 2), (1, 1))}), ("each", {"cropping": (0, 1, 1)})],
    "ZeroPadding3D": [("default", {}), ("pairs", {"padding": ((1, 0), (0, 2), (1, 1))}), ("each", {"padding": (2, 0, 1)})],
    "UpSampling3D": [("default", {}), ("each", {"size": (1, 2, 3)}), ("channels_first", {"size": 2, "data_format": "channels_first"})],
    "Cropping1D": [("default", {}), ("pair", {"cropping": (2, 0)})],
    "ZeroPadding1D": [("default", {}), ("pair", {"padding": (2, 0)})],
    "UpSampling1D": [("default", {}), ("three", {"size": 3})],
    "Cropping2D": [("each", {"cropping": (1, 0)}), ("channels_first", {"cropping": ((1, 0), (0, 1)), "data_format": "channels_first"})],
}
for cls, cases in MOVES.items():
    label = {"C": "cropping", "Z": "zero_padding", "U": "up_sampling"}[cls[0]] + cls[-2:].lower()
    shape = VOLUME[-int(cls[-2]) - 1:]
    for name, config in cases:
        attempt(f"{label}_{name}", lambda: getattr(L, cls)(**config), shape)
    attempt(f"{label}_open", lambda: getattr(L, cls)(), [None, *shape[1:]])
