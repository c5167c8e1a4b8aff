// ---------------------------------------------------------------- frames

// When a frame arrives, the whole grid is copied once, with its number. Everything is drawn from that copy: two reads of a
// playing video may see two frames, and its clock runs ahead of the picture.

const frameAt = (time) => clamp(Math.floor(time * data.fps + 1e-3), 0, data.frames - 1);
const middle = (n) => (n + 0.5) / data.fps;  // the middle of a frame never rounds into its neighbour
const step = (by) => seek((s.target ?? s.frame) + by);  // quick steps add up, though the pictures come later

// A browser may hand out a newer picture than the one it announced. Where it can, the picture itself says when it is due.
function capture(announced) {
  if (!data || video.readyState < 2 || !video.videoWidth) return;
  const picture = taken(video);
  if (picture === undefined) return;
  const n = picture ? numberOf(picture) : announced;
  const behind = !video.paused && s.loop && n > s.to;  // what lies behind the loop is not shown
  if (!behind) copy(picture || video, n);
  if (picture) picture.close();
  if (behind) again();
}

const numberOf = (picture) => frameAt(picture.timestamp / 1e6 + 0.25 / data.fps);

function taken(player) {  // the picture with its time; null where browsers know none; undefined while there is no picture
  if (!window.VideoFrame) return null;
  try { return new VideoFrame(player); } catch { return undefined; }  // a clip is being replaced: its own events will ask again
}

function copy(picture, n) {
  if (sheet.width !== video.videoWidth || sheet.height !== video.videoHeight) {
    sheet.width = video.videoWidth; sheet.height = video.videoHeight;
  }
  sheetContext.drawImage(picture, 0, 0);
  const isFirst = !s.painted;
  s.frame = n; s.painted = true;
  draw();
  if (!isFirst) return;
  if (s.resume) seek(s.resume);
  collect();
}

function seek(n) {
  if (!data) return;
  s.target = clamp(n, 0, data.frames - 1);
  video.pause();
  if (!video.seeking) video.currentTime = middle(s.target);
}

function toggle() {
  if (!data) return;
  if (!video.paused) return video.pause();
  s.target = null;
  if (video.ended || s.frame >= (s.loop ? s.to : data.frames - 1)) video.currentTime = middle(s.loop ? s.from : 0);
  video.play();
}

function again() {  // from the start of the loop
  s.target = null;
  video.currentTime = middle(s.from);
  if (video.paused) video.play();
}

function onFrame(now, picture) {
  video.requestVideoFrameCallback(onFrame);
  if (data) capture(frameAt(picture.mediaTime + 0.25 / data.fps));
}

function onSeeked() {
  if (!data) return;
  const arrived = frameAt(video.currentTime);
  if (s.target !== null && arrived !== s.target) { video.currentTime = middle(s.target); return; }  // newer wish while seeking
  capture(arrived);
}

function onEnded() {
  capture(data.frames - 1);
  if (s.loop) again();
}

function setSpeed(by) {
  const select = $('.speed'), i = SPEEDS.indexOf(Number(select.value));
  select.value = SPEEDS[clamp(i + by, 0, SPEEDS.length - 1)];
  video.playbackRate = Number(select.value);
}

// A second player reads frames out of order for the profile and the strips, one after another.
function openReader(url) {
  const player = document.createElement('video');
  player.muted = player.playsInline = true; player.preload = 'auto'; player.src = url; player.load();
  let last = new Promise((done) => { player.addEventListener('loadeddata', done, { once: true }); });
  return (n, use) => {
    last = last.then(() => new Promise((done) => { player.onseeked = done; player.currentTime = middle(n); }))
      .then(() => settled(player, n)).then(() => use(player));
    return last;
  };
}

async function settled(player, n) {  // a busy browser says that it has sought while it still holds the picture before
  for (let tries = 0; tries < LATE_TRIES; tries++) {
    const picture = taken(player), there = picture ? numberOf(picture) === n : picture === null;
    if (picture) picture.close();
    if (there) return;
    await new Promise((done) => setTimeout(done, LATE_MS));
  }
}

// ---------------------------------------------------------------- loop

function setLoop(from, to) {
  s.from = clamp(Math.min(from, to), 0, data.frames - 1); s.to = clamp(Math.max(from, to), 0, data.frames - 1);
  s.loop = true;
  press('loop', true);
  showLoop();
}

function showLoop() {
  const last = Math.max(data.frames - 1, 1), left = 100 * s.from / last, right = 100 * s.to / last;
  const region = $('.region');
  region.style.left = `${left}%`; region.style.width = `${right - left}%`;
  region.classList.toggle('off', !s.loop);
  for (const [edge, n] of [['from', s.from], ['to', s.to]]) {
    const handle = $(`.edge.${edge}`);
    handle.style.left = `${100 * n / last}%`;
    handle.setAttribute('aria-valuemin', 1); handle.setAttribute('aria-valuemax', data.frames); handle.setAttribute('aria-valuenow', n + 1);
    handle.setAttribute('aria-valuetext', fill(WORDS.frame, { frame: n + 1, frames: data.frames }));
  }
}

function showBorders() {
  const ticks = data.borders.map((border) => {
    const tick = document.createElement('i');
    tick.style.left = `${100 * border / Math.max(data.frames - 1, 1)}%`;
    return tick;
  });
  $('.ticks').replaceChildren(...ticks);
}

for (const edge of ['from', 'to']) {
  const handle = $(`.edge.${edge}`);
  const put = (n) => setLoop(edge === 'from' ? Math.min(n, s.to) : s.from, edge === 'to' ? Math.max(n, s.from) : s.to);
  handle.addEventListener('pointerdown', (e) => { if (data) { handle.setPointerCapture(e.pointerId); e.preventDefault(); handle.focus(); } });
  handle.addEventListener('pointermove', (e) => {
    if (!data || !handle.hasPointerCapture(e.pointerId)) return;
    const track = $('.track').getBoundingClientRect();
    put(Math.round((e.clientX - track.left) / track.width * (data.frames - 1)));
    seek(s[edge]);
  });
  handle.addEventListener('keydown', (e) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 }[e.key];
    const to = { Home: 0, End: data ? data.frames - 1 : 0 }[e.key];
    if (!data || (by === undefined && to === undefined)) return;
    put(clamp(to === undefined ? s[edge] + by : to, edge === 'from' ? 0 : s.from, edge === 'to' ? data.frames - 1 : s.to));
    e.preventDefault(); e.stopPropagation();
  });
}
