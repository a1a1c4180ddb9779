"""Addresses for those who look for data: /catalog, /.well-known/void, /.well-known/api-catalog."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from pyoxigraph import NamedNode, Triple
from starlette.requests import Request
from starlette.responses import Response

from app.catalog import dcat, linkset
from app.catalog.house import House
from app.catalog.queries import Declaration, declarations, queries_query
from app.catalog.reading import Described, datasets_query, statistics_query
from app.catalog.void import void
from app.errors import NotFound
from app.pages.formats import format_date
from app.pages.links import licence_name, safe_href
from app.pages.representations import FORMAT_NAMES, SUFFIX_OF, VARY, accepted, media_of
from app.pages.site import Site, conditional
from app.profile import Profile
from app.rdf.media import GRAPH_FORMATS, HTML, JSON, N_TRIPLES
from app.rdf.serialising import serialise
from app.rdf.terms import DCTERMS, FOAF, PREFIXES, VOID, VOID_EXT
from app.sparql.endpoint import Endpoint
from app.sparql.named import DATATYPES, KINDS, NamedQuery, Parameter, usable
from app.sparql.operation import Query

_VOID_PREFIXES = {
    **{name: PREFIXES[name] for name in ("dcterms", "foaf", "void", "xsd")},
    "void-ext": VOID_EXT,
}

Ask = Callable[[str], Awaitable[tuple[int, bytes]]]
"""The graph of a CONSTRUCT as N-Triples, and its generation."""


def asking(endpoint: Endpoint) -> Ask:
    """By the endpoint that everybody uses, within the same limits."""

    async def ask(text: str) -> tuple[int, bytes]:
        async with endpoint.evaluate(Query(text, graphs=N_TRIPLES)) as answer:
            if answer.complete is not None:
                return answer.generation, answer.complete
            return answer.generation, b"".join([chunk async for chunk in answer.chunks])

    return ask


class DiscoveryPages:
    """Descriptions of the service; what they tell of the data is kept until there is newer."""

    def __init__(
        self, ask: Ask, generation: Callable[[], int], house: House, profile: Profile, site: Site
    ) -> None:
        self._ask = ask
        self._generation = generation
        self._house = house
        self._profile = profile
        self._site = site
        self._kept: dict[str, Described] = {}
        first = next(iter(profile.types), None)
        self._queries = {
            "datasets": datasets_query(house),
            "statistics": statistics_query(house, first.classes if first else ()),
            "queries": queries_query(house),
        }
        self._api_catalog = json.dumps(linkset.api_catalog(house.public_url)).encode()

    def add_to(self, router: APIRouter) -> None:
        """Add the routes; before others that would take the same paths."""
        for path, show in (
            ("/catalog", self._catalog),
            ("/catalog.{suffix}", self._catalog),
            ("/.well-known/void", self._void),
            ("/.well-known/api-catalog", self._links),
        ):
            router.add_route(path, show, methods=["GET", "HEAD"], include_in_schema=False)

    async def queries(self) -> tuple[int, dict[str, NamedQuery]]:
        """The named queries by name, and the generation that they are of."""
        described = await self._described("queries")
        found = declarations(described, self._house.base_iri)
        return described.generation, {one.name: _named(one) for one in found}

    async def _described(self, name: str) -> Described:
        kept = self._kept.get(name)
        if kept is None or kept.generation != self._generation():
            generation, text = await self._ask(self._queries[name])
            kept = self._kept[name] = await asyncio.to_thread(Described.of, generation, text)
        return kept

    async def _catalog(self, request: Request) -> Response:
        suffix = request.path_params.get("suffix")
        media = media_of(suffix) if suffix else accepted(request, (HTML, *GRAPH_FORMATS))
        if media == JSON:
            raise NotFound("The catalogue is there as a page and in the formats of RDF.")
        datasets = await self._described("datasets")
        if media == HTML:
            return self._page(request, datasets)
        body = await asyncio.to_thread(
            lambda: serialise(_ordered(dcat.catalog(datasets, self._house)), media)
        )
        link = {"Link": f'<{self._site.public_url}/catalog>; rel="canonical"'}
        return conditional(request, body, media, VARY | link)

    async def _void(self, request: Request) -> Response:
        media = accepted(request, GRAPH_FORMATS)
        statistics, datasets = (
            await self._described("statistics"),
            await self._described("datasets"),
        )
        body = await asyncio.to_thread(
            lambda: serialise(
                _ordered(void(statistics, datasets, self._house)), media, _VOID_PREFIXES
            )
        )
        return conditional(request, body, media, VARY)

    async def _links(self, request: Request) -> Response:
        own = f'<{self._site.public_url}/.well-known/api-catalog>; rel="api-catalog"'
        media_type = f'{linkset.MEDIA_TYPE}; profile="{linkset.PROFILE}"'
        return conditional(request, self._api_catalog, media_type, {"Link": own})

    def _page(self, request: Request, datasets: Described) -> Response:
        lang = self._site.language(request)
        rows = [self._row(one, datasets, lang) for one in dcat.catalogued(datasets)]
        formats = [(FORMAT_NAMES[m], m, f"/catalog.{SUFFIX_OF[m]}") for m in GRAPH_FORMATS]
        context = {
            "rows": sorted(rows, key=lambda row: str(row["title"]).casefold()),
            "triples": sum(row["triples"] for row in rows),
            "entities": sum(row["entities"] for row in rows),
            "formats": formats,
            "alternates": [(media, href) for _, media, href in formats],
            "canonical": f"{self._site.public_url}/catalog",
        }
        return self._site.page(request, "catalog.html", context)

    def _row(self, dataset: NamedNode, datasets: Described, lang: str) -> dict[str, Any]:
        months = self._site.texts.months(lang)
        publishers = datasets.iris(dataset, DCTERMS["publisher"])
        licences = datasets.iris(dataset, DCTERMS["license"])
        modified = datasets.values(dcat.record_of(dataset), DCTERMS["modified"])
        when = max((str(getattr(one, "value", "")) for one in modified), default="")
        licence = licences[0].value if licences else None
        return {
            "title": datasets.text(dataset, DCTERMS["title"], lang)
            or dataset.value.removeprefix(f"{self._house.base_iri}graph/"),
            "href": self._profile.local_path(dataset.value),
            "example": any(
                one.value.endswith("/dataset-type/example")
                for one in datasets.iris(dataset, DCTERMS["type"])
            ),
            "publisher": datasets.text(publishers[0], FOAF["name"], lang) if publishers else None,
            "publisher_href": self._profile.local_path(publishers[0].value) if publishers else None,
            "licence": licence and (licence_name(licence) or licence),
            "licence_href": licence and safe_href(licence),
            "triples": datasets.number(dataset, VOID["triples"]),
            "entities": datasets.number(dataset, VOID["entities"]),
            "modified": format_date(when.partition("T")[0], lang, months),
            "graph": self._house.graph_address(dataset.value).removeprefix(self._site.public_url),
        }


def _named(one: Declaration) -> NamedQuery:
    parameters = [
        Parameter(declared.name, KINDS[kind], declared.description)
        for declared in one.parameters
        if (kind := DATATYPES.get(declared.datatype) if declared.datatype else "iri")
    ]
    known = usable(parameters, one.text)
    return NamedQuery(one.name, one.iri, one.titles, one.text, one.keywords, known)


def _ordered(triples: list[Triple]) -> list[Triple]:
    """Subjects in order, so that the same description is always the same bytes."""
    return sorted(triples, key=lambda one: (str(one.subject), str(one.predicate), str(one.object)))
