// A strip: a region in several frames of every layer (the paper's Figures 1, 10–12).
import { WORDS } from '../host.js';
import { clamp, movedRegion, regionPixels } from '../maths/geometry.js';
import { draw, paint } from './drawing.js';
import { seen } from './panes.js';
import { $, LARGEST_ZOOM, SMALLEST_BOX_PX, data, fill, pixelRatio, press, s, viewer } from './state.js';

let stripRound = 0;
let stripTimer = 0;

const regionNow = () => regionPixels(s.region, data, SMALLEST_BOX_PX);

function stripScale(part, count) {
  // whole, so that every pixel of the picture is a square
  if (s.stripScale) return s.stripScale;
  return clamp(Math.floor(($('.strip').clientWidth * pixelRatio() * 0.8) / (count * part.w)), 1, LARGEST_ZOOM);
}

export function stripLater() {
  // once hands and frames have come to rest
  clearTimeout(stripTimer);
  if (s.strip) stripTimer = setTimeout(drawStrip, 120);
}

async function drawStrip() {
  if (!data || !s.strip) return;
  const mine = ++stripRound;
  const of = s;
  const part = regionNow();
  const count = Math.min(s.stripFrames, data.frames);
  const first = Math.min(s.frame, data.frames - count);
  const scale = stripScale(part, count);
  const paper = document.createElement('canvas');
  const c = paper.getContext('2d');
  const font = '13px system-ui, sans-serif';
  const gap = 4;
  const head = 24;
  c.font = font;
  const gutter = Math.ceil(Math.max(...data.layers.map((name) => c.measureText(name).width))) + 16;
  const w = part.w * scale;
  const h = part.h * scale;
  const row = Math.max(h, 18) + gap;
  paper.width = gutter + count * (w + gap);
  paper.height = head + data.layers.length * row;
  c.fillStyle = '#fff';
  c.fillRect(0, 0, paper.width, paper.height);
  c.fillStyle = '#111';
  c.font = font;
  c.textBaseline = 'middle';
  data.layers.forEach((name, layer) => {
    c.textAlign = 'right';
    c.fillText(name, gutter - 8, head + layer * row + h / 2);
  });
  c.imageSmoothingEnabled = false;
  for (let i = 0; i < count; i++) {
    c.textAlign = 'center';
    c.fillText(`${first + i + 1}`, gutter + i * (w + gap) + w / 2, head / 2);
    const put = (layer) => ({ x: gutter + i * (w + gap), y: head + layer * row, w, h });
    const paintAll = (player) => data.layers.forEach((_, layer) => paint(c, player, layer, part, put(layer)));
    const isThere = await of.read(first + i, paintAll);
    if (!isThere || mine !== stripRound || of !== s) return; // or something newer is asked for
  }
  const shown = $('.strip canvas');
  shown.width = paper.width;
  shown.height = paper.height;
  shown.style.width = `${paper.width / pixelRatio()}px`;
  shown.getContext('2d').drawImage(paper, 0, 0);
  Object.assign(shown.dataset, { frame: first, frames: count, scale, gutter, head, w: part.w, h: part.h });
  const told = fill(WORDS.strip, { first: first + 1, last: first + count, width: part.w, height: part.h, scale });
  $('.strip .size').textContent = told;
  shown.setAttribute('aria-label', `${data.layers.join(', ')}; ${told}`);
}

export function toggleStrip() {
  s.strip = !s.strip;
  $('.strip').hidden = !s.strip;
  press('strip', s.strip);
  viewer.classList.toggle('picking', s.strip);
  if (s.strip) {
    // begin inside of what is seen
    const part = seen();
    s.region = {
      x: (part.x + 0.375 * part.w) / data.width,
      y: (part.y + 0.375 * part.h) / data.height,
      w: 0.25 / s.zoom,
      h: 0.25 / s.zoom,
    };
  }
  draw();
  stripLater();
}

export function moveRegion(dx, dy, dw = 0, dh = 0) {
  // in pixels of the picture
  s.region = movedRegion(regionNow(), { dx, dy, dw, dh }, data, SMALLEST_BOX_PX);
  draw();
  stripLater();
}
