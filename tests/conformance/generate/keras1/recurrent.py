"""Recurrent layers, whose weights Keras 1 keeps gate by gate unless they are for a GPU, and wrappers."""

from golden_old import THEANO, golden, keras, normal, single

L = keras.layers
STEPS = [5, 4]
for cell, small in ((L.SimpleRNN, "simple_rnn"), (L.GRU, "gru"), (L.LSTM, "lstm")):
    for what, options in (
        ("cpu", {"consume_less": "cpu"}),
        ("mem", {"consume_less": "mem", "return_sequences": True, "dropout_W": 0.2, "dropout_U": 0.3}),
        ("gpu", {"consume_less": "gpu", "go_backwards": True, "activation": "relu", "W_regularizer": "l2", "U_regularizer": "l1"}),
        ("unrolled", {"unroll": True, "inner_init": "glorot_normal"}),
    ):
        if THEANO and what != "cpu":
            continue
        golden("{}_{}".format(small, what), single(cell(3, **options), STEPS), [normal(2, *STEPS)], cell.__name__)
    if cell is not L.SimpleRNN:
        layer = cell(3, inner_activation="sigmoid", return_sequences=True, activation="softsign")
        golden(small + "_sigmoid", single(layer, STEPS), [normal(2, *STEPS)], cell.__name__)
    if THEANO:
        continue
    golden(small + "_stateful", single(cell(3, stateful=True), STEPS, batch=2), [normal(2, *STEPS)], cell.__name__)
    model = keras.models.Sequential([L.Masking(input_shape=STEPS), cell(3, return_sequences=True), cell(2, go_backwards=True)])
    steps = lambda rng: (normal(3, 5, 4)(rng) * [[[1], [1], [0], [1], [0]], [[0], [1], [1], [1], [1]], [[0], [0], [0], [0], [1]]]).astype("float32")  # noqa: E731
    golden(small + "_masked", model, [steps], ["Masking", cell.__name__])
    first = keras.models.Sequential([cell(3, input_dim=4, input_length=5)])
    golden(small + "_first", first, [normal(2, *STEPS)], cell.__name__)

for mode in ("concat", "sum", "mul", "ave", None):
    if THEANO and mode != "concat":
        continue
    layer = L.Bidirectional(L.LSTM(3, return_sequences=mode != "mul"), merge_mode=mode)
    x = L.Input(shape=STEPS, name="x")
    outputs = layer(x)
    outputs = [L.Activation("linear", name="forward")(outputs[0]), L.Activation("linear", name="backward")(outputs[1])] if mode is None else outputs
    golden("bidirectional_" + str(mode).lower(), keras.models.Model(x, outputs), [normal(2, *STEPS)], ["Bidirectional", "LSTM"])
golden("bidirectional_gru", single(L.Bidirectional(L.GRU(3, consume_less="gpu")), STEPS), [normal(2, *STEPS)], ["Bidirectional", "GRU"])
golden("bidirectional_simple_rnn", single(L.Bidirectional(L.SimpleRNN(3)), STEPS), [normal(2, *STEPS)], ["Bidirectional", "SimpleRNN"])

golden("time_distributed_dense_layer", single(L.TimeDistributed(L.Dense(3, activation="relu")), STEPS), [normal(2, *STEPS)], ["TimeDistributed", "Dense"])
golden("time_distributed_dense_batch", single(L.TimeDistributed(L.Dense(3)), STEPS, batch=2), [normal(2, *STEPS)], ["TimeDistributed", "Dense"])
for ordering, shape in (("tf", [2, 5, 4, 3]), ("th", [2, 3, 5, 4])):
    layer = L.TimeDistributed(L.Convolution2D(2, 3, 2, dim_ordering=ordering, border_mode="same"))
    golden("time_distributed_convolution2d_" + ordering, single(layer, shape), [normal(2, *shape)], ["TimeDistributed", "Conv2D"])
golden("time_distributed_convolution1d", single(L.TimeDistributed(L.Convolution1D(2, 3)), [2, 5, 4]), [normal(2, 2, 5, 4)], ["TimeDistributed", "Conv1D"])
if not THEANO:
    golden("time_distributed_lstm", single(L.TimeDistributed(L.LSTM(2)), [2, 5, 4]), [normal(2, 2, 5, 4)], ["TimeDistributed", "LSTM"])
    inner = keras.models.Sequential([L.Convolution2D(2, 2, 2, input_shape=(4, 4, 3)), L.Flatten(), L.Dense(3)])
    model = keras.models.Sequential([L.TimeDistributed(inner, input_shape=(2, 4, 4, 3)), L.GRU(2)])
    golden("time_distributed_model", model, [normal(2, 2, 4, 4, 3)], ["TimeDistributed", "Conv2D", "GRU"])
