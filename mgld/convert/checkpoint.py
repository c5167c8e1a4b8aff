"""Open a PyTorch checkpoint as it lies on disk: its tensors are mapped, everything else is stepped over, nothing in it is run."""

from __future__ import annotations

import re
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from mgld import errors

WRAPPERS = ("state_dict", "params")  # under which Lightning and BasicSR keep the tensors
# What training frameworks leave beside the weights: classes and plain data. Anything else is taken for code.
LEFTOVER = re.compile(
    r"(pytorch_lightning|lightning\w*|omegaconf|ldm|basicsr|torchmetrics|main|__main__)\.([\w.]+\.)?_?[A-Z]\w*"
    r"|builtins\.(dict|list|set|frozenset|tuple|int|float|complex|bool|str|bytes|bytearray|object|slice|range)"
    r"|collections\.(deque|defaultdict|Counter|OrderedDict)|typing\.Any|argparse\.Namespace"
    r"|pathlib\.(Pure)?(Posix|Windows)?Path|datetime\.(datetime|timedelta)|copy_?reg\._reconstructor"
    r"|numpy\.(_?core\.)?(multiarray\.)?(scalar|dtype|ndarray|_reconstruct)|numpy\.dtypes\.\w+"
)


class Inert:
    """Stands where a checkpoint asks for a class of its training program: takes whatever it is given, does nothing."""

    def __new__(cls, *_: object) -> Inert:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


class InertDict:
    """The same for classes that are filled like dictionaries: what is made is a plain one."""

    def __new__(cls, *_: object) -> OrderedDict:
        return OrderedDict()


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors under their own names, what its state holds that is no tensor, and what lies beside the state."""

    path: Path
    tensors: dict[str, Tensor]
    others: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def open_checkpoint(path: Path) -> Checkpoint:
    """Map a checkpoint's tensors into memory without reading them; raise UserError if it is none, or holds code.

    Files older than PyTorch 1.6 cannot be mapped and are read whole.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.file_missing(path)
    stored = _load(path)
    if isinstance(stored, Tensor):
        stored = {"tensor": stored}
    if not isinstance(stored, dict):
        raise errors.weights_broken(path, "it is not a checkpoint of tensors only")
    beside: list[str] = []
    for wrapper in WRAPPERS:
        if isinstance(stored.get(wrapper), dict):
            beside += [str(name) for name in stored if name != wrapper]
            stored = stored[wrapper]
    tensors = {str(name): value for name, value in stored.items() if isinstance(value, Tensor)}
    others = tuple(str(name) for name, value in stored.items() if not isinstance(value, Tensor))
    return Checkpoint(path, tensors, others, tuple(beside))


def _load(path: Path) -> object:
    try:
        mapped = zipfile.is_zipfile(path)
        with safe_globals(_stand_ins(path) if mapped else []):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except errors.UserError:
        raise
    except Exception as error:  # damage surfaces in readers as any of a dozen errors, KeyError to UnicodeDecodeError
        raise errors.weights_broken(path, _reason(path, error)) from error


def _stand_ins(path: Path) -> list[tuple[type, str]]:
    """Return an inert class for each class that the file asks for; raise UserError at the first name that could be code."""
    names = sorted(get_unsafe_globals_in_checkpoint(path))
    for name in names:
        if not LEFTOVER.fullmatch(name):
            raise errors.weights_broken(path, f"it asks for {name}, which could run code; nothing in it has been run")
    return [(type("StandIn", (InertDict if name.endswith("Dict") else Inert,), {}), name) for name in names]


def _reason(path: Path, error: Exception) -> str:
    """Say why a file could not be opened, from how it begins and what torch refused."""
    with path.open("rb") as file:
        head = file.read(64).lstrip()
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file itself"
    if head.startswith(b"<"):
        return "it is a web page, not a checkpoint"
    if isinstance(error, UnpicklingError) and (refused := re.search(r"(GLOBAL|function|opcode) (\S+)", str(error))):
        return f"it is not a checkpoint of tensors only; it asks for {refused[2]}, and nothing in it has been run"
    return "it is not a PyTorch checkpoint, or it is damaged" if head else "it is empty"
