"""Bidirectional and TimeDistributed around what people put into them: cells, own backward layers, states, convolutions, models, masks."""

from golden import K3, L, golden, keras, normal, single, skipped, values

SEQUENCE = [5, 3]
TOKENS = [[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]]
SCALED = [normal(2, *SEQUENCE, scale=1.5)]


def case(name, build, inputs, layers, **options):
    try:
        golden(name, build(), inputs, layers, **options)
    except Exception as error:
        skipped(name, error)


def masked(*layers):
    def build():
        x = keras.Input([6], name="x")
        y = L.Embedding(7, 3, mask_zero=True)(x)
        for layer in layers:
            y = layer(y)
        return keras.Model(x, y)
    return build


def stack():
    return [L.LSTMCell(4), L.GRUCell(3)]


MODES = [("concat", "concat"), ("sum", "sum"), ("mul", "mul"), ("ave", "ave"), ("null", None)]
for label, cell in [("lstm_cell", L.LSTMCell), ("gru_cell", L.GRUCell), ("simple_rnn_cell", L.SimpleRNNCell)]:
    for mode_name, mode in MODES if cell is L.GRUCell else MODES[:1]:
        case(f"bidirectional_rnn_{label}_{mode_name}", lambda: single(L.Bidirectional(L.RNN(cell(4), return_sequences=True), merge_mode=mode), SEQUENCE), SCALED,
             ["Bidirectional", "RNN", cell.__name__])
    case(f"bidirectional_rnn_{label}_masked", masked(L.Bidirectional(L.RNN(cell(4), return_sequences=True))), [values(TOKENS)], ["Bidirectional", "RNN", cell.__name__])
CELLS = ["Bidirectional", "RNN", "StackedRNNCells", "LSTMCell", "GRUCell"]
case("bidirectional_rnn_stacked_cells", lambda: single(L.Bidirectional(L.RNN(stack(), return_sequences=True)), SEQUENCE), SCALED, CELLS)
case("bidirectional_rnn_stacked_cells_last", lambda: single(L.Bidirectional(L.RNN(L.StackedRNNCells(stack(), name="tower")), merge_mode="mul"), SEQUENCE), SCALED, CELLS)
case("bidirectional_rnn_stacked_cells_masked", masked(L.Bidirectional(L.RNN(stack(), return_sequences=True))), [values(TOKENS)], [*CELLS, "Embedding"])
for mode_name, mode in MODES:
    case(f"bidirectional_simple_rnn_{mode_name}", lambda: single(L.Bidirectional(L.SimpleRNN(4, return_sequences=True), merge_mode=mode), SEQUENCE), SCALED, ["Bidirectional", "SimpleRNN"])
    case(f"bidirectional_masked_{mode_name}_gru_sequences", masked(L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode=mode)), [values(TOKENS)], ["Bidirectional", "GRU", "Embedding"])
case("bidirectional_go_backwards", lambda: single(L.Bidirectional(L.LSTM(3, go_backwards=True, return_sequences=True)), SEQUENCE), SCALED, ["Bidirectional", "LSTM"],
     note="the forward layer runs backwards")
case("bidirectional_zero_output", masked(L.Bidirectional(L.LSTM(3, return_sequences=True, zero_output_for_mask=True))), [values(TOKENS)], ["Bidirectional", "LSTM"])
UNROLLED = "Keras writes the loop out, and then zeroes what it gives by a mask that it did not turn around"
for label, layer in [("lstm", L.LSTM), ("gru", L.GRU), ("simple_rnn", L.SimpleRNN)]:
    case(f"bidirectional_{label}_masked_unroll", masked(L.Bidirectional(layer(3, return_sequences=True, unroll=True), merge_mode="sum" if label == "gru" else "concat")),
         [values(TOKENS)], ["Bidirectional", layer.__name__, "Embedding"], note=UNROLLED)
case("gru_masked_unroll_backwards_zero_output", masked(L.GRU(3, go_backwards=True, unroll=True, zero_output_for_mask=True)), [values(TOKENS)], ["GRU", "Embedding"], note=UNROLLED)
case("rnn_masked_unroll_backwards_zero_output", masked(L.RNN(stack(), go_backwards=True, unroll=True, zero_output_for_mask=True, return_sequences=True)), [values(TOKENS)],
     ["RNN", "LSTMCell", "GRUCell", "Embedding"], note=UNROLLED)
case("bidirectional_stacked", masked(L.Bidirectional(L.LSTM(3, return_sequences=True)), L.Bidirectional(L.GRU(2)), L.Dense(2)), [values(TOKENS)], ["Bidirectional", "LSTM", "GRU", "Dense"])
case("bidirectional_backward_layer_last", lambda: single(L.Bidirectional(L.LSTM(3), backward_layer=L.LSTM(2, go_backwards=True, use_bias=False, name="back")), SEQUENCE), SCALED, ["Bidirectional", "LSTM"])
case("bidirectional_backward_layer_masked", masked(L.Bidirectional(L.GRU(3, return_sequences=True), backward_layer=L.SimpleRNN(2, go_backwards=True, return_sequences=True, name="back"))),
     [values(TOKENS)], ["Bidirectional", "GRU", "SimpleRNN"])
case("bidirectional_backward_layer_cells", lambda: single(L.Bidirectional(L.RNN(L.LSTMCell(3)), backward_layer=L.RNN(stack(), go_backwards=True)), SEQUENCE), SCALED, CELLS)
case("bidirectional_backward_layer_null", lambda: single(L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode=None,
     backward_layer=L.GRU(2, go_backwards=True, return_sequences=True)), SEQUENCE), SCALED, ["Bidirectional", "GRU"])


def bidirectional_initial_state():
    x = keras.Input(SEQUENCE, name="x")
    given = [keras.Input([3], name=name) for name in ("fh", "fc", "bh", "bc")]
    return keras.Model([x, *given], L.Bidirectional(L.LSTM(3, return_sequences=True))(x, initial_state=given))


def bidirectional_encoder_decoder():
    x, d = keras.Input([4, 3], name="x"), keras.Input([3, 2], name="d")
    _, fh, fc, bh, bc = L.Bidirectional(L.LSTM(3, return_state=True), name="encoder")(x)
    states = [L.Concatenate()([fh, bh]), L.Concatenate()([fc, bc])]
    return keras.Model([x, d], L.LSTM(6, return_sequences=True, name="decoder")(d, initial_state=states))


case("bidirectional_initial_state", bidirectional_initial_state, [normal(2, *SEQUENCE)] + [normal(2, 3, scale=1)] * 4, ["Bidirectional", "LSTM"])
case("bidirectional_encoder_decoder", bidirectional_encoder_decoder, [normal(2, 4, 3), normal(2, 3, 2)], ["Bidirectional", "LSTM", "Concatenate"])
case("bidirectional_unknown_length", lambda: single(L.Bidirectional(L.GRU(3, return_sequences=True)), [None, 3]), [normal(2, 7, 3)], ["Bidirectional", "GRU"])

# ---- time ------------------------------------------------------------------------------------------------------------------------

VIDEO = [3, 6, 6, 2]
for name, inner, shape in [
    ("conv1d", lambda: L.Conv1D(3, 2, padding="causal"), [3, 5, 2]),
    ("conv2d_strides", lambda: L.Conv2D(3, 3, strides=2, padding="same"), VIDEO),
    ("depthwise_conv2d", lambda: L.DepthwiseConv2D(3), VIDEO),
    ("separable_conv2d", lambda: L.SeparableConv2D(3, 3, activation="relu"), VIDEO),
    ("conv2d_transpose", lambda: L.Conv2DTranspose(2, 3, strides=2), VIDEO),
    ("max_pooling2d", lambda: L.MaxPooling2D(), VIDEO),
    ("global_average_pooling2d", lambda: L.GlobalAveragePooling2D(), VIDEO),
    ("flatten", lambda: L.Flatten(), VIDEO),
    ("layer_normalization", lambda: L.LayerNormalization(), [3, 5]),
    ("softmax", lambda: L.Softmax(), [3, 5]),
    ("lstm", lambda: L.LSTM(3), [3, *SEQUENCE]),
    ("gru_sequences", lambda: L.GRU(3, return_sequences=True), [3, *SEQUENCE]),
    ("bidirectional", lambda: L.Bidirectional(L.LSTM(2)), [3, *SEQUENCE]),
    ("rnn_stacked_cells", lambda: L.RNN(stack()), [3, *SEQUENCE]),
    ("time_distributed", lambda: L.TimeDistributed(L.Dense(2)), [3, 2, 5]),
    ("rescaling", lambda: L.Rescaling(0.5, 1.0), [3, 5]),
]:
    case(f"time_distributed_{name}", lambda: single(L.TimeDistributed(inner()), shape), [normal(2, *shape)], ["TimeDistributed", type(inner()).__name__])


def frames():
    """A network for each frame, and one over the frames: what people do with video."""
    per_frame = keras.Sequential([keras.Input(VIDEO[1:]), L.Conv2D(3, 3, activation="relu"), L.BatchNormalization(), L.MaxPooling2D(), L.Flatten()], name="per_frame")
    x = keras.Input([None, *VIDEO[1:]], name="x")
    return keras.Model(x, L.Dense(2, activation="softmax")(L.LSTM(4)(L.TimeDistributed(per_frame)(x))))


def two_branches():
    frame = keras.Input([6, 6, 2], name="frame")
    a, b = L.GlobalMaxPooling2D()(frame), L.Flatten()(L.Conv2D(1, 3, strides=3)(frame))
    return single(L.TimeDistributed(keras.Model(frame, L.Concatenate()([a, b]), name="branches")), VIDEO)


def words():
    """Sentences of a document, words of a sentence: masks at both levels."""
    sentence = keras.Input([4], name="sentence")
    encoder = keras.Model(sentence, L.GRU(3)(L.Embedding(7, 3, mask_zero=True)(sentence)), name="encoder")
    x = keras.Input([3, 4], name="x")
    return keras.Model(x, L.LSTM(2)(L.TimeDistributed(encoder)(x)))


def masking():
    x = keras.Input([4, 3], name="x")
    return keras.Model(x, L.LSTM(2, return_sequences=True)(L.TimeDistributed(L.Dense(3, activation="tanh"))(L.Masking()(x))))


def shared():
    a, b = keras.Input([3, 5], name="a"), keras.Input([None, 5], name="b")
    layer = L.TimeDistributed(L.Dense(2, activation="relu"))
    return keras.Model([a, b], [layer(a), layer(b)])


case("time_distributed_frames", frames, [normal(2, *VIDEO)], ["TimeDistributed", "Conv2D", "BatchNormalization", "MaxPooling2D", "Flatten", "LSTM", "Dense"], kind="network")
case("time_distributed_two_branches", two_branches, [normal(2, *VIDEO)], ["TimeDistributed", "Concatenate", "Conv2D"])
case("time_distributed_words", words, [values([[[1, 2, 0, 0], [3, 4, 5, 0], [0, 0, 0, 0]], [[6, 0, 0, 0], [0, 2, 0, 3], [1, 1, 1, 1]]])], ["TimeDistributed", "Embedding", "GRU", "LSTM"])
case("time_distributed_masking", masking, [values([[[1, 2, 3], [0, 0, 0], [0.5, 0, 1], [0, 0, 0]], [[0, 0, 0], [1, -1, 1], [0, 0, 0], [2, 1, 0]]])], ["TimeDistributed", "Masking", "LSTM", "Dense"])
case("time_distributed_shared", shared, [normal(2, 3, 5), normal(2, 4, 5)], ["TimeDistributed", "Dense"])
case("time_distributed_masked_flatten", masked(L.TimeDistributed(L.Dense(4)), L.TimeDistributed(L.Reshape([2, 2])), L.TimeDistributed(L.Flatten()), L.GRU(2)), [values(TOKENS)],
     ["TimeDistributed", "Reshape", "Flatten", "GRU"])
if not K3:
    case("wrapper", lambda: single(L.Wrapper(L.Dense(3)), [5]), [normal(2, 5)], ["Wrapper", "Dense"], note="a bare Wrapper gives back its input; what it holds has weights")
