// Layers of TensorFlow.js with random options, by the rank of what they take (the batch included). What TensorFlow.js computes wrong (the
// table of differences in ARCHITECTURE.md) is left out: a model of it is no witness.
import {tf} from '../lib/golden.mjs';

const {layers: L} = tf;

export const units = d => d.one(1, 2, 3, 4, 5, 6, 8);
export const activation = d => d.one('linear', 'relu', 'relu6', 'elu', 'selu', 'tanh', 'sigmoid', 'hardSigmoid', 'softplus', 'softsign', 'swish', 'softmax', 'mish', 'gelu', 'gelu_new', 'hard_sigmoid');
const sizes = (d, axes, low = 1, high = 3) => (d.maybe() ? d.between(low, high) : Array.from({length: axes}, () => d.between(low, high)));
const dims = ['', '', '', '1d', '2d', '3d'];

function windowed(d, x, kind) {
  const axes = x.rank - 2;
  const found = {kernelSize: sizes(d, axes)};
  if (d.maybe(0.4)) found.strides = sizes(d, axes);
  else if (d.maybe(0.3)) found.dilationRate = sizes(d, axes, 1, 2);
  if (d.maybe()) found.padding = x.rank === 3 ? d.one('same', 'valid', 'causal') : d.one('same', 'valid');
  if (d.maybe(0.12) && kind !== 'separable') found.dataFormat = 'channelsFirst';
  if (kind === 'depthwise' || kind === 'transpose') delete found.dilationRate;
  if (x.rank === 5 && found.padding === 'same' && found.strides) found.kernelSize = found.strides;
  return {...found, ...d.some({activation: activation(d), useBias: d.maybe()})};
}

function cellOptions(d, kind) {
  const options = d.some({useBias: d.maybe(), activation: activation(d), dropout: 0.2, recurrentDropout: 0.3}, 0.25);
  if (kind !== 'simpleRNN' && d.maybe(0.3)) options.recurrentActivation = d.one('sigmoid', 'hardSigmoid', 'tanh', 'relu');
  if (kind === 'lstm' && d.maybe(0.2)) options.unitForgetBias = false;
  if (kind === 'gru') options.resetAfter = false;
  if (kind !== 'simpleRNN' && d.maybe(0.2)) options.implementation = d.one(1, 2);
  return {...options, ...d.weights('kernel', 'recurrent', 'bias')};
}

const cell = (d, size) => {
  const kind = d.one('lstm', 'gru', 'simpleRNN');
  return L[`${kind}Cell`]({units: size, ...cellOptions(d, kind)});
};

export function recurrent(d, x, {plain, units: size = units(d), graph, ...fixed} = {}) {
  const options = {};
  if (d.maybe(0.4)) options.returnSequences = true;
  if (d.maybe(0.2)) options.goBackwards = true;
  if (!plain && d.maybe(0.15)) options.returnState = true;
  if (x.shape[1] !== null && d.maybe(0.15)) options.unroll = true;
  if (!plain && graph?.batch && !graph.depth && !options.returnState && d.maybe(0.5)) options.stateful = true;
  if (!plain && d.maybe(0.3)) {
    const cells = d.maybe(0.4) ? [cell(d, units(d)), cell(d, size)] : cell(d, size);
    return L.rnn({cell: cells, ...options, ...fixed});
  }
  const kind = d.one('lstm', 'gru', 'simpleRNN');
  return L[kind]({units: size, ...cellOptions(d, kind), ...options, ...fixed});
}

const padding = d => d.one(d.between(0, 2), [d.between(0, 2), d.between(0, 2)], [[d.between(0, 2), d.between(0, 2)], [d.between(0, 2), d.between(0, 2)]]);

function reshape(d, x) {
  let total = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const shape = [];
  for (let i = d.between(0, 2); i > 0; i--) {
    const divisors = Array.from({length: total}, (_, n) => n + 1).filter(n => total % n === 0);
    shape.push(d.one(...divisors));
    total /= shape[shape.length - 1];
  }
  shape.push(total);
  if (d.maybe()) shape[d.int(0, shape.length)] = null;
  return L.reshape({targetShape: shape, ...d.some({})});
}

function permute(d, x) {
  const order = Array.from({length: x.rank - 1}, (_, i) => i + 1);
  for (let i = order.length - 1; i > 0; i--) { const j = d.between(0, i); [order[i], order[j]] = [order[j], order[i]]; }
  return L.permute({dims: order, ...d.some({})});
}

const axis = (d, x) => (d.maybe() ? d.between(1, x.rank - 1) : -1);

export const makers = [
  [[2, 3, 4, 5], d => L.dense({units: units(d), ...d.some({activation: activation(d), useBias: d.maybe()}), ...d.weights('kernel', 'bias')})],
  [[2, 3, 4, 5], d => L.dense({units: units(d), ...d.some({activation: activation(d)})})],
  [[2, 3, 4, 5], d => L.activation({activation: activation(d), ...d.some({})})],
  [[2, 3, 4, 5], (d, x) => d.one(
    () => L.reLU(d.some({maxValue: d.one(1.5, 6)})), () => L.leakyReLU(d.some({alpha: d.one(0.1, 0.5)})), () => L.elu(d.some({alpha: 1})),
    () => L.softmax(d.some({axis: axis(d, x)})), () => L.thresholdedReLU(d.some({theta: 0.5})),
    () => L.prelu({...d.some({}), ...(d.maybe() ? {sharedAxes: [d.between(1, x.rank - 1)]} : {}), ...d.weights('alpha')}),
  )()],
  [[2, 3, 4, 5], (d, x) => d.one(
    () => L.dropout({rate: 0.3, ...d.some({seed: 3})}), () => L.gaussianNoise({stddev: 0.2, ...d.some({})}), () => L.gaussianDropout({rate: 0.3, ...d.some({})}),
    () => L.alphaDropout({rate: 0.3, ...d.some({})}), () => L.flatten(d.some({dataFormat: d.one('channelsLast', 'channelsFirst')})), () => L.rescaling({scale: 0.5, ...d.some({offset: -1})}),
  )()],
  [[3, 4], d => L.masking(d.some({maskValue: d.one(0, 1)}))],
  // Its own CPU kernel gets batch normalization wrong along any axis but the last.
  [[2, 3, 4, 5], (d, x) => {
    const scale = d.some({center: d.maybe(), scale: d.maybe(), epsilon: d.one(0.01, 1e-5)});
    const axes = d.maybe(0.3) && x.rank > 2 ? [1, x.rank - 1] : axis(d, x);
    return d.one(() => L.batchNormalization({...scale, ...d.some({momentum: 0.8}), ...d.weights('beta', 'gamma')}), () => L.layerNormalization({...scale, ...d.some({axis: axes})}))();
  }],
  [[3, 4, 5], (d, x) => L[`conv${dims[x.rank]}`]({filters: units(d), ...windowed(d, x), ...d.weights('kernel', 'bias')})],
  [[3, 4, 5], (d, x) => L[`conv${dims[x.rank]}`]({filters: units(d), ...windowed(d, x)})],
  [[4], (d, x) => L.depthwiseConv2d({...windowed(d, x, 'depthwise'), ...d.some({depthMultiplier: 2}), ...d.weights('depthwise', 'bias')})],
  [[4], (d, x) => L.separableConv2d({filters: units(d), ...windowed(d, x, 'separable'), ...d.some({depthMultiplier: 2}), ...d.weights('depthwise', 'pointwise')})],
  [[4, 5], (d, x) => L[`conv${dims[x.rank]}Transpose`]({filters: units(d), ...windowed(d, x, 'transpose'), ...d.weights('kernel', 'bias')})],
  [[3, 4, 5], (d, x) => L[`${d.one('max', 'average')}Pooling${dims[x.rank]}`](d.some({poolSize: sizes(d, x.rank - 2), ...(x.rank < 5 && {strides: sizes(d, x.rank - 2)}), padding: d.one('same', 'valid')}, 0.5))],
  [[3, 4], (d, x) => L[`global${d.one('Max', 'Average')}Pooling${dims[x.rank]}`](d.some(x.rank > 3 ? {dataFormat: d.one('channelsFirst', 'channelsLast')} : {}))],
  [[2, 3, 4, 5], reshape],
  [[3, 4, 5], permute],
  [[2], d => L.repeatVector({n: d.between(1, 5), ...d.some({})})],
  [[3], d => L.spatialDropout1d({rate: 0.3, ...d.some({})})],
  [[4], d => d.one(
    () => L.zeroPadding2d({padding: padding(d), ...d.some({dataFormat: d.one('channelsFirst', 'channelsLast')}, 0.2)}),
    () => L.cropping2D({cropping: d.one(1, [1, 0], [[0, 1], [1, 0]]), ...d.some({dataFormat: d.one('channelsFirst', 'channelsLast')}, 0.2)}),
    () => L.upSampling2d(d.some({size: [d.between(1, 3), d.between(1, 3)], interpolation: d.one('nearest', 'bilinear'), dataFormat: d.one('channelsFirst', 'channelsLast')})),
    () => L.resizing({height: d.between(1, 8), width: d.between(1, 8), ...d.some({interpolation: d.one('nearest', 'bilinear')})}),
  )()],
  [[3], (d, x, graph) => recurrent(d, x, {graph})],
  [[3], (d, x, graph) => recurrent(d, x, {graph})],
  [[3], (d, x, graph) => recurrent(d, x, {graph})],
  [[3], (d, x) => L.bidirectional({layer: recurrent(d, x, {plain: true}), ...d.some({mergeMode: d.one('concat', 'sum', 'mul', 'ave')}, 0.6)})],
  [[5], d => {
    const options = d.some({returnSequences: true, goBackwards: true, useBias: false, padding: 'same', strides: 2}, 0.3);
    return L.convLstm2d({filters: d.between(1, 4), kernelSize: sizes(d, 2), ...options, ...(d.maybe(0.2) ? {returnState: true} : {}), ...d.some({recurrentActivation: 'sigmoid', activation: 'relu'}, 0.2)});
  }],
  [[3, 4, 5], (d, x) => {
    const inner = {rank: x.rank - 1, shape: [x.shape[0], ...x.shape.slice(2)], dtype: x.dtype};
    const options = makers.filter(([ranks]) => ranks.includes(inner.rank)).map(([, make]) => make);
    return L.timeDistributed({layer: d.one(...options)(d, inner), ...d.some({})});
  }],
];

export const integerMakers = [
  d => L.embedding({inputDim: 8, outputDim: d.between(1, 5), ...d.some({maskZero: true}, 0.6), ...d.weights('embeddings')}),
  d => L.embedding({inputDim: 8, outputDim: d.between(1, 5), ...d.some({maskZero: true}, 0.6)}),
  d => L.categoryEncoding({numTokens: 8, ...d.some({outputMode: d.one('multiHot', 'count', 'oneHot')}, 0.6)}),
];
