"""Programs of our own load diffusers without what it loads for others, and all of it where it does not let them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers.utils import torch_utils
from torch import nn

from mgld import light

ROOT = Path(__file__).resolve().parent.parent

FAKES = {  # loaded in no time
    "torch/__init__.py": "class compiler:\n    disable = print\n",
    "transformers/__init__.py": "",
    "diffusers/utils/torch_utils.py": "is_compiled_module = bool",
    "diffusers/pipelines/pipeline_utils.py": "",
    "diffusers/models/unets/unet_2d_condition.py": "",
    "diffusers/schedulers.py": "",
}
TRIED = """import sys
from mgld import light
light.start()
light.start()
import diffusers, torch, transformers
from diffusers import schedulers
print(diffusers.has_all, torch.compiler.disable is print, "torch._dynamo" in sys.modules)
print(sum(type(finder) is light._Finder for finder in sys.meta_path), *sorted(n for n in sys.modules if "unets." in n))
"""
TOLERANT = (
    "try:\n    import transformers, torch._dynamo\n    has_all = True\nexcept ImportError:\n    has_all = False\n"
)
STRICT = "import diffusers.schedulers\nimport transformers\nhas_all = True\n"


@pytest.mark.parametrize(
    ("loaded", "told"),
    [
        (TOLERANT, "False True False\n0 diffusers.models.unets.unet_2d_condition\n"),
        (STRICT, "True True False\n0\n"),
    ],
    ids=["one that lets go", "one that needs all"],
)
def test_what_is_hidden_is_there_again_and_all_is_loaded_where_that_fails(tmp_path, loaded, told):
    for name, text in (FAKES | {"diffusers/__init__.py": loaded}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
    done = subprocess.run([sys.executable, "-S", "-c", path + TRIED], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (told, "")


def test_where_diffusers_is_there_already_nothing_changes(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", before := list(sys.meta_path))
    light.start()
    assert sys.meta_path == before


def test_what_is_compiled_is_known_as_such(monkeypatch):
    monkeypatch.setattr(torch_utils, "is_compiled_module", torch_utils.is_compiled_module)
    light._ask_no_compiler()
    net = nn.Linear(2, 2)
    assert not torch_utils.is_compiled_module(net)
    assert torch_utils.is_compiled_module(torch.compile(net, backend="eager"))
    monkeypatch.delitem(sys.modules, "torch._dynamo")
    assert not torch_utils.is_compiled_module(net) and "torch._dynamo" not in sys.modules


@pytest.mark.parametrize("mark", [light._marked_later, light._marked_later(recursive=False), light._marked_later()])
def test_what_is_marked_for_the_compiler_later_is_left_out_of_what_it_compiles(mark):
    seen = []

    @mark
    def compiling() -> None:
        seen.append(torch.compiler.is_compiling())

    @torch.compile(backend="eager")
    def step(x: torch.Tensor) -> torch.Tensor:
        compiling()
        return x + 1

    assert step(torch.zeros(1)) == 1 and seen == [False]
