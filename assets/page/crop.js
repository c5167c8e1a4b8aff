// A frame on which a rectangle is drawn; the rectangle goes to the server as the event 'drawn', in per cent of the frame.
import { element, props, trigger, watch } from './host.js';
import { clamp } from './maths/geometry.js';
import { WHOLE, isSmall, isWhole, movedBox, resizedBox, spanned } from './maths/rectangle.js';

const holder = element.querySelector('.box');
const canvas = element.querySelector('canvas');
const caption = element.querySelector('.caption');
const c = canvas.getContext('2d');
const image = new Image();
const SMALLEST = 4;
const MIDDLE = [25, 25, 75, 75]; // where keys begin
const STEPS = { ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2] };
let box = WHOLE;
let from = null;

function draw() {
  if (!image.naturalWidth) return;
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  c.drawImage(image, 0, 0);
  const [l, t, r, b] = box.map((v, i) => (v / 100) * (i % 2 ? canvas.height : canvas.width));
  if (!isWhole(box)) {
    c.fillStyle = 'rgba(11,13,18,.6)';
    c.fillRect(0, 0, canvas.width, t);
    c.fillRect(0, b, canvas.width, canvas.height - b);
    c.fillRect(0, t, l, b - t);
    c.fillRect(r, t, canvas.width - r, b - t);
    c.strokeStyle = '#ffb000';
    c.lineWidth = Math.max(canvas.width / 160, 1);
    c.strokeRect(l, t, r - l, b - t);
  }
}

const at = (e) => {
  const b = canvas.getBoundingClientRect();
  return [clamp(((e.clientX - b.left) / b.width) * 100, 0, 100), clamp(((e.clientY - b.top) / b.height) * 100, 0, 100)];
};
const tell = () => trigger('drawn', { box: box.map((v) => Math.round(v * 10) / 10) });

canvas.addEventListener('pointerdown', (e) => {
  canvas.setPointerCapture(e.pointerId);
  from = at(e);
});
canvas.addEventListener('pointermove', (e) => {
  if (!from) return;
  box = spanned(from, at(e));
  draw();
});
for (const name of ['pointerup', 'pointercancel']) {
  canvas.addEventListener(name, () => {
    if (!from) return;
    from = null;
    if (isSmall(box, SMALLEST)) box = WHOLE; // a click takes the whole frame again
    draw();
    tell();
  });
}
holder.addEventListener('keydown', (e) => {
  const by = STEPS[e.key];
  if (!by && e.key !== 'Escape') return;
  const start = isWhole(box) ? MIDDLE : box;
  if (!by) box = WHOLE;
  else if (e.shiftKey) box = resizedBox(start, ...by, SMALLEST);
  else box = movedBox(start, ...by);
  e.preventDefault();
  draw();
  tell();
});

function load() {
  const value = props.value;
  holder.hidden = !value;
  caption.textContent = value ? value.caption : '';
  if (!value) return;
  box = value.box;
  if (image.src.endsWith(value.image.url)) {
    draw();
    return;
  }
  image.onload = draw;
  image.src = value.image.url;
}
watch('value', load);
load();
