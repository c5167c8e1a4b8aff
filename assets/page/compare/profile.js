// The temporal profile: one line of every layer, over time.
import { WORDS, element } from '../host.js';
import { clamp, cornerOf } from '../maths/geometry.js';
import { ticks } from '../maths/scales.js';
import { changeOf, cutLine, frameUnder, pack } from '../maths/slices.js';
import { markCurves } from './curves.js';
import { colourOf } from './drawing.js';
import { $, AXES, MARK, MIDDLE, PROFILE_BYTES, canvas, data, fill, pixelRatio, s, slices, viewer } from './state.js';
import { markTable } from './table.js';

export const linePixels = () => (s.line === 'h' ? data.height : data.width); // how many lines there are
const alongPixels = () => (s.line === 'h' ? data.width : data.height); // how long each is
export const linePlace = () => clamp(Math.floor(s.at * linePixels()), 0, linePixels() - 1);
export const lineText = () => `${AXES[s.line][1]} = ${linePlace()}`;

const hasAll = () => s.copies.length === data.frames;
export const canSlice = () => hasAll() || (s.ready && s.line === 'h' && s.at === MIDDLE);

export async function collect() {
  // every frame once, in order, by the second player
  if (s.collects) return;
  s.collects = true;
  const mine = s;
  const wide = data.columns * data.width;
  const high = Math.ceil(data.layers.length / data.columns) * data.height;
  mine.scale = Math.min(1, Math.sqrt(PROFILE_BYTES / (1.5 * wide * high * data.frames)));
  const pad = document.createElement('canvas');
  const c = pad.getContext('2d', { willReadFrequently: true });
  pad.width = Math.round(wide * mine.scale);
  pad.height = Math.round(high * mine.scale);
  c.imageSmoothingQuality = 'high';
  for (let n = 0; n < data.frames; n++) {
    const put = (player) => c.drawImage(player, 0, 0, wide, high, 0, 0, pad.width, pad.height);
    mine.collects = await mine.read(n, put);
    if (mine !== s || !mine.collects) return; // another clip came, or a line that is set later tries again
    mine.copies[n] = pack(c.getImageData(0, 0, pad.width, pad.height).data, pad.width, pad.height);
    $('.profile .where').textContent = fill(WORDS.reading, { frame: n + 1, frames: data.frames });
  }
  drawProfile();
}

export function sliceOf(layer) {
  // ImageData [frames, along]: the line of one layer in every frame
  if (!hasAll()) return s.ready(layer);
  const { scale } = s;
  const [left, top] = cornerOf(layer, data).map((v) => Math.round(v * scale));
  const length = Math.floor(alongPixels() * scale);
  const place = clamp(Math.floor(s.at * linePixels() * scale), 0, Math.ceil(linePixels() * scale) - 1);
  const [x, y] = s.line === 'h' ? [left, top + place] : [left + place, top];
  return new ImageData(cutLine(s.copies, s.line, x, y, length), length, data.frames);
}

// The same plan serves the screen and the picture that is saved: {width, gutter, k, title, foot} in CSS pixels.
function rowHeight() {
  // beside the picture all slices are as high as it, where they can be
  if (!$('.layout').classList.contains('beside')) return clamp(Math.round(128 / data.frames), 2, 18);
  const room =
    canvas.clientHeight +
    $('.transport').offsetHeight +
    80 -
    (slices.getBoundingClientRect().top - $('.profile').getBoundingClientRect().top);
  return clamp(Math.floor(((room - 36) / data.layers.length - 32) / data.frames), 1, 24);
}

export function planOf(width) {
  const k = rowHeight();
  const title = 24;
  const gap = 8;
  return { width, gutter: 46, right: 10, k, title, gap, foot: 36, block: title + data.frames * k + gap };
}

export function paintSlices(c, plan, ink, images) {
  const { gutter, right, k, title, block } = plan;
  const inner = plan.width - gutter - right;
  const strip = document.createElement('canvas');
  const level = document.createElement('canvas');
  images.forEach((image, layer) => {
    const y = layer * block + title;
    c.fillStyle = colourOf(layer);
    c.fillRect(gutter, y - 15, 9, 9);
    c.fillStyle = ink;
    c.font = '500 13px system-ui, sans-serif';
    c.textAlign = 'left';
    c.textBaseline = 'alphabetic';
    c.fillText(data.layers[layer], gutter + 15, y - 7);
    const named_ = c.measureText(data.layers[layer]).width;
    c.globalAlpha = 0.65;
    c.font = '12px system-ui, sans-serif';
    const told = fill(WORDS.change, { change: changeOf(image).toFixed(1) });
    if (gutter + 40 + named_ + c.measureText(told).width < plan.width - right) {
      c.textAlign = 'right';
      c.fillText(told, plan.width - right, y - 7);
    }
    c.globalAlpha = 1;
    strip.width = image.width;
    strip.height = image.height;
    strip.getContext('2d').putImageData(image, 0, 0);
    level.width = Math.round(inner * plan.ratio);
    level.height = image.height; // across smoothly, then down in whole rows
    const l = level.getContext('2d');
    l.imageSmoothingQuality = 'high';
    l.imageSmoothingEnabled = level.width < 4 * image.width;
    l.drawImage(strip, 0, 0, level.width, level.height);
    c.imageSmoothingEnabled = false;
    c.drawImage(level, gutter, y, inner, data.frames * k);
    paintTimes(c, plan, ink, y);
  });
  paintAcross(c, plan, ink, images.length * block - plan.gap);
}

function paintTimes(c, plan, ink, y) {
  // frame numbers on the left, segment borders across
  const { gutter, right, k } = plan;
  c.fillStyle = ink;
  c.font = '11px system-ui, sans-serif';
  c.textAlign = 'right';
  c.textBaseline = 'middle';
  c.globalAlpha = 0.75;
  for (const n of ticks(data.frames, data.frames * k, 26)) {
    c.fillText(n + 1, gutter - 8, y + (n + 0.5) * k);
    c.fillRect(gutter - 5, Math.round(y + (n + 0.5) * k), 4, 1);
  }
  c.globalAlpha = 1;
  for (const border of data.borders) {
    // beside the slice, for what lies over it hides what flickers
    c.fillStyle = MARK;
    c.fillRect(gutter - 8, Math.round(y + border * k) - 1, 8, 2);
    c.fillRect(plan.width - right, Math.round(y + border * k) - 1, 8, 2);
  }
}

function paintAcross(c, plan, ink, y) {
  // the scale of x or y under the last slice
  const { gutter, right } = plan;
  const inner = plan.width - gutter - right;
  const along = alongPixels();
  c.fillStyle = ink;
  c.font = '11px system-ui, sans-serif';
  c.textBaseline = 'top';
  c.globalAlpha = 0.75;
  for (const n of ticks(along + 1, inner, 90)) {
    const x = gutter + (n / along) * inner;
    c.textAlign = n === 0 ? 'left' : n === along ? 'right' : 'center';
    c.fillRect(Math.min(Math.round(x), plan.width - right - 1), y, 1, 5);
    c.fillText(n, x, y + 7);
  }
  c.textAlign = 'center';
  c.fillText(fill(WORDS.across, { axis: AXES[s.line][0] }), gutter + inner / 2, y + 21);
  c.textAlign = 'right';
  c.fillText(WORDS.frames, gutter - 8, y + 3);
  c.globalAlpha = 1;
}

export function drawProfile() {
  viewer.dataset.line = `${AXES[s.line][0]} ${s.at}`; // for the report
  if (!data || !canSlice() || !slices.clientWidth) return;
  const began = performance.now();
  const ratio = pixelRatio();
  const plan = { ...planOf(slices.clientWidth), ratio };
  const images = data.layers.map((_, layer) => sliceOf(layer));
  const high = plan.block * images.length - plan.gap + plan.foot;
  slices.width = Math.round(plan.width * ratio);
  slices.height = Math.round(high * ratio);
  slices.style.height = `${high}px`;
  const c = slices.getContext('2d');
  c.scale(ratio, ratio);
  paintSlices(c, plan, getComputedStyle(element).color, images);
  slices.dataset.ms = (performance.now() - began).toFixed(1);
  s.profiled = true;
  tellProfile(images);
  markFrame();
}

function tellProfile(images) {
  const notes = [fill(WORDS.at, { place: lineText() })];
  if (data.borders.length) notes.push(WORDS.borders);
  if (s.scale < 0.999) notes.push(fill(WORDS.scaled, { percent: Math.round(100 * s.scale) }));
  $('.profile .where').textContent = notes.join('; ');
  const told = images
    .map((image, i) => fill(WORDS.changeTold, { layer: data.layers[i], change: changeOf(image).toFixed(1) }))
    .join('; ');
  const layers = data.layers.join(', ');
  slices.setAttribute('aria-label', fill(WORDS.slices, { place: lineText(), layers, frames: data.frames, told }));
}

export function markFrame() {
  // bars over the slices and the curves, so that neither is drawn again while the clip plays
  const marks = $('.marks');
  const plan = planOf(slices.clientWidth || 200);
  if (marks.childElementCount !== data.layers.length)
    marks.replaceChildren(...data.layers.map(() => document.createElement('i')));
  [...marks.children].forEach((mark, layer) => {
    // a layout would be a shift of the page, once a frame
    mark.style.transform = `translateY(${layer * plan.block + plan.title + s.frame * plan.k - 1}px)`;
    mark.style.height = `${plan.k + 2}px`;
    mark.style.left = `${plan.gutter - 2}px`;
    mark.style.right = `${plan.right - 2}px`;
  });
  marks.hidden = !s.profiled;
  markCurves();
  markTable();
}

export const frameUnderPointer = (event) =>
  frameUnder(event.clientY - slices.getBoundingClientRect().top, planOf(slices.clientWidth), data.frames);
