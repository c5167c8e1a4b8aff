"""Scripts of ES modules become one function body; component classes leave no stub files."""

from __future__ import annotations

import gradio as gr

from mgld.ui.element import PAGE, Unstubbed, joined


def test_a_module_is_joined_with_what_it_imports_once_and_first(tmp_path):
    (tmp_path / "one.js").write_text("export const one = 1;\n")
    (tmp_path / "two.js").write_text("import { one } from './one.js';\nexport const two = 2 * one;\n")
    (tmp_path / "sum.js").write_text(
        "import { one } from './one.js';\nimport {\n  two,\n} from './two.js';\n\nconst sum = one + two;\n"
    )
    assert joined(tmp_path / "sum.js").split("\n") == [
        "const one = 1;", "", "const two = 2 * one;", "", "", "const sum = one + two;", "",
    ]  # fmt: skip


def test_nothing_of_a_module_is_left_in_the_scripts_of_the_page():
    for script in ("compare/life.js", "crop.js", "files.js", "link.js", "opening.js", "study.js"):
        lines = joined(PAGE / script).splitlines()
        assert not [line for line in lines if line.startswith(("import ", "export ", "} from "))], script


def test_every_module_of_the_comparison_is_part_of_its_script():
    script = joined(PAGE / "compare" / "life.js")
    for module in (PAGE / "compare").glob("*.js"):
        assert module.read_text(encoding="utf-8").splitlines()[0] in script, module.name


def test_component_classes_leave_no_stub_in_the_tree():
    from mgld.ui import page  # noqa: F401  the page with all its components

    assert isinstance(CompareStageLike, type(gr.HTML))
    assert list((PAGE.parents[1]).glob("mgld/**/*.pyi")) == [] and list(PAGE.parents[1].glob("tests/**/*.pyi")) == []


class CompareStageLike(gr.HTML, metaclass=Unstubbed):
    """Without its metaclass this would write tests/ui/test_element.pyi."""
