"""Keras 3's `Pipeline`: layers one after the other, without weights most of the time."""

from golden import L, golden, keras, normal


def case(name, layers, dims, after=()):
    x = keras.Input(dims, name="x")
    y = L.Pipeline(layers, name="pipeline")(x)
    for layer in after:
        y = layer(y)
    golden(name, keras.Model(x, y), [normal(2, *[dim or 5 for dim in dims])], ["Pipeline"])


case("pipeline_images", [L.Rescaling(0.5, offset=-1.0), L.CenterCrop(4, 4), L.RandomFlip()], (6, 7, 3), [L.Flatten(), L.Dense(3)])
case("pipeline_open", [L.Rescaling(2.0), L.Resizing(3, 4)], (None, None, 2))
case("pipeline_with_weights", [L.Rescaling(0.1), L.Dense(4, activation="relu"), L.Dense(2)], (3,))
