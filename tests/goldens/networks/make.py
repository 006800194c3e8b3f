"""Writes the topologies of known networks as real Keras writes them, without weights. `generate/all.sh networks` runs it.

With a folder as its argument it writes whole models there instead, with random weights, for benches.
"""

import json
import sys
from pathlib import Path

import golden
from golden import L, keras

HERE = Path(__file__).parent


def bilstm():
    """Words to a class, with a mask that reaches the last layer with a memory."""
    words = keras.Input((None,), dtype="int32", name="words")
    h = L.Embedding(1000, 64, mask_zero=True, name="embedding")(words)
    h = L.Bidirectional(L.LSTM(48, return_sequences=True, name="lstm"), name="both_ways")(h)
    h = L.Bidirectional(L.GRU(32, name="gru"), name="both_ways_again")(h)
    return keras.Model(words, L.Dense(5, activation="softmax", name="classes")(L.Dropout(0.5, name="dropout")(h)), name="bilstm")


def unet():
    """Down, across and up again, for pictures of any size."""
    picture = keras.Input((None, None, 3), name="picture")

    def block(x, filters, name):
        for i in range(2):
            x = L.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv{i}")(x)
            x = L.BatchNormalization(name=f"{name}_bn{i}")(x)
            x = L.Activation("relu", name=f"{name}_relu{i}")(x)
        return x

    skips, x = [], picture
    for level, filters in enumerate([16, 32, 64]):
        x = block(x, filters, f"down{level}")
        skips.append(x)
        x = L.MaxPooling2D(name=f"pool{level}")(x)
    x = block(x, 128, "bottom")
    for level, filters in reversed(list(enumerate([16, 32, 64]))):
        x = L.Conv2D(filters, 2, padding="same", name=f"narrow{level}")(L.UpSampling2D(name=f"up{level}")(x))
        x = block(L.Concatenate(name=f"join{level}")([x, skips[level]]), filters, f"up_block{level}")
    return keras.Model(picture, L.Conv2D(4, 1, activation="softmax", name="classes")(x), name="unet")


def recurrent():
    x = keras.Input((None, 64), name="x")
    h = L.LSTM(512, return_sequences=True, name="first")(x)
    return keras.Model(x, L.Dense(10, name="dense")(L.LSTM(512, name="second")(h)), name="lstm_2x512")


def perceptron():
    x = keras.Input((784,), name="x")
    h = L.Dense(512, activation="relu", name="hidden")(x)
    return keras.Model(x, L.Dense(10, activation="softmax", name="classes")(h), name="mlp")


def transformer():
    """Masked words, attended to causally and by others' queries: normalization first, an open axis of time."""
    from keras_nlp.layers import PositionEmbedding

    words = keras.Input((None,), dtype="int32", name="words")
    x = L.Embedding(1000, 64, mask_zero=True, name="embedding")(words)
    x = L.Add(name="placed")([x, PositionEmbedding(128, name="positions")(x)])
    for i in range(2):
        h = L.LayerNormalization(epsilon=1e-5, name=f"before{i}")(x)
        h = L.MultiHeadAttention(4, 16, name=f"attention{i}")(h, h, use_causal_mask=True)
        x = L.Add(name=f"sum{i}")([x, h])
        h = L.LayerNormalization(epsilon=1e-5, name=f"between{i}")(x)
        h = L.Dense(64, name=f"narrow{i}")(L.Dense(256, activation="gelu", name=f"wide{i}")(h))
        x = L.Add(name=f"whole{i}")([x, h])
    question = L.Dense(64, name="question")(keras.Input((8, 32), name="others"))
    seen = L.Attention(use_scale=True, name="dot")([question, x])
    added = L.AdditiveAttention(name="additive")([question, x])
    mixed = L.EinsumDense("abc,cd->abd", (None, 64), bias_axes="d", activation="relu", name="mixed")(L.Concatenate(name="both")([seen, added]))
    others = question._keras_history.layer.input
    return keras.Model([words, others], [L.Dense(1000, name="logits")(x), mixed], name="transformer")


NETWORKS = {
    "mobilenet_v2": lambda: keras.applications.MobileNetV2(weights=None),
    "resnet50": lambda: keras.applications.ResNet50(weights=None),
    "densenet121": lambda: keras.applications.DenseNet121(weights=None),
    "inception_v3": lambda: keras.applications.InceptionV3(weights=None),
    "bilstm": bilstm,
    "unet": unet,
    "lstm_2x512": recurrent,
    "mlp": perceptron,
    "transformer": transformer,
}


def main():
    for name, make in NETWORKS.items():
        keras.backend.clear_session()
        model = make()
        if len(sys.argv) > 1:
            golden.convert(model, Path(sys.argv[1]) / name)
            continue
        topology = {"keras_version": keras.__version__, "backend": "tensorflow", "model_config": json.loads(model.to_json())}
        text = json.dumps({"format": "layers-model", "modelTopology": topology}, separators=(",", ":"))
        (HERE / f"{name}.json").write_text(text + "\n")


main()
