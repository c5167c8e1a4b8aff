"""The list of files to take home: small pictures, names, sizes, and all of it as one zip."""

from __future__ import annotations

import base64
from pathlib import Path

from gradio.data_classes import FileData, GradioModel

from mgld.comparison.takeaway import Takeaway, Taken
from mgld.constants import TAKEN_BYTES
from mgld.ui import words
from mgld.ui.element import PAGE, PageElement, joined


class TakenFile(GradioModel):
    """One file, its name for a person, in words its kind, size and notes, and a small picture as a data address, or none."""

    file: FileData
    name: str
    told: str
    picture: str


class TakenFiles(GradioModel):
    """The files of a comparison; everything is their zip, where there is one, and told says what all of it comes to."""

    files: list[TakenFile]
    everything: FileData | None
    told: str


class FileList(PageElement):
    """Links to files that Gradio serves; the value is a TakenFiles."""

    data_model = TakenFiles
    own_html = words.placed((PAGE / "files.html").read_text(encoding="utf-8"), {"none": words.FILES_NONE})
    own_css = (PAGE / "files.css").read_text(encoding="utf-8")
    own_script = joined(PAGE / "files.js")


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
            told=_told(file),
            picture=f"data:image/webp;base64,{base64.b64encode(file.thumbnail).decode()}" if file.thumbnail else "",
        )
        for file in files
    ]


def _told(file: Taken) -> str:
    """Say of which kind and how large a file is, and what of the source it could not keep."""
    size = words.size(file.path.stat().st_size)
    return " · ".join([words.FILE_TOLD.format(kind=file.path.suffix[1:].upper(), size=size), *file.notes])


def _served(path: Path) -> FileData:
    """Return a file as Gradio serves it: copied into its cache, under an address that cannot be guessed."""
    return FileData(path=str(path), orig_name=path.name, size=path.stat().st_size)
