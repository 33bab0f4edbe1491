"""Test that a stop ends the provider's work at any point of the request, because tokens cost money."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core.domain.messages import text_of
from agent_core.testing import eventually
from tests.providers.conftest import agent_api
from tests.providers.loopback import Answer, Hang, Stream, delta, provider

pytestmark = pytest.mark.usefixtures("both_paths")


async def test_stop_in_the_middle_of_a_word_ends_the_request(tmp_path: Path):
    async with provider(Stream([*[delta("word "), 0.01] * 10_000])) as server:
        async with agent_api(tmp_path, "openai/gpt-4o-mini", api_base=server.url, api_key="k" * 9) as api:
            thread = await api.create_thread("Write a long story")

            async def said() -> str:
                updates = await api.stream_updates(thread.id)
                return "".join(chunk.get("delta", "") for update in updates for chunk in update.chunks)

            before = await eventually(said)
            await api.stop_thread(thread.id)
            found = await api.get_thread(thread.id)
            assert found is not None
            assert found.status == "stopped"
            await eventually(lambda: server.disconnects == 1)
            kept = text_of((await api.list_messages(thread.id))[-1].parts)
        assert kept.startswith(before)
        assert set(kept.split()) == {"word"}
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [Hang(), Stream([30.0])], ids=["no answer", "no token"])
async def test_stop_before_the_first_token_ends_the_request(answer: Hang | Stream, tmp_path: Path):
    async with provider(answer) as server:
        async with agent_api(tmp_path, "openai/gpt-4o-mini", api_base=server.url, api_key="k" * 9) as api:
            thread = await api.create_thread("hello")
            await eventually(lambda: server.requests)
            await api.stop_thread(thread.id)
            await eventually(lambda: server.disconnects == 1)
        assert len(server.requests) == 1


async def test_stop_while_a_retry_waits_asks_no_more(tmp_path: Path):
    busy = Answer(429, {"error": {"message": "Slow down."}}, {"retry-after": "0.6"})
    async with (
        provider(busy) as server,
        agent_api(tmp_path, "openai/gpt-4o-mini", api_base=server.url, api_key="k" * 9) as api,
    ):
        thread = await api.create_thread("hello")

        async def waiting() -> bool:
            found = await api.get_thread(thread.id)
            return found is not None and found.retry_state is not None

        await eventually(waiting)
        await api.stop_thread(thread.id)
        found = await api.get_thread(thread.id)
        assert found is not None
        assert (found.status, found.retry_state) == ("stopped", None)
        asked = len(server.requests)
        # Longer than the provider's retry-after: no request may follow a stop.
        with pytest.raises(AssertionError):
            await eventually(lambda: len(server.requests) > asked, timeout=1.0)
