// The line over the stage: what is seen, and by how much the two layers that are compared differ.
import { WORDS } from '../host.js';
import { change, figure, mean } from '../maths/scales.js';
import { colourOf } from './drawing.js';
import { $, data, fill, s } from './state.js';

const FIGURES = ['we', 'sharpness']; // of all curves, those that tell at a glance

export function tellPair() {
  $('.claim').textContent = claim();
  const told = FIGURES.map((key) => data.curves.find((curve) => curve.key === key)).filter(Boolean);
  $('.numbers').replaceChildren(...told.map(difference));
}

function claim() {
  if (data.layers.length < 2) return fill(WORDS.claimAlone, { layer: data.layers[0] });
  const isPair = s.a === data.pair[0] && s.b === data.pair[1];
  if (isPair && data.claim && ['wipe', 'side'].includes(s.view)) return data.claim;
  return fill(WORDS[`claim_${s.view}`], { a: data.layers[s.a], b: data.layers[s.b] });
}

function difference(curve) {
  const [from, to] = [s.a, s.b].map((layer) => mean(curve.values[layer] || []));
  const name = document.createElement('dt');
  const values = document.createElement('dd');
  name.textContent = `${WORDS[`figure_${curve.key}`]} ${change(from, to)}`;
  values.append(mark(s.a), figure(from, 2), ' → ', mark(s.b), figure(to, 2));
  const both = document.createElement('div');
  both.title = curve.name;
  both.append(name, values);
  return both;
}

export function mark(layer) {
  const square = document.createElement('i');
  square.style.background = colourOf(layer);
  return square;
}
