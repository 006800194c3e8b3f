// Stateful recurrent layers: the batch is fixed, and each batch of one `predict` goes on from the states that the last one left.
import {done, golden, normal, tf} from '../lib/golden.mjs';

const {layers: L} = tf;
const batches = [normal([6, 3, 2], 1.5)];

const sequential = (batchInputShape, first, ...rest) => tf.sequential({layers: [first({batchInputShape, stateful: true}), ...rest]});
const kinds = [
  ['lstm', 'LSTM', config => L.lstm({units: 3, recurrentActivation: 'sigmoid', ...config})],
  ['gru', 'GRU', config => L.gru({units: 3, recurrentActivation: 'sigmoid', resetAfter: false, ...config})],
  ['simple_rnn', 'SimpleRNN', config => L.simpleRNN({units: 3, ...config})],
];
for (const [label, kind, make] of kinds) {
  await golden(`stateful_${label}`, {
    layers: [kind], model: sequential([2, 3, 2], make), inputs: batches, batchSize: 2, note: 'three batches of two rows: row i of a batch continues row i of the one before',
  });
  await golden(`stateful_${label}_sequences`, {
    layers: [kind, 'Dense'], model: sequential([2, 3, 2], config => make({returnSequences: true, ...config}), L.dense({units: 2})), inputs: batches, batchSize: 2,
  });
  await golden(`stateful_${label}_single_steps`, {
    layers: [kind, 'Dense'], model: sequential([1, 1, 2], make, L.dense({units: 2})), inputs: [normal([5, 1, 2])], batchSize: 1, note: 'five steps of one sequence, one at a time',
  });
}
await golden('stateful_lstm_go_backwards', {
  layers: ['LSTM'], model: sequential([2, 3, 2], config => L.lstm({units: 3, goBackwards: true, returnSequences: true, ...config})), inputs: batches, batchSize: 2,
});
await golden('stateful_stacked', {
  layers: ['LSTM', 'GRU'], inputs: batches, batchSize: 2,
  model: sequential([2, 3, 2], config => L.lstm({units: 3, returnSequences: true, ...config}), L.gru({units: 2, resetAfter: false, stateful: true})),
});
await golden('stateful_one_of_two', {
  layers: ['LSTM', 'GRU'], inputs: batches, batchSize: 2, note: 'only the second layer keeps its state',
  model: tf.sequential({layers: [L.lstm({units: 3, returnSequences: true, batchInputShape: [2, 3, 2]}), L.gru({units: 2, resetAfter: false, stateful: true})]}),
});
await golden('stateful_unknown_time', {
  layers: ['LSTM'], model: sequential([2, null, 2], config => L.lstm({units: 3, ...config})), inputs: [normal([4, 5, 2])], batchSize: 2, note: 'the batch is fixed, the time is not',
});
await golden('stateful_bidirectional', {
  layers: ['Bidirectional', 'LSTM'], inputs: batches, batchSize: 2, note: 'the backward layer\'s state goes into the next batch as well',
  model: tf.sequential({layers: [L.bidirectional({layer: L.lstm({units: 2, stateful: true}), mergeMode: 'concat', batchInputShape: [2, 3, 2]})]}),
});
{
  const x = tf.input({batchShape: [2, 3, 2], name: 'x'});
  await golden('stateful_lstm_state', {
    layers: ['LSTM'], inputs: batches, batchSize: 2, note: 'the states are outputs too',
    model: tf.model({inputs: x, outputs: L.lstm({units: 3, stateful: true, returnState: true}).apply(x)}),
  });
}
done();
