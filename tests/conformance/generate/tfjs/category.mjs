// CategoryEncoding, as TensorFlow.js computes and writes it. Its `computeOutputShape` changes the array it is given: directly behind an
// input, TensorFlow.js expects inputs of the layer's output shape. So another layer stands between.
import {done, golden, single, tf, values} from '../lib/golden.mjs';

const layers = ['CategoryEncoding'];
const batch = [[0, 1, 1], [5, 0, 2], [3, 3, 3]];

function encode(config, dtype, columns) {
  const x = tf.input({shape: [columns], name: 'x', dtype});
  const behind = tf.layers.reshape({targetShape: [columns], name: 'between'}).apply(x);
  return tf.model({inputs: x, outputs: tf.layers.categoryEncoding({numTokens: 6, ...config}).apply(behind)});
}

await golden('category_encoding_default', {layers, model: encode({}, 'int32', 3), inputs: [values(batch, 'int32')]});
await golden('category_encoding_float', {layers, model: encode({outputMode: 'multiHot'}, 'float32', 3), inputs: [values([[0, 1.75, 1], [5.5, 0, 2], [3, 3, 3]])]});
await golden('category_encoding_count', {layers, model: encode({outputMode: 'count'}, 'int32', 3), inputs: [values(batch, 'int32')]});
await golden('category_encoding_one_hot', {layers, model: encode({outputMode: 'oneHot'}, 'int32', 1), inputs: [values([[0], [5], [3]], 'int32')]});
await golden('category_encoding_as_wide', {
  layers,
  model: single(tf.layers.categoryEncoding({numTokens: 3, outputMode: 'count'}), [3], 'int32'), inputs: [values([[0, 2, 1], [1, 1, 1]], 'int32')],
});
await golden('category_encoding_int', {
  layers, model: encode({outputMode: 'int'}, 'float32', 3), inputs: [values([[0, 1.75, 1], [5.5, 0, 2], [3, 3, 3]])], note: 'the numbers themselves; Keras has no such mode',
});
done();
