// How TensorFlow.js writes models: several inputs and outputs, shared layers, models inside models, optimizer state, metadata,
// and one whole model of the shape that Teachable Machine exports.
import {done, golden, normal, randomise, Rng, tf} from '../lib/golden.mjs';

const {layers: L} = tf;

{
  const a = tf.input({shape: [4], name: 'a'});
  const b = tf.input({shape: [3], name: 'b'});
  const joined = L.concatenate({name: 'joined'}).apply([L.dense({units: 3, activation: 'relu', name: 'left'}).apply(a), b]);
  const trunk = L.dense({units: 5, activation: 'tanh', name: 'trunk'}).apply(joined);
  const outputs = [L.dense({units: 2, name: 'value'}).apply(trunk), L.dense({units: 3, activation: 'softmax', name: 'kind'}).apply(trunk), trunk];
  await golden('multi_input_output', {
    layers: ['Dense', 'Concatenate'], kind: 'network', model: tf.model({inputs: [b, a], outputs, name: 'two_by_three'}),
    inputs: [normal([2, 3]), normal([2, 4])], note: 'the inputs are listed in another order than they were made; an inner tensor is an output',
  });
}
{
  const a = tf.input({shape: [4], name: 'a'});
  const b = tf.input({shape: [4], name: 'b'});
  const shared = L.dense({units: 3, activation: 'tanh', name: 'shared'});
  const [u, v] = [shared.apply(a), shared.apply(b)];
  await golden('shared_layer', {
    layers: ['Dense', 'Add'], kind: 'network', model: tf.model({inputs: [a, b], outputs: [L.add({name: 'sum'}).apply([u, v]), v, u]}),
    inputs: [normal([2, 4]), normal([2, 4])], note: 'one layer called twice; both of its results are outputs, so the name `shared` repeats',
  });
}
{
  const inner = tf.sequential({name: 'inner', layers: [L.dense({units: 4, activation: 'relu', inputShape: [3], name: 'inner_a'}), L.dense({units: 3, name: 'inner_b'})]});
  const x = tf.input({shape: [3], name: 'x'});
  const middle = tf.model({inputs: x, outputs: L.add({name: 'residual'}).apply([x, inner.apply(x)]), name: 'middle'});
  const model = tf.sequential({name: 'outer', layers: [L.dense({units: 3, inputShape: [5], name: 'first'}), middle, L.dense({units: 2, name: 'last'})]});
  await golden('nested_sequential_functional_sequential', {layers: ['Dense', 'Add'], kind: 'network', model, inputs: [normal([2, 5])]});
}
{
  const tower = tf.sequential({name: 'tower', layers: [L.dense({units: 4, activation: 'tanh', inputShape: [5], name: 'hidden'}), L.dense({units: 3, name: 'code'})]});
  const a = tf.input({shape: [5], name: 'a'});
  const b = tf.input({shape: [5], name: 'b'});
  const joined = L.concatenate({name: 'pair'}).apply([tower.apply(a), tower.apply(b)]);
  await golden('siamese', {
    layers: ['Dense', 'Concatenate'], kind: 'network', model: tf.model({inputs: [a, b], outputs: L.dense({units: 1, activation: 'sigmoid', name: 'same'}).apply(joined)}),
    inputs: [normal([2, 5]), normal([2, 5])], note: 'a nested model called twice',
  });
}
{
  const x = tf.input({shape: [4], name: 'x'});
  const h = L.dense({units: 3, name: 'h'}).apply(x);
  const y = tf.input({shape: [3], name: 'y'});
  const inner = tf.model({inputs: [x, y], outputs: [L.add({name: 'plus'}).apply([h, y]), h], name: 'two_way'});
  const p = tf.input({shape: [4], name: 'p'});
  const q = tf.input({shape: [3], name: 'q'});
  const [m, n] = inner.apply([p, q]);
  await golden('nested_multi_input_output', {
    layers: ['Dense', 'Add'], kind: 'network', model: tf.model({inputs: [q, p], outputs: [L.activation({activation: 'relu', name: 'clipped'}).apply(n), m]}),
    inputs: [normal([2, 3]), normal([2, 4])], note: 'the second output of a nested model is used, and its first is an output of the whole',
  });
}
{
  const x = tf.input({shape: [4], name: 'x'});
  const h = L.dense({units: 3, name: 'h'}).apply(x);
  await golden('input_is_output', {
    layers: ['Dense'], kind: 'network', model: tf.model({inputs: x, outputs: [h, x]}), inputs: [normal([2, 4])], note: 'an input is handed through as an output',
  });
}
{
  const model = tf.sequential({layers: [L.dense({units: 4, activation: 'relu', inputShape: [3]}), L.dense({units: 2, activation: 'softmax'})]});
  model.compile({optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy']});
  randomise(model, new Rng('before training'));
  await model.fit(tf.linspace(-1, 1, 12).reshape([4, 3]), tf.tensor2d([[1, 0], [0, 1], [1, 0], [0, 1]]), {epochs: 1, shuffle: false, verbose: 0});
  await golden('compiled_with_optimizer', {
    layers: ['Dense'], kind: 'network', model, inputs: [normal([3, 3])], save: {includeOptimizer: true}, reload: false,
    note: 'saved with includeOptimizer: trainingConfig, and Adam\'s state in the weights as group optimizer',
  });
}
{
  const model = tf.sequential({name: 'frozen', layers: [
    L.dense({units: 3, inputShape: [4], name: 'd_frozen'}), L.batchNormalization({name: 'bn'}), L.dense({units: 2, name: 'd_free'}),
  ]});
  model.layers[0].trainable = false;
  model.setUserDefinedMetadata({labels: ['cat', 'snake_case_label'], size: 4});
  await golden('frozen_layer_metadata', {
    layers: ['Dense', 'BatchNormalization'], kind: 'network', model, inputs: [normal([3, 4])],
    note: 'weights are written trainable first, so a frozen layer\'s come last; userDefinedMetadata is present',
  });
}
{
  // Teachable Machine: Sequential[ Sequential[ MobileNet-like Model, GlobalAveragePooling2D ], Sequential[ Dense, Dense softmax ] ].
  const image = tf.input({shape: [32, 32, 3], name: 'input_1'});
  let y = L.zeroPadding2d({padding: [[0, 1], [0, 1]], name: 'Conv1_pad'}).apply(image);
  const bn = (name, t) => L.batchNormalization({axis: 3, epsilon: 1e-3, momentum: 0.999, name}).apply(t);
  const conv = (filters, kernelSize, strides, name, t, padding = 'same') =>
    L.conv2d({filters, kernelSize, strides, padding, useBias: false, name}).apply(t);
  y = L.reLU({maxValue: 6, name: 'Conv1_relu'}).apply(bn('bn_Conv1', conv(8, 3, 2, 'Conv1', y, 'valid')));
  let channels = 8;
  for (const [i, [filters, strides]] of [[8, 1], [12, 2], [12, 1], [16, 2]].entries()) {
    const block = `block_${i}_`;
    let z = L.reLU({maxValue: 6, name: `${block}expand_relu`}).apply(bn(`${block}expand_BN`, conv(channels * 3, 1, 1, `${block}expand`, y)));
    if (strides === 2) z = L.zeroPadding2d({padding: [[0, 1], [0, 1]], name: `${block}pad`}).apply(z);
    z = L.depthwiseConv2d({kernelSize: 3, strides, padding: strides === 2 ? 'valid' : 'same', useBias: false, name: `${block}depthwise`}).apply(z);
    z = L.reLU({maxValue: 6, name: `${block}depthwise_relu`}).apply(bn(`${block}depthwise_BN`, z));
    z = bn(`${block}project_BN`, conv(filters, 1, 1, `${block}project`, z));
    y = strides === 1 && filters === channels ? L.add({name: `${block}add`}).apply([y, z]) : z;
    channels = filters;
  }
  y = L.reLU({maxValue: 6, name: 'out_relu'}).apply(bn('Conv_1_bn', conv(40, 1, 1, 'Conv_1', y)));
  const mobilenet = tf.model({inputs: image, outputs: y, name: 'model1'});
  const features = tf.sequential({name: 'sequential_1', layers: [mobilenet, L.globalAveragePooling2d({name: 'global_average_pooling2d_GlobalAveragePooling2D1'})]});
  const head = tf.sequential({name: 'sequential_3', layers: [
    L.dense({units: 20, activation: 'relu', inputShape: [40], kernelInitializer: 'varianceScaling', name: 'dense_Dense1'}),
    L.dense({units: 3, activation: 'softmax', useBias: false, kernelInitializer: 'varianceScaling', name: 'dense_Dense2'}),
  ]});
  const model = tf.sequential({name: 'sequential_4', layers: [features, head]});
  model.setUserDefinedMetadata({tfjsVersion: '1.3.1', tmVersion: '2.4.4', packageName: '@teachablemachine/image', packageVersion: '0.8.4', modelName: 'tm-my-image-model', labels: ['Class 1', 'Class 2', 'Class 3'], imageSize: 32});
  await golden('teachable_machine', {
    layers: ['Conv2D', 'DepthwiseConv2D', 'BatchNormalization', 'ReLU', 'ZeroPadding2D', 'Add', 'GlobalAveragePooling2D', 'Dense'],
    kind: 'network', model, inputs: [normal([2, 32, 32, 3], 0.6)],
  });
}
done();
