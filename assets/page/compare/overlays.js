// What lies over the layers: the profile's line, a strip's region, the loupe, the overview, and the handles.
import { clamp, inside, lineLevel } from '../maths/geometry.js';
import { colourOf, label, named, paint, paintLayer } from './drawing.js';
import { linePixels, linePlace, lineText } from './profile.js';
import {
  INPUT,
  INSET_SHARE,
  LEAST_INSET_PX,
  MARK,
  box,
  canvas,
  context,
  data,
  divider,
  lineHandle,
  pixelRatio,
  s,
  sheet,
} from './state.js';

const OUTSIDE = -1;
// of the profile's line on what is seen; one frame has none
export const levelOf = (part) => (data.frames > 1 ? lineLevel(s.line, s.at, part, data) : OUTSIDE);

export function drawLine(pane, part) {
  const level = levelOf(part);
  const thick = 1.5 * pixelRatio();
  if (level < 0 || level > 1) return;
  const [x, y, w, h] =
    s.line === 'h' ? [pane.x, pane.y + level * pane.h, pane.w, 0] : [pane.x + level * pane.w, pane.y, 0, pane.h];
  context.fillStyle = 'rgba(0,0,0,.5)';
  context.fillRect(x - (w ? 0 : thick), y - (h ? 0 : thick), w || 2 * thick, h || 2 * thick);
  context.fillStyle = MARK;
  context.fillRect(x - (w ? 0 : thick / 2), y - (h ? 0 : thick / 2), w || thick, h || thick);
}

export function drawBox(pane, part) {
  // the region of the strip
  const r = s.region;
  const ratio = pixelRatio();
  const x = pane.x + ((r.x * data.width - part.x) / part.w) * pane.w;
  const y = pane.y + ((r.y * data.height - part.y) / part.h) * pane.h;
  const w = ((r.w * data.width) / part.w) * pane.w;
  const h = ((r.h * data.height) / part.h) * pane.h;
  context.save();
  context.beginPath();
  context.rect(pane.x, pane.y, pane.w, pane.h);
  context.clip();
  context.lineWidth = 3 * ratio;
  context.strokeStyle = 'rgba(0,0,0,.6)';
  context.strokeRect(x, y, w, h);
  context.lineWidth = 1.5 * ratio;
  context.strokeStyle = '#fff';
  context.strokeRect(x, y, w, h);
  context.restore();
  return { x, y, w, h };
}

export function drawLoupe(list, part) {
  // every layer, enlarged, where the pointer is
  const ratio = pixelRatio();
  const side = 116 * ratio;
  const n = data.layers.length;
  const columns = clamp(Math.floor(canvas.width / (side + 2)), 1, n);
  const rows = Math.ceil(n / columns);
  const p = s.pointer || { x: list[0].x + list[0].w / 2, y: list[0].y + list[0].h / 2 };
  const pane = list.find((q) => inside(q, p)) || list[0];
  const size = 116 / Math.max(4, 2 * s.zoom);
  const px = part.x + (part.w * (p.x - pane.x)) / pane.w;
  const py = part.y + (part.h * (p.y - pane.y)) / pane.h;
  const wide = columns * (side + 2);
  const high = rows * (side + 2);
  const away = 20 * ratio;
  const left = clamp(p.x - wide / 2, 0, Math.max(canvas.width - wide, 0));
  const top = clamp(
    p.y + away + high < canvas.height ? p.y + away : p.y - away - high,
    0,
    Math.max(canvas.height - high, 0),
  );
  const w = Math.min(size, data.width);
  const h = Math.min(size, data.height);
  const spot = { x: clamp(px - w / 2, 0, data.width - w), y: clamp(py - h / 2, 0, data.height - h), w, h };
  context.fillStyle = '#fff';
  context.fillRect(left - 2, top - 2, wide + 2, high + 2);
  context.imageSmoothingEnabled = false;
  data.layers.forEach((_, layer) => {
    const glass = {
      x: left + (layer % columns) * (side + 2),
      y: top + Math.floor(layer / columns) * (side + 2),
      w: side,
      h: side,
    };
    paintLayer(layer, spot, glass);
    named(layer, glass);
  });
}

// The input stands in a corner of the first pane wherever no other pane shows it; null where it has no place.
export function insetPlace(pane) {
  const isShown = s.view === 'grid' || s.view === 'diff' || s.peeks || [s.a, s.b].includes(INPUT);
  if (isShown || data.layers.length < 3) return null;
  const ratio = pixelRatio();
  const w = Math.max(pane.w * INSET_SHARE, LEAST_INSET_PX * ratio);
  const h = (w * data.height) / data.width;
  return { x: pane.x + 8 * ratio, y: pane.y + pane.h - h - 8 * ratio, w, h };
}

export function drawInset(pane, part) {
  const inset = insetPlace(pane);
  if (!inset) return;
  const ratio = pixelRatio();
  paint(context, sheet, INPUT, part, inset);
  context.lineWidth = 2 * ratio;
  context.strokeStyle = '#fff';
  context.strokeRect(inset.x, inset.y, inset.w, inset.h);
  label(context, data.layers[INPUT], inset, { colour: colourOf(INPUT) });
}

export function mapPlace() {
  // of the overview, in canvas pixels
  const ratio = pixelRatio();
  const w = Math.min(150 * ratio, canvas.width / 4);
  const h = (w * data.height) / data.width;
  return { x: canvas.width - w - 10 * ratio, y: canvas.height - h - 10 * ratio, w, h };
}

export function drawMap(part) {
  const map = mapPlace();
  const whole = { x: 0, y: 0, w: data.width, h: data.height };
  const ratio = pixelRatio();
  context.fillStyle = 'rgba(8,10,16,.8)';
  context.fillRect(map.x - 3 * ratio, map.y - 3 * ratio, map.w + 6 * ratio, map.h + 6 * ratio);
  context.imageSmoothingEnabled = true;
  paintLayer(s.b, whole, map);
  context.strokeStyle = '#fff';
  context.lineWidth = 1.5 * ratio;
  context.strokeRect(
    map.x + (part.x / data.width) * map.w,
    map.y + (part.y / data.height) * map.h,
    map.w / s.zoom,
    map.h / s.zoom,
  );
}

export function placeHandles(pane, part, spot) {
  // the things that hands take are elements, for touch, focus and screen readers
  const ratio = pixelRatio();
  const level = levelOf(part);
  const put = (handle, x, y) => {
    handle.style.left = `${x / ratio}px`;
    handle.style.top = `${y / ratio}px`;
  };
  divider.hidden = s.view !== 'wipe' || s.a === s.b;
  divider.style.height = `${pane.h / ratio}px`;
  put(divider, pane.x + pane.w * s.wipe, pane.y);
  divider.setAttribute('aria-valuenow', Math.round(100 * s.wipe));
  lineHandle.hidden = level < 0 || level > 1;
  lineHandle.classList.toggle('across', s.line === 'v');
  const edge = 13 * ratio;
  if (s.line === 'h') put(lineHandle, pane.x + pane.w - edge, pane.y + level * pane.h);
  else put(lineHandle, pane.x + level * pane.w, pane.y + pane.h - edge);
  lineHandle.setAttribute('aria-orientation', s.line === 'h' ? 'vertical' : 'horizontal');
  lineHandle.setAttribute('aria-valuemax', linePixels() - 1);
  lineHandle.setAttribute('aria-valuenow', linePlace());
  lineHandle.setAttribute('aria-valuetext', lineText());
  box.hidden = !spot;
  if (!spot) return;
  put(box, spot.x, spot.y);
  box.style.width = `${spot.w / ratio}px`;
  box.style.height = `${spot.h / ratio}px`;
}
