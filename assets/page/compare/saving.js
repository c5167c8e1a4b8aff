// Pictures of what is seen, to keep.
import { WORDS } from '../host.js';
import { figure, mean } from '../maths/scales.js';
import { CHART, chartHeight, drawFrames, drawPanel, panelTop, stroke } from './curves.js';
import { draw, drawPanes } from './drawing.js';
import { layout, seen } from './panes.js';
import { canSlice, linePlace, lineText, paintSlices, planOf, sliceOf } from './profile.js';
import { AXES, canvas, chart, data, fill, pixelRatio, s } from './state.js';

export function download(target, name) {
  target.toBlob((blob) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

export function saveView() {
  // what is seen, without what hands hold
  drawPanes(layout(), seen(), { line: false });
  download(canvas, `view-frame-${s.frame + 1}.png`);
  draw();
}

export function saveProfile() {
  // as on the screen, on paper: at least one pixel of the picture a pixel, with a title and scales
  if (!canSlice()) return;
  const images = data.layers.map((_, layer) => sliceOf(layer));
  const base = planOf(0);
  const ratio = 2;
  const plan = { ...base, ratio, width: Math.max(images[0].width / ratio, 480) + base.gutter + base.right };
  const head = 40;
  const paper = document.createElement('canvas');
  const high = head + plan.block * images.length + plan.foot;
  paper.width = Math.round(plan.width * ratio);
  paper.height = Math.round(high * ratio);
  const c = paper.getContext('2d');
  c.scale(ratio, ratio);
  c.fillStyle = '#fff';
  c.fillRect(0, 0, plan.width, high);
  c.fillStyle = '#111';
  c.font = '600 14px system-ui, sans-serif';
  c.textBaseline = 'alphabetic';
  c.fillText(fill(WORDS.profileTitle, { place: lineText() }), plan.gutter, 18);
  c.font = '12px system-ui, sans-serif';
  c.globalAlpha = 0.7;
  const span = fill(WORDS.span, { frames: data.frames, fps: +data.fps.toFixed(2) });
  c.fillText([span, ...(data.borders.length ? [WORDS.borders] : [])].join('; '), plan.gutter, 35);
  c.globalAlpha = 1;
  c.translate(0, head);
  paintSlices(c, plan, '#111', images);
  download(paper, `profile-${AXES[s.line][1]}-${linePlace()}.png`);
}

export function saveCurves() {
  const ratio = pixelRatio();
  const paper = document.createElement('canvas');
  const c = paper.getContext('2d');
  const width = chart.clientWidth;
  const row = 20;
  const high = chartHeight() + row * data.layers.length + 10;
  paper.width = Math.round(width * ratio);
  paper.height = Math.round(high * ratio);
  c.scale(ratio, ratio);
  c.fillStyle = '#fff';
  c.fillRect(0, 0, width, high);
  data.curves.forEach((curve, i) => drawPanel(c, curve, panelTop(i), width, '#111'));
  drawFrames(c, width, '#111');
  data.layers.forEach((name, layer) => {
    const y = chartHeight() + row * (layer + 0.5);
    stroke(c, layer);
    c.beginPath();
    c.moveTo(CHART.left, y);
    c.lineTo(CHART.left + 28, y);
    c.stroke();
    c.setLineDash([]);
    c.fillStyle = '#111';
    c.font = '12px system-ui, sans-serif';
    c.textAlign = 'left';
    c.textBaseline = 'middle';
    c.fillText(
      [
        name,
        ...data.curves.map((curve) => `${curve.name} ${WORDS.mean} ${figure(mean(curve.values[layer] || []))}`),
      ].join('   '),
      CHART.left + 38,
      y,
    );
  });
  download(paper, 'curves.png');
}
