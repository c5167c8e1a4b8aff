import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeOf, cutLine, frameUnder, pack } from '../../assets/page/maths/slices.js';

// A picture of 5 × 3 pixels whose grey says where: 40 x + 10 y, and a level for its frame.
function grey(frame) {
  const bytes = new Uint8ClampedArray(4 * 5 * 3);
  for (let y = 0; y < 3; y++)
    for (let x = 0; x < 5; x++) bytes.fill(40 * x + 10 * y + frame, 4 * (5 * y + x), 4 * (5 * y + x) + 3);
  return pack(bytes, 5, 3);
}
const reds = (bytes) => [...bytes].filter((_, i) => i % 4 === 0);

test('a line is cut out of every frame, along x and along y', () => {
  const copies = [grey(0), grey(5)];
  assert.deepEqual(reds(cutLine(copies, 'h', 1, 2, 3)), [60, 100, 140, 65, 105, 145]);
  assert.deepEqual(reds(cutLine(copies, 'v', 3, 0, 3)), [120, 130, 140, 125, 135, 145]);
});

test('colour survives packing where it is even', () => {
  const bytes = new Uint8ClampedArray(4 * 4).map((_, i) => [200, 80, 30, 255][i % 4]);
  const [r, g, b, a] = cutLine([pack(bytes, 2, 2)], 'h', 1, 1, 1);
  for (const [is, was] of [[r, 200], [g, 80], [b, 30]]) assert.ok(Math.abs(is - was) <= 2); // prettier-ignore
  assert.equal(a, 255);
});

test('change is the mean step of a pixel from frame to frame', () => {
  const data = cutLine([grey(0), grey(5), grey(2)], 'h', 0, 0, 5);
  assert.equal(changeOf({ width: 5, height: 3, data }), 4);
  assert.equal(changeOf({ width: 5, height: 1, data: data.slice(0, 20) }), 0); // one frame
});

test('a height of the plot is a frame of the slice there', () => {
  const plan = { block: 24 + 30 * 4 + 8, title: 24, k: 4 };
  assert.equal(frameUnder(24 + 12 * 4 + 1, plan, 30), 12);
  assert.equal(frameUnder(plan.block + 24, plan, 30), 0);
  assert.equal(frameUnder(plan.block - 1, plan, 30), 29); // the gap after a slice
});
