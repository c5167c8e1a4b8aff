// Frames of the video: when one arrives, the whole grid is copied once, with its number. Everything is drawn from that copy:
// two reads of a playing video may see two frames, and its clock runs ahead of the picture.
import { frameAt, frameStamped, middleOf } from '../maths/frames.js';
import { clamp } from '../maths/geometry.js';
import { draw } from './drawing.js';
import { collect } from './profile.js';
import { $, LATE_MS, LATE_TRIES, SPEEDS, data, s, sheet, sheetContext, video } from './state.js';

export const step = (by) => seek((s.target ?? s.frame) + by); // quick steps add up, though the pictures come later

// A browser may hand out a newer picture than the one it announced. Where it can, the picture itself says when it is due.
export function capture(announced) {
  if (!data || video.readyState < 2 || !video.videoWidth) return;
  const picture = taken(video);
  if (picture === undefined) return;
  const n = picture ? numberOf(picture) : announced;
  const behind = s.loop && n > s.to && n !== s.target; // what lies behind the loop is not shown unless it is wished for
  if (!behind) copy(picture || video, n);
  if (picture) picture.close();
  if (behind) leadBack();
}

function leadBack() {
  // pictures are told of late: until then the video plays on behind the loop, is paused there or ends
  if (video.ended || video.seeking || s.target !== null) return; // on its way already
  if (video.paused) video.currentTime = middleOf(s.to, data);
  else again();
}

const numberOf = (picture) => frameStamped(picture.timestamp / 1e6, data);

function taken(player) {
  // the picture with its time; null where browsers know none; undefined while there is no picture
  if (!window.VideoFrame) return null;
  try {
    return new VideoFrame(player);
  } catch {
    return undefined;
  } // a clip is being replaced: its own events will ask again
}

export function copy(picture, n) {
  if (sheet.width !== video.videoWidth || sheet.height !== video.videoHeight) {
    sheet.width = video.videoWidth;
    sheet.height = video.videoHeight;
  }
  sheetContext.drawImage(picture, 0, 0);
  const isFirst = !s.painted;
  s.frame = n;
  s.painted = true;
  draw();
  if (!isFirst) return;
  if (s.playsItself) return again();
  if (s.resume) seek(s.resume);
  collect();
}

export function seek(n) {
  if (!data) return;
  s.playsItself = false;
  s.target = clamp(n, 0, data.frames - 1);
  video.pause();
  if (!video.seeking) video.currentTime = middleOf(s.target, data);
}

export function toggle() {
  if (!data) return;
  s.playsItself = false;
  if (!video.paused) return video.pause();
  s.target = null;
  if (video.ended || s.frame >= (s.loop ? s.to : data.frames - 1))
    video.currentTime = middleOf(s.loop ? s.from : 0, data);
  video.play().catch(() => {}); // a newer wish came first
}

export function again() {
  // from the start of the loop
  s.target = null;
  video.currentTime = middleOf(s.from, data);
  if (video.paused) video.play().catch(() => {}); // a newer wish came first
}

export function onFrame(now, picture) {
  video.requestVideoFrameCallback(onFrame);
  if (data) capture(frameStamped(picture.mediaTime, data));
}

export function onSeeked() {
  if (!data) return;
  const arrived = frameAt(video.currentTime, data);
  if (s.target !== null && arrived !== s.target) {
    video.currentTime = middleOf(s.target, data);
    return;
  } // newer wish while seeking
  capture(arrived);
}

export function onEnded() {
  capture(data.frames - 1);
  if (s.loop && s.target === null) again(); // who went to the last frame by hand stays there
}

export function setSpeed(by) {
  const select = $('.speed');
  const i = SPEEDS.indexOf(Number(select.value));
  select.value = SPEEDS[clamp(i + by, 0, SPEEDS.length - 1)];
  video.playbackRate = Number(select.value);
}

// A second player reads frames out of order for the profile and the strips, one after another. What is returned says whether a
// frame was there to be used: where a connection broke, the next one opens the player anew.
export function openReader(url) {
  const player = document.createElement('video');
  player.muted = player.playsInline = true;
  player.preload = 'auto';
  let last = Promise.resolve(false);
  const once = (name, begin) =>
    new Promise((done, failed) => {
      player[`on${name}`] = done;
      player.onerror = failed;
      begin();
    });
  const opened = () =>
    once('loadeddata', () => {
      player.src = url;
      player.load();
    });
  const sought = (n) =>
    once('seeked', () => {
      player.currentTime = middleOf(n, data);
    });
  return (n, use) => {
    last = last
      .then((isOpen) => isOpen || opened())
      .then(() => sought(n))
      .then(() => settled(player, n))
      .then(() => use(player))
      .then(
        () => true,
        () => false,
      );
    return last;
  };
}

async function settled(player, n) {
  // a busy browser says that it has sought while it still holds the picture before
  for (let tries = 0; tries < LATE_TRIES; tries++) {
    const picture = taken(player);
    const there = picture ? numberOf(picture) === n : picture === null;
    if (picture) picture.close();
    if (there) return;
    await new Promise((done) => setTimeout(done, LATE_MS));
  }
}
