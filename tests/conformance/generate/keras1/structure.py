"""Models around models, and small networks."""

from golden_old import THEANO, golden, keras, normal

L, M = keras.layers, keras.models

model = M.Sequential()
model.add(M.Sequential([L.Dense(5, input_dim=4), L.Activation("relu")]))
model.add(M.Sequential([L.Dense(3, input_dim=5), L.BatchNormalization()]))
model.add(L.Dense(2, activation="softmax"))
golden("sequential_of_sequentials", model, [normal(3, 4)], ["Dense", "BatchNormalization"], kind="network", input_names=["dense_input_1"])

x = L.Input(shape=(4,), name="x")
inner = M.Sequential([L.Dense(3, input_dim=4), L.Dropout(0.5), L.BatchNormalization()])
y = L.Input(shape=(3,), name="y")
outer = M.Model(y, [L.Dense(2)(y), L.Dense(3, activation="sigmoid")(y)])
shared = inner(x)
first, second = outer(shared)
again, _ = outer(second)
golden("models_of_models", M.Model(x, [first, again, L.merge([shared, second], mode="sum")]), [normal(3, 4)], ["Dense", "BatchNormalization", "Add"], kind="network")

for ordering, shape in (("tf", (12, 12, 3)), ("th", (3, 12, 12))):
    model = M.Sequential()
    model.add(L.ZeroPadding2D((1, 1), input_shape=shape, dim_ordering=ordering))
    model.add(L.Convolution2D(4, 3, 3, activation="relu", dim_ordering=ordering))
    model.add(L.BatchNormalization(axis=3 if ordering == "tf" else 1))
    model.add(L.MaxPooling2D((2, 2), strides=(2, 2), dim_ordering=ordering))
    model.add(L.Cropping2D(((1, 0), (0, 1)), dim_ordering=ordering))
    model.add(L.UpSampling2D((2, 1), dim_ordering=ordering))
    model.add(L.Convolution2D(6, 3, 3, border_mode="same", activation="relu", dim_ordering=ordering))
    model.add(L.Flatten())
    model.add(L.Dense(8, activation="relu", W_regularizer="l2"))
    model.add(L.Dropout(0.5))
    model.add(L.Dense(5, activation="softmax"))
    note = "the paddings, crops and upsamplings of Keras 1 do not say where the channels are"
    golden("image_network_" + ordering, model, [normal(2, *shape)], ["ZeroPadding2D", "Conv2D", "Cropping2D", "UpSampling2D", "Flatten"], kind="network", note=note)
    if not THEANO:
        model = M.Sequential([L.Convolution2D(3, 3, 3, dim_ordering=ordering, input_shape=shape), L.GlobalAveragePooling2D(dim_ordering=ordering), L.Dense(2)])
        golden("suffixed_names_" + ordering, model, [normal(2, *shape)], ["Conv2D", "Dense"], kind="network", keep_suffix=True, backend=False, note="names end in `:0`, and the backend is not said")

words = M.Sequential([L.Embedding(9, 4, input_length=6), L.Convolution1D(5, 3, activation="relu"), L.MaxPooling1D(2), L.LSTM(4), L.Dense(2, activation="sigmoid")])
golden("text_network", words, [lambda rng: rng.randint(0, 9, (3, 6)).astype("int32")], ["Embedding", "Conv1D", "MaxPooling1D", "LSTM"], kind="network")
