// From the first picture to the next comparison.
import './keys.js';
import { WORDS, watch } from '../host.js';
import { frameAt, middleOf } from '../maths/frames.js';
import { show, showKind } from './controls.js';
import { drawCurves, makeCurves } from './curves.js';
import { draw } from './drawing.js';
import { capture, onEnded, onFrame, onSeeked, openReader } from './frames.js';
import { zoomTo } from './hands.js';
import { showBorders, showLoop } from './loop.js';
import { openWith } from './opening.js';
import { arrange } from './panes.js';
import { collect, drawProfile } from './profile.js';
import {
  $,
  TURN_TO,
  all,
  box,
  canvas,
  data,
  divider,
  lineHandle,
  press,
  s,
  scrub,
  slices,
  startOver,
  video,
  viewer,
} from './state.js';
import { stripLater } from './strip.js';
import { makeTable } from './table.js';

for (const name of ['play', 'pause', 'ended']) {
  video.addEventListener(name, () => {
    $('[data-do=play]').setAttribute('aria-pressed', !video.paused);
    if (!video.paused) return;
    stripLater();
    if (data && s.painted && !s.playsItself) collect();
  });
}
video.addEventListener('seeked', () => {
  onSeeked();
  stripLater();
});
video.addEventListener('ended', onEnded);
if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
else
  video.addEventListener('timeupdate', () => {
    if (data) capture(frameAt(video.currentTime, data));
  });

// The first picture may be ready before anyone asks for it, or the stage may be hidden while it arrives: each of these paints it.
export function first() {
  if (!data || s.painted || video.seeking) return;
  capture(frameAt(video.currentTime, data));
}
for (const name of ['loadeddata', 'canplay', 'canplaythrough', 'suspend']) video.addEventListener(name, first);
document.addEventListener('visibilitychange', first);
video.addEventListener('error', () => {
  if (!data || !video.getAttribute('src')) return;
  if (!s.retried) {
    s.retried = true;
    return open();
  } // once more: a connection may have broken
  $('.empty').textContent = WORDS.broken;
  $('.empty').hidden = false;
});

function redraw() {
  arrange();
  first();
  draw();
  drawProfile();
  if (data) drawCurves();
  stripLater();
}
const sizes = new ResizeObserver(() => requestAnimationFrame(redraw));
for (const part of [$('.layout'), viewer, slices]) sizes.observe(part);
new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ['class'] }); // Gradio's dark mode
document.addEventListener('fullscreenchange', redraw);

function fillLayers() {
  for (const which of ['a', 'b']) {
    const options = data.layers.map((name, i) => {
      const o = document.createElement('option');
      o.value = i;
      o.textContent = name;
      return o;
    });
    $(`.${which}`).replaceChildren(...options);
    $(`.${which}`).value = s[which];
  }
}

function open() {
  video.src = data.video.url + (s.resume ? `#t=${middleOf(s.resume, data)}` : '');
  video.load();
  s.read = openReader(data.video.url);
}

function fillChoices() {
  // a new comparison begins with its own numbers, whatever was chosen for the one before
  $('.k').value = s.gain;
  $('.strip-frames').value = s.stripFrames;
  $('.strip-scale').value = s.stripScale;
}

// A comparison that grows while it is made keeps how it is looked at: equal layers, only more frames.
function keptFrom(before, old) {
  const same =
    before &&
    data &&
    before.width === data.width &&
    before.height === data.height &&
    `${before.layers}` === `${data.layers}`;
  if (!same) return {};
  const { view, show: kind, a, b, wipe, zoom: close, x, y, gain, line, at: share, frame } = old;
  return {
    view,
    show: data.residual ? kind : 'picture',
    a,
    b,
    wipe,
    zoom: close,
    x,
    y,
    gain,
    line,
    at: share,
    resume: frame,
  };
}

function load() {
  const before = data;
  const old = s;
  video.pause();
  press('play', false); // a clip that takes its place swallows the event
  startOver();
  $('.empty').hidden = !!data;
  $('.empty').textContent = WORDS.empty;
  for (const part of all('.hero, .curves, .bars')) part.hidden = !data;
  for (const part of all('.profile, .transport')) part.hidden = !data || data.frames < 2; // one frame has no course
  for (const handle of [divider, lineHandle, box, $('.lens'), $('.scale'), $('.strip')]) handle.hidden = true;
  if (old.playsItself) $('.speed').value = 1;
  viewer.classList.remove('picking', 'zoomed', 'looking');
  press('strip', false);
  press('loupe', false);
  press('loop', true);
  if (!data) {
    video.removeAttribute('src');
    video.load();
    canvas.height = 0;
    return;
  }
  [s.a, s.b] = data.pair;
  s.to = data.frames - 1;
  if (data.opens) openWith(data.opens);
  Object.assign(s, keptFrom(before, old));
  video.playbackRate = Number($('.speed').value);
  video.defaultPlaybackRate = video.playbackRate;
  scrub.max = data.frames - 1;
  $('[data-do=turn]').textContent = TURN_TO[s.line];
  fillLayers();
  fillChoices();
  makeTable();
  showLoop();
  showBorders();
  showKind(s.show);
  show(s.view);
  zoomTo(s.zoom);
  open();
  makeCurves();
}
watch('value', load);
load();
