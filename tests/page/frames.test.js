import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameAt, frameStamped, middleOf } from '../../assets/page/maths/frames.js';

const RATES = [23.976, 24, 25, 29.97, 30, 50, 59.94, 60];

test('the middle of every frame leads back to it, whatever the rate', () => {
  for (const fps of RATES) {
    const clip = { fps, frames: 5000 };
    for (let n = 0; n < clip.frames; n++) assert.equal(frameAt(middleOf(n, clip), clip), n);
  }
});

test('the stamp of a picture, rounded to microseconds, is its frame', () => {
  for (const fps of RATES) {
    const clip = { fps, frames: 5000 };
    for (let n = 0; n < clip.frames; n++) assert.equal(frameStamped(Math.round((n / fps) * 1e6) / 1e6, clip), n);
  }
});

test('times outside of the clip are its first and last frame', () => {
  const clip = { fps: 10, frames: 30 };
  assert.equal(frameAt(-1, clip), 0);
  assert.equal(frameAt(99, clip), 29);
});
