// Transposed and separable convolutions as TensorFlow.js computes and writes them. Output padding and dilated transposes are absent: it drops
// these keys; so is `depthMultiplier` of a separable convolution, which it leaves out of what it
// writes, and a bias where the channels stand first: it adds that along the height.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

const IMAGE = [3, 4, 2];
const FIRST = [2, 3, 4];
const transposed = [
  ['valid', {kernelSize: 3}],
  ['same_relu', {kernelSize: 3, padding: 'same', activation: 'relu'}],
  ['strides_2_valid', {kernelSize: 3, strides: 2}],
  ['strides_2_same', {kernelSize: 3, strides: 2, padding: 'same'}],
  ['strides_2_even_kernel_same', {kernelSize: 4, strides: 2, padding: 'same', useBias: false}],
  ['strides_1_3_same', {kernelSize: [2, 5], strides: [1, 3], padding: 'same', activation: 'tanh'}],
  ['strides_larger_than_kernel', {kernelSize: 2, strides: 3}],
  ['strides_larger_than_kernel_same', {kernelSize: 1, strides: 2, padding: 'same'}],
  ['softmax_activation', {kernelSize: 2, strides: 2, activation: 'softmax'}],
  ['channels_first', {kernelSize: 3, strides: 2, padding: 'same', dataFormat: 'channelsFirst'}, FIRST],
  ['channels_first_valid', {kernelSize: [2, 3], dataFormat: 'channelsFirst', activation: 'elu'}, FIRST],
];
for (const [name, config, shape = IMAGE] of transposed) {
  await golden(`conv2d_transpose_${name}`,
    {layers: ['Conv2DTranspose'], model: single(tf.layers.conv2dTranspose({filters: 3, ...config}), shape), inputs: [normal([2, ...shape])]});
}
for (const [height, width] of [[3, 4], [5, 2]]) {
  await golden(`open_conv2d_transpose_${height}x${width}`, {
    layers: ['Conv2DTranspose'], model: single(tf.layers.conv2dTranspose({filters: 2, kernelSize: 3, strides: 2, padding: 'same'}), [null, null, 2]),
    inputs: [normal([2, height, width, 2])],
  });
}

const volumes = [
  ['valid', {kernelSize: 2}],
  ['strides_2_same', {kernelSize: 3, strides: 2, padding: 'same', activation: 'relu'}],
  ['strides_1_2_3_valid', {kernelSize: [1, 2, 2], strides: [1, 2, 3], useBias: false}],
];
for (const [name, config, shape = [2, 2, 3, 2]] of volumes) {
  await golden(`conv3d_transpose_${name}`,
    {layers: ['Conv3DTranspose'], model: single(tf.layers.conv3dTranspose({filters: 2, ...config}), shape), inputs: [normal([2, ...shape])]});
}

const separable = [
  ['valid', {filters: 4, kernelSize: 3}, [5, 4, 2]],
  ['same_relu6', {filters: 3, kernelSize: 3, padding: 'same', activation: 'relu6'}, [4, 5, 3]],
  ['rectangular_no_bias', {filters: 2, kernelSize: [2, 3], useBias: false}, [4, 5, 2]],
  ['strides_2_same', {filters: 3, kernelSize: 3, strides: 2, padding: 'same'}, [5, 5, 2]],
  ['dilation_2_same', {filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same'}, [5, 6, 2]],
  ['channels_first', {filters: 3, kernelSize: 3, dataFormat: 'channelsFirst', useBias: false, activation: 'tanh'}, [2, 5, 4]],
];
for (const [name, config, shape] of separable) {
  await golden(`separable_conv2d_${name}`,
    {layers: ['SeparableConv2D'], model: single(tf.layers.separableConv2d(config), shape), inputs: [normal([2, ...shape])]});
}
await golden('open_separable_conv2d', {
  layers: ['SeparableConv2D'], model: single(tf.layers.separableConv2d({filters: 2, kernelSize: 3, strides: 2, padding: 'same'}), [null, null, 2]),
  inputs: [normal([2, 5, 6, 2])],
});
done();
