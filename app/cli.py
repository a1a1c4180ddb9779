"""`lifetec …`: the same rooms without HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from pyoxigraph import RdfFormat, Store

from app.cli_accounts import datasets, keys, partners
from app.cli_submit import submit
from app.console import counted, errors, progress, read_settings, reported
from app.errors import InvalidRequest, UnsupportedMediaType
from app.log import Log
from app.profile import Profile, load_profile
from app.rdf import media
from app.service import Service, open_database, open_log, open_remote, store_folder
from app.settings import Settings
from app.store.check import Finding, check_all, check_remote, marker, rebuilt
from app.submissions.gate import Change, File
from app.submissions.report import lines

cli = typer.Typer(
    name="lifetec",
    help="The open database of life sciences and medical technology: serve, load, check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _group in (partners, datasets, keys):
    cli.add_typer(_group)

Files = Annotated[
    list[Path], typer.Argument(exists=True, dir_okay=False, help="RDF files; .gz is unpacked")
]


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on")] = None,
) -> None:
    """Load what is new in the seed, then serve SPARQL, JSON and pages."""
    # Other commands need no HTTP, and the framework takes longer to import than they to run.
    from app import front, main  # noqa: PLC0415

    given = {"host": host, "port": port}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    with reported():
        asyncio.run(_seed(settings))
        application = main.create_app(settings)
    errors.print(f"LifeTec Graph on [bold]{settings.public_url}[/bold]  (stop with Ctrl-C)")
    front.serve(application, settings)


async def _seed(settings: Settings) -> None:
    async with Service(settings, serving=True) as service:
        with progress() as step:
            await service.seed.load(step)


@cli.command()
def load(
    files: Files,
    dataset: Annotated[
        str | None,
        typer.Option(help="IRI of the dataset; default: the file's own dcat:Dataset"),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="IRI of the licence")] = None,
    author: Annotated[str | None, typer.Option(help="IRI of the partner who publishes")] = None,
    force: Annotated[bool, typer.Option(help="Remove also what others still refer to")] = False,
) -> None:
    """Publish files, each as the whole of its dataset. Works beside a running server."""
    settings = read_settings()
    with reported():
        asyncio.run(_load(settings, files, dataset, licence, author, force=force))


async def _load(
    settings: Settings,
    files: list[Path],
    dataset: str | None,
    licence: str | None,
    author: str | None,
    *,
    force: bool,
) -> None:
    async with Service(settings, serving=False) as service:
        with progress() as step:
            for path in files:
                data, media_type = (
                    await asyncio.to_thread(path.read_bytes),
                    media.of_file(path.name),
                )
                step(path.name, {"stage": "parse"})
                facts: dict[str, Any] = {"dataset": dataset, "types": []}
                if dataset is None:
                    facts = await service.gate.describe(data, media_type)
                change = Change.of_file(
                    facts["dataset"],
                    author or facts.get("publisher") or facts["dataset"],
                    licence or facts.get("licence"),
                    File(path.name, media_type, data),
                    kinds=facts["types"],
                    force=force,
                )
                outcome = await service.gate.publish(change, on_progress=partial(step, path.name))
                step(path.name, {"stage": "published", "outcome": outcome})


@cli.command()
def validate(
    files: Files,
    shapes: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Own shapes, in any RDF syntax, instead of ours"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The reports as JSON")] = False,
    language: Annotated[str, typer.Option(help="Language of the messages")] = "en",
) -> None:
    """Check files against the shapes, without publishing. Exit 1 when a shape is violated."""
    settings = read_settings()
    with reported():
        reports = asyncio.run(_validate(settings, files, shapes, language))
    if as_json:
        sys.stdout.write(json.dumps(reports, ensure_ascii=False, indent=2) + "\n")
    else:
        for name, report in reports.items():
            sys.stdout.write(f"{name}: " + "\n".join(lines(report, language=language)) + "\n")
    if not all(report["conforms"] for report in reports.values()):
        raise typer.Exit(1)


async def _validate(
    settings: Settings, files: list[Path], shapes: Path | None, language: str
) -> dict[str, dict[str, Any]]:
    own = await asyncio.to_thread(_file, shapes) if shapes else None
    reports: dict[str, dict[str, Any]] = {}
    async with Service(settings, serving=False) as service:
        for path in files:
            file = await asyncio.to_thread(_file, path)
            checked = await service.checker.check([file], shapes=own, language=language)
            reports[str(path)] = json.loads(checked.body)
    return reports


def _file(path: Path) -> File:
    return File(path.name, media.of_file(path.name), path.read_bytes())


cli.command()(submit)


@cli.command()
def dump(
    output: Annotated[
        Path | None,
        typer.Argument(help="File (.nq .trig .jsonld .gz); default: N-Quads to stdout"),
    ] = None,
) -> None:
    """Write all named graphs of the newest state."""
    settings = read_settings()
    with reported():
        asyncio.run(_dump(settings, output))


async def _dump(settings: Settings, output: Path | None) -> None:
    rdf_format = media.RDF_FORMATS[media.of_file(output.name)] if output else RdfFormat.N_QUADS
    if not rdf_format.supports_datasets:
        raise UnsupportedMediaType(rdf_format.media_type, sorted(media.DATASET_FORMATS))
    async with Service(settings, serving=False) as service:
        path = service.checkpoint().path
        store = Store.read_only(path) if path else Store()
        with _opened(output) as file:
            store.dump(file, format=rdf_format)


@cli.command()
def check() -> None:
    """Prove that log, store and checkpoint agree, by rebuilding the graph from the log."""
    settings = read_settings()
    with reported():
        database = open_database(settings)
        log = open_log(settings, database)
        findings: list[Finding] = []
        for finding in _findings(settings, log):
            findings.append(finding)
            mark = "ok  " if finding.good else "FAIL"
            sys.stdout.write(f"{mark} {finding.what}: {finding.detail}\n")
        database.close()
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def _findings(settings: Settings, log: Log) -> Iterator[Finding]:
    yield from check_all(log, store_folder(settings), settings.base_iri)
    if (remote := open_remote(settings)) is not None:
        with closing(remote):
            yield from check_remote(log, remote, settings.base_iri)


@cli.command()
def reindex() -> None:
    """Build the search index anew. Works beside a running server, which then turns to it."""
    settings = read_settings()
    with reported():
        if not settings.index:
            raise InvalidRequest("LIFETEC_INDEX=off: there is no search index to build.")
        profile = load_profile(settings.ontology_dir, settings.shapes_dir, settings.base_iri)
        asyncio.run(_reindex(settings, profile))


async def _reindex(settings: Settings, profile: Profile) -> None:
    async with Service(settings, serving=False) as service:
        indexer = service.index_records(profile)
        with counted("entities") as step:
            await indexer.build(step)
        state = indexer.state
        errors.print(f"{state.entities:,} entities, generation {state.generation}")


store = typer.Typer(help="The SPARQL server of LIFETEC_STORE.", no_args_is_help=True)
cli.add_typer(store, name="store")


@store.command()
def rebuild() -> None:
    """Clear the graphs of this service there, and write them anew from the log."""
    settings = read_settings()
    with reported():
        remote = open_remote(settings)
        if remote is None:
            raise InvalidRequest("LIFETEC_STORE names no SPARQL server: nothing is elsewhere.")
        with closing(remote), closing(open_database(settings)) as database:
            log = open_log(settings, database)
            head = log.head()
            quads = rebuilt(log, settings.base_iri, upto=head) - {*marker(settings.base_iri, head)}
            for done in remote.rebuild(quads, head):
                errors.print(f"{done:,} of {len(quads):,} statements", end="\r")
            errors.print(f"{len(quads):,} statements, generation {head}")


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
    elif output.suffix == ".gz":
        with gzip.open(output, "wb") as file:
            yield file  # type: ignore[misc]
    else:
        with output.open("wb") as plain:
            yield plain
