"""Test the sign-in by an OpenID provider, against one that nobody here wrote (oidc-provider-mock)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread
from oidc_provider_mock import _app as provider_app

from agent_core.errors import AccessDeniedError, ValidationError
from chat_app.accounts import oidc as module
from chat_app.accounts.accounts import Accounts
from chat_app.accounts.oidc import admitted_name, is_admin_by_claim
from chat_app.accounts.people import change_role, named_person, remove_person
from chat_app.server.settings import Settings, load_settings, read_settings
from chat_app.server.sign_in import Oidc
from tests.chat_app.accounts.conftest import Browser

Open = Callable[..., Browser]
PEOPLE = (
    User(sub="1", claims={"email": "Ann@example.org", "email_verified": True}),
    User(sub="2", claims={"email": "bob@other.org", "email_verified": True}),
    User(sub="3", claims={"email": "eve@evil.example", "email_verified": True}),
    User(sub="4", claims={"email": "mallory@example.org", "email_verified": False}),
    User(
        sub="5",
        claims={"email": "zoe@example.org", "email_verified": True, "groups": ["people", "admins"]},
    ),
    User(
        sub="6",
        claims={
            "email": "kim@example.org",
            "email_verified": True,
            "realm_access": {"roles": ["admins"]},
        },
    ),
)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # for the provider, which has no certificate
        with run_server_in_thread(user_claims=PEOPLE, require_nonce=True) as server:
            yield f"http://localhost:{server.server_port}"


@pytest.fixture
def settings(settings: Settings, provider: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an app whose people are the provider's alone."""
    monkeypatch.delenv("CHAT_SIGN_IN")
    given = {
        "CHAT_OIDC_ISSUER": provider,
        "CHAT_OIDC_CLIENT_ID": "agents",
        "CHAT_OIDC_CLIENT_SECRET": "the secret",
        "CHAT_OIDC_ALLOW": "example.org, bob@other.org",
        "CHAT_ADMINS": "ann@example.org",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    module._client.cache_clear()
    return load_settings()


async def asked(tab: Browser, next: str = "") -> str:
    """Click the link of the sign-in page, and return the provider's address to which it leads."""
    page = await tab.open("/sign-in")
    assert "Sign in with localhost" in page.text
    assert "password" not in page.text
    done = await tab.open(f"/sign-in/oidc?next={next}")
    assert done.status_code == 302
    return done.headers["location"]


async def agreed(address: str, sub: str) -> str:
    """Sign in at the provider, and return the path to which it sends the browser back."""
    async with httpx.AsyncClient() as http:
        done = await http.post(address, data={"sub": sub})
    assert done.status_code == 302, done.text
    back = urlsplit(done.headers["location"])
    assert back.netloc == "localhost:3000"
    return f"{back.path}?{back.query}"


async def sign_in(tab: Browser, sub: str, next: str = "") -> httpx.Response:
    return await tab.open(await agreed(await asked(tab, next), sub))


async def test_a_person_of_the_provider_signs_in_and_stays_the_same_person(browser: Open) -> None:
    tab = browser()
    address = await asked(tab, "/chat/thread_1")
    sent = parse_qs(urlsplit(address).query)
    assert sent["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(sent)
    assert sent["redirect_uri"] == ["http://localhost:3000/sign-in/oidc/callback"]
    done = await tab.open(await agreed(address, "1"))
    assert (done.status_code, done.headers["location"]) == (303, "/chat/thread_1")
    first = await tab.who() or {}
    assert (first["name"], first["role"]) == ("Ann@example.org", "admin")
    other = browser()
    await sign_in(other, "1")
    assert (await other.who() or {})["id"] == first["id"]
    third = browser()
    await sign_in(third, "2")
    bob = await third.who() or {}
    assert (bob["name"], bob["role"]) == ("bob@other.org", "member")
    assert bob["id"] != first["id"]


@pytest.mark.parametrize(
    ("claim", "sub", "role"),
    [
        ("groups:admins", "5", "admin"),
        ("groups:admin", "5", "member"),
        ("groups:admins", "6", "member"),
        ("realm_access.roles:admins", "6", "admin"),
        ("email_verified:true", "5", "admin"),
        ("groups:admins", "1", "admin"),  # is in CHAT_ADMINS
    ],
)
async def test_a_claim_makes_administrators(
    browser: Open, monkeypatch: pytest.MonkeyPatch, claim: str, sub: str, role: str
) -> None:
    monkeypatch.setenv("CHAT_OIDC_ADMIN_CLAIM", claim)
    tab = browser()
    await sign_in(tab, sub)
    assert (await tab.who() or {})["role"] == role


@pytest.mark.parametrize("is_theirs", [True, False])
async def test_a_claim_that_only_the_providers_userinfo_has_counts(
    browser: Open, monkeypatch: pytest.MonkeyPatch, is_theirs: bool
) -> None:
    monkeypatch.setenv("CHAT_OIDC_ADMIN_CLAIM", "realm_access.roles:admins")
    all_claims = provider_app._user_claims_for_scope

    def few(self: Any, user: User, scope: str) -> dict[str, object]:
        return {name: value for name, value in all_claims(user, scope).items() if name != "realm_access"}

    def asked(user: User, scope: str) -> dict[str, object]:
        return all_claims(user, scope) | ({} if is_theirs else {"sub": "7"})

    monkeypatch.setattr(provider_app.OpenIDCode, "generate_user_info", few)
    monkeypatch.setattr(provider_app, "_user_claims_for_scope", asked)
    tab = browser()
    await sign_in(tab, "6")
    assert (await tab.who() or {})["role"] == ("admin" if is_theirs else "member")


async def test_the_role_follows_the_claim_with_each_sign_in_also_in_open_browsers(
    browser: Open, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_OIDC_ADMIN_CLAIM", "groups:admins")
    tab, other = browser(), browser()
    await sign_in(tab, "5")
    assert (await tab.who() or {})["role"] == "admin"
    monkeypatch.setenv("CHAT_OIDC_ADMIN_CLAIM", "groups:nobody")  # as if the provider had taken it away
    await sign_in(other, "5")
    assert [(await each.who() or {})["role"] for each in (tab, other)] == ["member", "member"]
    (person,) = await known.people()
    monkeypatch.delenv("CHAT_OIDC_ADMIN_CLAIM")
    await known.administer(person.id, partial(change_role, role="admin"), None)
    third = browser()
    await sign_in(third, "5")
    assert (await third.who() or {})["role"] == "admin", "without the setting, the role stays as it was given"


@pytest.mark.parametrize(
    "odd", [None, 5, {}, [], [["admins"]], {"admins": 1}, "xadmins", ["Admins"], "admins "]
)
def test_a_claim_of_another_form_makes_nobody_an_administrator(odd: Any) -> None:
    oidc = Oidc("", "", "", frozenset(), ("groups", "admins"))
    assert not is_admin_by_claim({"groups": odd}, oidc)
    assert not is_admin_by_claim({}, oidc)
    assert is_admin_by_claim({"groups": ["x", odd, "admins"]}, oidc)


@pytest.mark.parametrize("claim", ["admins", ":admins", "groups:", "groups: admins", "groups :admins", ":"])
def test_an_unknown_form_of_the_claim_is_refused(claim: str) -> None:
    full = dict.fromkeys(("CHAT_OIDC_ISSUER", "CHAT_OIDC_CLIENT_ID"), "https://a.example")
    full |= {"CHAT_OIDC_CLIENT_SECRET": "s", "CHAT_OIDC_ALLOW": "*"}
    with pytest.raises(ValidationError, match="such as groups:admins"):
        read_settings(full | {"CHAT_OIDC_ADMIN_CLAIM": claim})
    with pytest.raises(ValidationError, match="without CHAT_OIDC_ISSUER"):
        read_settings({"CHAT_OIDC_ADMIN_CLAIM": claim})
    found = read_settings(full | {"CHAT_OIDC_ADMIN_CLAIM": "https://a.example/roles:admin"}).sign_in.oidc
    assert found is not None
    assert found.admin_claim == ("https://a.example/roles", "admin")


@pytest.mark.parametrize("sub", ["3", "4"])
async def test_another_domain_and_an_unconfirmed_address_are_not_let_in(
    browser: Open, known: Accounts, sub: str
) -> None:
    tab = browser()
    done = await sign_in(tab, sub)
    assert (done.status_code, "not let in" in done.text) == (403, True)
    assert await tab.who() is None
    assert await known.people() == []


async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(browser: Open) -> None:
    mine, other = browser(), browser()
    back = await agreed(await asked(mine), "1")
    for tab, path in ((other, back), (mine, back.replace("state=", "state=x"))):
        done = await tab.open(path)
        assert (done.status_code, "did not succeed" in done.text) == (401, True)
        assert await tab.who() is None
    assert (await mine.open(back)).status_code == 303
    assert (await mine.open(back)).status_code == 401  # a second time


@pytest.mark.parametrize("query", ["", "?error=access_denied", "?code=x&state=y", "?code=%00&state[]=1"])
async def test_a_forged_answer_is_refused(browser: Open, query: str) -> None:
    done = await browser().open(f"/sign-in/oidc/callback{query}")
    assert (done.status_code, "did not succeed" in done.text) == (401, True)


async def test_no_address_elsewhere_is_returned_to(browser: Open) -> None:
    assert (await sign_in(browser(), "1", "https://evil.example/")).headers["location"] == "/"


async def test_a_removed_person_does_not_come_back(browser: Open, known: Accounts) -> None:
    for sub in ("1", "2"):
        await sign_in(browser(), sub)

    def remove(session: Any) -> None:
        remove_person(session, named_person(session, "bob@OTHER.org"), 1.0)

    await known._write(remove)
    tab = browser()
    assert (await sign_in(tab, "2")).status_code == 403
    assert await tab.who() is None


async def test_a_provider_that_does_not_answer_is_said(
    browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = browser()
    monkeypatch.setenv("CHAT_OIDC_ISSUER", "http://localhost:9")
    done = await tab.open("/sign-in/oidc")
    assert (done.status_code, "did not succeed" in done.text) == (502, True)


async def test_the_password_form_is_not_there(browser: Open) -> None:
    assert (await browser().sign_in("ann")).status_code == 404


@pytest.mark.parametrize(
    ("allowed", "claims", "is_let_in"),
    [
        ("*", {"sub": "x"}, True),
        ("@example.org", {"sub": "x"}, False),
        ("@example.org", {"sub": "x", "email": "ann@EXAMPLE.org"}, True),
        ("@example.org", {"sub": "x", "email": "ann@example.org", "email_verified": None}, False),
        ("@example.org", {"sub": "x", "email": "ann@sub.example.org"}, False),
        ("@example.org", {"sub": "x", "email": "ann@evil.example@example.org.evil"}, False),
        ("@", {"sub": "x", "email": ""}, False),
        ("ann@example.org", {"sub": "x", "email": "bob@example.org"}, False),
        ("ann@example.org", {"sub": "x", "preferred_username": "ann@example.org"}, False),
    ],
)
def test_who_is_let_in(allowed: str, claims: dict[str, Any], is_let_in: bool) -> None:
    oidc = Oidc("https://a.example", "id", "secret", frozenset([allowed]))
    claims = {"email_verified": True} | claims
    if is_let_in:
        assert admitted_name(claims, oidc)[0] == claims.get("email", "x")
    else:
        with pytest.raises(AccessDeniedError, match="not let in"):
            admitted_name(claims, oidc)


def test_half_a_configuration_and_an_issuer_without_tls_are_refused() -> None:
    full = {
        "CHAT_OIDC_ISSUER": "https://a.example",
        "CHAT_OIDC_CLIENT_ID": "id",
        "CHAT_OIDC_CLIENT_SECRET": "the secret",
        "CHAT_OIDC_ALLOW": "Example.org,ann@other.org",
    }
    found = read_settings(full).sign_in.oidc
    assert found is not None
    assert found.allowed == {"@example.org", "ann@other.org"}
    assert "the secret" not in repr(found)
    for name in full:
        with pytest.raises(ValidationError, match=f"is set without {name}"):
            read_settings({other: value for other, value in full.items() if other != name})
    for issuer in ("http://a.example", "a.example", "file:///etc"):
        with pytest.raises(ValidationError, match="CHAT_OIDC_ISSUER must be"):
            read_settings(full | {"CHAT_OIDC_ISSUER": issuer})
    with pytest.raises(ValidationError, match="either a proxy"):
        read_settings(full | {"CHAT_USER_HEADER": "x-user"})
