"""Write the parts of the documentation that follow from code and data: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`; NAME is one of PARTS.
Texts that code cannot know (what an address or a failpoint is for) are kept here, and a route or
failpoint without its text is an error, as is a text without its route.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyoxigraph as ox
import typer
from pydantic_settings import BaseSettings
from typer.models import ArgumentInfo, OptionInfo

from app import errors
from app.accounts import Act, Role
from app.accounts.principal import LEAST
from app.api.problems import status_of
from app.cli import cli
from app.failpoints import FAILPOINTS
from app.main import create_app
from app.profile import EntityType, Field, Part, Profile, Step, load_profile
from app.rdf import media
from app.rdf.terms import DCAT, DCTERMS, PREFIXES, type_
from app.records.listing import filterable
from app.settings import Settings
from app.sparql.graph_store import METHODS as GRAPH_METHODS
from app.sparql.operation import METHODS
from app.sparql.update import METHODS as UPDATE_METHODS
from app.submissions.states import TRANSITIONS, State

ROOT = Path(__file__).resolve().parent.parent
BASE: str = Settings.model_fields["base_iri"].default

ADDRESSES: Mapping[str, str] = {
    "/": "Start page",
    "/graphs": "Graph Store Protocol: `?graph=IRI`, `?default`, or an address below; writing needs "
    "a key",
    "/sparql": "SPARQL 1.1 query; without a query a form for people, else the service description",
    "/sparql/update": "SPARQL 1.1 Update; needs a key",
    "/api/v1/types": "Entity types: labels, fields, how many of each",
    "/api/v1/{types}": "A list of records, with filters, facets, paging; see below",
    "/api/v1/{types}.{suffix}": "All records of a list as a file: `.csv .xlsx .ndjson .json "
    ".jsonld .geojson .parquet`; see [docs/exports.md](docs/exports.md)",
    "/api/v1/{types}/{slug}": "One record; who says what in it by `?provenance=true`",
    "/api/v1/{types}/{slug}/history": "Which commits changed it, and what: see "
    "[docs/history.md](docs/history.md)",
    "/api/v1/validate": "Check data against the shapes, ours or your own: see "
    "[docs/validation.md](docs/validation.md)",
    "/api/v1/search": "Search all types at once, with the parameters of lists; `?type=`",
    "/api/v1/suggest": "What may be meant while somebody types: `?q=`",
    "/api/v1/resource": "The record of any thing, also of a foreign one: `?iri=`",
    "/api/v1/resource/history": "The history of any thing: `?iri=`",
    "/id/{type}/{slug}": "An entity's IRI: 303 to its page or document",
    "/graph/{slug}": "A dataset's IRI, which names its graph too: 303 to its page or document",
    "/scheme/{slug}": "A concept's IRI: 303 to its page or document",
    "/scheme/{name}": "A code list",
    "/{types}": "A list as a page",
    "/{types}/{slug}": "An entity as a page; Turtle, JSON-LD, N-Triples, RDF/XML by Accept or by "
    "suffix (`.ttl .jsonld .nt .rdf`)",
    "/{types}/{slug}/history": "The history of an entity as a page",
    "/resource": "The same for any thing, also a foreign one: `?iri=`",
    "/resource/history": "The history of any thing as a page: `?iri=`",
    "/resource.{suffix}": "The same in the format of the suffix",
    "/problem/{slug}": "What a kind of problem means",
    "/ontology": "The own terms, as a page or as RDF",
    "/ontology.{suffix}": "The same in the format of the suffix",
    "/profile": "The annotations that the shapes use, as a page or as RDF",
    "/profile.{suffix}": "The same in the format of the suffix",
    "/shapes": "The SHACL shapes, as a page or as RDF",
    "/shapes.{suffix}": "The same in the format of the suffix",
    "/api/v1/me": "What the key that is sent stands for",
    "/api/v1/admin/partners": "Partners: list, add; needs a key",
    "/api/v1/admin/partners/{slug}": "One partner: show, change",
    "/api/v1/admin/datasets": "Datasets of partners: list, add; needs a key",
    "/api/v1/admin/datasets/{partner}/{slug}": "One dataset: show, change",
    "/api/v1/admin/keys": "Keys: list, issue; needs a key",
    "/api/v1/admin/keys/{id}": "One key: revoke",
    "/api/v1/submissions": "Submissions: list, send; needs a key; see "
    "[docs/partners.md](docs/partners.md)",
    "/api/v1/submissions/{id}": "One submission",
    "/api/v1/submissions/{id}/report": "How the shapes judge it",
    "/api/v1/submissions/{id}/diff": "What it adds and removes",
    "/api/v1/submissions/{id}/accept": "Publish what is in review; for curators",
    "/api/v1/submissions/{id}/reject": "Refuse what is in review, with a reason; for curators",
    "/api/v1/submissions/{id}/withdraw": "Take back what is not decided",
    "/api/v1/submissions/{id}/revert": "Undo what was published",
    "/api/v1/jobs": "Jobs, the newest first; needs a key",
    "/api/v1/jobs/{id}": "One job: as it is, or each change as it happens; see "
    "[docs/jobs.md](docs/jobs.md)",
    "/ogc": "OGC API - Features: where the entities are, for maps; see "
    "[docs/exports.md](docs/exports.md#maps)",
    "/ogc/api": "Its definition as OpenAPI 3.0",
    "/ogc/conformance": "What it conforms to",
    "/ogc/collections": "The types that have places",
    "/ogc/collections/{collection}": "One of them",
    "/ogc/collections/{collection}/items": "Its features, with `bbox`, `limit`, filters",
    "/ogc/collections/{collection}/items/{feature}": "One feature",
    "/queries": "The named queries for people, each with a form for its parameters",
    "/queries/{name}": "One of them: its text with `?parameter=value`, and links to the results",
    "/api/v1/queries": "Named queries: words, text, parameters of each; see "
    "[docs/sparql.md](docs/sparql.md#named-queries)",
    "/api/v1/queries/{name}": "The result of one, `?parameter=value`, in the formats of `/sparql`",
    "/mcp": "Model Context Protocol for language models: tools and documents, which only read; see "
    "[docs/api.md](docs/api.md)",
    "/catalog": "The datasets, as a page or as DCAT-AP: see [docs/discovery.md](docs/discovery.md)",
    "/catalog.{suffix}": "The same in the format of the suffix",
    "/.well-known/void": "VoID: how much is in the datasets, by class and property",
    "/.well-known/api-catalog": "The interfaces as a set of links (RFC 9727)",
    "/reconcile": "Reconciliation Service API 0.2, for OpenRefine: see "
    "[docs/reconciliation.md](docs/reconciliation.md)",
    "/reconcile/suggest/entity": "Entities by the beginning of a name",
    "/reconcile/suggest/property": "Properties by the beginning of a name",
    "/reconcile/suggest/type": "Types by the beginning of a name",
    "/reconcile/flyout/{what}": "A few lines about an entity, property or type: `?id=`",
    "/reconcile/preview": "A small page about an entity, to be framed: `?id=`",
    "/reconcile/extend/propose": "Properties that can be fetched for a `?type=`",
    "/reconcile/1.0": "The same service by the draft of version 1.0",
    "/reconcile/1.0/match": "Queries of the draft",
    "/reconcile/1.0/reconcile": "The same, by its earlier address",
    "/reconcile/1.0/extend": "Data extension of the draft",
    "/reconcile/1.0/extend/propose": "As above",
    "/reconcile/1.0/suggest/entity": "As above",
    "/reconcile/1.0/suggest/property": "As above",
    "/reconcile/1.0/suggest/type": "As above",
    "/reconcile/1.0/preview": "As above",
    "/context.jsonld": "The JSON-LD context of all records",
    "/openapi.json": "OpenAPI 3.1 description of the JSON interface",
    "/docs": "The same as a page, with examples",
    "/validate": "A form for checking data",
    "/health/live": "200 as long as the process answers",
    "/health/ready": "200 when the newest published state is served, with its number; else 503",
    "/metrics": "Figures for Prometheus: see [docs/operating.md](docs/operating.md)",
    "/static/{path}": "Style and scripts of the pages",
    "/favicon.ico": "The icon of the pages",
}
"""Every address, and what is there; `{types}` stands for each collection of the profile."""

FAILPOINT_TEXTS: Mapping[str, str] = {
    "submission.source-written": "what was sent is on disk; the register does not know it yet",
    "submission.received": "the register has the submission; no job has begun",
    "submission.validated": "report and difference are kept; nothing is decided",
    "submission.waiting": "it waits for a curator; its sender has no answer yet",
    "log.diff-written": "a large diff is on disk; the log does not know it yet",
    "log.before-append": "all is ready, the row is not written",
    "log.appended": "the commit is in the log; no follower has it",
    "store.before-data": "the store is about to apply the commit",
    "store.between-data-and-marker": "a large commit is applied, the marker is still the old one",
    "store.marked": "data and marker are on disk; there is no checkpoint yet",
    "store.checkpoint-unnamed": "the checkpoint is written under a temporary name",
    "store.checkpoint-named": "the checkpoint has its name; the caller has no answer yet",
    "merge.checkpoint-unnamed": "files are merged; the second checkpoint has a temporary name",
    "merge.checkpoint-named": "it has its name; readers do not know of it yet",
    "remote.before-update": "a store elsewhere is about to be sent the commit",
    "remote.between-updates": "it has a part of a large commit; its marker is still the old one",
    "remote.updated": "it has the commit and its marker; nobody here knows",
    "index.before-commit": "changed documents are with the index, and not committed",
    "index.committed": "they are committed with the marker; nobody who searches sees them yet",
    "index.building": "a new index is written, and not committed",
    "index.built": "it is whole, but lies beside the one that is used",
    "submission.published": "it is published and shown; its job is not noted as done",
}

ACT_TEXTS: Mapping[Act, str] = {
    Act.IDENTIFY: "ask what the key stands for",
    Act.SEE_OWN: "see its own partner, datasets and keys",
    Act.WRITE_OWN: "write to the datasets of its partner, mint under its partner's prefix",
    Act.WRITE_ALL: "write to the datasets of all partners, mint under all prefixes",
    Act.ADMINISTER: "see and change all partners, datasets and keys",
}

STATE_TEXTS: Mapping[State, str] = {
    State.RECEIVED: "it is kept, and waits to be looked at",
    State.VALIDATED: "it was checked and compared",
    State.IN_REVIEW: "a curator is to decide",
    State.PUBLISHED: "everybody sees it; if it changed nothing, it has no `generation`",
    State.REJECTED: "it was refused: `problem` or `reason` says why",
    State.WITHDRAWN: "its sender has taken it back",
}

LICENCES: Mapping[str, str] = {
    "http://publications.europa.eu/resource/authority/licence/CC0": "CC0 1.0",
    "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0": "CC BY 4.0",
    "http://publications.europa.eu/resource/authority/licence/COM_REUSE": "European Commission "
    "reuse (Decision 2011/833/EU)",
}

_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(?=<!-- /generated -->)", re.S)


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])


def rewritten(text: str) -> str:
    """The text with its generated parts made anew."""

    def made(match: re.Match[str]) -> str:
        return f"{match[1]}\n{PARTS[match['name']]().strip()}\n\n"

    return _PART.sub(made, text)


def main() -> None:
    """Rewrite every document in place."""
    for path in documents():
        before = path.read_text(encoding="utf-8")
        after = rewritten(before)
        if after != before:
            path.write_text(after, encoding="utf-8")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# settings, addresses, commands


def settings() -> str:
    """Fields of Settings."""
    rows = (
        (f"`LIFETEC_{name.upper()}`", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return _table(("Setting", "Default", "Meaning"), rows)


def _default(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT) if value.is_absolute() else value}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def addresses() -> str:
    """Routes of the application, and what stands in front of them."""
    methods: dict[str, set[str]] = {}
    for path, offered in _addresses():
        methods.setdefault(path, set()).update(offered)
    found = {
        path: ", ".join(sorted(offered, key=_METHODS.index)) for path, offered in methods.items()
    }
    unknown, gone = sorted(found.keys() - ADDRESSES), sorted(ADDRESSES.keys() - found)
    if unknown or gone:
        raise LookupError(f"ADDRESSES in docs/generate.py: add {unknown}, remove {gone}")
    rows = ((f"`{path}`", found[path], text) for path, text in ADDRESSES.items())
    return _table(("Address", "Methods", "What is there"), rows)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _addresses() -> Iterator[tuple[str, Iterable[str]]]:
    collections = {kind.collection for kind in _profile().types}
    yield "/sparql", METHODS
    yield "/sparql/update", UPDATE_METHODS
    yield "/graphs", GRAPH_METHODS
    yield "/health/live", ("GET",)
    for path, methods in asyncio.run(_routes()):
        yield _general(path, collections), methods - {"HEAD"}


def _general(path: str, collections: set[str]) -> str:
    """A route's path with the names of types replaced by a variable."""
    if path.startswith("/api/v1/admin/"):
        return path
    parts = [_variable(part, collections) for part in path.split("/")]
    if parts[1] == "id":
        parts[2] = "{type}"
    return "/".join(parts)


def _variable(part: str, collections: set[str]) -> str:
    name, dot, suffix = part.partition(".")
    if name in collections:
        return f"{{types}}{dot}{suffix}"
    return part.replace(":path}", "}")


async def _routes() -> list[tuple[str, set[str]]]:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    with tempfile.TemporaryDirectory() as folder:
        given = {"data_dir": Path(folder), "store": "memory", "workers": 1}
        framework = create_app(_Untouched(**{**defaults, **given})).framework
        async with framework.router.lifespan_context(framework):
            return list(_walk(framework.routes))


class _Untouched(Settings):
    """Settings that do not look at the environment."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *args: Any, **sources: Any
    ) -> tuple[Any, ...]:
        """Only what the constructor is given."""
        del settings_cls, args
        return (sources["init_settings"],)


def _walk(routes: Iterable[Any]) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _walk(included.routes)
        else:
            yield route.path, set(getattr(route, "methods", None) or {"GET"})


def commands() -> str:
    """Commands of the script, from their functions."""
    rows = []
    for name, function in _commands(cli):
        options = [_parameter(*each) for each in _parameters(function)]
        rows.append((f"`lifetec {name}`", inspect.getdoc(function) or "", "<br>".join(options)))
    return _table(("Command", "What it does", "Arguments and options"), rows)


def command_names() -> set[str]:
    """First words of the commands of the script."""
    return {name.partition(" ")[0] for name, _ in _commands(cli)}


def _commands(group: typer.Typer, before: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in group.registered_commands:
        if command.callback is not None:
            yield before + (command.name or command.callback.__name__), command.callback
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            name = inner.name or inner.typer_instance.info.name
            yield from _commands(inner.typer_instance, f"{before}{name} ")


def _parameters(
    function: Callable[..., Any],
) -> Iterator[tuple[str, ArgumentInfo | OptionInfo, bool]]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if get_origin(hints[name]) is Annotated:
            for note in get_args(hints[name])[1:]:
                if isinstance(note, ArgumentInfo | OptionInfo):
                    yield name, note, parameter.default is inspect.Parameter.empty


def _parameter(name: str, info: ArgumentInfo | OptionInfo, required: bool) -> str:
    if isinstance(info, ArgumentInfo):
        shown = name.upper() if required else f"[{name.upper()}]"
    else:
        # in Annotated, the first declaration stands where a default would be
        first = info.default if isinstance(info.default, str) else ""
        shown = first if first.startswith("--") else "--" + name.replace("_", "-")
    return f"`{shown}` {info.help or ''}".strip()


def targets() -> str:
    """Targets of the Makefile that have a description."""
    rows = ((f"`make {name}`", text) for name, text in make_targets().items())
    return _table(("Command", "What it does"), rows)


def make_targets() -> dict[str, str]:
    """Name and description of each documented target."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z]+):.*?## (.*)$", text, re.M))


# errors, failpoints, formats


def problems() -> str:
    """Every kind of AppError as a problem type."""
    rows = []
    kinds: list[type[errors.AppError]] = [errors.AppError, *_below(errors.AppError)]
    for kind in kinds:
        when = (inspect.getdoc(kind) or "").split("\n\n")[0]
        if kind is errors.AppError:
            when = "A fault of the service itself; its log has the details."
        status = status_of(kind.__new__(kind))
        rows.append((f"`{kind.slug}`", str(status), kind.title, _sentence(when)))
    rows.sort(key=lambda row: (row[1], row[0]))
    return _table(("Type", "Status", "Title", "When"), rows)


def _below(kind: type[errors.AppError]) -> Iterator[type[errors.AppError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _sentence(text: str) -> str:
    return text.replace(" (DESIGN: tombstones)", "")


def states() -> str:
    """States of a submission, from the table of transitions."""
    rows = (
        (f"`{state}`", STATE_TEXTS[state], ", ".join(f"`{one}`" for one in State if one in after))
        for state, after in TRANSITIONS.items()
    )
    return _table(("State", "What it means", "What may follow"), rows)


def roles() -> str:
    """What each role may do, from the table of rights."""
    rows = (
        (f"`{act}`", ACT_TEXTS[act], *("yes" if role.includes(LEAST[act]) else "" for role in Role))
        for act in Act
    )
    return _table(("Right", "What it is", *(f"`{role}`" for role in Role)), rows)


def failpoints() -> str:
    """Named moments of a commit, in their order."""
    return _table(
        ("`LIFETEC_FAILPOINT`", "At this moment"),
        ((f"`{name}`", FAILPOINT_TEXTS[name]) for name in FAILPOINTS),
    )


def limits() -> str:
    """What one query may use."""
    return _limits(
        "query_seconds", "query_memory_mb", "query_result_mb", "query_kb", "workers", "queue"
    )


def budgets() -> str:
    """What one client may ask of the endpoint."""
    return _limits("query_rate", "query_budget", "query_at_once", "key_factor")


def validate_limits() -> str:
    """What one check of data may use."""
    return _limits("validate_seconds", "validate_memory_mb", "validate_mb", "validate_rate")


def service_limits() -> str:
    """What one call to another endpoint may use."""
    return _limits(
        "service_endpoints", "service_seconds", "service_kb", "service_rows", "service_at_once",
        "service_private",
    )  # fmt: skip


def _limits(*shown: str) -> str:
    fields = Settings.model_fields
    rows = (
        (
            fields[name].description or "",
            _default(fields[name].default),
            f"`LIFETEC_{name.upper()}`",
        )
        for name in shown
    )
    return _table(("Limit", "Default", "Setting"), rows)


def formats() -> str:
    """Media types of both kinds of result."""
    graphs = [(f"`{name}`", "CONSTRUCT, DESCRIBE") for name in media.GRAPH_FORMATS]
    results = [(f"`{name}`", "SELECT, ASK") for name in media.RESULT_FORMATS]
    return _table(("Media type", "For"), [*results, *graphs])


def files() -> str:
    """File suffixes that are read."""
    rows = (
        (f"`.{suffix}`, `.{suffix}.gz`", f"`{name}`") for suffix, name in media.SUFFIXES.items()
    )
    return _table(("Suffix", "Format"), rows)


# datasets


def datasets() -> str:
    """Every dataset that comes with the software, from what its file says of itself."""
    head = ("File", "Dataset", "Statements", "Licence", "Source")
    return _table(head, (_dataset(path)[:5] for path in _dataset_files()))


def licences() -> str:
    """The same with what was taken."""
    rows = (_dataset(path) for path in _dataset_files())
    head = ("File", "Licence", "Source", "What was taken")
    return _table(head, ((r[0], r[3], r[4], r[5]) for r in rows))


def _dataset_files() -> list[Path]:
    return [*sorted((ROOT / "data").glob("*.ttl")), *sorted((ROOT / "ontology").glob("*.ttl"))]


@cache
def _dataset(path: Path) -> tuple[str, ...]:
    quads = list(ox.parse(path=str(path), format=ox.RdfFormat.TURTLE))
    subject = next(q.subject for q in quads if q.predicate == type_ and q.object == DCAT["Dataset"])
    facts = [quad for quad in quads if quad.subject == subject]

    def of(predicate: ox.NamedNode) -> list[str]:
        found = [q.object for q in facts if q.predicate == predicate]
        return sorted(
            one.value
            for one in found
            if isinstance(one, ox.NamedNode)
            or (isinstance(one, ox.Literal) and one.language in {None, "en"})
        )

    name = path.relative_to(ROOT).as_posix()
    licence = ", ".join(LICENCES[iri] for iri in of(DCTERMS["license"]))
    own = (BASE, "https://example.org/")
    sources = "<br>".join(f"<{iri}>" for iri in of(DCTERMS["source"]) if not iri.startswith(own))
    return (
        f"[{name}]({name})",
        of(DCTERMS["title"])[0],
        f"{len(quads):,}",
        licence,
        sources or "own work",
        of(DCTERMS["description"])[0],
    )


def _report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "data" / "report.json").read_text("utf-8"))
    return found


def imported() -> str:
    """What the importers took and what they left out, in short."""
    lines = []
    for name, report in _report().items():
        counts: dict[str, int] = report["counts"]
        kept = []
        for key, number in counts.items():
            if key.endswith(" kept"):
                read = counts.get(key.removesuffix("kept") + "read")
                of = f" of {read:,}" if read and read != number else ""
                kept.append(f"{number:,} {key.removesuffix(' kept')}{of}")
        lines.append((f"`{name}`", ", ".join(kept)))
    return _table(("Dataset", "Taken"), lines)


def importing() -> str:
    """The whole report of the importers."""
    parts = []
    for name, report in _report().items():
        rows = ((key, f"{number:,}") for key, number in report["counts"].items())
        parts.append(f"### {name}\n\n{_table(('What', 'Number'), rows)}")
        parts += [f"- {key}: {text}." for key, text in report["methods"].items()]
    return "\n\n".join(parts).replace(".\n\n- ", ".\n- ")


# the profile


@cache
def _profile() -> Profile:
    return load_profile(ROOT / "ontology", ROOT / "shapes", BASE)


def types() -> str:
    """Entity types in short."""
    rows = (
        (
            f"[{kind.label('en')}](docs/data-model.md#{kind.name})",
            f"`{kind.collection}`",
            ", ".join(f"`{_compact(c.value)}`" for c in kind.classes),
            kind.comment("en"),
        )
        for kind in _profile().types
    )
    return _table(("Type", "In addresses", "Class", "What it is"), rows)


def data_model() -> str:
    """Types, parts and their fields."""
    profile = _profile()
    kinds = [_type_section(kind) for kind in profile.types]
    parts = [_part_section(part) for part in profile.parts]
    return "\n\n".join(["## Entity types", *kinds, "## Parts", *parts])


def _type_section(kind: EntityType) -> str:
    facts = [
        f"{kind.comment('en')}",
        "",
        f"- labels: {_labels(kind.labels)}",
        f"- class: {', '.join(f'`{_compact(c.value)}`' for c in kind.classes)}",
        f"- IRI: `{BASE}{kind.path}{{slug}}`, list: `/api/v1/{kind.collection}`",
        f"- counted by `facets`: {_facets(kind)}",
    ]
    return "\n".join([f"### {kind.name}", "", *facts, "", _fields(kind.fields)])


def _facets(kind: EntityType) -> str:
    names = [f"`{name}`" for name, what in filterable(kind).items() if what.field.facet]
    return ", ".join(names) or "no field"


def _part_section(part: Part) -> str:
    classes = ", ".join(f"`{_compact(c.value)}`" for c in part.classes)
    facts = [f"- labels: {_labels(part.labels)}"] + ([f"- class: {classes}"] if classes else [])
    return "\n".join([f"### {part.name}", "", *facts, "", _fields(part.fields)])


def _labels(labels: Mapping[str, str]) -> str:
    order = ("en", "nl", "de", "fr")
    return ", ".join(f"{labels[lang]} ({lang})" for lang in order if lang in labels)


def _fields(fields: Iterable[Field]) -> str:
    head = ("JSON name", "en", "nl", "de", "fr", "Predicate", "Value", "Number")
    return _table(head, (_field(field) for field in fields))


def _field(field: Field) -> tuple[str, ...]:
    labels = (field.labels.get(lang, "") for lang in ("en", "nl", "de", "fr"))
    most = "n" if field.max is None else str(field.max)
    number = "derived" if field.derived else f"{field.min}..{most}"
    return (f"`{field.name}`", *labels, f"`{_path(field.path)}`", _value(field), number)


def _path(path: Iterable[Step]) -> str:
    return "/".join(("^" if step.inverse else "") + _compact(step.predicate.value) for step in path)


def _value(field: Field) -> str:
    if field.kind == "part" and field.part:
        return f"[{field.part.name}](#{field.part.name.lower()})"
    if field.kind == "text":
        return "text by language"
    if field.values:
        return "one of " + ", ".join(f"`{_shown(one)}`" for one in field.values)
    if field.kind == "reference":
        return _reference(field)
    return ", ".join(f"`{_compact(one.value)}`" for one in field.datatypes) or "literal"


def _reference(field: Field) -> str:
    if field.scheme:
        return f"concept of {_compact(field.scheme.value)}"
    names = [f"`{_compact(one.value)}`" for one in field.classes]
    return "IRI of " + " or ".join(names) if names else "IRI"


def _shown(value: ox.NamedNode | ox.Literal) -> str:
    return _compact(value.value) if isinstance(value, ox.NamedNode) else value.value


def _compact(iri: str) -> str:
    spaces = ((name, str(space)) for name, space in PREFIXES.items())
    fitting = [(name, space) for name, space in spaces if iri.startswith(space)]
    if not fitting:
        return iri.replace(f"{BASE}scheme/", "scheme ")
    name, space = max(fitting, key=lambda each: len(each[1]))
    return f"{name}:{iri[len(space) :]}"


def prefixes() -> str:
    """The prefixes of this documentation."""
    return _table(("Prefix", "Namespace"), ((f"`{k}:`", f"<{v!s}>") for k, v in PREFIXES.items()))


PARTS: Mapping[str, Callable[[], str]] = {
    "addresses": addresses,
    "budgets": budgets,
    "commands": commands,
    "data-model": data_model,
    "datasets": datasets,
    "failpoints": failpoints,
    "files": files,
    "formats": formats,
    "imported": imported,
    "importing": importing,
    "licences": licences,
    "limits": limits,
    "prefixes": prefixes,
    "problems": problems,
    "roles": roles,
    "service-limits": service_limits,
    "states": states,
    "settings": settings,
    "targets": targets,
    "types": types,
    "validate-limits": validate_limits,
}
"""What can stand between the marks of a generated part."""

if __name__ == "__main__":
    main()
