// Merging and reshaping layers as TensorFlow.js computes and writes them. Concatenate with a negative axis other than -1 is
// absent: TensorFlow.js takes the last axis for every one of them.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

/** A model whose inputs `a`, `b`, ... of these shapes all go into one layer. */
function merge(layer, shapes) {
  const inputs = shapes.map((shape, i) => tf.input({shape, name: 'abcd'[i]}));
  return tf.model({inputs, outputs: layer.apply(inputs)});
}
const makers = (shapes, batch = 2) => shapes.map(shape => normal([batch, ...shape]));

const adds = [
  ['two', [[3, 4], [3, 4]]],
  ['three', [[5], [5], [5]]],
  ['broadcast_channel', [[3, 2, 4], [1, 1, 4]]],
  ['broadcast_both', [[3, 1], [1, 4]]],
  ['broadcast_rank', [[3, 2, 4], [4]]],
];
for (const [name, shapes] of adds) {
  await golden(`add_${name}`, {layers: ['Add'], model: merge(tf.layers.add(), shapes), inputs: makers(shapes)});
}
const concats = [
  ['default', {}, [[3, 2], [3, 4]]],
  ['axis_last', {axis: -1}, [[3, 2, 2], [3, 2, 1], [3, 2, 3]]],
  ['axis_1', {axis: 1}, [[3, 4], [2, 4]]],
  ['axis_2', {axis: 2}, [[3, 4, 2], [3, 1, 2]]],
];
for (const [name, config, shapes] of concats) {
  await golden(`concatenate_${name}`, {layers: ['Concatenate'], model: merge(tf.layers.concatenate(config), shapes), inputs: makers(shapes)});
}

const shapes = [
  ['flatten_rank3', 'Flatten', 'flatten', {}, [3, 4]],
  ['flatten_rank4', 'Flatten', 'flatten', {}, [3, 2, 4]],
  ['flatten_channels_first', 'Flatten', 'flatten', {dataFormat: 'channelsFirst'}, [4, 3, 2]],
  ['flatten_channels_first_rank3', 'Flatten', 'flatten', {dataFormat: 'channelsFirst'}, [4, 3]],
  ['reshape_split', 'Reshape', 'reshape', {targetShape: [2, 3]}, [6]],
  ['reshape_minus_one', 'Reshape', 'reshape', {targetShape: [-1, 4]}, [3, 8]],
  ['reshape_minus_one_middle', 'Reshape', 'reshape', {targetShape: [2, -1, 2]}, [3, 8]],
  ['reshape_null', 'Reshape', 'reshape', {targetShape: [null, 3]}, [4, 6]],
  ['zero_padding2d_default', 'ZeroPadding2D', 'zeroPadding2d', {}, [3, 2, 2]],
  ['zero_padding2d_int', 'ZeroPadding2D', 'zeroPadding2d', {padding: 2}, [3, 2, 2]],
  ['zero_padding2d_pair', 'ZeroPadding2D', 'zeroPadding2d', {padding: [1, 2]}, [3, 2, 2]],
  ['zero_padding2d_nested', 'ZeroPadding2D', 'zeroPadding2d', {padding: [[0, 1], [2, 0]]}, [3, 2, 2]],
  ['zero_padding2d_channels_first', 'ZeroPadding2D', 'zeroPadding2d', {padding: [[1, 0], [2, 1]], dataFormat: 'channelsFirst'}, [2, 3, 2]],
];
for (const [name, layer, make, config, shape] of shapes) {
  await golden(name, {layers: [layer], model: single(tf.layers[make](config), shape), inputs: [normal([2, ...shape])]});
}
done();
