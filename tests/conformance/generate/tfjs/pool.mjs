// Pooling in two dimensions as TensorFlow.js computes and writes it. `keepdims` is absent: TensorFlow.js drops the key.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

const windows = [
  ['default', {}],
  ['valid', {poolSize: 3}],
  ['same', {poolSize: 3, padding: 'same'}],
  ['strides_1_same', {poolSize: 2, strides: 1, padding: 'same'}],
  ['strides_1_valid', {poolSize: 3, strides: 1}],
  ['strides_2_same', {poolSize: 3, strides: 2, padding: 'same'}],
  ['rectangular', {poolSize: [2, 3], strides: [1, 2]}],
  ['rectangular_same', {poolSize: [3, 2], strides: [2, 1], padding: 'same'}],
  ['strides_larger_than_pool', {poolSize: 2, strides: 3}],
  ['channels_first', {poolSize: 2, dataFormat: 'channelsFirst'}],
  ['channels_first_same', {poolSize: [3, 2], strides: [2, 1], padding: 'same', dataFormat: 'channelsFirst'}],
];
for (const [name, config] of windows) {
  for (const [label, make, layer] of [['max', tf.layers.maxPooling2d, 'MaxPooling2D'], ['average', tf.layers.averagePooling2d, 'AveragePooling2D']]) {
    const shape = config.dataFormat ? [3, 7, 6] : [7, 6, 3];
    await golden(`${label}_pooling2d_${name}`, {layers: [layer], model: single(make(config), shape), inputs: [normal([2, ...shape])]});
  }
}
for (const [label, make, layer] of [['max', tf.layers.globalMaxPooling2d, 'GlobalMaxPooling2D'], ['average', tf.layers.globalAveragePooling2d, 'GlobalAveragePooling2D']]) {
  await golden(`global_${label}_pooling2d`, {layers: [layer], model: single(make({}), [4, 5, 3]), inputs: [normal([2, 4, 5, 3])]});
  await golden(`global_${label}_pooling2d_channels_first`,
    {layers: [layer], model: single(make({dataFormat: 'channelsFirst'}), [3, 4, 5]), inputs: [normal([2, 3, 4, 5])]});
}
done();
