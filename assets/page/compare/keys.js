// Keys: of the whole stage, and of the handles that have the focus.
import { ACTIONS, fit, flip, fullscreen, loop, loupe, nextKind, nudge, pick, show, slide, turn } from './controls.js';
import { seek, setSpeed, toggle } from './frames.js';
import { pan } from './hands.js';
import { setLoop } from './loop.js';
import { saveView } from './saving.js';
import { $, box, chart, data, divider, lineHandle, s, slices, viewer } from './state.js';
import { moveRegion, toggleStrip } from './strip.js';

const KEYS = {
  ' ': toggle,
  k: toggle,
  ArrowRight: ACTIONS.next,
  ArrowLeft: ACTIONS.back,
  ArrowUp: () => nudge(-1),
  ArrowDown: () => nudge(1),
  PageUp: () => nudge(-10),
  PageDown: () => nudge(10),
  Home: () => seek(s.loop ? s.from : 0),
  End: () => seek(s.loop ? s.to : data.frames - 1),
  p: turn,
  ',': () => slide(-0.02),
  '.': () => slide(0.02),
  '<': () => setSpeed(-1),
  '>': () => setSpeed(1),
  w: () => show('wipe'),
  s: () => show('side'),
  g: () => show('grid'),
  f: () => show('flip'),
  d: () => show('diff'),
  h: nextKind,
  l: loupe,
  '+': ACTIONS.in,
  '=': ACTIONS.in,
  '-': ACTIONS.out,
  0: fit,
  x: () => flip(true),
  c: toggleStrip,
  e: saveView,
  o: loop,
  z: fullscreen,
  '[': () => setLoop(s.frame, Math.max(s.to, s.frame)),
  ']': () => setLoop(Math.min(s.from, s.frame), s.frame),
  r: () => setLoop(0, data.frames - 1),
  '?': () => {
    $('.keys').open = !$('.keys').open;
  },
};
const PANS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };

export function key(e) {
  if (!data || e.ctrlKey || e.metaKey || e.altKey) return;
  const digit = e.code.match(/^Digit([1-6])$/);
  let action = KEYS[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (digit) action = () => pick(e.shiftKey ? 'a' : 'b', Number(digit[1]) - 1);
  if (e.shiftKey && PANS[e.key]) action = () => pan(...PANS[e.key]);
  if (!action) return;
  action();
  e.preventDefault();
}
for (const place of [viewer, slices, chart]) place.addEventListener('keydown', key);
viewer.addEventListener('keyup', (e) => {
  if (e.key.toLowerCase() === 'x') flip(false);
});

function arrows(handle, act) {
  // a handle with focus moves by its own arrows; other keys go on to the stage
  handle.addEventListener('keydown', (e) => {
    const by = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      PageUp: [0, -10],
      PageDown: [0, 10],
    }[e.key];
    if (!data || !by) return;
    act(...by, e.shiftKey);
    e.preventDefault();
    e.stopPropagation();
  });
}
arrows(divider, (dx, dy) => slide(0.02 * (dx - dy)));
arrows(lineHandle, (dx, dy) => nudge(dx + dy));
arrows(box, (dx, dy, resize) => (resize ? moveRegion(0, 0, 2 * dx, 2 * dy) : moveRegion(2 * dx, 2 * dy)));
