"""UnitNormalization, as Keras 2 and Keras 3 compute it and the converter writes it."""

from golden import L, golden, normal, single, values

CASES = [
    ("rank2", {}, [5]),
    ("axis_1", {"axis": 1}, [4, 3]),
    ("two_axes", {"axis": [1, 2]}, [3, 2, 2]),
    ("two_axes_negative", {"axis": [-1, -3]}, [3, 2, 2]),
]
for name, config, shape in CASES:
    golden(f"unit_normalization_{name}", single(L.UnitNormalization(**config), shape), [normal(2, *shape)], "UnitNormalization")
golden("unit_normalization_zeros", single(L.UnitNormalization(), [3]), [values([[0, 0, 0], [1e-7, 0, -1e-7], [3, 0, 4]])], "UnitNormalization",
       note="a row of zeros, and one shorter than the square root of epsilon")
