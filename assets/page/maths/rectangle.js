// Rectangles [left, top, right, bottom] on a frame, in per cent of it.
import { clamp } from './geometry.js';

export const WHOLE = [0, 0, 100, 100];

export const isWhole = (box) => box.every((v, i) => Math.abs(v - WHOLE[i]) < 0.5);

export const spanned = ([x, y], [u, v]) => [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];

export const isSmall = ([l, t, r, b], smallest) => r - l < smallest || b - t < smallest;

export function movedBox([l, t, r, b], dx, dy) {
  const x = clamp(dx, -l, 100 - r);
  const y = clamp(dy, -t, 100 - b);
  return [l + x, t + y, r + x, b + y];
}

export function resizedBox([l, t, r, b], dx, dy, smallest) {
  return [l, t, clamp(r + dx, l + smallest, 100), clamp(b + dy, t + smallest, 100)];
}
