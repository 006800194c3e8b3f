// Conv2D and DepthwiseConv2D as TensorFlow.js computes and writes them. Dilated depthwise is absent: TensorFlow.js drops the key.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

const IMAGE = [7, 6, 3];
const FIRST = [3, 7, 6];
const conv = [
  ['valid', {kernelSize: 3}],
  ['same_relu', {kernelSize: 3, padding: 'same', activation: 'relu'}],
  ['strides_2_valid', {kernelSize: 3, strides: 2}],
  ['strides_2_same', {kernelSize: 3, strides: 2, padding: 'same'}],
  ['strides_1_2_same', {kernelSize: 3, strides: [1, 2], padding: 'same', activation: 'tanh'}],
  ['strides_2_1_valid', {kernelSize: [2, 3], strides: [2, 1]}],
  ['dilation_2_valid', {kernelSize: 3, dilationRate: 2}],
  ['dilation_2_same', {kernelSize: 3, dilationRate: [2, 2], padding: 'same', activation: 'relu6'}],
  ['dilation_1_2_same', {kernelSize: [2, 3], dilationRate: [1, 2], padding: 'same'}],
  ['even_kernel_same', {kernelSize: 4, padding: 'same'}],
  ['even_kernel_strides_2_same', {kernelSize: 2, strides: 2, padding: 'same'}],
  ['one_by_one', {kernelSize: 1, useBias: false}],
  ['one_by_one_strides_2', {kernelSize: 1, strides: 2, activation: 'sigmoid'}],
  ['rectangular_valid', {kernelSize: [1, 4], activation: 'elu'}],
  ['rectangular_same', {kernelSize: [5, 2], padding: 'same', useBias: false}],
  ['small_input_same', {kernelSize: 5, padding: 'same'}, [2, 3, 3]],
  ['small_input_strides_3_same', {kernelSize: 5, strides: 3, padding: 'same'}, [2, 4, 3]],
  ['strides_larger_than_kernel', {kernelSize: 2, strides: 3}],
  ['strides_larger_than_kernel_same', {kernelSize: 2, strides: 3, padding: 'same'}],
  ['softmax_activation', {kernelSize: 2, activation: 'softmax'}],
  ['channels_first_valid', {kernelSize: 3, dataFormat: 'channelsFirst', activation: 'relu'}, FIRST],
  ['channels_first_strides_2_same', {kernelSize: [3, 2], strides: 2, padding: 'same', dataFormat: 'channelsFirst'}, FIRST],
  ['channels_first_dilation', {kernelSize: 2, dilationRate: 2, dataFormat: 'channelsFirst', useBias: false}, FIRST],
];
for (const [name, config, shape = IMAGE] of conv) {
  await golden(`conv2d_${name}`,
    {layers: ['Conv2D'], model: single(tf.layers.conv2d({filters: 4, ...config}), shape), inputs: [normal([2, ...shape])]});
}
await golden('conv2d_unknown_size', {
  layers: ['Conv2D'], note: 'the input shape is [null, null, null, 3]',
  model: single(tf.layers.conv2d({filters: 4, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu'}), [null, null, 3]),
  inputs: [normal([2, 5, 8, 3])],
});

const depthwise = [
  ['valid', {kernelSize: 3}],
  ['same_relu6', {kernelSize: 3, padding: 'same', activation: 'relu6'}],
  ['multiplier_2', {kernelSize: 3, depthMultiplier: 2, padding: 'same', activation: 'tanh'}],
  ['multiplier_3_no_bias', {kernelSize: 2, depthMultiplier: 3, useBias: false}],
  ['strides_2_same', {kernelSize: 3, strides: 2, padding: 'same'}],
  ['strides_2_valid', {kernelSize: 3, strides: [2, 2], activation: 'relu'}],
  ['rectangular', {kernelSize: [2, 4], padding: 'same', useBias: false}],
  ['small_input_same', {kernelSize: 5, padding: 'same'}, [2, 3, 3]],
  ['channels_first', {kernelSize: 3, dataFormat: 'channelsFirst', depthMultiplier: 2, activation: 'relu'}, FIRST],
  ['channels_first_strides_2_same', {kernelSize: [3, 2], strides: 2, padding: 'same', dataFormat: 'channelsFirst'}, FIRST],
];
for (const [name, config, shape = IMAGE] of depthwise) {
  await golden(`depthwise_conv2d_${name}`,
    {layers: ['DepthwiseConv2D'], model: single(tf.layers.depthwiseConv2d(config), shape), inputs: [normal([2, ...shape])]});
}
done();
