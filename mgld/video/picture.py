"""One decoded picture → upright RGB bytes with square pixels."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.sidedata.sidedata import Type
from PIL import Image

from mgld.video import gamut

# What Pillow raises on damaged pictures.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, TypeError, IndexError, Image.DecompressionBombError)
WITH_ALPHA = ("rgba", "argb", "bgra", "abgr", "yuva", "gbrap", "ya", "pal8")
UNSPECIFIED = (0, 2, 3)  # AVColorSpace values that name no YUV matrix
LIMITED_RANGE, FULL_RANGE = 1, 2  # AVColorRange
LIMITED_GREY = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
BY_STANDARD_LIMITED = {"h264", "hevc", "av1", "vp9", "mpeg2video", "mpeg4", "vvc"}  # where the range is not stated
BEST = 0x4 | 0x2000 | 0x40000  # swscale: bicubic, full chroma, exact rounding; without it flat colours are 3/255 off


def to_rgb(frame: av.VideoFrame, stream: av.video.stream.VideoStream, matrix: np.ndarray) -> np.ndarray:
    """Return u8 [H,W,3]: right colours, black behind transparency, square pixels, upright by the display matrix."""
    width = square_width(frame, stream)
    rgb = _converted(frame, "rgba" if has_alpha(frame) else "rgb24")
    if has_alpha(frame):
        rgb = on_black(rgb[..., :3], rgb[..., 3:])
    if is_limited_grey(frame, stream):
        rgb = LIMITED_GREY[rgb]
    rgb = gamut.to_bt709(rgb, int(frame.color_primaries))
    if width != frame.width:
        import cv2  # seldom needed, and a fifth of what it takes to start a decoder

        rgb = cv2.resize(rgb, (width, frame.height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(_upright(rgb, matrix))


def display_matrix(frame: av.VideoFrame) -> np.ndarray:
    """Return the signs of [[dx'/dx, dy'/dx], [dx'/dy, dy'/dy]]: how the file asks to be turned or mirrored.

    Ask once per clip: to look at a frame's side data ties the frame into a reference cycle, which keeps its memory.
    """
    stated = frame.side_data.get(Type.DISPLAYMATRIX)
    if stated is None:
        return np.eye(2)
    matrix = np.frombuffer(stated, np.int32).reshape(3, 3)[:2, :2].astype(float)
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    return np.sign(matrix) * (np.abs(matrix) == largest) if largest.all() else np.eye(2)


def _upright(rgb: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Move each pixel [H,W,3] to where the display matrix puts it, in quarter turns and mirrorings."""
    if matrix[0, 0] == 0:
        rgb, matrix = rgb.transpose(1, 0, 2), matrix[::-1]
    return rgb[:: int(matrix[1, 1]) or 1, :: int(matrix[0, 0]) or 1]


def square_width(frame: av.VideoFrame, stream: av.video.stream.VideoStream) -> int:
    """Return the width in square pixels, which may be any: a file may claim any aspect."""
    return round(frame.width * pixel_aspect(stream))


def pixel_aspect(stream: av.video.stream.VideoStream) -> Fraction:
    """Return width / height of one stored pixel; files that do not say (0 or none) have square ones."""
    return Fraction(stream.sample_aspect_ratio or 1)


def is_limited_grey(frame: av.VideoFrame, stream: av.video.stream.VideoStream) -> bool:
    """Say whether a one-plane picture has black at 16 and white at 235, which libav does not expand."""
    stated = int(frame.color_range)
    limited = stated == LIMITED_RANGE or (stated == 0 and stream.codec_context.name in BY_STANDARD_LIMITED)
    return frame.format.name.startswith("gray") and limited


def bits_per_colour(frame: av.VideoFrame) -> int:
    """Return the depth of the deepest component."""
    return max((component.bits for component in frame.format.components), default=8)


def has_alpha(frame: av.VideoFrame) -> bool:
    """Say whether the pixel format can hold transparency."""
    return frame.format.name.startswith(WITH_ALPHA)


def is_transparent(frame: av.VideoFrame) -> bool:
    """Say whether any pixel lets something shine through."""
    return has_alpha(frame) and bool(_converted(frame, "rgba")[..., 3].min() < 255)


def on_black(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return u8 [H,W,C] = colour · alpha, rounded; colour u8 [H,W,C], alpha u8 [H,W,1]."""
    return ((colour.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)


def _converted(frame: av.VideoFrame, to: str) -> np.ndarray:
    """Convert with the stated matrix and range; unstated is 709 for HD and 601 for SD, by the rule of players."""
    if frame.format.is_rgb or frame.format.name.startswith(("gray", "ya", "pal8", "mono")):
        return frame.to_ndarray(format=to)
    is_hd = frame.width >= 1280 or frame.height > 576
    matrix = ("ITU709" if is_hd else "ITU601") if int(frame.colorspace) in UNSPECIFIED else None
    full = int(frame.color_range) == FULL_RANGE or frame.format.name.startswith("yuvj")
    ranges = {"src_color_range": "JPEG" if full else "MPEG", "dst_color_range": "JPEG"}
    return frame.reformat(format=to, src_colorspace=matrix, interpolation=BEST, **ranges).to_ndarray()
