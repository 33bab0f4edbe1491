"""Search: matches with their context, limited to the caller's own threads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_core import AgentApi, CallContext, SearchHit, define_agent_api, errors
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool, async_tool
from tests.support.agents import agent_on, finished

LONG = "The beginning of it all is long ago. " * 10


async def place(api: AgentApi, title: str | None, *said: str) -> str:
    """Create an idle thread whose messages alternate between a person and the assistant."""
    messages = [
        {"role": ("user", "assistant")[n % 2], "content": text, "id": f"{title}-{n}"}
        for n, text in enumerate(said)
    ]
    return (await api.create_thread(title=title, messages=messages)).id


def where(hits: list[SearchHit]) -> list[tuple[str | None, str | None]]:
    return [(hit.thread.title, hit.message_id) for hit in hits]


async def test_titles_and_messages_are_found_in_context_the_newest_first(path: Path) -> None:
    async with agent_on(path, []) as api:
        await place(api, "old", "About ships", LONG + "A harbour master told me. " + LONG)
        await place(api, "HARBOURS", "Hi")
        await place(api, "none", "Nothing of the kind")
        hits = await api.search("harbour")
        assert where(hits) == [("HARBOURS", None), ("old", "old-1")]
        assert hits[0].snippet == ""
        assert hits[1].snippet.startswith("…")
        assert "long ago. A harbour master told me." in hits[1].snippet
        assert hits[1].snippet.endswith("…")
        assert len(hits[1].snippet) < 200
        assert where(await api.search("MASTER harbour")) == [("old", "old-1")]
        assert where(await api.search("harbour", 1)) == [("HARBOURS", None)]
        assert await api.search("harbour ships") == [], "all words, in one message"


async def test_an_answer_is_found_and_what_its_tools_said_is_not(path: Path) -> None:
    @action_tool
    async def look() -> str:
        """Look."""
        return "unicorns"

    async with agent_on(path, [[ToolUse("look")], ["I saw ", "a dragon."]], tools=[look]) as api:
        thread = await finished(api, await api.create_thread("What is there?"))
        reply = (await api.list_messages(thread.id))[-1]
        (hit,) = await api.search("saw a dragon")
        assert (hit.thread.id, hit.message_id, hit.snippet) == (thread.id, reply.id, "I saw a dragon.")
        for word in ("unicorns", "tool", "type", "text", "done", "step-start"):
            assert await api.search(word) == [], word


async def test_hidden_deleted_and_system_messages_are_not_found(path: Path) -> None:
    async with agent_on(path, lambda m: ["re: " + m[-1]["content"]]) as api:
        thread = await finished(api, await api.create_thread("first words", message_id="m"))
        await api.edit_message(thread.id, "m", "other words")
        await finished(api, thread.id)
        assert len(await api.search("first")) == 1, "the title still says so"
        assert [hit.message_id for hit in await api.search("re: first")] == []
        assert len(await api.search("re: other")) == 1
        secret = [{"role": "system", "content": "a secret"}, {"role": "user", "content": "Hi"}]
        await api.create_thread(messages=secret)
        assert len(await api.search("secret")) == 1
        public = define_agent_api(api.store, api.agent)
        assert await public.search("secret") == []


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ('He said "no" and left', 'said "no"'),
        ("C:\\temp\\new", "\\TEMP\\"),
        ("one\n\n\ttwo", "one two"),
        ("ÜBERGRÖSSE straße", "übergrösse Straße"),
        ("100% of_all!", "100% of_all!"),
        ("今日は世界", "世界"),
        ("a 🏳️‍🌈 flag", "🏳️‍🌈"),
        ("ключ Ёлка", "КЛЮЧ ёлка"),
    ],
)
async def test_every_character_means_itself(path: Path, said: str, query: str) -> None:
    async with agent_on(path, []) as api:
        await place(api, "this", said)
        await place(api, "that", "100 offal lorem")
        assert where(await api.search(query)) == [("this", "this-0")]
        for word in ("_", "%", "*", ".", "(", "!!", "\x00"):
            assert len(await api.search(word * 2)) <= 1


ACCENTED = [
    ("Meet me at the café", "cafe"),
    ("Meet me at the cafe", "CAFÉ"),
    ("Meet me at the cafe\u0301", "café"),
    ("Zażółć gęślą jaźń", "zazolc gesla"),
    ("Søren ate Smørrebrød", "smorrebrod"),
    ("die Straße", "strasse"),
    ("ＡＢＣ株式会社", "abc株式"),
    ("ёлка", "елка"),
    ("שָׁלוֹם", "שלום"),
    ("İstanbul ve Işık", "istanbul isik"),
    ("Ἀθῆναι", "αθηναι"),
    ("Việt Nam đẹp", "viet dep"),
]


@pytest.mark.parametrize(("said", "query"), ACCENTED)
async def test_search_takes_no_notice_of_accents(path: Path, said: str, query: str) -> None:
    async with agent_on(path, []) as api:
        await place(api, "this", "x " * 400 + said)
        await place(api, "that", "Some hay, ünd more", "か and not the other")
        assert where(await api.search(query)) == [("this", "this-0")]
        (hit,) = await api.search(query)
        assert said in hit.snippet
        await place(api, said, "Hi")
        assert [thread.title for thread in await api.list_threads(query=query.split()[0])] == [said]


async def test_search_tells_apart_what_a_mark_makes_another_letter(path: Path) -> None:
    async with agent_on(path, []) as api:
        await place(api, "this", "が")
        assert await api.search("か") == []
        assert where(await api.search("が")) == [("this", "this-0")]


@pytest.mark.parametrize("query", ["", "   ", "\n"])
async def test_a_blank_query_finds_nothing(path: Path, query: str) -> None:
    async with agent_on(path, []) as api:
        await place(api, "t", "words")
        assert await api.search(query) == []


async def test_an_invalid_query_or_limit_is_refused(path: Path) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(errors.ValidationError, match="400"):
            await api.search("x" * 401)
        with pytest.raises(errors.ValidationError, match="limit"):
            await api.search("x", 0)
        assert await api.search(" ".join("abcdefghijklmnop")) == []


async def test_search_reads_all_batches_and_lists_a_thread_once(path: Path) -> None:
    async with agent_on(path, []) as api:
        await place(api, "first", "the needle")
        for number in range(120):
            await place(api, f"t{number}", "hay")
        await place(api, "talk", *(["the needle"] * 6))
        found = where(await api.search("needle"))
        assert found == [("talk", "talk-5"), ("talk", "talk-4"), ("talk", "talk-3"), ("first", "first-0")]


async def test_archived_threads_are_found_unless_asked_otherwise(path: Path) -> None:
    async with agent_on(path, []) as api:
        old = await place(api, "old", "needle")
        await place(api, "new", "needle")
        await api.update_thread(old, archived=True)
        assert where(await api.search("needle")) == [("new", "new-0"), ("old", "old-0")]
        assert where(await api.search("needle", archived=False)) == [("new", "new-0")]
        assert where(await api.search("needle", archived=True)) == [("old", "old-0")]


async def test_search_finds_only_the_callers_own_threads(path: Path) -> None:
    async with agent_on(path, ScriptedModel([])) as inner:
        ann, bob = CallContext("ann"), CallContext("bob")
        said = [{"role": "user", "content": "needle"}]
        mine = await inner.create_thread(messages=said, ctx=ann)
        other = await inner.create_thread(messages=said, ctx=ann)

        def only_mine(ctx: CallContext | None, thread_id: str) -> None:
            if thread_id != mine.id:
                raise PermissionError(thread_id)

        api = define_agent_api(inner.store, inner.agent, authorization_callback=only_mine)
        assert {hit.thread.id for hit in await api.search("needle", ctx=ann)} == {mine.id}
        assert await inner.search("needle", ctx=bob) == []
        assert await inner.search("needle", user_id="ann", ctx=bob) == []
        assert {hit.thread.id for hit in await inner.search("needle", user_id="ann")} == {mine.id, other.id}


async def test_threads_that_wait_for_somebody_are_listed_and_the_list_is_told(path: Path) -> None:
    @action_tool(needs_approval=True)
    async def pay() -> str:
        """Pay."""
        return "paid"

    @async_tool
    async def ask() -> None:
        """Ask."""

    turns = {"pay": ToolUse("pay", {}, "c1"), "ask": ToolUse("ask", {}, "c2")}
    model = ScriptedModel(lambda m: ["Done."] if m[-1]["role"] == "tool" else [turns[m[-1]["content"]]])
    async with agent_on(path, model, tools=[pay, ask]) as api:
        await api.create_thread(title="idle")
        paying, asking = await api.create_thread("pay"), await api.create_thread("ask")

        async def seen(*wanted: str) -> None:
            async with asyncio.timeout(20):
                async for _ in api.changes():
                    if {found.id for found in await api.list_threads(waiting=True)} == set(wanted):
                        return

        await seen(paying.id, asking.id)
        await api.approve_tool_calls(paying.id, ["c1"])
        await seen(asking.id)
        await api.add_tool_result("c2", "Blue")
        await seen()


async def test_pinned_threads_are_listed_apart(path: Path) -> None:
    async with agent_on(path, []) as api:
        made = [await place(api, f"T{number}", "Hi") for number in range(4)]
        await api.update_thread(made[1], pinned=True)
        assert [found.id for found in await api.list_threads(pinned=True)] == [made[1]]
        assert [found.id for found in await api.list_threads(pinned=False)] == [made[3], made[2], made[0]]
        assert [f.id for f in await api.list_threads(1, cursor=made[3], pinned=False)] == [made[2]]
