"""Group, RMS and spectral normalization, Normalization, LayerScale, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import K3, L, golden, ids, keras, normal, np, single, skipped

if K3:
    from keras.src.applications.convnext import LayerScale
else:
    from tf_keras.src.applications.convnext import LayerScale

GROUP = [
    ("default_axis", {"groups": 2}, [3, 2, 4]),
    ("one_group", {"groups": 1, "epsilon": 0.1}, [3, 4]),
    ("instance", {"groups": -1}, [3, 3, 2]),
    ("groups_of_one_rank2", {"groups": 3}, [6]),
    ("axis_1", {"groups": 2, "axis": 1}, [4, 3, 2]),
    ("axis_minus_2", {"groups": 2, "axis": -2}, [3, 4, 2]),
    ("no_scale", {"groups": 2, "scale": False}, [3, 2, 4]),
    ("no_center_no_scale", {"groups": 4, "center": False, "scale": False}, [3, 2, 4]),
    ("rank5", {"groups": 2}, [2, 2, 3, 4]),
    ("open", {"groups": 2}, [None, None, 4]),
]
for name, config, shape in GROUP:
    golden(f"group_normalization_{name}", single(L.GroupNormalization(**config), shape), [normal(2, *[n or 3 for n in shape])], "GroupNormalization")
golden("group_normalization_block",
       keras.Sequential([keras.Input([6, 6, 2], name="x"), L.Conv2D(8, 3, padding="same"), L.GroupNormalization(4), L.Activation("silu" if K3 else "swish"), L.Conv2D(2, 1)]),
       [normal(1, 6, 6, 2)], ["GroupNormalization", "Conv2D", "Activation"])


def renamed(old, new):
    """Gives the layers of a class the name of another one."""
    def edit(document):
        topology = document["modelTopology"]
        for layer in topology.get("model_config", topology)["config"]["layers"]:
            if layer["class_name"] == old:
                layer["class_name"] = new
    return edit


if not K3:
    for name, config, shape in [("default", {}, [3, 3, 2]), ("axis_1", {"axis": 1, "epsilon": 0.1}, [2, 3, 4]), ("no_center", {"center": False}, [4, 3]),
                                ("open", {}, [None, None, 2])]:
        golden(f"instance_normalization_{name}", single(L.GroupNormalization(-1, **config), shape), [normal(2, *[n or 3 for n in shape])], "Addons>InstanceNormalization",
               edit=renamed("GroupNormalization", "Addons>InstanceNormalization"), note="GroupNormalization with a group for each channel, under the class name of TensorFlow Addons")

    for name, config, shape in [("two", {"groups": 2}, [3, 3, 4]), ("axis_1", {"groups": 2, "axis": 1, "epsilon": 0.1}, [4, 3]), ("open", {"groups": 1}, [None, None, 2])]:
        golden(f"addons_group_normalization_{name}", single(L.GroupNormalization(**config), shape), [normal(2, *[n or 3 for n in shape])], "Addons>GroupNormalization",
               edit=renamed("GroupNormalization", "Addons>GroupNormalization"), note="GroupNormalization under the class name of TensorFlow Addons")
    for version in ("V1", "V2"):
        golden(f"batch_normalization_{version.lower()}", single(L.BatchNormalization(epsilon=0.01), [4, 3]), [normal(2, 4, 3)], "BatchNormalization",
               edit=renamed("BatchNormalization", f"BatchNormalization{version}"), note="the class name that TensorFlow 1.13 to 2.2 wrote")

if K3:
    for name, config, shape in [("default", {}, [4]), ("rank4_epsilon", {"epsilon": 0.1}, [3, 2, 4]), ("two_axes", {"axis": [2, 3]}, [3, 2, 4]),
                                ("open", {}, [None, 3])]:
        try:
            golden(f"rms_normalization_{name}", single(L.RMSNormalization(**config), shape), [normal(2, *[n or 3 for n in shape])], "RMSNormalization")
        except Exception as error:
            skipped(f"rms_normalization_{name}", error)

SPECTRAL = [
    ("dense", lambda: L.Dense(3), [4], {}),
    ("conv2d", lambda: L.Conv2D(3, 2, padding="same", activation="relu"), [4, 3, 2], {}),
    ("conv2d_transpose_iterations", lambda: L.Conv2DTranspose(2, 3, strides=2, use_bias=False), [3, 3, 2], {"power_iterations": 3}),
    ("open", lambda: L.Conv1D(2, 3, padding="same"), [None, 2], {}),
]
for name, inner, shape, config in SPECTRAL:
    golden(f"spectral_normalization_{name}", single(L.SpectralNormalization(inner(), **config), shape), [normal(2, *[n or 4 for n in shape])], "SpectralNormalization")
golden("spectral_normalization_embedding", single(L.SpectralNormalization(L.Embedding(6, 3)), [4], dtype="int32"), [ids(2, 4, high=6)], ["SpectralNormalization", "Embedding"])
golden("spectral_normalization_keras_file",
       keras.Sequential([keras.Input([5, 5, 2], name="x"), L.SpectralNormalization(L.Conv2D(4, 3, name="first")), L.LeakyReLU(), L.SpectralNormalization(L.Conv2D(2, 2))]),
       [normal(1, 5, 5, 2)], ["SpectralNormalization", "Conv2D"], archive="keras")

rng = np.random.default_rng(11)
data = rng.normal(3, 2, [20, 4, 3]).astype("float32")
for name, config in [("default", {}), ("axis_1", {"axis": 1}), ("two_axes", {"axis": [1, 2]}), ("two_axes_unsorted", {"axis": [-1, 1]}), ("axis_none", {"axis": None}),
                     ("invert", {"invert": True})]:
    layer = L.Normalization(**config)
    layer.adapt(data)
    golden(f"normalization_adapted_{name}", single(layer, [4, 3]), [normal(2, 4, 3)], "Normalization", keep_weights=True)
for name, config, shape in [
    ("scalars", {"mean": 3.0, "variance": 2.0}, [4, 3]),
    ("lists", {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 0.0, 4.0]}, [4, 3]),
    ("nested", {"mean": [[1.0, 2.0, 3.0]], "variance": [[1.0, 0.5, 4.0]]}, [4, 3]),
    ("invert", {"mean": [1.0, 2.0], "variance": [0.25, 4.0], "axis": 1, "invert": True}, [2, 3]),
    ("axis_none", {"mean": 1.0, "variance": 4.0, "axis": None}, [2, 3]),
    ("open", {"mean": [1.0, 2.0], "variance": [0.25, 4.0]}, [None, 2]),
    ("two_axes_lists", {"axis": [1, 2], "mean": [[1.0, 2.0], [3.0, 4.0]], "variance": [[1.0, 2.0], [0.5, 4.0]]}, [2, 2]),
    ("two_axes_one_list", {"axis": [1, 2], "mean": [1.0, 2.0], "variance": [0.25, 4.0]}, [3, 2]),
]:
    try:
        golden(f"normalization_given_{name}", single(L.Normalization(**config), shape), [normal(2, *[n or 3 for n in shape])], "Normalization")
    except Exception as error:
        skipped(f"normalization_given_{name}", error)
whole = L.Normalization()
whole.adapt(data.reshape(-1, 3))
golden("normalization_integers", single(whole, [3], dtype="int32"), [ids(4, 3)], "Normalization", keep_weights=True)
chained = L.Normalization()
chained.adapt(data.reshape(-1, 3))
golden("normalization_keras_file", keras.Sequential([keras.Input([3], name="x"), chained, L.Dense(2)]), [normal(2, 3)], ["Normalization", "Dense"], keep_weights=True, archive="keras")

for name, shape, config in [("rank2", [4], {"init_values": 0.1}), ("rank4", [3, 2, 4], {"init_values": 1e-6}), ("open", [None, 4], {"init_values": 1.0})]:
    golden(f"layer_scale_{name}", single(LayerScale(projection_dim=4, **config), shape), [normal(2, *[n or 3 for n in shape])], "LayerScale")
