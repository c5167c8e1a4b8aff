// Every figure of every layer: at the frame that is shown, where it has one there, and over the clip; its rows are the curves' legend.
import { WORDS } from '../host.js';
import { fixed } from '../maths/scales.js';
import { stroke } from './curves.js';
import { $, all, data, s } from './state.js';

const TITLE = $('.curves h2').textContent;

export function makeTable() {
  $('.curves').hidden = !data.table.length;
  $('.curves h2').textContent = data.curves.length ? TITLE : WORDS.figures;
  $('.legend thead').replaceChildren(names(), parts());
  $('.legend tbody').replaceChildren(...data.layers.map(row));
  $('.curves .told').replaceChildren(...data.notes.map((note) => cell('p', note)));
}

function cell(tag, text, more = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...more });
}

function line(...cells) {
  const made = document.createElement('tr');
  made.append(...cells);
  return made;
}

const curveOf = (column) => data.curves.find((curve) => curve.key === column.key);

const names = () =>
  line(
    cell('th', WORDS.layer, { rowSpan: 2, scope: 'col' }),
    ...data.table.map((column) =>
      cell('th', column.name, curveOf(column) ? { colSpan: 2, scope: 'colgroup' } : { rowSpan: 2, scope: 'col' }),
    ),
  );

const parts = () =>
  line(...data.table.filter(curveOf).flatMap(() => [WORDS.now, WORDS.mean].map((text) => cell('th', text, { scope: 'col' }))));

function row(name, layer) {
  const first = cell('th', name, { scope: 'row' });
  first.prepend(swatch(layer));
  const cells = data.table.flatMap((column) => {
    const whole = cell('td', column.texts[layer], { className: column.best[layer] ? 'best' : '' });
    return curveOf(column) ? [cell('td', '', { className: 'now' }), whole] : [whole];
  });
  return line(first, ...cells);
}

function swatch(layer) {
  const picture = Object.assign(document.createElement('canvas'), { width: 56, height: 12 });
  const c = picture.getContext('2d');
  c.scale(2, 2);
  stroke(c, layer);
  c.beginPath();
  c.moveTo(0, 3);
  c.lineTo(28, 3);
  c.stroke();
  return picture;
}

export function markTable() {
  // the figures of the frame that is shown
  const now = all('.legend .now');
  const columns = data.table.filter(curveOf);
  data.layers.forEach((_, layer) =>
    columns.forEach((column, i) => {
      const value = (curveOf(column).values[layer] || [])[s.frame];
      now[layer * columns.length + i].textContent = fixed(value, column.decimals);
    }),
  );
}
