"""Stateful recurrent layers: the batch is fixed, and each batch of one `predict` goes on from the states that the last one left."""

from golden import K3, L, golden, keras, normal, skipped, values

TOKENS = [[3, 1, 4], [2, 6, 0], [5, 0, 0], [1, 2, 3], [0, 0, 0], [6, 5, 0]]


def fixed(*shape, name="x"):
    return keras.Input(batch_shape=shape, name=name)


def case(name, build, inputs, layers, batch_size, note=None):
    try:
        golden(f"stateful_{name}", build(), inputs, layers, note=note, batch_size=batch_size)
    except Exception as error:
        skipped(f"stateful_{name}", error)


def chain(shape, *layers):
    def build():
        y = x = fixed(*shape)
        for layer in layers:
            y = layer(y)
        return keras.Model(x, y)
    return build


def with_initial_state():
    x, h = fixed(2, 3, 2), fixed(2, 3, name="h")
    return keras.Model([x, h], L.GRU(3, stateful=True)(x, initial_state=h))


BATCHES = [normal(6, 3, 2, scale=1.5)]
for label, layer in [("lstm", L.LSTM), ("gru", L.GRU), ("simple_rnn", L.SimpleRNN)]:
    kind = layer.__name__
    case(label, chain([2, 3, 2], layer(3, stateful=True)), BATCHES, kind, 2, "three batches of two rows: row i of a batch continues row i of the one before")
    case(f"{label}_sequences", chain([2, 3, 2], layer(3, stateful=True, return_sequences=True), L.Dense(2)), BATCHES, [kind, "Dense"], 2)
    case(f"{label}_single_steps", chain([1, 1, 2], layer(3, stateful=True), L.Dense(2)), [normal(5, 1, 2)], [kind, "Dense"], 1, "five steps of one sequence, one at a time")
    case(f"{label}_state", chain([2, 3, 2], layer(3, stateful=True, return_state=True)), BATCHES, kind, 2, "the states are outputs too")
case("gru_reset_before", chain([2, 3, 2], L.GRU(3, stateful=True, reset_after=False)), BATCHES, "GRU", 2)
case("lstm_go_backwards", chain([2, 3, 2], L.LSTM(3, stateful=True, go_backwards=True, return_sequences=True)), BATCHES, "LSTM", 2)
case("lstm_unroll", chain([2, 3, 2], L.LSTM(3, stateful=True, unroll=True)), BATCHES, "LSTM", 2)
case("stacked", chain([2, 3, 2], L.LSTM(3, stateful=True, return_sequences=True), L.GRU(2, stateful=True), L.Dense(2)), BATCHES, ["LSTM", "GRU", "Dense"], 2)
case("one_of_two", chain([2, 3, 2], L.LSTM(3, return_sequences=True), L.GRU(2, stateful=True)), BATCHES, ["LSTM", "GRU"], 2, "only the second layer keeps its state")
case("unknown_time", chain([2, None, 2], L.LSTM(3, stateful=True)), [normal(4, 5, 2)], "LSTM", 2, "the batch is fixed, the time is not")
case("whole_batch", chain([2, 3, 2], L.LSTM(3, stateful=True)), [normal(2, 3, 2)], "LSTM", 2, "one batch only: as if it were not stateful")
case("bidirectional", chain([2, 3, 2], L.Bidirectional(L.LSTM(2, stateful=True))), BATCHES, ["Bidirectional", "LSTM"], 2, "the backward layer's state goes into the next batch as well")
case("masked", chain([2, 3], L.Embedding(7, 2, mask_zero=True), L.LSTM(3, stateful=True)), [values(TOKENS)], ["Embedding", "LSTM"], 2, "a row that is masked as a whole keeps its state")
case("initial_state", with_initial_state, [normal(6, 3, 2), normal(6, 3, scale=1)], "GRU", 2,
     "the initial state is given to every batch" if K3 else "the initial state counts only while the kept state is all zeros")


def called_twice(outputs, deeper=(), inner=False):
    """Two calls of one layer, which keeps its state from one to the other: Keras runs the calls by their depth, not as they were made."""
    def build():
        x, y = fixed(2, 3, 2), fixed(2, 4, 2, name="y")
        shared = L.GRU(3, stateful=True, name="shared")
        if inner:
            z = fixed(2, None, 2, name="z")
            shared = keras.Model(z, shared(z), name="around")
        results = [shared(x), shared(y)]
        for place in deeper:
            results[place] = L.Dense(2)(L.Activation("tanh")(results[place]))
        return keras.Model([x, y], [results[place] for place in outputs])
    return build


TWICE = [normal(6, 3, 2, scale=1.5), normal(6, 4, 2, scale=1.5)]
for name, outputs, deeper in [("outputs", [0, 1], []), ("outputs_turned", [1, 0], []), ("first_deeper", [0, 1], [0]), ("second_deeper", [0, 1], [1]), ("second_deeper_turned", [1, 0], [1])]:
    case(f"called_twice_{name}", called_twice(outputs, deeper), TWICE, ["GRU"], 2)
case("called_twice_nested", called_twice([0, 1], inner=True), TWICE, ["GRU"], 2, "the layer is in a model that is called twice")
