"""Open axes: inputs whose height, width or time is unknown until they arrive. Every model is predicted at two sizes, a case each."""

from golden import K3, L, golden, keras, normal, values


def at(name, build, layers, sizes, note=None):
    """One case per size. `sizes`: from the size's label to the makers of the inputs. `build` makes the model anew."""
    for label, inputs in sizes.items():
        golden(f"open_{name}_{label}", build(), inputs, layers, note=note)


def images(*sizes, channels=2):
    """One image input at sizes like `7x6`."""
    return {size: [normal(2, *map(int, size.split("x")), channels)] for size in sizes}


def series(*lengths, channels=3):
    """One series input at lengths."""
    return {str(n): [normal(2, n, channels, scale=1.5)] for n in lengths}


def model(shape, *layers):
    """A functional chain of layers over one input named `x`."""
    y = x = keras.Input(shape, name="x")
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y)


TOKENS = {"6": [values([[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]])], "3": [values([[1, 2, 0], [6, 0, 0], [3, 4, 5]])]}


def windows():
    at("conv2d_same_strides", lambda: model([None, None, 2], L.Conv2D(3, 3, strides=2, padding="same", activation="relu")), "Conv2D", images("7x6", "4x9"))
    at("conv2d_valid_height", lambda: model([None, 6, 2], L.Conv2D(3, (3, 2), strides=(2, 1))), "Conv2D", images("5x6", "8x6"), "only the height is unknown")
    at("conv2d_dilated_width", lambda: model([6, None, 2], L.Conv2D(2, 3, dilation_rate=2, padding="same"), L.Conv2D(2, (6, 1))), "Conv2D", images("6x5", "6x8"),
       "only the width is unknown")
    at("depthwise_block", lambda: model([None, None, 2], L.ZeroPadding2D(((0, 1), (0, 1))), L.DepthwiseConv2D(3, strides=2, use_bias=False), L.BatchNormalization(), L.ReLU(6.0),
       L.Conv2D(4, 1), L.GlobalAveragePooling2D(), L.Dense(2)), ["DepthwiseConv2D", "BatchNormalization", "ReLU", "Conv2D", "ZeroPadding2D", "GlobalAveragePooling2D"],
       images("6x8", "9x5"))
    at("pool2d_same", lambda: model([None, None, 2], L.MaxPooling2D(3, strides=2, padding="same"), L.AveragePooling2D(2, padding="same")), ["MaxPooling2D", "AveragePooling2D"],
       images("7x5", "6x9"))
    at("pool2d_valid", lambda: model([None, None, 2], L.AveragePooling2D((2, 3)), L.MaxPooling2D(2, strides=1)), ["MaxPooling2D", "AveragePooling2D"], images("7x9", "4x6"))
    at("conv3d", lambda: model([None, None, None, 1], L.Conv3D(2, 2, strides=(1, 2, 1), padding="same"), L.MaxPooling3D((1, 2, 2)), L.GlobalAveragePooling3D()),
       ["Conv3D", "MaxPooling3D", "GlobalAveragePooling3D"], {"2x6x4": [normal(2, 2, 6, 4, 1)], "3x5x6": [normal(2, 3, 5, 6, 1)]})
    at("conv1d_causal", causal, ["Conv1D", "Add"], series(5, 9, channels=2), "dilated causal convolutions with residuals")
    at("conv1d_strides", lambda: model([None, 2], L.Conv1D(3, 4, strides=3, padding="same"), L.MaxPooling1D(2, padding="same"), L.UpSampling1D(3), L.AveragePooling1D(2)),
       ["Conv1D", "MaxPooling1D", "UpSampling1D", "AveragePooling1D"], series(7, 12, channels=2))
    at("depthwise_conv1d", lambda: model([None, 2], L.DepthwiseConv1D(3, depth_multiplier=2, padding="same"), L.GlobalMaxPooling1D()), ["DepthwiseConv1D", "GlobalMaxPooling1D"],
       series(4, 7, channels=2))
    at("global_pooling2d", global_pooling, ["GlobalMaxPooling2D", "GlobalAveragePooling2D", "Concatenate"], images("3x5", "6x2"))


def causal():
    x = keras.Input([None, 2], name="x")
    y = L.Conv1D(3, 1)(x)
    for rate in [1, 2]:
        y = L.Add()([y, L.Conv1D(3, 2, dilation_rate=rate, padding="causal", activation="tanh")(y)])
    return keras.Model(x, y)


def global_pooling():
    x = keras.Input([None, None, 2], name="x")
    return keras.Model(x, L.Concatenate()([L.GlobalMaxPooling2D()(x), L.GlobalAveragePooling2D(keepdims=False)(x)]))


def padding():
    at("crop_pad2d", lambda: model([None, None, 2], L.ZeroPadding2D(((1, 0), (2, 1))), L.Conv2D(2, 2), L.Cropping2D(((1, 0), (0, 2))), L.UpSampling2D((2, 1))),
       ["ZeroPadding2D", "Cropping2D", "UpSampling2D", "Conv2D"], images("4x5", "6x3"))
    at("crop_pad1d", lambda: model([None, 2], L.ZeroPadding1D((2, 1)), L.Conv1D(2, 3), L.Cropping1D((1, 0))), ["ZeroPadding1D", "Cropping1D", "Conv1D"], series(4, 7, channels=2))
    at("prelu_layer_norm", lambda: model([None, None, 3], L.Rescaling(0.5, -1.0), L.PReLU(shared_axes=[1, 2]), L.LayerNormalization(), L.ELU(0.5), L.Dropout(0.3)),
       ["Rescaling", "PReLU", "LayerNormalization", "ELU", "Dropout"], images("3x4", "5x2", channels=3))


def graphs():
    at("unet", unet, ["Conv2D", "MaxPooling2D", "UpSampling2D", "Concatenate"], images("8x12", "4x6", channels=1), "the skip has its size from two pools and two upsamplings")
    at("unet_bilinear", unet_bilinear, ["Conv2D", "AveragePooling2D", "UpSampling2D", "Add", "BatchNormalization"], images("6x4", "2x8", channels=2))
    at("residual_strides", residual_strides, ["Conv2D", "AveragePooling2D", "Add"], images("7x5", "6x8"), "a strided convolution and a pool, both `same`, meet in an addition")
    at("backbone_in_fixed", lambda: nested([None, None, 2], [6, 5, 2]), ["Conv2D", "GlobalAveragePooling2D", "Dense"], images("6x5"), "an open model inside a model of fixed size")
    at("backbone_in_open", lambda: nested([None, None, 2], [None, None, 2]), ["Conv2D", "GlobalAveragePooling2D", "Dense"], images("4x4", "7x3"), "an open model inside an open model")
    at("crnn", lambda: model([8, None, 1], L.Conv2D(3, 3, padding="same", activation="relu"), L.MaxPooling2D((4, 1)), L.Permute((2, 1, 3)), L.Reshape((-1, 6)),
       L.Bidirectional(L.LSTM(2, return_sequences=True)), L.Dense(3, activation="softmax")), ["Conv2D", "Permute", "Reshape", "Bidirectional", "LSTM", "Dense"],
       images("8x6", "8x9", channels=1), "columns of an image become steps: the height is known, the width is time")
    fixed = "batch_shape" if K3 else "batch_input_shape"
    at("fixed_batch", lambda: keras.Sequential([L.InputLayer(**{fixed: (2, None, 3)}, name="x"), L.Conv1D(2, 3, padding="same"), L.GRU(2)]), ["Conv1D", "GRU"], series(4, 6),
       "the batch is known, the time is not")


def unet():
    x = keras.Input([None, None, 1], name="x")
    a = L.Conv2D(2, 3, padding="same", activation="relu")(x)
    b = L.Conv2D(3, 3, padding="same", activation="relu")(L.MaxPooling2D(2)(a))
    c = L.Conv2D(2, 1)(b)
    c = L.Conv2D(2, 3, padding="same", activation="relu")(L.Concatenate()([L.UpSampling2D(2)(c), a]))
    return keras.Model(x, L.Conv2D(2, 1, activation="softmax")(c))


def unet_bilinear():
    x = keras.Input([None, None, 2], name="x")
    a = L.BatchNormalization()(L.Conv2D(2, 3, padding="same", use_bias=False)(x))
    b = L.Conv2D(2, 3, padding="same", activation="relu")(L.AveragePooling2D(2)(a))
    return keras.Model(x, L.Add()([L.UpSampling2D(2, interpolation="bilinear")(b), a]))


def residual_strides():
    x = keras.Input([None, None, 2], name="x")
    return keras.Model(x, L.Add()([L.Conv2D(2, 3, strides=2, padding="same")(x), L.AveragePooling2D(2, padding="same")(x)]))


def nested(inner_shape, outer_shape):
    backbone = keras.Sequential([keras.Input(inner_shape, name="inner_in"), L.Conv2D(3, 3, padding="same", activation="relu"), L.GlobalAveragePooling2D()], name="backbone")
    return model(outer_shape, backbone, L.Dense(2))


def sequences():
    at("bidirectional", lambda: model([None, 3], L.Bidirectional(L.LSTM(2, return_sequences=True)), L.Bidirectional(L.GRU(2), merge_mode="sum")), ["Bidirectional", "LSTM", "GRU"], series(4, 7))
    at("rnn_backwards", lambda: model([None, 3], L.LSTM(2, go_backwards=True, return_sequences=True), L.SimpleRNN(3)), ["LSTM", "SimpleRNN"], series(5, 1), "one size is a single step")
    at("time_distributed", lambda: model([None, None, None, 1], L.TimeDistributed(keras.Sequential(
        [keras.Input([None, None, 1]), L.Conv2D(2, 3, padding="same", activation="relu"), L.GlobalMaxPooling2D()], name="frame")), L.LSTM(2)),
       ["TimeDistributed", "Conv2D", "GlobalMaxPooling2D", "LSTM"], {"3x4x5": [normal(2, 3, 4, 5, 1)], "2x6x3": [normal(2, 2, 6, 3, 1)]}, "time, height and width are unknown")
    at("time_distributed_dense", lambda: model([None, 3], L.TimeDistributed(L.Dense(2, activation="tanh")), L.TimeDistributed(L.BatchNormalization())),
       ["TimeDistributed", "Dense", "BatchNormalization"], series(2, 6))
    at("embedding_mask", lambda: model([None], L.Embedding(7, 3, mask_zero=True), L.Bidirectional(L.LSTM(2, return_sequences=True)), L.GRU(2)), ["Embedding", "Bidirectional", "LSTM", "GRU"], TOKENS)
    at("embedding_mask_average", lambda: model([None], L.Embedding(7, 3, mask_zero=True), L.GlobalAveragePooling1D()), ["Embedding", "GlobalAveragePooling1D"],
       {"6": [values([[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1]])], "3": [values([[1, 2, 0], [6, 0, 0]])]}, "the average is over the steps that the mask keeps")
    at("masking", lambda: model([None, 2], L.Masking(-1.0), L.GRU(2, return_sequences=True), L.TimeDistributed(L.Dense(2))), ["Masking", "GRU", "TimeDistributed"],
       {"4": [values([[[1, 2], [-1, -1], [-1, 0.5], [0.2, 0.3]], [[-1, -1], [0.5, -2], [1, 1], [-1, -1]]])], "2": [values([[[1, 2], [-1, -1]], [[0.5, -1], [2, 0.1]]])]})
    at("encoder_decoder", encoder_decoder, ["LSTM", "Dense"], {"4_2": [normal(2, 4, 3), normal(2, 2, 2)], "3_5": [normal(2, 3, 3), normal(2, 5, 2)]}, "two times that are unknown and different")
    at("repeat_state", lambda: model([None, 3], L.GRU(2), L.RepeatVector(4), L.GRU(3, return_sequences=True)), ["GRU", "RepeatVector"], series(3, 5))


def encoder_decoder():
    x, d = keras.Input([None, 3], name="x"), keras.Input([None, 2], name="d")
    _, h, c = L.LSTM(2, return_state=True)(x)
    return keras.Model([x, d], L.Dense(2, activation="softmax")(L.LSTM(2, return_sequences=True)(d, initial_state=[h, c])))


def shapes():
    at("repeat_vector_features", lambda: model([None], L.RepeatVector(3), L.Permute((2, 1)), L.Dense(2)), ["RepeatVector", "Permute", "Dense"], {"4": [normal(2, 4)], "6": [normal(2, 6)]},
       "the repeated vector's length is unknown")
    at("permute_softmax", lambda: model([None, 3], L.Permute((2, 1)), L.Softmax(), L.Permute((2, 1)), L.Dense(2)), ["Permute", "Softmax", "Dense"], series(4, 2), "softmax over the unknown axis")
    at("softmax_axis_1", lambda: model([None, 3], L.Softmax(axis=1)), "Softmax", series(5, 1))
    at("softmax_two_axes", lambda: model([None, None, 2], L.Softmax(axis=[1, 2])), "Softmax", images("3x4", "2x5"), "softmax over two unknown axes")
    at("flatten_known_product", lambda: model([None, None], L.Flatten(), L.Reshape((6,)), L.Dense(2)), ["Flatten", "Reshape", "Dense"], {"2x3": [normal(2, 2, 3)], "6x1": [normal(2, 6, 1)]},
       "no axis is known, but their product is: Reshape says it")
    at("flatten_unflatten", lambda: model([None, 3], L.Flatten(), L.Reshape((-1, 6)), L.Dense(2)), ["Flatten", "Reshape", "Dense"], series(2, 6), "two steps become one")
    at("reshape_minus_one", lambda: model([None, None, 3], L.Reshape((-1, 3)), L.GRU(2)), ["Reshape", "GRU"], images("2x3", "4x1", channels=3))
    at("reshape_split", lambda: model([None, 6], L.Reshape((-1, 2, 3)), L.Conv2D(2, 2, padding="same")), ["Reshape", "Conv2D"], series(3, 5, channels=6), "-1 stands for the unknown axis")
    at("add_equal", lambda: pair(L.Add(), [None, None, 2], [None, None, 2]), "Add", {"3x4": [normal(2, 3, 4, 2)] * 2, "1x2": [normal(2, 1, 2, 2)] * 2}, "axes that are equal only at run time")
    at("add_runtime_broadcast", lambda: pair(L.Add(), [None, 3], [None, 3]), "Add", {"1_4": [normal(2, 1, 3), normal(2, 4, 3)], "4_1": [normal(2, 4, 3), normal(2, 1, 3)]},
       "one of two unknown axes is 1 at run time and broadcasts")
    at("multiply_outer", lambda: pair(L.Multiply(), [None, 1, 2], [1, None, 2]), "Multiply", {"3_4": [normal(2, 3, 1, 2), normal(2, 1, 4, 2)], "5_2": [normal(2, 5, 1, 2), normal(2, 1, 2, 2)]},
       "[n, 1] times [1, m], both unknown")
    at("concatenate_channels", lambda: pair(L.Concatenate(), [None, None, 2], [None, None, 1]), "Concatenate", {"3x2": [normal(2, 3, 2, 2), normal(2, 3, 2, 1)], "1x5": [normal(2, 1, 5, 2), normal(2, 1, 5, 1)]})
    at("concatenate_time", lambda: pair(L.Concatenate(axis=1), [None, 3], [None, 3]), "Concatenate", {"4_2": [normal(2, 4, 3), normal(2, 2, 3)], "1_5": [normal(2, 1, 3), normal(2, 5, 3)]},
       "concatenated over the unknown axis")
    at("attention_pooling", attention_pooling, ["Dense", "Softmax", "Multiply", "GlobalAveragePooling1D"], series(4, 7))


def pair(layer, first, second):
    inputs = [keras.Input(first, name="a"), keras.Input(second, name="b")]
    return keras.Model(inputs, layer(inputs))


def attention_pooling():
    x = keras.Input([None, 3], name="x")
    weights = L.Softmax(axis=1)(L.Dense(1)(L.Dense(2, activation="tanh")(x)))
    return keras.Model(x, L.GlobalAveragePooling1D()(L.Multiply()([x, weights])))


def dots():
    at("dot", lambda: pair(L.Dot(axes=(2, 2)), [None, 3], [None, 3]), "Dot", {"4_2": [normal(2, 4, 3), normal(2, 2, 3)], "3_5": [normal(2, 3, 3), normal(2, 5, 3)]}, "both lengths are unknown")
    at("dot_over_time", lambda: pair(L.Dot(axes=1, normalize=True), [None, 3], [None, 2]), "Dot", {"4": [normal(2, 4, 3), normal(2, 4, 2)], "2": [normal(2, 2, 3), normal(2, 2, 2)]},
       "the unknown axis is the one that is summed")


windows()
padding()
graphs()
sequences()
shapes()
dots()
