"""The clip that a visitor brings: one place for files of every kind, for pictures, and what was understood of them."""

from __future__ import annotations

import base64
import html
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import gradio as gr
import numpy as np

from mgld.comparison.asked import EXAMPLES
from mgld.constants import PICTURE_SUFFIXES
from mgld.host import UPLOAD_BYTES
from mgld.ui import refusals, words
from mgld.ui.running import in_gradios_words, job_folder

POSTER_PX = 96  # the longer side
NAME_LENGTH = 40  # of a clip made of pictures; the longest that an upload may have would leave no room for the rest


def beside(clip: gr.File, private: dict) -> gr.HTML:
    """Make the other ways to a clip, wired to it; return the place of its poster."""
    poster = gr.HTML(no_poster(), elem_id="poster")
    with gr.Row(elem_id="ways"):
        shown = gr.Dataset(
            components=[gr.Video(render=False)],
            samples=[[str(p)] for p in EXAMPLES.values()],
            type="index",
            label=words.EXAMPLES,
            elem_id="examples",
        )
        pictures = gr.UploadButton(
            words.PICTURES, file_count="multiple", file_types=["image"], size="sm", elem_id="pictures"
        )
    shown.click(example, shown, clip, **private)
    pictures.upload(gathered, pictures, clip, **private)
    return poster


def example(index: object) -> object:
    """Return the example clip of a place in the list; a client may send anything in its stead."""
    clips = list(EXAMPLES.values())
    return str(clips[index]) if type(index) is int and 0 <= index < len(clips) else gr.skip()


def gathered(files: list[str] | None) -> Iterator[str]:
    """Yield a zip of uploaded pictures, which is a clip; what is no picture is left out."""
    pictures = [Path(file) for file in files or () if Path(file).suffix.lower() in PICTURE_SUFFIXES]
    with in_gradios_words(), job_folder() as folder:
        if not pictures:
            raise refusals.pictures_missing()
        if sum(file.stat().st_size for file in pictures) > UPLOAD_BYTES:
            raise refusals.pictures_too_large(UPLOAD_BYTES)
        path = folder / f"{pictures[0].stem[:NAME_LENGTH]} and {len(pictures) - 1} more.zip"
        with zipfile.ZipFile(path, "w") as archive:  # stored: pictures are compressed already
            for file in pictures:
                archive.write(file, file.name)
        yield str(path)


def poster_of(rgb_u8: np.ndarray, told: str) -> str:
    """Return a small picture u8 [h,w,3] of a clip beside what is told of it, as HTML."""
    scale = POSTER_PX / max(rgb_u8.shape[:2])
    small = cv2.resize(rgb_u8, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    webp = cv2.imencode(".webp", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes()
    picture = f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
    return f'<div class="poster"><img src="{picture}" alt="{words.POSTER}"><p>{html.escape(told)}</p></div>'


def no_poster() -> str:
    """Return what stands there before a clip is chosen."""
    return f'<div class="poster"><p>{html.escape(words.CLIP_KINDS)}</p></div>'
