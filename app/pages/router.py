"""Routes of the pages: one request, one call to a room, one page or document."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app.catalog.linkset import home_links
from app.errors import NotFound, kind_of
from app.pages.examples import FIRST_STEPS, Example, first_steps
from app.pages.history import HistoryPages, HistorySource, history_path
from app.pages.languages import LANGUAGES, preferred
from app.pages.links import checked_iri, resource_path, with_parameters
from app.pages.listing import ListRequest, facet_choices
from app.pages.minimap import draw_minimap
from app.pages.record_view import RecordView, as_list
from app.pages.reference import Document, Reference
from app.pages.representations import (
    FORMAT_NAMES,
    GRAPH_RESULT_FORMATS,
    RESULT_FORMATS,
    SUFFIX_OF,
    VARY,
    accepted,
    media_of,
    see_other,
    split_suffix,
    suffixed,
)
from app.pages.schema_org import schema_org, script_safe
from app.pages.schemes import SchemePage
from app.pages.site import STATIC, Site, conditional
from app.profile import EntityType, Field, Profile
from app.rdf.media import GRAPH_FORMATS, HTML, JSON, negotiate
from app.rdf.terms import DCAT, DCTERMS, SKOS
from app.settings import Settings

PAGE_SIZE = 25


class RecordSource(Protocol):
    """What the pages ask of the records room (`app.records`), and tests put in its place."""

    @property
    def generation(self) -> int:
        """The number of the commit that an answer would show."""
        ...

    @property
    def searchable(self) -> bool:
        """Whether there is, or will be, a search index."""
        ...

    async def page(
        self,
        type_name: str,
        *,
        filters: Mapping[str, Sequence[str]] = ...,
        q: str | None = ...,
        limit: int = ...,
        offset: int = ...,
        lang: str = ...,
        facets: bool = ...,
    ) -> dict[str, Any]:
        """One page of a list."""
        ...

    async def get(self, iri: str, *, lang: str = ...) -> dict[str, Any]:
        """One record."""
        ...

    async def document(self, iri: str, media_type: str) -> bytes:
        """One entity as RDF."""
        ...

    async def counts(self) -> dict[str, int]:
        """How many entities of each type there are."""
        ...

    async def datasets(self, *, lang: str = ...) -> list[dict[str, Any]]:
        """The datasets."""
        ...


class Pages:
    """The pages of the service: its routes, its problem page and its SPARQL form.

    `examples` are shown under the SPARQL form after the five first steps; `source_url` is where the
    source code lies.
    """

    def __init__(
        self,
        records: RecordSource,
        history: HistorySource,
        profile: Profile,
        settings: Settings,
        *,
        examples: Sequence[Example] = (),
        source_url: str | None = None,
    ) -> None:
        self._records = records
        self._files = ("csv", "xlsx") if records.searchable else ()
        self._profile = profile
        self.site = self._site = Site(
            profile, public_url=settings.public_url, source_url=source_url
        )
        self._history = HistoryPages(history, profile, self._site, self._view)
        self._schemes = SchemePage(records, profile, self._site, self._view)
        self.reference = Reference(profile)
        texts = self._site.texts
        titles = {
            key: {lang: texts.get(lang, f"try.{key}") for lang in LANGUAGES} for key in FIRST_STEPS
        }
        self._first_steps = first_steps(titles)
        self._examples = (*self._first_steps, *examples)
        self._static = StaticFiles(directory=STATIC)
        self.router = self._routes()

    def _routes(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        add = router.add_route
        add("/", self._home, methods=["GET"])
        add("/docs", self._api, methods=["GET"])
        add("/validate", self._validate, methods=["GET"])
        add("/static/{path:path}", self._static_file, methods=["GET"])
        add("/favicon.ico", self._favicon, methods=["GET"])
        for name in ("ontology", "profile", "shapes"):
            add(f"/{name}", self._reference_page(name), methods=["GET"])
            add(f"/{name}.{{suffix}}", self._reference_page(name), methods=["GET"])
        add("/problem/{slug}", self._problem_type, methods=["GET"])
        add("/resource", self._resource, methods=["GET"])
        add("/resource.{suffix}", self._resource, methods=["GET"])
        add("/scheme/{name}", self._scheme, methods=["GET"])
        self._history.add_to(router)  # before records, whose slugs may hold slashes
        for kind in self._profile.types:
            if kind.path:
                add(f"/{kind.path}{{slug:path}}", self._identifier(kind), methods=["GET"])
            add(f"/{kind.collection}", self._list(kind), methods=["GET"])
            add(f"/{kind.collection}/{{slug:path}}", self._entity(kind), methods=["GET"])
        return router

    # pages

    async def _home(self, request: Request) -> Response:
        lang = self._site.language(request)
        counts = await self._records.counts()
        datasets = [self._dataset(d, request) for d in await self._records.datasets(lang=lang)]
        context = {
            "counts": [
                (kind, counts[kind.name]) for kind in self._profile.types if counts.get(kind.name)
            ],
            "datasets": datasets,
            "first_steps": [(e.key, preferred(e.titles, lang)) for e in self._first_steps],
            "generation": self._records.generation,
            "canonical": self._site.public_url + "/",
        }
        page = self._site.page(request, "home.html", context)
        page.headers["Link"] = home_links(self._site.public_url)
        return page

    def _dataset(self, record: Mapping[str, Any], request: Request) -> dict[str, Any]:
        """One row of the table of datasets, its columns found by their properties."""
        view = self._view(request)
        kind = self._profile.find("dataset")
        row: dict[str, Any] = {
            "name": record.get("name") or record["id"],
            "href": self._profile.local_path(record["id"]),
            "example": record.get("example", False),
            "publisher": (),
            "licence": (),
            "modified": (),
        }
        columns = {
            "publisher": (DCTERMS["publisher"],),
            "licence": (DCTERMS["license"],),
            "modified": (DCTERMS["modified"], DCTERMS["issued"]),
        }
        for field in kind.fields if kind else ():
            for column, predicates in columns.items():
                if field.predicate in predicates and field.name in record and not row[column]:
                    row[column] = view.row(field, record[field.name]).values
        if not row["licence"]:
            row["licence"] = self._distribution_licence(record, kind, view)
        return row

    def _distribution_licence(
        self, record: Mapping[str, Any], kind: EntityType | None, view: RecordView
    ) -> tuple[Any, ...]:
        for field in kind.fields if kind else ():
            if field.predicate == DCAT["distribution"] and field.part is not None:
                for part in as_list(record.get(field.name)):
                    for inner in field.part.fields:
                        if inner.predicate == DCTERMS["license"] and inner.name in part:
                            return view.row(inner, part[inner.name]).values
        return ()

    def _list(self, kind: EntityType) -> Callable[[Request], Any]:
        async def show(request: Request) -> Response:
            asked = ListRequest(request, kind)
            if negotiate(request.headers.get("accept"), (HTML, JSON)) == JSON:
                return see_other(asked.api_address(), {"Vary": "Accept"})
            found = await self._records.page(
                kind.name,
                filters=asked.filters,
                q=asked.q or None,
                limit=PAGE_SIZE,
                offset=asked.offset,
                lang=self._site.language(request),
                facets=True,
            )
            return self._site.page(request, "list.html", self._list_context(request, asked, found))

        return show

    def _list_context(
        self, request: Request, asked: ListRequest, found: Mapping[str, Any]
    ) -> dict[str, Any]:
        kind, view = asked.kind, self._view(request)
        total = int(found["total"])
        facets = facet_choices(asked, found.get("facets") or {}, self._site.language(request))
        items = [
            {
                "name": item.get("name") or item["id"],
                "href": self._profile.local_path(item["id"]),
                "example": item.get("example", False),
                "summary": view.summary(item, kind),
                "snippet": view.snippet(item, kind),
            }
            for item in found["items"]
        ]
        last = asked.offset + len(items)
        return {
            "kind": kind,
            "current": kind.name,
            "items": items,
            "total": total,
            "first": asked.offset + 1 if items else 0,
            "last": last,
            "page_number": asked.offset // PAGE_SIZE + 1,
            "page_count": max(1, -(-total // PAGE_SIZE)),
            "q": asked.q,
            "facets": facets,
            "chips": [
                {"name": name, "label": label, "href": asked.without(field, value)}
                for field, label, value, name in asked.chosen(facets)
            ],
            "clear": asked.address({}, 0),
            "previous": asked.address(asked.filters, max(0, asked.offset - PAGE_SIZE))
            if asked.offset
            else None,
            "next": asked.address(asked.filters, last) if last < total else None,
            "json_href": asked.api_address(),
            "files": [(name.upper(), asked.file_address(name)) for name in self._files],
            "canonical": f"{self._site.public_url}/{kind.collection}",
        }

    def _entity(self, kind: EntityType) -> Callable[[Request], Any]:
        async def show(request: Request) -> Response:
            slug, media = split_suffix(request.path_params["slug"])
            iri = checked_iri(self._profile.locate(kind.collection, slug))
            path = f"/{kind.collection}/{quote(slug, safe=_PATH_SAFE)}"
            return await self._thing(request, iri, media, path, kind)

        return show

    async def _resource(self, request: Request) -> Response:
        iri = checked_iri(request.query_params.get("iri"), parameter=True)
        suffix = request.path_params.get("suffix")
        media = media_of(suffix) if suffix else None
        local = self.reference.local(iri) or self._local_path(iri)
        if local is not None:
            return see_other(self._site.linker(request)(suffixed(local, media)), {})
        path = resource_path(iri)
        return await self._thing(request, iri, media, path, None)

    async def _thing(
        self, request: Request, iri: str, media: str | None, path: str, kind: EntityType | None
    ) -> Response:
        """Answer for one entity in the format of the suffix or of the Accept header."""
        media = media or accepted(request)
        if media == HTML:
            return await self._entity_page(request, iri, path, kind)
        headers = VARY | {"Link": f'<{self._site.public_url}{path}>; rel="canonical"'}
        if media == JSON:
            record = await self._records.get(iri, lang=self._site.language(request))
            body = json.dumps(record, ensure_ascii=False).encode()
        else:
            body = await self._records.document(iri, media)
        return conditional(request, body, media, headers)

    async def _entity_page(
        self, request: Request, iri: str, path: str, kind: EntityType | None
    ) -> Response:
        lang = self._site.language(request)
        record = await self._records.get(iri, lang=lang)
        if SKOS["ConceptScheme"].value in self._classes(record):
            return await self._schemes.show(request, record, path)
        kind = self._kind(record) or kind
        view = self._view(request)
        point = view.point(record)
        name = str(record.get("name") or iri)
        page = self._site.public_url + path
        formats = [
            (FORMAT_NAMES[media], media, suffixed(path, media)) for media in (*GRAPH_FORMATS, JSON)
        ]
        context = {
            "record": record,
            "iri": iri,
            "name": name,
            "kind": kind,
            "current": kind.name if kind else None,
            "sections": view.sections(record, kind),
            "minimap": draw_minimap(point, name) if point else None,
            "formats": formats,
            "alternates": [(media, href) for _, media, href in formats],
            "canonical": page,
            "asserted_by": _asserted_by(record, view),
            "history": history_path(self._profile.local_path(iri)),
            "json_ld": script_safe(schema_org(record, kind, page)),
        }
        return self._site.page(request, "entity.html", context)

    def _classes(self, record: Mapping[str, Any]) -> list[str]:
        """The IRIs of a record's classes, which it may give by their short names."""
        by_term = {term: iri for iri, term in self._profile.class_terms.items()}
        return [by_term.get(name, name) for name in map(str, as_list(record.get("type")))]

    def _kind(self, record: Mapping[str, Any]) -> EntityType | None:
        return self._profile.of_classes(self._classes(record))

    def _local_path(self, iri: str) -> str | None:
        """The page of an entity or scheme of our own; None for any other IRI."""
        scheme = _scheme_name(iri, self._profile.base_iri)
        if scheme is not None:
            return f"/scheme/{scheme}"
        path = self._profile.local_path(iri)
        return None if path.startswith("/resource?") else path

    # addresses of things

    def _identifier(self, kind: EntityType) -> Callable[[Request], Any]:
        """Lead from an identifier to a document about the thing (303, httpRange-14)."""

        async def redirect(request: Request) -> Response:
            slug = request.path_params["slug"]
            if not slug:
                raise NotFound("This address names no entity: its last part is missing.")
            path = self._profile.local_path(self._profile.iri(kind.name, slug))
            media = accepted(request)
            target = path if media == HTML else suffixed(path, media)
            return see_other(self._site.linker(request)(target), {"Vary": "Accept"})

        return redirect

    async def _scheme(self, request: Request) -> Response:
        stem, media = split_suffix(request.path_params["name"])
        iri = checked_iri(f"{self._profile.base_iri}scheme/{stem}")
        path = f"/scheme/{quote(stem)}"
        media = media or accepted(request)
        if media != HTML:
            return await self._thing(request, iri, media, path, None)
        try:
            scheme = await self._records.get(iri, lang=self._site.language(request))
        except NotFound:
            scheme = {"id": iri}  # its concepts may be known all the same
        return await self._schemes.show(request, scheme, path)

    # ontology and shapes

    def _reference_page(self, name: str) -> Callable[[Request], Any]:
        document: Document = getattr(self.reference, name)
        offered = (HTML, *GRAPH_FORMATS)

        async def show(request: Request) -> Response:
            suffix = request.path_params.get("suffix")
            media = media_of(suffix) if suffix else accepted(request, offered)
            if media == JSON or (not document and media != HTML):
                raise NotFound("There is no document of this kind here.")
            if media != HTML:
                headers = VARY | {"Link": f'<{self._site.public_url}/{name}>; rel="canonical"'}
                return conditional(request, document.serialised(media), media, headers)
            context = {
                "reference": self.reference,
                "text": lambda texts, other: preferred(texts, self._site.language(request), other),
                "formats": [(FORMAT_NAMES[m], m, f"/{name}.{SUFFIX_OF[m]}") for m in GRAPH_FORMATS]
                if document
                else [],
                "alternates": [(m, f"/{name}.{SUFFIX_OF[m]}") for m in GRAPH_FORMATS],
                "canonical": f"{self._site.public_url}/{name}",
                "current": name,
                "cardinality": _cardinality,
            }
            return self._site.page(request, f"{name}.html", context)

        return show

    async def _api(self, request: Request) -> Response:
        """What a program needs to know to begin; the rest is in the OpenAPI description."""
        kind = self._profile.types[0]
        facet = next((field.name for field in kind.fields if field.facet), "id")
        lists = f"/api/v1/{kind.collection}"
        context = {
            "current": "api",
            "examples": [
                f"{lists}?q=university&limit=10",
                f"{lists}?{facet}=education&facets=true",
                f"{lists}/{{slug}}",
            ],
            "canonical": f"{self._site.public_url}/docs",
        }
        return self._site.page(request, "api.html", context)

    async def _problem_type(self, request: Request) -> Response:
        """What a problem's `type` stands for (RFC 9457 §3.1.1)."""
        slug = request.path_params["slug"]
        kind = kind_of(slug)
        if kind is None:
            raise NotFound(f"There is no kind of problem called {slug!r}.")
        context = {
            "kind": kind,
            "meaning": (inspect.getdoc(kind) or "").split("\n\n", maxsplit=1)[0],
            "iri": f"{self._profile.base_iri}problem/{slug}",
        }
        return self._site.page(request, "problem_type.html", context)

    async def _validate(self, request: Request) -> Response:
        context = {
            "report": None,
            "current": "validate",
            "canonical": f"{self._site.public_url}/validate",
        }
        return self._site.page(request, "validate.html", context)

    # handed to others

    def validation_report(self, request: Request, report: Mapping[str, Any]) -> Response:
        """A validation report for people; its address cannot be visited, the form's can."""
        context = {
            "report": report,
            "current": "validate",
            "in_language": lambda code: with_parameters("/validate", [("lang", code)]),
        }
        return self._site.page(request, "validate.html", context)

    async def sparql_page(self, request: Request, query: str | None = None) -> Response:
        """The query form, for browsers that come to the endpoint; `query` is run at once."""
        lang = self._site.language(request)
        wanted = request.query_params.get("example")
        chosen = next((e for e in self._examples if e.key == wanted), self._examples[0])
        context = {
            "current": "sparql",
            "examples": [(e.key, preferred(e.titles, lang), e.query) for e in self._examples],
            "query": chosen.query if query is None else query,
            "run": query is not None,
            "formats": RESULT_FORMATS,
            "graph_formats": GRAPH_RESULT_FORMATS,
            "endpoint": f"{self._site.public_url}/sparql",
            "base_iri": self._profile.base_iri,
            "canonical": f"{self._site.public_url}/sparql",
        }
        return self._site.page(request, "sparql.html", context)

    def render_problem(self, request: Request, problem: Mapping[str, Any]) -> Response:
        """A problem document (RFC 9457) as a page; its status is the page's."""
        status = int(problem.get("status", 500))
        slug = str(problem.get("type", "")).rstrip("/").replace("#", "/").rpartition("/")[2]
        texts, lang = self._site.texts, self._site.language(request)
        if slug not in {"gone", "not-found"}:
            slug = {404: "not-found", 410: "gone"}.get(status, slug)
        replaced = problem.get("replaced_by")
        view = self._view(request)
        deleted_at = problem.get("deleted_at")
        context = {
            "status": status,
            "heading": texts.find(lang, f"problem.{slug}")
            or problem.get("title")
            or texts.get(lang, "problem.other"),
            "explanation": texts.find(lang, f"problem.{slug}_text"),
            "problem": problem,
            "slug": slug,
            "iri": problem.get("iri"),
            "history": history_path(self._profile.local_path(str(problem["iri"])))
            if problem.get("iri")
            else None,
            "replaced": {
                "text": replaced,
                "href": self._local_path(str(replaced)) or resource_path(str(replaced)),
            }
            if replaced
            else None,
            "deleted_at": view.date(str(deleted_at)) if deleted_at else None,
        }
        return self._site.page(request, "problem.html", context, status=status)

    # small ones

    def _view(self, request: Request) -> RecordView:
        site = self._site
        return RecordView(self._profile, site.texts, site.language(request), site.linker(request))

    async def _static_file(self, request: Request) -> Response:
        path = request.path_params["path"]
        try:
            response = await self._static.get_response(path, request.scope)
        except HTTPException:
            raise NotFound(f"There is no file {path!r} here.") from None
        versioned = "v" in request.query_params
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if versioned else "no-cache"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    async def _favicon(self, request: Request) -> Response:
        return await self._static.get_response("favicon.svg", request.scope)


_PATH_SAFE = "/:@!$&'()*+,;=-._~"


def _cardinality(field: Field) -> str:
    return f"{field.min}..{field.max if field.max is not None else 'n'}"


def _asserted_by(record: Mapping[str, Any], view: RecordView) -> list[Any]:
    """The datasets that speak of an entity, where the record names them."""
    found = record.get("asserted_by")
    return [view.reference(item) for item in as_list(found)]


def _scheme_name(iri: str, base_iri: str) -> str | None:
    name = iri.removeprefix(f"{base_iri}scheme/")
    return name if name != iri and name and "/" not in name and "#" not in name else None


__all__ = ["Pages", "RecordSource"]
