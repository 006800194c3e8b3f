// Embedding, LSTM, GRU, Bidirectional and TimeDistributed as TensorFlow.js computes and writes them. TensorFlow.js has no
// `reset_after` GRU and leaks a mask into every layer after a masked RNN: masked cases end with the RNN.
import {done, golden, ids, normal, single, tf} from '../lib/golden.mjs';

const SEQUENCE = [5, 3];
const rnns = [
  ['default', {}],
  ['sequences', {returnSequences: true}],
  ['state', {returnState: true}],
  ['sequences_state', {returnSequences: true, returnState: true}],
  ['go_backwards', {goBackwards: true}],
  ['go_backwards_sequences', {goBackwards: true, returnSequences: true}],
  ['sigmoid_no_bias', {recurrentActivation: 'sigmoid', useBias: false, returnSequences: true}],
  ['relu_tanh', {activation: 'relu', recurrentActivation: 'tanh'}],
  ['unroll', {unroll: true, returnSequences: true, dropout: 0.3, recurrentDropout: 0.2}],
  ['implementation_2', {implementation: 2, recurrentActivation: 'hardSigmoid'}],
];
for (const [label, make, layer, extra] of [['lstm', tf.layers.lstm, 'LSTM', {}], ['gru', tf.layers.gru, 'GRU', {resetAfter: false}]]) {
  for (const [name, config] of rnns) {
    await golden(`${label}_${name}`,
      {layers: [layer], model: single(make({units: 4, recurrentActivation: 'sigmoid', ...extra, ...config}), SEQUENCE), inputs: [normal([2, ...SEQUENCE], 1.5)]});
  }
  await golden(`${label}_default_recurrent_activation`, {
    layers: [layer], note: 'the recurrent activation is TensorFlow.js\'s default, hard_sigmoid',
    model: single(make({units: 3, ...extra}), SEQUENCE), inputs: [normal([2, ...SEQUENCE], 3)],
  });
  {
    const x = tf.input({shape: SEQUENCE, name: 'x'});
    const states = (label === 'lstm' ? ['h', 'c'] : ['h']).map(name => tf.input({shape: [4], name}));
    const y = make({units: 4, recurrentActivation: 'sigmoid', returnSequences: true, ...extra}).apply(x, {initialState: states});
    await golden(`${label}_initial_state`, {
      layers: [layer], model: tf.model({inputs: [x, ...states], outputs: y}),
      inputs: [normal([2, ...SEQUENCE]), ...states.map(() => normal([2, 4], 1))],
    });
  }
  {
    const x = tf.input({shape: [4, 3], name: 'x'});
    const encoded = make({units: 4, recurrentActivation: 'sigmoid', returnState: true, name: 'encoder', ...extra}).apply(x);
    const d = tf.input({shape: [3, 2], name: 'd'});
    const y = make({units: 4, recurrentActivation: 'sigmoid', returnSequences: true, name: 'decoder', ...extra}).apply(d, {initialState: encoded.slice(1)});
    await golden(`${label}_encoder_decoder`, {
      layers: [layer], model: tf.model({inputs: [x, d], outputs: y}), inputs: [normal([2, 4, 3]), normal([2, 3, 2])],
    });
  }
  for (const returnSequences of [false, true]) {
    await golden(`${label}_masked${returnSequences ? '_sequences' : ''}`, {
      layers: [layer, 'Embedding'],
      model: tf.sequential({layers: [
        tf.layers.embedding({inputDim: 7, outputDim: 3, maskZero: true, inputLength: 6}),
        make({units: 4, recurrentActivation: 'sigmoid', returnSequences, ...extra}),
      ]}),
      inputs: [() => tf.tensor2d([[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]])],
    });
  }
}

await golden('embedding_default', {
  layers: ['Embedding'], model: tf.sequential({layers: [tf.layers.embedding({inputDim: 8, outputDim: 3, inputShape: [4]})]}), inputs: [ids([2, 4], 0, 8, 'float32')],
});
await golden('embedding_int32_input', {
  layers: ['Embedding'], model: single(tf.layers.embedding({inputDim: 8, outputDim: 3}), [4], 'int32'), inputs: [ids([2, 4], 0, 8)],
});
await golden('embedding_rank3', {
  layers: ['Embedding'], model: single(tf.layers.embedding({inputDim: 8, outputDim: 2}), [3, 2]), inputs: [ids([2, 3, 2], 0, 8, 'float32')],
});
await golden('embedding_mask_zero', {
  layers: ['Embedding'], model: single(tf.layers.embedding({inputDim: 8, outputDim: 3, maskZero: true}), [4]), inputs: [ids([2, 4], 0, 3, 'float32')],
});
await golden('masking_lstm', {
  layers: ['Masking', 'LSTM'],
  model: tf.sequential({layers: [
    tf.layers.masking({maskValue: -1, inputShape: [4, 2]}),
    tf.layers.lstm({units: 3, recurrentActivation: 'sigmoid', returnSequences: true}),
  ]}),
  inputs: [() => tf.tensor3d([[[1, 2], [-1, -1], [-1, 0.5], [0.2, 0.3]], [[-1, -1], [0.5, -2], [1, 1], [-1, -1]]])],
});

await golden('masking_default', {
  layers: ['Masking'], model: single(tf.layers.masking(), [3, 2]),
  inputs: [() => tf.tensor3d([[[1, 2], [0, 0], [0, 0.5]], [[0, 0], [0.5, -2], [0, 0]]])],
});

for (const mergeMode of ['concat', 'sum', 'mul', 'ave', null]) {
  for (const returnSequences of [false, true]) {
    const layer = returnSequences
      ? tf.layers.gru({units: 3, resetAfter: false, recurrentActivation: 'sigmoid', returnSequences, name: 'g'})
      : tf.layers.lstm({units: 3, recurrentActivation: 'sigmoid', name: 'l'});
    await golden(`bidirectional_${mergeMode ?? 'null'}_${returnSequences ? 'gru_sequences' : 'lstm'}`, {
      layers: ['Bidirectional', returnSequences ? 'GRU' : 'LSTM'],
      model: single(tf.layers.bidirectional({layer, mergeMode}), SEQUENCE), inputs: [normal([2, ...SEQUENCE], 1.5)],
    });
  }
}
await golden('bidirectional_lstm_sequences', {
  layers: ['Bidirectional', 'LSTM'],
  model: single(tf.layers.bidirectional({layer: tf.layers.lstm({units: 3, returnSequences: true}), mergeMode: 'concat'}), SEQUENCE),
  inputs: [normal([2, ...SEQUENCE], 1.5)],
});

const distributed = [
  ['dense', tf.layers.dense({units: 4, activation: 'relu'}), [3, 5]],
  ['conv2d', tf.layers.conv2d({filters: 2, kernelSize: 3, padding: 'same', activation: 'tanh'}), [3, 4, 4, 2]],
  ['batch_normalization', tf.layers.batchNormalization(), [3, 5]],
  // Elsewhere TensorFlow.js cannot predict with Resizing. Without `cropToAspectRatio` the corners stay in place, with it nothing is cropped.
  ['resizing_smaller', tf.layers.resizing({height: 3, width: 4}), [2, 5, 6, 1]],
  ['resizing_larger', tf.layers.resizing({height: 7, width: 5}), [2, 4, 3, 2]],
  ['resizing_nearest', tf.layers.resizing({height: 3, width: 7, interpolation: 'nearest'}), [2, 5, 4, 1]],
  ['resizing_one_row', tf.layers.resizing({height: 1, width: 4}), [2, 3, 5, 1]],
  ['resizing_crop', tf.layers.resizing({height: 3, width: 5, cropToAspectRatio: true}), [2, 5, 4, 1]],
  ['resizing_crop_nearest', tf.layers.resizing({height: 7, width: 3, interpolation: 'nearest', cropToAspectRatio: true}), [2, 5, 4, 1]],
];
for (const [name, layer, shape] of distributed) {
  await golden(`time_distributed_${name}`,
    {layers: ['TimeDistributed', layer.getClassName()], model: single(tf.layers.timeDistributed({layer}), shape), inputs: [normal([2, ...shape])]});
}
done();
