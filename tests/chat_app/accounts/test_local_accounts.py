"""Test the accounts of the app over HTTP: signing in and out, links, passwords and invitations."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from agent_core.errors import AccessDeniedError
from chat_app.accounts import accounts as module
from chat_app.accounts import people
from chat_app.accounts.accounts import Accounts
from chat_app.accounts.attempts import MAX_PER_ADDRESS, MAX_PER_NAME, MAX_PER_NAME_AND_ADDRESS, PERIOD
from chat_app.accounts.cookie import address_of
from chat_app.accounts.people import LINK_LIFE, SESSION_LIFE
from chat_app.extensions import PAGES, Content, Page
from tests.chat_app.accounts.conftest import PASSWORD, Browser, link_in

Open = Callable[..., Browser]


async def test_a_person_signs_in_and_returns_to_the_address_first_asked_for(browser: Open, ann: str) -> None:
    tab = browser()
    asked = await tab.open("/chat/thread_1?a=b%20c")
    assert (asked.status_code, asked.headers["location"]) == (
        303,
        "/sign-in?next=%2Fchat%2Fthread_1%3Fa%3Db%2520c",
    )
    form = await tab.open(asked.headers["location"])
    assert 'value="/chat/thread_1?a=b%20c"' in form.text
    assert form.headers["cache-control"] == "no-store"
    done = await tab.sign_in("Ann", next="/chat/thread_1?a=b%20c")
    assert (done.status_code, done.headers["location"]) == (303, "/chat/thread_1?a=b%20c")
    assert (await tab.open("/chat/thread_1")).text == "a page"
    found = await tab.who()
    assert found is not None
    assert (found["name"], found["role"]) == ("ann", "admin")
    assert found["id"].startswith("person_")
    assert (await tab.open("/sign-in")).headers["location"] == "/"


async def test_the_app_never_sees_the_token_and_nobody_signs_in_with_what_it_sees(
    browser: Open, ann: str
) -> None:
    tab, thief = browser(), browser()
    await tab.sign_in(ann)
    (cookie,) = tab.http.cookies.jar
    seen = (await tab.who() or {})["cookie"]
    assert str(cookie.value) not in seen
    for name in (cookie.name, "chat-session-id"):
        thief.http.cookies.clear()
        thief.http.cookies.set(name, seen.partition("=")[2])
        assert await thief.who() is None


@pytest.mark.parametrize(
    ("origin", "name", "secure"),
    [
        ("http://localhost:3000", "chat_session_3000", False),
        ("http://localhost", "chat_session", False),
        ("https://localhost:8443", "__Host-chat_session_8443", True),
    ],
)
async def test_the_cookie_is_for_this_port_and_out_of_reach_of_scripts(
    browser: Open, ann: str, origin: str, name: str, secure: bool
) -> None:
    done = await browser(origin).sign_in(ann)
    written = done.headers["set-cookie"]
    assert written.startswith(f"{name}=")
    assert ("; Secure" in written) is secure
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"):
        assert part in written
    assert "Domain" not in written


async def test_a_wrong_name_reads_like_a_wrong_password(browser: Open, ann: str) -> None:
    tab = browser()
    wrong, unknown = await tab.sign_in(ann, "wrong password"), await tab.sign_in("bob", "wrong password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace('value="ann"', 'value="bob"') == unknown.text
    assert "The name or the password is wrong." in wrong.text
    assert "wrong password" not in wrong.text
    assert await tab.who() is None


@pytest.mark.parametrize(
    "name", ["", "\x00", "x" * 400, "<script>alert(1)</script>", "ann\r\nSet-Cookie: a=b", "Ａｎｎ"]
)
async def test_a_hostile_name_is_a_name_like_any_other(browser: Open, ann: str, name: str) -> None:
    done = await browser().sign_in(name)
    assert done.status_code == (303 if name == "Ａｎｎ" else 401)
    assert "<script>" not in done.text
    assert "a" not in done.cookies


async def test_a_huge_password_or_form_costs_nothing(browser: Open, ann: str) -> None:
    tab = browser()
    assert (await tab.sign_in(ann, "x" * 20_000)).status_code == 401
    assert (await tab.sign_in(ann, "x" * 40_000)).status_code == 413
    many = await tab.submit("/sign-in", None, **{f"f{number}": "" for number in range(50)})
    assert many.status_code == 400
    as_json = await tab.http.post("/sign-in", json={"name": "ann"}, headers={"origin": tab.origin})
    assert as_json.status_code == 415


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\tx",
        "chat",
        "/" + "x" * 3000,
        "/a\r\nb",
        "/ü",
    ],
)
async def test_no_address_elsewhere_is_returned_to(browser: Open, ann: str, target: str) -> None:
    assert (await browser().sign_in(ann, next=target)).headers["location"] == "/"


async def test_pages_of_other_sites_cannot_sign_anybody_in_or_out(browser: Open, ann: str) -> None:
    tab = browser()
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await tab.submit("/sign-in", foreign, name=ann, password=PASSWORD)).status_code == 403
    await tab.sign_in(ann)
    assert (await tab.submit("/sign-out", foreign)).status_code == 403
    assert (await tab.http.get("/sign-out")).status_code == 200  # a page of the app, which changes nothing
    assert await tab.who() is not None


async def test_a_sign_in_begins_a_new_session_and_ends_the_one_before(browser: Open, ann: str) -> None:
    tab, other = browser(), browser()
    chosen = {"cookie": "chat_session_3000=chosen-by-somebody-else"}
    await tab.submit("/sign-in", chosen, name=ann, password=PASSWORD)
    first = {cookie.name: str(cookie.value) for cookie in tab.http.cookies.jar}
    assert "chosen-by-somebody-else" not in first.values()
    await tab.sign_in(ann)
    other.http.cookies.update(first)
    assert await other.who() is None
    assert await tab.who() is not None


async def test_sign_out_ends_this_browser_and_everywhere_all_of_them(browser: Open, ann: str) -> None:
    one, two, three = browser(), browser(), browser()
    for tab in (one, two, three):
        await tab.sign_in(ann)
    kept = dict(one.http.cookies)
    done = await one.submit("/sign-out")
    assert (done.headers["location"], done.headers["clear-site-data"]) == ("/sign-in", '"storage"')
    one.http.cookies.update(kept)  # the cookie that a thief has kept
    assert [await tab.who() is not None for tab in (one, two, three)] == [False, True, True]
    await two.submit("/sign-out", everywhere="1")
    assert await three.who() is None


async def test_a_link_works_once_and_opening_it_does_not_use_it_up(browser: Open, ann: str) -> None:
    admin, guest = browser(), browser()
    await admin.sign_in(ann)
    page = await admin.link(name="Bob", role="member")
    path = link_in(page.text)
    for _ in range(2):
        assert "Your name is Bob." in (await guest.open(path)).text
    short = await guest.submit(path, password="short", again="short")
    assert (short.status_code, "10 to 1000 characters" in short.text) == (422, True)
    different = await guest.submit(path, password=PASSWORD, again=PASSWORD + "!")
    assert (different.status_code, "are different" in different.text) == (422, True)
    assert (await guest.submit(path, password=PASSWORD, again=PASSWORD)).headers["location"] == "/"
    assert (await guest.who() or {})["role"] == "member"
    assert (await guest.open(path)).status_code == 404
    assert (
        await browser().submit(path, password="another password", again="another password")
    ).status_code == 404
    assert (await browser().sign_in("bob")).status_code == 303


async def test_only_an_administrator_invites_and_makes_links(
    browser: Open, ann: str, known: Accounts
) -> None:
    invited = await known.invite("bob", "member")
    await known.use_link(invited.token, PASSWORD)
    bob = (await known.people())[1].id
    member, nobody = browser(), browser()
    await member.sign_in("bob")
    for tab, status in ((member, 403), (nobody, 401)):
        assert (await tab.link(name="eve", role="admin")).status_code == status
        assert (await tab.link(person_id=bob)).status_code == status
    admin = browser()
    await admin.sign_in(ann)
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await admin.link(foreign, name="eve", role="admin")).status_code == 403
    for body, problem in (
        ({"name": "BOB", "role": "member"}, "taken"),
        ({"name": "", "role": "member"}, "name"),
        ({"name": "eve", "role": "king"}, "name"),
        ({"name": ["eve"]}, "name"),
        ({"person_id": "nobody"}, "gone"),
        ({}, "name"),
    ):
        refused = await admin.link(**body)
        assert (refused.status_code, refused.json()["problem"]) == (422, problem), body
    assert [person.name for person in await known.people()] == ["ann", "bob"]


async def test_a_new_link_replaces_the_one_before_and_a_forgotten_password(
    browser: Open, ann: str, known: Accounts
) -> None:
    admin, guest = browser(), browser()
    await admin.sign_in(ann)
    first = link_in((await admin.link(name="bob")).text)
    bob = (await known.people())[1].id
    second = link_in((await admin.link(person_id=bob)).text)
    gone = await guest.open(first)
    assert (gone.status_code, 'href="/sign-in"' in gone.text) == (404, True)
    await guest.submit(second, password=PASSWORD, again=PASSWORD)
    third = link_in((await admin.link(person_id=bob)).text)
    assert await guest.who() is not None, "until the new password is chosen"
    await known.administer(bob, partial(people.disable_person, now=1.0), None)
    assert await guest.who() is None
    assert (await guest.open(third)).status_code == 404
    refused = await browser().sign_in("bob")
    assert (refused.status_code, "Your account is not let in." in refused.text) == (403, True)
    assert (await browser().sign_in("bob", "wrong password")).status_code == 401
    assert (await admin.link(person_id=bob)).json()["problem"] == "gone"
    await known.administer(bob, partial(people.enable_person, now=1.0), None)
    assert (await browser().sign_in("bob")).status_code == 303


async def test_a_new_password_ends_every_other_session(browser: Open, ann: str) -> None:
    tab, other = browser(), browser()
    for each in (tab, other):
        await each.sign_in(ann)
    new = "another password"
    wrong = await tab.submit("/account/password", current="wrong", password=new, again=new)
    assert (wrong.status_code, "The current password is wrong." in wrong.text) == (403, True)
    done = await tab.submit("/account/password", current=PASSWORD, password=new, again=new)
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert await other.who() is None
    assert await tab.who() is not None
    assert (await browser().sign_in(ann)).status_code == 401
    assert (await browser().sign_in(ann, new)).status_code == 303


async def test_attempts_are_limited_per_name_and_address_also_after_a_restart(
    browser: Open, ann: str, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = browser()
    with monkeypatch.context() as patch:
        patch.setattr(known._passwords, "is_right", _never)
        for _ in range(MAX_PER_NAME_AND_ADDRESS):
            assert (await tab.sign_in(ann, "wrong")).status_code == 401
    refused = await tab.sign_in(ann, PASSWORD)
    assert (refused.status_code, "Too many attempts" in refused.text) == (429, True)
    assert (await tab.sign_in("bob")).status_code == 401  # another name
    again = Accounts(known._database)
    with pytest.raises(module.TooManyAttemptsError, match=r"Try again in 1[45] minutes"):
        await again.sign_in(ann, PASSWORD, "127.0.0.1", None)
    assert await again.sign_in(ann, PASSWORD, "192.0.2.1", None), "nobody locks her out from elsewhere"
    later = Accounts(known._database, lambda: module.time.time() + PERIOD + 1)
    assert await later.sign_in(ann, PASSWORD, "127.0.0.1", None)


async def test_attempts_with_a_name_are_limited_over_all_addresses(
    ann: str, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing in herself does not give those who guess a new start."""
    for number in range(MAX_PER_NAME):
        if number == MAX_PER_NAME - 1:
            assert await known.sign_in(ann, PASSWORD, "192.0.2.1", None)
        with monkeypatch.context() as patch:
            patch.setattr(known._passwords, "is_right", _never)
            with pytest.raises(AccessDeniedError):
                await known.sign_in(ann, "guess", f"203.0.113.{number}", None)
    with pytest.raises(module.TooManyAttemptsError):
        await known.sign_in(ann, PASSWORD, "192.0.2.1", None)


@pytest.mark.parametrize(
    ("peer", "forwarded", "machine"),
    [
        ("127.0.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2a00:1450:1:2::9", "", "2a00:1450:1:2::/64"),
        ("2a00:1450:1:2::9", "192.0.2.1", "2a00:1450:1:2::/64"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("", "", "unknown"),
    ],
)
def test_address_of_a_browser_is_that_of_its_machine(peer: str, forwarded: str, machine: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert address_of({"type": "http", "client": (peer, 1) if peer else None, "headers": headers}) == machine


async def _never(*_: object) -> bool:
    return False


async def test_attempts_are_limited_per_address_and_a_proxy_says_whose(
    browser: Open, ann: str, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known._passwords, "is_right", _never)
    tab = browser()
    client = {"x-forwarded-for": "10.0.0.1, 203.0.113.7"}  # the first is the client's own claim
    for number in range(MAX_PER_ADDRESS):
        done = await tab.submit("/sign-in", client, name=f"n{number}", password="wrong")
        assert done.status_code == 401
    claimed = {"x-forwarded-for": "10.0.0.2, 203.0.113.7"}
    assert (await tab.submit("/sign-in", claimed, name="new", password="w")).status_code == 429
    other = {"x-forwarded-for": "203.0.113.8"}
    assert (await tab.submit("/sign-in", other, name="new", password="w")).status_code == 401


async def test_sessions_and_links_end_by_themselves(known: Accounts, ann: str) -> None:
    token = await known.sign_in(ann, PASSWORD, "127.0.0.1", None)
    invited = await known.invite("bob", "member")
    session_id = module.people.token_hash(token)
    assert await known.sessions.load(session_id) is not None
    later = Accounts(known._database, lambda: module.time.time() + SESSION_LIFE + 1)
    assert await later.sessions.load(session_id) is None
    late = Accounts(known._database, lambda: module.time.time() + LINK_LIFE + 1)
    assert await late.person_of_link(invited.token) is None
    assert await known.person_of_link(invited.token) is not None


async def test_nothing_that_signs_in_is_stored_or_logged(
    browser: Open, ann: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    tab = browser()
    await tab.sign_in(ann)
    await tab.sign_in(ann, "a mistyped password")
    page = await tab.link(name="Bob", role="member")
    secrets = [str(cookie.value) for cookie in tab.http.cookies.jar]
    secrets += [PASSWORD, "a mistyped password", link_in(page.text).rpartition("/")[2]]
    with sqlite3.connect(tmp_path / "agents.db") as connection:
        tables = connection.execute(
            "select name from sqlite_master where type = 'table' and name like 'chat!_%' escape '!'"
        )
        rows = [row for (name,) in tables for row in connection.execute(f"select * from {name}")]
    connection.close()
    stored = str(rows)
    for secret in secrets:
        assert secret not in stored
        assert secret not in caplog.text
    assert "$argon2id$" in stored


async def test_pages_are_in_the_language_of_the_browser(browser: Open, ann: str) -> None:
    german = await browser().open("/sign-in", **{"accept-language": "fr;q=0.9, de-CH;q=0.8, en;q=0.1"})
    assert '<html lang="de">' in german.text
    assert "Anmelden" in german.text
    for odd in ("", "*", "de;q=x", ",,;;"):
        assert '<html lang="en">' in (await browser().open("/sign-in", **{"accept-language": odd})).text


async def test_what_is_no_page_and_pages_for_visitors_are_not_redirected(
    browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PAGES, "/share/[token]", Page("/share/[token]", "", lambda: Content(), alone=True))
    tab = browser()
    for path in ("/share/token_1", "/link/unknown"):
        assert (await tab.open(path)).status_code in (200, 404)
    assert (await tab.http.get("/assets/a.js", headers={"accept": "*/*"})).status_code == 200
    assert (await tab.open("/share/token_1/more")).status_code == 303
