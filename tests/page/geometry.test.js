import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  centreKeeping,
  cornerOf,
  keptInside,
  largestPanes,
  lineLevel,
  movedRegion,
  regionPixels,
  shareUnder,
  visiblePart,
} from '../../assets/page/maths/geometry.js';

const CLIP = { columns: 2, width: 128, height: 96 };
const PANE = { x: 100, y: 50, w: 640, h: 480 };
const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

test('layers lie row by row', () => {
  assert.deepEqual([0, 1, 2, 3].map((n) => cornerOf(n, CLIP)), [[0, 0], [128, 0], [0, 96], [128, 96]]); // prettier-ignore
});

test('panes are as large as they can be', () => {
  assert.deepEqual(largestPanes(1, 800, 480, CLIP, 4), { columns: 1, rows: 1, w: 640, h: 480 });
  assert.deepEqual(largestPanes(2, 644, 480, CLIP, 4), { columns: 2, rows: 1, w: 320, h: 240 });
  const four = largestPanes(4, 644, 484, CLIP, 4);
  assert.deepEqual([four.columns, four.rows], [2, 2]);
  assert.equal(largestPanes(3, 0, 480, CLIP, 4).w, 0); // nothing is laid out yet
});

test('what is seen never leaves the layer', () => {
  assert.deepEqual(visiblePart(CLIP, 1, 0.2, 0.9), { x: 0, y: 0, w: 128, h: 96 });
  assert.deepEqual(visiblePart(CLIP, 4, 0, 1), { x: 0, y: 72, w: 32, h: 24 });
  assert.deepEqual(keptInside(0, 1, 4), { x: 0.125, y: 0.875 });
});

test('zooming keeps what lies under the point, as long as no edge is in the way', () => {
  const point = { x: 350, y: 300 };
  let [x, y, zoom] = [0.5, 0.5, 2];
  const before = shareUnder(PANE, visiblePart(CLIP, zoom, x, y), point, CLIP);
  for (zoom of [2.4, 3.7, 8, 5]) {
    ({ x, y } = centreKeeping(before, PANE, point, zoom));
    const after = shareUnder(PANE, visiblePart(CLIP, zoom, x, y), point, CLIP);
    near(after.x, before.x);
    near(after.y, before.y);
  }
});

test('the line is where it is in the part that is seen', () => {
  const part = { x: 0, y: 24, w: 64, h: 48 };
  assert.equal(lineLevel('h', 0.5, part, CLIP), 0.5);
  assert.equal(lineLevel('v', 0.25, part, CLIP), 0.5);
  assert.ok(lineLevel('h', 0.9, part, CLIP) > 1);
});

test('a region has whole pixels, keeps its least size and stays inside', () => {
  assert.deepEqual(regionPixels({ x: 0.99, y: 0.5, w: 0.01, h: 0.25 }, CLIP, 8), { x: 120, y: 48, w: 8, h: 24 });
  const r = { x: 120, y: 48, w: 8, h: 24 };
  const moved = movedRegion(r, { dx: 2, dy: -50, dw: 0, dh: 2 }, CLIP, 8);
  assert.deepEqual(moved, { x: 120 / 128, y: 0, w: 8 / 128, h: 26 / 96 });
});
