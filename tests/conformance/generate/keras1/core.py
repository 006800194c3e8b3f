"""Layers without windows or steps, under the names and arguments of Keras 1."""

from golden_old import THEANO, K, golden, ids, keras, normal, single

L = keras.layers
ROWS = [6]
STEPS = [4, 6]

DENSE = [
    ("relu", {"activation": "relu"}, ROWS),
    ("no_bias", {"bias": False}, ROWS),
    ("steps_softmax", {"activation": "softmax"}, STEPS),
    (
        "regularised",
        {
            "W_regularizer": "l2",
            "b_regularizer": keras.regularizers.l1l2(0.1, 0.2),
            "activity_regularizer": "activity_l2",
            "W_constraint": keras.constraints.maxnorm(3),
            "b_constraint": "nonneg",
            "init": "lecun_uniform",
            "activation": "hard_sigmoid",
        },
        ROWS,
    ),
]
for what, options, shape in DENSE:
    golden("dense_" + what, single(L.Dense(5, **options), shape), [normal(3, *shape)], "Dense")
golden("dense_rank_4", single(L.Dense(5, activation="tanh"), [2, 3, 6]), [normal(2, 2, 3, 6)], "Dense")
for what, options in (("tanh", {"activation": "tanh"}), ("no_bias", {"bias": False}), ("softplus", {"activation": "softplus"})):
    if THEANO:
        break
    golden("time_distributed_dense_" + what, single(L.TimeDistributedDense(5, **options), STEPS), [normal(3, *STEPS)], "Dense")
for what, options in (("four", {}), ("three", {"nb_feature": 3}), ("no_bias", {"nb_feature": 2, "bias": False})):
    golden("maxout_dense_" + what, single(L.MaxoutDense(5, **options), ROWS), [normal(3, *ROWS)], "MaxoutDense")
for what, options in (("linear", {}), ("tanh", {"activation": "tanh"}), ("no_bias", {"activation": "relu", "bias": False})):
    golden("highway_" + what, single(L.Highway(**options), ROWS), [normal(3, *ROWS)], "Highway")

golden("embedding", single(L.Embedding(8, 5, dropout=0.2), [4], dtype="int32"), [ids(3, 4)], "Embedding")
x = L.Input(shape=(4,), dtype="int32", name="x")
golden("embedding_masked", keras.models.Model(x, L.GRU(3, inner_activation="sigmoid")(L.Embedding(8, 5, mask_zero=True, input_length=4)(x))), [ids(3, 4, high=4)], ["Embedding", "GRU"])
model = keras.models.Sequential([L.Embedding(8, 5, input_length=4, W_constraint="unitnorm"), L.Flatten(), L.Dense(2)])
golden("embedding_first", model, [ids(3, 4)], ["Embedding", "Flatten"])

# A layer that gives back its input takes that tensor's place in the graph, so that none stands first: `linear` is behind another layer.
for name in ("softmax", "softplus", "softsign", "relu", "tanh", "sigmoid", "hard_sigmoid"):
    if THEANO:
        break
    golden("activation_" + name, single(L.Activation(name), STEPS), [normal(3, *STEPS)], "Activation")

PLAIN = [
    ("dropout", L.Dropout(0.5), ROWS, "Dropout"),
    ("spatial_dropout1d", L.SpatialDropout1D(0.5), STEPS, "SpatialDropout1D"),
    ("spatial_dropout2d", L.SpatialDropout2D(0.5), [2, 3, 4], "SpatialDropout2D"),
    ("spatial_dropout3d", L.SpatialDropout3D(0.5, dim_ordering="th"), [2, 3, 4, 2], "SpatialDropout3D"),
    ("gaussian_noise", L.GaussianNoise(0.5), ROWS, "GaussianNoise"),
    ("gaussian_dropout", L.GaussianDropout(0.5), ROWS, "GaussianDropout"),
    ("reshape", L.Reshape((-1, 8)), STEPS, "Reshape"),
    ("permute", L.Permute((3, 1, 2)), [2, 3, 4], "Permute"),
    ("flatten", L.Flatten(), [2, 3, 4], "Flatten"),
    ("repeat_vector", L.RepeatVector(3), ROWS, "RepeatVector"),
    ("leaky_relu", L.LeakyReLU(0.2), STEPS, "LeakyReLU"),
    ("prelu", L.PReLU(), STEPS, "PReLU"),
    ("elu", L.ELU(0.7), STEPS, "ELU"),
    ("thresholded_relu", L.ThresholdedReLU(0.8), STEPS, "ThresholdedReLU"),
    ("parametric_softplus", L.ParametricSoftplus(0.3, 2.0), STEPS, "ParametricSoftplus"),
    ("parametric_softplus_rows", L.ParametricSoftplus(), ROWS, "ParametricSoftplus"),
    ("parametric_softplus_image", L.ParametricSoftplus(), [2, 3, 4], "ParametricSoftplus"),
    ("srelu", L.SReLU(), STEPS, "SReLU"),
    ("srelu_rows", L.SReLU("one", "zero", "he_normal", "glorot_uniform"), ROWS, "SReLU"),
    ("srelu_image", L.SReLU(), [2, 3, 4], "SReLU"),
    ("batch_normalization", L.BatchNormalization(), ROWS, "BatchNormalization"),
    ("batch_normalization_image", L.BatchNormalization(epsilon=1e-2, momentum=0.9), [2, 3, 4], "BatchNormalization"),
    ("batch_normalization_axis_1", L.BatchNormalization(axis=1, gamma_regularizer="l2"), [2, 3, 4], "BatchNormalization"),
    ("batch_normalization_mode_1", L.BatchNormalization(mode=1), ROWS, "BatchNormalization"),
    ("batch_normalization_mode_1_steps", L.BatchNormalization(mode=1, epsilon=0.1), STEPS, "BatchNormalization"),
    ("batch_normalization_mode_2", L.BatchNormalization(mode=2), ROWS, "BatchNormalization"),
    ("batch_normalization_mode_2_axis_1", L.BatchNormalization(mode=2, axis=1, epsilon=0.1), [2, 3, 4], "BatchNormalization"),
]
for name, layer, shape, class_name in PLAIN:
    if THEANO and not name.startswith(("batch", "prelu", "para", "srelu", "elu", "leaky")):
        continue
    golden(name, single(layer, shape), [normal(3, *shape)], class_name)

if not THEANO:
    model = keras.models.Sequential([L.Dense(3, input_dim=6), L.ActivityRegularization(0.1, 0.2), L.Activation("linear"), L.Dense(2)])
    golden("activity_regularization", model, [normal(3, 6)], ["ActivityRegularization", "Activation"])
    x = L.Input(shape=STEPS, name="x")
    masked = L.Dropout(0.3)(L.Masking(0.5)(x))
    model = keras.models.Model(x, L.SimpleRNN(3)(L.TimeDistributedDense(4)(L.Activation("tanh")(masked))))
    steps = lambda rng: (normal(3, 4, 6)(rng) * [[[1], [1], [0], [1]], [[1], [0], [0], [1]], [[1], [1], [1], [1]]] + [[[0], [0], [0.5], [0]], [[0], [0.5], [0.5], [0]], [[0], [0], [0], [0]]]).astype("float32")  # noqa: E731
    golden("masking", model, [steps], ["Masking", "Dropout"])
