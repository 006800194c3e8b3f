"""Models behind a `FeatureSpace`: what it is after conversion are its layers."""

from golden import L, golden, keras, np, tf, values

F = keras.utils.FeatureSpace
CITIES = ["Oslo", "Bergen", "Oslo", "Tromsø"]
ROWS = {
    "age": values([[31.0], [4.5], [77.0], [50.0]]), "weight": values([[61.0], [18.0], [90.0], [70.0]]), "raw": values([[0.5], [-1.0], [2.0], [0.0]]),
    "income": values([[100.0], [5.0], [40.0], [20.0]]), "city": lambda _rng: np.array([[city] for city in ["Oslo", "Tromsø", "Rome", ""]], dtype=object),
    "code": values([[4], [7], [9], [4]], "int32"), "word": lambda _rng: np.array([["a"], ["b"], ["a longer word"], ["日本"]], dtype=object),
}
LEARNT = {
    "age": np.array([[30.0], [20.0], [50.0], [10.0]], "float32"), "weight": np.array([[60.0], [70.0], [80.0], [55.0]], "float32"),
    "raw": np.zeros([4, 1], "float32"), "income": np.array([[10.0], [20.0], [30.0], [90.0]], "float32"),
    "city": np.array([[city] for city in CITIES]), "code": np.array([[4], [4], [7], [7]], "int32"), "word": np.array([["a"], ["b"], ["c"], ["d"]]),
}


def space(output_mode="concat", names=tuple(ROWS)):
    features = {
        "age": F.float_normalized(), "weight": F.float_rescaled(scale=0.01, offset=-0.5), "raw": F.float(), "income": F.float_discretized(num_bins=3),
        "city": F.string_categorical(num_oov_indices=1), "code": F.integer_categorical(), "word": F.string_hashed(num_bins=5),
    }
    features = {name: features[name] for name in names}
    crosses = [F.cross(("city", "word"), crossing_dim=6), F.cross(("code", "word"), crossing_dim=4)] if "city" in names else []
    made = F(features=features, crosses=crosses, output_mode=output_mode)
    made.adapt(tf.data.Dataset.from_tensor_slices({name: LEARNT[name] for name in names}))
    return made


def with_vocabularies(made):
    """A conversion loses the vocabularies that `adapt` found. Our error says which key to add: this adds it."""
    vocabularies = {layer.name: [v if isinstance(v, str) else int(v) for v in layer.get_vocabulary()] for layer in made.preprocessors.values() if hasattr(layer, "get_vocabulary")}

    def edit(document):
        for layer in document["modelTopology"]["model_config"]["config"]["layers"]:
            if layer["config"].get("name") in vocabularies:
                layer["config"]["vocabulary"] = vocabularies[layer["config"]["name"]]

    return edit


made = space()
y = L.Dense(2, activation="softmax", name="classes")(L.Dense(6, activation="relu", name="hidden")(made.get_encoded_features()))
golden("feature_space", keras.Model(made.get_inputs(), y), ROWS, ["StringLookup", "IntegerLookup", "HashedCrossing", "CategoryEncoding", "Hashing"], "network",
       note="the vocabularies were added to the file as our error says", edit=with_vocabularies(made), keep_weights=True)

made = space(names=("age", "raw", "income", "word"))
golden("feature_space_hashed", keras.Model(made.get_inputs(), made.get_encoded_features()), {name: ROWS[name] for name in ("age", "raw", "income", "word")},
       ["Hashing", "Discretization", "CategoryEncoding"], "network", note="nothing is lost of these", keep_weights=True)

made = space("dict", names=("age", "code", "word"))
golden("feature_space_dict", keras.Model(made.get_inputs(), made.get_encoded_features()), {name: ROWS[name] for name in ("age", "code", "word")},
       ["IntegerLookup", "CategoryEncoding"], "network", edit=with_vocabularies(made), keep_weights=True)
