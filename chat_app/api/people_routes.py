"""Route with which the admin page makes the links with which people choose a password.

A link travels in a response, not in the state of a tab, which Redis may hold. The route takes no key.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_core.errors import ValidationError
from agent_core.http import body_of, guarded, json_response
from chat_app.accounts.accounts import NoPersonError, accounts
from chat_app.accounts.gate import link_address
from chat_app.accounts.people import NameTakenError
from chat_app.accounts.setup import acting_admin
from chat_app.api.callers import signed_in
from chat_app.extensions import check_may_administer
from chat_app.server.settings import load_settings

_MAX_BODY = 10_000  # bytes


async def _make_link(request: Request) -> Response:
    """Invite a person by `name` and `role`, or make a new link for the one with `person_id`; return it this once.

    What cannot be done is answered with a `problem`: "taken", "name" or "gone".
    """
    ctx = signed_in(request)
    check_may_administer(ctx)
    known, sign_in = accounts(), load_settings().sign_in
    if known is None or not sign_in.local:
        raise HTTPException(404, "This app has no accounts with passwords.")
    body = await body_of(request, _MAX_BODY)
    name, role, person_id = body.get("name"), body.get("role", "member"), body.get("person_id")
    try:
        if isinstance(person_id, str):
            made = await known.new_link(person_id, acting_admin(ctx))
        elif isinstance(name, str) and isinstance(role, str):
            made = await known.invite(name, role, acting_admin(ctx))
        else:
            raise ValidationError("Send a name and a role, or the id of a person.")
    except NoPersonError as error:
        return json_response({"problem": "gone", "message": str(error)}, 422)
    except NameTakenError as error:
        return json_response({"problem": "taken", "message": str(error)}, 422)
    except ValidationError as error:
        return json_response({"problem": "name", "message": str(error)}, 422)
    return json_response({"name": made.name, "link": link_address(request, made.token)}, 201)


PEOPLE_ROUTES = [Route("/people/links", guarded(_make_link), methods=["POST"])]
