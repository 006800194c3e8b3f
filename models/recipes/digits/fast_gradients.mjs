// Plain-loop replacements for the two convolution gradients of TensorFlow.js's cpu backend, which goes through an accessor for
// every number and takes a minute an epoch. They serve stride 1, padding `same`, channels last; training alone uses them, and each is first
// compared with the kernel it replaces.
import * as tf from '@tensorflow/tfjs';

/** Replaces Conv2DBackpropFilter and Conv2DBackpropInput of the cpu backend, after checking both against the originals. */
export function install() {
  const before = sample();
  replace('Conv2DBackpropFilter', filterGradient);
  replace('Conv2DBackpropInput', inputGradient);
  const after = sample();
  before.forEach((values, i) => values.forEach((value, j) => {
    if (!(Math.abs(value - after[i][j]) <= 1e-4)) throw new Error(`gradient ${i}[${j}] is ${after[i][j]}, TensorFlow.js computes ${value}`);
  }));
}

function sample() {
  const x = tf.randomNormal([2, 5, 4, 3], 0, 1, 'float32', 1);
  const filter = tf.randomNormal([3, 3, 3, 6], 0, 1, 'float32', 2);
  const dy = tf.randomNormal([2, 5, 4, 6], 0, 1, 'float32', 3);
  return tf.grads((a, b) => tf.conv2d(a, b, 1, 'same'))([x, filter], dy).map((gradient) => gradient.dataSync());
}

function replace(kernelName, gradient) {
  tf.unregisterKernel(kernelName, 'cpu');
  tf.registerKernel({ kernelName, backendName: 'cpu', kernelFunc: gradient });
}

function filterGradient({ inputs: { x, dy }, backend, attrs }) {
  const g = geometry(x.shape, attrs.filterShape, attrs);
  const [from, down, out] = [backend.data.get(x.dataId).values, backend.data.get(dy.dataId).values, new Float32Array(tf.util.sizeFromShape(attrs.filterShape))];
  visit(g, (at, tap, pixel) => {
    for (let i = 0; i < g.inputs; i++) {
      const value = from[at + i];
      const row = tap + i * g.outputs;
      for (let o = 0; o < g.outputs; o++) out[row + o] += value * down[pixel + o];
    }
  });
  return backend.makeTensorInfo(attrs.filterShape, 'float32', out);
}

function inputGradient({ inputs: { dy, filter }, backend, attrs }) {
  const g = geometry(attrs.inputShape, filter.shape, attrs);
  const [weights, down, out] = [backend.data.get(filter.dataId).values, backend.data.get(dy.dataId).values, new Float32Array(tf.util.sizeFromShape(attrs.inputShape))];
  visit(g, (at, tap, pixel) => {
    for (let i = 0; i < g.inputs; i++) {
      const row = tap + i * g.outputs;
      let sum = 0;
      for (let o = 0; o < g.outputs; o++) sum += weights[row + o] * down[pixel + o];
      out[at + i] += sum;
    }
  });
  return backend.makeTensorInfo(attrs.inputShape, 'float32', out);
}

function geometry([batch, height, width, inputs], [kernelHeight, kernelWidth, , outputs], { strides, pad, dataFormat }) {
  const one = [].concat(strides).every((stride) => stride === 1);
  if (!one || pad !== 'same' || dataFormat !== 'NHWC') throw new Error('only stride 1, padding same, channels last');
  return { batch, height, width, inputs, kernelHeight, kernelWidth, outputs };
}

/** Calls `each(offset in x, offset in the filter, offset in dy)` for every pair of an output pixel and a kernel tap inside the image. */
function visit({ batch, height, width, inputs, kernelHeight, kernelWidth, outputs }, each) {
  const [top, left] = [(kernelHeight - 1) >> 1, (kernelWidth - 1) >> 1];
  for (let n = 0; n < batch; n++) for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const pixel = ((n * height + y) * width + x) * outputs;
    for (let ky = 0; ky < kernelHeight; ky++) for (let kx = 0; kx < kernelWidth; kx++) {
      const [iy, ix] = [y + ky - top, x + kx - left];
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      each(((n * height + iy) * width + ix) * inputs, (ky * kernelWidth + kx) * inputs * outputs, pixel);
    }
  }
}
