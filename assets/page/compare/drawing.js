// What the canvas shows: layers, heat-maps, differences, and their names.
import { WORDS } from '../host.js';
import { cornerOf } from '../maths/geometry.js';
import { drawBox, drawInset, drawLine, drawLoupe, drawMap, placeHandles } from './overlays.js';
import { layout, seen } from './panes.js';
import { markFrame } from './profile.js';
import {
  $,
  BACKDROP,
  INPUT,
  SHADE,
  canvas,
  context,
  data,
  fill,
  pixelRatio,
  s,
  scrub,
  sheet,
  sparks,
  sparksContext,
} from './state.js';

export function paint(target, source, layer, part, pane, cut = [0, 1]) {
  // cut: the share of the pane's width, from where to where
  const [left, top] = cornerOf(layer, data);
  const [from, to] = cut;
  if (to <= from) return;
  target.drawImage(
    source,
    left + part.x + part.w * from,
    top + part.y,
    part.w * (to - from),
    part.h,
    pane.x + pane.w * from,
    pane.y,
    pane.w * (to - from),
    pane.h,
  );
}

function paintHeat(target, layer, part, pane, cut) {
  const [left, top, w, h] = data.residual.places[layer];
  const kx = w / data.width;
  const ky = h / data.height;
  const [from, to] = cut;
  target.drawImage(
    sheet,
    left + (part.x + part.w * from) * kx,
    top + part.y * ky,
    part.w * (to - from) * kx,
    part.h * ky,
    pane.x + pane.w * from,
    pane.y,
    pane.w * (to - from),
    pane.h,
  );
}

export function paintLayer(layer, part, pane, cut = [0, 1]) {
  // the picture, the heat-map of its flicker, or both
  if (cut[1] <= cut[0]) return;
  if (s.show !== 'heat') paint(context, sheet, layer, part, pane, cut);
  if (s.show === 'picture' || !data.residual) return;
  if (s.show === 'heat') return paintHeat(context, layer, part, pane, cut);
  context.fillStyle = SHADE;
  context.fillRect(pane.x + pane.w * cut[0], pane.y, pane.w * (cut[1] - cut[0]), pane.h);
  paintSparks(layer, part, pane, cut);
}

function paintSparks(layer, part, pane, cut) {
  // the map times itself: what hardly flickers leaves the picture as it is
  const w = Math.ceil(pane.w);
  const h = Math.ceil(pane.h);
  if (sparks.width !== w || sparks.height !== h) {
    sparks.width = w;
    sparks.height = h;
  }
  sparksContext.globalCompositeOperation = 'source-over';
  sparksContext.clearRect(0, 0, w, h);
  paintHeat(sparksContext, layer, part, { x: 0, y: 0, w: pane.w, h: pane.h }, cut);
  sparksContext.globalCompositeOperation = 'multiply';
  sparksContext.drawImage(sparks, 0, 0);
  context.globalCompositeOperation = 'screen';
  context.drawImage(sparks, pane.x, pane.y);
  context.globalCompositeOperation = 'source-over';
}

const shorter = (name) => name.replace(/ \([^)]*\)$/, ''); // a name without what stands in brackets

export function label(target, text, pane, { right = false, bottom = false, colour = null, room = pane.w } = {}) {
  const ratio = pixelRatio();
  const pad = 7 * ratio;
  const high = 22 * ratio;
  const mark = colour ? 14 * ratio : 0;
  target.font = `500 ${12 * ratio}px system-ui, sans-serif`;
  const most = room - 2 * pad - mark - 12 * ratio;
  if (target.measureText(text).width > most) text = shorter(text);
  while (text.length > 3 && target.measureText(text).width > most) text = `${text.slice(0, -2)}…`;
  const width = target.measureText(text).width + 2 * pad + mark;
  const x = right ? pane.x + pane.w - width - 6 * ratio : pane.x + 6 * ratio;
  const y = bottom ? pane.y + pane.h - high - 6 * ratio : pane.y + 6 * ratio;
  target.fillStyle = 'rgba(8,10,16,.72)';
  target.beginPath();
  target.roundRect(x, y, width, high, 4 * ratio);
  target.fill();
  if (colour) {
    target.fillStyle = colour;
    target.fillRect(x + pad, y + high / 2 - 4 * ratio, 8 * ratio, 8 * ratio);
  }
  target.fillStyle = '#fff';
  target.textAlign = 'left';
  target.textBaseline = 'middle';
  target.fillText(text, x + pad + mark, y + high / 2 + ratio / 2);
}

export const colourOf = (layer) => data.colours[layer % data.colours.length];
const nameOf = (layer) => {
  const name = data.layers[layer];
  if (s.show === 'picture') return name;
  return s.frame ? name : fill(WORDS.heatFirst, { layer: name });
};
export const named = (layer, pane, more = {}) =>
  label(context, nameOf(layer), pane, { colour: colourOf(layer), ...more });

function drawSingle(pane, part) {
  if (s.peeks) {
    paintLayer(INPUT, part, pane);
    return named(INPUT, pane);
  }
  if (s.view === 'diff') return drawDifference(pane, part);
  if (s.view === 'flip') {
    const layer = s.flipped ? s.a : s.b;
    paintLayer(layer, part, pane);
    return named(layer, pane);
  }
  if (s.a === s.b) {
    paintLayer(s.a, part, pane);
    return named(s.a, pane);
  }
  paintLayer(s.a, part, pane, [0, s.wipe]);
  paintLayer(s.b, part, pane, [s.wipe, 1]);
  context.fillStyle = '#fff';
  context.fillRect(pane.x + pane.w * s.wipe - pixelRatio(), pane.y, 2 * pixelRatio(), pane.h); // in what is saved, too
  named(s.a, pane, { room: pane.w / 2 });
  named(s.b, pane, { right: true, room: pane.w / 2 });
}

function drawDifference(pane, part) {
  paint(context, sheet, s.a, part, pane);
  context.globalCompositeOperation = 'difference';
  paint(context, sheet, s.b, part, pane);
  context.globalCompositeOperation = 'lighter';
  for (let k = s.gain; k > 1; k /= 2)
    context.drawImage(canvas, pane.x, pane.y, pane.w, pane.h, pane.x, pane.y, pane.w, pane.h);
  context.globalCompositeOperation = 'source-over';
  label(context, fill(WORDS.difference, { a: data.layers[s.a], b: data.layers[s.b], gain: s.gain }), pane);
}

export function drawPanes(list, part, { line = true } = {}) {
  context.fillStyle = BACKDROP;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = s.zoom < 3; // close up, pixels are what one wants to see
  context.imageSmoothingQuality = 'high';
  for (const pane of list) {
    if (pane.layer === null) drawSingle(pane, part);
    else {
      paintLayer(pane.layer, part, pane);
      named(pane.layer, pane);
    }
    if (line) drawLine(pane, part);
  }
}

export function draw() {
  if (!data || !(s.painted || s.isPoster)) return;
  const list = layout();
  const part = seen();
  if (!list.length) return;
  drawPanes(list, part);
  const spots = s.strip ? list.map((pane) => drawBox(pane, part)) : [];
  drawInset(list[0], part);
  if (s.zoom > 1) drawMap(part);
  if (s.loupe) drawLoupe(list, part);
  placeHandles(list[0], part, spots[0]);
  canvas.dataset.frame = s.frame;
  canvas.dataset.wipe = s.wipe.toFixed(3);
  canvas.dataset.zoom = s.zoom;
  scrub.value = s.frame;
  scrub.setAttribute('aria-valuetext', fill(WORDS.frame, { frame: s.frame + 1, frames: data.frames }));
  $('.count').textContent = `${s.frame + 1} / ${data.frames}`;
  markFrame();
}
