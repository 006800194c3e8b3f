"""Nodes of a TensorFlow graph as TensorFlow 2.0 to 2.3 wrote them into a Keras model: `TensorFlowOpLayer`, with the NodeDef as JSON and
constants by position. No version that is pinned here writes them, so the layers are written from a real graph, as those versions did,
and the graph itself computes the outputs."""

import numpy as np
from golden import L, golden, keras, normal, tf
from google.protobuf.json_format import MessageToJson


def layers_of(graph, outputs):
    """The layers of a graph: one for each node that is neither an input nor a constant."""
    layers, constant = [], {}
    for op in graph.get_operations():
        if op.type == "Const":
            constant[op.name] = tf.make_ndarray(op.get_attr("value")).tolist()
        elif op.type == "Placeholder":
            config = {"batch_input_shape": [None, *op.outputs[0].shape.as_list()[1:]], "dtype": op.outputs[0].dtype.name, "sparse": False, "ragged": False, "name": op.name}
            layers.append({"class_name": "InputLayer", "config": config, "name": op.name, "inbound_nodes": []})
        else:
            constants = {str(i): constant[x.op.name] for i, x in enumerate(op.inputs) if x.op.name in constant}
            inbound = [[layer_name(x.op), 0, x.value_index, {}] for x in op.inputs if x.op.name not in constant]
            config = {"name": layer_name(op), "trainable": True, "dtype": "float32", "node_def": MessageToJson(op.node_def), "constants": constants}
            layers.append({"class_name": "TensorFlowOpLayer", "config": config, "name": layer_name(op), "inbound_nodes": [inbound]})
    return layers, [[layer_name(x.op), 0, x.value_index] for x in outputs]


def layer_name(op):
    return op.name if op.type == "Placeholder" else "tf_op_layer_" + op.name.replace("/", "_")


def nodes(name, shape, table):
    """One case: each function of the input is one output."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, *shape[1:]], name="x")
        outputs = [tensor for function in table for tensor in (lambda r: r if isinstance(r, (list, tuple)) else [r])(function(x))]
    layers, output_layers = layers_of(graph, outputs)

    def edit(document):
        config = {"name": "model", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": output_layers}
        document["modelTopology"] = {"keras_version": "2.4.0", "backend": "tensorflow", "model_config": {"class_name": "Functional", "config": config}}

    def computed(fed, _weights):
        with tf.compat.v1.Session(graph=graph) as session:
            return [np.asarray(value) for value in session.run(outputs, {x: fed[0]})]

    inputs = keras.Input(shape[1:], name="x")
    golden(name, keras.Model(inputs, L.Activation("linear")(inputs)), [normal(*shape)], "TensorFlowOpLayer", twin=computed, edit=edit,
           note="nodes of a graph, each output is one of them; written from a graph as TensorFlow 2.3 did")


nodes("tf_op_layer_arithmetic", (2, 3, 4), [
    lambda x: x + 1.5, lambda x: 2.0 - x, lambda x: x * x, lambda x: x / 4.0, lambda x: -x, lambda x: tf.maximum(x, 0.3), lambda x: tf.minimum(x, x * 2.0), lambda x: tf.math.squared_difference(x, 1.0),
    lambda x: tf.nn.relu(x), lambda x: tf.nn.relu6(x), lambda x: tf.nn.leaky_relu(x, 0.1), lambda x: tf.nn.elu(x), lambda x: tf.sigmoid(x), lambda x: tf.tanh(x), lambda x: tf.nn.softplus(x), lambda x: tf.nn.softmax(x),
    lambda x: tf.exp(x), lambda x: tf.sqrt(tf.abs(x)), lambda x: tf.math.rsqrt(tf.square(x) + 1.0), lambda x: tf.math.log(tf.abs(x) + 1.0), lambda x: tf.math.floor(x), lambda x: tf.round(x), lambda x: tf.math.pow(tf.abs(x), 1.5),
    lambda x: tf.cast(x, tf.int32), lambda x: tf.greater(x, 0.0), lambda x: tf.where(tf.greater(x, 0.0), x, tf.zeros_like(x)), lambda x: tf.clip_by_value(x, -1.0, 1.0), lambda x: tf.math.floormod(x, 0.7), lambda x: x // 0.5,
    lambda x: tf.nn.bias_add(x, [1.0, 2.0, 3.0, 4.0]), lambda x: tf.add_n([x, x, x * 2.0]), lambda x: tf.identity(x), lambda x: tf.stop_gradient(x), lambda x: tf.nn.l2_normalize(x, -1),
])
nodes("tf_op_layer_layout", (2, 3, 4), [
    lambda x: tf.reshape(x, [-1, 12]), lambda x: tf.transpose(x, [0, 2, 1]), lambda x: tf.expand_dims(x, 1), lambda x: tf.squeeze(tf.expand_dims(x, 1), [1]), lambda x: tf.concat([x, x * 2.0], -1), lambda x: tf.stack([x, x], 1),
    lambda x: tf.unstack(x, axis=1), lambda x: tf.split(x, 2, -1), lambda x: tf.split(x, [1, 2], 1), lambda x: x[:, 1:], lambda x: x[:, 0], lambda x: x[..., tf.newaxis, 1], lambda x: x[:, ::-1, ::2], lambda x: tf.slice(x, [0, 1, 1], [-1, 2, 2]),
    lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]]), lambda x: tf.pad(x, [[0, 0], [1, 0], [2, 0]], constant_values=3.0), lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]], "REFLECT"), lambda x: tf.tile(x, [1, 2, 1]), lambda x: tf.reverse(x, [1]),
    lambda x: tf.reduce_mean(x, [1]), lambda x: tf.reduce_mean(x, [1, 2], keepdims=True), lambda x: tf.reduce_sum(x, -1), lambda x: tf.reduce_max(x, 1), lambda x: tf.reduce_min(x, [2]), lambda x: tf.reduce_prod(x, 1), lambda x: tf.argmax(x, 1),
    lambda x: tf.gather(x, [2, 0], axis=1), lambda x: tf.math.top_k(x, 2)[0], lambda x: tf.cumsum(x, 1), lambda x: tf.matmul(x, x, transpose_b=True), lambda x: tf.matmul(x[:, 0], [[1.0], [2.0], [3.0], [4.0]]),
    lambda x: tf.reshape(x, [tf.shape(x)[0], 2, 6]), lambda x: tf.one_hot(tf.cast(tf.abs(x[:, 0]), tf.int32), 3), lambda x: tf.linalg.band_part(x, 1, 0), lambda x: tf.roll(x, [1], [1]),
])
nodes("tf_op_layer_images", (2, 4, 6, 3), [
    lambda x: tf.compat.v1.image.resize_bilinear(x, [8, 5]), lambda x: tf.compat.v1.image.resize_bilinear(x, [8, 5], half_pixel_centers=True), lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [8, 5]),
    lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [8, 5], half_pixel_centers=True), lambda x: tf.nn.space_to_depth(x, 2), lambda x: tf.nn.depth_to_space(tf.nn.space_to_depth(x, 2), 2), lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
    lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), lambda x: tf.nn.conv2d(x, np.linspace(-1, 1, 54).reshape(3, 3, 3, 2).astype("float32"), 2, "SAME"), lambda x: tf.nn.conv2d(x, np.linspace(-1, 1, 24).reshape(2, 2, 3, 2).astype("float32"), 1, [[0, 0], [1, 0], [0, 1], [0, 0]]),
    lambda x: tf.nn.depthwise_conv2d(x, np.linspace(-1, 1, 12).reshape(2, 2, 3, 1).astype("float32"), [1, 1, 1, 1], "SAME"), lambda x: tf.nn.lrn(x, 1),
])
T = tf.compat.v1
nodes("tf_op_layer_scatter", (2, 3, 4), [
    lambda x: tf.fill(tf.shape(x)[:2], 1.5) * x[:, :, 0], lambda x: tf.scatter_nd([[1], [3]], x[:, 0], [5, 4]), lambda x: tf.tensor_scatter_nd_update(x[0], [[1], [0]], x[:, 1]), lambda x: tf.tensor_scatter_nd_add(x[0], [[1], [1]], x[:, 1]), lambda x: tf.tensor_scatter_nd_max(x[0], [[1], [1]], x[:, 1]),
    lambda x: tf.math.unsorted_segment_sum(x[0], [2, 0, 2], 4), lambda x: tf.math.unsorted_segment_max(x[0], [2, 0, 2], 3), lambda x: tf.reverse_sequence(x, [2, 3], 1), lambda x: tf.math.in_top_k([1, 3], x[:, 0], 2), lambda x: tf.math.cumulative_logsumexp(x, 1), lambda x: tf.math.erfinv(0.9 * tf.tanh(x)),
    lambda x: tf.math.lgamma(x), lambda x: tf.math.digamma(tf.abs(x) + 0.5), lambda x: tf.math.ndtri(tf.sigmoid(x)), lambda x: tf.linalg.inv(tf.matmul(x, x, transpose_b=True) + tf.linalg.diag(tf.ones_like(x[:, :, 0]))), lambda x: tf.linalg.det(x[:, :, :3]), lambda x: tf.linalg.cholesky(tf.matmul(x, x, transpose_b=True) + tf.linalg.diag(tf.ones_like(x[:, :, 0]))), lambda x: tf.linalg.solve(x[:, :, :3], x),
    lambda x: tf.linalg.triangular_solve(x[:, :, :3], x, lower=False), lambda x: tf.linalg.qr(x), lambda x: tf.raw_ops.Div(x=x, y=3.0), lambda x: tf.truncatediv(tf.cast(x * 3.0, tf.int32), 2), lambda x: tf.nn.l2_loss(x), lambda x: tf.math.bessel_i0e(x), lambda x: tf.linalg.diag_part(x), lambda x: tf.linalg.diag_part(x, k=1), lambda x: tf.linalg.diag(x[:, 0]), lambda x: tf.linalg.set_diag(x[:, :, :3], x[:, 0, :3]), lambda x: tf.identity_n([x, x])[1], lambda x: tf.unravel_index(tf.cast(tf.abs(x[0, 0]), tf.int32), [2, 3]), lambda x: tf.math.xlog1py(x, tf.abs(x)),
])
nodes("tf_op_layer_resampled", (2, 4, 6, 3), [
    lambda x: T.image.resize_bicubic(x, [7, 5]), lambda x: T.image.resize_area(x, [3, 4]), lambda x: T.image.resize_bilinear(x, [7, 5], align_corners=True), lambda x: T.image.resize_nearest_neighbor(x, [7, 5], align_corners=True), lambda x: T.image.resize_bicubic(x, [7, 5], align_corners=True),
    lambda x: tf.image.crop_and_resize(x, [[0.0, 0.1, 0.9, 1.0], [0.5, 1.2, -0.1, 0.0]], [1, 0], [3, 4], extrapolation_value=2.0), lambda x: tf.image.crop_and_resize(x, [[0.0, 0.1, 0.9, 1.0]], [1], [3, 4], method="nearest"), lambda x: T.nn.dilation2d(x, filter=np.linspace(-1, 1, 12).reshape(2, 2, 3).astype("float32"), strides=[1, 2, 1, 1], rates=[1, 1, 1, 1], padding="SAME"),
    lambda x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 2, 1, 1], [1, 1, 1, 1], "VALID"), lambda x: T.nn.fused_batch_norm(x, [1.0, 2.0, 0.5], [0.0, 1.0, -1.0], [0.1, 0.2, 0.3], [1.0, 0.5, 2.0], is_training=False)[0], lambda x: tf.nn.conv3d(x[:, :, :, None], np.linspace(-1, 1, 24).reshape(2, 2, 1, 3, 2).astype("float32"), [1, 1, 1, 1, 1], "SAME"),
    lambda x: tf.nn.max_pool3d(x[:, :, :, None], [2, 2, 1], 1, "VALID"), lambda x: tf.nn.avg_pool3d(x[:, :, :, None], [2, 2, 1], 1, "SAME"),
])
nodes("tf_op_layer_spectra", (2, 3, 10), [
    lambda x: tf.abs(tf.signal.rfft(x)), lambda x: tf.math.real(tf.signal.rfft(x, [12])), lambda x: tf.signal.irfft(tf.signal.rfft(x)), lambda x: tf.math.imag(tf.signal.fft(tf.cast(x, tf.complex64))), lambda x: tf.abs(tf.signal.ifft2d(tf.cast(x, tf.complex64))), lambda x: tf.math.angle(tf.signal.ifft(tf.complex(x, x * x + 1.0))),
])
nodes("tf_op_layer_composed", (2, 5, 6, 4), [
    lambda x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME"), lambda x: tf.nn.max_pool_with_argmax(tf.round(x), [3, 2], 1, "VALID", output_dtype=tf.int32, include_batch_in_index=True), lambda x: tf.linalg.tensor_diag(x[0, 0, 0]), lambda x: tf.linalg.tensor_diag_part(x[0, 0, :4]),
    lambda x: tf.image.combined_non_max_suppression(tf.sigmoid(tf.reshape(x, [-1, 30, 1, 4])), tf.sigmoid(tf.reshape(x[..., :2], [-1, 30, 2])), 4, 5, 0.3, 0.2), lambda x: tf.image.combined_non_max_suppression(tf.reshape(x, [-1, 15, 2, 4]), tf.reshape(x[..., 1:3], [-1, 30, 2])[:, :15], 2, 9, score_threshold=-5.0, pad_per_class=True, clip_boxes=False),
])
nodes("tf_op_layer_spectra_of_axes", (2, 3, 4, 6), [
    lambda x: tf.abs(tf.signal.rfft2d(x)), lambda x: tf.math.imag(tf.signal.rfft2d(x, [5, 4])), lambda x: tf.signal.irfft2d(tf.signal.rfft2d(x)), lambda x: tf.signal.irfft2d(tf.signal.rfft2d(x), [3, 7]), lambda x: tf.math.real(tf.signal.rfft3d(x)),
    lambda x: tf.signal.irfft3d(tf.signal.rfft3d(x), [3, 4, 6]), lambda x: tf.abs(tf.signal.fft3d(tf.complex(x, x * x))), lambda x: tf.math.real(tf.signal.ifft3d(tf.complex(x, x * x))),
])
nodes("tf_op_layer_decompositions", (2, 4, 4), [
    lambda x: tf.linalg.svd(x, compute_uv=False), lambda x: tf.abs(tf.linalg.svd(x[:, :3])[1]), lambda x: tf.linalg.eigvalsh(x), lambda x: tf.abs(tf.linalg.eigh(x)[1]), lambda x: tf.linalg.sqrtm(tf.matmul(x, x, transpose_b=True) + tf.linalg.diag(tf.ones_like(x[:, 0]))),
    lambda x: tf.linalg.tridiagonal_solve(x[:, :3], x), lambda x: tf.raw_ops.MatrixSolveLs(matrix=x[:, :, :2], rhs=x, l2_regularizer=0.1, fast=True), lambda x: tf.raw_ops.MatrixSolveLs(matrix=x[:, :, :2], rhs=x, l2_regularizer=0.0, fast=False),
])
