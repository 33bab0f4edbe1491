"""Signed webhooks: their form, what counts as a delivery, and receivers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import ssl
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from agent_core import OutboxEvent, Webhook, errors
from agent_core.errors import DeliveryError
from agent_core.outbox.webhook import sign
from agent_core.support.retry import RetryPolicy
from tests.tools.certificate import write_certificate

SECRETS = ["whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in range(2)]
EVENT = OutboxEvent(
    id="event_1",
    type="turn.completed",
    created_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
    thread_id="t",
    agent="assistant",
    user_id="ann",
    data={"message": {"parts": [{"type": "text", "text": "Grüße 🙂 " + "x" * 200_000}]}},
)


class Request:
    """A request that a receiver has read."""

    def __init__(self, head: bytes, body: bytes) -> None:
        lines = head.decode().split("\r\n")
        self.line, self.body = lines[0], body
        self.headers = dict(map(_field, lines[1:]))


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name.lower(), value


Answer = Callable[[asyncio.StreamWriter], Any]


@contextlib.asynccontextmanager
async def receiving(answer: bytes | Answer, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Any]:
    """Serve one answer to every request; yield the address and the requests."""
    requests: list[Request] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            requests.append(Request(head, await reader.readexactly(length)))
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(writer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{port}", requests
    finally:
        server.close()


def status(code: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code} X", *headers, "content-length: 0", "", ""]).encode()


async def refused(answer: bytes | Answer, **more: Any) -> DeliveryError:
    async with receiving(answer, **more) as (address, _):
        scheme = "https" if more else "http"
        with pytest.raises(DeliveryError) as caught:
            await asyncio.wait_for(Webhook(f"{scheme}://{address}/", SECRETS[0])(EVENT), 20)
    return caught.value


async def test_a_webhook_verifies_with_each_secret_and_hides_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with receiving(status(204)) as (address, requests):
        webhook = Webhook(f"http://hook:p%40ss@{address}/in/T0K3N?key=5ecret", SECRETS)
        await webhook(EVENT)
        (request,) = requests
    assert request.line == "POST /in/T0K3N?key=5ecret HTTP/1.1"
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"hook:p@ss"
    for secret in SECRETS:  # a receiver that has changed its secret, and one that has not
        found = Verifier(secret).verify(request.body, request.headers)
        assert found == {
            "type": "turn.completed",
            "timestamp": "2026-01-01T12:00:00+00:00",
            "data": {"thread_id": "t", "agent": "assistant", "user_id": "ann", **EVENT.data},
        }
    assert request.headers["webhook-id"] == "event_1"
    stranger = Verifier("whsec_" + base64.b64encode(os.urandom(32)).decode())
    with pytest.raises(WebhookVerificationError):
        stranger.verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRETS[0]).verify(request.body.replace(b"ann", b"bob"), request.headers)
    told = caplog.text + repr(webhook)
    assert not [word for word in ("p%40ss", "p@ss", "T0K3N", "5ecret", SECRETS[0][6:]) if word in told]


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of https://www.standardwebhooks.com, which its libraries test, too."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_each_attempt_has_a_timestamp_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver whose clock differs refuses until the clocks agree; a repetition has the new time."""
    async with receiving(status(200)) as (address, requests):
        webhook = Webhook(f"http://{address}/", SECRETS[0])
        behind = (datetime.now(UTC) - timedelta(minutes=10)).timestamp()
        with monkeypatch.context() as patch:
            patch.setattr("agent_core.outbox.webhook.time.time", lambda: behind)
            await webhook(EVENT)
        await webhook(EVENT)
    late, now = requests
    with pytest.raises(WebhookVerificationError, match="too old"):
        Verifier(SECRETS[0]).verify(late.body, late.headers)
    Verifier(SECRETS[0]).verify(now.body, now.headers)
    assert late.headers["webhook-id"] == now.headers["webhook-id"]


async def test_only_2xx_is_a_delivery() -> None:
    async with receiving(status(200)) as (elsewhere, followed):
        error = await refused(status(307, f"location: http://{elsewhere}/"))
        assert (error.code, error.params, error.retryable) == ("delivery_redirected", {"status": 307}, True)
        assert not followed
    error = await refused(status(500))
    assert (error.code, error.params, error.retry_after) == ("delivery_refused", {"status": 500}, None)
    assert not (await refused(status(410))).retryable
    policy = RetryPolicy(initial_delay=1, jitter=0)
    assert policy.delay(1, await refused(status(429, "retry-after: 120"))) == 120
    moment = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < (policy.delay(1, await refused(status(503, f"retry-after: {moment}"))) or 0) <= 3600
    assert (await refused(status(503, "retry-after: 1e300"))).retry_after == 86_400
    assert (await refused(status(503, "retry-after: soon"))).retry_after is None


async def test_broken_receivers_fail_and_a_huge_answer_is_not_read() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    async with receiving(endless) as (address, _):
        await asyncio.wait_for(Webhook(f"http://{address}/", SECRETS[0])(EVENT), 20)
    for broken in (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000):
        assert (await refused(broken)).code == "delivery_unreachable"
    async with receiving(b"") as (address, _):
        pass
    with pytest.raises(DeliveryError, match="could not be reached"):
        await Webhook(f"http://{address}/", SECRETS[0])(EVENT)


async def test_a_certificate_of_no_known_authority_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, key = write_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(file, key)
    error = await refused(status(200), tls=tls)
    assert (error.code, error.retryable) == ("delivery_unreachable", True)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with receiving(status(200), tls) as (address, requests):
        await Webhook(f"https://{address}/", SECRETS[0])(EVENT)
        assert json.loads(requests[0].body)["type"] == "turn.completed"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "http://example.org/x",
        "http://10.0.0.7/",
        "https://",
        "https://a b/",
    ],
)
def test_an_unencrypted_or_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(errors.ValidationError, match="url of Webhook"):
        Webhook(url, SECRETS[0])


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "hunter2hunter2", SECRETS[0][6:], "whsec_!" + SECRETS[0][7:], []]
)
def test_an_invalid_secret_is_refused_and_not_shown(secret: Any) -> None:
    with pytest.raises(errors.ValidationError, match="secret of Webhook") as caught:
        Webhook("https://example.org/hook", secret)
    assert not secret or str(secret) not in str(caught.value) or secret == "whsec_"
