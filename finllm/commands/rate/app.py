"""The rating page: a small local web application."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from finllm.rating.ballot import Pair, a_model, pair_hash
from finllm.rating.clicks import (
    CHOICES,
    CRITERIA,
    POINTS,
    Click,
    append,
    check,
    latest,
    rater_name,
    read_clicks,
)

HOST = "127.0.0.1"
MAX_BODY = 4096  # bytes; a click has about 200
N_QUESTIONS = 2 * len(CRITERIA) + 1
MEANING = {
    "accuracy": ("Accuracy of figures", "Amounts, signs, units and periods agree with the source."),
    "completeness": (
        "Completeness",
        "It answers the question and omits nothing important.",
    ),
    "usefulness": ("Usefulness", "An analyst could work with it."),
    "fluency": (
        "Fluency",
        "It is clear and correct English, without repetition or a truncated ending.",
    ),
}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # "no-referrer" would also remove Origin from forms
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Middleware that refuses foreign requests and adds security headers to the responses.

    The Host must be a loopback name, so that a foreign site whose name resolves to this address
    (DNS rebinding) is refused. A POST must come from the page's own origin, according to
    ``Sec-Fetch-Site`` and ``Origin`` as far as they are sent. Every browser sends one of them with
    a foreign form; a client that sends neither is not a browser.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in (HOST, "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        why = self._refusal(Request(scope))

        async def send_with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        app = Response(why + "\n", 403, media_type="text/plain") if why else self.app
        await app(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> str:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return f"refused: this page is for {' and '.join(sorted(self.hosts))} only"
        if request.method == "POST":
            site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
            if site not in (None, "same-origin", "none"):
                return "refused: the form is not from this page"
            if origin is not None and origin != f"http://{hosts[0]}":
                return "refused: the form is not from this page"
        return ""


def application(pairs: Sequence[Pair], folder: Path, *, port: int) -> Starlette:
    """Return the web application for rating ``pairs``, which saves clicks in ``folder``.

    Each page reads the rater's file again, so it shows exactly what is saved. The application must
    run in a single process.
    """
    templates = _templates()

    def show(template: str, status: int = 200, **values: object) -> HTMLResponse:
        return HTMLResponse(templates.get_template(template).render(**values), status)

    def start(request: Request) -> Response:
        name = request.query_params.get("rater")
        if name is None:
            return show("start.html.j2", n_pairs=len(pairs), error="", name="")
        try:
            return RedirectResponse(f"/rate/{rater_name(name)}", 303)
        except ValueError as error:
            return show("start.html.j2", 400, n_pairs=len(pairs), error=str(error), name=name)

    def resume(request: Request) -> Response:
        rater = _rater(request)
        given = _given(folder, rater, pairs)
        unfinished = [n for n, answers in enumerate(given, 1) if len(answers) < N_QUESTIONS]
        if unfinished:
            return RedirectResponse(f"/rate/{rater}/{unfinished[0]}", 303)
        return show("done.html.j2", rater=rater, n_pairs=len(pairs))

    def page(request: Request) -> Response:
        rater, number = _rater(request), _number(request, len(pairs))
        given = _given(folder, rater, pairs)
        return show(
            "rate.html.j2",
            rater=rater,
            number=number,
            n_pairs=len(pairs),
            n_done=sum(len(answers) == N_QUESTIONS for answers in given),
            example=pairs[number - 1].example,
            pair=_blind_name(pairs[number - 1], rater),
            answers=_answers(pairs[number - 1], rater),
            given=given[number - 1],
            criteria=CRITERIA,
            meaning=MEANING,
            points=POINTS,
            choices=CHOICES,
            n_questions=N_QUESTIONS,
        )

    async def click(request: Request) -> Response:
        rater, number = _rater(request), _number(request, len(pairs))
        pair = pairs[number - 1]
        form = await _form(request)
        if form.get("pair") != _blind_name(pair, rater):
            raise HTTPException(409, "the answers have changed since this page was loaded: reload")
        append(folder, _click(form.get("click", ""), rater, pair))
        if request.headers.get("accept") != "application/json":
            return RedirectResponse(f"/rate/{rater}/{number}#rating", 303)
        given = _given(folder, rater, pairs)
        n_done = sum(len(answers) == N_QUESTIONS for answers in given)
        return JSONResponse({"n_given": len(given[number - 1]), "n_done": n_done})

    async def failed(request: Request, error: Exception) -> Response:
        status, detail = 500 if isinstance(error, OSError) else 400, str(error)
        if isinstance(error, HTTPException):
            status, detail = error.status_code, error.detail
        return show("error.html.j2", status, detail=detail)

    return Starlette(
        routes=[
            Route("/", _async(start)),
            Route("/rate/{rater}", _async(resume)),
            Route("/rate/{rater}/{number:int}", _async(page), methods=["GET"]),
            Route("/rate/{rater}/{number:int}", click, methods=["POST"]),
            Route("/rate.css", _async(_file("rate.css", "text/css"))),
            Route("/rate.js", _async(_file("rate.js", "text/javascript"))),
        ],
        middleware=[Middleware(Guard, port=port)],
        exception_handlers={HTTPException: failed, OSError: failed, ValueError: failed},
    )


def serve(pairs: Sequence[Pair], folder: Path, *, port: int) -> None:
    """Serve the page on the loopback address until Ctrl-C; port 0 takes a free one.

    Raises
    ------
    ValueError
        If the port is taken, or is not from 0 to 65535.
    """
    import uvicorn

    if not 0 <= port <= 65535:
        raise ValueError(f"port {port}: must be 0 to 65535; choose another with --port")
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise ValueError(f"port {port}: {error}; choose another with --port") from None
    port = listener.getsockname()[1]
    app = application(pairs, folder, port=port)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    print(
        f"Rate {len(pairs)} pairs of answers: http://{HOST}:{port}/   (Ctrl-C to stop)", flush=True
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn passes Ctrl-C on, unless it came before listening
        pass
    print(f"Ratings are in {folder}; run the command again to continue")


def _async(handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Make a handler run in the event loop, one at a time, so that no two clicks write at once."""

    async def run(request: Request) -> Response:
        return handler(request)

    return run


def _rater(request: Request) -> str:
    name = request.path_params["rater"]
    if rater_name(name) != name:
        raise ValueError(f"the rater's name is {name!r}; names are in lower case")
    return name


def _number(request: Request, n_pairs: int) -> int:
    number = request.path_params["number"]
    if not 1 <= number <= n_pairs:
        raise HTTPException(404, f"no pair {number}; there are {n_pairs} pairs")
    return number


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form; raise an error if it is too long or has a field twice."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"the form is longer than {MAX_BODY} bytes")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    twice = [name for name, values in fields.items() if len(values) > 1]
    if twice:
        raise ValueError(f"the form has the field {twice[0]!r} twice")
    return {name: values[0] for name, values in fields.items()}


def _click(text: str, rater: str, pair: Pair) -> Click:
    """Return the click for a button's value, such as ``accuracy.A.4`` or ``preference..tie``."""
    question, _, rest = text.partition(".")
    answer, _, value = rest.partition(".")
    return check(
        Click(
            rater=rater,
            example_id=pair.example.id,
            question=question,
            answer=answer,
            value=int(value) if value in map(str, POINTS) else value,
            a_model=a_model(rater, pair.example.id),
            pair_sha256=pair.sha256,
            time=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        )
    )


def _given(folder: Path, rater: str, pairs: Sequence[Pair]) -> list[dict[str, int | str]]:
    """Return the rater's answers by pair, such as ``{"accuracy.A": 4, "preference.": "tie"}``."""
    by_hash: dict[str, dict[str, int | str]] = {}
    for click in latest(read_clicks(folder / f"{rater}.jsonl")):
        key = f"{click.question}.{click.answer}"
        by_hash.setdefault(click.pair_sha256, {})[key] = click.value
    return [by_hash.get(pair.sha256, {}) for pair in pairs]


def _answers(pair: Pair, rater: str) -> dict[str, str]:
    first_is_base = a_model(rater, pair.example.id) == "base"
    texts = (pair.base, pair.tuned) if first_is_base else (pair.tuned, pair.base)
    return dict(zip(("A", "B"), texts, strict=True))


def _blind_name(pair: Pair, rater: str) -> str:
    """Return the name of a pair in the form: a hash of the rater and the texts in the order shown.

    The hash in the clicks takes the texts in the order of the models, which would reveal who is A.
    """
    return pair_hash(f"{rater}:{pair.example.id}", *_answers(pair, rater).values())


def _file(name: str, media_type: str) -> Callable[[Request], Response]:
    content = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return lambda request: Response(content, media_type=media_type)


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
