"""Dense, Activation, Dropout and the parametric activation layers, as Keras 2 and Keras 3 compute them and the converter writes them."""

from golden import K3, L, golden, keras, normal, np, single, skipped

ACTIVATIONS = ["elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "log_softmax", "mish", "relu", "relu6", "selu",
               "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh"]
if K3:
    ACTIVATIONS += ["celu", "glu", "hard_shrink", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_plus",
                    "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink", "threshold"]


def activations():
    for i, name in enumerate(ACTIVATIONS):
        try:
            keras.activations.get(name)
            golden(f"activation_{name}", single(L.Activation(name), [6]), [normal(3, 6, scale=4)], "Activation")
        except Exception as error:
            skipped(f"activation_{name}", error)
            continue
        if name == "glu":
            continue  # halves the last axis, which Dense does not know
        shape = [3, 5] if i % 3 == 2 else [5]
        golden(f"dense_{name}", single(L.Dense(4, activation=name, use_bias=i % 2 == 0), shape), [normal(2, *shape)], "Dense")
    golden("dense_default", single(L.Dense(4), [5]), [normal(3, 5)], "Dense")
    golden("dense_rank4", single(L.Dense(3), [2, 3, 4]), [normal(2, 2, 3, 4)], "Dense")
    golden("activation_rank4_softmax", single(L.Activation("softmax"), [3, 2, 4]), [normal(2, 3, 2, 4, scale=3)], "Activation")
    golden("dense_constraints", single(
        L.Dense(4, kernel_initializer="lecun_normal", bias_initializer=keras.initializers.Constant(0.5), kernel_regularizer=keras.regularizers.L2(0.1),
                kernel_constraint=keras.constraints.MaxNorm(100), activity_regularizer=keras.regularizers.L1(0.1)), [5]),
        [normal(3, 5)], "Dense", note="initializers, regularizers and constraints are written and do not matter to inference")


def advanced():
    slope = "negative_slope" if K3 else "alpha"
    cases = [
        ("relu_default", L.ReLU, {}),
        ("relu_max_value", L.ReLU, {"max_value": 2.5}),
        ("relu_negative_slope", L.ReLU, {"negative_slope": 0.2}),
        ("relu_threshold", L.ReLU, {"threshold": 1.5}),
        ("relu_all", L.ReLU, {"max_value": 4.0, "negative_slope": 0.3, "threshold": 1.0}),
        ("relu_threshold_max_value", L.ReLU, {"max_value": 2.0, "threshold": 0.5}),
        ("leaky_relu_default", L.LeakyReLU, {}),
        ("leaky_relu_slope", L.LeakyReLU, {slope: 0.1}),
        ("elu_default", L.ELU, {}),
        ("elu_alpha", L.ELU, {"alpha": 0.4}),
        ("prelu_default", L.PReLU, {}),
        ("prelu_shared_axes", L.PReLU, {"shared_axes": [1, 2]}),
        ("prelu_shared_one_axis", L.PReLU, {"shared_axes": [1]}),
        # Counted from the end, an axis is one further to the front: that of the heights and that of the widths here.
        ("prelu_shared_from_the_end", L.PReLU, {"shared_axes": [-1, -2]}),
        ("prelu_shared_axis_0", L.PReLU, {"shared_axes": [0]}),
        ("softmax_default", L.Softmax, {}),
        ("softmax_axis_1", L.Softmax, {"axis": 1}),
        ("softmax_axis_minus_2", L.Softmax, {"axis": -2}),
        ("softmax_two_axes", L.Softmax, {"axis": [1, 2]}),
        ("dropout", L.Dropout, {"rate": 0.4}),
        ("dropout_noise_shape", L.Dropout, {"rate": 0.9, "noise_shape": [2, 1, 1, 3], "seed": 7}),
    ]
    if not K3:
        cases += [("thresholded_relu_default", L.ThresholdedReLU, {}), ("thresholded_relu_theta", L.ThresholdedReLU, {"theta": 2.5})]
    for name, layer, config in cases:
        golden(name, single(layer(**config), [4, 2, 3]), [normal(2, 4, 2, 3, scale=3)], layer.__name__)


def layers_as_activations():
    """An activation layer in place of a name: one with weights, and one over another axis than the last."""
    slopes = [("dense_prelu", L.Dense(4, activation=L.PReLU()), [3, 5], {}), ("dense_prelu_shared", L.Dense(4, activation=L.PReLU(shared_axes=[1])), [3, 5], {}),
              ("conv2d_prelu", L.Conv2D(3, 2, activation=L.PReLU(shared_axes=[1, 2], name="slopes")), [4, 5, 2], {}),
              ("depthwise_conv2d_prelu_keras", L.DepthwiseConv2D(2, activation=L.PReLU()), [4, 5, 2], {"archive": "keras"}),
              ("activation_prelu", L.Activation(L.PReLU()), [4, 3], {}), ("conv1d_transpose_prelu", L.Conv1DTranspose(3, 2, activation=L.PReLU()), [4, 2], {})]
    for name, layer, shape, options in slopes:
        layer(np.zeros((1, *shape), "float32"))  # Keras 3 makes the slopes when the layer first runs
        golden(name, single(layer, shape), [normal(2, *shape)], [type(layer).__name__, "PReLU"], **options)
    softmax = [("dense_softmax_axis_1", L.Dense(4, activation=L.Softmax(axis=1)), [3, 5]), ("conv2d_softmax_axis_minus_2", L.Conv2D(3, 2, activation=L.Softmax(axis=-2)), [4, 5, 2]),
               ("activation_softmax_two_axes", L.Activation(L.Softmax(axis=[1, 2])), [4, 3])]
    for name, layer, shape in softmax:
        golden(name, single(layer, shape), [normal(2, *shape)], [type(layer).__name__, "Softmax"])


activations()
advanced()
layers_as_activations()
