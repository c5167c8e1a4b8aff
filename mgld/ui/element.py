"""What the page's own elements are made of: files, scripts of ES modules, and classes that write nothing beside themselves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import gradio as gr
from gradio import component_meta
from gradio.data_classes import GradioModel

from mgld.host import ASSETS

PAGE = ASSETS / "page"
STYLE = "".join((PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "controls.css", "results.css"))
FAVICON = PAGE / "favicon.svg"
HOST = PAGE / "host.js"  # stands for what Gradio and Python give to a script
IMPORT = re.compile(r"^import (?:\{[\w\s,$]+\} from )?'(.+?)';\n", re.M)
EXPORT = re.compile(r"^export (?=const|let|function|async)", re.M)


def joined(module: Path) -> str:
    """Return an ES module of the page and all that it imports as one function body, what is imported first.

    Gradio runs a function body for every element that it makes; a fetch for every module would delay the first picture by two
    round trips. Names at the top of modules must differ.
    """
    return "\n".join(EXPORT.sub("", IMPORT.sub("", path.read_text(encoding="utf-8"))) for path in _in_order(module, []))


def _in_order(module: Path, met: list[Path]) -> list[Path]:
    """Return the modules in the order in which a browser would run them; met are those that were visited before."""
    if module == HOST or module in met:
        return []
    met.append(module)
    wanted = IMPORT.findall(module.read_text(encoding="utf-8"))
    before = [path for name in wanted for path in _in_order((module.parent / name).resolve(), met)]
    return [*before, module]


class Unstubbed(type(gr.HTML)):
    """Makes component classes without the .pyi file that Gradio writes beside a class's own file when it is imported."""

    def __new__(cls, name: str, bases: tuple, attributes: dict) -> type:
        write = component_meta.create_or_modify_pyi
        component_meta.create_or_modify_pyi = lambda *_: None
        try:
            return super().__new__(cls, name, bases, attributes)
        finally:
            component_meta.create_or_modify_pyi = write


class PageElement(gr.HTML, metaclass=Unstubbed):
    """An element with a page, a style and a script of its own, that shows a value of its data_model.

    Nothing that a browser sends back as its value is trusted.
    """

    data_model: type[GradioModel]
    own_html: str
    own_css: str
    own_script: str

    def __init__(self, value: GradioModel | None = None, elem_id: str | None = None, render: bool = True) -> None:
        super().__init__(
            value,
            html_template=self.own_html,
            css_template=self.own_css,
            js_on_load=self.own_script,
            apply_default_css=False,
            elem_id=elem_id,
            render=render,  # Gradio makes the component again, unrendered, for every update
        )

    def postprocess(self, value: GradioModel | None) -> GradioModel | None:
        return value

    def preprocess(self, payload: object) -> None:
        return None

    def api_info(self) -> dict:
        return _schema(self.data_model)


@cache
def _schema(model: type[GradioModel]) -> dict:
    """Return what a value is made of: Gradio asks three times for every update of the page, 3 ms each."""
    return model.model_json_schema()
