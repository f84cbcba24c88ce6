// Times decodeMultiplePoses: node tfjs_peer.js NODE_MODULES '{"folder": ..., "scenes": ..., ...}'; prints microseconds.
const fs = require("fs");
const path = require("path");
const [modules, text] = process.argv.slice(2);
const asked = JSON.parse(text);
const tf = require(path.join(modules, "@tensorflow/tfjs-core"));
const posenet = require(path.join(modules, "@tensorflow-models/posenet"));

function read(scene, letter, channels) {
  const bytes = fs.readFileSync(path.join(asked.folder, `${scene}${letter}`));
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return tf.buffer([asked.height, asked.width, channels], "float32", values);
}

const scenes = [];
for (let scene = 0; scene < asked.scenes; scene++) {
  scenes.push([read(scene, "h", 17), read(scene, "o", 34), read(scene, "f", 32), read(scene, "b", 32)]);
}
const times = [];
for (let round = -3; round < asked.rounds; round++) {
  for (const tensors of scenes) {
    const start = process.hrtime.bigint();
    posenet.decodeMultiplePoses(...tensors, asked.stride, asked.most, 0.5, 20);
    if (round >= 0) times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
}
times.sort((a, b) => a - b);
console.log(times[Math.floor(times.length / 2)]);
