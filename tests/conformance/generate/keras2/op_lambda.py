"""Operators on symbolic tensors, which Keras 2 writes as TFOpLambda and SlicingOpLambda layers."""

from golden import L, golden, keras, normal, tf

K = [("tf_add", lambda x, y: x + y), ("tf_add_scalar", lambda x, y: x + 1.5), ("tf_multiply_scalar_first", lambda x, y: 2.0 * x),
     ("tf_subtract_scalar_first", lambda x, y: 2.0 - x), ("tf_divide", lambda x, y: x / 4.0), ("tf_negative", lambda x, y: -x),
     ("tf_nn_relu", lambda x, y: tf.nn.relu(x)), ("tf_nn_relu6", lambda x, y: tf.nn.relu6(x * 3.0)), ("tf_sigmoid", lambda x, y: tf.sigmoid(x)),
     ("tf_reduce_mean", lambda x, y: tf.reduce_mean(x, axis=1)), ("tf_reduce_mean_keepdims", lambda x, y: tf.reduce_mean(x, axis=[1, 2], keepdims=True)),
     ("tf_concat", lambda x, y: tf.concat([x, y], axis=-1)), ("tf_reshape", lambda x, y: tf.reshape(x, [-1, 12])),
     ("tf_slice", lambda x, y: x[:, 1:]), ("tf_slice_last", lambda x, y: x[:, :, -1]), ("tf_slice_step", lambda x, y: x[:, ::2, 1:3]),
     ("tf_slice_ellipsis_newaxis", lambda x, y: x[..., 0, tf.newaxis]), ("tf_matmul", lambda x, y: tf.matmul(x, y, transpose_b=True)),
     ("tf_expand_dims_squeeze", lambda x, y: tf.squeeze(tf.expand_dims(x, 1), axis=1) * y)]
for name, op in K:
    x, y = keras.Input([3, 4], name="x"), keras.Input([3, 4], name="y")
    out = op(L.Dense(4, name="d")(x), y)
    uses_y = name in ("tf_add", "tf_concat", "tf_matmul", "tf_expand_dims_squeeze")
    golden(name, keras.Model([x, y] if uses_y else x, out), [normal(2, 3, 4)] * (2 if uses_y else 1),
           ["SlicingOpLambda" if "slice" in name else "TFOpLambda"])
