// The comparison stage. One video holds every layer in a grid, so all layers always show the same decoded frame.
// Here is what all of its modules share: the elements, the limits, the comparison that is shown and how it is looked at.
import { element, props } from '../host.js';

export const $ = (selector) => element.querySelector(selector);
export const all = (selector) => [...element.querySelectorAll(selector)];
export const viewer = $('.viewer');
export const video = $('video.main');
export const canvas = $('canvas.stage');
export const context = canvas.getContext('2d');
export const sheet = document.createElement('canvas');
export const sheetContext = sheet.getContext('2d');
export const sparks = document.createElement('canvas');
export const sparksContext = sparks.getContext('2d');
export const slices = $('.slices');
export const chart = $('.chart');
export const scrub = $('.scrub');
export const divider = $('.divider');
export const lineHandle = $('.line-handle');
export const box = $('.box');

export const DASHES = [[], [7, 3], [2, 2], [7, 3, 2, 3], [4, 2], [1, 2]]; // so that curves are told apart without colour
export const MARK = '#ffb000';
export const BACKDROP = '#0b0d12';
export const SHADE = 'rgba(0,0,0,.3)'; // on the picture under its flicker
export const INPUT = 0; // the layer of the low-quality clip
export const PROFILE_BYTES = (navigator.deviceMemory || 8) >= 4 ? 320e6 : 120e6; // of frames kept, so that a line moves without decoding
export const LATE_TRIES = 200;
export const LATE_MS = 10; // how long a picture is waited for that a busy browser still owes
export const NEAR_PX = 12; // how close to a line a pointer must be to take it
export const GAP = 4; // between panes
export const BESIDE_PX = 360;
export const LEAST_STAGE_PX = 480; // widths of a profile beside the picture, and of the picture beside it
export const LARGEST_ZOOM = 8;
export const SPEEDS = [0.1, 0.25, 0.5, 1];
export const INSET_SHARE = 0.24; // of a pane's width, for the input in its corner
export const LEAST_INSET_PX = 84;
export const SMALLEST_BOX_PX = 8; // of the region of a strip

export const AXES = { h: ['x', 'y'], v: ['y', 'x'] }; // along the line, and the one that says where it is
export const TURN_TO = { h: 'x–t', v: 'y–t' };
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]); // a sentence and what is put for its {names}

export const MIDDLE = 0.5; // where the profile's line begins

const start = () => ({
  view: 'wipe',
  show: 'picture',
  a: 0,
  b: 0,
  wipe: 0.5,
  zoom: 1,
  x: 0.5,
  y: 0.5,
  gain: 4,
  flipped: false,
  peeks: false,
  loupe: false,
  pointer: null,
  loop: true,
  from: 0,
  to: 0,
  frame: 0,
  target: null,
  painted: false,
  resume: 0,
  line: 'h',
  at: MIDDLE,
  drag: null,
  copies: [],
  scale: 1,
  ready: null,
  profiled: false,
  isPoster: false,
  playsItself: false,
  collects: false,
  read: null,
  strip: false,
  region: { x: 0.375, y: 0.375, w: 0.25, h: 0.25 },
  stripFrames: 4,
  stripScale: 0,
});
export let data = null;
export let s = start();

export function startOver() {
  // with what Gradio gives now
  data = props.value && { ...props.value.stage, ...props.value };
  s = start();
}

export const pixelRatio = () => window.devicePixelRatio || 1;
export const press = (name, on) => $(`[data-do=${name}]`).setAttribute('aria-pressed', on);
