"""Pooling in two dimensions, as Keras 2 and Keras 3 compute it and the converter writes it."""

from golden import L, golden, normal, np, predict, single

WINDOWS = [
    ("default", {"pool_size": 2}),
    ("valid", {"pool_size": 3}),
    ("same", {"pool_size": 3, "padding": "same"}),
    ("strides_1_same", {"pool_size": 2, "strides": 1, "padding": "same"}),
    ("strides_1_valid", {"pool_size": 3, "strides": 1}),
    ("strides_2_same", {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("rectangular", {"pool_size": (2, 3), "strides": (1, 2)}),
    ("rectangular_same", {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}),
    ("strides_larger_than_pool", {"pool_size": 2, "strides": 3}),
    ("channels_first", {"pool_size": 2, "data_format": "channels_first"}),
    ("channels_first_same", {"pool_size": (3, 2), "strides": (2, 1), "padding": "same", "data_format": "channels_first"}),
]
NOTE = "computed by a channels_last twin over transposed data: TensorFlow's CPU has no channels-first pooling"


def channels_last_twin(layer, config):
    def compute(fed, _weights):
        model = single(layer(**{**config, "data_format": "channels_last"}), [7, 6, 3])
        return np.moveaxis(predict(model, [np.moveaxis(fed[0], 1, -1)]), -1, 1)
    return compute


for prefix, layer in (("max", L.MaxPooling2D), ("average", L.AveragePooling2D)):
    for name, config in WINDOWS:
        first = "data_format" in config
        shape = [3, 7, 6] if first else [7, 6, 3]
        golden(f"{prefix}_pooling2d_{name}", single(layer(**config), shape), [normal(2, *shape)], layer.__name__,
               twin=channels_last_twin(layer, config) if first else None, note=NOTE if first else None)

for prefix, layer in (("max", L.GlobalMaxPooling2D), ("average", L.GlobalAveragePooling2D)):
    for name, config in [("default", {}), ("keepdims", {"keepdims": True}), ("channels_first", {"data_format": "channels_first"}),
                         ("channels_first_keepdims", {"data_format": "channels_first", "keepdims": True})]:
        shape = [3, 4, 5] if "data_format" in config else [4, 5, 3]
        golden(f"global_{prefix}_pooling2d_{name}", single(layer(**config), shape), [normal(2, *shape)], layer.__name__)
