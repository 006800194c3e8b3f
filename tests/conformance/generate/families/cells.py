"""RNN over cells: one, a list of them, StackedRNNCells; recurrent layers under their old names and in cuDNN's layout."""

from golden import K3, L, golden, ids, keras, normal, single, skipped, values

SEQUENCE = [5, 3]
TOKENS = [[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]]
SCALED = [normal(2, *SEQUENCE, scale=1.5)]


def case(name, build, inputs, layers, **options):
    try:
        golden(name, build() if callable(build) and not isinstance(build, keras.Model) else build, inputs, layers, **options)
    except Exception as error:
        skipped(name, error)


def flat(outputs):
    """Keras gives the states of each of several cells as a list of their own."""
    return [leaf for output in outputs for leaf in flat(output)] if isinstance(outputs, (list, tuple)) else [outputs]


def over(cell, **config):
    def build():
        x = keras.Input(SEQUENCE, name="x")
        return keras.Model(x, flat(L.RNN(cell(), **config)(x)))
    return build


def masked(layer):
    x = keras.Input([6], name="x")
    return keras.Model(x, flat(layer(L.Embedding(7, 3, mask_zero=True)(x))))


def stack():
    return [L.LSTMCell(4), L.GRUCell(3), L.SimpleRNNCell(2), L.LSTMCell(3)]


CELLS = [
    ("lstm_cell", L.LSTMCell, {}),
    ("gru_cell", L.GRUCell, {}),
    ("gru_cell_reset_before", L.GRUCell, {"reset_after": False}),
    ("simple_rnn_cell", L.SimpleRNNCell, {}),
]
for label, cell, extra in CELLS:
    layers = ["RNN", cell.__name__]
    make = lambda **config: lambda: cell(4, **extra, **config)
    case(f"rnn_{label}", over(make()), SCALED, layers)
    case(f"rnn_{label}_sequences_state", over(make(name="own"), return_sequences=True, return_state=True), SCALED, layers)
    case(f"rnn_{label}_go_backwards", over(make(use_bias=False, activation="relu"), return_sequences=True, go_backwards=True), SCALED, layers)
    case(f"rnn_{label}_dropout_unroll", over(make(dropout=0.3, recurrent_dropout=0.2, activation="softsign"), unroll=True), SCALED, layers)
    case(f"rnn_{label}_masked", lambda: masked(L.RNN(make()(), return_sequences=True)), [values(TOKENS)], [*layers, "Embedding"])
    case(f"rnn_{label}_masked_zero_output", lambda: masked(L.RNN(make()(), return_sequences=True, zero_output_for_mask=True)), [values(TOKENS)], [*layers, "Embedding"])

    def initial_state():
        x = keras.Input(SEQUENCE, name="x")
        given = [keras.Input([4], name=name) for name in (["h", "c"] if cell is L.LSTMCell else ["h"])]
        return keras.Model([x, *given], L.RNN(make()(), return_state=True)(x, initial_state=given))
    case(f"rnn_{label}_initial_state", initial_state, [normal(2, *SEQUENCE)] + [normal(2, 4, scale=1)] * (2 if cell is L.LSTMCell else 1), layers)

    def stateful():
        x = keras.Input(batch_shape=[2, 3, 2], name="x")
        return keras.Model(x, L.RNN(make()(), stateful=True)(x))
    case(f"rnn_{label}_stateful", stateful, [normal(6, 3, 2, scale=1.5)], layers, batch_size=2)

STACK = ["RNN", "StackedRNNCells", "LSTMCell", "GRUCell", "SimpleRNNCell"]
case("rnn_list_of_cells", over(stack), SCALED, STACK)
case("rnn_list_of_one", over(lambda: [L.GRUCell(4)]), SCALED, ["RNN", "StackedRNNCells", "GRUCell"])
case("rnn_stacked_cells", over(lambda: L.StackedRNNCells([L.LSTMCell(4, name="low"), L.LSTMCell(4, name="high")], name="tower")), SCALED, ["RNN", "StackedRNNCells", "LSTMCell"])
case("rnn_stacked_cells_sequences_state", over(lambda: L.StackedRNNCells(stack()), return_sequences=True, return_state=True), SCALED, STACK)
case("rnn_stacked_cells_go_backwards", over(lambda: L.StackedRNNCells(stack()), return_sequences=True, go_backwards=True), SCALED, STACK)
case("rnn_stacked_cells_same_class", over(lambda: [L.GRUCell(4), L.GRUCell(4, reset_after=False), L.GRUCell(4, use_bias=False)]), SCALED, ["RNN", "StackedRNNCells", "GRUCell"])
case("rnn_stacked_cells_inside", over(lambda: L.StackedRNNCells([L.StackedRNNCells([L.GRUCell(3), L.GRUCell(2)]), L.LSTMCell(4)])), SCALED, ["RNN", "StackedRNNCells", "GRUCell", "LSTMCell"])
case("rnn_stacked_cells_masked", lambda: masked(L.RNN(stack(), return_sequences=True)), [values(TOKENS)], [*STACK, "Embedding"])
case("rnn_stacked_cells_masked_state", lambda: masked(L.RNN(stack(), return_state=True, go_backwards=True)), [values(TOKENS)], [*STACK, "Embedding"])
case("rnn_stacked_cells_masked_zero_output", lambda: masked(L.RNN(stack(), return_sequences=True, zero_output_for_mask=True)), [values(TOKENS)], [*STACK, "Embedding"])


def stacked_initial_state():
    x = keras.Input(SEQUENCE, name="x")
    given = [keras.Input([size], name=name) for name, size in (("h1", 4), ("c1", 4), ("h2", 3))]
    y = L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_sequences=True)(x, initial_state=[given[:2], given[2]])
    return keras.Model([x, *given], y)


def stacked_stateful():
    x = keras.Input(batch_shape=[2, 3, 2], name="x")
    return keras.Model(x, L.RNN([L.LSTMCell(4), L.GRUCell(3)], stateful=True)(x))


def encoder_decoder():
    x, d = keras.Input([4, 3], name="x"), keras.Input([3, 2], name="d")
    _, *states = L.RNN([L.GRUCell(4), L.GRUCell(3)], return_state=True, name="encoder")(x)
    return keras.Model([x, d], L.RNN([L.GRUCell(4), L.GRUCell(3)], return_sequences=True, name="decoder")(d, initial_state=states))


def unknown_length():
    x = keras.Input([None, 3], name="x")
    return keras.Model(x, L.RNN([L.LSTMCell(4), L.GRUCell(3)])(x))


def shared():
    a, b = keras.Input([4, 3], name="a"), keras.Input([None, 3], name="b")
    layer = L.RNN(L.LSTMCell(4), return_state=True)
    return keras.Model([a, b], [*layer(a), layer(b)[0]])


def nested():
    inner = keras.Sequential([keras.Input(SEQUENCE), L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_sequences=True), L.Dense(2)], name="inner")
    x = keras.Input(SEQUENCE, name="x")
    return keras.Model(x, L.RNN(L.GRUCell(2))(inner(x)))


case("rnn_stacked_cells_initial_state", stacked_initial_state, [normal(2, *SEQUENCE), normal(2, 4, scale=1), normal(2, 4, scale=1), normal(2, 3, scale=1)], STACK[:4])
case("rnn_stacked_cells_stateful", stacked_stateful, [normal(6, 3, 2, scale=1.5)], STACK[:4], batch_size=2)
case("rnn_encoder_decoder", encoder_decoder, [normal(2, 4, 3), normal(2, 3, 2)], ["RNN", "StackedRNNCells", "GRUCell"])
case("rnn_unknown_length", unknown_length, [normal(2, 7, 3)], STACK[:4])
case("rnn_shared", shared, [normal(2, 4, 3), normal(2, 6, 3)], ["RNN", "LSTMCell"])
case("rnn_nested", nested, [normal(2, *SEQUENCE)], [*STACK[:4], "Dense"])
case("rnn_int32_input", lambda: single(L.RNN(L.GRUCell(4)), SEQUENCE, "int32"), [ids(2, *SEQUENCE, low=-2, high=3)], ["RNN", "GRUCell"])
for name, config in [("default", {}), ("sequences", {"return_sequences": True, "activation": "relu"}), ("go_backwards_state", {"go_backwards": True, "return_state": True}),
                     ("no_bias_unroll", {"use_bias": False, "unroll": True, "return_sequences": True})]:
    case(f"simple_rnn_{name}", lambda: single(L.SimpleRNN(4, **config), SEQUENCE), SCALED, "SimpleRNN")
case("simple_rnn_masked", lambda: masked(L.SimpleRNN(4, return_sequences=True)), [values(TOKENS)], ["SimpleRNN", "Embedding"])
case("simple_rnn_archive", lambda: single(L.RNN([L.SimpleRNNCell(4), L.LSTMCell(3), L.LSTMCell(2)]), SEQUENCE), SCALED, STACK[:3], archive="keras" if K3 else "h5")
case("rnn_cell_archive", lambda: single(L.RNN(L.GRUCell(4)), SEQUENCE), SCALED, ["RNN", "GRUCell"], archive="keras" if K3 else "h5")


def renamed(old, new):
    def edit(document):
        topology = document["modelTopology"]
        for layer in topology.get("model_config", topology)["config"]["layers"]:
            if layer["class_name"] == old:
                layer["class_name"] = new
    return edit


if not K3:
    from tf_keras.src.layers.rnn.cudnn_gru import CuDNNGRU
    from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM
    from tf_keras.src.saving.legacy.hdf5_format import _convert_rnn_weights

    for old, new, layer in [("LSTM", "UnifiedLSTM", L.LSTM), ("GRU", "UnifiedGRU", L.GRU), ("LSTM", "LSTMV1", L.LSTM), ("GRU", "GRUV1", L.GRU),
                            ("LSTM", "LSTMV2", L.LSTM), ("GRU", "GRUV2", L.GRU)]:
        case(f"old_name_{new.lower()}", lambda: single(layer(4, return_sequences=True), SEQUENCE), SCALED, old, edit=renamed(old, new),
             note=f"the class is written as `{new}`, as TensorFlow 1.13 and 1.14 call it")

    def without_cudnn(layer, shape, **config):
        """cuDNN needs a GPU: the layer that Keras loads such weights into, converted as Keras converts them."""
        def compute(fed, weights):
            own = layer(4, **config)
            model = single(own, shape)
            model.set_weights(_convert_rnn_weights(own, weights))
            return model.predict(fed[0], verbose=0)
        return compute

    CUDNN = [("default", {}), ("sequences_state", {"return_sequences": True, "return_state": True}), ("go_backwards", {"go_backwards": True, "return_sequences": True})]
    for label, layer, plain in [("cudnn_lstm", CuDNNLSTM, L.LSTM), ("cudnn_gru", CuDNNGRU, L.GRU)]:
        for name, config in CUDNN:
            case(f"{label}_{name}", lambda: single(layer(4, **config), SEQUENCE), SCALED, layer.__name__, twin=without_cudnn(plain, SEQUENCE, **config),
                 note="computed by the layer without cuDNN, with the weights as Keras converts them: cuDNN needs a GPU")
if K3:
    for label, layer, config in [("simple_rnn", L.SimpleRNN, {}), ("lstm", L.LSTM, {"return_sequences": True}), ("gru", L.GRU, {"recurrent_activation": "sparsemax"})]:
        case(f"{label}_sparsemax", lambda: masked(layer(4, activation="sparsemax", **config)), [values(TOKENS)], [layer.__name__, "Embedding"])
    case("conv_lstm1d_sparsemax", lambda: single(L.ConvLSTM1D(3, 2, activation="sparsemax"), [3, 5, 2]), [normal(2, 3, 5, 2)], "ConvLSTM1D")
