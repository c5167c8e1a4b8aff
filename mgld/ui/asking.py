"""How events get the values of the form, and how a visitor is told what could not be done."""

from __future__ import annotations

import inspect
import logging
import secrets
from collections.abc import Callable, Iterator

import gradio as gr

from mgld.comparison.asked import FIELDS, TYPES, Asked
from mgld.errors import UserError
from mgld.ui import words
from mgld.ui.progress import refusal


def of_form(work: Callable[..., Iterator], *before: str, beside_line: int | None = None) -> Callable:
    """Return work(asked, visitor, *before) as Gradio calls it: with texts named `before`, then the form's values by FIELDS.

    Names, types and text of the API page come from the fields and from work's docstring. Where beside_line says how many outputs
    follow the status line, which is the first, that line says what could not be done, and stays.
    """
    types = dict.fromkeys(before, str) | {name: TYPES[name] for name in FIELDS} | {"visitor": gr.Request}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind, annotation=t) for name, t in types.items()])

    def handle(*values):
        named = signature.bind(*values).arguments
        visitor, texts = named.pop("visitor"), [named.pop(name) for name in before]
        asked = Asked.of(named)
        answers = work(asked, visitor, *texts)
        yield from answers if beside_line is None else _answered(answers, asked, beside_line)

    handle.__signature__, handle.__annotations__, handle.__doc__ = signature, types, work.__doc__
    return handle


def _answered(answers: Iterator, asked: Asked, beside_line: int) -> Iterator:
    """Pass answers on; say in the status line why there are no more, and tell API clients the same."""
    try:
        yield from answers
        return
    except gr.Error as error:  # the host's own words for the visitor: how much of its GPU is left, say
        yield (refusal(str(error.message)), *[gr.skip()] * beside_line)
        raise
    except UserError as error:
        text, cause = with_names_alone(str(error), asked), error
    except Exception as error:  # nothing of it is shown, but a reference under which the log has it
        reference = secrets.token_hex(4)
        logging.getLogger("mgld").exception("reference %s", reference)
        text, cause = words.FAILED.format(reference=reference), error
    yield (refusal(text), *[gr.skip()] * beside_line)
    raise gr.Error(text, visible=False, print_exception=False) from cause  # no page draws it, so it is plain text


def with_names_alone(text: str, asked: Asked) -> str:
    return words.for_visitors(text, files_of(asked))


def files_of(asked: Asked) -> tuple[str | None, ...]:
    return asked.clip, asked.truth, *(asked.others or ())
