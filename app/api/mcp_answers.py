"""What the tools of `/mcp` give, as the structured content that the protocol describes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Hit(BaseModel):
    """One thing that was found."""

    id: str = Field(description="IRI")
    name: str
    type: list[str]
    url: str = Field(description="Address of its page")
    fields: dict[str, Any] = Field(
        default={}, description="The fields that were asked for, as it has them"
    )


class Found(BaseModel):
    """Some of what was found."""

    total: int = Field(description="How many there are in all")
    hits: list[Hit]
    next: str | None = Field(description="`cursor` for what comes after these; null at the end")
    facets: dict[str, list[dict[str, Any]]] = Field(
        default={}, description="How often each value of the fields occurs among all that match"
    )


class RecordFound(BaseModel):
    """One record; its members are described by describe_schema."""

    url: str = Field(description="Address of its page")
    record: dict[str, Any]


class TypeDescription(BaseModel):
    """A type of things."""

    name: str
    collection: str
    label: str
    description: str
    classes: list[str] = Field(description="IRIs of its classes, for SPARQL")
    url: str = Field(description="Path of the list in the JSON interface")
    count: int = Field(description="How many there are")
    fields: list[dict[str, Any]] = Field(
        default=[], description="Its fields; `predicate` is for SPARQL"
    )
    filters: list[str] = Field(default=[], description="Names by which search filters")


class Schema(BaseModel):
    """What there is, and under which names."""

    types: list[TypeDescription]
    prefixes: dict[str, str] = Field(description="Usual prefixes; declare those that you use")


class QueryResult(BaseModel):
    """Rows of a SELECT, the answer of an ASK, or the graph of a CONSTRUCT or DESCRIBE."""

    generation: int = Field(description="State of the graph that was asked")
    variables: list[str] | None = None
    rows: list[dict[str, dict[str, Any]]] | None = Field(
        default=None, description="Terms by variable, as in SPARQL 1.1 Query Results JSON"
    )
    boolean: bool | None = None
    graph: str | None = Field(default=None, description="Turtle")


class QueryParameter(BaseModel):
    """A variable of an example query whose values can be changed."""

    name: str
    type: str
    description: str
    default: str


class QueryExample(BaseModel):
    """A query with a name."""

    name: str
    title: str
    keywords: list[str]
    url: str = Field(description="Where anybody gets its result")
    query: str = Field(description="Its text, when it was asked for by name")
    parameters: list[QueryParameter]


class Examples(BaseModel):
    """Example queries."""

    queries: list[QueryExample]
