"""Test the settings of the sign-in, and the refusal to open the app to a network without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_core.errors import ValidationError
from chat_app.extensions import IDENTITY
from chat_app.server.preflight import NotReadyError, require_sign_in
from chat_app.server.settings import read_settings

PROXY = {"CHAT_USER_HEADER": "X-Forwarded-User"}
WITH_IDENTITY = "from chat_app.extensions import register_identity\nregister_identity(lambda headers: None)\n"


@pytest.fixture(autouse=True)
def no_identity() -> Iterator[None]:
    yield
    IDENTITY.clear()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.lan", "localhost.example.org"])
def test_a_network_is_refused_while_nobody_signs_in(host: str) -> None:
    with pytest.raises(NotReadyError, match="CHAT_USER_HEADER") as caught:
        require_sign_in(read_settings({"CHAT_HOST": host}))
    assert "CHAT_OPEN=1" in str(caught.value)
    for enough in (PROXY, {"CHAT_OPEN": "1"}, {"CHAT_SIGN_IN": "local"}):
        require_sign_in(read_settings({"CHAT_HOST": host} | enough))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST."])
def test_this_machine_alone_needs_no_sign_in(host: str) -> None:
    require_sign_in(read_settings({"CHAT_HOST": host}))


@pytest.mark.parametrize(("source", "starts"), [(WITH_IDENTITY, True), ("", False)])
def test_an_extension_that_identifies_people_is_a_sign_in(
    source: str, starts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"extension_{starts}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    settings = read_settings({"CHAT_HOST": "0.0.0.0", "CHAT_EXTENSIONS": name})
    if starts:
        require_sign_in(settings)
    else:
        with pytest.raises(NotReadyError, match="everybody in the network"):
            require_sign_in(settings)


@pytest.mark.parametrize(
    "name", ["X User", "x-user:", "Cookie", "authorization", "Host", "Origin", "Sec-Fetch-Site", "X-Üser"]
)
def test_a_header_that_cannot_name_the_person_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="CHAT_USER_HEADER is"):
        read_settings({"CHAT_USER_HEADER": name})


def test_admins_need_a_sign_in() -> None:
    with pytest.raises(ValidationError, match="CHAT_ADMINS is set without"):
        read_settings({"CHAT_ADMINS": "ann"})
    found = read_settings(PROXY | {"CHAT_ADMINS": " ann@example.org ,, bob"}).sign_in
    assert (found.user_header, found.admins) == ("x-forwarded-user", {"ann@example.org", "bob"})
