// Trains small networks for ten steps with the real TensorFlow.js, from the numbers and with the batches of make.py.
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Rng, safetensors, save, tf} from '../../conformance/generate/lib/golden.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [RATE, STEPS] = [0.05, 10];
const {layers: L} = tf;

const array = (name, shape, low, high) => {
  const rng = new Rng(name);
  return tf.tensor(Float32Array.from({length: shape.reduce((a, b) => a * b, 1)}, () => rng.uniform(low, high)), shape);
};
const RANGES = {gamma: [0.5, 1.5], moving_variance: [0.5, 1.5], embeddings: [-1, 1]};
const TOKENS = [[3, 1, 4, 0, 0], [2, 6, 5, 1, 3], [5, 0, 0, 0, 0], [1, 2, 0, 0, 0], [4, 4, 2, 0, 0], [6, 0, 3, 1, 0], [2, 5, 1, 6, 0], [0, 0, 3, 6, 2]];

const nets = {
  conv_bn: () => ({
    model: tf.sequential({name: 'conv_bn', layers: [
      L.conv2d({filters: 2, kernelSize: 3, padding: 'same', inputShape: [6, 6, 1], name: 'conv'}), L.batchNormalization({momentum: 0.9, name: 'bn'}),
      L.maxPooling2d({poolSize: 2, name: 'pool'}), L.flatten({name: 'flat'}), L.dense({units: 3, activation: 'softmax', name: 'dense'}),
    ]}),
    loss: 'categoricalCrossentropy', x: array('conv_bn/x', [8, 6, 6, 1], -1, 1), y: tf.oneHot([0, 1, 2, 0, 2, 1, 0, 1], 3).cast('float32'),
  }),
  masked_lstm: () => ({
    model: tf.sequential({name: 'masked_lstm', layers: [
      L.embedding({inputDim: 7, outputDim: 3, maskZero: true, inputLength: 5, name: 'embedding'}), L.lstm({units: 4, recurrentActivation: 'sigmoid', name: 'lstm'}),
      L.dense({units: 1, activation: 'sigmoid', name: 'dense'}),
    ]}),
    loss: 'binaryCrossentropy', x: tf.tensor2d(TOKENS), y: tf.tensor2d([[1], [0], [0], [1], [0], [1], [1], [0]]),
  }),
  dense_bn: () => ({
    model: tf.sequential({name: 'dense_bn', layers: [
      L.dense({units: 4, activation: 'tanh', inputShape: [3], name: 'hidden'}), L.batchNormalization({momentum: 0.9, name: 'bn'}), L.dense({units: 2, name: 'dense'}),
    ]}),
    loss: 'meanSquaredError', x: array('dense_bn/x', [8, 3], -1, 1), y: array('dense_bn/y', [8, 2], -1, 1),
  }),
};

/** Every weight from its layer's and its own name, so that all producers start from the same numbers. */
function start(net, model) {
  for (const weight of model.weights) {
    const [layer, role] = weight.originalName.split('/');
    weight.write(array(`${net}/${layer}/${role}`, weight.shape, ...(RANGES[role] ?? [-0.5, 0.5])));
  }
}

async function train(net, build) {
  const {model, loss, x, y} = build();
  start(net, model);
  const folder = join(here, net, 'tfjs');
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  for (const [path, bytes] of Object.entries(await save(model))) writeFileSync(join(folder, path), bytes);

  const halves = tensor => tf.split(tensor, 2);
  const [xs, ys] = [halves(x), halves(y)];
  model.compile({optimizer: tf.train.sgd(RATE), loss});
  const losses = [];
  for (let step = 1; step <= STEPS; step++) {
    losses.push(await model.trainOnBatch(xs[(step - 1) % 2], ys[(step - 1) % 2]));
    if (step === 1 || step === STEPS) {
      writeFileSync(join(folder, `step_${step}.safetensors`), safetensors(model.weights.map(w => w.originalName), model.weights.map(w => w.read())));
    }
  }
  writeFileSync(join(folder, 'batches.safetensors'), safetensors(['x0', 'y0', 'x1', 'y1'], [xs[0], ys[0], xs[1], ys[1]]));
  await checkFit(net, build, model);
  const about = {
    producer: `tensorflow.js ${tf.version.tfjs}`, recipe: 'goldens/training/make.mjs', loss: loss.replace(/[A-Z]/g, c => `_${c.toLowerCase()}`), optimizer: 'sgd', learning_rate: RATE,
    losses: losses.map(value => Number(Math.fround(value).toPrecision(9))),
  };
  writeFileSync(join(folder, 'training.json'), JSON.stringify(about, null, 1) + '\n');
  console.log(`training: ${net}, tfjs: ${losses[0].toFixed(4)} to ${losses.at(-1).toFixed(4)}`);
}

/** `fit` without shuffling is the same ten steps. */
async function checkFit(net, build, trained) {
  const {model, loss, x, y} = build();
  start(net, model);
  model.compile({optimizer: tf.train.sgd(RATE), loss});
  await model.fit(x, y, {batchSize: 4, epochs: STEPS / 2, shuffle: false, verbose: 0});
  trained.weights.forEach((weight, i) => {
    const difference = weight.read().sub(model.weights[i].read()).abs().max().dataSync()[0];
    if (!(difference < 1e-6)) throw new Error(`${net}: fit differs by ${difference} in ${weight.originalName}`);
  });
}

for (const [net, build] of Object.entries(nets)) await train(net, build);
process.exit(0);
