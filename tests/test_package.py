"""What a person gets who installs the package: names to import, a command, and the files that runs need."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import mgld
from mgld import host, settings
from mgld.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "numpy", "gradio", "diffusers", "av", "cv2"}
NOT_IN_THE_WHEEL = {"assets/eval", "assets/models/tiny/card", "assets/clips/SOURCES.md"}


def test_import_is_quick_because_classes_are_imported_when_they_are_asked_for():
    code = "import sys, mgld; mgld.__version__, dir(mgld); print(*sys.modules); mgld.Settings; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    at_first, after_settings = (set(line.split()) for line in shown.stdout.splitlines())
    assert at_first.isdisjoint(HEAVY) and "mgld.settings" not in at_first
    assert after_settings.isdisjoint(HEAVY) and "mgld.settings" in after_settings


def test_exported_classes_are_the_ones_of_their_modules():
    from mgld.pipeline import MGLDPipeline

    assert mgld.MGLDPipeline is MGLDPipeline
    assert mgld.Settings is settings.Settings
    assert set(mgld.__all__) <= set(dir(mgld))
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        mgld.Pipeline  # noqa: B018


def test_the_version_is_a_literal_so_that_building_imports_nothing():
    lines = ast.parse((ROOT / "mgld" / "__init__.py").read_text(encoding="utf-8")).body
    (version,) = (n.value for n in lines if isinstance(n, ast.Assign) and n.targets[0].id == "__version__")
    assert version.value == mgld.__version__


def test_assets_are_found_in_a_checkout_and_in_a_wheel(tmp_path):
    package = tmp_path / "site-packages" / "mgld"
    package.mkdir(parents=True)
    stranger = package.parent / "assets"  # of another distribution: not ours to open
    stranger.mkdir()
    with pytest.raises(UserError, match="lacks its assets folder"):
        host.assets_of(package)
    (package.parent / "app.py").touch()
    assert host.assets_of(package) == stranger
    (package / "assets").mkdir()
    assert host.assets_of(package) == package / "assets"


def test_the_wheel_holds_every_asset_but_those_that_are_named():
    tomllib = pytest.importorskip("tomllib")  # Python 3.10 has none
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    held = {path for pattern in patterns["mgld.assets"] for path in (ROOT / "assets").glob(pattern) if path.is_file()}
    for path in (p for p in (ROOT / "assets").rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        place = path.relative_to(ROOT)
        left_out = any(place.is_relative_to(name) for name in NOT_IN_THE_WHEEL)
        left_out = left_out or path.suffix == ".py" or path.name.startswith("LICENSE.")  # licences go with the metadata
        assert (path in held) != left_out, place


def lines_of(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] not in "#-"]


def test_the_constraints_fix_a_version_that_is_allowed_of_all_that_is_required():
    fixed = {name: version for name, _, version in (line.partition("==") for line in lines_of("constraints.txt"))}
    for wanted in map(Requirement, lines_of("requirements.txt") + lines_of("tests/requirements.txt")):
        assert wanted.specifier.contains(fixed[wanted.name]), wanted


def test_the_hosted_workflow_runs_what_a_person_runs():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    script, readme = ((ROOT / name).read_text(encoding="utf-8") for name in (".ci/run", "README.md"))
    for command in ("-r tests/requirements.txt", "python -m pytest"):
        assert command in script and command in readme


def test_the_guide_for_contributors_is_short_and_names_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    named = re.findall(r"(?:mgld|tests|assets|\.ci)/[\w/.]*", text)
    assert len(named) > 20
    for path in named:
        assert (ROOT / path).exists(), path
    for module, name in re.findall(r"`(settings|presets)\.(\w+)", text):
        assert re.search(rf"^(class )?{name}\b", (ROOT / "mgld" / f"{module}.py").read_text(encoding="utf-8"), re.M), (
            name
        )
