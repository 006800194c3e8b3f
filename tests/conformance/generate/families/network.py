"""Whole models and ways of writing them: small real architectures, .keras conversions, quantised weights, many shards, many groups."""

from golden import K3, L, golden, keras, normal, values

SENTENCES = [[3, 11, 4, 27, 6, 0, 0, 0], [2, 19, 6, 5, 30, 1, 8, 9], [17, 0, 0, 0, 0, 0, 0, 0]]


def functional_cnn(name="functional_cnn"):
    """Residual and branching; the layers' names sort in another order than the layers stand."""
    x = keras.Input([12, 12, 3], name="image")
    y = L.Conv2D(8, 3, padding="same", use_bias=False, name="z_stem")(x)
    y = L.ReLU(6.0, name="stem_relu")(L.BatchNormalization(name="stem_bn")(y))
    z = L.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    z = L.Conv2D(8, 1, name="b_project")(L.ReLU(name="relu")(L.BatchNormalization(name="a_bn")(z)))
    y = L.Add(name="residual")([y, z])
    left = L.GlobalAveragePooling2D(name="gap")(y)
    right = L.Flatten(name="flat")(L.MaxPooling2D(3, strides=2, padding="same", name="pool")(L.Conv2D(2, 3, strides=2, padding="valid", activation="relu", name="a_conv")(y)))
    y = L.Dropout(0.3, name="drop")(L.Concatenate(name="both")([left, right]))
    y = L.Dense(10, activation="relu", name="z_dense")(y)
    return keras.Model(x, [L.Dense(4, activation="softmax", name="m_kind")(y), L.Dense(1, name="a_value")(y)], name=name)


CNN_LAYERS = ["Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "Add", "MaxPooling2D", "GlobalAveragePooling2D", "Flatten", "Dense", "Concatenate", "Dropout"]


def sequential_cnn():
    return keras.Sequential([
        keras.Input([14, 14, 1], name="image"), L.Conv2D(6, 3, activation="relu"), L.MaxPooling2D(2), L.Conv2D(8, 3, padding="same"), L.BatchNormalization(),
        L.Activation("relu"), L.ZeroPadding2D(1), L.AveragePooling2D(2), L.Flatten(), L.Dropout(0.4), L.Dense(12, activation="tanh"), L.Dense(5, activation="softmax"),
    ], name="digits")


SEQUENTIAL_LAYERS = ["Conv2D", "MaxPooling2D", "BatchNormalization", "Activation", "ZeroPadding2D", "AveragePooling2D", "Flatten", "Dropout", "Dense"]


def bilstm():
    x = keras.Input([8], name="tokens", dtype="int32")
    y = L.Embedding(40, 8, mask_zero=True, name="words")(x)
    y = L.Bidirectional(L.LSTM(6, return_sequences=True), name="context")(y)
    y = L.Dropout(0.3)(y)
    y = L.Bidirectional(L.GRU(5), merge_mode="sum", name="summary")(y)
    y = L.LayerNormalization()(L.Dense(8, activation="relu", name="hidden")(y))
    return keras.Model(x, L.Dense(3, activation="softmax", name="mood")(y), name="text")


TEXT_LAYERS = ["Embedding", "Bidirectional", "LSTM", "GRU", "Dropout", "Dense", "LayerNormalization"]
IMAGE, DIGIT, TOKENS = [normal(2, 12, 12, 3, scale=1)], [normal(2, 14, 14, 1, scale=1)], [values(SENTENCES, "int32")]


def mobilenet():
    def build():
        return keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, weights=None, classes=5, classifier_activation=None)
    layers = ["Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "ZeroPadding2D", "Add", "GlobalAveragePooling2D", "Dense"]
    golden("mobilenet_v2", build(), [normal(2, 32, 32, 3, scale=0.6)], layers, "network", note="alpha 0.35, 32x32, five logits", weight_shard_size_bytes=512 * 1024)
    if not K3:
        golden("mobilenet_v2_float16", build(), [normal(2, 32, 32, 3, scale=0.6)], layers, "network", note="alpha 0.35, 32x32, five logits, float16 weights",
               quantization_dtype_map={"float16": True})


def archives(archive, suffix):
    golden(f"functional_cnn{suffix}", functional_cnn(), IMAGE, CNN_LAYERS, "network", archive=archive)
    golden(f"sequential_cnn{suffix}", sequential_cnn(), DIGIT, SEQUENTIAL_LAYERS, "network", archive=archive)
    golden(f"bilstm_text{suffix}", bilstm(), TOKENS, TEXT_LAYERS, "network", archive=archive)


def keras_paths():
    x = keras.Input([4], name="x")
    y = x
    for i in range(12):
        y = L.Dense(4, activation="tanh", name=f"{'qwertyuiopas'[i]}_dense")(y)
    golden("twelve_dense_keras", keras.Model(x, y), [normal(2, 4)], "Dense", "network", archive="keras",
           note="twelve interchangeable kernels: `dense_10` sorts before `dense_2`, and no layer is called what its path says")

    x = keras.Input([5, 4], name="x")
    first = L.Bidirectional(L.LSTM(3, return_sequences=True), name="second_name")(x)
    y = L.Bidirectional(L.GRU(3, return_sequences=True), name="first_name")(first)
    y = L.TimeDistributed(L.Dense(3, activation="relu"), name="td")(y)
    y = L.GRU(2, name="z_gru")(L.LSTM(4, return_sequences=True, name="y_lstm")(y))
    golden("recurrent_keras", keras.Model(x, y), [normal(2, 5, 4)], ["Bidirectional", "LSTM", "GRU", "TimeDistributed", "Dense"], "network", archive="keras")

    frame = keras.Sequential([keras.Input([6, 6, 2]), L.Conv2D(3, 3, activation="relu"), L.DepthwiseConv2D(2), L.PReLU(shared_axes=[1, 2]), L.Flatten(), L.Dense(4)], name="frame")
    x = keras.Input([3, 6, 6, 2], name="x")
    y = L.LayerNormalization(name="ln")(L.TimeDistributed(frame, name="frames")(x))
    golden("time_distributed_nested_keras", keras.Model(x, y), [normal(2, 3, 6, 6, 2)], ["TimeDistributed", "Conv2D", "DepthwiseConv2D", "PReLU", "Dense", "LayerNormalization"],
           "network", archive="keras")


def writings():
    for dtype in ["uint8", "uint16", "float16"]:
        golden(f"functional_cnn_{dtype}", functional_cnn(), IMAGE, CNN_LAYERS, "network", note=f"weights quantised to {dtype}; computed with the weights the converter reads back",
               quantization_dtype_map={dtype: True})
    golden("functional_cnn_mixed_shards", functional_cnn(), IMAGE, CNN_LAYERS, "network", weight_shard_size_bytes=67,
           quantization_dtype_map={"uint8": ["*/kernel", "*gamma"], "uint16": ["*moving_mean"], "float16": ["*beta"]},
           note="some weights quantised, the others at odd offsets, shards of 67 bytes; computed with the weights the converter reads back")
    golden("functional_cnn_small_shards", functional_cnn(), IMAGE, CNN_LAYERS, "network", weight_shard_size_bytes=251, note="shards of 251 bytes, cut inside floats")
    golden("functional_cnn_groups", functional_cnn(), IMAGE, CNN_LAYERS, "network", split_weights_by_layer=True, note="one weight group per layer")
    golden("sequential_cnn_groups_shards_uint8", sequential_cnn(), DIGIT, SEQUENTIAL_LAYERS, "network", split_weights_by_layer=True, weight_shard_size_bytes=101,
           quantization_dtype_map={"uint8": True}, note="one group per layer, each in shards of 101 bytes, uint8; computed with the weights the converter reads back")
    golden("bilstm_text_float16", bilstm(), TOKENS, TEXT_LAYERS, "network", quantization_dtype_map={"float16": True}, metadata={"labels": ["bad", "so_so", "good"]},
           note="float16 and userDefinedMetadata; computed with the weights the converter reads back")


archives("h5", "")
archives("keras", "_keras")
keras_paths()
writings()
mobilenet()
