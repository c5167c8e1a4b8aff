// Numbers of the plots: scales with round steps, means over what is known, and how a figure is written.

const known = (values) => values.filter((v) => v !== null);

export function mean(values) {
  const all = known(values);
  return all.length ? all.reduce((sum, v) => sum + v, 0) / all.length : null;
}

export const figure = (value, digits = 3) =>
  value === null || value === undefined ? '–' : Number(value.toPrecision(digits)).toString();

// A figure with the decimals of its column.
export const fixed = (value, decimals) => (value === null || value === undefined ? '–' : value.toFixed(decimals));

// A tick of an axis, with the decimals that its step needs.
export const tickText = (value, step) => value.toFixed(Math.max(-Math.floor(Math.log10(step) + 1e-9), 0));

// By how much a figure changes: '−41 %'; nothing where one of the two is unknown.
export function change(from, to) {
  if (!from || to === null) return '';
  const percent = Math.round((100 * (to - from)) / from);
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent)} %`;
}

// The next of 1, 2, 5, 10, 20 …
export function roundStep(least) {
  const ten = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((v) => v * ten).find((v) => v >= least * (1 - 1e-9));
}

// Round numbers from 0 to count − 1 that stand at least `apart` pixels from another in `room` pixels.
export function ticks(count, room, apart) {
  const by = roundStep(Math.max((count - 1) / Math.max(Math.floor(room / apart), 1), 1));
  return Array.from({ length: Math.floor((count - 1) / by) + 1 }, (_, i) => i * by);
}

// The lowest and highest value of an axis for several lines: from 0, unless all of it is far from 0.
export function axisRange(lines) {
  const all = lines.flatMap(known);
  const high = Math.max(...all, 1e-9);
  const low = Math.min(...all, high);
  const air = 0.15 * (high - low || high);
  return low < 0.5 * high ? [0, high * 1.06] : [low - air, high + air];
}
