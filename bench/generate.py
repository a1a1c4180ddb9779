"""A synthetic graph of any size, made from the profile, in the shape of the seed.

    python bench/generate.py --organisations 100000 --projects 40000 --seed 1 --out big.nq.gz

The same arguments give the same bytes. Memory stays constant: entities are written one by one and
refer to each other by number. A few organisations take part in very many projects and most in
none or one (the law of Zipf and Mandelbrot, as in the real consortia). Names are made of syllables.

What a field holds that is not written by hand below comes from the profile: an allowed value, an
example, or a value of its datatype. A property that is added to a shape appears here by itself.
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, parse

from app.profile import load_profile
from app.profile.model import EntityType, Field, Profile

ROOT = Path(__file__).resolve().parent.parent
BASE = "https://w3id.org/lifetec/"
GRAPH = f"{BASE}graph/synthetic/bench"
XSD = "http://www.w3.org/2001/XMLSchema#"

_OPTIONAL = 0.3
"""How often a field that needs no value has one."""

_TECHNOLOGIES_PER_ORGANISATION = 0.3
_OFFERS_PER_ORGANISATION = 0.3
_NEEDS_PER_ORGANISATION = 0.15
_FACILITIES_PER_ORGANISATION = 0.1
_CERTIFICATES_PER_ORGANISATION = 0.1
_ORGANISATIONS_PER_NETWORK = 200
_MEMBERS_PER_NETWORK = 30
_MEAN_CONSORTIUM = 11
_LARGEST_CONSORTIUM = 60
_HUBS = 20

_LANGUAGES = ("en", "nl", "de", "fr")
_SYLLABLE_TEXT = (
    "ka lo mer ven dal ri sten bo lin ha gel ro mar ti no vel der schi ba len os pa ter wi kor na "
    "des hof ber lan zee run fa mil do ger"
)
_SYLLABLES = _SYLLABLE_TEXT.split()
_KINDS = {
    "company": ("BV", "NV", "GmbH", "SA", "Systems", "Medical", "Bio", "Diagnostics"),
    "healthcare": ("Hospital", "Ziekenhuis", "Klinikum", "Hôpital"),
    "education": ("University", "Hogeschool", "Universität", "Université"),
    "facility": ("Institute", "Instituut", "Institut"),
    "government": ("Agency", "Provincie", "Behörde"),
    "nonprofit": ("Foundation", "Stichting", "Stiftung", "Fondation"),
}
_KIND_WEIGHTS = (60, 10, 6, 8, 6, 10)
_SENTENCES = {
    "en": "sensor for patients with light and data in care at home new fast test of blood",
    "nl": "sensor voor patiënten met licht en data in zorg thuis nieuwe snelle test bloed",
    "de": "Sensor für Patienten mit Licht und Daten in Pflege zu Hause neuer Test Blut",
    "fr": "capteur pour patients avec lumière et données de soins à domicile test sang",
}
_WORDS = {lang: sentence.split() for lang, sentence in _SENTENCES.items()}

_COUNTRY_OF = {"NL": "NLD", "BE": "BEL", "DE": "DEU"}
_CENTRES = {"NL": (5.5, 51.4), "BE": (4.9, 50.9), "DE": (6.8, 51.0)}

Maker = Callable[[], str]
"""Makes the object of a triple, in N-Triples."""


class Writer:
    """Writes quads of one graph and counts them by the type of entity."""

    def __init__(self, out: IO[bytes] | gzip.GzipFile) -> None:
        self._out = io.TextIOWrapper(out, encoding="utf-8", newline="\n", write_through=False)
        self.counts: Counter[str] = Counter()
        self.quads = 0

    def entity(self, kind: str, lines: list[str]) -> None:
        """Write the triples of one entity, each as `subject predicate object`."""
        self.counts[kind] += 1
        self.quads += len(lines)
        end = f" <{GRAPH}> .\n"
        self._out.write(end.join(lines) + end)

    def close(self) -> None:
        """Write what is left."""
        self._out.flush()
        self._out.detach()


class Generator:
    """Makes all entities; every choice comes from one random generator in a fixed order."""

    def __init__(
        self,
        profile: Profile,
        organisations: int,
        projects: int,
        seed: int,
        consortium: float = _MEAN_CONSORTIUM,
    ) -> None:
        self._profile = profile
        self._consortium = consortium
        self._organisations = organisations
        self._projects = projects
        self._random = random.Random(seed)
        self._regions = regions(ROOT / "ontology" / "regions.ttl")
        self._topics = concepts(ROOT / "ontology" / "euroscivoc.ttl")
        self._devices = concepts(ROOT / "ontology" / "emdn.ttl")
        self._extra = {kind.name: self._makers(kind) for kind in profile.types}

    def write(self, out: Writer) -> None:
        """Write the whole graph."""
        n = self._organisations
        out.entity("dataset", list(self._description()))
        for number in range(n):
            out.entity("organisation", self._organisation(number))
        for number in range(self._projects):
            for kind, lines in self._project(number):
                out.entity(kind, lines)
        for number in range(int(n * _TECHNOLOGIES_PER_ORGANISATION)):
            out.entity("technology", self._technology(number))
        for number in range(int(n * _OFFERS_PER_ORGANISATION)):
            out.entity("product", self._product(number))
            out.entity("offer", self._offer(number))
        for number in range(int(n * _NEEDS_PER_ORGANISATION)):
            out.entity("need", self._need(number))
        for number in range(int(n * _FACILITIES_PER_ORGANISATION)):
            out.entity("facility", self._facility(number))
        for number in range(int(n * _CERTIFICATES_PER_ORGANISATION)):
            out.entity("certificate", self._certificate(number))
        for number in range(max(1, n // _ORGANISATIONS_PER_NETWORK)):
            for kind, lines in self._network(number):
                out.entity(kind, lines)

    # Special cases: what makes the graph look real.

    def _organisation(self, number: int) -> list[str]:
        rnd = self._random
        (kind,) = rnd.choices(tuple(_KINDS), _KIND_WEIGHTS)
        name = f"{self._name()} {rnd.choice(_KINDS[kind])}"
        region = self._pick(self._regions)
        country = region[:2]
        longitude, latitude = _CENTRES[country]
        longitude += rnd.uniform(-0.6, 0.6)
        latitude += rnd.uniform(-0.4, 0.4)
        point = f"POINT({longitude:.4f} {latitude:.4f})"
        s = _iri("organisation", number)
        part = s[:-1]
        topics = self._some(self._topics, 3)
        lines = [
            f"{s} {_TYPE} <http://www.w3.org/ns/org#Organization>",
            *self._labels(s, name),
            f"{s} <http://www.w3.org/ns/org#classification> <{_KIND}{kind}>",
            f"{s} {_DCT}spatial> <http://data.europa.eu/nuts/code/{region}>",
            f"{s} <http://xmlns.com/foaf/0.1/homepage> <https://bench-{number}.example/>",
            f"{s} <http://www.w3.org/ns/org#hasPrimarySite> {part}#site>",
            f"{part}#site> {_TYPE} <http://www.w3.org/ns/org#Site>",
            f"{part}#site> <http://www.w3.org/ns/org#siteAddress> {part}#address>",
            f"{part}#site> {_GEO}hasDefaultGeometry> {part}#geometry>",
            f"{part}#geometry> {_TYPE} {_GEO}Geometry>",
            f'{part}#geometry> {_GEO}asWKT> "{point}"^^{_GEO}wktLiteral>',
            f"{part}#address> {_TYPE} {_LOCN}Address>",
            f'{part}#address> {_LOCN}postName> "{self._name()}"',
            f"{part}#address> {_LOCN}adminUnitL1> <http://publications.europa.eu/resource/authority/country/{_COUNTRY_OF[country]}>",
            f"{s} <http://www.w3.org/ns/adms#identifier> {part}#pic>",
            f"{part}#pic> {_TYPE} <http://www.w3.org/ns/adms#Identifier>",
            f'{part}#pic> {_SKOS}notation> "{100_000_000 + number}"^^<{BASE}ontology#Pic>',
            f'{part}#pic> <http://www.w3.org/ns/adms#schemaAgency> "European Commission"',
            *(f"{s} <https://schema.org/knowsAbout> <{topic}>" for topic in topics),
        ]
        return self._with_extra("organisation", s, lines)

    def _project(self, number: int) -> Iterator[tuple[str, list[str]]]:
        rnd = self._random
        s = _iri("project", number)
        part = s[:-1]
        year = rnd.randint(2008, 2026)
        size = min(_LARGEST_CONSORTIUM, 1 + int(rnd.expovariate(1 / self._consortium)))
        members = list(dict.fromkeys(self._zipf() for _ in range(size)))
        total = rnd.randint(50, 900) * 1000 * len(members)
        lines = [
            f"{s} {_TYPE} {_EURIO}Project>",
            f'{s} {_SKOS}prefLabel> "{self._name().upper()}-{number}"',
            f'{s} {_EURIO}title> "{self._text("en", 8)}"@en',
            f'{s} {_EURIO}identifier> "{600_000 + number}"',
            f'{s} {_EURIO}startDate> "{year}-{rnd.randint(1, 12):02}-01"^^<{XSD}date>',
            f'{s} {_EURIO}endDate> "{year + rnd.randint(1, 5)}-12-31"^^<{XSD}date>',
            *(
                f"{s} {_EURIO}hasEuroSciVocClassification> <{topic}>"
                for topic in self._some(self._topics, 2)
            ),
            *_money(s, "hasTotalCost", f"{part}#total-cost>", total),
        ]
        roles = []
        for place, member in enumerate(members):
            role = f"<{BASE}id/participation/bench-{number}-{member}>"
            lines.append(f"{s} {_EURIO}hasInvolvedParty> {role}")
            roles.append((role, member, "participant" if place else "coordinator"))
        yield "project", self._with_extra("project", s, lines)
        for role, member, label in roles:
            payment = f"{role[:-1]}#payment>"
            yield (
                "participation",
                self._with_extra(
                    "participation",
                    role,
                    [
                        f"{role} {_TYPE} {_EURIO}OrganisationRole>",
                        f"{role} {_EURIO}isInvolvedIn> {s}",
                        f"{role} {_EURIO}isRoleOf> {_iri('organisation', member)}",
                        f'{role} {_EURIO}roleLabel> "{label}"',
                        f"{role} {_EURIO}isRecipientOf> {payment}",
                        f"{payment} {_TYPE} {_EURIO}GrantPayment>",
                        *_money(
                            payment,
                            "hasPaymentAmount",
                            f"{role[:-1]}#payment-amount>",
                            total // len(members) * rnd.randint(5, 15) // 10,
                        ),
                    ],
                ),
            )

    def _technology(self, number: int) -> list[str]:
        s = _iri("technology", number)
        lines = [
            f"{s} {_TYPE} <{BASE}ontology#Technology>",
            *self._labels(s, self._text("en", 4)),
            f"{s} {_DCT}creator> {_iri('organisation', self._zipf())}",
            f'{s} <{BASE}ontology#trl> "{self._random.randint(1, 9)}"^^<{XSD}integer>',
            *self._subjects(s),
        ]
        return self._with_extra("technology", s, lines)

    def _product(self, number: int) -> list[str]:
        s = _iri("product", number)
        lines = [
            f"{s} {_TYPE} <https://schema.org/Product>",
            *self._labels(s, f"{self._name()} {number}"),
            f"{s} <https://schema.org/manufacturer> {_iri('organisation', self._zipf())}",
            f"{s} <https://schema.org/category> <{self._pick(self._devices)}>",
            *self._subjects(s),
        ]
        if number and self._random.random() < _OPTIONAL:
            other = _iri("product", self._random.randrange(number))
            lines.append(f"{s} {_DCT}hasPart> {other}")
        return self._with_extra("product", s, lines)

    def _offer(self, number: int) -> list[str]:
        s = _iri("offer", number)
        owner = _iri("organisation", self._zipf())
        lines = [
            f"{s} {_TYPE} <https://schema.org/Offer>",
            *self._labels(s, self._text("en", 5)),
            f"{s} <https://schema.org/itemOffered> {_iri('product', number)}",
            f"{s} <https://schema.org/offeredBy> {owner}",
            f"{owner} <https://schema.org/makesOffer> {s}",
            f"{s} <https://schema.org/businessFunction> <http://purl.org/goodrelations/v1#Sell>",
            *self._subjects(s),
            *self._area(s),
        ]
        return self._with_extra("offer", s, lines)

    def _need(self, number: int) -> list[str]:
        s = _iri("need", number)
        lines = [
            f"{s} {_TYPE} <https://schema.org/Demand>",
            *self._labels(s, self._text("en", 5)),
            f"{_iri('organisation', self._zipf())} <https://schema.org/seeks> {s}",
            *self._subjects(s),
            *self._area(s),
        ]
        return self._with_extra("need", s, lines)

    def _facility(self, number: int) -> list[str]:
        s = _iri("facility", number)
        lines = [
            f"{s} {_TYPE} <http://purl.org/cerif/frapo/Facility>",
            *self._labels(s, f"{self._name()} Laboratory"),
            f"{s} <http://purl.org/cerif/frapo/isOwnedBy> {_iri('organisation', self._zipf())}",
            f"{s} {_DCT}spatial> <http://data.europa.eu/nuts/code/{self._pick(self._regions)}>",
            *self._subjects(s),
        ]
        return self._with_extra("facility", s, lines)

    def _certificate(self, number: int) -> list[str]:
        rnd = self._random
        s = _iri("certificate", number)
        year = rnd.randint(2020, 2026)
        day = f"{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02}"
        lines = [
            f"{s} {_TYPE} <https://schema.org/Certification>",
            f'{s} {_SKOS}prefLabel> "ISO 13485"',
            f"{_iri('organisation', self._zipf())} <https://schema.org/hasCertification> {s}",
            f"{s} <https://schema.org/about> <{BASE}scheme/certificate-type/iso-13485>",
            f"{s} <https://schema.org/issuedBy> {_iri('organisation', 0)}",
            f'{s} <https://schema.org/validFrom> "{year}-{day}"^^<{XSD}date>',
            f'{s} <https://schema.org/expires> "{year + 3}-{day}"^^<{XSD}date>',
        ]
        return self._with_extra("certificate", s, lines)

    def _network(self, number: int) -> Iterator[tuple[str, list[str]]]:
        s = _iri("network", number)
        lines = [
            f"{s} {_TYPE} <http://www.w3.org/ns/org#OrganizationalCollaboration>",
            *self._labels(s, f"{self._name()} Network"),
        ]
        yield "network", self._with_extra("network", s, lines)
        for member in dict.fromkeys(self._zipf() for _ in range(_MEMBERS_PER_NETWORK)):
            m = f"<{BASE}id/membership/bench-{number}-{member}>"
            yield (
                "membership",
                self._with_extra(
                    "membership",
                    m,
                    [
                        f"{m} {_TYPE} <http://www.w3.org/ns/org#Membership>",
                        f"{m} <http://www.w3.org/ns/org#member> {_iri('organisation', member)}",
                        f"{m} <http://www.w3.org/ns/org#organization> {s}",
                    ],
                ),
            )

    def _description(self) -> Iterator[str]:
        g = f"<{GRAPH}>"
        yield f"{g} {_TYPE} <http://www.w3.org/ns/dcat#Dataset>"
        yield f'{g} {_DCT}title> "Synthetic data"@en'
        yield f'{g} {_DCT}description> "Made up for measuring; nothing in it is real."@en'
        yield f"{g} {_DCT}publisher> <{BASE}id/partner/lifetec>"
        yield f"{g} {_DCT}license> <http://publications.europa.eu/resource/authority/licence/CC0>"

    # Choices.

    def _zipf(self) -> int:
        """An organisation's number; number i with a probability in proportion to 1/(i + _HUBS).

        So the largest hub is in some eight of a hundred projects, as in the real data.
        """
        ratio = (self._organisations + _HUBS) / _HUBS
        number = int(_HUBS * ratio ** self._random.random()) - _HUBS
        return min(self._organisations - 1, number)

    def _pick(self, values: list[str]) -> str:
        return values[int(self._random.random() * len(values))]

    def _some(self, values: list[str], most: int) -> list[str]:
        """Up to `most` values; the first ones of the list are popular, the last ones rare."""
        number = 1 + int(self._random.random() * most)
        size = len(values)
        found = (int(size ** self._random.random()) - 1 for _ in range(number))
        return [values[index] for index in dict.fromkeys(found)]

    def _name(self) -> str:
        syllables = int(self._random.random() * 3) + 2
        return "".join(self._pick(_SYLLABLES) for _ in range(syllables)).capitalize()

    def _text(self, lang: str, words: int) -> str:
        return " ".join(self._pick(_WORDS[lang]) for _ in range(words))

    def _labels(self, s: str, name: str) -> list[str]:
        """One label without a language, or one for each of some languages."""
        if self._random.random() > _OPTIONAL:
            return [f'{s} {_SKOS}prefLabel> "{name}"']
        number = 2 + int(self._random.random() * 3)
        return [
            f'{s} {_SKOS}prefLabel> "{name} {self._pick(_WORDS[lang])}"@{lang}'
            for lang in _LANGUAGES[:number]
        ]

    def _subjects(self, s: str) -> list[str]:
        return [f"{s} {_DCT}subject> <{topic}>" for topic in self._some(self._topics, 3)]

    def _area(self, s: str) -> list[str]:
        code = self._pick(self._regions)
        return [f"{s} <https://schema.org/areaServed> <http://data.europa.eu/nuts/code/{code}>"]

    # What the profile adds.

    def _with_extra(self, kind: str, s: str, lines: list[str]) -> list[str]:
        """The lines, and values of the profile's other fields; a predicate is written once."""
        written = {line.split(" ", 2)[1] for line in lines if line.startswith(f"{s} ")}
        for predicate, share, make in self._extra[kind]:
            if predicate not in written and self._random.random() < share:
                lines.append(f"{s} {predicate} {make()}")
        return lines

    def _makers(self, kind: EntityType) -> list[tuple[str, float, Maker]]:
        """Predicate, how often, and what makes the value, for each field that is simple."""
        found = []
        for field in kind.fields:
            make = None if field.derived else self._maker(field)
            if make is not None and field.predicate is not None:
                share = 1.0 if field.min else _OPTIONAL
                found.append((str(field.predicate), share, make))
        return found

    def _maker(self, field: Field) -> Maker | None:
        """What makes values of a field; None for parts and references to entities."""
        if field.values:
            allowed = [str(value) for value in field.values]
            return lambda: self._pick(allowed)
        if field.kind == "text":
            return lambda: f'"{self._text("en", 6)}"@en'
        if field.kind == "literal" and field.datatype is not None:
            return self._literal_maker(field, field.datatype)
        return None

    def _literal_maker(self, field: Field, datatype: NamedNode) -> Maker | None:
        """Numbers and dates at random; of other datatypes an example; free text if it is free."""
        number = _NUMBERS.get(datatype.value.removeprefix(XSD))
        if number is not None:
            return lambda: f'"{number(self._random, field)}"^^{datatype}'
        examples = [str(value) for value in field.examples if isinstance(value, Literal)]
        if examples:
            return lambda: self._pick(examples)
        if field.pattern is None and datatype.value == f"{XSD}string":
            return lambda: f'"{self._text("en", 3)}"'
        return None


_LATER = ("dissolution", "end", "expires", "through", "until")
"""Words in the names of fields whose dates come after others of the same entity."""


def _year(rnd: random.Random, field: Field) -> int:
    if any(word in field.name for word in _LATER):
        return rnd.randint(2027, 2035)
    return rnd.randint(1990, 2026)


_NUMBERS: dict[str, Callable[[random.Random, Field], str]] = {
    "integer": lambda rnd, _: str(rnd.randint(1, 9)),
    "decimal": lambda rnd, _: str(rnd.randint(1, 100_000)),
    "double": lambda rnd, _: f"{rnd.random():.3E}",
    "boolean": lambda rnd, _: "true" if rnd.random() < 0.5 else "false",
    "date": lambda rnd, field: (
        f"{_year(rnd, field)}-{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02}"
    ),
    "gYear": lambda rnd, field: str(_year(rnd, field)),
}
"""Values by datatype."""

_TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_KIND = f"{BASE}scheme/organisation-type/"
_SKOS = "<http://www.w3.org/2004/02/skos/core#"
_DCT = "<http://purl.org/dc/terms/"
_GEO = "<http://www.opengis.net/ont/geosparql#"
_LOCN = "<http://www.w3.org/ns/locn#"
_EURIO = "<http://data.europa.eu/s66#"


def _iri(kind: str, number: int) -> str:
    return f"<{BASE}id/{kind}/bench-{number}>"


def _money(subject: str, predicate: str, node: str, value: int) -> list[str]:
    return [
        f"{subject} {_EURIO}{predicate}> {node}",
        f"{node} {_TYPE} {_EURIO}MonetaryAmount>",
        f'{node} {_EURIO}value> "{value}"^^<{XSD}decimal>',
        f'{node} {_EURIO}currency> "EUR"',
    ]


def _triples(path: Path) -> Iterator[Triple]:
    return (quad.triple for quad in parse(path=path, format=RdfFormat.TURTLE))


def regions(path: Path) -> list[str]:
    """NUTS 3 codes of the three countries."""
    prefix = "http://data.europa.eu/nuts/code/"
    codes = {
        triple.subject.value.removeprefix(prefix)
        for triple in _triples(path)
        if isinstance(triple.subject, NamedNode) and triple.subject.value.startswith(prefix)
    }
    return sorted(code for code in codes if len(code) == 5 and code[:2] in _COUNTRY_OF)


def concepts(path: Path) -> list[str]:
    """IRIs of the concepts of a scheme."""
    concept = NamedNode("http://www.w3.org/2004/02/skos/core#Concept")
    return sorted(
        triple.subject.value
        for triple in _triples(path)
        if triple.object == concept and isinstance(triple.subject, NamedNode)
    )


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """A file to write; gzip without a name and time in it, so that equal data are equal bytes."""
    with path.open("wb", buffering=1 << 20) as raw:
        if path.suffix != ".gz":
            yield raw
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=1, mtime=0) as packed:
            yield packed


def generate(
    organisations: int,
    projects: int,
    seed: int,
    path: Path,
    consortium: float = _MEAN_CONSORTIUM,
) -> Counter[str]:
    """Write the graph; returns how many entities of each type there are, and `quads`.

    `consortium` is about how many partners a project has beside the coordinator.
    """
    profile = load_profile(ROOT / "ontology", ROOT / "shapes", BASE)
    with _opened(path) as out:
        writer = Writer(out)
        Generator(profile, organisations, projects, seed, consortium).write(writer)
        writer.close()
    writer.counts["quads"] = writer.quads
    return writer.counts


def main() -> None:
    """Read the command line, write the graph, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--organisations", type=int, required=True)
    parser.add_argument("--projects", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="FILE.nq or FILE.nq.gz")
    given = parser.parse_args()
    begin = time.perf_counter()
    counts = generate(given.organisations, given.projects, given.seed, given.out)
    seconds = time.perf_counter() - begin
    for kind, number in counts.most_common():
        print(f"{number:>12,}  {kind}")
    print(f"{counts['quads'] / seconds:>12,.0f}  quads a second")


if __name__ == "__main__":
    main()
