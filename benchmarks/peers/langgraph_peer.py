"""The same work in LangGraph: `python langgraph_peer.py steps '{"threads": 20, "rounds": 60}'`.

A graph of two nodes, model and tool, whose state is the list of messages. It is checkpointed after every node
(`durability="sync"`) in the AsyncSqliteSaver, or in the AsyncPostgresSaver where a `url` is given. Prints
one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import operator
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # pyright: ignore[reportMissingImports]
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # pyright: ignore[reportMissingImports]
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingImports]


class State(TypedDict):
    """State of the graph, as LangGraph checkpoints it."""

    messages: Annotated[list[dict[str, Any]], operator.add]
    rounds: int


async def model(state: State) -> dict[str, Any]:
    """Call the tool until the rounds are used up, then answer; only the number of messages is looked at."""
    done = len(state["messages"]) // 2
    if done < state["rounds"]:
        call = {
            "id": f"call_{done}",
            "type": "function",
            "function": {"name": "echo", "arguments": f'{{"n": {done}}}'},
        }
        return {"messages": [{"role": "assistant", "content": f"Round {done}.", "tool_calls": [call]}]}
    return {"messages": [{"role": "assistant", "content": "Done."}]}


async def tool(state: State) -> dict[str, Any]:
    """Echo the argument."""
    call = state["messages"][-1]["tool_calls"][0]
    return {
        "messages": [{"role": "tool", "tool_call_id": call["id"], "content": call["function"]["arguments"]}]
    }


def steps_graph() -> Any:
    """Return a graph that alternates model and tool until the model calls no tool."""
    graph = StateGraph(State)
    graph.add_node("model", model)
    graph.add_node("tool", tool)
    graph.add_edge(START, "model")
    graph.add_conditional_edges(
        "model", lambda state: "tool" if "tool_calls" in state["messages"][-1] else END
    )
    graph.add_edge("tool", "model")
    return graph


async def steps(path: Path, threads: int, rounds: int, url: str | None = None) -> dict[str, float]:
    """Run `threads` conversations at once, each of `rounds` model and tool steps."""
    made = AsyncPostgresSaver.from_conn_string(url) if url else AsyncSqliteSaver.from_conn_string(str(path))
    async with made as saver:
        await saver.setup()
        graph = steps_graph().compile(checkpointer=saver)

        async def conversation(n: int) -> None:
            config = {"configurable": {"thread_id": str(n)}, "recursion_limit": 2 * rounds + 5}
            start = {"messages": [{"role": "user", "content": "Go."}], "rounds": rounds}
            await graph.ainvoke(start, config, durability="sync")

        began, worked = time.perf_counter(), time.process_time()
        await asyncio.gather(*(conversation(n) for n in range(threads)))
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - worked}


async def growth(path: Path, turns: int, size: int) -> dict[str, float]:
    """Run one conversation of `turns` turns, each of `size` bytes with its answer."""
    graph = StateGraph(State)

    async def answer(state: State) -> dict[str, Any]:
        return {"messages": [{"role": "assistant", "content": "a" * (size // 2)}]}

    graph.add_node("model", answer)
    graph.add_edge(START, "model")
    graph.add_edge("model", END)
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        await saver.setup()
        compiled = graph.compile(checkpointer=saver)
        config = {"configurable": {"thread_id": "1"}}
        for _ in range(turns):
            question = {"messages": [{"role": "user", "content": "q" * (size // 2)}], "rounds": 0}
            await compiled.ainvoke(question, config, durability="sync")
        await saver.conn.execute("pragma wal_checkpoint(truncate)")
    return {"bytes": path.stat().st_size}


def main() -> None:
    """Do the work named on the command line in a temporary database."""
    work, arguments = {"steps": steps, "growth": growth}[sys.argv[1]], json.loads(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(work(Path(folder, "checkpoints.db"), **arguments))))


if __name__ == "__main__":
    main()
