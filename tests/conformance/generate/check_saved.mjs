// Loads what `save_all` saved with the real TensorFlow.js and compares its predictions with the producers' own.
//
//   GOLDEN_NODE=<folder with node_modules> node check_saved.mjs FOLDER [FILTER [RESULTS]]
//
// RESULTS receives the number of models that agree, for each class. `cargo xtask golden --saved` runs this over all cases.
// GOLDEN_CASES is the folder of the cases, if it is not the one that is checked in.
//
// A model saved without a warning must load and agree. Of the others it is counted whether they do, because TensorFlow.js
// may refuse them, compute something else, or hang: each is loaded in a process of its own that can be stopped.
import {spawn} from 'node:child_process';
import {createRequire} from 'node:module';
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {argv, env, exit, stdin, stdout} from 'node:process';

const here = dirname(fileURLToPath(import.meta.url));
const CASES = env.GOLDEN_CASES ?? join(here, '..', 'cases');
const TOLERANCE = {layer: 1e-5, network: 1e-4, half: 3e-2};
const PATIENCE = 60_000; // milliseconds for one model

async function main(folder, filter, results) {
  if (!folder) {
    console.error('usage: node check_saved.mjs FOLDER [FILTER [RESULTS]]');
    exit(2);
  }
  const ids = readdirSync(folder).flatMap(producer => readdirSync(join(folder, producer)).map(name => `${producer}/${name}`));
  const count = {agree: 0, wrong: 0, warnedAgree: 0, warnedNot: 0};
  const classes = {};
  let worker = new Worker(folder);
  for (const id of ids.filter(id => id.includes(filter)).sort()) {
    const warnings = JSON.parse(readFileSync(join(folder, id, 'warnings.json')));
    const why = await worker.check(id);
    if (why === 'hangs') worker = new Worker(folder);
    if (warnings.length === 0) {
      count[why ? 'wrong' : 'agree'] += 1;
      if (why) console.log(`WRONG ${id}: ${why}`);
      else for (const name of layersOf(id)) classes[name] = (classes[name] ?? 0) + 1;
    } else {
      count[why ? 'warnedNot' : 'warnedAgree'] += 1;
      if (env.VERBOSE) console.log(`${why ? 'warned' : 'WARNED, AGREES'} ${id}: ${why ?? warnings.join('; ')}`);
    }
  }
  worker.stop();
  console.log(`without a warning: ${count.agree} agree with the producer, ${count.wrong} do not`);
  console.log(`with a warning: ${count.warnedAgree} agree all the same, ${count.warnedNot} do not`);
  const right = count.wrong === 0 && count.agree > 0;
  if (right && results) {
    const lines = Object.keys(classes).sort().map(name => `${JSON.stringify(name)}: ${classes[name]}`);
    const totals = JSON.stringify(count).slice(1, -1);
    writeFileSync(results, `{${totals}, "classes": {\n${lines.join(',\n')}\n}}\n`);
  }
  exit(right ? 0 : 1);
}

/** The layer classes that a case is about. */
function layersOf(id) {
  return new Set(JSON.parse(readFileSync(join(CASES, id, 'case.json'))).layers);
}

/** A process that checks models one after the other. */
class Worker {
  constructor(folder) {
    this.process = spawn(process.execPath, [fileURLToPath(import.meta.url), '--worker', folder], {stdio: ['pipe', 'pipe', 'ignore']});
    this.lines = createInterface({input: this.process.stdout})[Symbol.asyncIterator]();
  }
  /** Nothing if the model agrees, else why not. */
  async check(id) {
    this.process.stdin.write(`${id}\n`);
    let timer;
    const late = new Promise(resolve => { timer = setTimeout(() => resolve('late'), PATIENCE); });
    const line = await Promise.race([this.lines.next(), late]);
    clearTimeout(timer);
    if (line === 'late' || line.done) {
      this.process.kill('SIGKILL');
      return 'hangs';
    }
    return JSON.parse(line.value);
  }
  stop() { this.process.kill(); }
}

async function work(folder) {
  const require = createRequire(join(env.GOLDEN_NODE, 'package.json'));
  const tf = require('@tensorflow/tfjs');
  tf.env().set('IS_TEST', true);
  await tf.setBackend('cpu');
  for await (const id of createInterface({input: stdin})) {
    let why = null;
    try {
      why = await check(tf, join(folder, id), join(CASES, id));
    } catch (error) {
      why = `${error.message}`.split('\n')[0];
    }
    stdout.write(JSON.stringify(why ?? null) + '\n');
  }
}

async function check(tf, saved, golden) {
  const model = await tf.loadLayersModel(handler(saved));
  const {kind, batch_size: batchSize} = JSON.parse(readFileSync(join(golden, 'case.json')));
  const inputs = readInputs(tf, golden);
  const list = inputOrder(golden, Object.keys(inputs), model).map(name => inputs[name]);
  const outputs = [model.predict(list.length === 1 ? list[0] : list, batchSize ? {batchSize} : undefined)].flat();
  const expected = outputOrder(golden, safetensors(tf, join(golden, 'outputs.safetensors')), model);
  if (outputs.length !== expected.length) return `${outputs.length} outputs, expected ${expected.length}`;
  let worst = 0;
  outputs.forEach((output, i) => {
    if (String(output.shape) !== String(expected[i].shape)) throw new Error(`shape ${output.shape}, expected ${expected[i].shape}`);
    const [found, wanted] = [output.dataSync(), expected[i].dataSync()];
    const scale = wanted.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 1e-3);
    wanted.forEach((want, j) => {
      const same = want === found[j] || (Number.isNaN(want) && Number.isNaN(found[j]));
      const difference = same ? 0 : Math.abs(want - found[j]) / scale;
      worst = Number.isFinite(difference) ? Math.max(worst, difference) : Infinity;
    });
  });
  model.dispose();
  return worst <= TOLERANCE[kind] ? null : `differs by ${worst.toExponential(2)} of the scale`;
}

/** The folder as TensorFlow.js's own handlers would give it: every file of every group, one after the other. */
function handler(folder) {
  const json = JSON.parse(readFileSync(join(folder, 'model.json')));
  const files = json.weightsManifest.flatMap(group => group.paths).map(path => readFileSync(join(folder, path)));
  return artifacts(json, Buffer.concat(files));
}

function artifacts(json, bytes) {
  const {modelTopology, trainingConfig, userDefinedMetadata} = json;
  const weightSpecs = json.weightsManifest.flatMap(group => group.weights);
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return {load: async () => ({modelTopology, trainingConfig, userDefinedMetadata, weightSpecs, weightData})};
}

/** The original's own order of inputs: names are those of its `input_layers`, or the only one there is. */
function inputOrder(golden, names, model) {
  if (names.length === 1) return names;
  if (model.inputNames.every(name => names.includes(name))) return model.inputNames;
  throw new Error(`inputs ${model.inputNames}, expected ${names}`);
}

function outputOrder(golden, tensors, model) {
  const names = Object.keys(tensors);
  if (names.length === 1) return [tensors[names[0]]];
  const seen = {};
  return model.outputNames.map(name => {
    const repeat = seen[name] = (seen[name] ?? -1) + 1;
    const tensor = tensors[repeat ? `${name}:${repeat}` : name];
    if (!tensor) throw new Error(`output ${name}, expected ${names}`);
    return tensor;
  });
}

function readInputs(tf, golden) {
  const json = join(golden, 'inputs.json');
  if (!existsSync(json)) return safetensors(tf, join(golden, 'inputs.safetensors'));
  return Object.fromEntries(Object.entries(JSON.parse(readFileSync(json))).map(([name, value]) => [name, tf.tensor(value)]));
}

function safetensors(tf, path) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length));
  const tensors = {};
  for (const [name, about] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [start, end] = about.data_offsets.map(offset => 8 + length + offset);
    const data = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end);
    const values = {
      F16: () => tf.tensor(Float32Array.from(new Uint16Array(data), half), about.shape, 'float32'),
      F32: () => tf.tensor(new Float32Array(data), about.shape, 'float32'),
      F64: () => tf.tensor(Float32Array.from(new Float64Array(data)), about.shape, 'float32'),
      I32: () => tf.tensor(new Int32Array(data), about.shape, 'int32'),
      I64: () => tf.tensor(Int32Array.from(new BigInt64Array(data), Number), about.shape, 'int32'),
      BOOL: () => tf.tensor(new Uint8Array(data), about.shape, 'bool'),
    }[about.dtype];
    if (!values) throw new Error(`a tensor of ${about.dtype}`);
    tensors[name] = values();
  }
  return tensors;
}

/** A number in half precision from its bits. */
function half(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 0x1f ? (fraction ? NaN : sign * Infinity) : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

if (argv[2] === '--worker') await work(argv[3]);
else await main(argv[2], argv[3] ?? '', argv[4]);
