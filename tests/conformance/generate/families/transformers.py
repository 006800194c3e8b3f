"""Small whole models around attention: pictures, texts, time series, a decoder, translation."""

from golden import K3, L, golden, ids, keras, normal, values

if K3:
    from keras_hub.layers import PositionEmbedding
else:
    from keras_nlp.layers import PositionEmbedding

TOKENS = [[3, 1, 4, 0, 0], [1, 5, 0, 0, 0], [2, 6, 5, 3, 7]]


def feed_forward(x, width, name, activation="gelu"):
    h = L.Dense(2 * width, activation=activation, name=f"{name}_wide")(x)
    return L.Dense(width, name=f"{name}_narrow")(L.Dropout(0.1)(h))


def vision():
    """Patches of a picture, normalization before each part."""
    picture = keras.Input((16, 16, 3), name="picture")
    x = L.Conv2D(12, 4, strides=4, name="patches")(L.Rescaling(1 / 255)(picture))
    x = L.Reshape((-1, 12))(x)
    x = L.Add()([x, PositionEmbedding(16, name="positions")(x)])
    for i in range(2):
        h = L.LayerNormalization(epsilon=1e-6, name=f"before{i}")(x)
        x = L.Add()([x, L.MultiHeadAttention(3, 4, dropout=0.1, name=f"attention{i}")(h, h)])
        x = L.Add()([x, feed_forward(L.LayerNormalization(epsilon=1e-6, name=f"between{i}")(x), 12, f"dense{i}")])
    x = L.LayerNormalization(epsilon=1e-6, name="last")(x)
    golden("transformer_vision", keras.Model(picture, L.Dense(5, activation="softmax", name="classes")(L.Flatten()(L.Dropout(0.5)(x)))),
           [ids(2, 16, 16, 3, high=256, dtype="float32")], ["MultiHeadAttention", "PositionEmbedding"], kind="network")


def bert():
    """Tokens, segments and a padding mask; normalization behind each part; a pooled and a whole output."""
    tokens, segments, mask = (keras.Input((None,), dtype="int32", name=name) for name in ("tokens", "segments", "mask"))
    words = L.Embedding(11, 12, name="words")(tokens)
    x = L.Add()([words, L.Embedding(2, 12, name="kinds")(segments), PositionEmbedding(9, name="positions")(words)])
    x = L.LayerNormalization(epsilon=1e-12, name="first")(x)
    pairs = L.Reshape((1, -1), name="pairs")(mask)
    for i in range(2):
        h = L.MultiHeadAttention(2, 6, name=f"attention{i}")(query=x, value=x, attention_mask=pairs)
        x = L.LayerNormalization(epsilon=1e-12, name=f"between{i}")(L.Add()([x, h]))
        x = L.LayerNormalization(epsilon=1e-12, name=f"behind{i}")(L.Add()([x, feed_forward(x, 12, f"dense{i}")]))
    pooled = L.Dense(12, activation="tanh", name="pooled")(x[:, 0])
    golden("transformer_bert", keras.Model([tokens, segments, mask], [pooled, x]),
           [ids(2, 6, high=11), values([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]], "int32"), values([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], "int32")],
           ["MultiHeadAttention", "PositionEmbedding", "Embedding"], kind="network")


def decoder():
    """The shape of GPT-2: causal, normalization first, an open axis of time."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = L.Embedding(11, 12, name="words")(tokens)
    x = L.Add()([x, PositionEmbedding(9, name="positions")(x)])
    for i in range(2):
        h = L.LayerNormalization(epsilon=1e-5, name=f"before{i}")(x)
        x = L.Add()([x, L.MultiHeadAttention(2, 6, name=f"attention{i}")(h, h, use_causal_mask=True)])
        x = L.Add()([x, feed_forward(L.LayerNormalization(epsilon=1e-5, name=f"between{i}")(x), 12, f"dense{i}")])
    x = L.LayerNormalization(epsilon=1e-5, name="last")(x)
    golden("transformer_decoder_network", keras.Model(tokens, L.Dense(11, use_bias=False, name="logits")(x)), [ids(2, 7, high=11)],
           ["MultiHeadAttention", "PositionEmbedding", "Embedding"], kind="network")


def classifier():
    """The guide's classifier of texts: masked tokens, two blocks, a mean over what is not masked."""
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = L.Embedding(9, 8, mask_zero=True, name="words")(tokens)
    for i in range(2):
        h = L.Dropout(0.1)(L.MultiHeadAttention(2, 4, name=f"attention{i}")(x, x))
        x = L.LayerNormalization(epsilon=1e-6, name=f"between{i}")(L.Add()([x, h]))
        x = L.LayerNormalization(epsilon=1e-6, name=f"behind{i}")(L.Add()([x, feed_forward(x, 8, f"dense{i}", "relu")]))
    golden("transformer_text", keras.Model(tokens, L.Dense(2, activation="softmax", name="classes")(L.GlobalAveragePooling1D()(x))),
           [values(TOKENS, "int32")], ["MultiHeadAttention", "Embedding", "GlobalAveragePooling1D"], kind="network")


def time_series():
    """The guide's transformer for time series: convolutions as dense layers."""
    x = inputs = keras.Input((None, 1), name="series")
    for i in range(2):
        h = L.MultiHeadAttention(num_heads=2, key_dim=4, dropout=0.25, name=f"attention{i}")(x, x)
        r = L.Add()([L.LayerNormalization(epsilon=1e-6, name=f"behind{i}")(L.Dropout(0.25)(h)), x])
        h = L.Conv1D(4, 1, activation="relu", name=f"wide{i}")(r)
        x = L.Add()([L.LayerNormalization(epsilon=1e-6, name=f"last{i}")(L.Conv1D(1, 1, name=f"narrow{i}")(h)), r])
    golden("transformer_time_series", keras.Model(inputs, L.Dense(3, activation="softmax", name="classes")(L.GlobalAveragePooling1D()(x))),
           [normal(2, 9, 1)], "MultiHeadAttention", kind="network")


def translation():
    """Two recurrent layers that meet in an attention, with masks on both sides."""
    source, target = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="target")
    states, h, c = L.LSTM(6, return_sequences=True, return_state=True, name="encoder")(L.Embedding(9, 5, mask_zero=True, name="from")(source))
    x = L.LSTM(6, return_sequences=True, name="decoder")(L.Embedding(9, 5, mask_zero=True, name="to")(target), initial_state=[h, c])
    for name, layer in [("translation", L.Attention(use_scale=True, name="attention")), ("translation_additive", L.AdditiveAttention(name="attention"))]:
        context = layer([x, states])
        y = L.TimeDistributed(L.Dense(9, activation="softmax"), name=f"{name}_words")(L.Concatenate()([x, context]))
        golden(f"attention_{name}", keras.Model([source, target], y), [values(TOKENS, "int32"), values([[1, 2, 3], [4, 0, 0], [5, 6, 0]], "int32")],
               [type(layer).__name__, "LSTM", "Embedding"], kind="network")


vision()
bert()
decoder()
classifier()
time_series()
translation()
