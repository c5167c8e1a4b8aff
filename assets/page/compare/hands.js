// ---------------------------------------------------------------- hands

const at = (event) => {
  const place = canvas.getBoundingClientRect();
  return { x: (event.clientX - place.left) * canvas.width / place.width, y: (event.clientY - place.top) * canvas.height / place.height };
};

const layerPoint = (pane, part, p) => ({  // from canvas pixels to shares of the layer
  x: clamp((part.x + (p.x - pane.x) / pane.w * part.w) / data.width, 0, 1), y: clamp((part.y + (p.y - pane.y) / pane.h * part.h) / data.height, 0, 1),
});

function grab(point) {  // what a press at a point takes
  const list = layout(), pane = list.find((p) => inside(p, point)) || list[0], part = seen(), near = NEAR_PX * pixelRatio();
  const held = (kind, more = {}) => ({ kind, pane, part, point, ...more });
  if (s.zoom > 1 && inside(mapPlace(), point)) return held('map');
  const level = lineLevel(part), away = s.line === 'h' ? pane.y + level * pane.h - point.y : pane.x + level * pane.w - point.x;
  if (s.view === 'wipe' && Math.abs(pane.x + pane.w * s.wipe - point.x) < near) return held('wipe');
  if (Math.abs(away) < near / 2) return held('line');
  if (s.strip) return held('region', { origin: layerPoint(pane, part, point) });
  if (s.view === 'flip' && s.zoom === 1) return held('flip');
  if (s.view === 'wipe' && s.zoom === 1) return held('wipe');
  return held('pan', { x: (part.x + part.w / 2) / data.width, y: (part.y + part.h / 2) / data.height });
}

const DRAGS = {
  wipe: ({ pane }, p) => { s.wipe = clamp((p.x - pane.x) / pane.w, 0, 1); },
  line: ({ pane, part }, p) => { const q = layerPoint(pane, part, p); setLine(s.line === 'h' ? q.y : q.x); },
  pan: ({ pane, point, x, y }, p) => centre(x - (p.x - point.x) / pane.w / s.zoom, y - (p.y - point.y) / pane.h / s.zoom),
  map: (_, p) => { const map = mapPlace(); centre((p.x - map.x) / map.w, (p.y - map.y) / map.h); },
  region: ({ pane, part, origin }, p) => {
    const q = layerPoint(pane, part, p), w = Math.abs(q.x - origin.x), h = Math.abs(q.y - origin.y);
    if (w * data.width < SMALLEST_BOX_PX || h * data.height < SMALLEST_BOX_PX) return;
    s.region = { x: Math.min(q.x, origin.x), y: Math.min(q.y, origin.y), w, h };
    stripLater();
  },
  box: ({ pane, part, point, x, y }, p) => {
    const dx = (p.x - point.x) / pane.w * part.w / data.width, dy = (p.y - point.y) / pane.h * part.h / data.height;
    s.region = { ...s.region, x: clamp(x + dx, 0, 1 - s.region.w), y: clamp(y + dy, 0, 1 - s.region.h) };
    stripLater();
  },
  flip: () => { s.flipped = true; },
};

function centre(x, y) {  // of what is seen, in shares of the layer, never past an edge
  const half = 0.5 / s.zoom;
  s.x = clamp(x, half, 1 - half); s.y = clamp(y, half, 1 - half);
}

function zoomTo(value, point = null) {  // what lies under the point stays there
  const list = layout(), pane = point && (list.find((p) => inside(p, point)) || list[0]);
  const before = pane ? layerPoint(pane, seen(), point) : null;
  s.zoom = clamp(value, 1, LARGEST_ZOOM);
  if (before) centre(before.x + (0.5 - (point.x - pane.x) / pane.w) / s.zoom, before.y + (0.5 - (point.y - pane.y) / pane.h) / s.zoom);
  else centre(s.x, s.y);
  $('.zoom').textContent = `${+s.zoom.toFixed(1)}×`;
  viewer.classList.toggle('zoomed', s.zoom > 1);
  draw();
}

const zoom = (factor) => zoomTo(s.zoom * factor);
const pan = (dx, dy) => { centre(s.x + dx / s.zoom, s.y + dy / s.zoom); draw(); };

// One finger drags, two pinch and pan together.
const fingers = new Map();
let pinch = null;
const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y) || 1; };
const between = () => { const [a, b] = [...fingers.values()]; return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }; };

function down(event, kind) {
  if (!data || !s.painted || event.button > 0) return;
  canvas.setPointerCapture(event.pointerId); fingers.set(event.pointerId, at(event));
  if (fingers.size === 2) { pinch = { spread: spread(), middle: between() }; s.drag = null; s.flipped = false; return draw(); }
  s.drag = grab(at(event));
  if (kind) s.drag = { ...s.drag, kind, x: s.region.x, y: s.region.y };
  moved(at(event));
}

function moved(point) { DRAGS[s.drag.kind](s.drag, point); draw(); }

function pinched() {
  const now = spread(), middle_ = between(), pane = layout()[0];
  zoomTo(s.zoom * now / pinch.spread, pinch.middle);
  centre(s.x - (middle_.x - pinch.middle.x) / pane.w / s.zoom, s.y - (middle_.y - pinch.middle.y) / pane.h / s.zoom);
  pinch = { spread: now, middle: middle_ };
  draw();
}

canvas.addEventListener('pointerdown', (e) => { viewer.focus({ preventScroll: true }); down(e); });
divider.addEventListener('pointerdown', (e) => { e.stopPropagation(); down(e, 'wipe'); });
lineHandle.addEventListener('pointerdown', (e) => { e.stopPropagation(); down(e, 'line'); });
box.addEventListener('pointerdown', (e) => { e.stopPropagation(); down(e, 'box'); });
viewer.addEventListener('pointermove', (e) => {
  if (!data || !s.painted) return;
  s.pointer = at(e);
  if (fingers.has(e.pointerId)) fingers.set(e.pointerId, s.pointer);
  if (fingers.size === 2) pinched();
  else if (s.drag && fingers.has(e.pointerId)) moved(s.pointer);
  else if (s.loupe) draw();
});
for (const name of ['pointerup', 'pointercancel']) {
  viewer.addEventListener(name, (e) => { fingers.delete(e.pointerId); pinch = null; s.drag = null; s.flipped = false; draw(); });
}
viewer.addEventListener('pointerleave', () => { s.pointer = null; if (s.loupe) draw(); });
canvas.addEventListener('dblclick', (e) => { if (data) zoomTo(s.zoom > 1 ? 1 : 2, at(e)); });
viewer.addEventListener('wheel', (e) => {
  if (!data || !(e.ctrlKey || viewer.contains(document.activeElement))) return;  // else the page scrolls, as one expects
  e.preventDefault(); zoomTo(s.zoom * Math.exp(-clamp(e.deltaY, -100, 100) / 400), at(e));
}, { passive: false });

// Hovering goes to a frame while the clip rests; a press always does.
for (const [plot, frameOf] of [[slices, frameUnder], [chart, frameAcross]]) {
  plot.addEventListener('pointermove', (e) => { if (data && (video.paused || e.buttons)) seek(frameOf(e)); });
  plot.addEventListener('pointerdown', (e) => { if (data) seek(frameOf(e)); });
}

// ---------------------------------------------------------------- buttons and keys

function show(view) {
  s.view = view;
  for (const b of all('[data-view]')) b.setAttribute('aria-pressed', b.dataset.view === view);
  $('.gain').hidden = view !== 'diff'; $('.pick').hidden = view === 'grid';
  $('.kind').hidden = !data.residual || view === 'diff';
  canvas.dataset.view = view;
  arrange(); showScale(); draw();
}

function showKind(kind) {
  if (!data.residual) return;
  s.show = kind; $('.kind select').value = kind;
  showScale(); draw();
}

function showScale() {  // what the colours of the heat-map mean
  const on = s.show !== 'picture' && s.view !== 'diff';
  $('.scale').hidden = !on;
  if (!on) return;
  const { colours, top, hidden } = data.residual;
  $('.scale .ramp').style.background = `linear-gradient(90deg, ${colours.join(', ')})`;
  $('.scale .top').textContent = fill(WORDS.heatScale, { top }); $('.scale .none').style.background = hidden;
}

function setLine(share) { s.at = clamp(share, 0, 1 - 1e-6); drawProfile(); }
const nudge = (pixels) => { setLine((linePlace() + 0.5 + pixels) / linePixels()); draw(); };
const turn = () => { s.line = s.line === 'h' ? 'v' : 'h'; $('[data-do=turn]').textContent = TURN_TO[s.line]; draw(); drawProfile(); };
const slide = (by) => { s.wipe = clamp(s.wipe + by, 0, 1); draw(); };
const pick = (which, layer) => { if (layer < data.layers.length) { s[which] = layer; $(`.${which}`).value = layer; draw(); } };
const loupe = () => { s.loupe = !s.loupe; press('loupe', s.loupe); viewer.classList.toggle('looking', s.loupe); draw(); };
const loop = () => { s.loop = !s.loop; press('loop', s.loop); showLoop(); };
const flip = (on) => { if (on && s.view !== 'flip') show('flip'); s.flipped = on; draw(); };
const fit = () => { s.x = s.y = 0.5; zoomTo(1); };
function fullscreen() { if (document.fullscreenElement) document.exitFullscreen(); else if ($('.player').requestFullscreen) $('.player').requestFullscreen(); }
const nextKind = () => showKind({ picture: 'heat', heat: 'both', both: 'picture' }[s.show]);

const ACTIONS = {
  play: toggle, back: () => step(-1), next: () => step(1), in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit, loupe, turn, loop, fullscreen,
  strip: toggleStrip, save: saveView, saveprofile: saveProfile, savecurves: saveCurves,
  savestrip: () => download($('.strip canvas'), `strip-frame-${Number($('.strip canvas').dataset.frame) + 1}.png`),
};
element.addEventListener('click', (e) => {
  const button = e.target.closest('button');
  if (!button || !data) return;
  if (button.dataset.view) show(button.dataset.view); else if (ACTIONS[button.dataset.do]) ACTIONS[button.dataset.do]();
});

const KEYS = {
  ' ': toggle, k: toggle, ArrowRight: ACTIONS.next, ArrowLeft: ACTIONS.back, ArrowUp: () => nudge(-1), ArrowDown: () => nudge(1),
  PageUp: () => nudge(-10), PageDown: () => nudge(10), Home: () => seek(s.loop ? s.from : 0), End: () => seek(s.loop ? s.to : data.frames - 1), p: turn,
  ',': () => slide(-0.02), '.': () => slide(0.02), '<': () => setSpeed(-1), '>': () => setSpeed(1),
  w: () => show('wipe'), s: () => show('side'), g: () => show('grid'), f: () => show('flip'), d: () => show('diff'), h: nextKind, l: loupe,
  '+': ACTIONS.in, '=': ACTIONS.in, '-': ACTIONS.out, 0: fit, x: () => flip(true), c: toggleStrip, e: saveView, o: loop, z: fullscreen,
  '[': () => setLoop(s.frame, Math.max(s.to, s.frame)), ']': () => setLoop(Math.min(s.from, s.frame), s.frame), r: () => setLoop(0, data.frames - 1),
  '?': () => { $('.keys').open = !$('.keys').open; },
};
const PANS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };

function key(e) {
  if (!data || e.ctrlKey || e.metaKey || e.altKey) return;
  const digit = e.code.match(/^Digit([1-6])$/);
  let action = KEYS[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (digit) action = () => pick(e.shiftKey ? 'a' : 'b', Number(digit[1]) - 1);
  if (e.shiftKey && PANS[e.key]) action = () => pan(...PANS[e.key]);
  if (!action) return;
  action(); e.preventDefault();
}
for (const place of [viewer, slices, chart]) place.addEventListener('keydown', key);
viewer.addEventListener('keyup', (e) => { if (e.key.toLowerCase() === 'x') flip(false); });

function arrows(handle, act) {  // a handle with focus moves by its own arrows; other keys go on to the stage
  handle.addEventListener('keydown', (e) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], PageUp: [0, -10], PageDown: [0, 10] }[e.key];
    if (!data || !by) return;
    act(...by, e.shiftKey); e.preventDefault(); e.stopPropagation();
  });
}
arrows(divider, (dx, dy) => slide(0.02 * (dx - dy)));
arrows(lineHandle, (dx, dy) => nudge(dx + dy));
arrows(box, (dx, dy, resize) => (resize ? moveRegion(0, 0, 2 * dx, 2 * dy) : moveRegion(2 * dx, 2 * dy)));

scrub.addEventListener('input', () => seek(Number(scrub.value)));
for (const which of ['a', 'b']) $(`.${which}`).addEventListener('change', (e) => pick(which, Number(e.target.value)));
$('.k').addEventListener('change', (e) => { s.gain = Number(e.target.value); draw(); });
$('.kind select').addEventListener('change', (e) => showKind(e.target.value));
$('.speed').addEventListener('change', () => setSpeed(0));
$('.strip-frames').addEventListener('change', (e) => { s.stripFrames = Number(e.target.value); stripLater(); });
$('.strip-scale').addEventListener('change', (e) => { s.stripScale = Number(e.target.value); stripLater(); });
