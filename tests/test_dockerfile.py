"""docs/Dockerfile makes an image of what is here: every file that it copies exists, and it installs what everybody installs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
LINES = re.sub(r"\\\n\s*", "", (ROOT / "docs" / "Dockerfile").read_text(encoding="utf-8")).splitlines()


def of(instruction: str) -> list[str]:
    return [line.removeprefix(instruction).strip() for line in LINES if line.startswith(instruction + " ")]


def test_what_it_copies_exists_and_is_all_that_runs():
    copied = [name for line in of("COPY") for name in line.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    assert {"app.py", "assets", "mgld", "requirements.txt", "LICENSE", "NOTICE"} <= set(copied)


def test_it_installs_the_same_libraries_and_packages_as_a_space():
    assert any(line.split() == ["pip", "install", "--no-cache-dir", "-r", "requirements.txt"] for line in of("RUN"))
    packages = (ROOT / "packages.txt").read_text(encoding="utf-8").split()
    installed = next(line for line in of("RUN") if "apt-get install" in line)
    assert packages and all(f" {name}" in installed for name in packages)


def test_its_python_is_that_of_the_space():
    (image,) = of("FROM")
    front = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert image.split(":")[1].removesuffix("-slim") == ".".join(front["python_version"].split(".")[:2])


def test_it_runs_the_page_as_an_ordinary_user_on_the_port_that_is_checked():
    order = [line.split()[0] for line in LINES if line]
    assert order.index("USER") > max(i for i, name in enumerate(order) if name in ("RUN", "COPY"))
    assert of("CMD") == ['["python", "app.py"]'] and of("USER") == ["mgld"]
    (port,) = of("EXPOSE")
    assert f"GRADIO_SERVER_PORT={port}" in " ".join(of("ENV")) and f":{port}/" in " ".join(of("HEALTHCHECK"))
