"""A zip of frames, read where it lies as if it were a folder: nothing of it is unpacked, and no name in it becomes a path."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from mgld.constants import LIMITS, PICTURE_SUFFIXES
from mgld.video import refusals

BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")  # of an archive, and of an empty one
ENCRYPTED = 1  # bit of an entry's flags
UNREADABLE = (BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error)


@dataclass(frozen=True)
class Packed:
    """A file in an archive, as much of a path as reading a picture needs; name is the last part of its own name alone."""

    archive: ZipFile
    entry: ZipInfo

    @property
    def name(self) -> str:
        return PurePosixPath(self.entry.filename.replace("\\", "/")).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    def __str__(self) -> str:
        return f"{refusals.plain(self.name)} in {self.archive.filename}"

    def open(self) -> IO[bytes]:
        """Open it for reading; raise OSError if it is damaged."""
        try:
            return self.archive.open(self.entry)
        except UNREADABLE as error:
            raise OSError(str(error)) from error

    def read_bytes(self) -> bytes:
        """Return what it holds, which check_entries has bounded; raise OSError if it is damaged."""
        try:
            with self.open() as file:
                return file.read()
        except UNREADABLE as error:
            raise OSError(str(error)) from error


@dataclass(frozen=True)
class Archive:
    """The one folder of pictures in a zip file, as much of a path as reading a folder needs."""

    path: Path
    files: dict[str, Packed]

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return True

    def is_dir(self) -> bool:
        return True

    def is_file(self) -> bool:
        return False

    def iterdir(self) -> Iterator[Packed]:
        return iter(self.files.values())

    def __truediv__(self, name: str) -> Packed:
        """Return the file of that name; raise FileNotFoundError without one."""
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]


def is_archive(path: Path) -> bool:
    """Say by its first bytes whether a file is a zip."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in BEGINNINGS


def opened(path: Path) -> Archive:
    """Open a zip of frames; raise UserError if it is damaged, encrypted, beyond the limits, or holds no one folder of pictures."""
    try:
        archive = ZipFile(path)
    except (OSError, *UNREADABLE) as error:
        raise refusals.archive_unreadable(path) from error
    packed = [Packed(archive, entry) for entry in archive.infolist() if _is_seen(entry)]
    pictures = [file for file in packed if file.suffix.lower() in PICTURE_SUFFIXES]
    _check(path, pictures)
    folder = _folder(pictures[0].entry)
    return Archive(path, {file.name: file for file in packed if _folder(file.entry) == folder})


def _is_seen(entry: ZipInfo) -> bool:
    """Leave out folders, links, and what systems put beside a person's files."""
    parts = PurePosixPath(entry.filename).parts
    link = stat.S_ISLNK(entry.external_attr >> 16)
    named = bool(entry.filename) and not entry.is_dir()  # a name that begins with a zero byte is empty
    return named and not link and not any(part.startswith((".", "__MACOSX")) for part in parts)


def _folder(entry: ZipInfo) -> PurePosixPath:
    return PurePosixPath(entry.filename.replace("\\", "/")).parent


def _check(path: Path, pictures: list[Packed]) -> None:
    """Refuse what cannot be one clip, or would take more memory than a picture may, before anything is decompressed."""
    if not pictures:
        raise refusals.archive_without_pictures(path)
    if len(pictures) > LIMITS.archive_pictures:
        raise refusals.archive_too_large(path, f"{LIMITS.archive_pictures} pictures")
    if max(file.entry.file_size for file in pictures) > LIMITS.picture_bytes:
        raise refusals.archive_too_large(path, f"{LIMITS.picture_bytes // 2**20} MB a picture")
    if any(file.entry.flag_bits & ENCRYPTED for file in pictures):
        raise refusals.archive_encrypted(path)
    if len({_folder(file.entry) for file in pictures}) > 1:
        raise refusals.archive_of_several(path)
