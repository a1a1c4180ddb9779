"""What all commands share: settings from the environment, and errors told in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console

from app.errors import AppError, Invalid
from app.profile.model import ProfileError
from app.settings import Settings
from app.submissions.report import lines

errors = Console(stderr=True)
"""Where everything is written that is not the result of a command."""


def read_settings(**given: Any) -> Settings:
    """The settings; when they do not fit, says so and ends the command with status 2."""
    try:
        return Settings(**given)
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            errors.print(f"[red]LIFETEC_{name or 'SETTINGS'}[/red]: {fault['msg']}")
        raise typer.Exit(2) from None


@contextmanager
def reported() -> Iterator[None]:
    """Errors that have a name are told in words, and end the command with status 1."""
    try:
        yield
    except Invalid as error:
        errors.print(f"[red]{error.title}[/red]", highlight=False)
        for line in lines(error.facts["report"]):
            errors.print(line, markup=False, highlight=False)
        raise typer.Exit(1) from None
    except AppError as error:
        place = "".join(
            f" {name} {error.facts[name]}" for name in ("line", "column") if name in error.facts
        )
        errors.print(f"[red]{error.title}[/red]:{place} ", end="")
        errors.print(error.detail, markup=False, highlight=False)
        raise typer.Exit(1) from None
    except (OSError, ProfileError) as error:
        errors.print(f"[red]Cannot go on[/red]: {error}", highlight=False)
        raise typer.Exit(1) from None
