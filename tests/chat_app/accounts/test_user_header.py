"""Test the sign-in by a proxy's header: who it names, who administers, and what contradicts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.datastructures import Headers

from agent_core import CallContext
from agent_core.errors import AccessDeniedError, ValidationError
from chat_app.accounts.people import MAX_NAME
from chat_app.accounts.setup import register_sign_in
from chat_app.extensions import (
    ADMINISTRATORS,
    IDENTITY,
    caller,
    check_may_administer,
    check_may_limit,
    register_administrators,
    register_identity,
)
from chat_app.server.sign_in import SignIn

BY_HEADER = SignIn("x-forwarded-user", admins=frozenset({"ann"}))


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    yield
    IDENTITY.clear()
    ADMINISTRATORS.clear()


def test_without_sign_in_there_are_no_users() -> None:
    register_sign_in(SignIn())
    assert caller({}) is None
    check_may_administer(None)


def test_the_header_names_the_person_whatever_the_case_of_its_name() -> None:
    register_sign_in(BY_HEADER)
    found = caller({"X-Forwarded-User": " bob "})
    assert found == CallContext("bob", {"role": "member", "name": "bob"})


def test_a_name_is_the_same_person_on_the_socket_and_in_a_request() -> None:
    register_sign_in(BY_HEADER)
    sent = "Zoë".encode()
    in_request = caller(Headers(raw=[(b"x-forwarded-user", sent)]))
    assert in_request == caller({"x-forwarded-user": sent.decode()})
    assert in_request is not None
    assert in_request.user_id == "Zoë"


@pytest.mark.parametrize("value", [None, "", "  ", "a\x00b", "a\x1b[2J", "x" * (MAX_NAME + 1)])
def test_a_request_without_a_proper_name_is_refused(value: str | None) -> None:
    register_sign_in(BY_HEADER)
    with pytest.raises(AccessDeniedError, match="not signed in"):
        caller({} if value is None else {"x-forwarded-user": value})


def test_only_the_named_people_administer_and_change_budgets() -> None:
    register_sign_in(BY_HEADER)
    for check in (check_may_administer, check_may_limit):
        check(caller({"x-forwarded-user": "ann"}))
        for other in (caller({"x-forwarded-user": "bob"}), CallContext("ann"), None):
            with pytest.raises(AccessDeniedError):
                check(other)


def test_an_extension_that_identifies_people_too_is_refused() -> None:
    register_identity(lambda _: None)
    with pytest.raises(ValidationError, match="remove one of the two"):
        register_sign_in(BY_HEADER)


def test_an_extension_may_say_who_administers() -> None:
    register_administrators(lambda _: None)
    register_sign_in(BY_HEADER)
    check_may_administer(CallContext("bob"))
