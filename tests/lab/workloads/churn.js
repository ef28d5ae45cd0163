// Four worker threads that make, change and drop checksummed buffers and trees of objects without end, so that V8's
// collectors, which move what they keep, have work to do all the time. Each line of a client is answered, once all
// threads have looked at all they hold, by its number and "right" or "wrong". MEMORY is about how many MiB they hold.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { createHash, randomBytes, randomInt } = require('node:crypto');
const net = require('node:net');
const { setImmediate: later } = require('node:timers/promises');

const THREADS = 4;
const BLOCK = 64 << 10;

const digest = (bytes) => createHash('sha1').update(bytes).digest('hex');

// A tree of small objects, and the sum that its leaves must have.
function grow(depth, tree = { sum: 0 }, node = {}) {
  if (depth === 0) {
    node.value = randomInt(1 << 30);
    node.text = `leaf ${node.value}`;
    tree.sum += node.value;
  } else {
    node.left = {};
    node.right = {};
    grow(depth - 1, tree, node.left);
    grow(depth - 1, tree, node.right);
  }
  tree.root = node;
  return tree;
}

function sumOf(node) {
  if (node.left) return sumOf(node.left) + sumOf(node.right);
  return node.text === `leaf ${node.value}` ? node.value : NaN;
}

function make() {
  const bytes = randomBytes(BLOCK);
  return { bytes, digest: digest(bytes), tree: grow(6) };
}

const isRight = (entry) => digest(entry.bytes) === entry.digest && sumOf(entry.tree.root) === entry.tree.sum;

async function churn({ entries }) {
  const held = Array.from({ length: entries }, make);
  parentPort.on('message', () => parentPort.postMessage(held.every(isRight)));
  parentPort.postMessage('begun');
  for (;;) {
    for (let i = 0; i < 8; i++) {
      const at = randomInt(held.length);
      if (!isRight(held[at])) {
        console.log('wrong by itself');
        process.exit(3);
      }
      if (randomInt(4) === 0) {
        held[at] = make();
      } else {
        held[at].bytes[randomInt(BLOCK)] ^= 1 + randomInt(255);
        held[at].digest = digest(held[at].bytes);
      }
    }
    await later();
  }
}

async function serve() {
  const entries = Math.ceil((Number(process.env.MEMORY ?? 64) << 20) / BLOCK / THREADS);
  const workers = Array.from({ length: THREADS }, () => new Worker(__filename, { workerData: { entries } }));
  const answers = (worker) => new Promise((resolve) => worker.once('message', resolve));
  await Promise.all(workers.map(answers));
  net.createServer((socket) => {
    let number = 0;
    let queue = Promise.resolve();
    socket.on('data', (data) => {
      for (const _ of data.toString().match(/\n/g) ?? []) {
        queue = queue.then(async () => {
          const all = Promise.all(workers.map(answers));
          workers.forEach((worker) => worker.postMessage('look'));
          socket.write(`${++number} ${(await all).every(Boolean) ? 'right' : 'wrong'}\n`);
        });
      }
    });
  }).listen(9100, () => console.log('listening'));
}

if (isMainThread) serve(); else churn(workerData);
