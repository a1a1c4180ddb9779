"""Every competency question that the endpoint itself tells of answers with rows."""

from __future__ import annotations

import httpx

from tests.server.running import RunningServer

QUESTIONS = """PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX schema: <https://schema.org/>
PREFIX spex: <https://purl.expasy.org/sparql-examples/ontology#>
SELECT ?question ?text (SAMPLE(?comment) AS ?words) (COUNT(DISTINCT ?keyword) AS ?keywords) {
  ?question a sh:SPARQLExecutable ; rdfs:comment ?comment ; schema:keywords ?keyword ;
    sh:select|sh:ask|sh:construct|spex:describe ?text .
} GROUP BY ?question ?text"""


def test_all_questions_have_answers(seeded: RunningServer) -> None:
    questions = seeded.select(QUESTIONS)
    assert len(questions) >= 30
    empty = []
    for question in questions:
        assert int(question["keywords"]) >= 1
        reply = httpx.post(
            f"{seeded.url}/sparql",
            data={"query": question["text"]},
            headers={"accept": "application/sparql-results+json, text/turtle;q=0.5"},
            timeout=60,
        )
        assert reply.status_code == 200, (question["question"], reply.text)
        if reply.headers["content-type"].startswith("text/turtle"):
            answered = len(reply.text.split(" .\n")) > 1
        else:
            body = reply.json()
            answered = body.get("boolean") is True or bool(body["results"]["bindings"])
        if not answered:
            empty.append(question["question"])
    assert not empty
