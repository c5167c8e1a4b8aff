"""Dependence points one way (DESIGN §4)."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "app.py", *sorted((ROOT / "mgld").rglob("*.py"))]

ALLOWED = {  # module → where it may be imported
    "torch": lambda p: p != "app.py" and not p.startswith("mgld/ui"),
    "gradio": lambda p: p == "app.py" or p.startswith("mgld/ui"),
    "av": lambda p: p.startswith("mgld/video") or p == "mgld/degrade/codec.py",
    "imageio": lambda p: p.startswith("mgld/video"),
    "imageio_ffmpeg": lambda p: p.startswith("mgld/video"),
    "matplotlib": lambda p: p == "mgld/plots.py",
}


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_libraries_stay_where_they_belong():
    for source in SOURCES:
        place = source.relative_to(ROOT).as_posix()
        for name in imported(ast.parse(source.read_text())) & set(ALLOWED):
            assert ALLOWED[name](place), f"{place} imports {name}"


def test_only_settings_reads_the_environment():
    readers = [
        s.relative_to(ROOT).as_posix() for s in SOURCES if "environ" in s.read_text() or "getenv" in s.read_text()
    ]
    assert readers == ["mgld/settings.py"]


def test_files_fit_a_space():
    for path in (p for p in (ROOT / "assets").rglob("*") if p.is_file()):
        assert path.stat().st_size < 10_000_000, path
