// Buttons and selections.
import { WORDS, element } from '../host.js';
import { clamp } from '../maths/geometry.js';
import { draw } from './drawing.js';
import { seek, setSpeed, step, toggle } from './frames.js';
import { zoom, zoomTo } from './hands.js';
import { tellPair } from './hero.js';
import { showLoop } from './loop.js';
import { arrange } from './panes.js';
import { collect, drawProfile, linePixels, linePlace } from './profile.js';
import { download, saveCurves, saveProfile, saveView } from './saving.js';
import { $, TURN_TO, all, canvas, data, fill, press, s, scrub, viewer } from './state.js';
import { stripLater, toggleStrip } from './strip.js';

export function show(view) {
  s.view = view;
  for (const b of all('[data-view]')) b.setAttribute('aria-pressed', b.dataset.view === view);
  $('.gain').hidden = view !== 'diff';
  $('.kinds').hidden = data.layers.length < 2;
  $('.pick').hidden = view === 'grid' || data.layers.length < 2;
  $('.lens').hidden = !data.residual || view === 'diff';
  canvas.dataset.view = view;
  arrange();
  showScale();
  tellPair();
  draw();
}

export function showKind(kind) {
  if (!data.residual) return;
  s.show = kind;
  for (const b of all('[data-show]')) b.setAttribute('aria-pressed', b.dataset.show === kind);
  showScale();
  draw();
}

function showScale() {
  // what the colours of the heat-map mean
  const on = s.show !== 'picture' && s.view !== 'diff';
  $('.scale').hidden = !on;
  if (!on) return;
  const { colours, top, hidden } = data.residual;
  $('.scale .ramp').style.background = `linear-gradient(90deg, ${colours.join(', ')})`;
  $('.scale .top').textContent = fill(WORDS.heatScale, { top });
  $('.scale .none').style.background = hidden;
}

export function setLine(share) {
  s.at = clamp(share, 0, 1 - 1e-6);
  drawProfile();
  collect();
}
export const nudge = (pixels) => {
  setLine((linePlace() + 0.5 + pixels) / linePixels());
  draw();
};
export const turn = () => {
  s.line = s.line === 'h' ? 'v' : 'h';
  $('[data-do=turn]').textContent = TURN_TO[s.line];
  draw();
  drawProfile();
  collect();
};
export const slide = (by) => {
  s.wipe = clamp(s.wipe + by, 0, 1);
  draw();
};
export const pick = (which, layer) => {
  if (layer < data.layers.length) {
    s[which] = layer;
    $(`.${which}`).value = layer;
    tellPair();
    draw();
  }
};
export const loupe = () => {
  s.loupe = !s.loupe;
  press('loupe', s.loupe);
  viewer.classList.toggle('looking', s.loupe);
  draw();
};
export const loop = () => {
  s.loop = !s.loop;
  press('loop', s.loop);
  showLoop();
};
export const flip = (on) => {
  if (on && s.view !== 'flip') show('flip');
  s.flipped = on;
  draw();
};
export const fit = () => {
  s.x = s.y = 0.5;
  zoomTo(1);
};
export function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if ($('.player').requestFullscreen) $('.player').requestFullscreen();
}
export const nextKind = () => showKind({ picture: 'heat', heat: 'both', both: 'picture' }[s.show]);

export const ACTIONS = {
  play: toggle,
  back: () => step(-1),
  next: () => step(1),
  in: () => zoom(1.5),
  out: () => zoom(1 / 1.5),
  fit,
  loupe,
  turn,
  loop,
  fullscreen,
  strip: toggleStrip,
  save: saveView,
  saveprofile: saveProfile,
  savecurves: saveCurves,
  savestrip: () => download($('.strip canvas'), `strip-frame-${Number($('.strip canvas').dataset.frame) + 1}.png`),
};
element.addEventListener('click', (e) => {
  const button = e.target.closest('button');
  if (!button || !data) return;
  if (button.dataset.view) show(button.dataset.view);
  else if (button.dataset.show) showKind(button.dataset.show);
  else if (ACTIONS[button.dataset.do]) ACTIONS[button.dataset.do]();
});

scrub.addEventListener('input', () => seek(Number(scrub.value)));
for (const which of ['a', 'b']) $(`.${which}`).addEventListener('change', (e) => pick(which, Number(e.target.value)));
$('.k').addEventListener('change', (e) => {
  s.gain = Number(e.target.value);
  draw();
});
$('.speed').addEventListener('change', () => setSpeed(0));
$('.strip-frames').addEventListener('change', (e) => {
  s.stripFrames = Number(e.target.value);
  stripLater();
});
$('.strip-scale').addEventListener('change', (e) => {
  s.stripScale = Number(e.target.value);
  stripLater();
});
