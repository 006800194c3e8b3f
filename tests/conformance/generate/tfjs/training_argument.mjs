// `training` as an argument of a call inside a graph: TensorFlow.js writes it, `[["x", 0, 0, {"training": true}]]`, and predicts as if it
// said false. So does Keras 3; Keras 2 follows it, see families/training_argument.py.
import {done, golden, normal, tf} from '../lib/golden.mjs';

const {layers: L} = tf;
const note = 'TensorFlow.js writes training=true and ignores it';

function called(layer, shape) {
  const x = tf.input({shape, name: 'x'});
  return tf.model({inputs: x, outputs: layer.apply(x, {training: true})});
}

await golden('training_bn_true_rank2', {layers: ['BatchNormalization'], model: called(L.batchNormalization(), [3]), inputs: [normal([4, 3])], note});
await golden('training_bn_true_rank4', {layers: ['BatchNormalization'], model: called(L.batchNormalization(), [3, 2, 2]), inputs: [normal([4, 3, 2, 2])], note});
await golden('training_dropout_true', {layers: ['Dropout'], model: called(L.dropout({rate: 0.5}), [4]), inputs: [normal([2, 4])], note});
await golden('training_nested_true', {
  layers: ['Dense', 'BatchNormalization', 'Dropout'], inputs: [normal([4, 3])], note,
  model: called(tf.sequential({name: 'inner', layers: [L.dense({units: 3, inputShape: [3]}), L.batchNormalization(), L.dropout({rate: 0.5})]}), [3]),
});
done();
