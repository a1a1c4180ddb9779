"""What can go wrong, as values that know nothing of HTTP.

::

    AppError
    ├── InvalidRequest        the words of a request do not fit
    │   ├── SyntaxRejected    RDF or SPARQL that does not parse (line, column)
    │   ├── FederationRefused SERVICE to an endpoint that is not on the list, or LOAD
    │   └── QueryRejected     well-formed SPARQL that the engine will not evaluate
    ├── Unauthenticated       no key, or none that is valid (reason)
    ├── Forbidden             the key is valid and may not do this
    │   └── NotYours          things that somebody else names or keeps (iris, total)
    ├── NotFound
    ├── Gone                  a removed entity; its tombstone
    ├── NotAcceptable         no offered format is accepted
    ├── UnsupportedMediaType
    ├── PayloadTooLarge       more bytes, quads or nesting than the limit
    ├── MethodNotAllowed
    ├── Invalid               the shapes refuse a submission (report)
    ├── Conflict              the dataset moved on
    │   └── StillReferenced   others refer to what is to be removed (references, total)
    ├── PreconditionFailed    the dataset is not of the generation that the caller insists on
    ├── KeyReused             another request had this Idempotency-Key
    ├── RateLimited           one client asks too often (retry_after)
    ├── ServiceFailed         an endpoint that a query calls gave no answer (endpoint)
    ├── Overloaded            the waiting line is full (retry_after)
    ├── NotReady              what the answer is read from is still being made (retry_after)
    ├── DeadlineExceeded      the work took longer than allowed
    ├── MemoryExceeded        the work needed more memory than allowed
    ├── WorkerDied            a cage ended for another reason
    ├── StoreAway             a store elsewhere does not answer, or not as it should (retry_after)
    └── StoreUnfit            a store elsewhere holds or shows what it must not

``slug`` is the stable last part of the problem type (RFC 9457 §3.1.1) and ``title`` its short,
constant summary; the message says what happened and what to do. ``facts`` are the further members
of the problem document and everything needed to rebuild the error on the other side of a pipe.
"""

from __future__ import annotations

from typing import Any, ClassVar


class AppError(Exception):
    """Base of every error that a caller is told about."""

    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts: dict[str, Any] = {k: v for k, v in facts.items() if v is not None}

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form for a pipe; `from_dict` is its inverse."""
        return {"slug": self.slug, "detail": self.detail, "facts": self.facts}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> AppError:
        """Rebuild an error from `as_dict`; an unknown slug becomes a plain `AppError`."""
        kind = kind_of(data["slug"]) or AppError
        error = kind.__new__(kind)
        AppError.__init__(error, data["detail"], **data["facts"])
        return error


class InvalidRequest(AppError):
    """A parameter or header does not fit; `field` names it, `nearest` a valid one."""

    slug = "invalid-request"
    title = "The request does not fit"

    def __init__(self, detail: str, *, field: str | None = None, nearest: str | None = None):
        super().__init__(detail, field=field, nearest=nearest)


class SyntaxRejected(InvalidRequest):
    """Text that does not parse; line and column count from 1 where the parser knows them."""

    slug = "syntax"
    title = "The text does not parse"

    def __init__(self, detail: str, *, line: int | None = None, column: int | None = None):
        AppError.__init__(self, detail, line=line, column=column)


class FederationRefused(InvalidRequest):
    """SERVICE to an endpoint that is not on the list, or LOAD."""

    slug = "federation-refused"
    title = "Federated requests are refused"


class QueryRejected(InvalidRequest):
    """A query that parses but cannot be evaluated, e.g. an unknown function."""

    slug = "query-rejected"
    title = "The query cannot be evaluated"


class Unauthenticated(AppError):
    """No valid key was sent; `reason` is missing, malformed, unknown, expired or revoked."""

    slug = "unauthenticated"
    title = "A valid key is needed"

    def __init__(self, detail: str, *, reason: str):
        super().__init__(detail, reason=reason)


class Forbidden(AppError):
    """The key is valid, but it may not do this."""

    slug = "forbidden"
    title = "Not allowed with this key"


class NotYours(Forbidden):
    """Data that brings things into the world under names of others.

    `iris` are the first of them, each with `line` and `file` where these are known; `total` is
    their number.
    """

    slug = "not-yours"
    title = "Names of others"

    def __init__(self, detail: str, *, iris: list[dict[str, Any]], total: int):
        super().__init__(detail, iris=iris, total=total)


class NotFound(AppError):
    """Nothing is known under this name."""

    slug = "not-found"
    title = "Not found"


class Gone(AppError):
    """An entity that was removed; IRIs are never reused."""

    slug = "gone"
    title = "Removed"

    def __init__(self, iri: str, *, deleted_at: str | None = None, replaced_by: str | None = None):
        super().__init__(
            f"<{iri}> was removed"
            + (f" on {deleted_at}" if deleted_at else "")
            + (
                f"; use <{replaced_by}> instead." if replaced_by else "; its address is not reused."
            ),
            iri=iri,
            deleted_at=deleted_at,
            replaced_by=replaced_by,
        )


class NotAcceptable(AppError):
    """None of the offered media types is acceptable to the client."""

    slug = "not-acceptable"
    title = "No acceptable format"

    def __init__(self, offered: list[str]):
        super().__init__(
            "Ask for one of the offered formats in the Accept header: " + ", ".join(offered) + ".",
            offered=offered,
        )


class UnsupportedMediaType(AppError):
    """The body's media type is not one that is read here."""

    slug = "unsupported-media-type"
    title = "Unsupported media type"

    def __init__(self, media_type: str | None, accepted: list[str]):
        super().__init__(
            (f"{media_type!r} is not read here" if media_type else "The Content-Type is missing")
            + "; send one of: "
            + ", ".join(accepted)
            + ".",
            accepted=accepted,
        )


class PayloadTooLarge(AppError):
    """More than a limit allows; the message names limit and unit."""

    slug = "too-large"
    title = "Too large"


class MethodNotAllowed(AppError):
    """The address exists, the method does not fit."""

    slug = "method-not-allowed"
    title = "Method not allowed"

    def __init__(self, method: str, allowed: list[str]):
        super().__init__(
            f"{method} is not offered here; use {', '.join(allowed)}.", allowed=allowed
        )


class Invalid(AppError):
    """A submission that the shapes refuse; `report` is the JSON form of the validation report."""

    slug = "invalid-data"
    title = "The data breaks the shapes"


class Conflict(AppError):
    """The dataset or the log has moved on since the caller looked."""

    slug = "conflict"
    title = "Changed in between"


class PreconditionFailed(AppError):
    """A dataset is not of the generation that the caller named; `found` is what it is of."""

    slug = "precondition-failed"
    title = "Changed since you looked"

    def __init__(self, dataset: str, *, expected: int, found: int):
        super().__init__(
            f"<{dataset}> is of generation {found}, not {expected}. Read it again, make your "
            "change anew, and send it with the generation that you then see.",
            dataset=dataset,
            expected=expected,
            found=found,
        )


class KeyReused(AppError):
    """Something else was sent with this Idempotency-Key; `submission` is what became of it."""

    slug = "idempotency-key-reused"
    title = "Idempotency-Key used before"

    def __init__(self, submission: str):
        super().__init__(
            "Something else was sent with this Idempotency-Key before. Take a new one for each "
            "submission, and the same one only to send the same again.",
            submission=submission,
        )


class StillReferenced(Conflict):
    """Entities are to be removed to which statements that stay refer.

    `references` are the first of these (subject, predicate, object, dataset), `total` is their
    number.
    """

    slug = "still-referenced"
    title = "Others refer to it"

    def __init__(self, detail: str, *, references: list[dict[str, str]], total: int):
        super().__init__(detail, references=references, total=total)


class RateLimited(AppError):
    """One client has asked for more than is allowed; try again after `retry_after` seconds.

    `quota` of the `unit` are allowed in `window` seconds, or at one time; `policy` names the limit.
    """

    slug = "rate-limited"
    title = "Too many requests"

    def __init__(
        self,
        policy: str,
        *,
        quota: int,
        retry_after: int,
        window: int | None = None,
        unit: str = "requests",
    ):
        meant = (
            f"More than {quota} {unit} in {window} s"
            if window
            else f"{quota} {unit} of yours run or wait already; let some of them end first"
        )
        super().__init__(
            f"{meant}; try again in {retry_after} s.",
            policy=policy,
            quota=quota,
            window=window,
            retry_after=retry_after,
        )


class ServiceFailed(AppError):
    """An endpoint elsewhere, which a query calls by SERVICE, gave no answer that can be used."""

    slug = "service-failed"
    title = "Another endpoint failed"

    def __init__(self, endpoint: str, reason: str):
        super().__init__(
            f"<{endpoint}> {reason}. Try again, or write SERVICE SILENT to go on without it.",
            endpoint=endpoint,
        )


class Overloaded(AppError):
    """All workers are busy and the waiting line is full; `retry_after` in seconds."""

    slug = "overloaded"
    title = "Too busy"

    def __init__(self, retry_after: int):
        super().__init__(
            f"All workers are busy and the waiting line is full; try again in {retry_after} s.",
            retry_after=retry_after,
        )


class NotReady(AppError):
    """The search index is being built; `retry_after` seconds are a good guess."""

    slug = "not-ready"
    title = "Not ready yet"

    def __init__(self, detail: str, *, retry_after: int = 10):
        super().__init__(detail, retry_after=retry_after)


class DeadlineExceeded(AppError):
    """The work was stopped at its deadline; `seconds` is the limit."""

    slug = "deadline"
    title = "Time limit reached"

    def __init__(self, seconds: float, *, advice: str | None = None):
        advice = advice or (
            "Ask for less: add a LIMIT, bind more of the pattern, or avoid joining parts that "
            "share no variable."
        )
        super().__init__(f"The work was stopped after {seconds:g} s. {advice}", seconds=seconds)


class MemoryExceeded(AppError):
    """The worker ran into its address-space limit; `megabytes` is the limit."""

    slug = "memory"
    title = "Memory limit reached"

    def __init__(self, megabytes: int, *, advice: str | None = None):
        advice = advice or "Ask for less: avoid ORDER BY or GROUP BY over unbounded results."
        super().__init__(f"The work needed more than {megabytes} MB. {advice}", megabytes=megabytes)


class WorkerDied(AppError):
    """A worker ended for a reason that is neither deadline nor memory."""

    slug = "worker-died"
    title = "The worker ended early"


class StoreAway(AppError):
    """A store elsewhere gives no answer that helps; try again after `retry_after` seconds."""

    slug = "store-away"
    title = "The store is away"

    def __init__(self, detail: str, *, retry_after: int = 10):
        super().__init__(detail, retry_after=retry_after)


class StoreUnfit(AppError):
    """A store elsewhere holds what another service wrote, or shows another default graph."""

    slug = "store-unfit"
    title = "The store does not fit"


def _tree(kind: type[AppError]) -> dict[str, type[AppError]]:
    found = {kind.slug: kind}
    for child in kind.__subclasses__():
        found.update(_tree(child))
    return found


_BY_SLUG = _tree(AppError)


def kind_of(slug: str) -> type[AppError] | None:
    """The kind of error that has this slug."""
    return _BY_SLUG.get(slug)
