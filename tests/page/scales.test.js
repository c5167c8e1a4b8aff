import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisRange, change, figure, fixed, mean, roundStep, tickText, ticks } from '../../assets/page/maths/scales.js';

test('steps are 1, 2 or 5 times a power of ten', () => {
  assert.deepEqual(
    [0.03, 0.1, 1.1, 3, 5.5, 100].map(roundStep).map((v) => +v.toPrecision(3)),
    [0.05, 0.1, 2, 5, 10, 100],
  );
});

test('ticks stand apart and within the count', () => {
  assert.deepEqual(ticks(16, 100, 26), [0, 5, 10, 15]);
  assert.deepEqual(ticks(1, 100, 26), [0]);
});

test('an axis begins at 0 unless all values are far from it', () => {
  const [zero, top] = axisRange([[null, 1, 10]]);
  assert.ok(zero === 0 && top > 10 && top < 11);
  const [low, high] = axisRange([[9, 10]]);
  assert.ok(low > 8 && low < 9 && high > 10 && high < 11);
  assert.ok(axisRange([[null]])[1] > 0); // one frame has no flicker
});

test('means leave out what is unknown; figures have three digits', () => {
  assert.equal(mean([null, 1, 3]), 2);
  assert.deepEqual([mean([]), mean([null, null])], [null, null]); // one frame has no flicker, which is not the least there is
  assert.deepEqual([change(null, 2), change(2, null), change(2, 1)], ['', '', '−50 %']);
  assert.deepEqual(
    [null, undefined, 0.05045, 1234.5, 3].map((v) => figure(v)),
    ['–', '–', '0.0505', '1230', '3'],
  );
});

test('a column has one number of decimals, an axis those of its step', () => {
  assert.deepEqual(
    [1.3, 1.25, 0, null, undefined].map((v) => fixed(v, 2)),
    ['1.30', '1.25', '0.00', '–', '–'],
  );
  assert.deepEqual(
    [0.05, 0.055].map((v) => tickText(v, 0.005)),
    ['0.050', '0.055'],
  );
  assert.deepEqual([tickText(4, 2), tickText(40, 20), tickText(0.5, 0.1)], ['4', '40', '0.5']);
});
