"""`Merge` with each of its modes, called as a layer and standing first in a Sequential."""

from golden_old import THEANO, golden, ids, keras, normal

L, M = keras.layers, keras.models


def merged(name, shapes, classes, **options):
    inputs = [L.Input(shape=shape, name="x{}".format(i)) for i, shape in enumerate(shapes)]
    golden(name, M.Model(inputs, L.merge(inputs, **options)), [normal(2, *shape) for shape in shapes], classes)


for mode, class_name in (("sum", "Add"), ("mul", "Multiply"), ("ave", "Average"), ("max", "Maximum")):
    merged("merge_" + mode, [[4], [4]], class_name, mode=mode)
    if not THEANO:
        merged("merge_{}_three".format(mode), [[3, 4], [3, 4], [3, 4]], class_name, mode=mode)
merged("merge_concat", [[4], [3], [2]], "Concatenate", mode="concat")
merged("merge_concat_axis_1", [[4, 2], [3, 2]], "Concatenate", mode="concat", concat_axis=1)
merged("merge_concat_axis_minus_2", [[4, 2], [3, 2]], "Concatenate", mode="concat", concat_axis=-2)
merged("merge_dot", [[4], [4]], "Dot", mode="dot")
merged("merge_dot_steps", [[3, 4], [5, 4]], "Dot", mode="dot")
merged("merge_dot_axes_1", [[3, 4], [3, 2]], "Dot", mode="dot", dot_axes=1)
merged("merge_dot_axes_2_1", [[5, 3], [3, 2]], "Dot", mode="dot", dot_axes=[2, 1])
merged("merge_cos", [[4], [4]], "Merge", mode="cos")
merged("merge_cos_axes_1", [[3], [3]], "Merge", mode="cos", dot_axes=1)
merged("merge_cos_steps", [[3, 4], [3, 4]], "Merge", mode="cos")

if not THEANO:
    for mode, class_name in (("sum", "Add"), ("concat", "Concatenate")):
        x, y = L.Input(shape=(4,), dtype="int32", name="x"), L.Input(shape=(4,), dtype="int32", name="y")
        rows = [L.Embedding(6, 3, mask_zero=True)(x), L.Embedding(5, 3, mask_zero=True)(y)]
        model = M.Model([x, y], L.GRU(2)(L.merge(rows, mode=mode)))
        golden("merge_{}_masked".format(mode), model, [ids(3, 4, high=3), ids(3, 4, high=3)], ["Embedding", "GRU", class_name])
    x, y = L.Input(shape=(4,), dtype="int32", name="x"), L.Input(shape=(4, 3), name="y")
    model = M.Model([x, y], L.GRU(2)(L.merge([L.Embedding(6, 3, mask_zero=True)(x), y], mode="mul")))
    golden("merge_mul_masked", model, [ids(3, 4, high=3), normal(3, 4, 3)], ["Embedding", "GRU", "Multiply"])


def branch(size, units=3):
    return M.Sequential([L.Dense(units, input_dim=size, activation="tanh")])


for mode, options in (("concat", {"concat_axis": 1}), ("sum", {}), ("dot", {"dot_axes": 1})):
    model = M.Sequential([L.Merge([branch(4), branch(5)], mode=mode, **options), L.Dense(2)])
    golden("merge_first_" + mode, model, [normal(2, 4), normal(2, 5)], ["Dense"], kind="network", input_names=["dense_input_1", "dense_input_2"])
if not THEANO:
    inner = M.Sequential([L.Merge([branch(4), branch(5)], mode="mul"), L.Dense(3, activation="relu")])
    words = M.Sequential([L.Embedding(6, 3, input_length=4), L.LSTM(3)])
    model = M.Sequential([L.Merge([inner, words, branch(2)], mode="concat"), L.Dense(2)])
    names = ["dense_input_1", "dense_input_2", "embedding_input_1", "dense_input_3"]
    golden("merge_first_nested", model, [normal(2, 4), normal(2, 5), ids(2, 4, high=6), normal(2, 2)], ["Dense", "LSTM", "Multiply", "Concatenate"], kind="network", input_names=names)
    x = L.Input(shape=(4,), name="x")
    part = M.Model(x, L.Dense(3, name="inside")(x))
    model = M.Sequential([L.Merge([part, branch(5)], mode="max"), L.Dense(2)])
    golden("merge_first_of_a_model", model, [normal(2, 4), normal(2, 5)], ["Dense", "Maximum"], kind="network", input_names=["x", "dense_input_1"])
    both = M.Sequential([L.Merge([branch(4), branch(5)], mode="concat"), L.Dense(2)])
    a, b = L.Input(shape=(4,), name="a"), L.Input(shape=(5,), name="b")
    golden("merge_first_called", M.Model([a, b], L.Activation("softmax")(both([a, b]))), [normal(2, 4), normal(2, 5)], ["Dense"], kind="network")
