// Dense, Activation, Dropout and the parametric activation layers, as TensorFlow.js computes and writes them.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

const ACTIVATIONS = ['elu', 'selu', 'relu', 'relu6', 'linear', 'sigmoid', 'hardSigmoid', 'softplus', 'softsign', 'tanh', 'softmax',
  'logSoftmax', 'gelu', 'gelu_new', 'mish', 'swish'];
const snake = name => name.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();

for (const [i, activation] of ACTIVATIONS.entries()) {
  // Loading mangles `gelu_new` into `geluNew`: TensorFlow.js writes such a model and cannot read it.
  const extra = activation === 'gelu_new' ? {reload: false, note: 'TensorFlow.js cannot read this file back (it looks for geluNew)'} : {};
  await golden(`activation_${snake(activation)}`,
    {layers: ['Activation'], model: single(tf.layers.activation({activation}), [6]), inputs: [normal([3, 6], 4)], ...extra});
  const rank3 = i % 3 === 2;
  await golden(`dense_${snake(activation)}`, {
    layers: ['Dense'],
    model: single(tf.layers.dense({units: 4, activation, useBias: i % 2 === 0}), rank3 ? [3, 5] : [5]),
    inputs: [normal(rank3 ? [2, 3, 5] : [3, 5])], ...extra,
  });
}

await golden('dense_rank4', {layers: ['Dense'], model: single(tf.layers.dense({units: 3}), [2, 3, 4]), inputs: [normal([2, 2, 3, 4])]});
await golden('activation_rank4_softmax',
  {layers: ['Activation'], model: single(tf.layers.activation({activation: 'softmax'}), [3, 2, 4]), inputs: [normal([2, 3, 2, 4], 3)]});
await golden('dense_constraints', {
  layers: ['Dense'],
  note: 'initializers, regularizers and constraints are written and do not matter to inference',
  model: single(tf.layers.dense({
    units: 4, kernelInitializer: 'heUniform', biasInitializer: tf.initializers.constant({value: 0.5}),
    kernelRegularizer: tf.regularizers.l1l2({l1: 0.1, l2: 0.2}), kernelConstraint: tf.constraints.maxNorm({maxValue: 100, axis: 0}),
  }), [5]),
  inputs: [normal([3, 5])],
});

const advanced = [
  ['relu_default', 'ReLU', {}],
  ['relu_max_value', 'ReLU', {maxValue: 2.5}],
  ['leaky_relu_default', 'LeakyReLU', {}],
  ['leaky_relu_alpha', 'LeakyReLU', {alpha: 0.1}],
  ['elu_default', 'ELU', {}],
  ['thresholded_relu_default', 'ThresholdedReLU', {}],
  ['thresholded_relu_theta', 'ThresholdedReLU', {theta: 2.5}],
  ['prelu_default', 'PReLU', {}],
  ['prelu_shared_axes', 'PReLU', {sharedAxes: [1, 2]}],
  ['prelu_shared_one_axis', 'PReLU', {sharedAxes: [1]}],
  ['softmax_last_axis', 'Softmax', {axis: -1}],
  ['softmax_axis_number', 'Softmax', {axis: 3}],
  ['dropout_rank4', 'Dropout', {rate: 0.4}],
  ['dropout_noise_shape', 'Dropout', {rate: 0.9, noiseShape: [2, 1, 1, 3], seed: 7}],
];
const MAKERS = {ReLU: 'reLU', LeakyReLU: 'leakyReLU', ELU: 'elu', ThresholdedReLU: 'thresholdedReLU', PReLU: 'prelu', Softmax: 'softmax', Dropout: 'dropout'};
for (const [name, layer, config] of advanced) {
  await golden(name, {layers: [layer], model: single(tf.layers[MAKERS[layer]](config), [4, 2, 3]), inputs: [normal([2, 4, 2, 3], 3)]});
}
await golden('elu_rank2', {layers: ['ELU'], model: single(tf.layers.elu({alpha: 1}), [6]), inputs: [normal([3, 6], 3)]});
await golden('softmax_default_rank2', {
  layers: ['Softmax'], note: 'axis is absent or 1: the last axis of a matrix',
  model: single(tf.layers.softmax(), [5]), inputs: [normal([3, 5], 3)],
});
done();
