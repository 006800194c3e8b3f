// Trains the digits CNN with the real TensorFlow.js and saves it with tf.LayersModel.save.
//
// Reads <work>/train.safetensors and models/digits/test/{x,y}.safetensors (made by data.py); writes models/digits/model.json,
// weights.bin and test/predictions.safetensors, and prints the accuracy on the held-out images.
//
//     node train.mjs <work folder>
//     node train.mjs <work folder> --validate    train on nine tenths, measure on the rest, write nothing
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { readTensors, writeTensors } from '../safetensors.mjs';
import { install } from './fast_gradients.mjs';

const SEED = 1797;
const EPOCHS = 20;
const BATCH = 32;
const STEP = 0.003;
const MODEL = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'digits');
const LABELS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
// Pixel 0 is 0 and pixel 255 is 16: the scale of the data set.
const RANGE = [0, 16];

async function main(work, validate) {
  // Dropout masks and the order of the images come from Math.random: one seed makes the whole training repeatable.
  Math.random = mulberry32(SEED);
  await tf.setBackend('cpu');
  install();
  const { x, y } = readTensors(join(work, 'train.safetensors'));
  const kept = validate ? Math.floor(x.shape[0] * 0.9) : x.shape[0];

  const model = build();
  model.summary();
  await train(model, rows(x, 0, kept), rows(y, 0, kept));
  if (validate) {
    const held = accuracy(predict(model, rows(x, kept, x.shape[0])), rows(y, kept, y.shape[0]));
    console.log(`accuracy on the last tenth of the training images: ${held.right} of ${held.of}`);
    return;
  }

  const test = join(MODEL, 'test');
  const probabilities = predict(model, readTensors(join(test, 'x.safetensors')).x);
  const { right, of } = accuracy(probabilities, readTensors(join(test, 'y.safetensors')).y);
  console.log(`accuracy on the held-out images: ${right} of ${of} (${((100 * right) / of).toFixed(2)} %)`);
  writeTensors(join(test, 'predictions.safetensors'), { [model.outputNames[0]]: probabilities });
  model.setUserDefinedMetadata({ labels: LABELS, range: RANGE, testAccuracy: right / of });
  await model.save(tf.io.withSaveHandler(save));
}

/** Three convolutions with batch normalization, a pooling, two dense layers. */
function build() {
  const seed = seeds(SEED);
  const conv = (name, filters, more = {}) =>
    tf.layers.conv2d({ name, filters, kernelSize: 3, padding: 'same', useBias: false, kernelInitializer: tf.initializers.heNormal({ seed: seed() }), ...more });
  const norm = (name) => tf.layers.batchNormalization({ name, momentum: 0.9 });
  return tf.sequential({
    name: 'digits',
    layers: [
      conv('conv1', 12, { inputShape: [8, 8, 1] }),
      norm('norm1'),
      tf.layers.reLU({ name: 'relu1' }),
      conv('conv2', 16),
      norm('norm2'),
      tf.layers.reLU({ name: 'relu2' }),
      tf.layers.maxPooling2d({ name: 'pool', poolSize: 2 }),
      conv('conv3', 24),
      norm('norm3'),
      tf.layers.reLU({ name: 'relu3' }),
      tf.layers.dropout({ name: 'dropout1', rate: 0.25 }),
      tf.layers.flatten({ name: 'flatten' }),
      tf.layers.dense({ name: 'hidden', units: 64, activation: 'relu', kernelInitializer: tf.initializers.heNormal({ seed: seed() }) }),
      tf.layers.dropout({ name: 'dropout2', rate: 0.25 }),
      tf.layers.dense({ name: 'digit', units: 10, activation: 'softmax', kernelInitializer: tf.initializers.glorotUniform({ seed: seed() }) }),
    ],
  });
}

/** Adam with a step that falls thirtyfold over the epochs, on images pushed a pixel to the left or right at random. */
async function train(model, x, y) {
  const optimizer = tf.train.adam(STEP);
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const ys = tf.tensor(y.data, y.shape);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    optimizer.learningRate = STEP * 0.03 ** (epoch / EPOCHS);
    const xs = tf.tensor(pushed(x), x.shape);
    const { history } = await model.fit(xs, ys, { epochs: 1, batchSize: BATCH, verbose: 0 });
    xs.dispose();
    console.log(`epoch ${epoch + 1}: loss ${history.loss[0].toFixed(4)}, accuracy ${history.acc[0].toFixed(4)}`);
  }
}

/** The images moved by -1, 0 or 1 pixel sideways, each at random; what enters is paper. */
function pushed({ shape: [images, height, width], data }) {
  const out = new Float32Array(data.length);
  for (let image = 0; image < images; image++) {
    const by = Math.floor(Math.random() * 3) - 1;
    for (let row = image * height; row < (image + 1) * height; row++) {
      for (let at = Math.max(by, 0); at < width + Math.min(by, 0); at++) out[row * width + at] = data[row * width + at - by];
    }
  }
  return out;
}

function predict(model, x) {
  const output = model.predict(tf.tensor(x.data, x.shape));
  return { shape: output.shape, data: output.dataSync() };
}

function accuracy(probabilities, truth) {
  const [of, classes] = truth.shape;
  const best = (data, row) => data.subarray(row * classes, (row + 1) * classes).reduce((at, v, i, all) => (v > all[at] ? i : at), 0);
  let right = 0;
  for (let row = 0; row < of; row++) right += best(probabilities.data, row) === best(truth.data, row) ? 1 : 0;
  return { right, of };
}

function rows({ shape: [, ...rest], data }, from, to) {
  const size = rest.reduce((a, b) => a * b, 1);
  return { shape: [to - from, ...rest], data: data.subarray(from * size, to * size) };
}

/** Writes the artifacts as tfjs-node's file handler does: model.json and one weights.bin. */
async function save(artifacts) {
  mkdirSync(MODEL, { recursive: true });
  const { modelTopology, format, generatedBy, convertedBy, userDefinedMetadata, weightSpecs, weightData } = artifacts;
  const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
  const json = { modelTopology, weightsManifest, format, generatedBy, convertedBy, userDefinedMetadata };
  writeFileSync(join(MODEL, 'model.json'), JSON.stringify(json));
  const bytes = tf.io.CompositeArrayBuffer.join(weightData);
  writeFileSync(join(MODEL, 'weights.bin'), Buffer.from(bytes));
  return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
}

function seeds(start) {
  let next = start;
  return () => next++;
}

/** A small public-domain generator (mulberry32): 32 bits of state, uniform in [0, 1). */
function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

await main(process.argv[2], process.argv.includes('--validate'));
