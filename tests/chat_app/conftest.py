"""Fixtures of the app's tests: a service with a scripted model on a new database, a tab, page scripts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import reflex as rx

from agent_core import Agent, Tool
from agent_core.testing import ScriptedModel
from chat_app.model.model_choice import DEMO_MODEL, ModelChoice
from chat_app.server.settings import Settings
from chat_app.server.sign_in import SignIn
from chat_app.session.service import Service, open_service
from chat_app.thread.open_thread import OpenThread, OpenThreadText
from chat_app.thread_list.thread_list import ThreadList
from tests.chat_app.support import Serve, Tab
from tests.support.app_databases import app_database
from tests.support.scripts.markdown import Scripts


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A function that opens the app's service with a model scripted by `turns`."""

    @asynccontextmanager
    async def start(
        turns: Any,
        tools: dict[str, Tool] | None = None,
        *,
        demo: bool = False,
        sign_in: SignIn | None = None,
    ) -> AsyncIterator[Service]:
        url = app_database(tmp_path)
        settings = Settings(database_url=url, data_dir=tmp_path, demo=demo, sign_in=sign_in or SignIn())
        agent = Agent(name="assistant", model=ScriptedModel(turns), tools=tools or {})
        async with open_service(settings, ModelChoice(DEMO_MODEL, "for a test"), agent) as service:
            yield service

    return start


@pytest.fixture
async def tab() -> Tab:
    """A tab on the page of a new chat."""
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    return Tab(
        await root.get_state(OpenThread),
        await root.get_state(OpenThreadText),
        await root.get_state(ThreadList),
    )


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    """The page's markdown scripts, laid out with the npm packages for them and their references."""
    scripts = Scripts(tmp_path_factory.mktemp("markdown"))
    try:
        scripts.install()
    except subprocess.SubprocessError as error:
        said = f"the npm registry does not answer: {error} {getattr(error, 'stderr', '')}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(said)
    return scripts
