"""What stands between a public query and its answer, put together from settings."""

from __future__ import annotations

from dataclasses import replace

from limits import parse

from app.api.clients import Clients
from app.api.metrics import Metrics
from app.egress import Bounds, Egress
from app.sandbox.pool import Limits
from app.service import Service, remote_address
from app.settings import Settings, endpoints, networks
from app.sparql.cache import ResultCache
from app.sparql.endpoint import Endpoint
from app.sparql.evaluation import CagedEvaluator, Evaluator
from app.sparql.federation import FederatedEvaluator
from app.sparql.guard import Allowance, Guard, Quota
from app.sparql.remote import RemoteEvaluator


class Answering:
    """The endpoint with its evaluator, cache and guard; the clients that it knows; its metrics."""

    def __init__(self, settings: Settings, service: Service) -> None:
        limits = query_limits(settings)
        self.evaluator = _evaluator(service, limits)
        self._egress = Egress(
            Bounds(
                settings.service_seconds,
                settings.service_kb << 10,
                settings.service_at_once,
                settings.service_private,
            )
        )
        federated = FederatedEvaluator(
            self.evaluator,
            service.pool,
            self._egress.select,
            endpoints=endpoints(settings.service_endpoints),
            base_iri=settings.base_iri,
            limits=limits,
            max_rows=settings.service_rows,
        )
        cache = ResultCache(settings.cache_mb << 20)
        self.metrics = Metrics(service.pool, cache=cache)
        self.guard = Guard(
            _allowances(settings),
            max_result_bytes=settings.query_result_mb << 20,
            told=self.metrics.told,
        )
        self.clients = Clients(
            service.accounts, self.guard, trusted=networks(settings.trusted_proxies)
        )
        self.endpoint = Endpoint(federated, cache, self.guard)

    async def close(self) -> None:
        """Hang up on stores and endpoints elsewhere."""
        await self._egress.close()
        if isinstance(self.evaluator, RemoteEvaluator):
            await self.evaluator.close()


def query_limits(settings: Settings) -> Limits:
    """What one query may use."""
    return Limits(settings.query_seconds, settings.query_memory_mb)


def _allowances(settings: Settings) -> tuple[Allowance, Allowance] | None:
    """What clients without and with a key may have; None where nobody is counted."""
    if not settings.rate_limits:
        return None
    rate = parse(settings.query_rate)
    anonymous = Allowance(
        Quota(rate.amount, rate.get_expiry()),
        Quota(settings.query_budget, 60),
        settings.query_at_once,
    )
    keyed = replace(
        anonymous,
        queries=anonymous.queries.times(settings.key_factor),
        seconds=anonymous.seconds.times(settings.key_factor),
    )
    return anonymous, keyed


def _evaluator(service: Service, limits: Limits) -> Evaluator:
    """Public queries go to the store elsewhere, where there is one; else to the cage."""
    settings = service.settings
    address, mirror = remote_address(settings), service.mirror
    if address is None or mirror is None:
        return CagedEvaluator(
            service.pool,
            base_iri=settings.base_iri,
            union=settings.default_graph == "union",
            limits=limits,
        )
    return RemoteEvaluator(
        address,
        service.pool,
        mirror,
        base_iri=settings.base_iri,
        union=settings.default_graph == "union",
        limits=limits,
        places=settings.store_connections,
        queue=settings.queue,
        max_bytes=settings.query_result_mb << 20,
    )
