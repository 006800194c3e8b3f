"""ConvLSTM1D, ConvLSTM2D and ConvLSTM3D with every option, inside of wrappers too."""

import numpy as np
from golden import K3, L, golden, keras, normal, predict, single, skipped, values

MASK = [[1, 1, 0], [0, 1, 1]]


def case(name, build, inputs, layers, **options):
    try:
        golden(name, build(), inputs, layers, **options)
    except Exception as error:
        skipped(name, error)


def channels_last_twin(layer, config, shape):
    """TensorFlow's CPU has no channels-first convolution: the same layer over transposed data computes what it would."""
    def compute(fed, weights):
        model = single(layer(**{**config, "data_format": "channels_last"}), [shape[0], *shape[2:], shape[1]])
        model.set_weights(weights)
        outputs = predict(model, [np.moveaxis(fed[0], 2, -1)])
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        return [np.moveaxis(output, -1, 2 if config.get("return_sequences") and i == 0 else 1) for i, output in enumerate(outputs)]
    return compute


OPTIONS = [
    ("default", {}),
    ("same_sequences", {"padding": "same", "return_sequences": True}),
    ("strides", {"strides": 2, "return_sequences": True}),
    ("strides_same", {"strides": 2, "padding": "same"}),
    ("dilation", {"dilation_rate": 2}),
    ("sequences_state", {"return_sequences": True, "return_state": True, "padding": "same"}),
    ("state", {"return_state": True}),
    ("go_backwards", {"go_backwards": True, "return_sequences": True, "padding": "same"}),
    ("sigmoid_relu_no_bias", {"recurrent_activation": "sigmoid", "activation": "relu", "use_bias": False, "padding": "same"}),
    ("hard_sigmoid", {"recurrent_activation": "hard_sigmoid", "unit_forget_bias": False, "return_sequences": True}),
    ("dropout", {"dropout": 0.3, "recurrent_dropout": 0.2, "padding": "same"}),
]
KINDS = [("conv_lstm1d", L.ConvLSTM1D, [3, 8, 2]), ("conv_lstm2d", L.ConvLSTM2D, [3, 5, 7, 2]), ("conv_lstm3d", L.ConvLSTM3D, [3, 5, 5, 6, 2])]
TWIN = "computed by a channels_last twin over transposed data: TensorFlow's CPU has no channels-first convolution"
for label, layer, shape in KINDS:
    kind, spatial = layer.__name__, len(shape) - 2
    for name, config in OPTIONS:
        if spatial == 3 and name in ("hard_sigmoid", "dropout", "state"):
            continue
        case(f"{label}_{name}", lambda: single(layer(3, 3, **config), shape), [normal(2, *shape)], kind)
    sizes = [3, 2, 1][:spatial]
    case(f"{label}_rectangular", lambda: single(layer(2, sizes, padding="same", strides=[1, 2, 1][:spatial]), shape), [normal(2, *shape)], kind)

    def with_mask():
        x, mask = keras.Input(shape, name="x"), keras.Input([shape[0]], name="mask", dtype="int32")
        return keras.Model([x, mask], layer(3, 3, padding="same", return_sequences=True)(x, mask=mask))
    def with_mask_backwards():
        x, mask = keras.Input(shape, name="x"), keras.Input([shape[0]], name="mask", dtype="int32")
        return keras.Model([x, mask], layer(3, 3, return_state=True, go_backwards=True)(x, mask=mask))
    case(f"{label}_masked", with_mask, [normal(2, *shape), values(MASK, "int32")], kind)
    case(f"{label}_masked_backwards", with_mask_backwards, [normal(2, *shape), values(MASK, "int32")], kind)

    def with_state():
        x = keras.Input(shape, name="x")
        h, c = (keras.Input([*shape[1:-1], 3], name=name) for name in "hc")
        return keras.Model([x, h, c], layer(3, 3, padding="same", return_sequences=True)(x, initial_state=[h, c]))
    state = [2, *shape[1:-1], 3]
    case(f"{label}_initial_state", with_state, [normal(2, *shape), normal(*state, scale=1), normal(*state, scale=1)], kind)

    def encoder_decoder():
        x = keras.Input(shape, name="x")
        y, h, c = layer(3, 3, padding="same", return_sequences=True, return_state=True, name="encoder")(x)
        return keras.Model(x, layer(3, 3, padding="same", name="decoder")(y, initial_state=[h, c]))
    case(f"{label}_encoder_decoder", encoder_decoder, [normal(2, *shape)], kind)

    def stateful():
        x = keras.Input(batch_shape=[2, *shape], name="x")
        return keras.Model(x, layer(3, 3, stateful=True)(x))
    case(f"{label}_stateful", stateful, [normal(6, *shape)], kind, batch_size=2)
    case(f"{label}_open", lambda: single(layer(3, 3, strides=2, padding="same"), [None] * (spatial + 1) + [2]), [normal(2, *shape)], kind, note="time and space are open")

    first = [shape[0], 2, *shape[1:-1]]
    for name, config in [("", {"padding": "same", "return_sequences": True, "return_state": True}), ("_strides", {"strides": 2})]:
        config = {"filters": 3, "kernel_size": 3, "data_format": "channels_first", **config}
        # Over volumes, sums of 54 products in single precision go through three steps: Keras itself is 8e-6 away from double precision.
        exact = {"kind": "network"} if spatial == 3 else {}
        case(f"{label}_channels_first{name}", lambda: single(layer(**config), first), [normal(2, *first)], kind, twin=channels_last_twin(layer, config, first), note=TWIN, **exact)

    if K3:
        case(f"{label}_archive", lambda: single(layer(3, 3), shape), [normal(2, *shape)], kind, archive="keras")
    for name, config, mode in [("concat", {"return_sequences": True}, "concat"), ("ave", {}, "ave"), ("null", {"return_sequences": True}, None), ("state", {"return_state": True}, "sum")]:
        if spatial != 2 and name != "concat":
            continue
        case(f"bidirectional_{label}_{name}", lambda: single(L.Bidirectional(layer(2, 3, padding="same", **config), merge_mode=mode), shape), [normal(2, *shape)], ["Bidirectional", kind])

IMAGES = [3, 5, 7, 2]


def bidirectional_masked():
    x, mask = keras.Input(IMAGES, name="x"), keras.Input([3], name="mask", dtype="int32")
    return keras.Model([x, mask], L.Bidirectional(L.ConvLSTM2D(2, 3, return_sequences=True))(x, mask=mask))


def bidirectional_own():
    return single(L.Bidirectional(L.ConvLSTM2D(2, 3, padding="same", return_sequences=True),
                                  backward_layer=L.ConvLSTM2D(3, 1, go_backwards=True, padding="same", return_sequences=True)), IMAGES)


def next_frame():
    x = keras.Input([None, 6, 6, 1], name="x")
    y = x
    for filters, size in [(4, 5), (4, 3), (3, 1)]:
        y = L.BatchNormalization()(L.ConvLSTM2D(filters, size, padding="same", return_sequences=True, activation="relu")(y))
    return keras.Model(x, L.Conv3D(1, 3, activation="sigmoid", padding="same")(y), name="next_frame")


def masked_images(layer, shape):
    """`Masking` of images has a mask for each place: a place that is zero in all channels keeps its state."""
    x = keras.Input(shape, name="x")
    return keras.Model(x, layer(L.Masking()(x)))


def with_holes(*shape):
    def make(rng):
        images = rng.normal(0, 2, shape).astype("float32")
        images[rng.random(shape[:-1]) < 0.3] = 0
        return images
    return make


case("conv_lstm2d_masked_places", lambda: masked_images(L.ConvLSTM2D(3, 3, padding="same", return_sequences=True), IMAGES), [with_holes(2, *IMAGES)], ["ConvLSTM2D", "Masking"])
case("conv_lstm1d_masked_places", lambda: masked_images(L.ConvLSTM1D(2, 1, go_backwards=True), [3, 6, 2]), [with_holes(2, 3, 6, 2)], ["ConvLSTM1D", "Masking"])
case("conv_lstm2d_masked_places_state", lambda: masked_images(L.ConvLSTM2D(2, 3, padding="same", return_state=True), [None, 4, 4, 2]), [with_holes(2, 3, 4, 4, 2)],
     ["ConvLSTM2D", "Masking"], note="time is open")
case("bidirectional_conv_lstm2d_masked", bidirectional_masked, [normal(2, *IMAGES), values(MASK, "int32")], ["Bidirectional", "ConvLSTM2D"])
case("bidirectional_conv_lstm2d_backward_layer", bidirectional_own, [normal(2, *IMAGES)], ["Bidirectional", "ConvLSTM2D"])
case("time_distributed_conv_lstm1d", lambda: single(L.TimeDistributed(L.ConvLSTM1D(2, 3)), [2, 3, 6, 2]), [normal(2, 2, 3, 6, 2)], ["TimeDistributed", "ConvLSTM1D"])
case("time_distributed_conv_lstm2d", lambda: single(L.TimeDistributed(L.ConvLSTM2D(2, 3, return_sequences=True)), [2, *IMAGES]), [normal(2, 2, *IMAGES)], ["TimeDistributed", "ConvLSTM2D"])
case("next_frame", next_frame, [normal(2, 3, 6, 6, 1)], ["ConvLSTM2D", "BatchNormalization", "Conv3D"], kind="network", note="time is open")
