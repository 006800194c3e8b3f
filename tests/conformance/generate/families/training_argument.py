"""`training` as an argument of a call inside a graph. Keras 2 follows it when it predicts: BatchNormalization then normalises with the
statistics of the batch. Keras 3 writes it and predicts as if it said false.

Both write it into the call: Keras 2 `[["x", 0, 0, {"training": true}]]`, Keras 3 `"kwargs": {"training": true}`. A call without it has
`{}` in Keras 2, and in Keras 3 no `training` or one of null or false. `Dropout` called with `training=True` is written the same
way. In Keras 2 it then drops at random when it predicts, so only a rate of 0 has a case here.

In Keras 2 such a BatchNormalization also moves its statistics when it predicts, one step per batch. A later call of the same layer
without the argument sees the moved statistics, even in the same batch. Here the plain call always comes first.
"""

from golden import K3, L, golden, keras, normal

RULE = "Keras 3 writes the argument and ignores it" if K3 else None


def case(name, model, inputs, layers, note, **options):
    golden(f"training_{name}", model, inputs, layers, note=f"{note}; {RULE}" if RULE else note, **options)


def one(layer, shape, training):
    x = keras.Input(shape, name="x")
    return keras.Model(x, layer(x, training=training))


def block(name, training=None):
    """A nested model whose BatchNormalization may have an argument of its own."""
    x = keras.Input([3], name=f"{name}_in")
    own = {} if training is None else {"training": training}
    return keras.Model(x, L.Activation("tanh", name=f"{name}_act")(L.BatchNormalization(name=f"{name}_bn")(L.Dense(3, name=f"{name}_dense")(x), **own)), name=name)


def call(inner, **arguments):
    x = keras.Input([3], name="x")
    return keras.Model(x, L.Dense(2, name="top")(inner(x, **arguments)))


BATCH = "normalised with the mean and the (biased) variance of the batch"
for name, config, shape in [("rank2", {}, [3]), ("rank3", {"epsilon": 0.1}, [4, 3]), ("rank4", {}, [3, 2, 2]), ("rank4_axis_1", {"axis": 1}, [3, 2, 2]),
                            ("no_center_no_scale", {"center": False, "scale": False}, [3, 2, 2])]:
    case(f"bn_true_{name}", one(L.BatchNormalization(**config), shape, True), [normal(4, *shape)], "BatchNormalization", BATCH)
case("bn_false", one(L.BatchNormalization(), [3], False), [normal(4, 3)], "BatchNormalization", "training=False: as without it")
frozen = L.BatchNormalization()
frozen.trainable = False
case("bn_true_frozen", one(frozen, [3], True), [normal(4, 3)], "BatchNormalization", "trainable is false: the layer predicts with its moving statistics all the same")
case("bn_true_one_row", one(L.BatchNormalization(), [2, 2, 3], True), [normal(1, 2, 2, 3)], "BatchNormalization", "a batch of one image")
case("bn_true_two_batches", one(L.BatchNormalization(), [3], True), [normal(6, 3)], "BatchNormalization", "predicted in two batches: each has its own statistics", batch_size=3)

x = keras.Input([None, None, 2], name="x")
y = L.BatchNormalization(name="bn")(L.Conv2D(3, 3, padding="same", use_bias=False, name="conv")(x), training=True)
case("generator", keras.Model(x, L.Conv2D(1, 1, activation="tanh", name="out")(L.ReLU(name="act")(y))), [normal(2, 4, 3, 2)], ["Conv2D", "BatchNormalization", "ReLU"],
     "as generators of images are written")

x = keras.Input([3], name="x")
shared = L.BatchNormalization(name="shared")
case("shared_bn", keras.Model(x, L.Concatenate(name="both")([shared(x), shared(x, training=True)])), [normal(4, 3)], ["BatchNormalization", "Concatenate"],
     "one layer called twice, the second time with training=True")

case("nested_true", call(block("inner"), training=True), [normal(4, 3)], ["BatchNormalization", "Dense"], "a nested model is called with training=True")
case("nested_false", call(block("inner"), training=False), [normal(4, 3)], ["BatchNormalization", "Dense"], "a nested model is called with training=False, as transfer learning does")
case("nested_own_true", call(block("inner", True)), [normal(4, 3)], ["BatchNormalization", "Dense"], "the argument is inside the nested model only")
case("nested_own_false_called_true", call(block("inner", False), training=True), [normal(4, 3)], ["BatchNormalization", "Dense"], "inside training=False, outside training=True: inside wins")
case("nested_own_true_called_false", call(block("inner", True), training=False), [normal(4, 3)], ["BatchNormalization", "Dense"], "inside training=True, outside training=False: inside wins")
inner = block("inner")
x = keras.Input([3], name="x")
case("nested_twice", keras.Model(x, L.Add(name="sum")([inner(x), inner(x, training=True)])), [normal(4, 3)], ["BatchNormalization", "Dense", "Add"],
     "one nested model called without the argument and with it")
sequential = keras.Sequential([keras.Input([3], name="seq_in"), L.Dense(3, name="seq_dense"), L.BatchNormalization(name="seq_bn"), L.Dropout(0.0, name="seq_drop")], name="seq")
case("nested_sequential_true", call(sequential, training=True), [normal(4, 3)], ["BatchNormalization", "Dense", "Dropout"], "a nested Sequential is called with training=True; its Dropout has rate 0")
x = keras.Input([3], name="mid_in")
middle = keras.Model(x, L.Dense(3, name="mid_dense")(block("inner")(x)), name="middle")
case("nested_deep_true", call(middle, training=True), [normal(4, 3)], ["BatchNormalization", "Dense"], "the argument reaches a model inside a nested model")

case("time_distributed_bn_true", one(L.TimeDistributed(L.BatchNormalization()), [3, 2], True), [normal(4, 3, 2)], ["TimeDistributed", "BatchNormalization"], "a wrapper hands the argument on")
case("lstm_true", one(L.LSTM(2, return_sequences=True), [3, 2], True), [normal(2, 3, 2)], "LSTM", "without dropout the argument changes nothing")
case("gru_dropout_false", one(L.GRU(2, dropout=0.5, recurrent_dropout=0.3), [3, 2], False), [normal(2, 3, 2)], "GRU", "training=False: no dropout")
case("bidirectional_true", one(L.Bidirectional(L.LSTM(2)), [3, 2], True), [normal(2, 3, 2)], ["Bidirectional", "LSTM"], "without dropout the argument changes nothing")
case("dropout_false", one(L.Dropout(0.5), [4], False), [normal(2, 4)], "Dropout", "training=False: no dropout")
case("dropout_rate_0_true", one(L.Dropout(0.0), [4], True), [normal(2, 4)], "Dropout", "training=True with rate 0: nothing is dropped")
