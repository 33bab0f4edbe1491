"""Routes of the sign-in: its pages, and what their forms do.

The guard refuses what pages of other sites send, so the forms need no token of their own (chat_app/web/guard.py).
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from agent_core.errors import AccessDeniedError, ValidationError
from agent_core.http import read_body
from chat_app.accounts import html, oidc
from chat_app.accounts.accounts import Accounts, NotLetInError, TooManyAttemptsError, accounts
from chat_app.accounts.cookie import address_of, delete_cookie, session_in, set_cookie
from chat_app.accounts.gate import LINK, SIGN_IN, origin_of, pages_origin, safe_next
from chat_app.accounts.html import Field, Words, alert, form, hidden, page, section, words_for
from chat_app.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from chat_app.accounts.people import SignedIn
from chat_app.server.settings import load_settings
from chat_app.server.sign_in import Oidc

_MAX_FORM = 32 << 10  # bytes
_MAX_FIELDS = 20


async def _sign_in_page(request: Request) -> Response:
    """Show the form, or go on if the person is signed in already."""
    asked = safe_next(request.query_params.get("next", ""), _base(request))
    if await _signed_in(request) is not None:
        return _to(_pages(request) + asked)
    return _sign_in_form(request, words_for(request), asked)


async def _sign_in(request: Request) -> Response:
    """Compare name and password, and begin a session."""
    if not load_settings().sign_in.local:
        raise HTTPException(404, "This app has no accounts with passwords.")
    sent, words = await _form(request), words_for(request)
    asked, name = safe_next(sent.get("next", ""), _base(request)), sent.get("name", "")
    try:
        token = await _accounts().sign_in(
            name, sent.get("password", ""), address_of(request.scope), _session_id(request)
        )
    except TooManyAttemptsError as error:
        problem = words("sign_in.blocked", minutes=error.minutes)
        return _sign_in_form(request, words, asked, name, problem, 429)
    except NotLetInError:
        return _sign_in_form(request, words, asked, name, words("sign_in.not_let_in"), 403)
    except AccessDeniedError:
        return _sign_in_form(request, words, asked, name, words("sign_in.wrong"), 401)
    return _begun(request, token, asked)


def _sign_in_form(
    request: Request, words: Words, asked: str, name: str = "", problem: str = "", status: int = 200
) -> Response:
    base, sign_in = _base(request), load_settings().sign_in
    parts = [alert(problem)]
    if sign_in.local:
        fields = (
            Field("name", words("sign_in.name"), "text", "username", name),
            Field("password", words("sign_in.password"), autocomplete="current-password"),
        )
        parts.append(form(f"{base}{SIGN_IN}", fields, words("sign_in.sign_in"), hidden("next", asked)))
        parts.append(f'<p class="note">{words("sign_in.forgotten")}</p>')
    if sign_in.oidc is not None:
        kind = "button" if sign_in.local else "button primary"
        label = words("sign_in.with_provider", provider=oidc.provider_name(sign_in.oidc))
        # A link, because the policy of forms would forbid the provider's address.
        parts.append(
            f'<a class="{kind}" href="{base}{SIGN_IN}/oidc?next={quote(asked, safe="")}">{label}</a>'
        )
    return page(request, words, words("sign_in.title"), *parts, status=status)


async def _to_provider(request: Request) -> Response:
    """Send the person to the OpenID provider."""
    asked = safe_next(request.query_params.get("next", ""), _base(request))
    request.session["next"] = asked
    try:
        return await oidc.to_provider(
            request, _oidc(), f"{origin_of(request)}{_base(request)}{SIGN_IN}/oidc/callback"
        )
    except oidc.ProviderError:
        words = words_for(request)
        return _sign_in_form(request, words, asked, "", words("sign_in.provider_failed"), 502)


async def _from_provider(request: Request) -> Response:
    """Begin a session for the person who comes back from the OpenID provider."""
    words, provider = words_for(request), _oidc()
    asked = safe_next(str(request.session.pop("next", "")), _base(request))
    try:
        claims = await oidc.claims_of(request, provider)
        admins = load_settings().sign_in.admins
        token = await _accounts().sign_in_with(claims, provider, admins, _session_id(request))
    except oidc.ProviderError:
        return _sign_in_form(request, words, asked, "", words("sign_in.provider_failed"), 401)
    except AccessDeniedError:
        return _sign_in_form(request, words, asked, "", words("sign_in.not_let_in"), 403)
    return _begun(request, token, asked)


def _oidc() -> Oidc:
    """Return the settings of the OpenID provider.

    Raises:
        HTTPException: 404, there is none.
    """
    found = load_settings().sign_in.oidc
    if found is None:
        raise HTTPException(404, "This app has no OpenID provider.")
    return found


async def _sign_out(request: Request) -> Response:
    """End the session of this browser, or all of the person's."""
    sent = await _form(request)
    if (session_id := _session_id(request)) is not None:
        await _accounts().sign_out(session_id, everywhere=sent.get("everywhere") == "1")
    response = _to(f"{_base(request)}{SIGN_IN}")
    delete_cookie(response, request.scope, load_settings().origins)
    response.headers["Clear-Site-Data"] = '"storage"'  # drafts, which the next person should not find
    return response


async def _link_page(request: Request) -> Response:
    """Show the form for a new password. Opening a link does not use it up: mail programs do that, too."""
    words = words_for(request)
    person = await _accounts().person_of_link(request.path_params["token"])
    if person is None:
        return _gone(request, words)
    return _link_form(request, words, person.name)


async def _use_link(request: Request) -> Response:
    """Set the password of the link's person, and sign them in."""
    sent, words = await _form(request), words_for(request)
    token, known = request.path_params["token"], _accounts()
    person = await known.person_of_link(token)
    if person is None:
        return _gone(request, words)
    if sent.get("password") != sent.get("again"):
        return _link_form(request, words, person.name, words("sign_in.different"), 422)
    try:
        session = await known.use_link(token, sent.get("password", ""))
    except ValidationError:
        return _link_form(request, words, person.name, _rule(words), 422)
    except AccessDeniedError:
        return _gone(request, words)
    return _begun(request, session, f"{_base(request)}/")


def _link_form(request: Request, words: Words, name: str, problem: str = "", status: int = 200) -> Response:
    action = f"{_base(request)}{LINK}/{quote(request.path_params['token'])}"
    note = f'<p class="note">{words("sign_in.welcome", name=name)} {_rule(words)}</p>'
    user = f'<input class="sr-only" name="name" autocomplete="username" value="{html.escape(name)}" readonly tabindex="-1" aria-hidden="true">'
    body = form(action, _new_password(words), words("sign_in.set_password"), user)
    return page(request, words, words("sign_in.choose_password"), note, alert(problem), body, status=status)


def _gone(request: Request, words: Words) -> Response:
    text = words("sign_in.link_gone")
    way = f'<p><a href="{_base(request)}{SIGN_IN}">{words("sign_in.sign_in")}</a></p>'
    return page(request, words, words("sign_in.link_gone_title"), f"<p>{text}</p>", way, status=404)


async def _account_page(request: Request) -> Response:
    """Show who is signed in, and what they may change."""
    person = await _signed_in(request)
    if person is None:
        return _to(f"{_base(request)}{SIGN_IN}?next={quote(request.url.path, safe='')}")
    return await _account(request, person)


async def _account(request: Request, person: SignedIn, message: str = "", status: int = 200) -> Response:
    words, base = words_for(request), _base(request)
    note = words("account.signed_in", name=person.name, role=words(_ROLE_WORDS[person.role]))
    out = form(f"{base}/sign-out", (), words("account.sign_out"), primary=False)
    everywhere = form(
        f"{base}/sign-out", (), words("account.everywhere"), hidden("everywhere", "1"), primary=False
    )
    pages = f"{_pages(request)}{base}"
    links = f'<a href="{pages}/">{words("account.back")}</a>'
    if person.role == "admin":
        links += f'<a href="{pages}/admin/people">{words("account.people")}</a>'
    parts = [message, f'<section><p class="note">{note}</p>{out}{everywhere}{links}</section>']
    if load_settings().sign_in.local:
        parts.append(_password_section(words, base))
    return page(request, words, words("account.title"), *parts, status=status)


def _password_section(words: Words, base: str) -> str:
    """Return the section with which a person changes their password."""
    current = Field("current", words("account.current"), autocomplete="current-password")
    fields = (current, *_new_password(words))
    change = form(f"{base}/account/password", fields, words("account.change"), primary=False)
    note = f'<p class="note">{_rule(words)} {words("account.others_end")}</p>'
    return section(words("account.password"), note, change)


_ROLE_WORDS = {"admin": "account.admin", "member": "account.member"}


async def _change_password(request: Request) -> Response:
    """Change the password of the person who is signed in; other browsers are signed out."""
    sent, words, person = await _form(request), words_for(request), await _signed_in(request)
    session_id = _session_id(request)
    if person is None or session_id is None:
        return _to(f"{_base(request)}{SIGN_IN}")
    if sent.get("password") != sent.get("again"):
        return await _account(request, person, alert(words("sign_in.different")), 422)
    try:
        token = await _accounts().change_password(
            session_id, sent.get("current", ""), sent.get("password", ""), address_of(request.scope)
        )
    except TooManyAttemptsError as error:
        problem = words("sign_in.blocked", minutes=error.minutes)
        return await _account(request, person, alert(problem), 429)
    except ValidationError:
        return await _account(request, person, alert(_rule(words)), 422)
    except AccessDeniedError:
        return await _account(request, person, alert(words("account.wrong")), 403)
    return _begun(request, token, f"{_base(request)}/account")


def _new_password(words: Words) -> tuple[Field, Field]:
    return Field("password", words("sign_in.new_password")), Field("again", words("sign_in.again"))


def _rule(words: Words) -> str:
    return words("sign_in.rule", least=MIN_LENGTH, most=MAX_LENGTH)


def _begun(request: Request, token: str, target: str) -> Response:
    response = _to(target if target == f"{_base(request)}/account" else _pages(request) + target)
    set_cookie(response, request.scope, token, load_settings().origins)
    return response


def _to(target: str) -> RedirectResponse:
    return RedirectResponse(target, 303, {"Cache-Control": "no-store"})


def _accounts() -> Accounts:
    """Return the accounts of this process.

    Raises:
        HTTPException: 404, the app has none; 503, it is starting.
    """
    known = accounts()
    if known is None:
        raise HTTPException(
            *((503, "The app is starting.") if load_settings().sign_in.has_sessions else (404, "Not found."))
        )
    return known


async def _signed_in(request: Request) -> SignedIn | None:
    session_id = _session_id(request)
    return None if session_id is None else await _accounts().sessions.load(session_id)


def _session_id(request: Request) -> str | None:
    return session_in(request.headers.get("cookie", ""))


def _base(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _pages(request: Request) -> str:
    return pages_origin(request.headers.get("host", ""))


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        HTTPException: it is too long, or not a form.
    """
    body = await read_body(request, _MAX_FORM)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send a form.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise HTTPException(400, "This is not a form.") from None


routes = Starlette(
    routes=[
        Route(SIGN_IN, _sign_in_page, methods=["GET"]),
        Route(SIGN_IN, _sign_in, methods=["POST"]),
        Route(f"{SIGN_IN}/oidc", _to_provider, methods=["GET"], middleware=oidc.FLOW),
        Route(f"{SIGN_IN}/oidc/callback", _from_provider, methods=["GET"], middleware=oidc.FLOW),
        Route("/sign-out", _sign_out, methods=["POST"]),
        Route(LINK + "/{token}", _link_page, methods=["GET"]),
        Route(LINK + "/{token}", _use_link, methods=["POST"]),
        Route("/account", _account_page, methods=["GET"]),
        Route("/account/password", _change_password, methods=["POST"]),
    ]
)
"""Routes for the `api_transformer` of an app that itself signs people in."""
