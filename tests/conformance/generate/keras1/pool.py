"""Pools, with their channels last (`tf`) and first (`th`)."""

from golden_old import THEANO, golden, keras, normal, single

L = keras.layers
for kind in ("Max", "Average"):
    small = kind.lower()
    for what, options in (("valid", {}), ("stride_1", {"pool_length": 3, "stride": 1}), ("same", {"pool_length": 3, "stride": 2, "border_mode": "same"})):
        layer = getattr(L, kind + "Pooling1D")(**options)
        golden("{}_pooling1d_{}".format(small, what), single(layer, [8, 3]), [normal(2, 8, 3)], kind + "Pooling1D")
    for ordering, shape, volume in (("tf", [7, 6, 3], [4, 5, 4, 2]), ("th", [3, 7, 6], [2, 4, 5, 4])):
        for what, options in (
            ("valid", {}),
            ("strides_1", {"pool_size": (3, 2), "strides": (1, 2)}),
            ("same", {"pool_size": (3, 3), "strides": (2, 2), "border_mode": "same"}),
            ("large_same", {"pool_size": (4, 5), "strides": (2, 1), "border_mode": "same"}),
        ):
            layer = getattr(L, kind + "Pooling2D")(dim_ordering=ordering, **options)
            golden("{}_pooling2d_{}_{}".format(small, ordering, what), single(layer, shape), [normal(2, *shape)], kind + "Pooling2D")
        for what, options in (("valid", {}), ("same", {"pool_size": (3, 2, 2), "strides": (2, 1, 2), "border_mode": "same"})):
            if THEANO:
                continue
            layer = getattr(L, kind + "Pooling3D")(dim_ordering=ordering, **options)
            golden("{}_pooling3d_{}_{}".format(small, ordering, what), single(layer, volume), [normal(2, *volume)], kind + "Pooling3D")
        if not THEANO:
            for rank, of_rank in ((2, shape), (3, volume)):
                class_name = "Global{}Pooling{}D".format(kind, rank)
                golden("global_{}_pooling{}d_{}".format(small, rank, ordering), single(getattr(L, class_name)(dim_ordering=ordering), of_rank), [normal(2, *of_rank)], class_name)
    if not THEANO:
        golden("global_{}_pooling1d".format(small), single(getattr(L, "Global{}Pooling1D".format(kind))(), [8, 3]), [normal(2, 8, 3)], "Global{}Pooling1D".format(kind))
