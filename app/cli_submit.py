"""`lifetec submit`: send files to a service elsewhere, and say what became of them."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

import typer

from app.accounts.secret import Secret, read_secret
from app.console import errors, plain, progress, reported, say
from app.errors import Invalid, UnsupportedMediaType
from app.rdf import media
from app.submissions.gate import File
from app.submissions.report import lines
from app.submissions.seed import Step
from app.submissions.states import State

if TYPE_CHECKING:
    from app.remote import Answer, Remote

KEY: Final = "LIFETEC_KEY"
"""Environment variable with the key."""

_API: Final = "/api/v1"
_DRY_RUN_SECONDS: Final = 700.0
"""The service validates while it is waited for, with a deadline of its own."""

_MOST_ENTITIES: Final = 20
_UNDER_WAY: Final = {State.RECEIVED, State.VALIDATED}


def submit(
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="RDF files, also .gz; one graph"),
    ],
    *,
    to: Annotated[str, typer.Option(help="Address of the service, https://…")],
    dataset: Annotated[str, typer.Option(help="The dataset, as partner/name or by its IRI")],
    mode: Annotated[
        Literal["replace", "merge", "remove"],
        typer.Option(help="Make them the whole of the dataset, add them, or take them away"),
    ] = "replace",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of it")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it is published or in review")] = True,
    key_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help=f"File with the key; default: ${KEY}"),
    ] = None,
    if_match: Annotated[
        int | None, typer.Option(min=0, help="Only if the dataset is still of this generation")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Curators: remove also what others still refer to")
    ] = False,
    language: Annotated[str, typer.Option(help="Language of the messages")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Repeat an attempt that got no answer; default: a new one")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send the key also over plain http://")
    ] = False,
) -> None:
    """Send files to a service elsewhere. Exit 1 when they are refused, 2 when called wrongly."""
    # The other commands speak to nobody, and need not wait for it to be imported.
    from app.remote import Remote, read_address  # noqa: PLC0415

    try:
        address = read_address(to, insecure=insecure)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to") from None
    key = _key(key_file)
    params = {"dataset": dataset, "mode": mode, "lang": language}
    params |= {"dry_run": "true"} if dry_run else {}
    params |= {"force": "true"} if force else {}
    attempt = idempotency_key or uuid.uuid4().hex
    headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
    with reported():
        sent = [_file(path) for path in files]
        with Remote(address, key, told=_warn) as remote:
            with progress(("send", "validate", "compare", "done")) as step:
                step(dataset, {"stage": "send"})
                answer = _sent(remote, sent, params, headers, None if dry_run else attempt)
                if wait:
                    answer = _followed(remote, answer, dataset, step)
                step(dataset, {"stage": "done"})
            if as_json:
                sys.stdout.write(json.dumps(answer.document, indent=2) + "\n")
            else:
                _tell(remote, answer, language)
    if not _good(answer):
        raise typer.Exit(1)


def _key(path: Path | None) -> Secret:
    text = path.read_text("utf-8", "replace") if path else os.environ.get(KEY, "")
    if not text.strip():
        raise typer.BadParameter(
            f"No key: put it in the environment as {KEY}, or into a file that only you can read."
        )
    if (key := read_secret(text.strip())) is None:
        raise typer.BadParameter(
            f"What {path or f'${KEY}'} holds is no key. A key begins with ltg_, and is the last "
            "word of what `lifetec key issue` prints."
        )
    return key


def _file(path: Path) -> File:
    try:
        return File(path.name, media.of_file(path.name), path.read_bytes())
    except UnsupportedMediaType as error:
        raise typer.BadParameter(f"{path}: {error.detail}") from None


def _warn(line: str) -> None:
    errors.print(plain(line), markup=False, highlight=False)


def _sent(
    remote: Remote,
    files: list[File],
    params: Mapping[str, str],
    headers: Mapping[str, str],
    attempt: str | None,
) -> Answer:
    """The first answer. Of an attempt with a name, the service keeps only one."""
    path = f"{_API}/submissions"
    if attempt is None:
        return remote.send(path, files, params=params, headers=headers, seconds=_DRY_RUN_SECONDS)
    try:
        return remote.send(
            path, files, params=params, headers={**headers, "Idempotency-Key": attempt}
        )
    except ConnectionError as error:
        raise ConnectionError(
            f"{error} Whether the data arrived is not known. Repeat the command with "
            f"--idempotency-key {attempt}, and they do not arrive twice."
        ) from None


def _followed(remote: Remote, answer: Answer, name: str, step: Step) -> Answer:
    """The answer when nothing more happens by itself."""
    seconds = chain((0.2, 0.4, 0.8), repeat(1.5))
    while answer.document.get("state") in _UNDER_WAY:
        time.sleep(next(seconds))
        submission = quote(answer.document["id"], safe="")
        job = remote.get(f"{_API}/jobs/{submission}")
        if "stage" in (facts := job.document.get("progress") or {}):
            step(name, facts)
        answer = remote.get(f"{_API}/submissions/{submission}")
        given_up = job.document.get("state") == "failed"
        if given_up and answer.document.get("state") in _UNDER_WAY:
            error = job.document["error"]
            return replace(answer, status=error["status"], document=error)
    return answer


def _good(answer: Answer) -> bool:
    state = answer.document.get("state")
    conforms: bool = answer.document.get("conforms", True)
    return not answer.refused and conforms and state not in {State.REJECTED, State.WITHDRAWN}


# in words


def _tell(remote: Remote, answer: Answer, language: str) -> None:
    """Say what became of it; raises the problem that the service has with it."""
    found = answer.document
    if answer.refused:
        if "report" not in found:
            raise answer.problem()
        say("Refused.")
        _tell_report(found["report"], language)
    elif "dry_run" in found:
        can = "could" if found["conforms"] else "could not"
        say(f"It {can} be published. This was a dry run; nothing of it is kept.")
        _tell_difference(found["diff"])
        _tell_report(found["report"], language)
    else:
        _tell_submission(remote, answer, language)


def _tell_submission(remote: Remote, answer: Answer, language: str) -> None:
    one = answer.document
    say(_in_words(one))
    path = f"{_API}/submissions/{quote(one['id'], safe='')}"
    say(f"{remote.address}{path}")
    refused = one["state"] == State.REJECTED
    if refused and one["problem"]:
        answer = replace(answer, status=one["problem"]["status"], document=one["problem"])
        if not isinstance(error := answer.problem(), Invalid):
            raise error
    if one["diff"] and not refused:
        found = remote.get(f"{path}/diff", lang=language, limit=_MOST_ENTITIES)
        if not found.refused:
            _tell_difference(found.document)
    if one["report"]:
        found = remote.get(f"{path}/report", lang=language)
        if not found.refused:
            _tell_report(found.document, language)


def _in_words(one: Mapping[str, Any]) -> str:
    match State(one["state"]):
        case State.PUBLISHED if one["generation"] is None:
            return "Unchanged: the dataset says all of this already."
        case State.PUBLISHED:
            return f"Published, as generation {one['generation']}."
        case State.IN_REVIEW:
            return "In review: a curator decides whether it is published."
        case State.REJECTED:
            return f"Refused. {one['reason'] or ''}".rstrip()
        case State.WITHDRAWN:
            return "Withdrawn; nothing was published."
    return "On its way; its address tells what becomes of it."


def _tell_report(report: Mapping[str, Any], language: str) -> None:
    say()
    for line in lines(dict(report), language=language):
        say(line)


def _tell_difference(diff: Mapping[str, Any]) -> None:
    say(f"Statements: {diff['added']:,} added, {diff['removed']:,} removed.")
    shown = diff["entities"][:_MOST_ENTITIES]
    for entity in shown:
        say()
        for line in _entity_lines(entity):
            say(line)
    if (hidden := diff["entities_total"] - len(shown)) > 0:
        say(f"\n… and {hidden:,} more entities")


def _entity_lines(entity: Mapping[str, Any]) -> Iterator[str]:
    label = f"“{entity['label']}”" if entity["label"] else None
    words = (entity["change"], entity["type_label"], label, f"<{entity['id']}>")
    yield " ".join(filter(None, words))
    for field in entity["fields"]:
        yield f"  {field['label']}"
        for side, mark in (("removed", "-"), ("added", "+")):
            for text in field[side]:
                yield f"    {mark} {text}"
            if (hidden := field.get(f"{side}_total", 0) - len(field[side])) > 0:
                yield f"    {mark} … and {hidden:,} more"
