"""TextVectorization behind layers that give texts another shape, or give them back, as Keras 2 and Keras 3 compute it."""

from golden import K3, L, golden, keras, np, skipped, tf

WORDS = {"vocabulary": ["a", "b", "c"]}


def texts(rng):
    return np.array([["a b c"], ["B, d"], ["c"]], dtype=object)


def nested(x):
    inner = keras.Input((1,), dtype="string")
    return keras.Model(inner, L.TextVectorization(**WORDS)(inner))(x)


for name, build in (
    ("vector", lambda x: L.TextVectorization(**WORDS)(L.Reshape(())(x))),
    ("squeezed", lambda x: L.TextVectorization(**WORDS, output_sequence_length=4)(keras.ops.squeeze(x, -1) if K3 else tf.squeeze(x, -1))),
    ("whole", lambda x: L.TextVectorization(**WORDS, split=None)(L.Reshape(())(x))),
    ("counted", lambda x: L.TextVectorization(**WORDS, output_mode="count", ngrams=2)(L.Reshape(())(L.Flatten()(x)))),
    ("given_back", lambda x: L.TextVectorization(**WORDS)(L.Activation("linear")(L.Reshape((1,))(x)))),
    ("nested", nested),
):
    try:
        x = keras.Input((1,), dtype="string", name="x")
        golden(f"text_shapes_{name}", keras.Model(x, build(x)), [texts], "TextVectorization", keep_weights=True, **({"archive": "keras"} if K3 else {}))
    except Exception as error:
        skipped(f"text_shapes_{name}", error)
