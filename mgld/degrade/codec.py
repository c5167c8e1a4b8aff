"""Encode and decode a clip in memory, for the compression that real footage has been through."""

from __future__ import annotations

import io

import av
import numpy as np

from mgld.video.picture import BEST  # else each codec darkens by a level or two, which networks learn to undo

# x264's macroblock tree, in its AVX-512 form, reads memory that nobody wrote where a side is no multiple of 16: the same seed would
# give another clip in the next process.
THREADS = 1  # a clip takes a millisecond, and beside it fifteen other processes work: left alone, FFmpeg begins one thread per core
X264 = {"preset": "veryfast", "mbtree": "0"}


def round_trip(frames: list[np.ndarray], codec: str, bitrate: int) -> list[np.ndarray]:
    """Return the clip after `codec` at `bitrate` bits per second and one frame per second; u8 RGB lists.

    All frames take the first one's size, which is made even. h264 and libx264 are the same encoder.
    """
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264" if codec == "h264" else codec, rate=1)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", bitrate
        stream.codec_context.thread_count = THREADS
        if codec != "mpeg4":
            stream.options = X264
        for rgb in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            container.mux(stream.encode(frame.reformat(width, height, "yuv420p", interpolation=BEST, threads=THREADS)))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        container.streams.video[0].thread_count = THREADS
        decoded = [
            frame.reformat(format="rgb24", interpolation=BEST, threads=THREADS).to_ndarray()
            for frame in container.decode(video=0)
        ]
    # An encoder may drop frames when starved of bits; hold the last one, as a player would.
    return (decoded + decoded[-1:] * len(frames))[: len(frames)]
