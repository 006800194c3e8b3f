"""GroupNormalization of Keras 2 with a mask, which leaves entries out of the statistics. It has to broadcast to the input from the last axis
on: a mask of steps does so only where there are as many steps as channels."""

from golden import L, golden, keras, normal


def bits(*shape):
    return lambda rng: (rng.uniform(size=shape) < 0.7).astype("bool")


x, m = keras.Input((4, 6), name="x"), keras.Input((4, 6), dtype="bool", name="m")
golden("group_normalization_mask", keras.Model([x, m], L.GroupNormalization(3)(x, mask=m)), [normal(3, 4, 6), bits(3, 4, 6)], "GroupNormalization")
x, m = keras.Input((4, 6), name="x"), keras.Input((4, 1), dtype="bool", name="m")
layer = L.GroupNormalization(2, axis=1, epsilon=0.1, center=False)
golden("group_normalization_mask_of_steps", keras.Model([x, m], layer(x, mask=m)), [normal(3, 4, 6), bits(3, 4, 1)], "GroupNormalization")
x, m = keras.Input((2, 3, 4), name="x"), keras.Input((1, 3, 1), dtype="bool", name="m")
layer = L.GroupNormalization(-1, scale=False)
golden("group_normalization_mask_of_columns", keras.Model([x, m], layer(x, mask=m)), [normal(2, 2, 3, 4), bits(2, 1, 3, 1)], "GroupNormalization")
