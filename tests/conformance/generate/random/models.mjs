// Random models of TensorFlow.js: makes a case of each seed in [FIRST, LAST).
//
//   GOLDEN_CASES=FOLDER GOLDEN_NODE=<folder with node_modules> node random/models.mjs FIRST LAST
//
// What TensorFlow.js cannot build, run, save or read back alike is discarded, and counted on stderr.
import {golden, ids, normal, Rng, tf} from '../lib/golden.mjs';
import {argv, exit} from 'node:process';
import {makers, integerMakers, recurrent, units, activation} from './layers.mjs';

const {layers: L} = tf;
const LARGEST = 5000;

/** Choices from a seed. */
export class Draw extends Rng {
  maybe(p = 0.5) { return this.uniform() < p; }
  one(...options) { return options[this.int(0, options.length)]; }
  between(low, high) { return this.int(low, high + 1); }
  /** Each option with probability `p`, and sometimes a name. */
  some(options, p = 0.35) {
    const kept = {};
    for (const [key, value] of Object.entries(options)) if (this.maybe(p)) kept[key] = value;
    const name = this.one('kernel', 'dense', 'dense_1', 'a/b', 'with space', 'größe', 'a/kernel', 'model', 'a:0', 'lstm/lstm_cell', 'x.y');
    if (this.maybe(0.1) && !this.taken.has(name)) {
      this.taken.add(name);
      kept.name = name;
    }
    if (this.maybe(0.03)) kept.trainable = false;
    return kept;
  }
  weights(...roles) {
    const kept = {};
    for (const role of roles) {
      if (this.maybe(0.07)) kept[`${role}Initializer`] = this.one('zeros', 'heNormal', 'glorotUniform', tf.initializers.constant({value: 0.2}), tf.initializers.randomNormal({stddev: 0.2, seed: 3}), tf.initializers.varianceScaling({scale: 2, mode: 'fanIn', distribution: 'uniform', seed: 1}));
      if (this.maybe(0.07)) kept[`${role}Regularizer`] = this.one('l1l2', tf.regularizers.l1({l1: 0.1}), tf.regularizers.l2({l2: 0.2}));
    }
    return kept;
  }
}

class Graph {
  constructor(d, batch, rows, depth = 0, root = undefined) {
    Object.assign(this, {d, batch, rows, depth, root: root ?? this, masks: 0, unmaskedUses: 0, nodes: [], inputs: [], feeds: [], used: new Set(), called: []});
  }
  input(like) {
    const {d} = this;
    const rank = d.one(2, 2, 3, 3, 3, 3, 4, 4, 4, 5);
    const sizes = like ? like.shape.slice(1) : Array.from({length: rank - 1}, () => d.between(1, 6));
    const open = sizes.map((size, i) => (!like && i < sizes.length - 1 && d.maybe(0.12) ? null : size));
    const whole = like ? like.dtype === 'int32' : rank < 4 && d.maybe(0.25);
    const dtype = whole ? 'int32' : 'float32';
    const name = d.maybe() ? {name: d.one('x', 'y', 'image', 'in') + this.inputs.length + (this.depth ? `_${this.depth}_${d.int(0, 1000)}` : '')} : {};
    const node = tf.input({dtype, ...name, ...(this.batch ? {batchShape: [this.batch, ...open]} : {shape: open})});
    this.inputs.push(node);
    this.nodes.push(node);
    const shape = [this.rows, ...sizes];
    this.feeds.push(whole ? ids(shape, 0, 8) : d.maybe(0.3) && rank > 2 ? steps(shape) : normal(shape, 1.5));
    node.full = shape;
    return node;
  }
  choose(fits) {
    const fitting = this.nodes.filter(fits);
    if (!fitting.length) throw new Error('no tensor fits');
    const fresh = fitting.filter(node => !this.used.has(node));
    return fresh.length && this.d.maybe(0.6) ? this.d.one(...fresh) : this.d.one(...fitting);
  }
  /**
   * TensorFlow.js hands the last mask it met to every later layer. So layers that use a mask are called either where there is none in
   * the whole model, or on tensors with the only one.
   */
  checkMasks(layer, inputs) {
    const {root} = this;
    const masked = inputs.some(node => node.masked);
    if (makesMask(layer) && (root.masks || root.unmaskedUses || this.depth)) throw new Error('a second mask');
    if (usesMask(layer) && (inputs.length > 1 || root.masks) && !(masked && inputs.length === 1 && !this.depth)) throw new Error('another mask would be used');
    if (masked && layer.layers) throw new Error('a mask into a nested model');
    root.masks |= makesMask(layer);
    root.unmaskedUses |= usesMask(layer) && !masked;
  }
  apply(layer, inputs, kwargs) {
    this.checkMasks(layer, inputs);
    const made = [layer.apply(inputs.length === 1 ? inputs[0] : inputs, kwargs)].flat();
    for (const node of made) {
      const size = node.shape.reduce((a, b) => a * (b ?? 6), 1);
      if (size > LARGEST || node.shape.some(size => size !== null && !(size > 0)) || node.rank > 6) throw new Error('too large, or empty');
    }
    inputs.forEach(node => this.used.add(node));
    const ends = layer.returnSequences === false || layer.layer?.returnSequences === false;
    made[0].masked = makesMask(layer) || (inputs.length === 1 && inputs[0].masked && layer.supportsMasking && !ends);
    this.nodes.push(...made);
    this.called.push([layer, inputs.map(node => node.shape)]);
    return made;
  }
  step() {
    const kinds = [...Array(12).fill('layer'), ...Array(3).fill('whole'), ...Array(4).fill('merge'), 'again', 'nested', 'states', 'dot'];
    try {
      this[this.d.one(...kinds)]();
      return true;
    } catch (error) {
      count(discarded, error);
      return false;
    }
  }
  layer() {
    const node = this.choose(isFloat);
    const options = makers.filter(([ranks]) => ranks.includes(node.rank)).map(([, make]) => make);
    this.apply(this.d.one(...options)(this.d, node, this), [node]);
  }
  whole() {
    const node = this.choose(node => node.dtype === 'int32' && node.rank <= 3);
    this.apply(this.d.one(...integerMakers)(this.d, node), [node]);
  }
  partner(node) {
    const {d} = this;
    const fitting = this.nodes.filter(other => other !== node && isFloat(other) && broadcasts(other.shape, node.shape));
    if (fitting.length && d.maybe(0.7)) return d.one(...fitting);
    const last = node.shape[node.rank - 1];
    const layer = d.one(() => L.dense({units: last}), () => L.activation({activation: 'tanh'}), () => L.batchNormalization({}), () => L.dense({units: 1}), () => L.dropout({rate: 0.2}))();
    return this.apply(layer, [node])[0];
  }
  merge() {
    const {d} = this;
    const a = this.choose(isFloat);
    const inputs = [a, this.partner(a), ...(d.maybe(0.2) ? [this.partner(a)] : [])];
    const kind = d.one('add', 'multiply', 'average', 'maximum', 'minimum', 'concatenate', 'concatenate');
    const options = d.some({});
    if (kind === 'concatenate' && d.maybe(0.6)) options.axis = d.maybe() ? d.between(1, a.rank - 1) : -1;
    this.apply(L[kind](options), inputs);
  }
  dot() {
    const {d} = this;
    const a = this.choose(node => isFloat(node) && node.rank < 4);
    const b = this.partner(a);
    this.apply(L.dot({axes: d.one(d.between(1, a.rank - 1), -1, [d.between(1, a.rank - 1), d.between(1, b.rank - 1)]), ...d.some({normalize: true})}), [a, b]);
  }
  again() {
    const [layer, shapes] = this.d.one(...this.called);
    this.apply(layer, shapes.map(shape => this.choose(node => String(node.shape) === String(shape))));
  }
  states() {
    const {d} = this;
    const node = this.choose(node => isFloat(node) && node.rank === 3);
    const size = d.between(1, 4);
    const layer = recurrent(d, node, {plain: true, units: size});
    const source = this.choose(node => isFloat(node) && node.rank === 2);
    const states = Array.from({length: layer.getClassName() === 'LSTM' ? 2 : 1}, () => this.apply(L.dense({units: size}), [source])[0]);
    this.checkMasks(layer, [node]);
    const made = [layer.apply(node, {initialState: states})].flat();
    this.used.add(node);
    states.forEach(state => this.used.add(state));
    this.nodes.push(...made);
  }
  nested() {
    const {d} = this;
    if (this.depth > 1) throw new Error('deep enough');
    const nodes = [this.choose(isFloat), ...(d.maybe(0.2) ? [this.choose(isFloat)] : [])];
    const outside = d.taken;
    d.taken = new Set();
    const inner = new Graph(d, this.batch, this.rows, this.depth + 1, this.root);
    nodes.forEach(node => inner.input(node));
    inner.grow(d.between(1, 4));
    const model = inner.model(d.maybe(0.3) ? {name: d.one('inner', 'dense', 'encoder')} : {});
    d.taken = outside;
    this.apply(model, nodes);
    if (d.maybe(0.35)) this.apply(model, nodes.map(node => this.choose(other => String(other.shape) === String(node.shape))));
  }
  grow(steps) {
    let [made, tries] = [0, 0];
    while (made < steps && tries++ < 6 * steps + 10) made += this.step();
  }
  model(options) {
    const {d} = this;
    const leaves = this.nodes.filter(node => !this.used.has(node) && !this.inputs.includes(node));
    const inner = this.nodes.filter(node => this.used.has(node) && !this.inputs.includes(node));
    if (!leaves.length) throw new Error('nothing was built');
    const outputs = leaves.slice(0, this.depth && d.maybe(0.7) ? 1 : 4);
    if (inner.length && d.maybe(0.15)) outputs.push(d.one(...inner));
    // It drops inputs that nothing uses when it writes, and reads back another model.
    const read = this.inputs.map(node => this.used.has(node));
    this.inputs = this.inputs.filter((_, i) => read[i]);
    this.feeds = this.feeds.filter((_, i) => read[i]);
    return tf.model({inputs: this.inputs, outputs: outputs.length === 1 ? outputs[0] : outputs, ...options});
  }
}

const makesMask = layer => layer.getClassName() === 'Masking' || layer.maskZero === true;
const USERS = ['RNN', 'LSTM', 'GRU', 'SimpleRNN', 'ConvLSTM2D', 'Bidirectional', 'Softmax', 'TimeDistributed'];
const usesMask = layer => USERS.includes(layer.getClassName()) || (layer.layers ?? []).some(usesMask);
const isFloat = node => node.dtype === 'float32' && node.rank >= 2 && node.rank <= 5;
const broadcasts = (a, b) => a.length === b.length && a.every((size, i) => size === b[i] || (i > 0 && (size === 1 || b[i] === 1)));

/** Numbers with whole steps of zeros, for Masking. */
function steps(shape) {
  return rng => {
    const values = normal(shape, 1.5)(rng);
    const keep = tf.tensor(Float32Array.from({length: shape[0] * shape[1]}, () => Number(rng.uniform() > 0.35)), [shape[0], shape[1], ...shape.slice(2).map(() => 1)]);
    return values.mul(keep);
  };
}

/** A Sequential, layer after layer. */
function chain(d, batch, rows) {
  const graph = new Graph(d, batch, rows);
  let node = graph.input();
  const [{shape, dtype}, length] = [node, d.between(1, 6)];
  const layers = [];
  for (let tries = 0; tries < 40 && layers.length < length; tries++) {
    try {
      const options = node.dtype === 'int32' ? integerMakers : makers.filter(([ranks]) => ranks.includes(node.rank)).map(([, make]) => make);
      const layer = d.one(...options)(d, node, graph);
      const made = graph.apply(layer, [node]);
      if (made.length !== 1) continue;
      layers.push(layer);
      node = made[0];
    } catch (error) { count(discarded, error); }
  }
  if (!layers.length) throw new Error('nothing was built');
  const model = tf.sequential();
  model.add(L.inputLayer({batchInputShape: shape, dtype}));
  layers.forEach(layer => { layer.inboundNodes.length = 0; layer.outboundNodes.length = 0; model.add(layer); });
  return [model, graph];
}

const [discarded, failed] = [new Map(), new Map()];
function count(map, error) {
  const why = `${error.message}`.split('\n')[0].replace(/\d+/g, 'N').slice(0, 130);
  map.set(why, (map.get(why) ?? 0) + 1);
}

const [first, last] = argv.slice(2).map(Number);
let made = 0;
const started = Date.now();
for (let seed = first; seed < last; seed++) {
  const d = new Draw(`tfjs ${seed}`);
  for (let i = 0; i < 5; i++) d.uniform();
  d.taken = new Set();
  tf.engine().startScope();
  try {
    const batch = d.maybe(0.12) ? d.between(1, 3) : undefined;
    const rows = batch ?? d.one(1, 2, 2, 2, 3);
    let [model, graph] = [];
    if (d.maybe(0.15)) [model, graph] = chain(d, batch, rows);
    else {
      graph = new Graph(d, batch, rows);
      for (let i = d.one(1, 1, 1, 2, 2, 3); i > 0; i--) graph.input();
      graph.grow(d.one(1, 1, 2, 2, 3, 4, 6, 8));
      model = graph.model(d.maybe(0.3) ? {name: d.one('net', 'model1', 'functional')} : {});
    }
    const name = `random_${String(seed).padStart(6, '0')}`;
    await golden(name, {layers: ['random'], kind: 'network', model, inputs: graph.feeds, note: `seed ${seed}`, batchSize: batch});
    made += 1;
  } catch (error) {
    if (process.env.VERBOSE) console.error(seed, error.message);
    count(failed, error);
  }
  tf.engine().endScope();
}
console.log(`tfjs: seeds ${first} to ${last - 1}: ${made} models in ${Math.round((Date.now() - started) / 1000)} s`);
for (const map of [failed, discarded]) {
  console.error('  discarded: ' + [...map].sort((a, b) => b[1] - a[1]).slice(0, 30).map(([why, times]) => `${times} ${why}`).join('; '));
}
exit(0);
