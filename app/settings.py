"""Settings: read once from ``LIFETEC_*``, frozen, refused at boot when inconsistent."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from limits import parse
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_HERE = Path(__file__).resolve().parent.parent


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks or addresses separated by commas; raises ValueError for anything else."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def endpoints(text: str) -> frozenset[str]:
    """IRIs separated by commas."""
    return frozenset(part.strip() for part in text.split(",") if part.strip())


class Settings(BaseSettings):
    """All that can be set from outside; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="LIFETEC_", frozen=True, extra="forbid")

    base_iri: str = Field(
        "https://w3id.org/lifetec/",
        description="Namespace of all IRIs that are minted here; independent of where it is served",
    )
    public_url: str = Field(
        "",
        description="Address under which people reach the service, without a final slash; "
        "default http://HOST:PORT",
    )
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on")
    data_dir: Path = Field(Path("var"), description="Where log, store and checkpoints live")
    ontology_dir: Path = Field(_HERE / "ontology", description="Ontology and code lists (Turtle)")
    shapes_dir: Path = Field(_HERE / "shapes", description="SHACL shapes (Turtle)")
    seed_dir: Path = Field(_HERE / "data", description="Seed datasets (Turtle)")
    example: bool = Field(False, description="Load the fictional example dataset")
    default_graph: Literal["union", "plain"] = Field(
        "union", description="What a query's default graph is: all graphs, or none of them"
    )
    skolemize: bool = Field(True, description="Replace blank nodes by IRIs when data comes in")
    store: str = Field(
        "disk",
        description="Where the graph is kept: disk, memory, or sparql+http://HOST/PATH, the query "
        "address of a SPARQL 1.1 server that answers public queries; see docs/scaling.md",
    )
    store_update_url: str = Field(
        "", description="Its address for updates; default the query address"
    )
    store_user: str | None = Field(None, description="User there, by Digest or Basic")
    store_password: SecretStr | None = Field(None, description="Password of this user")
    store_token: SecretStr | None = Field(None, description="Bearer token there, in their place")
    store_statements: int = Field(
        400,
        ge=1,
        description="Statements in one update to it; more is faster, and Virtuoso takes no more",
    )
    store_connections: int = Field(
        16, ge=1, description="Queries that it is asked at one time; others wait"
    )
    store_wait_seconds: float = Field(
        10.0, ge=0, description="How long a publication waits for it to follow, seconds"
    )
    index: bool = Field(
        True,
        description="Keep a search index; without one there are records, lists and filters, but no "
        "search, sorting, places and exports",
    )
    index_wait_seconds: float = Field(
        10.0, ge=0, description="How long a publication waits for the search index, seconds"
    )
    database_url: str | None = Field(
        None,
        description="Operations database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; "
        "default SQLite in data_dir",
    )
    workers: int = Field(
        2, ge=1, le=256, description="Workers of the light lane, and of the heavy lane"
    )
    queue: int = Field(64, ge=0, description="Jobs that may wait for a worker before 503")
    query_seconds: float = Field(20.0, gt=0, description="Deadline of a SPARQL query, seconds")
    query_memory_mb: int = Field(1024, ge=64, description="Address space a job may add, MB")
    query_result_mb: int = Field(512, ge=1, description="Bytes a query may answer with, MB")
    query_kb: int = Field(256, ge=1, description="Length of a query text, kB")
    cache_mb: int = Field(64, ge=0, description="Memory for results of queries, MB; 0 is none")
    query_rate: str = Field(
        "600/minute", description="Queries that one client may ask, as NUMBER/UNIT"
    )
    query_budget: int = Field(
        60, ge=1, description="Seconds of evaluation that one client may use in a minute"
    )
    query_at_once: int = Field(
        16, ge=1, description="Queries of one client that may run or wait at one time"
    )
    service_endpoints: str = Field(
        "", description="IRIs of endpoints that queries may call by SERVICE, separated by commas"
    )
    service_seconds: float = Field(
        10.0, gt=0, description="Deadline of a call to such an endpoint, seconds"
    )
    service_kb: int = Field(4096, ge=1, description="Size of its answer, kB")
    service_rows: int = Field(10_000, ge=1, description="Rows of its answer")
    service_at_once: int = Field(4, ge=1, description="Calls to such endpoints at one time")
    service_private: bool = Field(
        False, description="Call endpoints also in the own network and on this machine"
    )
    key_factor: int = Field(
        5, ge=1, description="How many times as much who sends a key may ask and use"
    )
    submission_seconds: float = Field(600.0, gt=0, description="Deadline of a submission, seconds")
    submission_memory_mb: int = Field(4096, ge=64, description="Address space of a submission, MB")
    submission_mb: int = Field(256, ge=1, description="Size of a submission, unpacked, MB")
    update_kb: int = Field(1024, ge=1, description="Length of a SPARQL update, kB")
    submission_wait_mb: int = Field(
        4, ge=0, description="Size up to which a request waits for what becomes of it, MB"
    )
    submission_wait_seconds: float = Field(
        60.0, gt=0, description="How long it waits; then it is answered 202, seconds"
    )
    validate_seconds: float = Field(
        60.0, gt=0, description="Deadline of a check that anybody may ask for, seconds"
    )
    validate_memory_mb: int = Field(2048, ge=64, description="Address space of such a check, MB")
    validate_mb: int = Field(
        16,
        ge=1,
        description="Size of what anybody may have checked, unpacked, and of its report, MB",
    )
    validate_rate: str = Field(
        "30/minute", description="Checks that one client address may ask for, as NUMBER/UNIT"
    )
    export_places: int = Field(
        4, ge=1, description="Exports at one time; one client may have half of them"
    )
    export_seconds: float = Field(
        900.0, gt=0, description="How long an export may take, its reader included, seconds"
    )
    export_mb: int = Field(
        2048, ge=1, description="Size of the files that one export in XLSX or Parquet needs, MB"
    )
    publisher: str = Field(
        "LifeTec Graph", min_length=1, description="Who runs the service, as its catalogue tells"
    )
    contact: str = Field(
        "", description="Mail address or web page for questions; default the service's own address"
    )
    countries: str = Field(
        "NLD,BEL,DEU",
        description="Countries that the data are about: codes of the European Union, separated by "
        "commas",
    )
    rate_limits: bool = Field(True, description="Count what each client asks and uses")
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies, separated by commas, whose X-Forwarded-For "
        "says who the client is",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_address(cls, values: dict[str, Any]) -> dict[str, Any]:
        if not values.get("public_url"):
            host, port = values.get("host", "127.0.0.1"), values.get("port", 8000)
            if host in {"0.0.0.0", "::"}:  # noqa: S104 -- listening anywhere is no address to go to
                host = "127.0.0.1"
            values["public_url"] = f"http://{host}:{port}"
        values["contact"] = values.get("contact") or f"{values['public_url']}/"
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.base_iri.endswith(("/", "#")) or not urlsplit(self.base_iri).netloc:
            raise ValueError("LIFETEC_BASE_IRI must be an absolute IRI that ends in / or #")
        if urlsplit(self.public_url).scheme not in {"http", "https"}:
            raise ValueError("LIFETEC_PUBLIC_URL must begin with http:// or https://")
        if self.public_url.endswith("/"):
            raise ValueError("LIFETEC_PUBLIC_URL must not end in a slash")
        kind = (self.database_url or "sqlite").partition(":")[0].partition("+")[0]
        if kind not in {"sqlite", "postgres", "postgresql"}:
            raise ValueError("LIFETEC_DATABASE_URL must begin with sqlite:// or postgresql://")
        self._consistent_store()
        self._consistent_guard()
        if not re.fullmatch(r"[^@\s/<>\"]+@[^@\s/<>\"]+|https?://[^\s<>\"]+", self.contact):
            raise ValueError("LIFETEC_CONTACT must be a mail address, or begin with https://")
        if not re.fullmatch(r"([A-Z]{3}(,[A-Z]{3})*)?", self.countries):
            raise ValueError("LIFETEC_COUNTRIES must be codes like NLD,BEL")
        for name in ("ontology_dir", "shapes_dir", "seed_dir"):
            folder: Path = getattr(self, name)
            if not folder.is_dir():
                raise ValueError(f"LIFETEC_{name.upper()}: {folder} is not a folder")
        return self

    def _consistent_guard(self) -> None:
        for name in ("validate_rate", "query_rate"):
            try:
                parse(getattr(self, name))
            except ValueError:
                raise ValueError(
                    f"LIFETEC_{name.upper()} must be like 30/minute or 5/second"
                ) from None
        for endpoint in endpoints(self.service_endpoints):
            parts = urlsplit(endpoint)
            if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
                raise ValueError(
                    f"LIFETEC_SERVICE_ENDPOINTS: {endpoint} must begin with http:// or https:// "
                    "and have no user in it"
                )
        try:
            networks(self.trusted_proxies)
        except ValueError as error:
            raise ValueError(f"LIFETEC_TRUSTED_PROXIES: {error}") from None

    def _consistent_store(self) -> None:
        elsewhere = self.store not in {"disk", "memory"}
        if elsewhere and not self.store.startswith(("sparql+http://", "sparql+https://")):
            raise ValueError("LIFETEC_STORE must be disk, memory or sparql+http://HOST/PATH")
        given = {
            "USER": self.store_user,
            "PASSWORD": self.store_password,
            "TOKEN": self.store_token,
            "UPDATE_URL": self.store_update_url,
        }
        if not elsewhere and (unused := [name for name, value in given.items() if value]):
            raise ValueError(f"LIFETEC_STORE_{unused[0]} is for LIFETEC_STORE=sparql+http://…")
        if self.store_token and (self.store_user or self.store_password):
            raise ValueError("Give LIFETEC_STORE_TOKEN, or user and password, not both")
        if self.store_password and not self.store_user:
            raise ValueError("LIFETEC_STORE_PASSWORD needs LIFETEC_STORE_USER")
        if elsewhere and not self.skolemize:
            raise ValueError(
                "LIFETEC_SKOLEMIZE=off keeps blank nodes, which an update cannot name: use "
                "LIFETEC_STORE=disk with it"
            )
        for name, text in (("STORE", self.store), ("STORE_UPDATE_URL", self.store_update_url)):
            url = urlsplit(text.removeprefix("sparql+"))
            if elsewhere and text and (url.scheme not in {"http", "https"} or not url.hostname):
                raise ValueError(f"LIFETEC_{name} must be like http://HOST:PORT/PATH")
            if url.username or url.password or url.fragment:
                raise ValueError(
                    f"LIFETEC_{name}: leave user, password and # out of the address; "
                    "LIFETEC_STORE_USER and LIFETEC_STORE_PASSWORD are for them"
                )
