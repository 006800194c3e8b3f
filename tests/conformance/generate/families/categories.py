"""CategoryEncoding, Discretization, Hashing and HashedCrossing, and models of mixed columns, as Keras 2 and Keras 3 compute them and the
converter writes them."""

from golden import K3, L, golden, ids, keras, normal, np, single, values


def strings(nested):
    return lambda _rng: np.array(nested, dtype=object)


def encode(name, batch, dtype="int32", shape=None, note=None, **config):
    model = single(L.CategoryEncoding(num_tokens=6, **config), shape or np.array(batch).shape[1:], dtype)
    golden(f"category_encoding_{name}", model, [values(batch, dtype)], "CategoryEncoding", note=note)


encode("default", [[0, 1, 1], [5, 0, 2], [3, 3, 3]])
encode("one_hot", [[0], [5], [3]], output_mode="one_hot")
encode("count", [[0, 1, 1], [5, 0, 2], [3, 3, 3]], output_mode="count")
encode("int64", [[0, 1], [5, 0]], "int64", output_mode="count")
encode("open", [[0, 1, 4, 4], [5, 0, 2, 2]], shape=(None,), output_mode="count")
if K3:
    encode("one_hot_rank2", [[0, 1, 1], [5, 0, 2]], output_mode="one_hot")
    encode("outside", [[0, 6, 1], [5, 9, 7]], note="Keras 3 counts nothing for what is too large")
    encode("outside_one_hot", [[6], [5], [-1]], output_mode="one_hot")
    encode("multi_hot_rank3", [[[0, 1], [2, 1], [4, 1]], [[5, 5], [3, 2], [3, 1]]])
    encode("count_rank3", [[[0, 1], [2, 1], [4, 1]], [[5, 5], [3, 2], [3, 1]]], output_mode="count")

numbers, weights = keras.Input([3], dtype="int32", name="numbers"), keras.Input([3], name="weights")
y = L.CategoryEncoding(num_tokens=4, output_mode="count")(numbers, count_weights=weights)
golden("category_encoding_weighted", keras.Model([numbers, weights], y), [values([[0, 1, 1], [3, 0, 3]], "int32"), normal(2, 3)], "CategoryEncoding")

NUMBERS = [[-1.5, 0.0, 0.25], [1.0, 99.0, 2.4999], [2.5, -0.0, 1e-30]]
BOUNDARIES = [0.0, 1.0, 2.5, 2.5, 10.0]


def discretize(name, batch=NUMBERS, dtype="float32", shape=None, boundaries=BOUNDARIES, **config):
    model = single(L.Discretization(bin_boundaries=boundaries, **config), shape or np.array(batch).shape[1:], dtype)
    golden(f"discretization_{name}", model, [values(batch, dtype)], "Discretization")


discretize("int")
discretize("nan", [[float("nan"), float("inf"), float("-inf")]])
discretize("of_ints", [[-1, 0, 1], [2, 3, 11]], "int32")
discretize("one_hot", [[0.5], [11.0], [-3.0]], output_mode="one_hot")
discretize("multi_hot", output_mode="multi_hot")
discretize("count", output_mode="count")
discretize("one_boundary", boundaries=[0.1])
discretize("rank3", [[[0.5, 3.0], [11.0, -2.0]]])
discretize("open", shape=(None,))
if K3:
    layer = L.Discretization(num_bins=4)
    layer.adapt(np.arange(100, dtype="float32"))
    golden("discretization_adapted", single(layer, [3]), [values([[3.0, 30.0, 60.0], [99.0, 24.0, 49.0]])], "Discretization")

WORDS = [["cat", "dog", ""], ["a much longer text than the others, of more than sixty-four bytes in all", "日本", "cat"], ["x", "seventeen letters", "naïve café"]]
NUMBERS = [[0, 1, -7], [123456, 99, 7], [12, -1, 3]]


def hashing(name, batch=WORDS, dtype="string", shape=None, **config):
    x = keras.Input(shape or [len(batch[0])], dtype=dtype, name="x")
    made = strings(batch) if dtype == "string" else values(batch, dtype)
    golden(f"hashing_{name}", keras.Model(x, L.Hashing(**config)(x)), [made], "Hashing")


hashing("int", num_bins=1000)
hashing("mask", num_bins=11, mask_value="")
hashing("salt", num_bins=1000, salt=[133, 137])
hashing("one_salt", num_bins=1000, salt=-5, mask_value="cat")
hashing("one_bin", num_bins=1, mask_value="")
hashing("one_hot", [["cat"], ["dog"], ["cow"]], num_bins=5, output_mode="one_hot")
hashing("multi_hot", num_bins=4, output_mode="multi_hot")
hashing("count", num_bins=3, output_mode="count", mask_value="cat")
hashing("of_int64", NUMBERS, "int64", num_bins=1000)
hashing("of_int32_mask", NUMBERS, "int32", num_bins=1000, mask_value=7)
hashing("of_int64_salt", NUMBERS, "int64", num_bins=1000, salt=[1, 2])
hashing("open", shape=[None], num_bins=100)


def crossing(name, columns, dtypes, **config):
    inputs = [keras.Input(np.array(column, dtype=object).shape[1:], dtype=dtype, name=f"c{i}") for i, (column, dtype) in enumerate(zip(columns, dtypes))]
    made = [strings(column) if dtype == "string" else values(column, dtype) for column, dtype in zip(columns, dtypes)]
    golden(f"hashed_crossing_{name}", keras.Model(inputs, L.HashedCrossing(**config)(inputs)), made, "HashedCrossing")


TEXT, NUMBER = [["cat"], ["日本"], [""], ["a text that is quite a bit longer than the others are"]], [[5], [-3], [0], [70000]]
crossing("strings", [TEXT, TEXT[::-1]], ["string", "string"], num_bins=1000)
crossing("mixed", [TEXT, NUMBER], ["string", "int64"], num_bins=1000)
crossing("numbers", [NUMBER, NUMBER[::-1]], ["int64", "int32"], num_bins=1000)
if not K3:
    crossing("three", [NUMBER, TEXT, NUMBER], ["int32", "string", "int64"], num_bins=1000)
crossing("one_hot", [TEXT, NUMBER], ["string", "int64"], num_bins=5, output_mode="one_hot")


def tabular():
    """Columns of strings and numbers into Dense, as guides to structured data write it."""
    columns = {name: keras.Input([1], name=name, dtype=dtype) for name, dtype in
               [("age", "float32"), ("fare", "float32"), ("class", "string"), ("deck", "string"), ("siblings", "int64"), ("port", "int64")]}
    normalized = L.Normalization(mean=30.0, variance=180.0)(columns["age"])
    bins = L.Discretization(bin_boundaries=[8.0, 15.0, 31.0], output_mode="one_hot")(columns["fare"])
    travel = L.StringLookup(vocabulary=["First", "Second", "Third"], output_mode="one_hot")(columns["class"])
    deck = L.Embedding(6, 3, name="decks")(L.StringLookup(vocabulary=["A", "B", "C", "D", "E"])(columns["deck"]))
    siblings = L.CategoryEncoding(num_tokens=5, output_mode="one_hot")(L.IntegerLookup(vocabulary=[0, 1, 2, 3])(columns["siblings"]))
    port = L.Hashing(num_bins=4, output_mode="one_hot")(columns["port"])
    crossed = L.HashedCrossing(num_bins=8, output_mode="one_hot")([columns["class"], columns["deck"]])
    features = L.Concatenate()([normalized, bins, travel, L.Flatten()(deck), siblings, port, crossed])
    y = L.Dense(1, activation="sigmoid")(L.Dense(8, activation="relu")(features))
    rows = {"age": normal(4, 1, scale=40), "fare": values([[7.25], [71.3], [15.0], [8.05]]), "class": strings([["Third"], ["First"], ["Steerage"], [""]]),
            "deck": strings([["unknown"], ["C"], ["A"], ["E"]]), "siblings": values([[1], [0], [8], [3]], "int64"), "port": ids(4, 1, dtype="int64")}
    golden("tabular", keras.Model(columns, y), rows, ["StringLookup", "IntegerLookup", "CategoryEncoding", "Discretization", "Hashing", "HashedCrossing"], "network")


tabular()
