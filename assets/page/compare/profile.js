// ---------------------------------------------------------------- temporal profile

const linePixels = () => (s.line === 'h' ? data.height : data.width);   // how many lines there are
const alongPixels = () => (s.line === 'h' ? data.width : data.height);  // how long each is
const linePlace = () => clamp(Math.floor(s.at * linePixels()), 0, linePixels() - 1);
const lineText = () => `${AXES[s.line][1]} = ${linePlace()}`;

// Frames are kept as the video stores them, brightness at full and colour at half size: half the memory, nothing lost.
function pack(rgba, width, height) {
  const half = (width + 1) >> 1, y = new Uint8ClampedArray(width * height);
  const cb = new Uint8ClampedArray(half * ((height + 1) >> 1)), cr = new Uint8ClampedArray(cb.length);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0, c = (row >> 1) * half; column < width; column++, i++) {
      const r = rgba[4 * i], g = rgba[4 * i + 1], b = rgba[4 * i + 2], luma = 0.299 * r + 0.587 * g + 0.114 * b;
      y[i] = luma;
      if (!((row | column) & 1)) { cb[c] = 128 + 0.564 * (b - luma); cr[c] = 128 + 0.713 * (r - luma); c++; }
    }
  }
  return { y, cb, cr, width, half };
}

function unpack(copy, x, y, to, at) {  // one pixel into RGBA bytes
  const luma = copy.y[y * copy.width + x], c = (y >> 1) * copy.half + (x >> 1), cb = copy.cb[c] - 128, cr = copy.cr[c] - 128;
  to[at] = luma + 1.403 * cr; to[at + 1] = luma - 0.344 * cb - 0.714 * cr; to[at + 2] = luma + 1.773 * cb; to[at + 3] = 255;
}

async function collect() {  // every frame once, in order, by the second player
  const mine = s, wide = data.columns * data.width, high = Math.ceil(data.layers.length / data.columns) * data.height;
  mine.scale = Math.min(1, Math.sqrt(PROFILE_BYTES / (1.5 * wide * high * data.frames)));
  const pad = document.createElement('canvas'), c = pad.getContext('2d', { willReadFrequently: true });
  pad.width = Math.round(wide * mine.scale); pad.height = Math.round(high * mine.scale);
  c.imageSmoothingQuality = 'high';
  for (let n = 0; n < data.frames; n++) {
    await mine.read(n, (player) => c.drawImage(player, 0, 0, wide, high, 0, 0, pad.width, pad.height));
    if (mine !== s) return;  // another clip came
    mine.copies[n] = pack(c.getImageData(0, 0, pad.width, pad.height).data, pad.width, pad.height);
    $('.profile .where').textContent = fill(WORDS.reading, { frame: n + 1, frames: data.frames });
  }
  drawProfile();
}

function sliceOf(layer) {  // ImageData [frames, along]: the line of one layer in every frame
  const { scale } = s, [left, top] = corner(layer).map((v) => Math.round(v * scale));
  const length = Math.floor(alongPixels() * scale), place = clamp(Math.floor(s.at * linePixels() * scale), 0, Math.ceil(linePixels() * scale) - 1);
  const image = new ImageData(length, data.frames);
  s.copies.forEach((copy, n) => {
    for (let i = 0, at = 4 * n * length; i < length; i++, at += 4) {
      if (s.line === 'h') unpack(copy, left + i, top + place, image.data, at); else unpack(copy, left + place, top + i, image.data, at);
    }
  });
  return image;
}

function changeOf(image) {  // mean change of green from frame to frame along the line, in grey levels
  const { width, height, data: bytes } = image, row = 4 * width;
  let sum = 0;
  for (let at = row + 1; at < bytes.length; at += 4) sum += Math.abs(bytes[at] - bytes[at - row]);
  return sum / Math.max((height - 1) * width, 1);
}

// The same plan serves the screen and the picture that is saved: {width, gutter, k, title, foot} in CSS pixels.
function rowHeight() {  // beside the picture all slices are as high as it, where they can be
  if (!$('.layout').classList.contains('beside')) return clamp(Math.round(128 / data.frames), 2, 18);
  const room = canvas.clientHeight + $('.transport').offsetHeight + 80 - (slices.getBoundingClientRect().top - $('.profile').getBoundingClientRect().top);
  return clamp(Math.floor(((room - 36) / data.layers.length - 32) / data.frames), 1, 24);
}

function planOf(width) {
  const k = rowHeight(), title = 24, gap = 8;
  return { width, gutter: 46, right: 10, k, title, gap, foot: 36, block: title + data.frames * k + gap };
}

function paintSlices(c, plan, ink, images) {
  const { gutter, right, k, title, block } = plan, inner = plan.width - gutter - right, strip = document.createElement('canvas');
  const level = document.createElement('canvas');
  images.forEach((image, layer) => {
    const y = layer * block + title;
    c.fillStyle = colourOf(layer); c.fillRect(gutter, y - 15, 9, 9);
    c.fillStyle = ink; c.font = '500 13px system-ui, sans-serif'; c.textAlign = 'left'; c.textBaseline = 'alphabetic';
    c.fillText(data.layers[layer], gutter + 15, y - 7);
    const named_ = c.measureText(data.layers[layer]).width;
    c.globalAlpha = 0.65; c.font = '12px system-ui, sans-serif';
    const told = fill(WORDS.change, { change: changeOf(image).toFixed(1) });
    if (gutter + 40 + named_ + c.measureText(told).width < plan.width - right) {
      c.textAlign = 'right'; c.fillText(told, plan.width - right, y - 7);
    }
    c.globalAlpha = 1;
    strip.width = image.width; strip.height = image.height;
    strip.getContext('2d').putImageData(image, 0, 0);
    level.width = Math.round(inner * plan.ratio); level.height = image.height;  // across smoothly, then down in whole rows
    const l = level.getContext('2d');
    l.imageSmoothingQuality = 'high'; l.imageSmoothingEnabled = level.width < 4 * image.width;
    l.drawImage(strip, 0, 0, level.width, level.height);
    c.imageSmoothingEnabled = false;
    c.drawImage(level, gutter, y, inner, data.frames * k);
    paintTimes(c, plan, ink, y);
  });
  paintAcross(c, plan, ink, images.length * block - plan.gap);
}

function paintTimes(c, plan, ink, y) {  // frame numbers on the left, segment borders across
  const { gutter, right, k } = plan;
  c.fillStyle = ink; c.font = '11px system-ui, sans-serif'; c.textAlign = 'right'; c.textBaseline = 'middle';
  c.globalAlpha = 0.75;
  for (const n of ticks(data.frames, data.frames * k, 26)) {
    c.fillText(n + 1, gutter - 8, y + (n + 0.5) * k); c.fillRect(gutter - 5, Math.round(y + (n + 0.5) * k), 4, 1);
  }
  c.globalAlpha = 1;
  for (const border of data.borders) {
    const at = Math.round(y + border * k);
    c.fillStyle = 'rgba(0,0,0,.55)'; c.fillRect(gutter, at - 1, plan.width - gutter - right, 2);
    c.fillStyle = MARK; c.fillRect(gutter - 8, at - 1, 8, 2);
    for (let x = gutter; x < plan.width - right; x += 12) c.fillRect(x, at - 0.5, Math.min(7, plan.width - right - x), 1);
  }
}

function paintAcross(c, plan, ink, y) {  // the scale of x or y under the last slice
  const { gutter, right } = plan, inner = plan.width - gutter - right, along = alongPixels();
  c.fillStyle = ink; c.font = '11px system-ui, sans-serif'; c.textBaseline = 'top'; c.globalAlpha = 0.75;
  for (const n of ticks(along + 1, inner, 90)) {
    const x = gutter + n / along * inner;
    c.textAlign = n === 0 ? 'left' : n === along ? 'right' : 'center';
    c.fillRect(Math.min(Math.round(x), plan.width - right - 1), y, 1, 5); c.fillText(n, x, y + 7);
  }
  c.textAlign = 'center'; c.fillText(fill(WORDS.across, { axis: AXES[s.line][0] }), gutter + inner / 2, y + 21);
  c.textAlign = 'right'; c.fillText(WORDS.frames, gutter - 8, y + 3);
  c.globalAlpha = 1;
}

function ticks(count, room, apart) {  // round numbers from 0 to count − 1 that stand at least `apart` pixels from another
  const by = roundStep(Math.max((count - 1) / Math.max(Math.floor(room / apart), 1), 1));
  return Array.from({ length: Math.floor((count - 1) / by) + 1 }, (_, i) => i * by);
}

function roundStep(least) {  // the next of 1, 2, 5, 10, 20 …
  const ten = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((v) => v * ten).find((v) => v >= least * (1 - 1e-9));
}

function drawProfile() {
  viewer.dataset.line = `${AXES[s.line][0]} ${s.at}`;  // for the report
  if (!data || s.copies.length < data.frames || !slices.clientWidth) return;
  const began = performance.now(), ratio = pixelRatio(), plan = { ...planOf(slices.clientWidth), ratio };
  const images = data.layers.map((_, layer) => sliceOf(layer)), high = plan.block * images.length - plan.gap + plan.foot;
  slices.width = Math.round(plan.width * ratio); slices.height = Math.round(high * ratio); slices.style.height = `${high}px`;
  const c = slices.getContext('2d');
  c.scale(ratio, ratio);
  paintSlices(c, plan, getComputedStyle(element).color, images);
  slices.dataset.ms = (performance.now() - began).toFixed(1);
  tellProfile(images);
  markFrame();
}

function tellProfile(images) {
  const notes = [fill(WORDS.at, { place: lineText() })];
  if (data.borders.length) notes.push(WORDS.borders);
  if (s.scale < 0.999) notes.push(fill(WORDS.scaled, { percent: Math.round(100 * s.scale) }));
  $('.profile .where').textContent = notes.join('; ');
  const told = images.map((image, i) => fill(WORDS.changeTold, { layer: data.layers[i], change: changeOf(image).toFixed(1) })).join('; ');
  const layers = data.layers.join(', ');
  slices.setAttribute('aria-label', fill(WORDS.slices, { place: lineText(), layers, frames: data.frames, told }));
}

function markFrame() {  // bars over the slices and the curves, so that neither is drawn again while the clip plays
  const marks = $('.marks'), plan = planOf(slices.clientWidth || 200);
  if (marks.childElementCount !== data.layers.length) marks.replaceChildren(...data.layers.map(() => document.createElement('i')));
  [...marks.children].forEach((mark, layer) => {
    mark.style.top = `${layer * plan.block + plan.title + s.frame * plan.k - 1}px`; mark.style.height = `${plan.k + 2}px`;
    mark.style.left = `${plan.gutter - 2}px`; mark.style.right = `${plan.right - 2}px`;
  });
  marks.hidden = s.copies.length < data.frames;
  markCurves();
}

function frameUnder(event) {
  const plan = planOf(slices.clientWidth), y = event.clientY - slices.getBoundingClientRect().top;
  return clamp(Math.floor(((y % plan.block) - plan.title) / plan.k), 0, data.frames - 1);
}
