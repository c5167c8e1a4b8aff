"""The list of files to take home: small pictures, names, sizes, and all of it as one zip."""

from __future__ import annotations

import base64
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData, GradioModel

from mgld.comparison.takeaway import Takeaway, Taken
from mgld.settings import TAKEN_BYTES
from mgld.ui import words
from mgld.ui.element import PAGE, Unstubbed, joined


class TakenFile(GradioModel):
    """One file, its name for a person, its kind and size in words, and a small picture as a data address, or none."""

    file: FileData
    name: str
    told: str
    picture: str


class TakenFiles(GradioModel):
    """The files of a comparison; everything is their zip, where there is one, and told says what all of it comes to."""

    files: list[TakenFile]
    everything: FileData | None
    told: str


class FileList(gr.HTML, metaclass=Unstubbed):
    """Links to files that Gradio serves; the value is a TakenFiles."""

    data_model = TakenFiles

    def __init__(self, value: TakenFiles | None = None, elem_id: str | None = None, render: bool = True) -> None:
        super().__init__(
            value,
            html_template=words.placed((PAGE / "files.html").read_text(encoding="utf-8"), {"none": words.FILES_NONE}),
            css_template=(PAGE / "files.css").read_text(encoding="utf-8"),
            js_on_load=joined(PAGE / "files.js"),
            apply_default_css=False,
            elem_id=elem_id,
            render=render,
        )

    def postprocess(self, value: TakenFiles | None) -> TakenFiles | None:
        return value

    def preprocess(self, payload: object) -> None:
        return None  # output only: what a browser sends back is never trusted

    def api_info(self) -> dict:
        return TakenFiles.model_json_schema()


def listed(taken: Takeaway) -> TakenFiles:
    """Return the files of a comparison as the browser gets them."""
    sizes = [file.path.stat().st_size for file in taken.files]
    count = words.counted(words.FILES_COUNTED, len(sizes))
    if taken.archive is None:
        told = words.FILES_TOO_LARGE.format(count=count, most=words.size(TAKEN_BYTES))
        return TakenFiles(files=_each(taken.files), everything=None, told=told)
    told = words.FILES_ALL.format(count=count, size=words.size(taken.archive.stat().st_size))
    return TakenFiles(files=_each(taken.files), everything=_served(taken.archive), told=told)


def _each(files: list[Taken]) -> list[TakenFile]:
    return [
        TakenFile(
            file=_served(file.path),
            name=file.name,
            told=words.FILE_TOLD.format(kind=file.path.suffix[1:].upper(), size=words.size(file.path.stat().st_size)),
            picture=f"data:image/webp;base64,{base64.b64encode(file.thumbnail).decode()}" if file.thumbnail else "",
        )
        for file in files
    ]


def _served(path: Path) -> FileData:
    """Return a file as Gradio serves it: copied into its cache, under an address that cannot be guessed."""
    return FileData(path=str(path), orig_name=path.name, size=path.stat().st_size)
