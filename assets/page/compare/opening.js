// What is there before the video is: a poster, the profile's lines ready-made; and what plays by itself until a hand stops it.
import { draw } from './drawing.js';
import { again } from './frames.js';
import { setLoop } from './loop.js';
import { drawProfile } from './profile.js';
import { $, all, data, s, sheet, sheetContext, video, viewer } from './state.js';

const isCalm = () => window.matchMedia('(prefers-reduced-motion: reduce)').matches;

if (window.matchMedia('(max-width: 640px)').matches) for (const fold of all('.fold')) fold.open = false; // the stage, then the controls

export function openWith({ frame, show, speed }) {
  Object.assign(s, { show: data.residual ? show : 'picture', resume: frame, playsItself: Boolean(speed) && !isCalm() });
  if (s.playsItself) $('.speed').value = speed;
  if (frame) setLoop(frame, data.frames - 1);
  if (data.poster) picture(data.poster.url, showPoster);
  if (data.slices) picture(data.slices.url, keepSlices);
}

export function picture(url, use) {
  const mine = s;
  const image = new Image();
  image.onload = () => {
    if (mine === s) use(image);
  };
  image.src = url;
}

function showPoster(image) {
  if (s.painted) return;
  sheet.width = image.naturalWidth;
  sheet.height = image.naturalHeight;
  sheetContext.drawImage(image, 0, 0);
  s.frame = s.resume;
  s.isPoster = true;
  draw();
}

function keepSlices(image) {
  const pad = document.createElement('canvas');
  pad.width = image.naturalWidth;
  pad.height = image.naturalHeight;
  const c = pad.getContext('2d', { willReadFrequently: true });
  c.drawImage(image, 0, 0);
  s.ready = (layer) => c.getImageData(0, layer * data.frames, pad.width, data.frames);
  drawProfile();
}

// What nobody sees rests.
new IntersectionObserver(([stage]) => {
  if (!data || !s.playsItself || !s.painted) return;
  if (!stage.isIntersecting) video.pause();
  else if (video.paused) again();
}).observe(viewer);
