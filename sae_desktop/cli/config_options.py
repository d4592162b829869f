"""Options of commands made from the fields of a config: its defaults, types and names."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from sae_desktop.cli.options import bounds
from sae_desktop.described import default, setting

Settings = dict[str, Any]
"""Field of a config → value."""


class Choice(NamedTuple):
    """One option: the config's field it sets. What the help says of it stands beside the field."""

    field: str
    name: str = ""
    """Empty: the field's, with dashes."""
    fitted: str = ""
    """What it is where it is not given and depends on something else: the command gets None."""
    panel: str = ""
    """Empty: the field's heading."""

    @property
    def flag(self) -> str:
        return self.name or f"--{self.field.replace('_', '-')}"


def parameter(config: type[msgspec.Struct], choice: Choice, name: str) -> inspect.Parameter:
    """Return the parameter of a command that sets a config's field."""
    kind = _types_of(config)[choice.field]
    said = setting(config, choice.field)
    value = default(config, choice.field)
    if typing.get_origin(kind) is tuple:
        kind, value = list[str] | None, None
    if choice.fitted:
        kind, value = kind | None, None
    names = [choice.flag]
    if kind is bool:
        names = [f"{choice.flag}/--no-{choice.flag[2:]}"]
    otherwise = f" Default: {choice.fitted}." if choice.fitted else ""
    option = typer.Option(
        *names,
        help=said.description + otherwise,
        rich_help_panel=choice.panel or said.group,
        **bounds(config, choice.field),
    )
    return keyword(name, value, Annotated[kind, option])


def option(config: type[msgspec.Struct], field: str, *names: str, otherwise: str = "") -> Any:
    """Return the option of a command that sets a config's field, in the words beside the field.

    `otherwise` says what it is where it is not given.
    """
    description = setting(config, field).description
    usual = f" Default: {otherwise}." if otherwise else ""
    return typer.Option(*names, help=description + usual, **bounds(config, field))


@functools.cache
def _types_of(config: type[msgspec.Struct]) -> dict[str, Any]:
    return typing.get_type_hints(config)


def keyword(name: str, value: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=annotation
    )


def own_parameters(command: Callable[..., None]) -> list[inspect.Parameter]:
    """Return a command's parameters except `settings`, as keyword parameters."""
    hints = typing.get_type_hints(command, include_extras=True)
    return [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, p in inspect.signature(command).parameters.items()
        if name != "settings"
    ]


def with_signature(
    run: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """Make a function of any keywords look like one with these parameters."""
    run.__signature__ = inspect.Signature(list(parameters))  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def with_options(
    config: type[msgspec.Struct], choices: Sequence[Choice]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options for a config's fields; it receives them as `settings`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters = [parameter(config, choice, choice.field) for choice in choices]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            settings = {p.name: given.pop(p.name) for p in parameters}
            command(**given, settings=settings)

        return with_signature(run, [*own_parameters(command), *parameters])

    return decorate
