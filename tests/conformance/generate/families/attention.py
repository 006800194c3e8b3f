"""EinsumDense and the attention layers: masks of every kind, causal and cross attention, several axes, open axes."""

import numpy as np

from golden import K3, L, golden, ids, keras, normal, single, values

TOKENS = [[3, 1, 4, 0, 0], [1, 5, 0, 0, 0], [2, 6, 5, 3, 7]]


def einsum_dense():
    cases = [
        ("plain", {"equation": "ab,bc->ac", "output_shape": 4, "bias_axes": "c"}, [3], [3]),
        ("sequence", {"equation": "abc,cd->abd", "output_shape": (None, 4), "bias_axes": "d", "activation": "relu"}, [None, 3], [5, 3]),
        ("ellipsis_first", {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y"}, [2, None, 3], [2, 4, 3]),
        ("ellipsis_last", {"equation": "ab...,bc->ac...", "output_shape": 4, "bias_axes": "c"}, [3, 2, 5], [3, 2, 5]),
        ("heads", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de", "activation": "tanh"}, [None, 4], [3, 4]),
        ("bias_of_the_outer_axis", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "d"}, [5, 4], [5, 4]),
        ("two_axes_summed", {"equation": "abcd,cde->abe", "output_shape": (None, 5)}, [None, 2, 3], [4, 2, 3]),
        ("axes_swapped", {"equation": "abc,bd->adc", "output_shape": (6, 3), "bias_axes": "d", "activation": "softmax"}, [4, 3], [4, 3]),
        ("kernel_of_each_row", {"equation": "abc,bcd->abd", "output_shape": (4, 2), "bias_axes": "bd"}, [4, 3], [4, 3]),
        ("axis_added_up", {"equation": "abc,cd->ad", "output_shape": (2,)}, [4, 3], [4, 3]),
    ]
    for name, config, shape, data in cases:
        golden(f"einsum_dense_{name}", single(L.EinsumDense(**config), shape), [normal(2, *data)], "EinsumDense")
    x = keras.Input((3, 4), name="x")
    golden("einsum_dense_time_distributed", keras.Model(x, L.TimeDistributed(L.EinsumDense("ab,bc->ac", 5, bias_axes="c"))(x)),
           [normal(2, 3, 4)], ["EinsumDense", "TimeDistributed"])


def sequences(*shapes):
    """Inputs `q`, `v`, `k` of these shapes."""
    return [keras.Input(shape, name=name) for shape, name in zip(shapes, "qvk")]


def multi_head():
    M = L.MultiHeadAttention
    x = keras.Input((5, 6), name="x")
    golden("mha_self", keras.Model(x, M(2, 3)(x, x)), [normal(2, 5, 6)], "MultiHeadAttention")
    x = keras.Input((None, 6), name="x")
    golden("mha_open_causal", keras.Model(x, M(3, 2)(x, x, use_causal_mask=True)), [normal(2, 7, 6)], "MultiHeadAttention")
    q, v, k = sequences((4, 6), (None, 5), (None, 7))
    golden("mha_cross", keras.Model([q, v, k], M(2, 3, value_dim=4, output_shape=3)(q, v, k)),
           [normal(2, 4, 6), normal(2, 3, 5), normal(2, 3, 7)], "MultiHeadAttention")
    q, v, _ = sequences((4, 6), (3, 6), (1, 1))
    golden("mha_cross_causal_scores", keras.Model([q, v], M(2, 3, use_bias=False)(query=q, value=v, key=v, use_causal_mask=True, return_attention_scores=True)),
           [normal(2, 4, 6), normal(2, 3, 6)], "MultiHeadAttention")
    x = keras.Input((4, 6), name="x")
    golden("mha_dropout", keras.Model(x, M(2, 3, dropout=0.4)(x, x, use_causal_mask=True)), [normal(2, 4, 6)], "MultiHeadAttention")
    golden_axes("mha_image", (3, 4, 6), {}, {})
    golden_axes("mha_second_axis", (3, 4, 6), {"attention_axes": 2}, {})
    golden_axes("mha_first_axis_scores", (3, 4, 6), {"attention_axes": [1], "value_dim": 2}, {"return_attention_scores": True})
    golden_axes("mha_axes_swapped_scores", (3, 4, 6), {"attention_axes": [2, 1]}, {"return_attention_scores": True})
    golden_axes("mha_output_axes", (3, 4, 6), {"output_shape": [2, 3]}, {})
    x = keras.Input((4, 6), name="x")
    layer = M(2, 3, name="shared")
    golden("mha_shared", keras.Model(x, layer(layer(x, x), x)), [normal(2, 4, 6, scale=0.5)], "MultiHeadAttention")
    x = keras.Input((3, 4, 6), name="x")
    inner = keras.Input((4, 6), name="inner")
    sub = keras.Model(inner, M(2, 3)(inner, inner), name="sub")
    golden("mha_in_a_model_in_time_distributed", keras.Model(x, L.TimeDistributed(sub)(x)), [normal(2, 3, 4, 6)], ["MultiHeadAttention", "TimeDistributed"])


def golden_axes(name, shape, config, call):
    x = keras.Input(shape, name="x")
    golden(name, keras.Model(x, L.MultiHeadAttention(2, 3, **config)(x, x, **call)), [normal(2, *shape)], "MultiHeadAttention")


def multi_head_masks():
    M = L.MultiHeadAttention
    x, mask = keras.Input((4, 6), name="x"), keras.Input((4, 4), dtype="bool", name="m")
    truth = lambda rng: np.array(rng.integers(0, 2, (3, 4, 4)) | np.eye(4, dtype=int), bool)
    golden("mha_attention_mask", keras.Model([x, mask], M(2, 3)(x, x, attention_mask=mask)), [normal(3, 4, 6), truth], "MultiHeadAttention")
    x, mask = keras.Input((4, 6), name="x"), keras.Input((1, 4), dtype="int32", name="m")
    golden("mha_attention_mask_of_numbers", keras.Model([x, mask], M(2, 3)(x, x, attention_mask=mask, return_attention_scores=True)),
           [normal(3, 4, 6), values([[[1, 1, 0, 1]], [[0, 0, 0, 0]], [[1, 0, 0, 1]]], "int32")], "MultiHeadAttention", note="one entry is masked whole")
    x, mask = keras.Input((4, 6), name="x"), keras.Input((2, 4, 4), dtype="bool", name="m")
    golden("mha_attention_mask_of_heads", keras.Model([x, mask], M(2, 3)(x, x, attention_mask=mask)),
           [normal(2, 4, 6), ids(2, 2, 4, 4, high=2, dtype="bool")], "MultiHeadAttention", note="whole rows are masked")
    x = keras.Input((4, 6), name="x")
    constant = np.array([[[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]], bool)
    golden("mha_attention_mask_constant", keras.Model(x, M(2, 3)(x, x, attention_mask=constant)), [normal(2, 4, 6)], "MultiHeadAttention")

    t = keras.Input((5,), dtype="int32", name="t")
    e = L.Embedding(8, 6, mask_zero=True)(t)
    golden("mha_masked", keras.Model(t, M(2, 3)(e, e)), [values(TOKENS, "int32")], ["MultiHeadAttention", "Embedding"])
    t = keras.Input((None,), dtype="int32", name="t")
    e = L.Embedding(8, 6, mask_zero=True)(t)
    golden("mha_masked_causal_scores", keras.Model(t, M(2, 3)(e, e, use_causal_mask=True, return_attention_scores=True)), [values(TOKENS, "int32")],
           ["MultiHeadAttention", "Embedding"])
    t, q = keras.Input((5,), dtype="int32", name="t"), keras.Input((3, 4), name="q")
    e = L.Embedding(8, 6, mask_zero=True)(t)
    golden("mha_masked_values", keras.Model([q, t], L.GlobalAveragePooling1D()(M(2, 3)(q, e))), [normal(3, 3, 4), values(TOKENS, "int32")],
           ["MultiHeadAttention", "Embedding"])
    t, u = keras.Input((5,), dtype="int32", name="t"), keras.Input((5,), dtype="int32", name="u")
    a, b = L.Embedding(8, 6, mask_zero=True)(t), L.Embedding(8, 6, mask_zero=True)(u)
    golden("mha_masked_key", keras.Model([t, u], M(2, 3)(a, a, key=b)), [values(TOKENS, "int32"), values(TOKENS[::-1], "int32")],
           ["MultiHeadAttention", "Embedding"])
    t = keras.Input((5,), dtype="int32", name="t")
    e = L.Embedding(8, 6, mask_zero=True)(t)
    a = M(2, 3, dropout=0.1)(e, e)
    s = L.LayerNormalization()(L.Add()([e, a]))
    b = M(2, 3)(s, s)
    golden("mha_masked_twice", keras.Model(t, [L.Add()([s, b]), L.GlobalMaxPooling1D()(s), L.LSTM(3)(b)]), [values(TOKENS, "int32")],
           ["MultiHeadAttention", "Embedding"], note="whether the mask reaches the second attention differs between Keras 2 and 3")
    t = keras.Input((5,), dtype="int32", name="t")
    e = L.Dropout(0.1)(L.Embedding(8, 6, mask_zero=True)(t))
    golden("mha_masked_side_by_side", keras.Model(t, L.Concatenate()([M(2, 3)(e, e), L.Attention()([e, e]), L.LSTM(2, return_sequences=True)(e)])),
           [values(TOKENS, "int32")], ["MultiHeadAttention", "Attention", "Embedding"])


def keras3_only():
    M, G = L.MultiHeadAttention, L.GroupQueryAttention
    x = keras.Input((5, 6), name="x")
    golden("mha_gate", keras.Model(x, M(2, 3, value_dim=4, use_gate=True)(x, x)), [normal(2, 5, 6)], "MultiHeadAttention")
    x = keras.Input((None, 6), name="x")
    golden("mha_sliding_window", keras.Model(x, M(2, 3, sliding_window=2)(x, x, use_causal_mask=True)), [normal(2, 5, 6)], "MultiHeadAttention")
    x = keras.Input((5, 6), name="x")
    golden("mha_seed_window", keras.Model(x, M(2, 3, sliding_window=3, seed=7, dropout=0.2)(x, x)), [normal(2, 5, 6)], "MultiHeadAttention")
    x = keras.Input((5, 6), name="x")
    golden("gqa_self", keras.Model(x, G(3, 4, 2)(x, x)), [normal(2, 5, 6)], "GroupQueryAttention")
    x = keras.Input((None, 6), name="x")
    golden("gqa_open_causal", keras.Model(x, G(3, 4, 1, use_bias=False)(x, x, use_causal_mask=True)), [normal(2, 5, 6)], "GroupQueryAttention")
    q, v, k = sequences((4, 6), (None, 6), (None, 6))
    golden("gqa_cross_scores", keras.Model([q, v, k], G(2, 6, 3, use_gate=True)(q, v, key=k, return_attention_scores=True)),
           [normal(2, 4, 6), normal(2, 3, 6), normal(2, 3, 6)], "GroupQueryAttention")
    x = keras.Input((5, 6), name="x")
    golden("gqa_window_dropout", keras.Model(x, G(2, 4, 4, sliding_window=2, dropout=0.3)(x, x, use_causal_mask=True)), [normal(2, 5, 6)], "GroupQueryAttention")
    t = keras.Input((5,), dtype="int32", name="t")
    e = L.Embedding(8, 6, mask_zero=True)(t)
    golden("gqa_masked", keras.Model(t, G(2, 4, 2)(e, e)), [values(TOKENS, "int32")], ["GroupQueryAttention", "Embedding"])
    golden_keras_file("gqa_keras_file", lambda x: G(3, 4, 2, use_gate=True)(x, x), "GroupQueryAttention")
    golden_keras_file("mha_keras_file", lambda x: M(2, 3, use_gate=True)(x, x), "MultiHeadAttention")
    golden_keras_file("einsum_dense_keras_file", lambda x: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d")(x), "EinsumDense")
    golden_keras_file("attention_keras_file", lambda x: L.Attention(use_scale=True, score_mode="concat")([x, x]), "Attention")


def einsum():
    """The operation: each equation is an output of its own."""
    ops = keras.ops
    x, y, n = keras.Input((None, 4), name="x"), keras.Input((5, 4), name="y"), keras.Input((4, 4), dtype="int32", name="n")
    square = np.arange(12, dtype="float32").reshape(4, 3)
    outputs = [
        ops.einsum("bij,bkj->bik", x, y),
        ops.einsum("...ij,jk->...ki", x, square),
        ops.einsum("bij,bkj,bkl->bil", x, y, y),
        ops.einsum("bii->bi", n),
        ops.einsum("bij,bkj->bijk", x, y),
        ops.einsum("bij->b", y),
        ops.einsum("bij,bjk->bki", n, n),
        ops.einsum("bij,bkj->bjik", y, n),
        ops.einsum("...j,...j->...", y, y),
    ]
    golden("einsum_equations", keras.Model([x, y, n], outputs), [normal(2, 3, 4), normal(2, 5, 4), ids(2, 4, 4)], "Einsum")
    x, y = keras.Input((3, 4), name="x"), keras.Input((1, 4), name="y")
    golden("einsum_broadcast", keras.Model([x, y], ops.einsum("...i,...i->...i", x, y)), [normal(2, 3, 4), normal(2, 1, 4)], "Einsum")
    q, k = keras.Input((None, 2, 3), name="q"), keras.Input((None, 2, 3), name="k")
    scores = ops.softmax(ops.einsum("bthd,bshd->bhts", q, k) / 3**0.5)
    golden("einsum_attention", keras.Model([q, k], ops.einsum("bhts,bshd->bthd", scores, k)), [normal(2, 4, 2, 3), normal(2, 5, 2, 3)], "Einsum")
    x = keras.Input((5, 6), name="x")
    layer = L.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")
    model = keras.Model(x, layer(x))
    layer.enable_lora(2)
    golden("einsum_dense_lora", model, [normal(2, 5, 6)], "EinsumDense", archive="keras", note="the file has the kernel with the low-rank part added")


def golden_keras_file(name, build, layer):
    x = keras.Input((5, 6), name="x")
    golden(name, keras.Model(x, build(x)), [normal(2, 5, 6)], layer, archive="keras")


def dense():
    A, D = L.Attention, L.AdditiveAttention
    q, v, k = sequences((4, 6), (None, 5), (None, 6))
    golden("attention_dot", keras.Model([q, v, k], A()([q, v, k])), [normal(2, 4, 6), normal(2, 3, 5), normal(2, 3, 6)], "Attention")
    q, v, _ = sequences((None, 6), (None, 6), (1, 1))
    golden("attention_scale_causal", keras.Model([q, v], A(use_scale=True)([q, v], use_causal_mask=True)), [normal(2, 4, 6), normal(2, 3, 6)], "Attention")
    q, v, _ = sequences((4, 6), (3, 6), (1, 1))
    golden("attention_concat_scores", keras.Model([q, v], A(use_scale=True, score_mode="concat")([q, v], return_attention_scores=True)),
           [normal(2, 4, 6), normal(2, 3, 6)], "Attention")
    q, v, _ = sequences((4, 6), (3, 6), (1, 1))
    golden("attention_concat_dropout", keras.Model([q, v], A(score_mode="concat", dropout=0.5)([q, v])), [normal(2, 4, 6), normal(2, 3, 6)], "Attention")
    q, v, _ = sequences((2, 4, 6), (2, 3, 6), (1, 1))
    golden("attention_rank4", keras.Model([q, v], A()([q, v])), [normal(2, 2, 4, 6), normal(2, 2, 3, 6)], "Attention")
    q, v, k = sequences((4, 6), (None, 6), (None, 6))
    golden("additive_attention", keras.Model([q, v, k], D()([q, v, k])), [normal(2, 4, 6), normal(2, 3, 6), normal(2, 3, 6)], "AdditiveAttention")
    q, v, _ = sequences((None, 6), (None, 6), (1, 1))
    golden("additive_attention_plain_causal", keras.Model([q, v], D(use_scale=False)([q, v], use_causal_mask=True)), [normal(2, 4, 6), normal(2, 3, 6)], "AdditiveAttention")
    q, v, _ = sequences((4, 6), (3, 6), (1, 1))
    golden("additive_attention_scores", keras.Model([q, v], D(dropout=0.2)([q, v], return_attention_scores=True)),
           [normal(2, 4, 6), normal(2, 3, 6)], "AdditiveAttention")
    for name, layer in [("attention", A(use_scale=True)), ("additive_attention", D())]:
        t, u = keras.Input((5,), dtype="int32", name="t"), keras.Input((None,), dtype="int32", name="u")
        a, b = L.Embedding(8, 6, mask_zero=True)(t), L.Embedding(8, 6, mask_zero=True)(u)
        y = layer([a, b])
        golden(f"{name}_masked", keras.Model([t, u], [y, L.GlobalAveragePooling1D()(y)]), [values(TOKENS, "int32"), values(TOKENS[::-1], "int32")],
               [type(layer).__name__, "Embedding"])
        t, v = keras.Input((5,), dtype="int32", name="t"), keras.Input((4, 6), name="v")
        e = L.Embedding(8, 6, mask_zero=True)(t)
        golden(f"{name}_masked_query", keras.Model([t, v], type(layer)()([e, v], use_causal_mask=True)), [values(TOKENS, "int32"), normal(3, 4, 6)],
               [type(layer).__name__, "Embedding"])
    x, qm, vm = keras.Input((4, 6), name="x"), keras.Input((4,), dtype="bool", name="qm"), keras.Input((4,), dtype="bool", name="vm")
    truth = values([[1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]], "bool")
    golden("attention_masks_given", keras.Model([x, qm, vm], A()([x, x], mask=[qm, vm])), [normal(3, 4, 6), truth, truth], "Attention")
    x = keras.Input((4, 6), name="x")
    if not K3:
        golden("attention_causal_of_old_versions", keras.Model(x, A(causal=True, name="a")([x, x])), [normal(2, 4, 6)], "Attention",
               edit=lambda document: [layer["config"].update(causal=True) for layer in document["modelTopology"]["model_config"]["config"]["layers"]
                                      if layer["class_name"] == "Attention"], note="versions before 2.10 write `causal`")


einsum_dense()
multi_head()
multi_head_masks()
dense()
if K3:
    keras3_only()
    einsum()
