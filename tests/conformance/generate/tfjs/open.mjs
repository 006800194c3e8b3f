// Open axes: inputs whose height, width or time is unknown until they arrive. Every model is predicted at two sizes, a case each.
import {done, golden, normal, tf} from '../lib/golden.mjs';

const {layers: L} = tf;

/** One case per size. `sizes`: from the size's label to the makers of the inputs. `build` makes the model anew. */
async function at(name, layers, sizes, build, note) {
  for (const [label, inputs] of Object.entries(sizes)) {
    await golden(`open_${name}_${label}`, {layers, model: build(), inputs, note});
  }
}

const images = (channels, ...sizes) => Object.fromEntries(sizes.map(size => [size, [normal([2, ...size.split('x').map(Number), channels])]]));
const series = (channels, ...lengths) => Object.fromEntries(lengths.map(n => [n, [normal([2, n, channels], 1.5)]]));
const tokens = {
  6: [() => tf.tensor2d([[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]])],
  3: [() => tf.tensor2d([[1, 2, 0], [6, 0, 0], [3, 4, 5]])],
};

/** A functional chain of layers over one input named `x`. */
function chain(shape, ...layers) {
  const x = tf.input({shape, name: 'x'});
  return tf.model({inputs: x, outputs: layers.reduce((y, layer) => layer.apply(y), x)});
}

/** A layer of two inputs. */
function pair(layer, first, second) {
  const inputs = [tf.input({shape: first, name: 'a'}), tf.input({shape: second, name: 'b'})];
  return tf.model({inputs, outputs: layer.apply(inputs)});
}

const conv = (filters, config = {}) => L.conv2d({filters, kernelSize: 3, padding: 'same', activation: 'relu', ...config});

await at('conv2d_same_strides', ['Conv2D'], images(2, '7x6', '4x9'), () => chain([null, null, 2], conv(3, {strides: 2})));
await at('conv2d_valid_height', ['Conv2D'], images(2, '5x6', '8x6'), () => chain([null, 6, 2], conv(2, {kernelSize: [3, 2], strides: [2, 1], padding: 'valid'})), 'only the height is unknown');
await at('depthwise_block', ['DepthwiseConv2D', 'BatchNormalization', 'ReLU', 'Conv2D', 'ZeroPadding2D', 'GlobalAveragePooling2D'], images(2, '6x8', '9x5'), () => chain(
  [null, null, 2], L.zeroPadding2d({padding: [[0, 1], [0, 1]]}), L.depthwiseConv2d({kernelSize: 3, strides: 2, useBias: false}), L.batchNormalization(), L.reLU({maxValue: 6}),
  conv(4, {kernelSize: 1}), L.globalAveragePooling2d({}), L.dense({units: 2})));
await at('pool2d_same', ['MaxPooling2D', 'AveragePooling2D'], images(2, '7x5', '6x9'), () => chain(
  [null, null, 2], L.maxPooling2d({poolSize: 3, strides: 2, padding: 'same'}), L.averagePooling2d({poolSize: 2, padding: 'same'})));
await at('conv1d_dilated', ['Conv1D', 'Add'], series(2, 5, 9), () => {
  const x = tf.input({shape: [null, 2], name: 'x'});
  let y = L.conv1d({filters: 3, kernelSize: 1}).apply(x);
  for (const dilationRate of [1, 2]) {
    y = L.add().apply([y, L.conv1d({filters: 3, kernelSize: 2, dilationRate, padding: 'same', activation: 'tanh'}).apply(y)]);
  }
  return tf.model({inputs: x, outputs: y});
}, 'dilated convolutions with residuals; TensorFlow.js has no causal ones');
await at('conv1d_strides', ['Conv1D', 'MaxPooling1D', 'GlobalMaxPooling1D'], series(2, 9, 12), () => chain(
  [null, 2], L.conv1d({filters: 3, kernelSize: 4, strides: 2}), L.maxPooling1d({poolSize: 2}), L.globalMaxPooling1d({})));
await at('crop_pad2d', ['ZeroPadding2D', 'Cropping2D', 'UpSampling2D', 'Conv2D'], images(2, '4x5', '6x3'), () => chain(
  [null, null, 2], L.zeroPadding2d({padding: [[1, 0], [2, 1]]}), conv(2, {kernelSize: 2, padding: 'valid'}), L.cropping2D({cropping: [[1, 0], [0, 2]]}), L.upSampling2d({size: [2, 1]})));
await at('unet', ['Conv2D', 'MaxPooling2D', 'UpSampling2D', 'Concatenate'], images(1, '8x12', '4x6'), () => {
  const x = tf.input({shape: [null, null, 1], name: 'x'});
  const a = conv(2).apply(x);
  const b = conv(2).apply(conv(3).apply(L.maxPooling2d({poolSize: 2}).apply(a)));
  const c = conv(2).apply(L.concatenate({axis: 3}).apply([L.upSampling2d({size: [2, 2]}).apply(b), a]));
  return tf.model({inputs: x, outputs: conv(2, {kernelSize: 1, activation: 'softmax'}).apply(c)});
}, 'the skip has its size from a pool and an upsampling');
await at('residual_strides', ['Conv2D', 'AveragePooling2D', 'Add'], images(2, '7x5', '6x8'), () => {
  const x = tf.input({shape: [null, null, 2], name: 'x'});
  return tf.model({inputs: x, outputs: L.add().apply([conv(2, {strides: 2}).apply(x), L.averagePooling2d({poolSize: 2, padding: 'same'}).apply(x)])});
}, 'a strided convolution and a pool, both `same`, meet in an addition');
await at('backbone_in_fixed', ['Conv2D', 'GlobalAveragePooling2D', 'Dense'], images(2, '6x5'), () => {
  const backbone = tf.sequential({name: 'backbone', layers: [conv(3, {inputShape: [null, null, 2]}), L.globalAveragePooling2d({})]});
  return chain([6, 5, 2], backbone, L.dense({units: 2}));
}, 'an open model inside a model of fixed size');
await at('bidirectional', ['Bidirectional', 'LSTM', 'GRU'], series(3, 4, 7), () => chain(
  [null, 3], L.bidirectional({layer: L.lstm({units: 2, recurrentActivation: 'sigmoid', returnSequences: true}), mergeMode: 'concat'}),
  L.bidirectional({layer: L.gru({units: 2, resetAfter: false, recurrentActivation: 'sigmoid'}), mergeMode: 'sum'})));
await at('rnn_backwards', ['LSTM', 'SimpleRNN'], series(3, 5, 1), () => chain(
  [null, 3], L.lstm({units: 2, goBackwards: true, returnSequences: true}), L.simpleRNN({units: 3})), 'one size is a single step');
await at('time_distributed_dense', ['TimeDistributed', 'Dense'], series(3, 2, 6), () => chain([null, 3], L.timeDistributed({layer: L.dense({units: 2, activation: 'tanh'})})));
await at('embedding_mask', ['Embedding', 'GRU'], tokens, () => tf.sequential({layers: [
  L.embedding({inputDim: 7, outputDim: 3, maskZero: true, batchInputShape: [null, null]}), L.gru({units: 2, resetAfter: false, recurrentActivation: 'sigmoid', returnSequences: true}),
]}));
await at('masking', ['Masking', 'LSTM'], {
  4: [() => tf.tensor3d([[[1, 2], [-1, -1], [-1, 0.5], [0.2, 0.3]], [[-1, -1], [0.5, -2], [1, 1], [-1, -1]]])],
  2: [() => tf.tensor3d([[[1, 2], [-1, -1]], [[0.5, -1], [2, 0.1]]])],
}, () => chain([null, 2], L.masking({maskValue: -1}), L.lstm({units: 2, recurrentActivation: 'sigmoid'})));
await at('permute_softmax', ['Permute', 'Softmax', 'Dense'], series(3, 4, 2), () => chain(
  [null, 3], L.permute({dims: [2, 1]}), L.softmax({axis: -1}), L.permute({dims: [2, 1]}), L.dense({units: 2})), 'softmax over the unknown axis');
await at('repeat_state', ['GRU', 'RepeatVector'], series(3, 3, 5), () => chain(
  [null, 3], L.gru({units: 2, resetAfter: false}), L.repeatVector({n: 4}), L.gru({units: 3, resetAfter: false, returnSequences: true})));
await at('reshape_split', ['Reshape', 'Conv2D'], series(6, 3, 5), () => chain([null, 6], L.reshape({targetShape: [null, 2, 3]}), conv(2, {kernelSize: 2})), 'null stands for the unknown axis');
await at('layer_normalization', ['LayerNormalization', 'LeakyReLU'], images(3, '3x4', '5x2'), () => chain([null, null, 3], L.layerNormalization(), L.leakyReLU({alpha: 0.2})));
await at('add_equal', ['Add'], {'3x4': [normal([2, 3, 4, 2]), normal([2, 3, 4, 2])], '1x2': [normal([2, 1, 2, 2]), normal([2, 1, 2, 2])]},
  () => pair(L.add(), [null, null, 2], [null, null, 2]), 'axes that are equal only at run time');
await at('multiply_outer', ['Multiply'], {'3_4': [normal([2, 3, 1, 2]), normal([2, 1, 4, 2])], '5_2': [normal([2, 5, 1, 2]), normal([2, 1, 2, 2])]},
  () => pair(L.multiply(), [null, 1, 2], [1, null, 2]), '[n, 1] times [1, m], both unknown');
await at('concatenate_time', ['Concatenate'], {'4_2': [normal([2, 4, 3]), normal([2, 2, 3])], '1_5': [normal([2, 1, 3]), normal([2, 5, 3])]},
  () => pair(L.concatenate({axis: 1}), [null, 3], [null, 3]), 'concatenated over the unknown axis');
done();
