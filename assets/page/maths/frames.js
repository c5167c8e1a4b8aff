// Frame numbers and times of a clip {fps, frames}; times in seconds, frames from 0.
import { clamp } from './geometry.js';

export const middleOf = (frame, { fps }) => (frame + 0.5) / fps; // the middle of a frame never rounds into its neighbour

export const frameAt = (time, { fps, frames }) => clamp(Math.floor(time * fps + 1e-3), 0, frames - 1);

// What a picture says about its own time is the start of its frame, give or take a rounding.
export const frameStamped = (time, clip) => frameAt(time + 0.25 / clip.fps, clip);
