// Loads models/digits back with the real TensorFlow.js and writes expected.json, its own predictions for the sample images.
//
// Fails when the model that was saved does not repeat the predictions made at the end of training, or when a sample is not named right
// however it is scaled down. Reads <work>/samples.safetensors (made by samples.py).
//
//     node expect.mjs <work folder>
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { readTensors } from '../safetensors.mjs';

const MODEL = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'digits');

async function main(work) {
  await tf.setBackend('cpu');
  const model = await tf.loadLayersModel({ load });
  const measured = await remeasure(model);
  const samples = readTensors(join(work, 'samples.safetensors'));
  const { labels } = JSON.parse(readFileSync(join(MODEL, 'model.json'))).userDefinedMetadata;

  const expected = {};
  for (const [way, { shape, data }] of Object.entries(samples)) {
    const probabilities = await model.predict(tf.tensor(data, shape)).array();
    probabilities.forEach((row, digit) => {
      const best = row.indexOf(Math.max(...row));
      if (best !== digit) throw new Error(`samples/${digit}.png scaled by ${way} is taken for ${best}`);
      // A whole number of pixels makes a square, so these are the numbers whichever exact way is used.
      if (way === 'area') expected[`samples/${digit}.png`] = { label: labels[digit], probabilities: row };
    });
    console.log(`${way}: ${probabilities.map((row, digit) => row[digit].toFixed(4)).join(' ')}`);
  }
  const report = {
    producer: `tensorflow.js ${tf.version['tfjs-layers']}`,
    recipe: 'models/recipes/digits/expect.mjs',
    input: model.inputNames[0],
    output: model.outputNames[0],
    ...measured,
    samples: expected,
  };
  writeFileSync(join(MODEL, 'expected.json'), JSON.stringify(report, null, 1) + '\n');
}

async function load() {
  const json = JSON.parse(readFileSync(join(MODEL, 'model.json')));
  const [{ paths, weights }] = json.weightsManifest;
  const bytes = readFileSync(join(MODEL, paths[0]));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  return { modelTopology: json.modelTopology, weightSpecs: weights, weightData, userDefinedMetadata: json.userDefinedMetadata };
}

async function remeasure(model) {
  const test = (name) => readTensors(join(MODEL, 'test', `${name}.safetensors`));
  const { x } = test('x');
  const again = model.predict(tf.tensor(x.data, x.shape)).dataSync();
  const before = test('predictions')[model.outputNames[0]].data;
  const worst = before.reduce((most, value, i) => Math.max(most, Math.abs(value - again[i])), 0);
  if (!(worst <= 1e-6)) throw new Error(`the saved model differs from the trained one by ${worst}`);
  const { y } = test('y');
  const best = (data, row) => data.subarray(row * 10, row * 10 + 10).reduce((at, v, i, all) => (v > all[at] ? i : at), 0);
  let right = 0;
  for (let row = 0; row < y.shape[0]; row++) right += best(again, row) === best(y.data, row) ? 1 : 0;
  return { testExamples: y.shape[0], testRight: right };
}

await main(process.argv[2]);
