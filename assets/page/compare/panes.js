// Where the layers lie on the canvas, and which part of them is seen.
import { largestPanes, visiblePart } from '../maths/geometry.js';
import { $, BESIDE_PX, GAP, LEAST_STAGE_PX, canvas, data, pixelRatio, s, viewer } from './state.js';

function panes() {
  if (s.view === 'side') return [s.a, s.b];
  return s.view === 'grid' ? data.layers.map((_, i) => i) : [null];
}

const tallest = () => {
  // of all panes together, in CSS pixels
  const full = document.fullscreenElement === $('.player');
  return Math.max(full ? window.innerHeight - $('.transport').offsetHeight - 16 : window.innerHeight * 0.62, 160);
};

export function arrange() {
  // the profile goes beside the picture where that costs the picture nothing
  if (!data) return;
  const place = $('.layout');
  const total = place.clientWidth;
  const count = panes().length;
  const room = total - BESIDE_PX - 20;
  const alone = largestPanes(count, total, tallest(), data, GAP);
  const shared = room >= LEAST_STAGE_PX ? largestPanes(count, room, tallest(), data, GAP) : { w: 0 };
  const beside = shared.w > 0 && shared.w >= 0.9 * alone.w;
  place.classList.toggle('beside', beside);
  if (beside)
    place.style.setProperty('--stage-width', `${Math.max(shared.columns * (shared.w + GAP) - GAP, LEAST_STAGE_PX)}px`);
}

export function layout() {
  // panes as {layer, x, y, w, h} in canvas pixels
  const list = panes();
  const ratio = pixelRatio();
  const width = Math.round(viewer.clientWidth * ratio);
  const { columns, rows, w, h } = largestPanes(list.length, width, tallest() * ratio, data, GAP);
  if (!w) return [];
  const left = Math.floor((width - columns * w - GAP * (columns - 1)) / 2);
  const height = rows * h + GAP * (rows - 1);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  canvas.style.height = `${height / ratio}px`;
  return list.map((layer, i) => ({
    layer,
    x: left + (i % columns) * (w + GAP),
    y: Math.floor(i / columns) * (h + GAP),
    w,
    h,
  }));
}

export const seen = () => visiblePart(data, s.zoom, s.x, s.y); // of a layer, in its pixels
