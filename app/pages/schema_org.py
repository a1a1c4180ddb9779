"""A record as schema.org JSON-LD, for search engines: a small table, no second data model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from app.pages.links import safe_href
from app.pages.record_view import Record, as_list
from app.profile import EntityType, Field
from app.rdf.terms import ADMS, DCTERMS, EURIO, FOAF, ORG, OWL, SCHEMA, SKOS

_TYPES = {
    "organisation": "Organization",
    "technology": "CreativeWork",
    "project": "ResearchProject",
    "participation": "Role",
    "facility": "Place",
    "product": "Product",
    "offer": "Offer",
    "need": "Demand",
    "certificate": "Certification",
    "programme": "MonetaryGrant",
    "network": "Organization",
    "membership": "ProgramMembership",
    "region": "Place",
    "concept": "DefinedTerm",
    "dataset": "Dataset",
    "partner": "Organization",
}

_PROPERTIES = {
    SKOS["altLabel"]: "alternateName",
    SKOS["definition"]: "description",
    SKOS["notation"]: "termCode",
    SKOS["inScheme"]: "inDefinedTermSet",
    DCTERMS["description"]: "description",
    DCTERMS["license"]: "license",
    DCTERMS["publisher"]: "publisher",
    DCTERMS["creator"]: "creator",
    DCTERMS["issued"]: "datePublished",
    DCTERMS["modified"]: "dateModified",
    DCTERMS["source"]: "isBasedOn",
    FOAF["homepage"]: "url",
    OWL["sameAs"]: "sameAs",
    ORG["subOrganizationOf"]: "parentOrganization",
    EURIO["abstract"]: "description",
    EURIO["startDate"]: "startDate",
    EURIO["endDate"]: "endDate",
    EURIO["title"]: "alternateName",
}
_ONLY_FOR = {
    "termCode": {"concept"},
    "inDefinedTermSet": {"concept"},
    "publisher": {"dataset"},
    "license": {"dataset"},
    "datePublished": {"dataset"},
    "dateModified": {"dataset"},
    "isBasedOn": {"dataset"},
    "creator": {"technology", "dataset"},
    "parentOrganization": {"organisation"},
    "startDate": {"project"},
    "endDate": {"project"},
}


def schema_org(record: Record, kind: EntityType | None, page: str) -> dict[str, Any]:
    """Return the schema.org description of a record; `page` is the address of its page."""
    found: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": _TYPES.get(kind.name, "Thing") if kind else "Thing",
        "@id": record["id"],
        "name": record.get("name") or record["id"],
        "mainEntityOfPage": page,
    }
    for field in kind.fields if kind else ():
        if field.predicate is None or not record.get(field.name):
            continue
        value = record[field.name]
        if field.predicate == ADMS["identifier"]:
            if items := _identifiers(value, field):
                found["identifier"] = items
            continue
        name = _PROPERTIES.get(field.predicate) or _own_name(field.predicate.value)
        if name is None or (kind and kind.name not in _ONLY_FOR.get(name, {kind.name})):
            continue
        values = [v for item in as_list(value) for v in _values(item)]
        if values:
            found.setdefault(name, values[0] if len(values) == 1 else values)
    return found


def _own_name(predicate: str) -> str | None:
    return predicate.removeprefix(SCHEMA) if predicate.startswith(SCHEMA) else None


def _values(item: Any) -> list[Any]:
    if not isinstance(item, Mapping):
        return [item]
    if "@value" in item:
        return [item["@value"]]
    if "id" in item:
        iri = str(item["id"])
        if item.get("name") and str(item.get("url", "")).startswith("/"):
            return [{"@id": iri, "name": item["name"]}]
        return [iri] if safe_href(iri) else []
    return [
        text if language == "@none" else {"@value": text, "@language": language}
        for language in sorted(item)
        for text in as_list(item[language])
        if isinstance(text, str)
    ]


def _identifiers(value: Any, field: Field) -> list[dict[str, Any]]:
    names = {f.predicate: f.name for f in field.part.fields} if field.part else {}
    notation, agency = (names.get(p, "") for p in (SKOS["notation"], ADMS["schemaAgency"]))
    found = []
    for item in as_list(value):
        if not isinstance(item, Mapping):
            continue
        codes = [v for code in as_list(item.get(notation)) for v in _values(code)]
        agencies = [v for name in as_list(item.get(agency)) for v in _values(name)]
        for code in codes:
            entry: dict[str, Any] = {"@type": "PropertyValue", "value": code}
            if agencies:
                entry["propertyID"] = agencies[0]
            found.append(entry)
    return found


_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def script_safe(data: Mapping[str, Any]) -> Markup:
    """Write JSON that cannot end or open anything in the HTML around it."""
    text = json.dumps(data, ensure_ascii=False, indent=1, default=str)
    return Markup(text.translate(_ESCAPES))  # noqa: S704 - <, > and & are escaped just above
