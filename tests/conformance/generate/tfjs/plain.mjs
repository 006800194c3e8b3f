// Layers that drop, merge, move or pool over volumes, as TensorFlow.js computes and writes them.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

const cases = [
  ['SpatialDropout1D', 'spatial_dropout1d_default', c => tf.layers.spatialDropout1d(c), {rate: 0.5}, [4, 3]],
  ['SpatialDropout1D', 'spatial_dropout1d_seed', c => tf.layers.spatialDropout1d(c), {rate: 0.1, seed: 3}, [5, 2]],
  ['GaussianNoise', 'gaussian_noise_default', c => tf.layers.gaussianNoise(c), {stddev: 0.5}, [4]],
  ['GaussianNoise', 'gaussian_noise_other', c => tf.layers.gaussianNoise(c), {stddev: 0.1}, [3, 2]],
  ['GaussianDropout', 'gaussian_dropout_default', c => tf.layers.gaussianDropout(c), {rate: 0.3}, [4]],
  ['GaussianDropout', 'gaussian_dropout_other', c => tf.layers.gaussianDropout(c), {rate: 0.1}, [3, 2]],
  ['AlphaDropout', 'alpha_dropout_default', c => tf.layers.alphaDropout(c), {rate: 0.3}, [4]],
  ['AlphaDropout', 'alpha_dropout_other', c => tf.layers.alphaDropout(c), {rate: 0.1}, [3, 2]],
  ['MaxPooling3D', 'max_pooling3d_default', c => tf.layers.maxPooling3d(c), {}, [4, 5, 4, 2]],
  ['MaxPooling3D', 'max_pooling3d_same', c => tf.layers.maxPooling3d(c), {poolSize: [2, 3, 2], strides: [1, 2, 2], padding: 'same'}, [3, 4, 3, 2]],
  ['AveragePooling3D', 'average_pooling3d_default', c => tf.layers.averagePooling3d(c), {}, [4, 5, 4, 2]],
  ['AveragePooling3D', 'average_pooling3d_same', c => tf.layers.averagePooling3d(c), {poolSize: [2, 3, 2], strides: [1, 2, 2], padding: 'same'}, [3, 4, 3, 2]],
  ['AveragePooling1D', 'average_pooling1d_strides', c => tf.layers.averagePooling1d(c), {poolSize: 3, strides: 2}, [8, 2]],
  ['AveragePooling1D', 'average_pooling1d_same', c => tf.layers.averagePooling1d(c), {poolSize: 2, strides: 3, padding: 'same'}, [7, 2]],
  ['GlobalAveragePooling1D', 'global_average_pooling1d_default', c => tf.layers.globalAveragePooling1d(c), {}, [4, 2]],
  ['GlobalAveragePooling1D', 'global_average_pooling1d_after_conv', c => tf.layers.globalAveragePooling1d(c), {}, [7, 3]],
  ['Conv3D', 'conv3d_valid', c => tf.layers.conv3d(c), {filters: 2, kernelSize: 2}, [3, 4, 3, 2]],
  ['Conv3D', 'conv3d_same_strides', c => tf.layers.conv3d(c), {filters: 3, kernelSize: [1, 3, 2], strides: [1, 2, 1], padding: 'same', activation: 'relu'}, [2, 4, 3, 1]],
  ['Rescaling', 'rescaling_default', c => tf.layers.rescaling(c), {scale: 0.5}, [3, 2]],
  ['Rescaling', 'rescaling_offset', c => tf.layers.rescaling(c), {scale: 1 / 127.5, offset: -1}, [3, 4, 3]],
];
for (const [layer, name, make, config, shape] of cases) {
  await golden(name, {layers: [layer], model: single(make(config), shape), inputs: [normal([2, ...shape])]});
}

const merges = {
  Average: c => tf.layers.average(c), Maximum: c => tf.layers.maximum(c), Minimum: c => tf.layers.minimum(c),
};
for (const [layer, make] of Object.entries(merges)) {
  for (const [name, a, b] of [['same_shape', [3, 4], [3, 4]], ['broadcast', [3, 2, 4], [3, 2, 1]], ['open', [null, 3], [null, 3]]]) {
    const inputs = [a, b].map((shape, i) => tf.input({shape, name: 'ab'[i]}));
    const sizes = [a, b].map(shape => [2, ...shape.map(n => n ?? 4)]);
    await golden(`${layer.toLowerCase()}_${name}`, {
      layers: [layer], model: tf.model({inputs, outputs: make().apply(inputs)}), inputs: sizes.map(shape => normal(shape)),
    });
  }
}
done();
