"""StringLookup, the layer with string input, as Keras 2 and Keras 3 compute it and the converter writes it."""

from golden import L, golden, keras, np

WORDS = ["cat", "dog", "naïve café", "", "日本"]


def strings(nested):
    return lambda _rng: np.array(nested, dtype=object)


def lookup(name, batch, note=None, **config):
    x = keras.Input([len(batch[0])], dtype="string", name="words")
    golden(name, keras.Model(x, L.StringLookup(vocabulary=WORDS, **config)(x)), [strings(batch)], "StringLookup", note=note, keep_weights=True)


BATCH = [["cat", "bird", "日本"], ["naïve café", "dog", ""], ["Cat", "dog ", "dog"]]
lookup("string_lookup_int", BATCH)
lookup("string_lookup_mask_token", BATCH, mask_token="dog2", note="mask_token takes index 0")
lookup("string_lookup_no_oov", [["cat", "日本"], ["dog", "cat"]], num_oov_indices=0)
lookup("string_lookup_one_hot", [["cat"], ["bird"], ["日本"]], output_mode="one_hot")
lookup("string_lookup_multi_hot", BATCH, output_mode="multi_hot")
lookup("string_lookup_count", [["cat", "cat", "dog"], ["bird", "fish", "cat"]], output_mode="count")

x = keras.Input([3], dtype="string", name="words")
y = L.Embedding(8, 3, name="embedding")(L.StringLookup(vocabulary=WORDS, name="lookup")(x))
golden("string_lookup_embedding_gru", keras.Model(x, L.GRU(4)(y)), [strings(BATCH)], ["StringLookup", "Embedding", "GRU"], "network")
