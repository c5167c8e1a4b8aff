// ---------------------------------------------------------------- saving

function download(target, name) {
  target.toBlob((blob) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob); link.download = name; link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function saveView() {  // what is seen, without what hands hold
  drawPanes(layout(), seen(), { line: false });
  download(canvas, `view-frame-${s.frame + 1}.png`);
  draw();
}

function saveProfile() {  // as on the screen, on paper: at least one pixel of the picture a pixel, with a title and scales
  if (s.copies.length < data.frames) return;
  const images = data.layers.map((_, layer) => sliceOf(layer)), base = planOf(0), ratio = 2;
  const plan = { ...base, ratio, width: Math.max(images[0].width / ratio, 480) + base.gutter + base.right }, head = 40;
  const paper = document.createElement('canvas'), high = head + plan.block * images.length + plan.foot;
  paper.width = Math.round(plan.width * ratio); paper.height = Math.round(high * ratio);
  const c = paper.getContext('2d');
  c.scale(ratio, ratio);
  c.fillStyle = '#fff'; c.fillRect(0, 0, plan.width, high);
  c.fillStyle = '#111'; c.font = '600 14px system-ui, sans-serif'; c.textBaseline = 'alphabetic';
  c.fillText(fill(WORDS.profileTitle, { place: lineText() }), plan.gutter, 18);
  c.font = '12px system-ui, sans-serif'; c.globalAlpha = 0.7;
  const span = fill(WORDS.span, { frames: data.frames, fps: +data.fps.toFixed(2) });
  c.fillText([span, ...(data.borders.length ? [WORDS.borders] : [])].join('; '), plan.gutter, 35);
  c.globalAlpha = 1; c.translate(0, head);
  paintSlices(c, plan, '#111', images);
  download(paper, `profile-${AXES[s.line][1]}-${linePlace()}.png`);
}

function saveCurves() {
  const ratio = pixelRatio(), paper = document.createElement('canvas'), c = paper.getContext('2d'), width = chart.clientWidth;
  const row = 20, high = chartHeight() + row * data.layers.length + 10;
  paper.width = Math.round(width * ratio); paper.height = Math.round(high * ratio);
  c.scale(ratio, ratio);
  c.fillStyle = '#fff'; c.fillRect(0, 0, width, high);
  data.curves.forEach((curve, i) => drawPanel(c, curve, panelTop(i), width, '#111'));
  drawFrames(c, width, '#111');
  data.layers.forEach((name, layer) => {
    const y = chartHeight() + row * (layer + 0.5);
    stroke(c, layer); c.beginPath(); c.moveTo(CHART.left, y); c.lineTo(CHART.left + 28, y); c.stroke(); c.setLineDash([]);
    c.fillStyle = '#111'; c.font = '12px system-ui, sans-serif'; c.textAlign = 'left'; c.textBaseline = 'middle';
    c.fillText([name, ...data.curves.map((curve) => `${curve.name} ${WORDS.mean} ${figure(mean(curve.values[layer] || []))}`)].join('   '), CHART.left + 38, y);
  });
  download(paper, 'curves.png');
}

// ---------------------------------------------------------------- strip: a region in N frames × every layer (the paper's Figures 1, 10–12)

let stripRound = 0, stripTimer = 0;

const regionPixels = () => {
  const r = s.region, w = clamp(Math.round(r.w * data.width), SMALLEST_BOX_PX, data.width), h = clamp(Math.round(r.h * data.height), SMALLEST_BOX_PX, data.height);
  return { x: clamp(Math.round(r.x * data.width), 0, data.width - w), y: clamp(Math.round(r.y * data.height), 0, data.height - h), w, h };
};

function stripScale(part, count) {  // whole, so that every pixel of the picture is a square
  if (s.stripScale) return s.stripScale;
  return clamp(Math.floor($('.strip').clientWidth * pixelRatio() * 0.8 / (count * part.w)), 1, LARGEST_ZOOM);
}

function stripLater() {  // once hands and frames have come to rest
  clearTimeout(stripTimer);
  if (s.strip) stripTimer = setTimeout(drawStrip, 120);
}

async function drawStrip() {
  if (!data || !s.strip) return;
  const mine = ++stripRound, of = s, part = regionPixels(), count = Math.min(s.stripFrames, data.frames);
  const first = Math.min(s.frame, data.frames - count), scale = stripScale(part, count), paper = document.createElement('canvas');
  const c = paper.getContext('2d'), font = '13px system-ui, sans-serif', gap = 4, head = 24;
  c.font = font;
  const gutter = Math.ceil(Math.max(...data.layers.map((name) => c.measureText(name).width))) + 16, w = part.w * scale, h = part.h * scale;
  const row = Math.max(h, 18) + gap;
  paper.width = gutter + count * (w + gap); paper.height = head + data.layers.length * row;
  c.fillStyle = '#fff'; c.fillRect(0, 0, paper.width, paper.height);
  c.fillStyle = '#111'; c.font = font; c.textBaseline = 'middle';
  data.layers.forEach((name, layer) => { c.textAlign = 'right'; c.fillText(name, gutter - 8, head + layer * row + h / 2); });
  c.imageSmoothingEnabled = false;
  for (let i = 0; i < count; i++) {
    c.textAlign = 'center'; c.fillText(`${first + i + 1}`, gutter + i * (w + gap) + w / 2, head / 2);
    const put = (layer) => ({ x: gutter + i * (w + gap), y: head + layer * row, w, h });
    await of.read(first + i, (player) => data.layers.forEach((_, layer) => paint(c, player, layer, part, put(layer))));
    if (mine !== stripRound || of !== s) return;  // something newer is asked for
  }
  const shown = $('.strip canvas');
  shown.width = paper.width; shown.height = paper.height; shown.style.width = `${paper.width / pixelRatio()}px`;
  shown.getContext('2d').drawImage(paper, 0, 0);
  Object.assign(shown.dataset, { frame: first, frames: count, scale, gutter, head, w: part.w, h: part.h });
  const told = fill(WORDS.strip, { first: first + 1, last: first + count, width: part.w, height: part.h, scale });
  $('.strip .size').textContent = told;
  shown.setAttribute('aria-label', `${data.layers.join(', ')}; ${told}`);
}

function toggleStrip() {
  s.strip = !s.strip;
  $('.strip').hidden = !s.strip; press('strip', s.strip); viewer.classList.toggle('picking', s.strip);
  if (s.strip) {  // begin inside of what is seen
    const part = seen();
    s.region = { x: (part.x + 0.375 * part.w) / data.width, y: (part.y + 0.375 * part.h) / data.height, w: 0.25 / s.zoom, h: 0.25 / s.zoom };
  }
  draw(); stripLater();
}

function moveRegion(dx, dy, dw = 0, dh = 0) {  // in pixels of the picture
  const r = regionPixels(), w = clamp(r.w + dw, SMALLEST_BOX_PX, data.width - r.x), h = clamp(r.h + dh, SMALLEST_BOX_PX, data.height - r.y);
  s.region = { x: clamp(r.x + dx, 0, data.width - w) / data.width, y: clamp(r.y + dy, 0, data.height - h) / data.height, w: w / data.width, h: h / data.height };
  draw(); stripLater();
}
