"""The programming interfaces of the service as a set of links (RFC 9727, RFC 9264 §4.2)."""

from __future__ import annotations

from typing import Any

MEDIA_TYPE = "application/linkset+json"
PROFILE = "https://www.rfc-editor.org/info/rfc9727"

_INTERFACES = {  # address: description for programs, its format; `service-doc` is for people
    "/api/v1": ("/openapi.json", "application/json"),
    "/sparql": ("/sparql", "text/turtle"),
    "/graphs": ("/sparql", "text/turtle"),
    "/sparql/update": ("/sparql", "text/turtle"),
}


def api_catalog(public_url: str) -> dict[str, Any]:
    """Every interface with its description, documentation and state (RFC 9727 §4)."""
    address = f"{public_url}/.well-known/api-catalog"
    items = [{"href": f"{public_url}{path}"} for path in _INTERFACES]
    interfaces = [
        {
            "anchor": f"{public_url}{path}",
            "service-desc": [{"href": f"{public_url}{described}", "type": media_type}],
            "service-doc": [{"href": f"{public_url}/docs", "type": "text/html"}],
            "service-meta": [
                {"href": f"{public_url}/catalog", "type": "text/turtle"},
                {"href": f"{public_url}/.well-known/void", "type": "text/turtle"},
            ],
            "status": [{"href": f"{public_url}/health/ready", "type": "application/json"}],
        }
        for path, (described, media_type) in _INTERFACES.items()
    ]
    return {"linkset": [{"anchor": address, "item": items}, *interfaces]}


def home_links(public_url: str) -> str:
    """The header by which the start page leads to them (RFC 8288, RFC 8631, RFC 9727 §3)."""
    return ", ".join(
        f'<{public_url}{path}>; rel="{relation}"'
        for path, relation in (
            ("/.well-known/api-catalog", "api-catalog"),
            ("/openapi.json", "service-desc"),
            ("/docs", "service-doc"),
            ("/catalog", "service-meta"),
            ("/.well-known/void", "describedby"),
            ("/health/ready", "status"),
        )
    )
