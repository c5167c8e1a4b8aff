// The comparison stage. One video holds every layer in a grid, so all layers always show the same decoded frame.
// The files of this folder are one function body, joined by mgld/ui/compare.py: state, frames, drawing, profile, curves,
// saving, hands, life. `element`, `props` and `watch` come from Gradio, WORDS from mgld/ui/words.py.
const $ = (selector) => element.querySelector(selector);
const all = (selector) => [...element.querySelectorAll(selector)];
const viewer = $('.viewer'), video = $('video.main'), canvas = $('canvas.stage'), context = canvas.getContext('2d');
const sheet = document.createElement('canvas'), sheetContext = sheet.getContext('2d');
const slices = $('.slices'), chart = $('.chart'), scrub = $('.scrub'), divider = $('.divider'), lineHandle = $('.line-handle');
const box = $('.box');

const DASHES = [[], [7, 3], [2, 2], [7, 3, 2, 3], [4, 2], [1, 2]];  // so that curves are told apart without colour
const MARK = '#ffb000', BACKDROP = '#0b0d12';
const PROFILE_BYTES = (navigator.deviceMemory || 8) >= 4 ? 320e6 : 120e6;  // of frames kept, so that a line moves without decoding
const LATE_TRIES = 200, LATE_MS = 10;  // how long a picture is waited for that a busy browser still owes
const NEAR_PX = 12;           // how close to a line a pointer must be to take it
const GAP = 4;                // between panes
const BESIDE_PX = 360, LEAST_STAGE_PX = 480;  // widths of a profile beside the picture, and of the picture beside it
const LARGEST_ZOOM = 8;
const SPEEDS = [0.1, 0.25, 0.5, 1];
const SMALLEST_BOX_PX = 8;    // of the region of a strip

const AXES = { h: ['x', 'y'], v: ['y', 'x'] };  // along the line, and the one that says where it is
const TURN_TO = { h: 'x–t', v: 'y–t' };
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);  // a sentence and what is put for its {names}

const start = () => ({
  view: 'wipe', show: 'picture', a: 0, b: 0, wipe: 0.5, zoom: 1, x: 0.5, y: 0.5, gain: 4, flipped: false, loupe: false, pointer: null,
  loop: true, from: 0, to: 0, frame: 0, target: null, painted: false, resume: 0, line: 'h', at: 0.5, drag: null,
  copies: [], scale: 1, read: null, strip: false, region: { x: 0.375, y: 0.375, w: 0.25, h: 0.25 }, stripFrames: 4, stripScale: 0,
});
let data = null, s = start();
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const pixelRatio = () => window.devicePixelRatio || 1;
const press = (name, on) => $(`[data-do=${name}]`).setAttribute('aria-pressed', on);
