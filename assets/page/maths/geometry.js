// Where layers, panes and parts of them lie. A clip has layers of width × height pixels in a grid of `columns`; a pane is
// a rectangle {x, y, w, h} of the canvas, a part a rectangle of a layer in its pixels, a point {x, y} a place on the canvas.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export const inside = (pane, p) => p.x >= pane.x && p.x <= pane.x + pane.w && p.y >= pane.y && p.y <= pane.y + pane.h;

export const cornerOf = (layer, { columns, width, height }) => [
  (layer % columns) * width,
  Math.floor(layer / columns) * height,
];

// The largest panes of equal size for `count` layers: {columns, rows, w, h}; w is 0 where nothing is laid out yet.
export function largestPanes(count, width, height, clip, gap) {
  let best = { w: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const wide = (width - gap * (columns - 1)) / columns;
    const high = (height - gap * (rows - 1)) / rows;
    const w = Math.floor(Math.min(wide, (high * clip.width) / clip.height));
    if (w > best.w) best = { columns, rows, w, h: Math.floor((w * clip.height) / clip.width) };
  }
  return best;
}

// The part of a layer that is visible when it is enlarged `zoom` times around the share (x, y) of it; never past an edge.
export function visiblePart({ width, height }, zoom, x, y) {
  const w = width / zoom;
  const h = height / zoom;
  return { x: clamp(x * width - w / 2, 0, width - w), y: clamp(y * height - h / 2, 0, height - h), w, h };
}

export function keptInside(x, y, zoom) {
  const half = 0.5 / zoom;
  return { x: clamp(x, half, 1 - half), y: clamp(y, half, 1 - half) };
}

// The share of the layer that lies under a point of the canvas.
export const shareUnder = (pane, part, p, { width, height }) => ({
  x: clamp((part.x + ((p.x - pane.x) / pane.w) * part.w) / width, 0, 1),
  y: clamp((part.y + ((p.y - pane.y) / pane.h) * part.h) / height, 0, 1),
});

// The centre, in shares, that keeps a share of the layer under the same point of its pane at another zoom.
export function centreKeeping(share, pane, p, zoom) {
  const x = share.x + (0.5 - (p.x - pane.x) / pane.w) / zoom;
  const y = share.y + (0.5 - (p.y - pane.y) / pane.h) / zoom;
  return keptInside(x, y, zoom);
}

// Where the line at the share `at` runs through the visible part: 0 to 1 inside of it. 'h' runs along x, 'v' along y.
export function lineLevel(line, at, part, { width, height }) {
  return line === 'h' ? (at * height - part.y) / part.h : (at * width - part.x) / part.w;
}

// A region in shares of a layer as whole pixels of it, at least `smallest` wide and high.
export function regionPixels(region, { width, height }, smallest) {
  const w = clamp(Math.round(region.w * width), smallest, width);
  const h = clamp(Math.round(region.h * height), smallest, height);
  return {
    x: clamp(Math.round(region.x * width), 0, width - w),
    y: clamp(Math.round(region.y * height), 0, height - h),
    w,
    h,
  };
}

// A region {x, y, w, h} in pixels, moved and resized by whole pixels and kept inside; the answer is in shares.
export function movedRegion(r, { dx, dy, dw, dh }, { width, height }, smallest) {
  const w = clamp(r.w + dw, smallest, width - r.x);
  const h = clamp(r.h + dh, smallest, height - r.y);
  const x = clamp(r.x + dx, 0, width - w);
  const y = clamp(r.y + dy, 0, height - h);
  return { x: x / width, y: y / height, w: w / width, h: h / height };
}
