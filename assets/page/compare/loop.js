// The part of the clip that is played again and again.
import { WORDS } from '../host.js';
import { clamp } from '../maths/geometry.js';
import { seek } from './frames.js';
import { $, data, fill, press, s } from './state.js';

export function setLoop(from, to) {
  s.from = clamp(Math.min(from, to), 0, data.frames - 1);
  s.to = clamp(Math.max(from, to), 0, data.frames - 1);
  s.loop = true;
  press('loop', true);
  showLoop();
}

export function showLoop() {
  const last = Math.max(data.frames - 1, 1);
  const left = (100 * s.from) / last;
  const right = (100 * s.to) / last;
  const region = $('.region');
  region.style.left = `${left}%`;
  region.style.width = `${right - left}%`;
  region.classList.toggle('off', !s.loop);
  for (const [edge, n] of [
    ['from', s.from],
    ['to', s.to],
  ]) {
    const handle = $(`.edge.${edge}`);
    handle.style.left = `${(100 * n) / last}%`;
    handle.setAttribute('aria-valuemin', 1);
    handle.setAttribute('aria-valuemax', data.frames);
    handle.setAttribute('aria-valuenow', n + 1);
    handle.setAttribute('aria-valuetext', fill(WORDS.frame, { frame: n + 1, frames: data.frames }));
  }
}

export function showBorders() {
  const ticks = data.borders.map((border) => {
    const tick = document.createElement('i');
    tick.style.left = `${(100 * border) / Math.max(data.frames - 1, 1)}%`;
    return tick;
  });
  $('.ticks').replaceChildren(...ticks);
}

for (const edge of ['from', 'to']) {
  const handle = $(`.edge.${edge}`);
  const put = (n) => setLoop(edge === 'from' ? Math.min(n, s.to) : s.from, edge === 'to' ? Math.max(n, s.from) : s.to);
  handle.addEventListener('pointerdown', (e) => {
    if (data) {
      handle.setPointerCapture(e.pointerId);
      e.preventDefault();
      handle.focus();
    }
  });
  handle.addEventListener('pointermove', (e) => {
    if (!data || !handle.hasPointerCapture(e.pointerId)) return;
    const track = $('.track').getBoundingClientRect();
    put(Math.round(((e.clientX - track.left) / track.width) * (data.frames - 1)));
    seek(s[edge]);
  });
  handle.addEventListener('keydown', (e) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 }[e.key];
    const to = { Home: 0, End: data ? data.frames - 1 : 0 }[e.key];
    if (!data || (by === undefined && to === undefined)) return;
    put(
      clamp(to === undefined ? s[edge] + by : to, edge === 'from' ? 0 : s.from, edge === 'to' ? data.frames - 1 : s.to),
    );
    e.preventDefault();
    e.stopPropagation();
  });
}
