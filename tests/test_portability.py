"""What would only work on Linux, found by reading: these tests cannot run on Windows or macOS, but can hold the code to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "app.py", *sorted((ROOT / "mgld").rglob("*.py"))]

POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {  # attributes of os and signal, and arguments of subprocess, that Windows lacks
    "fork", "forkpty", "getpgid", "getuid", "geteuid", "getloadavg", "killpg", "mkfifo", "nice", "sched_getaffinity", "setsid",
    "statvfs", "sysconf", "uname", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "preexec_fn",
    "start_new_session",
}  # fmt: skip


GUARDED = {"mgld/training/data.py": {"nice"}}  # used only where they are, as the line around them says


def posix_only(source: str) -> set[str]:
    """Return the modules that a source needs of a POSIX system to be imported, and the names that only such systems have.

    What stands in a function is not needed to import it; what is asked for under a condition on the system is guarded.
    """
    return set(_posix_names(ast.parse(source)))


def _posix_names(node: ast.AST, imports: bool = True) -> Iterator[str]:
    if _expects_no_module(node) or _asks_for_the_system(node):
        return
    match node:
        case ast.Import() if imports:
            yield from {alias.name for alias in node.names} & POSIX_MODULES
        case ast.ImportFrom() if imports:
            yield from {node.module} & POSIX_MODULES
        case ast.Attribute(value=ast.Name(id="os" | "signal"), attr=name) | ast.keyword(arg=name) if (
            name in POSIX_NAMES
        ):
            yield name
    for child in ast.iter_child_nodes(node):
        yield from _posix_names(child, imports and not isinstance(node, ast.FunctionDef))


def _expects_no_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Try) and any(h.type and ast.unparse(h.type) == "ImportError" for h in node.handlers)


def _asks_for_the_system(node: ast.AST) -> bool:
    conditions = {ast.If: "test", ast.IfExp: "test", ast.BoolOp: "values"}
    asked = getattr(node, conditions.get(type(node), ""), None)
    return asked is not None and any(
        isinstance(n, ast.Attribute) and ast.unparse(n) in ("os.name", "sys.platform")
        for part in (asked if isinstance(asked, list) else [asked])
        for n in ast.walk(part)
    )


def without_encoding(source: str) -> list[str]:
    """Return the calls that read or write text in whatever encoding the system prefers; Windows prefers none of UTF-8."""
    tree = ast.parse(source)
    imports = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    libraries = {alias.asname or alias.name for n in imports for alias in n.names}
    return [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Call) and _reads_text_blindly(n, libraries)]


def _reads_text_blindly(call: ast.Call, libraries: set[str]) -> bool:
    given = {k.arg: k.value for k in call.keywords}
    if "encoding" in given:
        return False
    match call.func:
        case ast.Attribute(attr="read_text" | "write_text"):
            return True
        case ast.Attribute(attr="open", value=ast.Name(id=library)) if library in libraries - {"io"} | {"self"}:
            return False  # av.open, tarfile.open, and methods of that name
        case ast.Attribute(attr="open", value=ast.Attribute(attr="archive")):
            return False  # what is packed is read as bytes
        case ast.Attribute(attr="open"):
            mode = [*call.args[:1], given.get("mode")][0]
        case ast.Name(id="open"):
            mode = [*call.args[1:2], given.get("mode")][0]
        case _:
            return isinstance(getattr(given.get("text"), "value", None), bool)  # subprocess
    return not (isinstance(mode, ast.Constant) and "b" in mode.value)


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_can_be_imported_on_any_system_and_reads_utf8_there(source):
    text = source.read_text(encoding="utf-8")
    posix, blind = posix_only(text), without_encoding(text)
    place = source.relative_to(ROOT).as_posix()
    assert posix == GUARDED.get(place, set())
    assert blind == []


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("import resource", {"resource"}),
        ("from fcntl import flock", {"fcntl"}),
        ("import signal\nsignal.signal(signal.SIGALRM, f)", {"SIGALRM"}),
        ("import os\ndef f():\n    os.fork()", {"fork"}),
        ("run(command, start_new_session=True)", {"start_new_session"}),
        ("import os, signal\nos.cpu_count(), signal.SIGINT", set()),
        ("def f():\n    import resource", set()),
        ("try:\n    import resource\nexcept ImportError:\n    resource = None", set()),
        ("import os\nroot = os.name == 'posix' and os.geteuid() == 0", set()),
        ("import os\nroot = os.geteuid() == 0", {"geteuid"}),
        ("import os\ntry:\n    os.fork()\nexcept OSError:\n    pass", {"fork"}),
        ("import sys\nif sys.platform != 'win32':\n    import resource", set()),
    ],
)
def test_the_reading_knows_what_windows_lacks(source, needs):
    assert posix_only(source) == needs


@pytest.mark.parametrize(
    ("source", "blind"),
    [
        ("p.read_text()", True),
        ("p.write_text(words)", True),
        ("p.open(newline='')", True),
        ("open(p, 'w')", True),
        ("run(command, text=True)", True),
        ("p.read_text(encoding='utf-8')", False),
        ("p.open('w', encoding='utf-8')", False),
        ("open(p, 'rb')", False),
        ("import av\nav.open(p)", False),
        ("run(command)", False),
    ],
)
def test_the_reading_knows_text_without_an_encoding(source, blind):
    assert bool(without_encoding(source)) == blind
