"""What all commands share: settings from the environment, and errors told in words."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from app.errors import AppError, Invalid
from app.profile.model import ProfileError
from app.settings import Settings
from app.submissions.gate import Outcome
from app.submissions.report import lines
from app.submissions.seed import Step

errors = Console(stderr=True)
"""Where everything is written that is not the result of a command."""

_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Text that cannot steer a terminal or turn the direction of a line."""
    return _CONTROLS.sub("�", text)


def say(line: str = "") -> None:
    """Write a line of the result of a command; what is in it may come from strangers."""
    sys.stdout.write(f"{plain(line)}\n")


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
            _tell(line)
        raise typer.Exit(1) from None
    except AppError as error:
        place = "".join(
            f" {name} {error.facts[name]}" for name in ("line", "column") if name in error.facts
        )
        errors.print(f"[red]{error.title}[/red]:{place} ", end="")
        _tell(error.detail)
        for line in _about(error.facts):
            _tell(f"  {line}")
        raise typer.Exit(1) from None
    except (OSError, ProfileError) as error:
        errors.print("[red]Cannot go on[/red]: ", end="")
        _tell(str(error))
        raise typer.Exit(1) from None


def _tell(line: str) -> None:
    errors.print(plain(line), markup=False, highlight=False, soft_wrap=True)


def _about(facts: Mapping[str, Any]) -> Iterator[str]:
    """What an error names, a line each: IRIs of others, or references to what shall go."""
    for one in (named := facts.get("iris", [])):
        place = (one.get("file"), f"line {one['line']}" if "line" in one else None)
        yield ", ".join(filter(None, (*place, f"<{one['iri']}>")))
    for one in (references := facts.get("references", [])):
        yield f"<{one['subject']}> <{one['predicate']}> <{one['object']}> in <{one['dataset']}>"
    if (hidden := facts.get("total", 0) - len(named) - len(references)) > 0:
        yield f"… and {hidden} more"


@contextmanager
def progress(
    stages: Sequence[str] = ("parse", "validate", "compare", "published"),
) -> Iterator[Step]:
    """A line for each thing with its stage."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[name]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=errors,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def step(name: str, facts: dict[str, Any]) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task("", total=len(stages), name=name)
            stage = facts["stage"]
            at = stages.index(stage) + 1 if stage in stages else None
            bar.update(tasks[name], completed=at, description=plain(_in_words(facts)))

        yield step


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work of which it is known how much there is: call it with done and total."""
    with Progress(
        SpinnerColumn(),
        BarColumn(bar_width=40),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.description}"),
        TimeElapsedColumn(),
        console=errors,
    ) as bar:
        task = bar.add_task(what, total=0)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _in_words(facts: dict[str, Any]) -> str:
    outcome: Outcome | None = facts.get("outcome")
    if outcome is None:
        count = f" {facts['statements']:,} statements" if "statements" in facts else ""
        return f"{facts['stage']}{count}"
    if outcome.commit is None:
        return "unchanged"
    commit = outcome.commit
    return f"generation {commit.generation}: +{commit.added_count:,} −{commit.removed_count:,}"
