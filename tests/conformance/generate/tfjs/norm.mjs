// BatchNormalization and LayerNormalization as TensorFlow.js computes and writes them. BatchNormalization over an axis that is
// not the last is absent: TensorFlow.js computes it wrongly on the CPU, and Keras makes those cases.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

const batch = [
  ['rank2', {}, [5]],
  ['rank3', {epsilon: 0.1}, [4, 3]],
  ['rank4', {}, [4, 3, 2]],
  ['no_center', {center: false}, [4, 3, 2]],
  ['no_scale', {scale: false}, [4, 3, 2]],
  ['no_center_no_scale', {center: false, scale: false, epsilon: 0.01}, [4, 3, 2]],
  ['axis_number', {axis: 3}, [4, 3, 2]],
];
for (const [name, config, shape] of batch) {
  await golden(`batch_normalization_${name}`,
    {layers: ['BatchNormalization'], model: single(tf.layers.batchNormalization(config), shape), inputs: [normal([3, ...shape])]});
}
await golden('batch_normalization_after_dense', {
  layers: ['BatchNormalization', 'Dense'],
  model: tf.sequential({layers: [tf.layers.dense({units: 6, inputShape: [4], useBias: false}), tf.layers.batchNormalization(), tf.layers.activation({activation: 'relu'}), tf.layers.dense({units: 3})]}),
  inputs: [normal([3, 4])],
});
await golden('batch_normalization_after_conv', {
  layers: ['BatchNormalization', 'Conv2D', 'DepthwiseConv2D'],
  model: tf.sequential({layers: [
    tf.layers.conv2d({filters: 5, kernelSize: 3, strides: 2, padding: 'same', useBias: false, inputShape: [7, 7, 3]}),
    tf.layers.batchNormalization({epsilon: 1e-3}), tf.layers.reLU({maxValue: 6}),
    tf.layers.depthwiseConv2d({kernelSize: 3, padding: 'same', useBias: true}),
    tf.layers.batchNormalization({scale: false}), tf.layers.reLU(),
    tf.layers.conv2d({filters: 4, kernelSize: 1, activation: 'relu'}),
    tf.layers.batchNormalization(),
  ]}),
  inputs: [normal([2, 7, 7, 3])],
});

const layer = [
  ['rank2', {}, [5]],
  ['rank3', {epsilon: 0.1}, [4, 3]],
  ['rank4_two_axes', {axis: [2, 3]}, [4, 3, 2]],
  ['rank4_all_axes', {axis: [1, 2, 3]}, [4, 3, 2]],
  ['axis_1', {axis: 1}, [4, 3]],
  ['negative_axes', {axis: [-2, -1]}, [4, 3, 2]],
  ['no_center', {center: false}, [4, 3]],
  ['no_scale', {scale: false}, [4, 3]],
  ['no_center_no_scale', {center: false, scale: false}, [4, 3]],
];
for (const [name, config, shape] of layer) {
  await golden(`layer_normalization_${name}`,
    {layers: ['LayerNormalization'], model: single(tf.layers.layerNormalization(config), shape), inputs: [normal([2, ...shape])]});
}
done();
