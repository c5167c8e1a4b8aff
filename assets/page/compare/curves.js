// The figures of every frame as curves.
import { WORDS, element } from '../host.js';
import { axisRange, figure, mean, roundStep, ticks, tickText } from '../maths/scales.js';
import { colourOf } from './drawing.js';
import { $, DASHES, chart, data, fill, pixelRatio, s } from './state.js';

export const CHART = { left: 52, right: 12, top: 22, high: 132, gap: 18, foot: 34 }; // in CSS pixels; one panel above another
export const chartHeight = () =>
  data.curves.length * (CHART.top + CHART.high) + (data.curves.length - 1) * CHART.gap + CHART.foot;
export const panelTop = (i) => CHART.top + i * (CHART.top + CHART.high + CHART.gap);
const across = (n, width) => CHART.left + ((width - CHART.left - CHART.right) * n) / Math.max(data.frames - 1, 1);

export function makeCurves() {
  const meanOf = (curve) => (layer, i) => fill(WORDS.meanTold, { layer, mean: figure(mean(curve.values[i] || [])) });
  const told = data.curves.map((curve) => `${curve.name}: ${data.layers.map(meanOf(curve)).join('; ')}`);
  $('.curves .chart').hidden = $('.curves .bar').hidden = $('.curves .cursor').hidden = !data.curves.length;
  $('.curves .quiet').textContent = told.join('. ');
  chart.setAttribute('aria-label', told.join('. '));
  drawCurves();
}

export function stroke(c, layer) {
  c.strokeStyle = colourOf(layer);
  c.lineWidth = 2;
  c.setLineDash(DASHES[layer % DASHES.length]);
}

export function drawCurves() {
  const width = chart.clientWidth;
  const ratio = pixelRatio();
  if (!data || !data.curves.length || !width) return;
  chart.style.height = `${chartHeight()}px`;
  chart.width = Math.round(width * ratio);
  chart.height = Math.round(chartHeight() * ratio);
  const c = chart.getContext('2d');
  const ink = getComputedStyle(element).color;
  c.scale(ratio, ratio);
  data.curves.forEach((curve, i) => drawPanel(c, curve, panelTop(i), width, ink));
  drawFrames(c, width, ink);
  markCurves();
}

export function drawFrames(c, width, ink) {
  // the shared axis under the last panel
  const y = panelTop(data.curves.length - 1) + CHART.high;
  c.fillStyle = ink;
  c.globalAlpha = 0.75;
  c.textBaseline = 'top';
  c.font = '11px system-ui, sans-serif';
  for (const n of ticks(data.frames, width - CHART.left, 44)) {
    c.textAlign = 'center';
    c.fillText(n + 1, across(n, width), y + 6);
  }
  c.fillText(WORDS.frames, (CHART.left + width - CHART.right) / 2, y + 20);
  c.globalAlpha = 1;
}

export function drawPanel(c, curve, top, width, ink) {
  const [low, high] = axisRange(curve.values);
  const y = (v) => top + CHART.high * (1 - (v - low) / (high - low));
  c.fillStyle = ink;
  c.font = '600 12px system-ui, sans-serif';
  c.textAlign = 'left';
  c.textBaseline = 'alphabetic';
  c.fillText(curve.name, CHART.left, top - 8);
  c.font = '11px system-ui, sans-serif';
  c.textAlign = 'right';
  c.textBaseline = 'middle';
  const by = roundStep((high - low) / 4);
  for (let v = Math.ceil(low / by) * by; v <= high; v += by) {
    c.globalAlpha = 0.14;
    c.fillRect(CHART.left, Math.round(y(v)), width - CHART.left - CHART.right, 1);
    c.globalAlpha = 0.75;
    c.fillText(tickText(v, by), CHART.left - 8, y(v));
  }
  c.globalAlpha = 0.5;
  c.setLineDash([2, 3]);
  c.strokeStyle = ink;
  c.lineWidth = 1;
  for (const border of data.borders) {
    const x = Math.round(across(border - 0.5, width)) + 0.5;
    c.beginPath();
    c.moveTo(x, top);
    c.lineTo(x, top + CHART.high);
    c.stroke();
  }
  c.globalAlpha = 1;
  curve.values.forEach((values, layer) => {
    stroke(c, layer);
    c.beginPath();
    let pen = false;
    values.forEach((v, n) => {
      if (v === null) {
        pen = false;
        return;
      }
      if (pen) c.lineTo(across(n, width), y(v));
      else c.moveTo(across(n, width), y(v));
      pen = true;
    });
    c.stroke();
  });
  c.setLineDash([]);
}

export function markCurves() {
  const cursor = $('.cursor');
  if (!data.curves.length || !chart.clientWidth) return;
  cursor.style.transform = `translateX(${across(s.frame, chart.clientWidth)}px)`;
  cursor.style.top = `${CHART.top}px`;
  cursor.style.height = `${chartHeight() - CHART.foot - CHART.top}px`;
}

export function frameAcrossPointer(event) {
  const place = chart.getBoundingClientRect();
  return Math.round(
    ((event.clientX - place.left - CHART.left) / (place.width - CHART.left - CHART.right)) * (data.frames - 1),
  );
}
