"""Layers over images: resizing, cropping, augmentation at inference, larger images between pixels; as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import K3, L, golden, ids, keras, normal, np, predict, single, skipped

OPEN = [None, None, 2]
METHODS = ["nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"] + ([] if K3 else ["gaussian", "mitchellcubic"])


def attempt(name, build, shape, layers, dtype="float32", twin=None, size=(4, 5), **options):
    """A case, or what this Keras says. `size`: what unknown axes are."""
    known = [n if n is not None else size[i] for i, n in enumerate(shape)]
    inputs = [ids(2, *known, high=255, dtype=dtype) if dtype == "int32" else normal(2, *known)]
    try:
        golden(name, single(build(), shape, dtype=dtype), inputs, layers, twin=twin, **options)
    except Exception as error:
        skipped(name, error)


for method in METHODS:
    attempt(f"resizing_{method}_larger", lambda: L.Resizing(7, 6, interpolation=method), [4, 5, 2], "Resizing")
    attempt(f"resizing_{method}_smaller", lambda: L.Resizing(3, 4, interpolation=method), [7, 9, 2], "Resizing")
for method in ("nearest", "bilinear", "bicubic", "lanczos3"):
    attempt(f"open_resizing_{method}", lambda: L.Resizing(5, 3, interpolation=method), OPEN, "Resizing")
attempt("resizing_same_size", lambda: L.Resizing(4, 5), [4, 5, 2], "Resizing")
attempt("resizing_crop_wide", lambda: L.Resizing(4, 4, crop_to_aspect_ratio=True), [5, 9, 2], "Resizing")
attempt("resizing_crop_high", lambda: L.Resizing(3, 7, crop_to_aspect_ratio=True, interpolation="nearest"), [9, 5, 2], "Resizing")
attempt("open_resizing_crop", lambda: L.Resizing(4, 3, crop_to_aspect_ratio=True), OPEN, "Resizing", size=(6, 9))
attempt("resizing_integers", lambda: L.Resizing(3, 3), [5, 4, 1], "Resizing", dtype="int32")
attempt("resizing_integers_nearest", lambda: L.Resizing(3, 3, interpolation="nearest"), [5, 4, 1], "Resizing", dtype="int32")
if K3:
    for method in ("bilinear", "bicubic", "lanczos3"):
        attempt(f"resizing_antialias_{method}", lambda: L.Resizing(3, 4, interpolation=method, antialias=True), [8, 7, 2], "Resizing")
    attempt("resizing_antialias_larger", lambda: L.Resizing(6, 9, antialias=True), [4, 5, 2], "Resizing")
    attempt("resizing_pad_wide", lambda: L.Resizing(4, 4, pad_to_aspect_ratio=True), [4, 7, 2], "Resizing")
    attempt("resizing_pad_high", lambda: L.Resizing(6, 5, pad_to_aspect_ratio=True, fill_value=1.5), [7, 3, 2], "Resizing")
    attempt("open_resizing_pad", lambda: L.Resizing(4, 4, pad_to_aspect_ratio=True, fill_value=-1.0), OPEN, "Resizing", size=(8, 4))
    attempt("resizing_channels_first", lambda: L.Resizing(5, 3, data_format="channels_first"), [2, 4, 6], "Resizing")

attempt("center_crop_even", lambda: L.CenterCrop(2, 4), [4, 6, 2], "CenterCrop")
attempt("center_crop_odd", lambda: L.CenterCrop(2, 3), [5, 6, 2], "CenterCrop")
attempt("center_crop_smaller_image", lambda: L.CenterCrop(6, 5), [4, 7, 2], "CenterCrop")
attempt("center_crop_both_smaller", lambda: L.CenterCrop(6, 9), [4, 5, 2], "CenterCrop")
attempt("open_center_crop", lambda: L.CenterCrop(3, 2), OPEN, "CenterCrop", size=(4, 7))
attempt("center_crop_integers", lambda: L.CenterCrop(2, 2), [5, 3, 1], "CenterCrop", dtype="int32")
if K3:
    attempt("center_crop_channels_first", lambda: L.CenterCrop(2, 3, data_format="channels_first"), [2, 4, 5], "CenterCrop")

FILE = {"archive": "keras"}
for name, shape in (("wide", [4, 7, 2]), ("high", [9, 5, 2]), ("small", [2, 3, 2])):
    attempt(f"random_crop_{name}", lambda: L.RandomCrop(4, 4, seed=1), shape, "RandomCrop", **FILE)
RANDOM = {
    "RandomFlip": [{"mode": "horizontal"}, {}], "RandomRotation": [{"factor": 0.2}, {"factor": [-0.2, 0.3], "fill_mode": "nearest", "interpolation": "nearest"}],
    "RandomZoom": [{"height_factor": 0.2}, {"height_factor": [-0.2, 0.3], "width_factor": 0.1}],
    "RandomTranslation": [{"height_factor": 0.2, "width_factor": 0.1}, {"height_factor": [-0.2, 0.3], "width_factor": 0.1, "fill_mode": "wrap"}],
    "RandomContrast": [{"factor": 0.2}, {"factor": [0.1, 0.3]}], "RandomBrightness": [{"factor": 0.2}, {"factor": [-0.1, 0.3], "value_range": [0, 1]}],
    "RandomHeight": [{"factor": 0.2}, {"factor": [-0.1, 0.3], "interpolation": "nearest"}], "RandomWidth": [{"factor": 0.2}, {"factor": [-0.1, 0.3], "interpolation": "nearest"}],
    "RandomShear": [{"x_factor": 0.2}, {"y_factor": [0.0, 0.2], "fill_mode": "constant"}], "RandomGrayscale": [{"factor": 0.5}, {}],
    "RandomHue": [{"factor": 0.2}, {"factor": [0.1, 0.2]}], "RandomSaturation": [{"factor": 0.2}, {"factor": [0.1, 0.2]}],
    "RandomSharpness": [{"factor": 0.2}, {"factor": [0.1, 0.2]}], "RandomPosterization": [{"factor": 3}, {"factor": 5}],
    "RandomColorDegeneration": [{"factor": 0.2}, {"factor": [0.1, 0.2]}], "RandomColorJitter": [{"brightness_factor": 0.2}, {"hue_factor": 0.1}],
    "RandomErasing": [{"factor": 0.5}, {}], "RandomGaussianBlur": [{"factor": 0.5}, {"kernel_size": 3}], "RandomInvert": [{"factor": 0.5}, {}],
    "RandomPerspective": [{"factor": 0.5}, {}], "RandomElasticTransform": [{"factor": 0.5}, {}],
    "RandAugment": [{}, {"num_ops": 1}], "AugMix": [{}, {"num_chains": 1}], "MixUp": [{}, {"alpha": 0.4}], "CutMix": [{}, {"factor": 0.5}],
    "AutoContrast": [{"value_range": [0, 255]}, {"value_range": [0, 1]}],
    "Solarization": [{"addition_factor": 0.2}, {"threshold_factor": 0.5}],
}
for cls, configs in RANDOM.items():
    if not hasattr(L, cls):
        continue
    name = "".join("_" + c.lower() if c.isupper() else c for c in cls)[1:]
    for i, config in enumerate(configs):
        attempt(f"{name}_{i + 1}", lambda: getattr(L, cls)(**config), [4, 3, 3], cls, **FILE)
    attempt(f"{name}_open", lambda: getattr(L, cls)(**configs[0]), [None, None, 3], cls, **FILE)
attempt("random_rotation_integers", lambda: L.RandomRotation(0.1), [4, 3, 3], "RandomRotation", dtype="int32", **FILE)
if not K3:
    attempt("random_height_integers", lambda: L.RandomHeight(0.1), [4, 3, 3], "RandomHeight", dtype="int32", **FILE)
attempt("random_brightness_integers", lambda: L.RandomBrightness(0.1), [4, 3, 3], "RandomBrightness", dtype="int32", **FILE)
try:
    golden("random_augmentation_block",
           keras.Sequential([keras.Input([6, 6, 3], name="x"), L.RandomFlip("horizontal"), L.RandomRotation(0.1), L.RandomZoom(0.2), L.Rescaling(1 / 255), L.Conv2D(2, 3)]),
           [ids(1, 6, 6, 3, high=255, dtype="float32")], ["RandomFlip", "RandomRotation", "RandomZoom", "Rescaling", "Conv2D"], **FILE)
except Exception as error:
    skipped("random_augmentation_block", error)


def first(build, shape):
    """The same layer over transposed data."""
    def compute(fed, weights):
        return np.moveaxis(predict(single(build("channels_last"), shape[1:] + shape[:1]), [np.moveaxis(fed[0], 1, -1)]), -1, 1)
    return compute


UP = ["bilinear", "bicubic", "lanczos3", "lanczos5"] + ([] if K3 else ["area", "gaussian", "mitchellcubic"])
for method in UP:
    attempt(f"up_sampling2d_{method}_3_2", lambda: L.UpSampling2D((3, 2), interpolation=method), [3, 4, 2], "UpSampling2D")
for method in ("bilinear", "bicubic"):
    attempt(f"open_up_sampling2d_{method}", lambda: L.UpSampling2D(2, interpolation=method), OPEN, "UpSampling2D")
    attempt(f"up_sampling2d_{method}_channels_first", lambda: L.UpSampling2D(2, interpolation=method, data_format="channels_first"), [2, 3, 4], "UpSampling2D")
