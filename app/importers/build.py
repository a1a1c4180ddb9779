"""All dataset files that are shipped, made from the sources: `python -m app.importers.build`.

    python -m app.importers.build SHARED_DIR [ONTOLOGY_DIR DATA_DIR]

Code lists go to ONTOLOGY_DIR, datasets and the report of the import to DATA_DIR. Running it twice
gives the same bytes. The example dataset and the example queries are made from their own sources
in DATA_DIR and need nothing of SHARED_DIR.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyoxigraph import Triple

from app.importers import cordis, countries, emdn, euroscivoc, example, queries, regions, ror
from app.importers.dataset import (
    CC0,
    CC_BY_4,
    COMMISSION_REUSE,
    EXAMPLE_TYPE,
    ID,
    REGISTER,
    VOCABULARY,
    Description,
    graph,
)
from app.importers.report import Report
from app.importers.rows import Row, read_rows
from app.importers.turtle import write_turtle
from app.rdf.terms import SKOS

ISSUED = date(2026, 11, 23)

_EU = "Publications Office of the European Union"

DESCRIPTIONS: dict[str, Description] = {
    "regions": Description(
        iri=graph("regions"),
        kind=VOCABULARY,
        titles={
            "en": "Regions",
            "nl": "Regio's",
            "de": "Regionen",
            "fr": "Régions",
        },
        text="NUTS 2021 codes and official names: levels 1 and 2 of the Netherlands, Belgium and "
        "Germany, level 3 of the Eindhoven-Leuven-Aachen triangle, countries that occur, and the "
        "triangle itself. Names of countries from the Unicode CLDR. No boundaries.",
        licence=CC_BY_4,
        sources=("http://data.europa.eu/nuts",),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("region", "NUTS", "ELAt"),
        requires=(graph("countries"),),
    ),
    "countries": Description(
        iri=graph("countries"),
        kind=VOCABULARY,
        titles={"en": "Countries", "nl": "Landen", "de": "Länder", "fr": "Pays"},
        text="Countries of the authority list of the Publications Office of the European Union "
        "that occur in the data or lie in Europe, with ISO 3166-1 codes. Names from the Unicode "
        "CLDR.",
        licence=CC_BY_4,
        sources=("http://publications.europa.eu/resource/authority/country",),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("country",),
    ),
    "euroscivoc": Description(
        iri=graph("euroscivoc"),
        kind=VOCABULARY,
        titles={
            "en": "European Science Vocabulary",
            "nl": "Europees wetenschapsvocabularium",
            "de": "Europäisches Wissenschaftsvokabular",
            "fr": "Vocabulaire scientifique européen",
        },
        text="Fields of science and their hierarchy, with English labels. European Science "
        f"Vocabulary (EuroSciVoc), © European Union, {_EU}, CC BY 4.0; restructured as SKOS.",
        licence=CC_BY_4,
        sources=(euroscivoc.SCHEME_IRI.value,),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("topic", "field of science", "concept scheme"),
    ),
    "emdn": Description(
        iri=graph("emdn"),
        kind=VOCABULARY,
        titles={
            "en": "European Medical Device Nomenclature",
            "nl": "Europese nomenclatuur voor medische hulpmiddelen",
            "de": "Europäische Nomenklatur für Medizinprodukte",
            "fr": "Nomenclature européenne des dispositifs médicaux",
        },
        text="Categories, groups and types of medical devices, the first four of seven levels, "
        "with English terms. European Medical Device Nomenclature (EMDN), © European Union; "
        "reuse is authorised provided the source is acknowledged; restructured as SKOS.",
        licence=COMMISSION_REUSE,
        sources=("https://webgate.ec.europa.eu/dyna2/emdn/",),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("medical device", "concept scheme"),
    ),
    "ror": Description(
        iri=graph("ror"),
        kind=REGISTER,
        titles={
            "en": "Research organisations of the region (ROR)",
            "nl": "Onderzoeksorganisaties van de regio (ROR)",
            "de": "Forschungseinrichtungen der Region (ROR)",
            "fr": "Organismes de recherche de la région (ROR)",
        },
        text="Active organisations of the Eindhoven-Leuven-Aachen triangle in the Research "
        "Organization Registry: names, types, identifiers, towns, relations. ROR data is CC0. "
        "Towns and their coordinates come from GeoNames, CC BY 4.0. NUTS codes were added.",
        licence=CC0,
        sources=("https://ror.org/", "https://www.geonames.org/"),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("organisation", "research", "identifier"),
        requires=(graph("regions"), graph("countries"), graph("schemes")),
    ),
    "cordis-h2020-health": Description(
        iri=graph("cordis-h2020-health"),
        kind=REGISTER,
        titles={
            "en": "Horizon 2020 health projects with participants of the region (CORDIS)",
            "nl": "Gezondheidsprojecten in Horizon 2020 met deelnemers uit de regio (CORDIS)",
            "de": "Gesundheitsprojekte in Horizont 2020 mit Teilnehmern der Region (CORDIS)",
            "fr": "Projets de santé d'Horizon 2020 avec des participants de la région (CORDIS)",
        },
        text="Projects that start before July 2018, their whole consortia, roles, amounts, "
        "programmes, calls and topics. From CORDIS, © European Union, CC BY 4.0; selected and "
        "restructured. Participants without a name and natural persons are left out, damaged names "
        "too; towns in capitals are respelled; NUTS codes are reduced to those described here.",
        licence=CC_BY_4,
        sources=("https://cordis.europa.eu/",),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("project", "Horizon 2020", "health", "funding"),
        requires=(graph("ror"), graph("regions"), graph("countries"), graph("schemes")),
    ),
    "queries": Description(
        iri=graph("queries"),
        titles={
            "en": "Example queries",
            "nl": "Voorbeeldvragen",
            "de": "Beispielabfragen",
            "fr": "Exemples de requêtes",
        },
        text="Questions that the data can answer, in SPARQL. Every one of them is run in the "
        "tests of the project.",
        licence=CC0,
        sources=("https://w3id.org/lifetec/sparql",),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("SPARQL", "example"),
    ),
    "example": Description(
        iri=graph("showcase", "example"),
        titles={
            "en": "Example data (fictional)",
            "nl": "Voorbeeldgegevens (fictief)",
            "de": "Beispieldaten (erfunden)",
            "fr": "Données d'exemple (fictives)",
        },
        text="An invented partner network that shows what partners can publish: organisations, "
        "technologies, facilities, offers, needs, certificates, networks. Every name, number and "
        "statement is made up; likeness to anything real is chance.",
        licence=CC0,
        sources=("https://example.org/",),
        issued=ISSUED,
        modified=ISSUED,
        keywords=("example", "fictional"),
        requires=(
            graph("regions"),
            graph("countries"),
            graph("schemes"),
            graph("euroscivoc"),
            graph("emdn"),
        ),
        kind=EXAMPLE_TYPE,
        publisher=ID["partner/example"],
    ),
}
"""What each file says about its dataset, by file name without suffix."""


@dataclass
class Build:
    """One run: where sources lie, where files go, and what was counted."""

    shared: Path
    ontology: Path
    data: Path
    reports: dict[str, Report] = field(default_factory=dict)

    def run(self) -> dict[str, object]:
        """Write every file, and return the report."""
        rows = self._read("ror_region.csv")
        report = self._report("ror")
        records = ror.active(rows, report)
        self._write(self.data, "ror", ror.triples(records, report))
        codes = self._cordis(ror.places(records)) | {row["country"] for row in records}
        self._write(self.ontology, "countries", countries.triples(codes | countries.EUROPE))
        self._write(self.ontology, "regions", regions.triples(codes | countries.EUROPE))
        self._list("euroscivoc", "vocab/euroscivoc.csv", euroscivoc.triples)
        self._list("emdn", "vocab/emdn_v2.csv", emdn.triples)
        self.own()
        return self.summary()

    def own(self) -> None:
        """The files that need no outside source."""
        self._write(self.data, "example", example.triples(self.data / "example"))
        self._write(self.data, "queries", queries.triples(self.data / "queries"))

    def summary(self) -> dict[str, object]:
        """The report of this run."""
        return {name: report.as_json() for name, report in sorted(self.reports.items())}

    def _cordis(self, places: dict[str, ror.Place]) -> set[str]:
        """Write the CORDIS dataset, and return the country codes in it."""
        organisations = [
            row
            for name in ("cordis_organizations.csv", "cordis_organizations_partners.csv")
            for row in self._read(name)
        ]
        participations = self._read("cordis_participations.csv")
        source = cordis.Source(
            self._read("cordis_projects.csv"), participations, organisations, places
        )
        name = "cordis-h2020-health"
        self._write(self.data, name, cordis.triples(source, self._report(name)))
        chosen = {row["rcn"] for row in source.projects if cordis.is_health_project(row)}
        return {
            row["country"]
            for row in participations
            if row["fp"] == "H2020" and row["rcn"] in chosen
        }

    def _list(
        self, name: str, file: str, triples: Callable[[Iterable[Row]], Iterator[Triple]]
    ) -> None:
        rows, report = self._read(file), self._report(name)
        found = list(triples(rows))
        kept = sum(triple.object == SKOS["Concept"] for triple in found)
        report.count("concepts read", len(rows))
        report.count("concepts kept", kept)
        report.count("concepts dropped: below the level that is shipped", len(rows) - kept)
        self._write(self.ontology, name, found)

    def _read(self, name: str) -> list[Row]:
        return list(read_rows(self.shared / "data" / name))

    def _report(self, name: str) -> Report:
        return self.reports.setdefault(name, Report())

    def _write(self, folder: Path, name: str, triples: Iterable[Triple]) -> None:
        described = [*DESCRIPTIONS[name].triples(), *triples]
        size = write_turtle(folder / f"{name}.ttl", described)
        print(f"{folder.name}/{name}.ttl  {size:,} bytes")


def main(arguments: list[str]) -> int:
    """Build everything; print what was written and counted."""
    if len(arguments) not in {1, 3}:
        print(__doc__, file=sys.stderr)
        return 2
    shared, ontology, data = (Path(each) for each in [*arguments, "ontology", "data"][:3])
    report = json.dumps(Build(shared, ontology, data).run(), ensure_ascii=False, indent=2)
    (data / "report.json").write_text(f"{report}\n", encoding="utf-8")
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
