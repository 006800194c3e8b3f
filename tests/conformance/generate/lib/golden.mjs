// Writes one golden case with the real TensorFlow.js: the model exactly as `LayersModel.save` posts it, seeded weights
// and inputs, and what `predict` answered. Never computes an expected value itself.
import {createRequire} from 'node:module';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {argv, env, exit} from 'node:process';

const require = createRequire(join(env.GOLDEN_NODE, 'package.json'));
export const tf = require('@tensorflow/tfjs');
tf.env().set('IS_TEST', true); // silences the "install tfjs-node" banner
await tf.setBackend('cpu');

const PRODUCER = 'tensorflow.js';
const RECIPE = `generate/${basename(dirname(argv[1]))}/${basename(argv[1])}`;
const CASES = join(env.GOLDEN_CASES, 'tfjs');
let written = 0;

/** A seeded source of numbers: one stream per case name, so that cases do not disturb each other. */
export class Rng {
  constructor(name) {
    this.state = 2166136261;
    for (const c of name) this.state = Math.imul(this.state ^ c.charCodeAt(0), 16777619) >>> 0;
  }
  uniform(low = 0, high = 1) { // mulberry32
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return low + (high - low) * (((t ^ (t >>> 14)) >>> 0) / 4294967296);
  }
  normal(scale = 1) {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return scale * radius * Math.cos(2 * Math.PI * this.uniform());
  }
  int(low, high) { return Math.floor(this.uniform(low, high)); } // high is not reached
}

const size = shape => shape.reduce((a, b) => a * b, 1);
const fill = (shape, next) => tf.tensor(Float32Array.from({length: size(shape)}, next), shape);

/** A float input of this shape (batch included). */
export const normal = (shape, scale = 2) => rng => fill(shape, () => rng.normal(scale));
/** An input of whole numbers in [low, high), stored as float or int32. */
export const ids = (shape, low, high, dtype = 'int32') => rng => fill(shape, () => rng.int(low, high)).cast(dtype);
/** An input given value by value. */
export const values = (nested, dtype = 'float32') => () => tf.tensor(nested, undefined, dtype);

/** Gives every weight a seeded, non-trivial value that suits its role. */
export function randomise(model, rng) {
  for (const weight of model.weights) {
    const shape = weight.shape;
    const role = weight.originalName.split('/').pop();
    const fan = Math.max(1, size(shape) / (shape[shape.length - 1] || 1));
    const next = {
      gamma: () => rng.uniform(0.5, 1.5),
      beta: () => rng.normal(0.5),
      bias: () => rng.normal(0.5),
      moving_mean: () => rng.normal(0.5),
      moving_variance: () => rng.uniform(0.3, 2),
      alpha: () => rng.uniform(0.05, 0.5),
      embeddings: () => rng.normal(1),
      recurrent_kernel: () => rng.normal(0.5),
      depthwise_kernel: () => rng.normal(0.6),
    }[role] ?? (() => rng.normal(1.2 / Math.sqrt(fan)));
    weight.write(fill(shape, next));
  }
}

/** A functional model of one layer over one input named `x`. */
export function single(layer, shape, dtype = 'float32') {
  const x = tf.input({shape, name: 'x', dtype});
  return tf.model({inputs: x, outputs: layer.apply(x)});
}

/**
 * Writes the case. `spec`: layers (what it is about), model, inputs (a list of makers, in input order), and optionally kind, note,
 * randomise (false keeps the weights as they are), reload (false where TensorFlow.js cannot read back what it wrote), save (options),
 * batchSize (how many rows `predict` takes at a time, for models whose batch is fixed).
 */
export async function golden(name, spec) {
  const rng = new Rng(name);
  const {model} = spec;
  if (spec.randomise !== false) randomise(model, rng);
  const inputs = spec.inputs.map(make => make(rng));
  const files = await save(model, spec.save);
  const outputs = predict(model, inputs, spec.batchSize);
  if (spec.reload !== false) await checkReload(name, files, inputs, outputs, spec.batchSize);

  const folder = join(CASES, name);
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  const about = {layers: spec.layers, kind: spec.kind ?? 'layer', producer: `${PRODUCER} ${tf.version.tfjs}`, recipe: RECIPE};
  if (spec.batchSize) about.batch_size = spec.batchSize;
  if (spec.note) about.note = spec.note;
  writeFileSync(join(folder, 'case.json'), JSON.stringify(about, null, 1) + '\n');
  for (const [path, bytes] of Object.entries(files)) writeFileSync(join(folder, path), bytes);
  writeFileSync(join(folder, 'inputs.safetensors'), safetensors(model.inputNames, inputs));
  writeFileSync(join(folder, 'outputs.safetensors'), safetensors(model.outputNames, outputs));
  written += 1;
}

function predict(model, inputs, batchSize) {
  return [model.predict(inputs.length === 1 ? inputs[0] : inputs, batchSize ? {batchSize} : undefined)].flat();
}

/** The files of `LayersModel.save`, taken from the form that TensorFlow.js's own HTTP handler would post. */
export async function save(model, options) {
  const files = {};
  const fetchFunc = async (_url, init) => {
    for (const part of init.body.values()) files[part.name] = Buffer.from(await part.arrayBuffer());
    return {ok: true};
  };
  await model.save(tf.io.http('http://golden/', {fetchFunc}), options);
  return files;
}

/** What was written must be a model that TensorFlow.js loads and that answers the same: a case is never half written. */
async function checkReload(name, files, inputs, outputs, batchSize) {
  const json = JSON.parse(files['model.json']);
  const model = await tf.loadLayersModel(tf.io.fromMemory({
    modelTopology: json.modelTopology,
    weightSpecs: json.weightsManifest.flatMap(group => group.weights),
    weightData: new Uint8Array(files['model.weights.bin'] ?? []).buffer,
  }));
  const again = predict(model, inputs, batchSize);
  again.forEach((tensor, i) => {
    const difference = tensor.sub(outputs[i]).abs().max().dataSync()[0];
    if (!(difference <= 1e-6)) throw new Error(`${name}: reloaded output ${i} differs by ${difference}`);
  });
  outputs.forEach(tensor => {
    if (!tensor.dataSync().every(Number.isFinite)) throw new Error(`${name}: the output is not finite`);
  });
}

const DTYPES = {float32: 'F32', int32: 'I32', bool: 'BOOL'};

export function safetensors(names, tensors) {
  const header = {};
  const parts = [];
  const seen = {};
  let offset = 0;
  tensors.forEach((tensor, i) => {
    const name = names[i];
    const repeat = seen[name] = (seen[name] ?? -1) + 1;
    const data = tensor.dataSync();
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    header[repeat ? `${name}:${repeat}` : name] = {dtype: DTYPES[tensor.dtype], shape: tensor.shape, data_offsets: [offset, offset + bytes.length]};
    offset += bytes.length;
    parts.push(bytes);
  });
  let text = Buffer.from(JSON.stringify(header));
  text = Buffer.concat([text, Buffer.alloc((8 - text.length % 8) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

export function done() {
  console.log(`${RECIPE}: ${written} cases`);
  exit(0);
}
