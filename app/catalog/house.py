"""Who runs the service and where, as every description tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from app.rdf.void import document_iri

AUTHORITY = "http://publications.europa.eu/resource/authority/"
"""Code lists of the European Union, which DCAT-AP asks for (§8)."""

LANGUAGES = {"en": "ENG", "nl": "NLD", "de": "DEU", "fr": "FRA"}

_TITLES = {"en": "LifeTec Graph"}
_DESCRIPTIONS = {
    "en": "Open data on life sciences and medical technology: organisations, technologies, "
    "facilities, projects and programmes, published by data partners.",
    "nl": "Open data over levenswetenschappen en medische technologie: organisaties, "
    "technologieën, faciliteiten, projecten en programma's, gepubliceerd door datapartners.",
    "de": "Offene Daten zu Lebenswissenschaften und Medizintechnik: Organisationen, Technologien, "
    "Einrichtungen, Projekte und Programme, veröffentlicht von Datenpartnern.",
    "fr": "Données ouvertes sur les sciences de la vie et les technologies médicales : "
    "organisations, technologies, équipements, projets et programmes, publiées par des "
    "partenaires de données.",
}


@dataclass(frozen=True, slots=True)
class House:
    """The service as a publisher: `base_iri` names things, `public_url` is where they are served.

    `countries` are codes of the country list of the European Union; `contact` is a mail address or
    a web page.
    """

    base_iri: str
    public_url: str
    publisher: str
    contact: str
    countries: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=lambda: _TITLES)
    descriptions: Mapping[str, str] = field(default_factory=lambda: _DESCRIPTIONS)

    @property
    def reserved_graph(self) -> str:
        """The graph in which the service speaks of itself."""
        return f"{self.base_iri}graph/service"

    @property
    def catalog(self) -> str:
        """IRI of the catalogue."""
        return f"{self.base_iri}catalog"

    @property
    def dataset(self) -> str:
        """IRI of all datasets together."""
        return f"{document_iri(self.base_iri)}#dataset"

    def graph_address(self, dataset: str) -> str:
        """Where a dataset can be had, in each RDF format by Accept."""
        return f"{self.public_url}/graphs?graph={quote(dataset, safe='')}"
