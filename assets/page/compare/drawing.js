// ---------------------------------------------------------------- drawing

const corner = (layer) => [(layer % data.columns) * data.width, Math.floor(layer / data.columns) * data.height];
const inside = (pane, p) => p.x >= pane.x && p.x <= pane.x + pane.w && p.y >= pane.y && p.y <= pane.y + pane.h;

function panes() {
  if (s.view === 'side') return [s.a, s.b];
  return s.view === 'grid' ? data.layers.map((_, i) => i) : [null];
}

const tallest = () => {  // of all panes together, in CSS pixels
  const full = document.fullscreenElement === $('.player');
  return Math.max(full ? window.innerHeight - $('.transport').offsetHeight - 16 : window.innerHeight * 0.62, 160);
};

function fitted(count, width, height) {  // the largest panes: {columns, rows, w, h}; w is 0 where nothing is laid out yet
  let best = { w: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const w = Math.floor(Math.min((width - GAP * (columns - 1)) / columns, (height - GAP * (rows - 1)) / rows * data.width / data.height));
    if (w > best.w) best = { columns, rows, w, h: Math.floor(w * data.height / data.width) };
  }
  return best;
}

function arrange() {  // the profile goes beside the picture where that costs the picture nothing
  if (!data) return;
  const place = $('.layout'), total = place.clientWidth, count = panes().length, room = total - BESIDE_PX - 20;
  const alone = fitted(count, total, tallest()), shared = room >= LEAST_STAGE_PX ? fitted(count, room, tallest()) : { w: 0 };
  const beside = shared.w > 0 && shared.w >= 0.9 * alone.w;
  place.classList.toggle('beside', beside);
  if (beside) place.style.setProperty('--stage-width', `${Math.max(shared.columns * (shared.w + GAP) - GAP, LEAST_STAGE_PX)}px`);
}

function layout() {  // panes as {layer, x, y, w, h} in canvas pixels
  const list = panes(), ratio = pixelRatio(), width = Math.round(viewer.clientWidth * ratio);
  const { columns, rows, w, h } = fitted(list.length, width, tallest() * ratio);
  if (!w) return [];
  const left = Math.floor((width - columns * w - GAP * (columns - 1)) / 2), height = rows * h + GAP * (rows - 1);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  canvas.style.height = `${height / ratio}px`;
  return list.map((layer, i) => ({ layer, x: left + (i % columns) * (w + GAP), y: Math.floor(i / columns) * (h + GAP), w, h }));
}

const seen = () => {  // the visible part of a layer, in layer pixels
  const w = data.width / s.zoom, h = data.height / s.zoom;
  return { x: clamp(s.x * data.width - w / 2, 0, data.width - w), y: clamp(s.y * data.height - h / 2, 0, data.height - h), w, h };
};

function paint(target, source, layer, part, pane, cut = [0, 1]) {  // cut: the share of the pane's width, from where to where
  const [left, top] = corner(layer), [from, to] = cut;
  if (to <= from) return;
  target.drawImage(source, left + part.x + part.w * from, top + part.y, part.w * (to - from), part.h,
    pane.x + pane.w * from, pane.y, pane.w * (to - from), pane.h);
}

function paintHeat(target, layer, part, pane, cut) {
  const [left, top, w, h] = data.residual.places[layer], kx = w / data.width, ky = h / data.height, [from, to] = cut;
  target.drawImage(sheet, left + (part.x + part.w * from) * kx, top + part.y * ky, part.w * (to - from) * kx, part.h * ky,
    pane.x + pane.w * from, pane.y, pane.w * (to - from), pane.h);
}

function paintLayer(layer, part, pane, cut = [0, 1]) {  // the picture, the heat-map of its flicker, or both
  if (cut[1] <= cut[0]) return;
  if (s.show !== 'heat') paint(context, sheet, layer, part, pane, cut);
  if (s.show === 'picture' || !data.residual) return;
  if (s.show === 'both') {
    context.fillStyle = 'rgba(0,0,0,.45)'; context.fillRect(pane.x + pane.w * cut[0], pane.y, pane.w * (cut[1] - cut[0]), pane.h);
    context.globalCompositeOperation = 'screen';
  }
  paintHeat(context, layer, part, pane, cut);
  context.globalCompositeOperation = 'source-over';
}

function label(target, text, pane, { right = false, bottom = false, colour = null, room = pane.w } = {}) {
  const ratio = pixelRatio(), pad = 7 * ratio, high = 22 * ratio, mark = colour ? 14 * ratio : 0;
  target.font = `500 ${12 * ratio}px system-ui, sans-serif`;
  const most = room - 2 * pad - mark - 12 * ratio;
  while (text.length > 3 && target.measureText(text).width > most) text = `${text.slice(0, -2)}…`;
  const width = target.measureText(text).width + 2 * pad + mark;
  const x = right ? pane.x + pane.w - width - 6 * ratio : pane.x + 6 * ratio;
  const y = bottom ? pane.y + pane.h - high - 6 * ratio : pane.y + 6 * ratio;
  target.fillStyle = 'rgba(8,10,16,.72)';
  target.beginPath(); target.roundRect(x, y, width, high, 4 * ratio); target.fill();
  if (colour) { target.fillStyle = colour; target.fillRect(x + pad, y + high / 2 - 4 * ratio, 8 * ratio, 8 * ratio); }
  target.fillStyle = '#fff'; target.textAlign = 'left'; target.textBaseline = 'middle';
  target.fillText(text, x + pad + mark, y + high / 2 + ratio / 2);
}

const colourOf = (layer) => data.colours[layer % data.colours.length];
const nameOf = (layer) => {
  const name = data.layers[layer];
  if (s.show === 'picture') return name;
  return s.frame ? fill(WORDS.heat, { layer: name }) : fill(WORDS.heatFirst, { layer: name });
};
const named = (layer, pane, more = {}) => label(context, nameOf(layer), pane, { colour: colourOf(layer), ...more });

function drawSingle(pane, part) {
  if (s.view === 'diff') return drawDifference(pane, part);
  if (s.view === 'flip') { const layer = s.flipped ? s.a : s.b; paintLayer(layer, part, pane); return named(layer, pane); }
  paintLayer(s.a, part, pane, [0, s.wipe]);
  paintLayer(s.b, part, pane, [s.wipe, 1]);
  context.fillStyle = '#fff'; context.fillRect(pane.x + pane.w * s.wipe - pixelRatio(), pane.y, 2 * pixelRatio(), pane.h);  // in what is saved, too
  named(s.a, pane, { room: pane.w / 2 });
  named(s.b, pane, { right: true, room: pane.w / 2 });
}

function drawDifference(pane, part) {
  paint(context, sheet, s.a, part, pane);
  context.globalCompositeOperation = 'difference'; paint(context, sheet, s.b, part, pane);
  context.globalCompositeOperation = 'lighter';
  for (let k = s.gain; k > 1; k /= 2) context.drawImage(canvas, pane.x, pane.y, pane.w, pane.h, pane.x, pane.y, pane.w, pane.h);
  context.globalCompositeOperation = 'source-over';
  label(context, fill(WORDS.difference, { a: data.layers[s.a], b: data.layers[s.b], gain: s.gain }), pane);
}

const lineLevel = (part) => (s.line === 'h' ? (s.at * data.height - part.y) / part.h : (s.at * data.width - part.x) / part.w);

function drawLine(pane, part) {
  const level = lineLevel(part), thick = 1.5 * pixelRatio();
  if (level < 0 || level > 1) return;
  const [x, y, w, h] = s.line === 'h' ? [pane.x, pane.y + level * pane.h, pane.w, 0] : [pane.x + level * pane.w, pane.y, 0, pane.h];
  context.fillStyle = 'rgba(0,0,0,.5)'; context.fillRect(x - (w ? 0 : thick), y - (h ? 0 : thick), w || 2 * thick, h || 2 * thick);
  context.fillStyle = MARK; context.fillRect(x - (w ? 0 : thick / 2), y - (h ? 0 : thick / 2), w || thick, h || thick);
}

function drawBox(pane, part) {  // the region of the strip
  const r = s.region, ratio = pixelRatio();
  const x = pane.x + (r.x * data.width - part.x) / part.w * pane.w, y = pane.y + (r.y * data.height - part.y) / part.h * pane.h;
  const w = r.w * data.width / part.w * pane.w, h = r.h * data.height / part.h * pane.h;
  context.save();
  context.beginPath(); context.rect(pane.x, pane.y, pane.w, pane.h); context.clip();
  context.lineWidth = 3 * ratio; context.strokeStyle = 'rgba(0,0,0,.6)'; context.strokeRect(x, y, w, h);
  context.lineWidth = 1.5 * ratio; context.strokeStyle = '#fff'; context.strokeRect(x, y, w, h);
  context.restore();
  return { x, y, w, h };
}

function drawLoupe(list, part) {  // every layer, enlarged, where the pointer is
  const ratio = pixelRatio(), side = 116 * ratio, n = data.layers.length;
  const columns = clamp(Math.floor(canvas.width / (side + 2)), 1, n), rows = Math.ceil(n / columns);
  const p = s.pointer || { x: list[0].x + list[0].w / 2, y: list[0].y + list[0].h / 2 };
  const pane = list.find((q) => inside(q, p)) || list[0], size = 116 / Math.max(4, 2 * s.zoom);
  const px = part.x + part.w * (p.x - pane.x) / pane.w, py = part.y + part.h * (p.y - pane.y) / pane.h;
  const wide = columns * (side + 2), high = rows * (side + 2), away = 20 * ratio;
  const left = clamp(p.x - wide / 2, 0, Math.max(canvas.width - wide, 0));
  const top = clamp(p.y + away + high < canvas.height ? p.y + away : p.y - away - high, 0, Math.max(canvas.height - high, 0));
  const w = Math.min(size, data.width), h = Math.min(size, data.height);
  const spot = { x: clamp(px - w / 2, 0, data.width - w), y: clamp(py - h / 2, 0, data.height - h), w, h };
  context.fillStyle = '#fff'; context.fillRect(left - 2, top - 2, wide + 2, high + 2);
  context.imageSmoothingEnabled = false;
  data.layers.forEach((_, layer) => {
    const glass = { x: left + (layer % columns) * (side + 2), y: top + Math.floor(layer / columns) * (side + 2), w: side, h: side };
    paintLayer(layer, spot, glass); named(layer, glass);
  });
}

function mapPlace() {  // of the overview, in canvas pixels
  const ratio = pixelRatio(), w = Math.min(150 * ratio, canvas.width / 4), h = w * data.height / data.width;
  return { x: canvas.width - w - 10 * ratio, y: canvas.height - h - 10 * ratio, w, h };
}

function drawMap(part) {
  const map = mapPlace(), whole = { x: 0, y: 0, w: data.width, h: data.height }, ratio = pixelRatio();
  context.fillStyle = 'rgba(8,10,16,.8)'; context.fillRect(map.x - 3 * ratio, map.y - 3 * ratio, map.w + 6 * ratio, map.h + 6 * ratio);
  context.imageSmoothingEnabled = true;
  paintLayer(s.b, whole, map);
  context.strokeStyle = '#fff'; context.lineWidth = 1.5 * ratio;
  context.strokeRect(map.x + part.x / data.width * map.w, map.y + part.y / data.height * map.h, map.w / s.zoom, map.h / s.zoom);
}

function drawPanes(list, part, { line = true } = {}) {
  context.fillStyle = BACKDROP; context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = s.zoom < 3;  // close up, pixels are what one wants to see
  context.imageSmoothingQuality = 'high';
  for (const pane of list) {
    if (pane.layer === null) drawSingle(pane, part);
    else { paintLayer(pane.layer, part, pane); named(pane.layer, pane); }
    if (line) drawLine(pane, part);
  }
}

function draw() {
  if (!data || !s.painted) return;
  const list = layout(), part = seen();
  if (!list.length) return;
  drawPanes(list, part);
  const spots = s.strip ? list.map((pane) => drawBox(pane, part)) : [];
  if (s.zoom > 1) drawMap(part);
  if (s.loupe) drawLoupe(list, part);
  placeHandles(list[0], part, spots[0]);
  canvas.dataset.frame = s.frame; canvas.dataset.wipe = s.wipe.toFixed(3); canvas.dataset.zoom = s.zoom;
  scrub.value = s.frame; scrub.setAttribute('aria-valuetext', fill(WORDS.frame, { frame: s.frame + 1, frames: data.frames }));
  $('.count').textContent = `${s.frame + 1} / ${data.frames}`;
  markFrame();
}

function placeHandles(pane, part, spot) {  // the things that hands take are elements, for touch, focus and screen readers
  const ratio = pixelRatio(), level = lineLevel(part);
  const put = (handle, x, y) => { handle.style.left = `${x / ratio}px`; handle.style.top = `${y / ratio}px`; };
  divider.hidden = s.view !== 'wipe';
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
  put(box, spot.x, spot.y); box.style.width = `${spot.w / ratio}px`; box.style.height = `${spot.h / ratio}px`;
}
