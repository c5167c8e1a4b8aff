// Frames kept small, and lines cut out of them over time.

// Frames are kept as the video stores them, brightness at full and colour at half size: half the memory, nothing lost.
export function pack(rgba, width, height) {
  const half = (width + 1) >> 1;
  const y = new Uint8ClampedArray(width * height);
  const cb = new Uint8ClampedArray(half * ((height + 1) >> 1));
  const cr = new Uint8ClampedArray(cb.length);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0, c = (row >> 1) * half; column < width; column++, i++) {
      const r = rgba[4 * i];
      const g = rgba[4 * i + 1];
      const b = rgba[4 * i + 2];
      const luma = 0.299 * r + 0.587 * g + 0.114 * b;
      y[i] = luma;
      if ((row | column) & 1) continue;
      cb[c] = 128 + 0.564 * (b - luma);
      cr[c] = 128 + 0.713 * (r - luma);
      c++;
    }
  }
  return { y, cb, cr, width, half };
}

// One pixel of a packed frame into RGBA bytes.
function unpack(copy, x, y, to, at) {
  const luma = copy.y[y * copy.width + x];
  const c = (y >> 1) * copy.half + (x >> 1);
  const cb = copy.cb[c] - 128;
  const cr = copy.cr[c] - 128;
  to[at] = luma + 1.403 * cr;
  to[at + 1] = luma - 0.344 * cb - 0.714 * cr;
  to[at + 2] = luma + 1.773 * cb;
  to[at + 3] = 255;
}

// RGBA bytes [frames, length]: in every packed frame the pixels from (x, y) on, along x for 'h' and along y for 'v'.
export function cutLine(copies, line, x, y, length) {
  const bytes = new Uint8ClampedArray(4 * copies.length * length);
  copies.forEach((copy, n) => {
    for (let i = 0, at = 4 * n * length; i < length; i++, at += 4) {
      if (line === 'h') unpack(copy, x + i, y, bytes, at);
      else unpack(copy, x, y + i, bytes, at);
    }
  });
  return bytes;
}

// Mean change of green from frame to frame along the line, in grey levels, of RGBA bytes [height, width].
export function changeOf({ width, height, data }) {
  const row = 4 * width;
  let sum = 0;
  for (let at = row + 1; at < data.length; at += 4) sum += Math.abs(data[at] - data[at - row]);
  return sum / Math.max((height - 1) * width, 1);
}

// The frame under a height of the plot, whose blocks hold a title and then k pixels a frame.
export function frameUnder(y, { block, title, k }, frames) {
  return Math.min(Math.max(Math.floor(((y % block) - title) / k), 0), frames - 1);
}
