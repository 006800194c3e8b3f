// Saves a model with TensorFlow.js over HTTP, and writes the body of the request to http_save.body.
//
//   npm install @tensorflow/tfjs@4.22.0 && node http_save.mjs
//
// Prints the method, the headers, and the sizes that TensorFlow.js reports.

import fs from 'node:fs';
import http from 'node:http';
import * as tf from '@tensorflow/tfjs';

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    console.log(request.method, request.url, request.headers);
    fs.writeFileSync('http_save.body', Buffer.concat(chunks));
    response.writeHead(200).end();
  });
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

const model = tf.sequential();
model.add(tf.layers.dense({units: 2, inputShape: [3], name: 'd'}));
model.layers[0].setWeights([tf.tensor2d([0, 1, 2, 3, 4, 5], [3, 2]), tf.tensor1d([6, 7])]);
const saved = await model.save(tf.io.http(`http://127.0.0.1:${server.address().port}/upload`));
console.log(saved.modelArtifactsInfo);
server.close();
