// ConvLSTM2D as TensorFlow.js computes and writes it. Initial states have no case: TensorFlow.js does not take them for this layer, and
// no RNN over a ConvLSTM2DCell.
import {done, golden, normal, single, tf} from '../lib/golden.mjs';

const {layers: L} = tf;
const SHAPE = [3, 5, 7, 2];
const make = config => L.convLstm2d({filters: 3, kernelSize: 3, ...config});
const options = [
  ['default', {}],
  ['same_sequences', {padding: 'same', returnSequences: true}],
  ['strides', {strides: 2, returnSequences: true}],
  ['dilation', {dilationRate: 2}],
  ['rectangular', {kernelSize: [3, 2], strides: [1, 2], padding: 'same'}],
  ['sequences_state', {padding: 'same', returnSequences: true, returnState: true}],
  ['state', {returnState: true}],
  ['go_backwards', {padding: 'same', returnSequences: true, goBackwards: true}],
  ['sigmoid_relu_no_bias', {recurrentActivation: 'sigmoid', activation: 'relu', useBias: false, padding: 'same'}],
  ['dropout', {dropout: 0.3, recurrentDropout: 0.2, unitForgetBias: false}],
];
for (const [name, config] of options) {
  await golden(`conv_lstm2d_${name}`, {layers: ['ConvLSTM2D'], model: single(make(config), SHAPE), inputs: [normal([2, ...SHAPE])]});
}
await golden('conv_lstm2d_channels_first', {
  layers: ['ConvLSTM2D'], model: single(make({dataFormat: 'channelsFirst', returnSequences: true, returnState: true}), [3, 2, 5, 7]), inputs: [normal([2, 3, 2, 5, 7])],
});
await golden('conv_lstm2d_stateful', {
  layers: ['ConvLSTM2D'], model: tf.sequential({layers: [make({stateful: true, batchInputShape: [2, ...SHAPE]})]}), inputs: [normal([6, ...SHAPE])], batchSize: 2,
});
await golden('time_distributed_conv_lstm2d', {
  layers: ['TimeDistributed', 'ConvLSTM2D'], model: single(L.timeDistributed({layer: make({filters: 2})}), [2, ...SHAPE]), inputs: [normal([2, 2, ...SHAPE])],
});
for (const [name, mergeMode, config] of [['concat', 'concat', {returnSequences: true}], ['ave', 'ave', {}], ['null', null, {returnSequences: true}]]) {
  await golden(`bidirectional_conv_lstm2d_${name}`, {
    layers: ['Bidirectional', 'ConvLSTM2D'], model: single(L.bidirectional({layer: make({filters: 2, padding: 'same', ...config}), mergeMode}), SHAPE), inputs: [normal([2, ...SHAPE])],
  });
}
done();
