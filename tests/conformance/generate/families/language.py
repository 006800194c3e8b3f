"""The layers of KerasNLP (Keras 2) and KerasHub (Keras 3): positions, transformer blocks, reversible embeddings, GPT-2."""

import numpy as np

from golden import K3, L, golden, ids, keras, normal, skipped, values

if K3:
    import keras_hub as package
else:
    import keras_nlp as package

H = package.layers
TOKENS = [[3, 1, 4, 0, 0], [1, 5, 0, 0, 0], [2, 6, 5, 3, 7]]
CHAINED = dict(archive="keras") if not K3 else {}


def model(name, build, shapes, inputs, layers, **options):
    """A model of `build` over inputs `x`, `y`, ...; Keras 2 cannot write some of the layers."""
    tensors = [keras.Input(shape[0], dtype=shape[1], name=name) if isinstance(shape, tuple) else keras.Input(shape, name=name) for shape, name in zip(shapes, "xyzuv")]
    try:
        golden(name, keras.Model(tensors, build(*tensors)), inputs, layers, **options)
    except Exception as error:
        skipped(name, error)


def tokens(open=False):
    return ([None if open else 5], "int32")


def positions():
    P, S, R = H.PositionEmbedding, H.SinePositionEncoding, H.RotaryEmbedding
    model("position_embedding", lambda x: P(8)(x), [[5, 6]], [normal(2, 5, 6)], "PositionEmbedding")
    model("position_embedding_open_start", lambda x: P(8)(x, start_index=2), [[None, 6]], [normal(2, 4, 6)], "PositionEmbedding")
    model("position_embedding_rank4", lambda x: P(8)(x), [[3, 5, 6]], [normal(2, 3, 5, 6)], "PositionEmbedding")
    model("sine_position_encoding", lambda x: S()(x), [[5, 6]], [normal(2, 5, 6)], "SinePositionEncoding")
    model("sine_position_encoding_odd_start", lambda x: S(max_wavelength=100)(x, start_index=3), [[None, 7]], [normal(2, 4, 7)], "SinePositionEncoding")
    model("sine_position_encoding_added", lambda x: x + S()(x), [[3, 5, 6]], [normal(2, 3, 5, 6)], "SinePositionEncoding")
    model("rotary_embedding", lambda x: R()(x), [[5, 6]], [normal(2, 5, 6)], "RotaryEmbedding")
    model("rotary_embedding_open_start", lambda x: R(max_wavelength=50, scaling_factor=2.0)(x, start_index=3), [[None, 4]], [normal(2, 6, 4)], "RotaryEmbedding")
    model("rotary_embedding_heads", lambda x: R()(x), [[None, 3, 8]], [normal(2, 5, 3, 8)], "RotaryEmbedding")
    model("rotary_embedding_axes", lambda x: R(sequence_axis=2, feature_axis=1)(x), [[6, 4]], [normal(2, 6, 4)], "RotaryEmbedding")
    if K3:
        model("rotary_embedding_dynamic", lambda x: R(rope_type="dynamic", scaling_factor=3.0)(x), [[5, 8]], [normal(2, 5, 8)], "RotaryEmbedding")
        model("rotary_embedding_yarn", lambda x: R(rope_type="yarn", scaling_factor=4.0, original_max_position_embeddings=64, max_wavelength=100)(x),
              [[None, 16]], [normal(2, 9, 16)], "RotaryEmbedding")
        model("rotary_embedding_positions", lambda x, y: R(denominator_dim=12)(x, positions=y), [[5, 8], ([5], "int32")],
              [normal(2, 5, 8), ids(2, 5, high=20)], "RotaryEmbedding")
        model("position_embedding_positions", lambda x, y: P(20)(x, positions=y), [[5, 8], ([5], "int32")],
              [normal(2, 5, 8), ids(2, 5, high=20)], "PositionEmbedding")


def embeddings():
    E, T = H.ReversibleEmbedding, H.TokenAndPositionEmbedding
    t = values(TOKENS, "int32")

    def there_and_back(layer, **call):
        return lambda x: layer(layer(x), reverse=True)

    model("reversible_embedding_tied", there_and_back(E(9, 6)), [tokens()], [t], "ReversibleEmbedding")
    model("reversible_embedding_untied", there_and_back(E(9, 6, tie_weights=False)), [tokens(True)], [t], "ReversibleEmbedding")
    model("reversible_embedding_masked", lambda x: L.LSTM(3)(E(9, 6, mask_zero=True)(x)), [tokens()], [t], ["ReversibleEmbedding", "LSTM"])
    if K3:
        model("reversible_embedding_soft_cap", there_and_back(L.ReversibleEmbedding(9, 6, logit_soft_cap=1.5)), [tokens()], [t], "ReversibleEmbedding")
    model("token_and_position_embedding", lambda x: T(9, 8, 6)(x), [tokens()], [t], "TokenAndPositionEmbedding", **CHAINED)
    model("token_and_position_embedding_masked", lambda x: L.LSTM(3)(T(9, 8, 6, mask_zero=True)(x)), [tokens(True)], [t], ["TokenAndPositionEmbedding", "LSTM"], **CHAINED)
    model("token_and_position_embedding_untied", lambda x: T(9, 5, 6, tie_weights=False)(x), [tokens()], [t], "TokenAndPositionEmbedding", **CHAINED)


def blocks():
    T, E, D, C = H.TokenAndPositionEmbedding, H.TransformerEncoder, H.TransformerDecoder, H.CachedMultiHeadAttention
    t = values(TOKENS, "int32")
    x = normal(3, 5, 6)
    model("cached_mha", lambda x: C(2, 3)(x, x), [[5, 6]], [x], "CachedMultiHeadAttention")
    model("cached_mha_cross", lambda x, y: C(2, 3, value_dim=4, dropout=0.2)(x, y), [[5, 6], [None, 6]], [x, normal(3, 4, 6)], "CachedMultiHeadAttention")
    model("cached_mha_mask", lambda x, y: C(2, 3)(x, x, attention_mask=y), [[5, 6], ([5, 5], "bool")], [x, ids(3, 5, 5, high=2, dtype="bool")], "CachedMultiHeadAttention",
          note="whole rows are masked")
    model("cached_mha_masked_input", lambda x: (lambda e: C(2, 3)(e, e))(L.Embedding(9, 6, mask_zero=True)(x)), [tokens()], [t], "CachedMultiHeadAttention",
          note="the masks of the inputs are not read")
    model("transformer_encoder", lambda x: E(8, 2)(x), [[5, 6]], [x], "TransformerEncoder", **CHAINED)
    model("transformer_encoder_open", lambda x: E(8, 3, normalize_first=True, activation="gelu", layer_norm_epsilon=1e-3, dropout=0.1)(x), [[None, 6]], [x],
          "TransformerEncoder", **CHAINED)
    model("transformer_encoder_padding", lambda x, y: E(8, 2)(x, padding_mask=y), [[5, 6], ([5], "int32")],
          [x, values([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]], "int32")], "TransformerEncoder", **CHAINED)
    model("transformer_encoder_attention_mask", lambda x, y: E(8, 2, normalize_first=True)(x, attention_mask=y), [[5, 6], ([5, 5], "bool")],
          [x, ids(3, 5, 5, high=2, dtype="bool")], "TransformerEncoder", **CHAINED)
    for first in (False, True):
        name = "first" if first else "last"
        model(f"transformer_encoder_masked_{name}", lambda x: E(8, 2, normalize_first=first)(E(8, 3, normalize_first=first)(T(9, 8, 6, mask_zero=True)(x))), [tokens()], [t],
              ["TransformerEncoder", "TokenAndPositionEmbedding"], **CHAINED)
    model("transformer_decoder", lambda x: D(8, 2)(x), [[5, 6]], [x], "TransformerDecoder", **CHAINED)
    model("transformer_decoder_not_causal", lambda x: D(8, 2, normalize_first=True, dropout=0.2)(x, use_causal_mask=False), [[None, 6]], [x], "TransformerDecoder", **CHAINED)
    model("transformer_decoder_cross", lambda x, y: D(8, 2, activation="tanh")(x, y), [[5, 6], [None, 6]], [x, normal(3, 4, 6)], "TransformerDecoder", **CHAINED)
    model("transformer_decoder_cross_first_masks", lambda x, y, z, u: D(8, 3, normalize_first=True)(x, y, decoder_padding_mask=z, encoder_padding_mask=u),
          [[5, 6], [4, 6], ([5], "int32"), ([4], "bool")],
          [x, normal(3, 4, 6), values([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]], "int32"), values([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]], "bool")],
          "TransformerDecoder", note="one entry has nothing to attend to", **CHAINED)
    model("transformer_decoder_masked", lambda x, y: (lambda e, d: D(8, 2)(e, d))(T(9, 8, 6, mask_zero=True)(x), T(9, 8, 6, mask_zero=True)(y)), [tokens(), tokens(True)],
          [t, values(TOKENS[::-1], "int32")], ["TransformerDecoder", "TokenAndPositionEmbedding"], **CHAINED)


def gpt2():
    for name, layers, heads, width, archive in [("small", 2, 2, 6, "h5"), ("one_layer", 1, 3, 6, "h5"), ("keras_file", 2, 1, 4, "keras")]:
        backbone = package.models.GPT2Backbone(vocabulary_size=9, num_layers=layers, num_heads=heads, hidden_dim=width, intermediate_dim=10, max_sequence_length=8)
        x, mask = keras.Input([None], dtype="int32", name="ids"), keras.Input([None], dtype="int32", name="mask")
        try:
            golden(f"gpt2_backbone_{name}", keras.Model([x, mask], backbone({"token_ids": x, "padding_mask": mask})),
                   [ids(2, 5, high=9), values([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32")], "GPT2Backbone", kind="network", archive=archive)
        except Exception as error:
            skipped(f"gpt2_backbone_{name}", error)


positions()
embeddings()
blocks()
gpt2()
