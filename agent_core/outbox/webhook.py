"""Send events as signed webhooks.

Signature, headers and payload are those of Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from agent_core.domain.events.outbox_events import OutboxEvent
from agent_core.errors import DeliveryError, ValidationError, words_of
from agent_core.sentences import sentence
from agent_core.support.argument_checks import known_options
from agent_core.support.plain_json import dump_json
from agent_core.support.retry import parse_retry_after

if TYPE_CHECKING:
    import httpx

_GONE = 410
_MAX_WAIT = 86_400.0  # seconds for which a receiver may put off the next attempt
_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)


@known_options
class Webhook:
    """Handler of an `Outbox` that sends each event to a URL, signed.

    A status of 2xx is a delivery. Redirects are not followed, 410 is not retried, and `Retry-After` is honoured, up to a
    day. The body of the response is not read, proxies of the environment are not used, and each event has a connection of
    its own.

    Args:
        url: https://…, or http://… on this machine. Name and password in it are sent as HTTP Basic.
        secret: "whsec_" and 24 to 64 bytes in Base64; of several, each signs, so that a receiver may know any of them.

    Raises:
        ValidationError: the URL or a secret is invalid; the message does not contain it.
    """

    def __init__(self, url: str, secret: str | Sequence[str]) -> None:
        self._url, self._basic = _checked_url(url)
        self._keys = [_key(text) for text in ([secret] if isinstance(secret, str) else secret)]
        if not self._keys:
            raise ValidationError("secret of Webhook must not be empty.")
        # Here, because both take too long for the event loop.
        import httpx

        self._tls = httpx.create_ssl_context()

    @property
    def host(self) -> str:
        """Host of the receiver; the rest of the URL may be secret."""
        return urlsplit(self._url).hostname or ""

    def __repr__(self) -> str:
        """Return the host only."""
        return f"Webhook({self.host!r})"

    async def __call__(self, event: OutboxEvent) -> None:
        """Send an event.

        Raises:
            DeliveryError: the receiver was not reached, or did not answer with 2xx.
        """
        import httpx

        body = dump_json(event.to_dict()).encode()
        request = httpx.Request("POST", self._url, headers=self._headers(event.id, body), content=body)
        try:
            # Without the client around it, which would log the URL.
            async with httpx.AsyncHTTPTransport(verify=self._tls) as transport:
                response = await transport.handle_async_request(request)
                await response.aclose()
        except httpx.HTTPError as error:
            words = words_of(error, [self._url, self._basic or ""])
            raise DeliveryError(sentence("delivery_unreachable", words=words)) from None
        _check(response)

    def _headers(self, event_id: str, body: bytes) -> dict[str, str]:
        moment = str(int(time.time()))
        signatures = [sign(key, event_id, moment, body) for key in self._keys]
        headers = {
            "content-type": "application/json",
            "user-agent": "agent_core",
            "webhook-id": event_id,
            "webhook-timestamp": moment,
            "webhook-signature": " ".join(signatures),
        }
        return headers if self._basic is None else headers | {"authorization": f"Basic {self._basic}"}


def sign(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a payload, "v1," and the HMAC-SHA256 in Base64."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _check(response: httpx.Response) -> None:
    """Raise DeliveryError unless the status is 2xx."""
    status = response.status_code
    if 200 <= status < 300:
        return
    wait = parse_retry_after(response.headers.get("retry-after"))
    raise DeliveryError(
        sentence("delivery_redirected" if 300 <= status < 400 else "delivery_refused", status=status),
        retryable=status != _GONE,
        retry_after=None if wait is None else min(wait, _MAX_WAIT),
    )


def _checked_url(url: str) -> tuple[str, str | None]:
    """Return a URL without its name and password, and those as HTTP Basic has them.

    Raises:
        ValidationError: it is not a URL, or would send events unencrypted.
    """
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError):
        is_url, parts = False, urlsplit("")
    if not is_url or not url.isascii() or not url.isprintable() or " " in url:
        raise ValidationError("url of Webhook must be an address such as https://example.org/hooks.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValidationError("url of Webhook must begin with https://; http:// is for this machine only.")
    basic = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        basic = base64.b64encode(pair.encode()).decode()
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl(), basic


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(secret: str) -> bytes:
    """Return the bytes of a secret.

    Raises:
        ValidationError: it is not one.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError, AttributeError):
        key = b""
    if len(key) not in _KEY_BYTES or not secret.startswith(_PREFIX):
        raise ValidationError(
            f"secret of Webhook must be {_PREFIX} and 24 to 64 bytes in Base64; "
            f"`echo {_PREFIX}$(openssl rand -base64 32)` makes one."
        )
    return key
