"""What a file is that is no clip, in plain words, by its first bytes: names of files say anything."""

from __future__ import annotations

from pathlib import Path

HEAD = 4096  # bytes that are looked at: pages and drawings may begin with remarks
BRANDS = {  # of still pictures in the container that MP4 uses too
    b"heic": "a HEIC still picture", b"heix": "a HEIC still picture", b"heim": "a HEIC still picture",
    b"mif1": "a HEIC still picture", b"crx ": "a raw photograph",
}  # fmt: skip
BEGINNINGS = {
    b"%PDF": "a PDF document", b"%!PS": "a PostScript document", b"8BPS": "a Photoshop picture", b"gimp xcf": "a GIMP picture",
    b"Rar!": "a RAR archive", b"7z\xbc\xaf'\x1c": "a 7-Zip archive", b"\x1f\x8b": "a gzip archive", b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an XZ archive", b"ID3": "a sound file (MP3)", b"\xff\xfb": "a sound file (MP3)", b"fLaC": "a sound file (FLAC)",
    b"\x7fELF": "a program", b"MZ": "a program", b"\xff\x0a": "a JPEG XL still picture", b"\0\0\1\0": "an icon",
    b"\0\0\0\x0cJXL ": "a JPEG XL still picture", b"\0\0\0\x0cjP  ": "a JPEG 2000 still picture",
    b"v/1\1": "an OpenEXR still picture",
    b"{\\rtf": "a text document", b"\xd0\xcf\x11\xe0": "an Office document", b"SQLite format 3": "a database",
}  # fmt: skip
MARKUP = {"<svg": "an SVG drawing", "<html": "a web page", "<!doctype html": "a web page"}


def still(path: Path) -> str | None:
    """Return what kind of still picture a file is that has the container of MP4; None for others."""
    head = _head(path)
    return BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None


def told(path: Path) -> str | None:
    """Return what a file seems to be, such as "a PDF document"; None where its first bytes do not say."""
    head = _head(path)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "a sound file (WAV)"
    if head[257:262] == b"ustar":
        return "a tar archive"
    for beginning, name in BEGINNINGS.items():
        if head.startswith(beginning):
            return name
    return _text(head)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _text(head: bytes) -> str | None:
    """Say what kind of text it is; None for what is none."""
    try:
        text = head.decode("utf-8", "strict" if len(head) < HEAD else "ignore").lower()
    except UnicodeDecodeError:
        return None
    if not text.strip() or any(ord(c) < 32 and c not in "\t\r\n\f" for c in text):
        return None
    return next((name for mark, name in MARKUP.items() if mark in text), "a text file")
