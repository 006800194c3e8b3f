"""Embedding, LSTM, GRU, Bidirectional and TimeDistributed, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import L, golden, ids, keras, normal, single, values

SEQUENCE = [5, 3]
RNNS = [
    ("default", {}),
    ("sequences", {"return_sequences": True}),
    ("state", {"return_state": True}),
    ("sequences_state", {"return_sequences": True, "return_state": True}),
    ("go_backwards", {"go_backwards": True}),
    ("go_backwards_sequences", {"go_backwards": True, "return_sequences": True}),
    ("hard_sigmoid_no_bias", {"recurrent_activation": "hard_sigmoid", "use_bias": False, "return_sequences": True}),
    ("relu_tanh", {"activation": "relu", "recurrent_activation": "tanh"}),
    ("unroll_dropout", {"unroll": True, "return_sequences": True, "dropout": 0.3, "recurrent_dropout": 0.2}),
]
TOKENS = [[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]]
KINDS = [("lstm", L.LSTM, {}, ["h", "c"]), ("gru", L.GRU, {}, ["h"]), ("gru_reset_before", L.GRU, {"reset_after": False}, ["h"])]


def recurrent():
    for label, layer, extra, states in KINDS:
        for name, config in RNNS:
            golden(f"{label}_{name}", single(layer(4, **extra, **config), SEQUENCE), [normal(2, *SEQUENCE, scale=1.5)], layer.__name__)

        x = keras.Input(SEQUENCE, name="x")
        given = [keras.Input([4], name=name) for name in states]
        y = layer(4, return_sequences=True, **extra)(x, initial_state=given)
        golden(f"{label}_initial_state", keras.Model([x, *given], y), [normal(2, *SEQUENCE)] + [normal(2, 4, scale=1) for _ in given], layer.__name__)

        x, d = keras.Input([4, 3], name="x"), keras.Input([3, 2], name="d")
        encoded = layer(4, return_state=True, name="encoder", **extra)(x)
        y = layer(4, return_sequences=True, name="decoder", **extra)(d, initial_state=list(encoded[1:]))
        golden(f"{label}_encoder_decoder", keras.Model([x, d], y), [normal(2, 4, 3), normal(2, 3, 2)], layer.__name__)

        for name, config in [("masked", {}), ("masked_sequences", {"return_sequences": True}),
                             ("masked_zero_output", {"return_sequences": True, "zero_output_for_mask": True}),
                             ("masked_go_backwards", {"go_backwards": True, "return_sequences": True})]:
            x = keras.Input([6], name="x")
            y = layer(4, **extra, **config)(L.Embedding(7, 3, mask_zero=True)(x))
            golden(f"{label}_{name}", keras.Model(x, y), [values(TOKENS)], [layer.__name__, "Embedding"])

    x = keras.Input([4, 2], name="x")
    y = L.LSTM(3, return_sequences=True)(L.Masking(-1.0)(x))
    golden("masking_lstm", keras.Model(x, y), [values([[[1, 2], [-1, -1], [-1, 0.5], [0.2, 0.3]], [[-1, -1], [0.5, -2], [1, 1], [-1, -1]]])], ["Masking", "LSTM"])


def embedding():
    for name, config, shape, dtype in [("default", {}, [4], "float32"), ("int32_input", {}, [4], "int32"), ("rank3", {}, [3, 2], "int32"),
                                       ("mask_zero", {"mask_zero": True}, [4], "int32")]:
        golden(f"embedding_{name}", single(L.Embedding(8, 3, **config), shape, dtype), [ids(2, *shape, dtype=dtype)], "Embedding")
    x = keras.Input([4], name="x", dtype="int32")
    golden("embedding_mask_zero_dense", keras.Model(x, L.Dense(2)(L.Embedding(8, 3, mask_zero=True)(x))), [ids(2, 4, high=3)], ["Embedding", "Dense"])


def bidirectional():
    for mode in ["concat", "sum", "mul", "ave", None]:
        for sequences in [False, True]:
            inner = L.GRU(3, return_sequences=True) if sequences else L.LSTM(3)
            golden(f"bidirectional_{str(mode or 'null')}_{'gru_sequences' if sequences else 'lstm'}",
                   single(L.Bidirectional(inner, merge_mode=mode), SEQUENCE), [normal(2, *SEQUENCE, scale=1.5)], ["Bidirectional", type(inner).__name__])
    golden("bidirectional_lstm_sequences", single(L.Bidirectional(L.LSTM(3, return_sequences=True)), SEQUENCE), [normal(2, *SEQUENCE, scale=1.5)], ["Bidirectional", "LSTM"])
    golden("bidirectional_gru_reset_before", single(L.Bidirectional(L.GRU(3, reset_after=False, return_sequences=True)), SEQUENCE),
           [normal(2, *SEQUENCE, scale=1.5)], ["Bidirectional", "GRU"])
    golden("bidirectional_state", single(L.Bidirectional(L.LSTM(3, return_sequences=True, return_state=True)), SEQUENCE),
           [normal(2, *SEQUENCE, scale=1.5)], ["Bidirectional", "LSTM"])
    golden("bidirectional_backward_layer", single(
        L.Bidirectional(L.LSTM(3, return_sequences=True), backward_layer=L.GRU(2, go_backwards=True, return_sequences=True)), SEQUENCE),
        [normal(2, *SEQUENCE, scale=1.5)], ["Bidirectional", "LSTM", "GRU"], note="the backward layer is of another class and size")
    for name, inner in [("lstm", L.LSTM(3)), ("lstm_sequences", L.LSTM(3, return_sequences=True)), ("gru", L.GRU(3)), ("gru_sequences", L.GRU(3, return_sequences=True))]:
        x = keras.Input([6], name="x")
        golden(f"bidirectional_masked_{name}", keras.Model(x, L.Bidirectional(inner)(L.Embedding(7, 3, mask_zero=True)(x))), [values(TOKENS)],
               ["Bidirectional", type(inner).__name__, "Embedding"])


def time_distributed():
    for name, inner, shape in [("dense", L.Dense(4, activation="relu"), [3, 5]), ("conv2d", L.Conv2D(2, 3, padding="same", activation="tanh"), [3, 4, 4, 2]),
                               ("batch_normalization", L.BatchNormalization(), [3, 5]), ("dropout", L.Dropout(0.5), [3, 5])]:
        golden(f"time_distributed_{name}", single(L.TimeDistributed(inner), shape), [normal(2, *shape)], ["TimeDistributed", type(inner).__name__])
    inner = keras.Sequential([keras.Input([4, 4, 2]), L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(2)], name="per_frame")
    golden("time_distributed_sequential", single(L.TimeDistributed(inner), [3, 4, 4, 2]), [normal(2, 3, 4, 4, 2)], ["TimeDistributed", "Conv2D", "Flatten", "Dense"])
    x = keras.Input([5], name="frame")
    inner = keras.Model(x, L.Add()([L.Dense(5, activation="tanh")(x), x]), name="residual")
    golden("time_distributed_functional", single(L.TimeDistributed(inner), [3, 5]), [normal(2, 3, 5)], ["TimeDistributed", "Dense", "Add"])
    x = keras.Input([None, 5], name="x")
    golden("time_distributed_unknown_length", keras.Model(x, L.TimeDistributed(L.Dense(2))(L.GRU(3, return_sequences=True)(x))), [normal(2, 4, 5)], ["TimeDistributed", "Dense", "GRU"])
    x = keras.Input([6], name="x")
    y = L.LSTM(2)(L.TimeDistributed(L.Dense(3, activation="relu"))(L.Embedding(7, 3, mask_zero=True)(x)))
    golden("time_distributed_masked", keras.Model(x, y), [values(TOKENS)], ["TimeDistributed", "Dense", "LSTM"])


recurrent()
embedding()
bidirectional()
time_distributed()
