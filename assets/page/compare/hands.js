// Pointers: what a press takes, drags, pinches and the wheel.
import { centreKeeping, clamp, inside, keptInside, shareUnder } from '../maths/geometry.js';
import { setLine } from './controls.js';
import { frameAcrossPointer } from './curves.js';
import { draw } from './drawing.js';
import { seek } from './frames.js';
import { insetPlace, levelOf, mapPlace } from './overlays.js';
import { layout, seen } from './panes.js';
import { frameUnderPointer } from './profile.js';
import {
  $,
  LARGEST_ZOOM,
  NEAR_PX,
  SMALLEST_BOX_PX,
  box,
  canvas,
  chart,
  data,
  divider,
  lineHandle,
  pixelRatio,
  s,
  slices,
  video,
  viewer,
} from './state.js';
import { stripLater } from './strip.js';

const pointOf = (event) => {
  const place = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - place.left) * canvas.width) / place.width,
    y: ((event.clientY - place.top) * canvas.height) / place.height,
  };
};

const layerPoint = (pane, part, p) => shareUnder(pane, part, p, data);

function grab(point) {
  // what a press at a point takes
  const list = layout();
  const pane = list.find((p) => inside(p, point)) || list[0];
  const part = seen();
  const near = NEAR_PX * pixelRatio();
  const held = (kind, more = {}) => ({ kind, pane, part, point, ...more });
  if (s.zoom > 1 && inside(mapPlace(), point)) return held('map');
  const inset = insetPlace(list[0]);
  if (inset && inside(inset, point)) return held('peek');
  const level = levelOf(part);
  const away = s.line === 'h' ? pane.y + level * pane.h - point.y : pane.x + level * pane.w - point.x;
  if (s.view === 'wipe' && Math.abs(pane.x + pane.w * s.wipe - point.x) < near) return held('wipe');
  if (Math.abs(away) < near / 2) return held('line');
  if (s.strip) return held('region', { origin: layerPoint(pane, part, point) });
  if (s.view === 'flip' && s.zoom === 1) return held('flip');
  if (s.view === 'wipe' && s.zoom === 1) return held('wipe');
  return held('pan', { x: (part.x + part.w / 2) / data.width, y: (part.y + part.h / 2) / data.height });
}

const DRAGS = {
  wipe: ({ pane }, p) => {
    s.wipe = clamp((p.x - pane.x) / pane.w, 0, 1);
  },
  line: ({ pane, part }, p) => {
    const q = layerPoint(pane, part, p);
    setLine(s.line === 'h' ? q.y : q.x);
  },
  pan: ({ pane, point, x, y }, p) =>
    centre(x - (p.x - point.x) / pane.w / s.zoom, y - (p.y - point.y) / pane.h / s.zoom),
  map: (_, p) => {
    const map = mapPlace();
    centre((p.x - map.x) / map.w, (p.y - map.y) / map.h);
  },
  region: ({ pane, part, origin }, p) => {
    const q = layerPoint(pane, part, p);
    const w = Math.abs(q.x - origin.x);
    const h = Math.abs(q.y - origin.y);
    if (w * data.width < SMALLEST_BOX_PX || h * data.height < SMALLEST_BOX_PX) return;
    s.region = { x: Math.min(q.x, origin.x), y: Math.min(q.y, origin.y), w, h };
    stripLater();
  },
  box: ({ pane, part, point, x, y }, p) => {
    const dx = (((p.x - point.x) / pane.w) * part.w) / data.width;
    const dy = (((p.y - point.y) / pane.h) * part.h) / data.height;
    s.region = { ...s.region, x: clamp(x + dx, 0, 1 - s.region.w), y: clamp(y + dy, 0, 1 - s.region.h) };
    stripLater();
  },
  peek: () => {
    s.peeks = true;
  },
  flip: () => {
    s.flipped = true;
  },
};

function centre(x, y) {
  Object.assign(s, keptInside(x, y, s.zoom));
} // of what is seen, in shares of the layer

export function zoomTo(value, point = null) {
  // what lies under the point stays there
  const list = layout();
  const pane = point && (list.find((p) => inside(p, point)) || list[0]);
  const before = pane ? layerPoint(pane, seen(), point) : null;
  s.zoom = clamp(value, 1, LARGEST_ZOOM);
  if (before) Object.assign(s, centreKeeping(before, pane, point, s.zoom));
  else centre(s.x, s.y);
  $('.zoom').textContent = `${+s.zoom.toFixed(1)}×`;
  viewer.classList.toggle('zoomed', s.zoom > 1);
  draw();
}

export const zoom = (factor) => zoomTo(s.zoom * factor);
export const pan = (dx, dy) => {
  centre(s.x + dx / s.zoom, s.y + dy / s.zoom);
  draw();
};

// One finger drags, two pinch and pan together, more do nothing.
const fingers = new Map();
let pinch = null;
const spread = () => {
  const [a, b] = [...fingers.values()];
  return Math.hypot(a.x - b.x, a.y - b.y) || 1;
};
const between = () => {
  const [a, b] = [...fingers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
};
const pinchNow = () => (fingers.size === 2 ? { spread: spread(), middle: between() } : null);

function down(event, kind) {
  if (!data || !s.painted || event.button > 0) return;
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, pointOf(event));
  if (fingers.size > 1) {
    pinch = pinchNow();
    s.drag = null;
    s.flipped = s.peeks = false;
    return draw();
  }
  s.drag = grab(pointOf(event));
  if (kind) s.drag = { ...s.drag, kind, x: s.region.x, y: s.region.y };
  moved(pointOf(event));
}

function moved(point) {
  DRAGS[s.drag.kind](s.drag, point);
  draw();
}

function pinched() {
  const now = spread();
  const middle_ = between();
  const pane = layout()[0];
  zoomTo((s.zoom * now) / pinch.spread, pinch.middle);
  centre(s.x - (middle_.x - pinch.middle.x) / pane.w / s.zoom, s.y - (middle_.y - pinch.middle.y) / pane.h / s.zoom);
  pinch = { spread: now, middle: middle_ };
  draw();
}

canvas.addEventListener('pointerdown', (e) => {
  viewer.focus({ preventScroll: true });
  down(e);
});
divider.addEventListener('pointerdown', (e) => {
  e.stopPropagation();
  down(e, 'wipe');
});
lineHandle.addEventListener('pointerdown', (e) => {
  e.stopPropagation();
  down(e, 'line');
});
box.addEventListener('pointerdown', (e) => {
  e.stopPropagation();
  down(e, 'box');
});
viewer.addEventListener('pointermove', (e) => {
  if (!data || !s.painted) return;
  s.pointer = pointOf(e);
  if (fingers.has(e.pointerId)) fingers.set(e.pointerId, s.pointer);
  if (fingers.size === 2) pinched();
  else if (s.drag && fingers.has(e.pointerId)) moved(s.pointer);
  else if (s.loupe) draw();
});
for (const name of ['pointerup', 'pointercancel']) {
  viewer.addEventListener(name, (e) => {
    fingers.delete(e.pointerId);
    pinch = pinchNow();
    s.drag = null;
    s.flipped = s.peeks = false;
    draw();
  });
}
viewer.addEventListener('pointerleave', () => {
  s.pointer = null;
  if (s.loupe) draw();
});
canvas.addEventListener('dblclick', (e) => {
  if (data) zoomTo(s.zoom > 1 ? 1 : 2, pointOf(e));
});
viewer.addEventListener(
  'wheel',
  (e) => {
    if (!data || !(e.ctrlKey || viewer.contains(document.activeElement))) return; // else the page scrolls, as one expects
    e.preventDefault();
    zoomTo(s.zoom * Math.exp(-clamp(e.deltaY, -100, 100) / 400), pointOf(e));
  },
  { passive: false },
);

// Hovering goes to a frame while the clip rests; a press always does.
for (const [plot, frameOf] of [
  [slices, frameUnderPointer],
  [chart, frameAcrossPointer],
]) {
  plot.addEventListener('pointermove', (e) => {
    if (data && (video.paused || e.buttons)) seek(frameOf(e));
  });
  plot.addEventListener('pointerdown', (e) => {
    if (data) seek(frameOf(e));
  });
}
