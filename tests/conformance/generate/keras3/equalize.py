"""Layers that spread the values of images by their histograms.

A functional model cannot hold `Equalization`, which gives back its own input to the model's graph: it stands inside of other layers. There,
as augmentations do, it changes images in training alone.
"""

import numpy as np
from golden import L, golden, ids, keras, normal, single, skipped


def values(*shape, low=0.0, high=255.0):
    """Images with values in a range, and some beyond it."""
    def make(rng):
        image = rng.beta(0.7, 1.5, shape) * (high - low) * 1.1 + low - 0.05 * (high - low)
        return image.astype("float32")
    return make


NAME = "ContrastLimitedAdaptiveHistogramEqualization"
for what, options, shape, made in (
    ("default_sides", {}, [16, 24, 3], values(2, 16, 24, 3)),
    ("tiles_2_3", {"tile_grid_size": (2, 3)}, [8, 9, 2], values(2, 8, 9, 2)),
    ("uneven_tiles", {"tile_grid_size": (2, 3), "clip_limit": 2.0}, [7, 10, 1], values(2, 7, 10, 1)),
    ("no_limit", {"tile_grid_size": (3, 2), "clip_limit": 0.0}, [9, 8, 2], values(1, 9, 8, 2)),
    ("low_limit", {"tile_grid_size": (1, 1), "clip_limit": 0.5}, [6, 5, 1], values(2, 6, 5, 1)),
    ("unit_range", {"tile_grid_size": (2, 2), "value_range": (0.0, 1.0)}, [8, 6, 3], values(2, 8, 6, 3, high=1.0)),
    ("signed_range", {"tile_grid_size": (2, 2), "value_range": (-1.0, 1.0), "clip_limit": 40.0}, [8, 7, 1], values(2, 8, 7, 1, low=-1.0, high=1.0)),
    ("channels_first", {"tile_grid_size": (2, 3), "data_format": "channels_first"}, [2, 8, 9], values(2, 2, 8, 9)),
    ("constant", {"tile_grid_size": (2, 2)}, [4, 4, 1], lambda rng: np.full((1, 4, 4, 1), 7.0, "float32")),
    ("open", {"tile_grid_size": (2, 2)}, [None, None, 2], values(2, 5, 6, 2)),
):
    name = f"clahe_{what}"
    try:
        golden(name, single(getattr(L, NAME)(**options), shape), [made], NAME)
    except Exception as error:
        skipped(name, error)
try:
    golden("clahe_integers", single(L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(1, 1), clip_limit=0), [5, 5, 1], dtype="int32"), [ids(2, 5, 5, 1, high=255)], NAME)
except Exception as error:
    skipped("clahe_integers", error)

x = keras.Input((6, 6, 2), name="x")
golden("equalization_in_pipeline", keras.Model(x, L.Pipeline([L.Rescaling(2.0), L.Equalization()], name="p")(x)), [values(2, 6, 6, 2)], ["Equalization", "Pipeline"])
x = keras.Input((6, 6, 2), name="x")
golden("equalization_options", keras.Model(x, L.Pipeline([L.Equalization(value_range=(0, 1), bins=16), L.Rescaling(0.5)], name="p")(x)), [normal(2, 6, 6, 2)], ["Equalization", "Pipeline"])
x = keras.Input((3, 2, 4, 4), name="x")
golden("equalization_each_step", keras.Model(x, L.TimeDistributed(L.Equalization(bins=8, data_format="channels_first"))(x)), [values(2, 3, 2, 4, 4)], ["Equalization", "TimeDistributed"])
