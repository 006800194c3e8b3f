"""How Keras 2 and Keras 3 write models: several inputs and outputs, shared layers, models inside models, masks on their way,
compiled models."""

import copy

from golden import K3, L, golden, keras, normal, np, predict, skipped, values

TOKENS = [[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]]
OTHERS = [[1, 1, 0, 2, 0, 0], [0, 3, 2, 1, 0, 4], [4, 0, 0, 0, 5, 1]]


def graphs():
    a, b = keras.Input([4], name="a"), keras.Input([3], name="b")
    trunk = L.Dense(5, activation="tanh", name="trunk")(L.Concatenate(name="joined")([L.Dense(3, activation="relu", name="left")(a), b]))
    outputs = [L.Dense(2, name="value")(trunk), L.Dense(3, activation="softmax", name="kind")(trunk), trunk]
    golden("multi_input_output", keras.Model([b, a], outputs, name="two_by_three"), [normal(2, 3), normal(2, 4)], ["Dense", "Concatenate"], "network",
           note="the inputs are listed in another order than they were made; an inner tensor is an output")

    a, b = keras.Input([4], name="a"), keras.Input([4], name="b")
    shared = L.Dense(3, activation="tanh", name="shared")
    u, v = shared(a), shared(b)
    golden("shared_layer", keras.Model([a, b], [L.Add(name="sum")([u, v]), v, u]), [normal(2, 4), normal(2, 4)], ["Dense", "Add"], "network",
           note="one layer called twice; both of its results are outputs, so the name `shared` repeats")

    x = keras.Input([4], name="x")
    h = L.Dense(3, name="h")(x)
    y = L.Activation("relu", name="y")(h)
    golden("repeated_output", keras.Model(x, [y, h, y]), [normal(2, 4)], ["Dense", "Activation"], "network", note="the very same tensor is listed twice")
    golden("input_is_output", keras.Model(x, [h, x]), [normal(2, 4)], ["Dense"], "network", note="an input is handed through as an output")

    inputs = {"wide": keras.Input([4], name="wide"), "deep": keras.Input([3], name="deep")}
    joined = L.Concatenate(name="joined")([inputs["wide"], L.Dense(2, activation="relu", name="hidden")(inputs["deep"])])
    golden("dict_inputs", keras.Model(inputs, L.Dense(2, name="out")(joined)), {"wide": normal(2, 4), "deep": normal(2, 3)}, ["Dense", "Concatenate"], "network",
           note="built from a dictionary of inputs: input_layers is an object")
    golden("dict_inputs_outputs", keras.Model(inputs, {"second": L.Dense(2, name="second")(joined), "first": L.Dense(3, name="first")(joined)}),
           {"deep": normal(2, 3), "wide": normal(2, 4)}, ["Dense", "Concatenate"], "network", note="input_layers and output_layers are objects")

    inputs = {"wide": keras.Input([4], name="first"), "deep": keras.Input([3], name="wide_2"), "wide_2": keras.Input([4], name="third")}
    joined = L.Concatenate(name="joined")([inputs["wide"], L.Dense(2, activation="relu", name="hidden")(inputs["deep"]), inputs["wide_2"]])
    golden("dict_inputs_other_names", keras.Model(inputs, {"key": L.Dense(2, name="out")(joined)}), {"wide": normal(2, 4), "deep": normal(2, 3), "wide_2": normal(2, 4)},
           ["Dense", "Concatenate"], "network", note="keys other than the names of the inputs; one key is the name of another input")


def nested(archive="h5", suffix=""):
    inner = keras.Sequential([keras.Input([3], name="inner_in"), L.Dense(4, activation="relu", name="inner_a"), L.Dense(3, name="inner_b")], name="inner")
    x = keras.Input([3], name="x")
    middle = keras.Model(x, L.Add(name="residual")([x, inner(x)]), name="middle")
    outer = keras.Sequential([keras.Input([5], name="outer_in"), L.Dense(3, name="first"), middle, L.Dense(2, name="last")], name="outer")
    golden(f"nested_sequential_functional_sequential{suffix}", outer, [normal(2, 5)], ["Dense", "Add"], "network", archive=archive)

    tower = keras.Sequential([keras.Input([5], name="tower_in"), L.Dense(4, activation="tanh", name="hidden"), L.Dense(3, name="code")], name="tower")
    a, b = keras.Input([5], name="a"), keras.Input([5], name="b")
    y = L.Dense(1, activation="sigmoid", name="same")(L.Concatenate(name="pair")([tower(a), tower(b)]))
    golden(f"siamese{suffix}", keras.Model([a, b], y), [normal(2, 5), normal(2, 5)], ["Dense", "Concatenate"], "network", note="a nested model called twice", archive=archive)

    x, y = keras.Input([4], name="x"), keras.Input([3], name="y")
    h = L.Dense(3, name="h")(x)
    inner = keras.Model([x, y], [L.Add(name="plus")([h, y]), h], name="two_way")
    p, q = keras.Input([4], name="p"), keras.Input([3], name="q")
    m, n = inner([p, q])
    golden(f"nested_multi_input_output{suffix}", keras.Model([q, p], [L.Activation("relu", name="clipped")(n), m]), [normal(2, 3), normal(2, 4)],
           ["Dense", "Add"], "network", note="the second output of a nested model is used, and its first is an output of the whole", archive=archive)

    x = keras.Input([4], name="x")
    inner = keras.Model(x, {"second": L.Dense(3, name="three")(x), "first": L.Dense(2, name="two")(x)}, name="named")
    z = keras.Input([4], name="z")
    found = inner(z)
    golden(f"nested_dict_outputs{suffix}", keras.Model(z, L.Concatenate(name="pair")([found["second"], found["first"], found["second"]])), [normal(2, 4)], ["Dense", "Concatenate"], "network",
           note="a nested model returns a dictionary, whose keys Keras sorts", archive=archive)

    parts = keras.Sequential([L.Conv1D(2, 2), L.Flatten()], name="parts")
    x = keras.Input([4, 3], name="x")
    step = keras.Model(x, L.Activation("tanh", name="act")(parts(x)), name="step")
    z = keras.Input([5, 4, 3], name="z")
    golden(f"nested_in_time_distributed{suffix}", keras.Model(z, L.TimeDistributed(step, name="steps")(z)), [normal(2, 5, 4, 3)], ["TimeDistributed", "Conv1D", "Flatten"], "network",
           note="a Sequential inside of a functional model inside of a TimeDistributed", archive=archive)

    base = keras.Sequential([keras.Input([6, 6, 3], name="base_in"), L.Conv2D(4, 3, name="conv"), L.BatchNormalization(name="bn"), L.ReLU(name="act")], name="base")
    model = keras.Sequential([keras.Input([6, 6, 3], name="img"), base, L.GlobalAveragePooling2D(name="gap"), L.Dense(2, name="top")], name="transfer")
    base.trainable = False
    golden(f"nested_frozen_base{suffix}", model, [normal(2, 6, 6, 3)], ["Conv2D", "BatchNormalization", "ReLU", "GlobalAveragePooling2D", "Dense"], "network",
           note="a frozen nested Sequential, as transfer learning makes it", archive=archive)


def sequentials():
    # A Sequential that learned its input shape from data.
    model = keras.Sequential([L.Dense(4, activation="relu", name="d1"), L.Dense(3, name="d2")], name="deferred")
    model.build((None, 5))
    golden("sequential_without_input_layer", model, [normal(2, 5)], ["Dense"], "network", note="built by `build`, not by an InputLayer or an input shape")
    if not K3:
        model = keras.Sequential([L.Dense(4, activation="relu", input_shape=(5,), name="d1"), L.Dropout(0.5), L.Dense(3, name="d2")], name="by_input_shape")
        golden("sequential_input_shape", model, [normal(2, 5)], ["Dense", "Dropout"], "network")

        def old_style(document):
            root = document["modelTopology"]["model_config"]
            layers = [layer for layer in root["config"]["layers"] if layer["class_name"] != "InputLayer"]
            for layer in layers:
                layer.pop("module", None), layer.pop("registered_name", None), layer.pop("build_config", None)
            layers[0]["config"]["batch_input_shape"] = [None, 5]
            root["config"] = layers
            document["modelTopology"]["keras_version"] = "2.2.4"

            again = keras.Sequential.from_config(copy.deepcopy(layers))  # Keras itself still reads the old form
            again.set_weights(model.get_weights())
            probe = np.linspace(-1, 1, 10, dtype="float32").reshape(2, 5)
            assert np.array_equal(predict(again, [probe]), predict(model, [probe]))

        model = keras.Sequential([L.Dense(4, activation="relu", input_shape=(5,), name="d1"), L.Dense(3, name="d2")], name="old")
        golden("sequential_config_array", model, [normal(2, 5)], ["Dense"], "network", edit=old_style,
               note="the topology is rewritten as Keras before 2.3 wrote it: config is the array of layers, without an InputLayer")


def masks():
    def tokens(name="x"):
        return keras.Input([6], name=name)

    def embed(x, mask=True):
        return L.Embedding(7, 3, mask_zero=mask)(x)

    def one(name, inputs, y, fed, layers, note=None):
        golden(name, keras.Model(inputs, y), [values(v) for v in fed], layers, "network", note=note)

    x = tokens()
    one("mask_through_dropout", x, L.LSTM(3)(L.Dropout(0.3)(embed(x))), [TOKENS], ["Dropout", "LSTM", "Embedding"])
    x = tokens()
    one("mask_through_elementwise", x, L.GRU(3)(L.Activation("tanh")(L.ReLU(negative_slope=0.1)(L.LayerNormalization()(L.Dense(4)(embed(x)))))), [TOKENS],
        ["Dense", "LayerNormalization", "ReLU", "Activation", "GRU", "Embedding"])
    rule = "Keras 3 ORs the masks it merges" if K3 else "Keras 2 ANDs the masks it merges"
    x, y = tokens("x"), tokens("y")
    one("mask_through_add", [x, y], L.LSTM(3)(L.Add()([embed(x), embed(y)])), [TOKENS, OTHERS], ["Add", "LSTM", "Embedding"], rule)
    x, y = tokens("x"), tokens("y")
    one("mask_through_concatenate", [x, y], L.LSTM(3)(L.Concatenate()([embed(x), embed(y)])), [TOKENS, OTHERS], ["Concatenate", "LSTM", "Embedding"], rule)
    x, y = tokens("x"), tokens("y")
    one("mask_through_concatenate_time", [x, y], L.LSTM(3)(L.Concatenate(axis=1)([embed(x), embed(y)])), [TOKENS, OTHERS], ["Concatenate", "LSTM", "Embedding"],
        "concatenated over time")
    for axis in (1, 2, -1):
        x, y = keras.Input([2, 3, 2], name="x"), keras.Input([2, 3, 2], name="y")
        joined = L.Concatenate(axis=axis)([L.Masking()(x), L.Masking()(y)])
        part = [[[[1, 2], [0, 0], [0, 0.5]], [[0, 0], [0.5, -2], [1, 1]]]]
        other = [[[[0, 0], [0, 0], [1, 0.5]], [[2, 1], [0, 0], [0, 1]]]]
        one(f"mask_of_places_concatenate_{'last' if axis < 0 else axis}", [x, y], L.ConvLSTM1D(2, 1)(joined),
            [part, other], ["Concatenate", "Masking", "ConvLSTM1D"], rule)
    x, y = tokens("x"), tokens("y")
    one("mask_one_side_add", [x, y], L.LSTM(3)(L.Add()([embed(x), embed(y, False)])), [TOKENS, OTHERS], ["Add", "LSTM", "Embedding"], "only one input has a mask")
    x, y = tokens("x"), tokens("y")
    one("mask_one_side_concatenate", [x, y], L.LSTM(3)(L.Concatenate()([embed(x), embed(y, False)])), [TOKENS, OTHERS], ["Concatenate", "LSTM", "Embedding"],
        "only one input has a mask")
    x = tokens()
    one("mask_stacked_rnn", x, L.GRU(2)(L.Bidirectional(L.LSTM(3, return_sequences=True))(embed(x))), [TOKENS], ["Bidirectional", "LSTM", "GRU", "Embedding"],
        "the mask passes through a layer that returns sequences")
    x = tokens()
    one("mask_stops_at_last_state", x, L.Softmax()(L.LSTM(3)(embed(x))), [TOKENS], ["LSTM", "Softmax", "Embedding"], "TensorFlow.js leaks the mask into Softmax")
    x = tokens()
    one("mask_explicit", x, L.LSTM(3)(embed(x, False), mask=L.Embedding(7, 1, mask_zero=True).compute_mask(x)), [TOKENS], ["LSTM", "Embedding"],
        "the mask is an argument of the call") if K3 else None
    x = keras.Input([4, 2], name="x")
    masked = L.Masking(0.0, name="masking")(x)
    one("masking_dropout_gru", x, L.GRU(3)(L.Dropout(0.2)(masked)), [[[[1, 2], [0, 0], [0, 0.5], [0, 0]], [[0, 0], [0.5, -2], [1, 1], [0, 0]]]], ["Masking", "Dropout", "GRU"])
    x = tokens()
    inner = keras.Sequential([keras.Input([6, 3]), L.Dropout(0.1), L.LSTM(3)], name="head")
    one("mask_into_nested", x, inner(embed(x)), [TOKENS], ["LSTM", "Dropout", "Embedding"], "the mask enters a nested model")
    x = tokens()
    words = tokens()
    inner = keras.Model(words, L.Dropout(0.1)(embed(words)), name="words")
    one("mask_out_of_nested", x, L.LSTM(3)(inner(x)), [TOKENS], ["LSTM", "Dropout", "Embedding"], "the mask leaves a nested model; TensorFlow.js drops it")


def compiled():
    def small():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input([3], name="x"), L.Dense(4, activation="relu"), L.Dropout(0.2), L.Dense(2, activation="softmax")])
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy", metrics=["accuracy"])
        model.fit(np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3), np.eye(2, dtype="float32")[[0, 1, 0, 1]], epochs=1, verbose=0, shuffle=False)
        return model

    golden("compiled", small(), [normal(3, 3)], ["Dense", "Dropout"], "network", note="compiled and trained a step: training_config is present")
    for name in ["compiled_keras"]:
        try:
            golden(name, small(), [normal(3, 3)], ["Dense", "Dropout"], "network", archive="keras",
                   note="through .keras: compile_config, and the optimizer's variables among the weights")
        except Exception as error:
            skipped(name, error)


graphs()
nested()
nested("keras", "_keras")
sequentials()
masks()
compiled()
