"""The small profile and graph that the tests of profile and records read."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox

from app.profile import Profile, load_profile

BASE = "https://w3id.org/lifetec/"
SAMPLE = Path(__file__).parent / "sample"
REPOSITORY = Path(__file__).parents[2]


def sample_profile() -> Profile:
    return load_profile(SAMPLE / "ontology", SAMPLE / "shapes", BASE)


def sample_store() -> ox.Store:
    store = ox.Store()
    store.load(path=str(SAMPLE / "data" / "sample.trig"))
    return store


PREFIXES = """
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix ex: <http://example.org/> .
@prefix ltsh: <https://w3id.org/lifetec/shapes#> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix pf: <https://w3id.org/lifetec/profile#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix schema: <https://schema.org/> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
