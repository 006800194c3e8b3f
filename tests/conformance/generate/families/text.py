"""StringLookup, IntegerLookup and TextVectorization, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import K3, L, golden, keras, np, values

WORDS = ["cat", "dog", "naïve café", "", "日本"]


def strings(nested):
    return lambda _rng: np.array(nested, dtype=object)


def lookup(name, batch, note=None, vocabulary=WORDS, **config):
    x = keras.Input([len(batch[0])], dtype="string", name="words")
    golden(f"string_lookup_{name}", keras.Model(x, L.StringLookup(vocabulary=vocabulary, **config)(x)), [strings(batch)], "StringLookup", note=note, keep_weights=True)


BATCH = [["cat", "bird", "日本"], ["naïve café", "dog", ""], ["Cat", "dog ", "dog"]]
IDF = [0.5, 1.25, 2.0, 0.75, 3.0]
MANY = [[f"word {i} of many that are unknown, some longer than others {'x' * i}" if i % 4 else WORDS[i // 4 % 5] for i in range(j, j + 6)] for j in range(0, 72, 6)]
lookup("int", BATCH)
lookup("mask_token", BATCH, mask_token="dog2", note="mask_token takes index 0")
lookup("no_oov", [["cat", "日本"], ["dog", "cat"]], num_oov_indices=0)
lookup("one_hot", [["cat"], ["bird"], ["日本"]], output_mode="one_hot")
lookup("multi_hot", BATCH, output_mode="multi_hot")
lookup("count", [["cat", "cat", "dog"], ["bird", "fish", "cat"]], output_mode="count")
lookup("several_oov", MANY, num_oov_indices=7)
lookup("several_oov_mask", MANY, num_oov_indices=3, mask_token="cow")
lookup("several_oov_count", MANY, num_oov_indices=5, output_mode="count", mask_token="cow")
lookup("mask_multi_hot", [["cat", "cow", "dog"], ["cow", "cow", "cow"]], mask_token="cow", output_mode="multi_hot", note="mask_token has no column")
lookup("given_special", BATCH, vocabulary=["<pad>", "?", "?", "cat", "dog"], mask_token="<pad>", oov_token="?", num_oov_indices=2)
lookup("padded", BATCH, output_mode="multi_hot", max_tokens=9, pad_to_max_tokens=True)
lookup("tf_idf", BATCH, output_mode="tf_idf", idf_weights=IDF)
lookup("tf_idf_padded", MANY, output_mode="tf_idf", idf_weights=IDF, max_tokens=10, pad_to_max_tokens=True, num_oov_indices=3)
lookup("tf_idf_given_special", BATCH, vocabulary=["[UNK]", *WORDS], output_mode="tf_idf", idf_weights=[0.25, *IDF])
if K3:
    lookup("salt", MANY, num_oov_indices=5, salt=[3, -4])
    lookup("one_salt", MANY, num_oov_indices=4, salt=17, mask_token="cow")

x = keras.Input([3], dtype="string", name="words")
y = L.Embedding(8, 3, name="embedding")(L.StringLookup(vocabulary=WORDS, name="lookup")(x))
golden("string_lookup_embedding_gru", keras.Model(x, L.GRU(4)(y)), [strings(BATCH)], ["StringLookup", "Embedding", "GRU"], "network")


def there_and_back(name, indices, **config):
    """Indices to words and these to other indices: numbers show which words they were."""
    x = keras.Input([len(indices[0])], dtype="int64", name="x")
    words = L.StringLookup(vocabulary=WORDS, invert=True, **config)(x)
    y = L.StringLookup(vocabulary=["?", "<pad>", *WORDS[::-1]], num_oov_indices=0)(words)
    golden(f"string_lookup_invert_{name}", keras.Model(x, y), [values(indices, "int64")], "StringLookup", keep_weights=True)


there_and_back("default", [[0, 1, 2, 3], [4, 5, 6, 99], [-1, -7, 0, 1]], oov_token="?")
there_and_back("mask", [[0, 1, 2, 3], [4, 5, 6, 99], [-1, -7, 0, 1]], oov_token="?", mask_token="<pad>")
there_and_back("several_oov", [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, -1]], oov_token="?", mask_token="<pad>", num_oov_indices=3)
there_and_back("no_oov", [[0, 1, 2, 3], [4, 5, 6, 99]], oov_token="?", num_oov_indices=0)


def numbers(name, batch, dtype="int64", vocabulary=(12, -5, 36, 1000), **config):
    x = keras.Input([len(batch[0])], dtype=dtype, name="x")
    golden(f"integer_lookup_{name}", keras.Model(x, L.IntegerLookup(vocabulary=list(vocabulary), **config)(x)), [values(batch, dtype)], "IntegerLookup", keep_weights=True)


NUMBERS = [[12, 13, -5, 0], [36, 1000, 7, -8], [1, 2, 3, 4]]
numbers("int", NUMBERS)
numbers("int32", NUMBERS, "int32")
numbers("mask", NUMBERS, mask_token=0)
numbers("several_oov", NUMBERS, num_oov_indices=3, mask_token=7)
numbers("no_oov", [[12, -5], [1000, 36]], num_oov_indices=0, vocabulary=(12, -5, 36, 1000, 0))
numbers("one_hot", [[12], [5], [1000]], output_mode="one_hot")
numbers("multi_hot", NUMBERS, output_mode="multi_hot", num_oov_indices=2)
numbers("count", [[12, 12, 5], [1, 12, 36]], output_mode="count", mask_token=1)
numbers("tf_idf", NUMBERS, output_mode="tf_idf", idf_weights=[0.5, 1.25, 2.0, 0.75])
numbers("invert", [[0, 1, 2, 3], [4, 5, 6, -1]], invert=True, mask_token=0, num_oov_indices=2)
if K3:
    numbers("farmhash", NUMBERS, num_oov_indices=5, oov_method="farmhash")
    numbers("salt", NUMBERS, num_oov_indices=5, oov_method="farmhash", salt=[5, 6])
else:
    numbers("dtype_int32", NUMBERS, dtype="int32", num_oov_indices=2)

TEXTS = [["The cat, the DOG and the bird!"], ["dog-dog  \t cat\u00a0cat"], [""], ["It's É: naïve\x0bcafé\n(日本) [x] 日本 cat's"]]
VOCABULARY = ["the", "cat", "dog", "and", "日本", "c", "a", "the cat", "dog and the", "its", "É", " ", "Dog", "DOG", "cats", "t h"]


def vectorize(name, texts=TEXTS, shape=(1,), vocabulary=VOCABULARY, note=None, **config):
    x = keras.Input(shape, dtype="string", name="text")
    y = L.TextVectorization(vocabulary=vocabulary, **config)(x)
    golden(f"text_vectorization_{name}", keras.Model(x, y), [strings(texts)], "TextVectorization", note=note, keep_weights=True)


vectorize("default", note="as long as the longest row")
vectorize("length", output_sequence_length=4)
vectorize("longer", output_sequence_length=12)
vectorize("lower", standardize="lower", output_sequence_length=6)
vectorize("strip_punctuation", standardize="strip_punctuation", output_sequence_length=6)
vectorize("as_it_is", standardize=None)
vectorize("character", split="character", output_sequence_length=20)
vectorize("character_bigrams", split="character", ngrams=2, output_mode="count")
vectorize("bigrams", ngrams=2)
vectorize("trigrams_length", ngrams=3, output_sequence_length=9)
vectorize("widths", ngrams=(3, 1), output_mode="multi_hot")
vectorize("multi_hot", output_mode="multi_hot")
vectorize("count_padded", output_mode="count", max_tokens=20, pad_to_max_tokens=True)
vectorize("tf_idf", output_mode="tf_idf", idf_weights=[0.25 + 0.5 * i for i in range(len(VOCABULARY))])
vectorize("tf_idf_padded", output_mode="tf_idf", idf_weights=[2 - 0.1 * i for i in range(len(VOCABULARY))], max_tokens=20, pad_to_max_tokens=True)
vectorize("not_split", [["The cat", "dog!"], ["", "DOG"]], (2,), split=None)
vectorize("not_split_length", [["The cat", "dog!", "and"], ["", "DOG", "x"]], (3,), split=None, output_sequence_length=2)
vectorize("not_split_longer", [["The cat", "dog!"], ["", "DOG"]], (2,), split=None, output_sequence_length=4)
vectorize("not_split_ngrams", [["the", "cat", "dog"], ["dog", "and", "the"]], (3,), split=None, ngrams=3, output_mode="count")
vectorize("given_special", vocabulary=["", "[UNK]", "the", "dog"])

x = keras.Input([1], dtype="string", name="text")
tokens = L.TextVectorization(vocabulary=VOCABULARY, name="tokens")(x)
y = L.Bidirectional(L.LSTM(4))(L.Embedding(len(VOCABULARY) + 2, 5, mask_zero=True, name="embedding")(tokens))
golden("text_vectorization_network", keras.Model(x, L.Dense(2, activation="softmax")(y)), [strings(TEXTS)], ["TextVectorization", "Embedding", "Bidirectional"], "network")

x = keras.Input([1], dtype="string", name="text")
sequence = L.TextVectorization(vocabulary=VOCABULARY, output_sequence_length=5, name="sequence")(x)
parts = [L.GlobalAveragePooling1D()(L.Embedding(len(VOCABULARY) + 2, 5, name="embedding")(sequence))]
if not K3:
    # Keras 3's own shape of a bag has an axis that its values do not have.
    parts.append(L.Dense(3)(L.TextVectorization(vocabulary=VOCABULARY, output_mode="multi_hot", ngrams=2, name="bag")(x)))
golden("text_vectorization_twice", keras.Model(x, parts), [strings(TEXTS)], ["TextVectorization"], "network")
