"""What a Hugging Face Space needs of the repository."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def test_readme_front_matter_names_the_entry_point():
    head = yaml.safe_load((ROOT / "README.md").read_text().split("---")[1])
    assert head["sdk"] == "gradio" and (ROOT / head["app_file"]).exists()
    assert str(head["python_version"]) in ("3.10", "3.12")
    assert len(head["short_description"]) <= 60


def test_torch_is_pinned_so_that_cpu_wheels_fit():
    assert "torch>=2.8,<=2.13.0" in (ROOT / "requirements.txt").read_text().split()
