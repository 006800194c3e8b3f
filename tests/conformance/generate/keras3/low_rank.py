"""LoRA, as Keras 3 computes it and the converter writes it: an HDF5 file has the update of a weight in two parts, a `.keras` file has it added."""

from golden import L, golden, ids, keras, normal, single

LAYERS = {
    "dense": (lambda: L.Dense(4, lora_rank=2), [3, 5]),
    "dense_alpha": (lambda: L.Dense(4, activation="tanh", use_bias=False, lora_rank=3, lora_alpha=1.5), [5]),
    "einsum_dense": (lambda: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", lora_rank=2), [3, 4]),
    "conv1d": (lambda: L.Conv1D(4, 3, padding="same", lora_rank=2), [5, 3]),
    "conv2d_groups": (lambda: L.Conv2D(4, 2, groups=2, lora_rank=1, lora_alpha=2), [4, 5, 4]),
}
for name, (build, shape) in LAYERS.items():
    layer = build()
    golden(f"low_rank_{name}", single(layer, shape), [normal(2, *shape)], type(layer).__name__)
    layer = build()
    golden(f"low_rank_{name}_keras", single(layer, shape), [normal(2, *shape)], type(layer).__name__, archive="keras", note="the file has the sum alone")
for archive in ("h5", "keras"):
    golden(f"low_rank_embedding_{archive}", single(L.Embedding(7, 3, lora_rank=2), [4], "int32"), [ids(2, 4, high=7)], "Embedding", archive=archive)

dense = L.Dense(3, name="tuned")
x = keras.Input([4], name="x")
model = keras.Model(x, L.Dense(2, name="top")(dense(x)))
dense.enable_lora(2)
golden("low_rank_enabled", model, [normal(2, 4)], "Dense", note="enabled on a layer that was there, as a model is tuned")
