// The comparison stage. One video holds every layer in a grid, so all layers always show the same decoded frame.
const $ = (selector) => element.querySelector(selector);
const viewer = $('.viewer'), video = $('video.main'), canvas = $('canvas.stage'), context = canvas.getContext('2d');
const slices = $('.slices'), scrub = $('.scrub');
const COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'];  // Okabe-Ito
const PROFILE_BYTES = 160e6;  // small copies of all frames, so that the profile line moves without decoding
const NEAR_PX = 14;           // how close to a line a pointer must be to take it
const GAP = 4;

const start = () => ({
  view: 'wipe', a: 0, b: 0, wipe: 0.5, zoom: 1, x: 0.5, y: 0.5, gain: 4, flipped: false, loupe: false, pointer: null,
  loop: true, from: 0, to: 0, frame: 0, target: null, line: 'h', at: 0.5, drag: null, copies: [], round: 0,
});
let data = null, s = start();
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// ---------------------------------------------------------------- frames

// While a seek is under way the clock already shows the new time and the picture is still the old one: what is painted is
// therefore remembered when a frame arrives, and never read off the clock while drawing.
const frameAt = (time) => clamp(Math.floor(time * data.fps + 1e-3), 0, data.frames - 1);
const shown = () => s.frame;
const step = (by) => seek((video.seeking && s.target !== null ? s.target : s.frame) + by);
const middle = (n) => (n + 0.5) / data.fps;  // the middle of a frame never rounds into its neighbour

function seek(n) {
  if (!data) return;
  s.target = clamp(n, 0, data.frames - 1);
  video.pause();
  if (!video.seeking) video.currentTime = middle(s.target);
}

function toggle() {
  if (!data) return;
  if (!video.paused) return video.pause();
  s.target = null;
  if (video.ended || s.frame >= s.to) video.currentTime = middle(s.from);
  video.play();
}

function onFrame(now, picture) {
  if (data) s.frame = frameAt(picture.mediaTime + 0.5 / data.fps);
  if (data && !video.paused && s.loop && shown() >= s.to) { video.currentTime = middle(s.from); }
  draw();
  video.requestVideoFrameCallback(onFrame);
}

// ---------------------------------------------------------------- drawing

const corner = (layer) => [(layer % data.columns) * data.width, Math.floor(layer / data.columns) * data.height];

function panes() {
  if (s.view === 'side') return [s.a, s.b];
  return s.view === 'grid' ? data.layers.map((_, i) => i) : [null];
}

function layout() {  // panes as {layer, x, y, w, h} in canvas pixels
  const list = panes(), ratio = window.devicePixelRatio || 1, width = Math.round(viewer.clientWidth * ratio);
  const narrow = viewer.clientWidth < 600;
  const columns = list.length === 1 ? 1 : list.length === 2 ? 2 : Math.min(list.length, narrow ? 2 : list.length === 4 ? 2 : 3);
  const rows = Math.ceil(list.length / columns);
  const tallest = window.innerHeight * 0.6 * ratio;
  let w = (width - GAP * (columns - 1)) / columns, h = w * data.height / data.width;
  if (h * rows > tallest) { h = tallest / rows; w = h * data.width / data.height; }
  w = Math.floor(w); h = Math.floor(h);
  const left = Math.floor((width - columns * w - GAP * (columns - 1)) / 2), height = rows * h + GAP * (rows - 1);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  canvas.style.height = `${height / ratio}px`;
  return list.map((layer, i) => ({ layer, x: left + (i % columns) * (w + GAP), y: Math.floor(i / columns) * (h + GAP), w, h }));
}

const window_ = () => {  // the visible part of a layer, in layer pixels
  const w = data.width / s.zoom, h = data.height / s.zoom;
  return { x: clamp(s.x * data.width - w / 2, 0, data.width - w), y: clamp(s.y * data.height - h / 2, 0, data.height - h), w, h };
};

function paint(target, source, layer, part, pane, cut = [0, 1]) {
  const [left, top] = corner(layer), [from, to] = cut;
  if (to <= from) return;
  const u = part.w * (to - from), d = pane.w * (to - from);
  target.drawImage(source, left + part.x + part.w * from, top + part.y, u, part.h, pane.x + pane.w * from, pane.y, d, pane.h);
}

function label(target, text, x, y, alignRight = false) {
  const ratio = window.devicePixelRatio || 1;
  target.font = `${12 * ratio}px system-ui, sans-serif`;
  const width = target.measureText(text).width + 12 * ratio, left = alignRight ? x - width : x;
  target.fillStyle = 'rgba(0,0,0,.62)'; target.fillRect(left, y, width, 20 * ratio);
  target.fillStyle = '#fff'; target.textBaseline = 'middle'; target.fillText(text, left + 6 * ratio, y + 10 * ratio);
}

function drawSingle(pane, part) {
  const x = pane.x + Math.round(pane.w * s.wipe);
  if (s.view === 'flip') {
    paint(context, video, s.flipped ? s.a : s.b, part, pane);
    return label(context, data.layers[s.flipped ? s.a : s.b], pane.x + 6, pane.y + 6);
  }
  if (s.view === 'diff') return drawDifference(pane, part);
  paint(context, video, s.a, part, pane, [0, s.wipe]);
  paint(context, video, s.b, part, pane, [s.wipe, 1]);
  label(context, data.layers[s.a], pane.x + 6, pane.y + 6);
  label(context, data.layers[s.b], pane.x + pane.w - 6, pane.y + 6, true);
  context.fillStyle = '#fff'; context.fillRect(x - 1, pane.y, 2, pane.h);
  context.beginPath(); context.arc(x, pane.y + pane.h / 2, 9, 0, 7); context.fill();
}

function drawDifference(pane, part) {
  paint(context, video, s.a, part, pane);
  context.globalCompositeOperation = 'difference'; paint(context, video, s.b, part, pane);
  context.globalCompositeOperation = 'lighter';
  for (let k = s.gain; k > 1; k /= 2) context.drawImage(canvas, pane.x, pane.y, pane.w, pane.h, pane.x, pane.y, pane.w, pane.h);
  context.globalCompositeOperation = 'source-over';
  label(context, `|${data.layers[s.a]} − ${data.layers[s.b]}| ×${s.gain}`, pane.x + 6, pane.y + 6);
}

function drawLine(pane, part) {
  const level = s.line === 'h' ? (s.at * data.height - part.y) / part.h : (s.at * data.width - part.x) / part.w;
  if (level < 0 || level > 1) return;
  context.fillStyle = 'rgba(255,176,0,.95)';
  if (s.line === 'h') context.fillRect(pane.x, pane.y + level * pane.h - 0.5, pane.w, 1.5);
  else context.fillRect(pane.x + level * pane.w - 0.5, pane.y, 1.5, pane.h);
  const [hx, hy] = s.line === 'h' ? [pane.x + pane.w - 10, pane.y + level * pane.h] : [pane.x + level * pane.w, pane.y + pane.h - 10];
  context.beginPath(); context.arc(hx, hy, 6, 0, 7); context.fill();
}

function drawLoupe(list, part) {
  const ratio = window.devicePixelRatio || 1, side = Math.min(110 * ratio, canvas.width / data.layers.length - 4);
  const pane = list.find((p) => inside(p, s.pointer)) || list[0];
  const px = part.x + part.w * (s.pointer.x - pane.x) / pane.w, py = part.y + part.h * (s.pointer.y - pane.y) / pane.h;
  const size = Math.max(side / (6 * ratio), 8), total = data.layers.length * (side + 2);
  const left = clamp(s.pointer.x - total / 2, 0, canvas.width - total);
  const below = s.pointer.y + 24 * ratio, top = below + side < canvas.height ? below : s.pointer.y - side - 24 * ratio;
  context.imageSmoothingEnabled = false;
  data.layers.forEach((name, layer) => {
    const [cx, cy] = corner(layer), x = left + layer * (side + 2);
    const fx = clamp(px - size / 2, 0, data.width - size), fy = clamp(py - size / 2, 0, data.height - size);
    context.drawImage(video, cx + fx, cy + fy, size, size, x, top, side, side);
    label(context, name.slice(0, 14), x, top);
  });
}

function draw() {
  if (!data || !video.videoWidth) return;
  const list = layout(), part = window_();
  context.fillStyle = '#0b0d12'; context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = s.zoom < 3;  // close up, pixels are what one wants to see
  for (const pane of list) {
    if (pane.layer === null) drawSingle(pane, part);
    else { paint(context, video, pane.layer, part, pane); label(context, data.layers[pane.layer], pane.x + 6, pane.y + 6); }
    drawLine(pane, part);
  }
  if (s.loupe && s.pointer) drawLoupe(list, part);
  const n = shown();
  canvas.dataset.frame = n; canvas.dataset.wipe = s.wipe.toFixed(3); canvas.dataset.zoom = s.zoom;
  scrub.value = n; $('.count').textContent = `${n + 1} / ${data.frames}`;
  markFrame(n);
}

// ---------------------------------------------------------------- temporal profile

function seekTo(player, time) {
  return new Promise((done) => { player.onseeked = () => done(); player.currentTime = time; });
}

async function collect() {  // small copies of every frame, decoded once by a second player
  const round = ++s.round, mine = s, player = document.createElement('video');
  player.muted = true; player.preload = 'auto'; player.src = video.src;
  await new Promise((done) => { player.onloadeddata = done; });
  const pixels = player.videoWidth * player.videoHeight;
  const scale = Math.min(1, Math.sqrt(PROFILE_BYTES / (4 * pixels * data.frames)));
  const size = { resizeWidth: Math.round(player.videoWidth * scale), resizeHeight: Math.round(player.videoHeight * scale) };
  for (let n = 0; n < data.frames; n++) {
    await seekTo(player, middle(n));
    if (mine !== s || round !== s.round) return;  // another clip came
    s.copies[n] = await createImageBitmap(player, size);
    $('.where').textContent = `reading frames ${n + 1} / ${data.frames}`;
  }
  drawProfile();
}

const rowHeight = () => clamp(Math.floor(132 / data.frames), 2, 8);
const TITLE = 18;

function drawProfile() {
  if (!data || s.copies.length < data.frames) return;
  const began = performance.now();
  const k = rowHeight(), block = TITLE + data.frames * k + 6, width = Math.max(slices.clientWidth, 200);
  slices.width = width; slices.height = block * data.layers.length;
  slices.style.height = `${slices.height}px`;
  const c = slices.getContext('2d'), dark = getComputedStyle(element).color;
  const scale = s.copies[0].width / (data.width * data.columns);
  data.layers.forEach((name, layer) => {
    const [left, top] = corner(layer).map((v) => v * scale), y0 = layer * block + TITLE;
    c.fillStyle = dark; c.font = '12px system-ui, sans-serif'; c.textBaseline = 'middle'; c.fillText(name, 2, y0 - TITLE / 2);
    s.copies.forEach((copy, n) => slice(c, copy, left, top, scale, y0 + n * k, k, width));
    c.fillStyle = 'rgba(255,176,0,.95)';
    for (const border of data.borders) c.fillRect(0, y0 + border * k - 1, 10, 2);
  });
  const place = s.line === 'h' ? `y = ${Math.floor(s.at * data.height)}` : `x = ${Math.floor(s.at * data.width)}`;
  $('.where').textContent = `at ${place}${data.borders.length ? '; ticks mark segment borders' : ''}`;
  slices.setAttribute('aria-label', `Slices at ${place} of ${data.layers.join(', ')} over ${data.frames} frames`);
  s.plain = c.getImageData(0, 0, slices.width, slices.height);
  slices.dataset.ms = (performance.now() - began).toFixed(1);
  markFrame(shown());
}

function slice(c, copy, left, top, scale, y, k, width) {  // one row of the profile from one frame
  const w = data.width * scale, h = data.height * scale;
  if (s.line === 'h') return c.drawImage(copy, left, top + Math.min(s.at * h, h - 1), w, 1, 0, y, width, k);
  c.save(); c.translate(0, y + k); c.rotate(-Math.PI / 2);  // a column lies down: its top comes to the left
  c.drawImage(copy, left + Math.min(s.at * w, w - 1), top, 1, h, 0, 0, k, width);
  c.restore();
}

function markFrame(n) {
  if (s.plain) {
    const c = slices.getContext('2d'), k = rowHeight(), block = TITLE + data.frames * k + 6;
    c.putImageData(s.plain, 0, 0);
    c.fillStyle = 'rgba(255,255,255,.9)';
    data.layers.forEach((_, layer) => c.fillRect(0, layer * block + TITLE + n * k, slices.width, 1));
  }
  for (const chart of element.querySelectorAll('.charts canvas')) drawChart(chart, n);
}

function frameUnder(event) {
  const box = slices.getBoundingClientRect(), k = rowHeight(), block = TITLE + data.frames * k + 6;
  return clamp(Math.floor((((event.clientY - box.top) % block) - TITLE) / k), 0, data.frames - 1);
}

// ---------------------------------------------------------------- curves

function makeCurves() {
  const legend = $('.legend'), charts = $('.charts');
  legend.replaceChildren(); charts.replaceChildren();
  $('.curves').hidden = !data.curves.length;
  data.layers.forEach((name, i) => {
    const item = document.createElement('span'), mark = document.createElement('i');
    mark.style.background = COLOURS[i % COLOURS.length];
    item.append(mark, name); legend.append(item);
  });
  data.curves.forEach((curve, i) => {
    const figure = document.createElement('figure'), chart = document.createElement('canvas');
    const caption = document.createElement('figcaption'), told = document.createElement('p');
    caption.textContent = curve.name; chart.dataset.curve = i; chart.setAttribute('role', 'img');
    told.className = 'quiet';
    told.textContent = data.layers.map((name, j) => `${name}: mean ${mean(curve.values[j] || []).toPrecision(3)}`).join('; ');
    chart.setAttribute('aria-label', `${curve.name}. ${told.textContent}`);
    chart.addEventListener('pointermove', (e) => {
      const box = chart.getBoundingClientRect();
      seek(Math.round((e.clientX - box.left - 40) / (box.width - 48) * (data.frames - 1)));
    });
    figure.append(caption, chart, told); charts.append(figure);
  });
}

const numbers = (values) => values.filter((v) => v !== null);
const mean = (values) => numbers(values).reduce((sum, v) => sum + v, 0) / Math.max(numbers(values).length, 1);

function drawChart(chart, n) {
  const ratio = window.devicePixelRatio || 1, curve = data.curves[chart.dataset.curve];
  if (!curve || !chart.clientWidth) return;  // a chart of the clip before
  chart.width = chart.clientWidth * ratio; chart.height = chart.clientHeight * ratio;
  const c = chart.getContext('2d'); c.scale(ratio, ratio);
  const w = chart.clientWidth - 48, h = chart.clientHeight - 24, top = Math.max(...curve.values.flatMap(numbers), 1e-9) * 1.08;
  const x = (i) => 40 + w * i / Math.max(data.frames - 1, 1), y = (v) => 6 + h * (1 - v / top);
  const text = getComputedStyle(element).color;
  c.strokeStyle = text; c.globalAlpha = 0.2; c.strokeRect(40, 6, w, h); c.globalAlpha = 0.75;
  c.fillStyle = text; c.font = '11px system-ui, sans-serif'; c.textAlign = 'right';
  c.fillText(top.toPrecision(2), 36, 14); c.fillText('0', 36, 6 + h); c.fillText(`frame ${data.frames}`, 40 + w, h + 20);
  c.globalAlpha = 0.25;
  for (const border of data.borders) c.fillRect(x(border) - 0.5, 6, 1, h);
  c.globalAlpha = 1;
  curve.values.forEach((values, layer) => {
    c.strokeStyle = COLOURS[layer % COLOURS.length]; c.lineWidth = 1.6; c.beginPath();
    let pen = false;
    values.forEach((v, i) => { if (v === null) { pen = false; return; } pen ? c.lineTo(x(i), y(v)) : c.moveTo(x(i), y(v)); pen = true; });
    c.stroke();
  });
  c.fillStyle = 'rgba(255,176,0,.95)'; c.fillRect(x(n) - 0.75, 6, 1.5, h);
}

// ---------------------------------------------------------------- saving

function download(target, name) {
  target.toBlob((blob) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob); link.download = name; link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

async function saveStrip() {  // the visible part of four frames in a row, one row per layer, as the paper's figures 10 to 12
  const part = window_(), first = shown(), count = Math.min(4, data.frames - first), side = 240;
  const high = Math.round(side * part.h / part.w), strip = document.createElement('canvas');
  strip.width = count * (side + 2); strip.height = data.layers.length * (high + 2);
  const c = strip.getContext('2d'), player = document.createElement('video');
  player.muted = true; player.src = video.src;
  await new Promise((done) => { player.onloadeddata = done; });
  for (let i = 0; i < count; i++) {
    await seekTo(player, middle(first + i));
    data.layers.forEach((name, layer) => {
      paint(c, player, layer, part, { x: i * (side + 2), y: layer * (high + 2), w: side, h: high });
      if (i === 0) label(c, name, 4, layer * (high + 2) + 4);
    });
  }
  download(strip, `strip-frame-${first + 1}.png`);
}

// ---------------------------------------------------------------- hands

const at = (event) => {
  const box = canvas.getBoundingClientRect();
  return { x: (event.clientX - box.left) * canvas.width / box.width, y: (event.clientY - box.top) * canvas.height / box.height };
};
const inside = (pane, p) => p.x >= pane.x && p.x <= pane.x + pane.w && p.y >= pane.y && p.y <= pane.y + pane.h;

function grab(point) {
  const pane = layout().find((p) => inside(p, point)) || layout()[0], part = window_();
  const near = NEAR_PX * (window.devicePixelRatio || 1);
  const line = s.line === 'h'
    ? pane.y + (s.at * data.height - part.y) / part.h * pane.h - point.y
    : pane.x + (s.at * data.width - part.x) / part.w * pane.w - point.x;
  if (Math.abs(line) < near) return { kind: 'line', pane, part };
  const divider = pane.x + pane.w * s.wipe - point.x;
  if (s.view === 'wipe' && (s.zoom === 1 || Math.abs(divider) < near)) return { kind: 'wipe', pane, part };
  if (s.view === 'flip') return { kind: 'flip', pane, part };
  return { kind: 'pan', pane, part, point, x: s.x, y: s.y };
}

function move(point) {
  const { kind, pane, part } = s.drag;
  if (kind === 'wipe') s.wipe = clamp((point.x - pane.x) / pane.w, 0, 1);
  if (kind === 'line') {
    const level = s.line === 'h' ? (point.y - pane.y) / pane.h : (point.x - pane.x) / pane.w;
    s.at = clamp(s.line === 'h' ? (part.y + level * part.h) / data.height : (part.x + level * part.w) / data.width, 0, 0.9999);
    drawProfile();
  }
  if (kind === 'pan') {
    s.x = clamp(s.drag.x - (point.x - s.drag.point.x) / pane.w / s.zoom, 0, 1);
    s.y = clamp(s.drag.y - (point.y - s.drag.point.y) / pane.h / s.zoom, 0, 1);
  }
  draw();
}

function zoom(factor) {
  s.zoom = clamp(s.zoom * factor, 1, 8);
  $('.zoom').textContent = `${+s.zoom.toFixed(1)}×`;
  draw();
}

const fingers = new Map();
let spread = 0;
canvas.addEventListener('pointerdown', (e) => {
  if (!data) return;
  canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, e); viewer.focus({ preventScroll: true });
  if (fingers.size === 2) { spread = gap(); s.drag = null; return; }
  s.drag = grab(at(e)); s.flipped = s.drag.kind === 'flip';
  move(at(e));
});
canvas.addEventListener('pointermove', (e) => {
  if (!data) return;
  if (fingers.has(e.pointerId)) fingers.set(e.pointerId, e);
  s.pointer = at(e);
  if (fingers.size === 2) { const now = gap(); zoom(now / spread); spread = now; }
  else if (s.drag) move(s.pointer);
  else if (s.loupe) draw();
});
const gap = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1; };
for (const name of ['pointerup', 'pointercancel']) {
  canvas.addEventListener(name, (e) => { fingers.delete(e.pointerId); s.drag = null; s.flipped = false; draw(); });
}
canvas.addEventListener('pointerleave', () => { s.pointer = null; if (s.loupe) draw(); });
canvas.addEventListener('wheel', (e) => {
  if (!data || !(e.ctrlKey || document.activeElement === viewer)) return;  // else the page scrolls, as one expects
  e.preventDefault(); zoom(e.deltaY < 0 ? 1.2 : 1 / 1.2);
}, { passive: false });
slices.addEventListener('pointermove', (e) => { if (data) seek(frameUnder(e)); });

function show(view) {
  s.view = view;
  for (const b of element.querySelectorAll('[data-view]')) b.setAttribute('aria-pressed', b.dataset.view === view);
  $('.gain').hidden = view !== 'diff';
  draw();
}

const turn = () => { s.line = s.line === 'h' ? 'v' : 'h'; $('[data-do=turn]').textContent = s.line === 'h' ? 'x–t' : 'y–t'; draw(); drawProfile(); };
const nudge = (pixels) => { s.at = clamp(s.at + pixels / (s.line === 'h' ? data.height : data.width), 0, 0.9999); draw(); drawProfile(); };
const press = (name, on) => $(`[data-do=${name}]`).setAttribute('aria-pressed', on);
const pick = (which, layer) => { if (layer < data.layers.length) { s[which] = layer; $(`.${which}`).value = layer; draw(); } };
const loupe = () => { s.loupe = !s.loupe; press('loupe', s.loupe); draw(); };

const ACTIONS = {
  play: toggle, back: () => step(-1), next: () => step(1), in: () => zoom(1.5), out: () => zoom(1 / 1.5),
  fit: () => { s.x = s.y = 0.5; zoom(1 / s.zoom); }, loupe, turn, strip: saveStrip,
  loop: () => { s.loop = !s.loop; press('loop', s.loop); },
  save: () => download(canvas, `view-frame-${shown() + 1}.png`), saveprofile: () => download(slices, 'profile.png'),
};
element.addEventListener('click', (e) => {
  const button = e.target.closest('button');
  if (!button || !data) return;
  if (button.dataset.view) show(button.dataset.view); else if (ACTIONS[button.dataset.do]) ACTIONS[button.dataset.do]();
});

const KEYS = {
  ' ': toggle, ArrowRight: ACTIONS.next, ArrowLeft: ACTIONS.back, ArrowUp: () => nudge(-2), ArrowDown: () => nudge(2), p: turn,
  ',': () => { s.wipe = clamp(s.wipe - 0.02, 0, 1); draw(); }, '.': () => { s.wipe = clamp(s.wipe + 0.02, 0, 1); draw(); },
  w: () => show('wipe'), s: () => show('side'), g: () => show('grid'), f: () => show('flip'), d: () => show('diff'), l: loupe,
  '+': ACTIONS.in, '=': ACTIONS.in, '-': ACTIONS.out, 0: ACTIONS.fit, x: () => { s.flipped = true; draw(); },
  '[': () => { s.from = Math.min(shown(), s.to); }, ']': () => { s.to = Math.max(shown(), s.from); },
  '?': () => { $('.keys').open = !$('.keys').open; },
};
viewer.addEventListener('keydown', (e) => {
  if (!data || e.ctrlKey || e.metaKey || e.altKey) return;
  const digit = e.code.match(/^Digit([1-6])$/);
  const action = digit ? () => pick(e.shiftKey ? 'a' : 'b', Number(digit[1]) - 1) : KEYS[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (!action) return;
  action(); e.preventDefault();
});
viewer.addEventListener('keyup', (e) => { if (e.key === 'x') { s.flipped = false; draw(); } });
scrub.addEventListener('input', () => seek(Number(scrub.value)));
for (const which of ['a', 'b']) $(`.${which}`).addEventListener('change', (e) => pick(which, Number(e.target.value)));
$('.k').addEventListener('change', (e) => { s.gain = Number(e.target.value); draw(); });
$('.speed').addEventListener('change', (e) => { video.playbackRate = Number(e.target.value); });

// ---------------------------------------------------------------- life

video.addEventListener('seeked', () => {
  const arrived = frameAt(video.currentTime);
  if (s.target !== null && arrived !== s.target) { video.currentTime = middle(s.target); return; }  // newer wish while seeking
  s.frame = arrived;
  draw();
});
for (const name of ['loadeddata', 'pause', 'play', 'ended']) {
  video.addEventListener(name, () => { draw(); $('[data-do=play]').textContent = video.paused ? '▶' : '❚❚'; });
}
video.addEventListener('ended', () => { if (s.loop) { video.currentTime = middle(s.from); video.play(); } });
if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
else video.addEventListener('timeupdate', () => { if (data) s.frame = frameAt(video.currentTime); draw(); });
new ResizeObserver(() => { draw(); drawProfile(); }).observe(viewer);

function fillLayers() {
  for (const which of ['a', 'b']) {
    const options = data.layers.map((name, i) => { const o = document.createElement('option'); o.value = i; o.textContent = name; return o; });
    $(`.${which}`).replaceChildren(...options); $(`.${which}`).value = s[which];
  }
}

function load() {
  data = props.value; s = start();
  $('.empty').hidden = !!data; $('.profile').hidden = !data; $('.curves').hidden = !data;
  if (!data) { video.removeAttribute('src'); video.load(); return; }
  const truth = data.layers.length - 1;
  s.a = truth > 1 ? 1 : 0; s.b = truth;  // two layers: one on each side s.to = data.frames - 1;
  scrub.max = data.frames - 1;
  fillLayers(); show('wipe'); makeCurves();
  video.src = data.video.url; video.load();
  video.addEventListener('loadeddata', collect, { once: true });
}
watch('value', load);
load();
