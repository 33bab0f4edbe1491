"""Routes that show whether the server is ready, and its metrics if CHAT_METRICS is 1.

They are behind the guard, as all routes are, and contain nothing that people or models wrote.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat_app.session.service import service


async def _monitor(request: Request) -> Response:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    try:
        page = await service().monitor.page(path)
    except RuntimeError:  # the service is not open yet, or no longer
        return Response("The app is starting or stopping.\n", 503, media_type="text/plain")
    if page is None:
        return Response("Metrics are served if CHAT_METRICS is 1.\n", 404, media_type="text/plain")
    headers = {"Content-Type": page.content_type, "Cache-Control": "no-store"}
    return Response(page.body, page.status, headers=headers)


routes = Starlette(routes=[Route("/ready", _monitor), Route("/metrics", _monitor)])
"""Routes for the app's `api_transformer`."""
