import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WHOLE, isSmall, isWhole, movedBox, resizedBox, spanned } from '../../assets/page/maths/rectangle.js';

test('a drag spans a rectangle in every direction', () => {
  assert.deepEqual(spanned([60, 10], [20, 50]), [20, 10, 60, 50]);
  assert.ok(isSmall(spanned([10, 10], [12, 80]), 4));
});

test('a rectangle stops at the edges and keeps its size', () => {
  assert.deepEqual(movedBox([25, 25, 75, 75], 50, -50), [50, 0, 100, 50]);
});

test('resizing stops at the least size and at the edges', () => {
  assert.deepEqual(resizedBox([25, 25, 75, 75], -60, 60, 4), [25, 25, 29, 100]);
});

test('the whole frame may be off by a rounding', () => {
  assert.ok(isWhole(WHOLE) && isWhole([0.2, 0, 99.8, 100]) && !isWhole([0, 0, 90, 100]));
});
