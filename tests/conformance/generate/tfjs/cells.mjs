// RNN over cells as TensorFlow.js computes and writes them: one, a list of them, StackedRNNCells.
import {done, golden, normal, single, tf, values} from '../lib/golden.mjs';

const {layers: L} = tf;
const SEQUENCE = [5, 3];
const scaled = [normal([2, ...SEQUENCE], 1.5)];
const tokens = [values([[3, 1, 4, 0, 0, 0], [2, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]])];
const embedding = () => L.embedding({inputDim: 7, outputDim: 3, maskZero: true, inputLength: 6});

// Bidirectional over an RNN has no case: TensorFlow.js cannot make one.
const attempt = (name, make) => golden(name, make());

const cells = [
  ['lstm_cell', 'LSTMCell', config => L.lstmCell({units: 4, recurrentActivation: 'sigmoid', ...config})],
  ['gru_cell', 'GRUCell', config => L.gruCell({units: 4, recurrentActivation: 'sigmoid', resetAfter: false, ...config})],
  ['simple_rnn_cell', 'SimpleRNNCell', config => L.simpleRNNCell({units: 4, ...config})],
];
for (const [label, kind, cell] of cells) {
  const layers = ['RNN', kind];
  const states = label === 'lstm_cell' ? ['h', 'c'] : ['h'];
  await attempt(`rnn_${label}`, () => ({layers, model: single(L.rnn({cell: cell()}), SEQUENCE), inputs: scaled}));
  await attempt(`rnn_${label}_default_recurrent_activation`, () => ({layers, model: single(L.rnn({cell: cell({recurrentActivation: undefined})}), SEQUENCE), inputs: [normal([2, ...SEQUENCE], 3)]}));
  await attempt(`rnn_${label}_sequences_state`, () => ({layers, model: single(L.rnn({cell: cell({name: 'own'}), returnSequences: true, returnState: true}), SEQUENCE), inputs: scaled}));
  await attempt(`rnn_${label}_go_backwards`, () => ({
    layers, model: single(L.rnn({cell: cell({useBias: false, activation: 'relu'}), returnSequences: true, goBackwards: true}), SEQUENCE), inputs: scaled,
  }));
  await attempt(`rnn_${label}_masked`, () => ({
    layers: [...layers, 'Embedding'], model: tf.sequential({layers: [embedding(), L.rnn({cell: cell(), returnSequences: true})]}), inputs: tokens,
  }));
  await attempt(`rnn_${label}_initial_state`, () => {
    const x = tf.input({shape: SEQUENCE, name: 'x'});
    const given = states.map(name => tf.input({shape: [4], name}));
    return {
      layers, model: tf.model({inputs: [x, ...given], outputs: L.rnn({cell: cell(), returnSequences: true}).apply(x, {initialState: given})}),
      inputs: [normal([2, ...SEQUENCE]), ...given.map(() => normal([2, 4], 1))],
    };
  });
  await attempt(`rnn_${label}_stateful`, () => ({
    layers, model: tf.sequential({layers: [L.rnn({cell: cell(), stateful: true, batchInputShape: [2, 3, 2]})]}), inputs: [normal([6, 3, 2], 1.5)], batchSize: 2,
  }));
}

const stack = () => [
  L.lstmCell({units: 4, recurrentActivation: 'sigmoid'}), L.gruCell({units: 3, recurrentActivation: 'sigmoid', resetAfter: false}), L.simpleRNNCell({units: 2}),
];
const STACK = ['RNN', 'StackedRNNCells', 'LSTMCell', 'GRUCell', 'SimpleRNNCell'];
const same = () => [L.lstmCell({units: 4, name: 'low'}), L.lstmCell({units: 4, name: 'high'})];
await attempt('rnn_list_of_cells', () => ({layers: STACK, model: single(L.rnn({cell: stack()}), SEQUENCE), inputs: scaled}));
await attempt('rnn_list_of_one', () => ({layers: STACK.slice(0, 3), model: single(L.rnn({cell: [L.lstmCell({units: 4})]}), SEQUENCE), inputs: scaled}));
await attempt('rnn_stacked_cells', () => ({layers: STACK.slice(0, 3), model: single(L.rnn({cell: L.stackedRNNCells({cells: same(), name: 'tower'})}), SEQUENCE), inputs: scaled}));
await attempt('rnn_stacked_cells_sequences', () => ({layers: STACK, model: single(L.rnn({cell: L.stackedRNNCells({cells: stack()}), returnSequences: true}), SEQUENCE), inputs: scaled}));
await attempt('rnn_stacked_cells_state', () => ({layers: STACK, model: single(L.rnn({cell: L.stackedRNNCells({cells: stack()}), returnState: true}), SEQUENCE), inputs: scaled}));
await attempt('rnn_stacked_cells_same_state', () => ({layers: STACK.slice(0, 3), model: single(L.rnn({cell: same(), returnState: true}), SEQUENCE), inputs: scaled}));
await attempt('rnn_stacked_cells_go_backwards', () => ({layers: STACK.slice(0, 3), model: single(L.rnn({cell: same(), returnSequences: true, goBackwards: true}), SEQUENCE), inputs: scaled}));
await attempt('rnn_stacked_cells_masked', () => ({
  layers: [...STACK, 'Embedding'], model: tf.sequential({layers: [embedding(), L.rnn({cell: stack(), returnSequences: true})]}), inputs: tokens,
}));
await attempt('rnn_stacked_cells_masked_same', () => ({
  layers: [...STACK.slice(0, 3), 'Embedding'], model: tf.sequential({layers: [embedding(), L.rnn({cell: same()})]}), inputs: tokens,
}));
await attempt('rnn_stacked_cells_initial_state', () => {
  const x = tf.input({shape: SEQUENCE, name: 'x'});
  const given = ['h1', 'c1', 'h2', 'c2'].map(name => tf.input({shape: [4], name}));
  return {
    layers: STACK.slice(0, 3), model: tf.model({inputs: [x, ...given], outputs: L.rnn({cell: same(), returnSequences: true}).apply(x, {initialState: given})}),
    inputs: [normal([2, ...SEQUENCE]), ...given.map(() => normal([2, 4], 1))],
  };
});
await attempt('rnn_stacked_cells_masked_initial_state', () => {
  const x = tf.input({shape: [6], name: 'x'});
  const given = ['h1', 'c1', 'h2', 'c2'].map(name => tf.input({shape: [4], name}));
  const y = L.rnn({cell: same(), returnSequences: true}).apply(embedding().apply(x), {initialState: given});
  return {
    layers: [...STACK.slice(0, 3), 'Embedding'], model: tf.model({inputs: [x, ...given], outputs: y}),
    inputs: [values([[0, 1, 4, 0, 0, 0], [0, 0, 6, 5, 0, 1], [0, 0, 5, 3, 5, 2]]), ...given.map(() => normal([3, 4], 1))], note: 'the first steps are masked',
  };
});
await attempt('rnn_stacked_cells_stateful', () => ({
  layers: STACK.slice(0, 3), model: tf.sequential({layers: [L.rnn({cell: same(), stateful: true, batchInputShape: [2, 3, 2]})]}), inputs: [normal([6, 3, 2], 1.5)], batchSize: 2,
}));
await attempt('rnn_unknown_length', () => ({layers: STACK, model: single(L.rnn({cell: stack()}), [null, 3]), inputs: [normal([2, 7, 3])]}));
for (const [name, config] of [['default', {}], ['sequences', {returnSequences: true, activation: 'relu'}], ['go_backwards_state', {goBackwards: true, returnState: true}],
  ['no_bias_unroll', {useBias: false, unroll: true, returnSequences: true}]]) {
  await attempt(`simple_rnn_${name}`, () => ({layers: ['SimpleRNN'], model: single(L.simpleRNN({units: 4, ...config}), SEQUENCE), inputs: scaled}));
}
await attempt('simple_rnn_masked', () => ({
  layers: ['SimpleRNN', 'Embedding'], model: tf.sequential({layers: [embedding(), L.simpleRNN({units: 4, returnSequences: true})]}), inputs: tokens,
}));
await attempt('time_distributed_lstm', () => ({
  layers: ['TimeDistributed', 'LSTM'], model: single(L.timeDistributed({layer: L.lstm({units: 3, recurrentActivation: 'sigmoid'})}), [3, ...SEQUENCE]), inputs: [normal([2, 3, ...SEQUENCE])],
}));
await attempt('time_distributed_conv1d', () => ({
  layers: ['TimeDistributed', 'Conv1D'], model: single(L.timeDistributed({layer: L.conv1d({filters: 3, kernelSize: 2, padding: 'same'})}), [3, ...SEQUENCE]), inputs: [normal([2, 3, ...SEQUENCE])],
}));
await attempt('time_distributed_masked', () => ({
  layers: ['TimeDistributed', 'Dense', 'Embedding'], inputs: tokens, model: tf.sequential({layers: [embedding(), L.timeDistributed({layer: L.dense({units: 2, activation: 'tanh'})})]}),
}));
done();
