"""A service elsewhere, spoken to over HTTP with a key."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final, Self

import httpx

from app.accounts.secret import Secret
from app.errors import AppError
from app.submissions.gate import File

PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new attempt."""

LONGEST_PAUSE: Final = 120.0
"""Who asks for a longer one is not waited for, seconds."""

_LARGE: Final = 1 << 16
_ANSWER_SECONDS: Final = 120.0
_BUSY: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered: its document is what was asked for, or a problem (RFC 9457)."""

    status: int
    document: dict[str, Any]

    @property
    def refused(self) -> bool:
        """Whether the document is a problem."""
        return self.status >= HTTPStatus.BAD_REQUEST

    def problem(self) -> AppError:
        """The problem as the error that it was made from."""
        said = self.document
        members = {"type", "title", "status", "detail"}
        return AppError.from_dict(
            {
                "slug": str(said.get("type")).rpartition("/")[2],
                "detail": str(said.get("detail") or said.get("title") or "No reason is given."),
                "facts": {name: value for name, value in said.items() if name not in members},
            }
        )


def read_address(text: str, *, insecure: bool) -> str:
    """The address of a service without its last slash; raises ValueError for what cannot be one.

    A line that others can read must be asked for: with `insecure`, or when it does not leave this
    machine.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"{error}.") from None
    more = url.userinfo or "?" in text or "#" in text
    if url.scheme not in {"http", "https"} or not url.host or more:
        raise ValueError("Write it like https://data.example.org, without user, ? and #.")
    if url.scheme == "http" and not insecure and not _is_loopback(url.host):
        raise ValueError(
            "With http:// anybody on the way can read the key; write https://, or --insecure if "
            "the way is your own."
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Remote:
    """The API of the service at `address`, a result of `read_address`.

    The key goes there and nowhere else: no address is taken from an answer, redirects are not
    followed, and no proxy stands in a line that is not encrypted.

    Where no answer comes, or one that says to come again, the same is sent again, after `pauses`
    or after as long as the service says; `told` hears of it. So only what does no harm when it
    arrives twice may be sent. Raises ConnectionError when there is no answer in the end, or none
    of such a service.
    """

    def __init__(
        self, address: str, key: Secret, *, told: Told, pauses: Sequence[float] = PAUSES
    ) -> None:
        self.address = address
        self._told = told
        self._pauses = pauses
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key.text}", "Accept": "application/json"},
            trust_env=address.startswith("https:"),
            follow_redirects=False,
            timeout=httpx.Timeout(10.0, read=_ANSWER_SECONDS, write=60.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int) -> Answer:
        """What is at a path below the address."""
        return self._asked(self._http.build_request("GET", f"{self.address}{path}", params=params))

    def send(
        self,
        path: str,
        files: Sequence[File],
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        seconds: float = _ANSWER_SECONDS,
    ) -> Answer:
        """Files as a form, compressed on the way where that pays; the answer may take `seconds`."""
        parts = [("file", (file.name, file.data, file.media_type)) for file in files]
        form = httpx.Request("POST", self.address, files=parts)
        body, sent = form.read(), {"Content-Type": form.headers["Content-Type"], **headers}
        packed = all((file.name or "").endswith(".gz") for file in files)
        if len(body) > _LARGE and not packed:
            body, sent["Content-Encoding"] = gzip.compress(body), "gzip"
        return self._asked(
            self._http.build_request(
                "POST",
                f"{self.address}{path}",
                params=params,
                headers=sent,
                content=body,
                timeout=httpx.Timeout(self._http.timeout.connect, read=seconds, write=60.0),
            )
        )

    def _asked(self, request: httpx.Request) -> Answer:
        for pause in (*self._pauses, None):
            try:
                reply = self._http.send(request)
            except httpx.TransportError as error:
                trouble, wait = f"No answer from {self.address} ({_words(error)}).", pause
                if wait is None:
                    raise ConnectionError(trouble) from None
            else:
                wait = _retry_after(reply)
                if wait is None or wait > LONGEST_PAUSE or pause is None:
                    return self._read(reply)
                trouble = f"{self.address} is busy."
            self._told(f"{trouble} Again in {wait:g} s.")
            time.sleep(wait)
        raise AssertionError("unreachable")  # the last turn returns or raises

    def _read(self, reply: httpx.Response) -> Answer:
        if reply.has_redirect_location:
            raise ConnectionError(
                f"{self.address} sends on to {reply.headers['Location']}, to where nothing was "
                "sent. If that is the right address, give it with --to."
            )
        try:
            document = reply.json()
        except ValueError:
            document = None
        if not isinstance(document, dict) or (
            reply.is_error and not str(document.get("type")).startswith("http")
        ):
            raise ConnectionError(
                f"{self.address} answers with status {reply.status_code}, but not as a LifeTec "
                "Graph does. Is --to the address under which people reach the service?"
            )
        return Answer(reply.status_code, document)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _retry_after(reply: httpx.Response) -> float | None:
    """Seconds after which to come again (RFC 9110 §10.2.3); None where that is not asked for."""
    text = reply.headers.get("Retry-After", "")
    if reply.status_code not in _BUSY or not text:
        return None
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
