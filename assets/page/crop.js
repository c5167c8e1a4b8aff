// A frame on which a rectangle is drawn; the rectangle goes to the server as the event 'drawn', in per cent of the frame.
const holder = element.querySelector('.box'), canvas = element.querySelector('canvas'), told = element.querySelector('.told');
const c = canvas.getContext('2d'), image = new Image();
const WHOLE = [0, 0, 100, 100], SMALLEST = 4;
let box = WHOLE, from = null;
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
const isWhole = () => box.every((v, i) => Math.abs(v - WHOLE[i]) < 0.5);

function draw() {
  if (!image.naturalWidth) return;
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  c.drawImage(image, 0, 0);
  const [l, t, r, b] = box.map((v, i) => v / 100 * (i % 2 ? canvas.height : canvas.width));
  if (!isWhole()) {
    c.fillStyle = 'rgba(11,13,18,.6)';
    c.fillRect(0, 0, canvas.width, t); c.fillRect(0, b, canvas.width, canvas.height - b);
    c.fillRect(0, t, l, b - t); c.fillRect(r, t, canvas.width - r, b - t);
    c.strokeStyle = '#ffb000'; c.lineWidth = Math.max(canvas.width / 160, 1); c.strokeRect(l, t, r - l, b - t);
  }
}

const at = (e) => {
  const b = canvas.getBoundingClientRect();
  return [clamp((e.clientX - b.left) / b.width * 100, 0, 100), clamp((e.clientY - b.top) / b.height * 100, 0, 100)];
};
const tell = () => trigger('drawn', { box: box.map((v) => Math.round(v * 10) / 10) });

canvas.addEventListener('pointerdown', (e) => { canvas.setPointerCapture(e.pointerId); from = at(e); });
canvas.addEventListener('pointermove', (e) => {
  if (!from) return;
  const [x, y] = at(e);
  box = [Math.min(x, from[0]), Math.min(y, from[1]), Math.max(x, from[0]), Math.max(y, from[1])];
  draw();
});
for (const name of ['pointerup', 'pointercancel']) {
  canvas.addEventListener(name, () => {
    if (!from) return;
    from = null;
    if (box[2] - box[0] < SMALLEST || box[3] - box[1] < SMALLEST) box = WHOLE;  // a click takes the whole frame again
    draw(); tell();
  });
}
holder.addEventListener('keydown', (e) => {
  const [dx, dy] = { ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2] }[e.key] || [0, 0];
  if (e.key === 'Escape') box = WHOLE;
  else if (!dx && !dy) return;
  else {
    if (isWhole()) box = [25, 25, 75, 75];
    let [l, t, r, b] = box;
    if (e.shiftKey) { r = clamp(r + dx, l + SMALLEST, 100); b = clamp(b + dy, t + SMALLEST, 100); }
    else { const x = clamp(dx, -l, 100 - r), y = clamp(dy, -t, 100 - b); l += x; r += x; t += y; b += y; }
    box = [l, t, r, b];
  }
  e.preventDefault(); draw(); tell();
});

function load() {
  const value = props.value;
  holder.hidden = !value; told.textContent = value ? value.told : '';
  if (!value) return;
  box = value.box;
  if (image.src.endsWith(value.image.url)) { draw(); return; }
  image.onload = draw; image.src = value.image.url;
}
watch('value', load);
load();
