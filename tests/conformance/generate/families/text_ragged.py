"""TextVectorization with `ragged`, whose rows have as many tokens as their texts, in front of layers that take such rows, as Keras 2 and
Keras 3 compute it."""

from golden import K3, L, golden, keras, np, skipped

WORDS = {"vocabulary": ["a", "b", "c"], "ragged": True}


def texts(rng):
    return np.array([["a b c b d"], ["B, d"], ["c"]], dtype=object)


def embedded(x, **options):
    return L.Embedding(6, 3)(L.TextVectorization(**WORDS, **options)(x))


for name, build in (
    ("mean", lambda x: L.GlobalAveragePooling1D()(embedded(x))),
    ("max", lambda x: L.GlobalMaxPooling1D()(embedded(x))),
    ("dense", lambda x: L.GlobalAveragePooling1D()(L.Dense(2, activation="tanh")(embedded(x)))),
    ("characters", lambda x: L.Dense(2)(L.GlobalAveragePooling1D()(embedded(x, split="character", ngrams=2)))),
    ("dropout", lambda x: L.GlobalAveragePooling1D()(L.Dropout(0.5)(embedded(x)))),
    ("lstm", lambda x: L.LSTM(2)(embedded(x))),
    ("gru", lambda x: L.Dense(2)(L.GRU(2, go_backwards=True)(embedded(x)))),
    ("simple_rnn", lambda x: L.SimpleRNN(2)(embedded(x))),
    ("bidirectional", lambda x: L.Bidirectional(L.LSTM(2))(embedded(x))),
):
    try:
        x = keras.Input((1,), dtype="string", name="x")
        golden(f"text_ragged_{name}", keras.Model(x, build(x)), [texts], ["TextVectorization", "Embedding"], **({"archive": "keras"} if K3 else {}))
    except Exception as error:
        skipped(f"text_ragged_{name}", error)
