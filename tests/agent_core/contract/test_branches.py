"""The contract of branches and forks."""

from __future__ import annotations

from tests.agent_core.contract.support import Contract, shown_text


async def test_an_edited_and_regenerated_thread_can_show_its_first_branch(contract: Contract) -> None:
    async with contract.api([["First."], ["Second."], ["Third."]]) as api:
        thread = await api.create_thread("One?")
        await api.wait_until_idle(thread.id, 20)
        question, answer = await api.list_messages(thread.id)
        edited = await api.edit_message(thread.id, question.id, "Two?")
        await api.wait_until_idle(thread.id, 20)
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Two?", "Second."]
        assert contract.model.requests[-1][-1]["content"] == "Two?"
        await api.regenerate(thread.id, (await api.list_messages(thread.id))[-1].id)
        await api.wait_until_idle(thread.id, 20)
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Two?", "Third."]
        await api.select_branch(thread.id, answer.id)
        assert [m.id for m in await api.list_messages(thread.id)] == [question.id, answer.id]
        assert edited.id != question.id


async def test_a_fork_is_a_thread_of_its_own(contract: Contract) -> None:
    async with contract.api([["First."], ["Second."], ["Other."]]) as api:
        thread = await api.create_thread("One?")
        await api.wait_until_idle(thread.id, 20)
        await api.send_message(thread.id, "Two?")
        await api.wait_until_idle(thread.id, 20)
        answer = (await api.list_messages(thread.id))[1]
        fork = await api.fork_thread(thread.id, answer.id)
        assert fork.id != thread.id
        assert fork.status == "completed"
        await api.send_message(fork.id, "Else?")
        await api.wait_until_idle(fork.id, 20)
        assert [shown_text(m) for m in await api.list_messages(fork.id)] == [
            "One?",
            "First.",
            "Else?",
            "Other.",
        ]
        assert len(await api.list_messages(thread.id)) == 4
