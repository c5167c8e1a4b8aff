"""Dependence points one way: a module leans only on those before it in FLOORS, and libraries stay where they belong."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "app.py", *sorted((ROOT / "mgld").rglob("*.py"))]

FLOORS = (  # from the ground up, modules and packages of mgld
    "memory", "folders", "methods", "errors", "constants", "host", "settings", "events",  # what a run is asked for, every sentence
    "light", "compat", "presets", "sharing", "device", "abreast", "colour", "canvas", "clock",  # ground
    "plots", "video", "flow", "degrade", "nets",
    "sampling", "metrics", "segment", "stages", "kept",  # the paper's loop; what is measured; what a segment goes through
    "pipeline", "worker", "peers", "cluster",  # load, run, tell; what stands beside it
    "training", "convert", "comparison",
    "ui", "commands", "__main__",
)  # fmt: skip

WITHOUT_TORCH = ("app.py", "mgld/methods.py", "mgld/constants.py", "mgld/host.py", "mgld/settings.py")
ALLOWED = {  # library → where it may be imported
    "torch": lambda p: p not in WITHOUT_TORCH and not p.startswith("mgld/ui"),
    "gradio": lambda p: p == "app.py" or p.startswith("mgld/ui"),
    "av": lambda p: p.startswith("mgld/video") or p == "mgld/degrade/codec.py",
    "imageio": lambda p: p.startswith("mgld/video"),
    "imageio_ffmpeg": lambda p: p.startswith("mgld/video"),
    "matplotlib": lambda p: p == "mgld/plots.py",
    "ray": lambda p: p == "mgld/cluster/pool.py",
}


def place_of(source: Path) -> str:
    return source.relative_to(ROOT).as_posix()


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the dotted names of modules that are imported at run time: not those that are named for type checkers only."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def floor_of(parts: tuple[str, ...]) -> int | None:
    """Return where a module of mgld stands, None for the package itself."""
    return FLOORS.index(parts[1].removesuffix(".py")) if len(parts) > 1 and parts[1] != "__init__.py" else None


@pytest.mark.parametrize("source", SOURCES, ids=place_of)
def test_each_module_leans_only_on_those_below_it(source):
    own = floor_of(source.relative_to(ROOT).parts)
    for name in imported(ast.parse(source.read_text(encoding="utf-8"))):
        parts = tuple(name.split("."))
        if own is not None and parts[0] == "mgld" and parts[1] in FLOORS:
            assert floor_of(parts) <= own, f"{place_of(source)} imports {name}, which stands above it"


def test_every_module_has_its_floor():
    found = {p.stem for p in (ROOT / "mgld").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert found - {"__init__"} == set(FLOORS)


def test_libraries_stay_where_they_belong():
    for source in SOURCES:
        for name in {name.split(".")[0] for name in imported(ast.parse(source.read_text(encoding="utf-8")))} & set(
            ALLOWED
        ):
            assert ALLOWED[name](place_of(source)), f"{place_of(source)} imports {name}"


def test_only_host_reads_the_environment():
    reads = re.compile(r"\benviron\b|getenv")
    readers = [place_of(s) for s in SOURCES if reads.search(s.read_text(encoding="utf-8"))]
    assert readers == ["mgld/host.py"]


def test_files_fit_a_space():
    for path in (p for p in (ROOT / "assets").rglob("*") if p.is_file()):
        assert path.stat().st_size < 10_000_000, path


@pytest.mark.slow
def test_comparing_without_the_page_loads_no_gradio_and_nothing_that_only_others_need():
    code = "import sys; from mgld import light; light.start()\n"
    code += (
        "import mgld.commands.compare, mgld.comparison.produce, mgld.comparison.takeaway, mgld.worker, mgld.pipeline\n"
    )
    code += "from tests.small import small_networks; mgld.pipeline.MGLDPipeline(*small_networks())\n"
    code += "print(*{'gradio', 'torch._dynamo', 'transformers'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (0, "\n", "")


def test_no_two_classes_have_one_name():
    named = [
        n.name
        for s in SOURCES
        for n in ast.walk(ast.parse(s.read_text(encoding="utf-8")))
        if isinstance(n, ast.ClassDef)
    ]
    assert {name for name in named if named.count(name) > 1} == set()


def sentences(source: Path) -> Iterator[str]:
    """Yield the texts of six words or more, but for docstrings."""
    nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
    documented = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = (n for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in documented)
    yield from (text.value for text in texts if text.value.strip().count(" ") > 4)


def test_no_sentence_is_written_twice():
    """But for the commands, whose options repeat one another's help."""
    found = [text for s in SOURCES if not place_of(s).startswith("mgld/commands") for text in sentences(s)]
    assert {text for text in found if found.count(text) > 1} == set()
