"""Reference pages that are made out of the code: settings of the service, commands, and options of training."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import annotated_types
import griffe
import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings
from typer.cli import get_docs_for_click

import serving
from lossnlp.cli import app as lossnlp_app
from lossnlp_spark.cli import app as spark_app
from serving.commands import app as serve_app

_TRAINING = Path(__file__).parents[1] / "training"
_COLUMNS = "100"  # width of help texts
_BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "up to {}", "lt": "below {}"}
_SETTINGS_HEAD = """# Settings of the service

Every one is a variable of the environment, read once at the start; a wrong value is named and stops it. A secret is never shown or
logged. Secrets of doors may stand in files too: `LOSSNLP_DOOR_SECRETS_DIR` names their folder, and a file is named as its variable, in
small letters.
"""
_COMMANDS_HEAD = """# Commands

`lossnlp` reads deals without a database or a web server; `lossnlp-serve` is the service and all around it; `lossnlp-spark` reads the
tables of a data lake. All tell the same with `--help`.
"""
_TRAINING_HEAD = """# Options of training

What each program of `training` takes; `--help` tells the same. [Make the model your own](../retrain.md) says how they go together.
"""


def reference_pages() -> dict[str, str]:
    """Gives the Markdown of every page that is made out of the code, by its name below `docs/reference`."""
    return {
        "settings.md": "\n".join([_SETTINGS_HEAD, *map(settings_part, settings_classes())]),
        "commands.md": "\n".join(
            [
                _COMMANDS_HEAD,
                _commands(lossnlp_app, "lossnlp"),
                _commands(serve_app, "lossnlp-serve"),
                _commands(spark_app, "lossnlp-spark"),
            ]
        ),
        "training.md": "\n".join([_TRAINING_HEAD, *map(_program_part, training_programs())]),
    }


def settings_classes() -> list[type[BaseSettings]]:
    """Gives every class of settings that the service has, wherever it stands."""
    for module in pkgutil.walk_packages(serving.__path__, "serving."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    found = {one for one in _below(BaseSettings) if one.__module__.startswith("serving.")}
    return sorted(found, key=lambda one: (one.__module__ != "serving.settings", one.__module__))


def _below(made_from: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for one in made_from.__subclasses__():
        yield one
        yield from _below(one)


def variables(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    """Gives the fields of a class of settings by the names of their variables."""
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper(): field for name, field in settings.model_fields.items()}


def settings_part(settings: type[BaseSettings]) -> str:
    """Gives the table of a class of settings.

    Raises:
        LookupError: The class does not say what one of its fields means.
    """
    meanings = _meanings(settings)
    rows = [
        f"| `{name}` | {meanings[key]} | {_taken(field)} | {_default(field)} |"
        for (name, field), key in zip(variables(settings).items(), settings.model_fields, strict=True)
    ]
    title = (settings.__doc__ or "").split("\n", maxsplit=1)[0].partition(";")[0].rstrip(".")
    return "\n".join(
        [f"## {title}", "", "| variable | meaning | takes | default |", "| --- | --- | --- | --- |", *rows, ""]
    )


def _meanings(settings: type[BaseSettings]) -> dict[str, str]:
    """Gives what the class says of each field.

    Raises:
        LookupError: It says nothing of one.
    """
    logging.getLogger("griffe").setLevel(logging.ERROR)  # it misses types, which the fields have
    sections = griffe.Docstring(settings.__doc__ or "").parse("google")
    said = {
        one.name: _said_of_variables(one.description, settings)
        for section in sections
        if isinstance(section, griffe.DocstringSectionParameters)
        for one in section.value
    }
    silent = [name for name in settings.model_fields if not said.get(name)]
    if silent:
        raise LookupError(f"{settings.__qualname__} does not say what '{silent[0]}' means; add it to Args.")
    return said


def _said_of_variables(text: str, settings: type[BaseSettings]) -> str:
    """Gives a docstring's words for people who set variables: fields by their variables, on one line of a table."""
    plain = re.sub(r"(^|[.:] )None\b", r"\1No value", " ".join(text.split()))
    plain = re.sub(r"\bNone\b", "no value", plain).replace("|", "\\|")
    names = dict(zip(settings.model_fields, variables(settings), strict=True))
    return re.sub(r"`(\w+)`", lambda found: f"`{names.get(found[1], found[1])}`", plain)


def _taken(field: FieldInfo) -> str:
    bounds = [
        text.format(f"{getattr(one, name):,}")
        for one in field.metadata
        if isinstance(one, annotated_types.Ge | annotated_types.Gt | annotated_types.Le | annotated_types.Lt)
        for name, text in _BOUNDS.items()
        if hasattr(one, name)
    ]
    return " ".join([_kind(str(field.annotation)), *bounds])


def _kind(annotation: str) -> str:
    """Gives the plain word for a type."""
    if "Literal[" in annotation:
        return annotation.partition("Literal[")[2].partition("]")[0].replace("'", "`").replace(", ", " or ")
    words = {"SecretStr": "a secret", "Path": "a path", "tuple": "names", "date": "a day", "bool": "`true` or `false`"}
    words |= {"Role": "a role", "int": "a whole number", "float": "a number", "str": "text"}
    return next((word for name, word in words.items() if name in annotation), annotation)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "has to be set"
    if field.default_factory is not None:
        return "made from others"
    value = field.default
    if value is None or value is PydanticUndefined or value == ():
        return "none"
    return f"`{_written(value)}`"


def _written(value: object) -> str:
    """Gives a value as it is written in the environment."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _commands(app: typer.Typer, name: str) -> str:
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name=name), name=name)
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in text.splitlines()) + "\n"


def training_programs() -> list[str]:
    """Gives the modules of training that take options, first those that every data team meets."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in _TRAINING.glob("*.py")}
    found = [name for name, text in texts.items() if '"__main__"' in text and "argparse" in text]
    return [f"training.{name}" for name in sorted(found, key=lambda name: (name != "train", name != "promote", name))]


def program_help(module: str) -> str:
    """Gives what a program tells of itself.

    Args:
        module: As `python -m` takes it.
    """
    told = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": _COLUMNS, "NO_COLOR": "1"}),
        mock.patch.object(sys, "argv", [module, "--help"]),
        contextlib.redirect_stdout(told),
        contextlib.suppress(SystemExit),
    ):
        importlib.import_module(module).main()
    return told.getvalue()


def _program_part(module: str) -> str:
    return f"## python -m {module}\n\n```text\n{program_help(module)}```\n"
