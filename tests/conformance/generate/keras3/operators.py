"""Operators on symbolic tensors, which Keras 3 writes as nodes of its own whose class names may equal a layer's."""

from golden import L, golden, keras, normal

ops = keras.ops
K = [("op_add", "Add", lambda x, y: x + y), ("op_add_scalar", "Add", lambda x, y: x + 1.5), ("op_multiply_scalar", "Multiply", lambda x, y: x * 2.0),
     ("op_scalar_minus", "Subtract", lambda x, y: 2.0 - x), ("op_subtract", "Subtract", lambda x, y: x - y), ("op_divide", "TrueDivide", lambda x, y: x / 4.0),
     ("op_negative", "Negative", lambda x, y: -x), ("op_power", "Power", lambda x, y: x**2), ("op_relu", "Relu", lambda x, y: ops.relu(x)),
     ("op_leaky_relu", "LeakyRelu", lambda x, y: ops.leaky_relu(x, negative_slope=0.3)), ("op_sigmoid", "Sigmoid", lambda x, y: ops.sigmoid(x)),
     ("op_softmax", "Softmax", lambda x, y: ops.softmax(x, axis=1)), ("op_gelu", "Gelu", lambda x, y: ops.gelu(x, approximate=True)),
     ("op_mean", "Mean", lambda x, y: ops.mean(x, axis=1)), ("op_mean_keepdims", "Mean", lambda x, y: ops.mean(x, axis=[1, 2], keepdims=True)),
     ("op_max", "Max", lambda x, y: ops.max(x, axis=-1)), ("op_sum", "Sum", lambda x, y: ops.sum(x, axis=1)),
     ("op_slice", "GetItem", lambda x, y: x[:, 1:]), ("op_slice_last", "GetItem", lambda x, y: x[:, :, -1]), ("op_slice_step", "GetItem", lambda x, y: x[:, ::2, 1:3]),
     ("op_slice_ellipsis_newaxis", "GetItem", lambda x, y: x[..., 0, None]), ("op_reshape", "Reshape", lambda x, y: ops.reshape(x, (-1, 12))),
     ("op_concatenate", "Concatenate", lambda x, y: ops.concatenate([x, y], axis=-1)), ("op_stack", "Stack", lambda x, y: ops.stack([x, y], axis=1)),
     ("op_matmul", "Matmul", lambda x, y: ops.matmul(x, ops.transpose(y, (0, 2, 1)))), ("op_expand_dims_squeeze", "ExpandDims", lambda x, y: ops.squeeze(ops.expand_dims(x, 1), 1) * y)]
BINARY = {"op_add", "op_subtract", "op_concatenate", "op_stack", "op_matmul", "op_expand_dims_squeeze"}
for name, layer, op in K:
    x, y = keras.Input([3, 4], name="x"), keras.Input([3, 4], name="y")
    out = op(L.Dense(4, name="d")(x), y)
    golden(name, keras.Model([x, y] if name in BINARY else x, out), [normal(2, 3, 4)] * (2 if name in BINARY else 1), layer,
           note="an operator, not a layer")

x, y = keras.Input([4], name="x"), keras.Input([4], name="y")
out = L.Add(name="a_layer")([L.Dense(4, name="d")(x) + y, y * 0.5, x])
golden("op_and_layer_add", keras.Model([x, y], out), [normal(2, 4), normal(2, 4)], "Add", note="`Add` the operator and `Add` the layer in one model")
golden("op_keras_archive", keras.Model([x, y], L.Dense(2, name="e")(ops.relu(x - y) * 2.0)), [normal(2, 4), normal(2, 4)], "Subtract", archive="keras",
       note="operators in a .keras conversion")
