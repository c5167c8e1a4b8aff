"""A frame of the clip on which a visitor draws the part to work on."""

from __future__ import annotations

import cv2
import gradio as gr
import numpy as np
from gradio.data_classes import FileData, GradioModel
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from mgld.ui import words
from mgld.ui.element import PAGE, PageElement, joined

LONGEST_PX = 640  # of the picture that is drawn on


class CropPicture(GradioModel):
    """A picture, the rectangle on it (left, top, right, bottom in per cent), and a line about it."""

    image: FileData
    box: list[float]
    caption: str


class CropBox(PageElement):
    """Draw a rectangle by pointer or keys; the event 'drawn' carries it, as text that is checked. The value is a CropPicture."""

    data_model = CropPicture
    own_html = words.placed((PAGE / "crop.html").read_text(encoding="utf-8"), {"box": words.CROP_BOX})
    own_css = (PAGE / "crop.css").read_text(encoding="utf-8")
    own_script = joined(PAGE / "crop.js")


def frame_of(rgb_u8: np.ndarray, box: tuple[float, ...] | None, caption: str) -> CropPicture:
    """Return a picture u8 [h,w,3] with its rectangle (shares of the frame) for the page."""
    scale = min(1.0, LONGEST_PX / max(rgb_u8.shape[:2]))
    small = cv2.resize(rgb_u8, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb_u8
    jpeg = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    path = save_bytes_to_cache(jpeg, "frame.jpg", get_upload_folder())  # where it is swept when it is old
    picture = FileData(path=path, orig_name="frame.jpg", mime_type="image/jpeg")
    return CropPicture(image=picture, box=[100 * v for v in box or (0, 0, 1, 1)], caption=caption)


def drawn_text(event: gr.EventData) -> str:
    """Return a drawn rectangle as the text that the form holds; the whole frame is no text."""
    box = event._data.get("box") if isinstance(event._data, dict) else None  # a client may send an event without any
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(v, (int, float)) for v in box):
        return ""
    return "" if box == [0, 0, 100, 100] else ", ".join(f"{v:g}" for v in box)
