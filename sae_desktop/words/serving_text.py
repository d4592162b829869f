"""What is said of a served model. Free of Qt and torch."""

from __future__ import annotations

import datetime

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.safety.serving.config import Served, ServedRequest
from sae_desktop.words.amounts import exact_count

EXPLAINED = (
    "Other programs on this machine can talk to the model, steered by a preset and watched by "
    "monitors, as if it were one of OpenAI’s. Only this machine reaches it, and only "
    "with the token."
)
HIDDEN = "•" * 12
REQUEST_HEADS = ("When", "Kind", "Read", "Written", "Ended", "Fired")
_ENDED = {
    "stop": "by itself",
    "length": "at its length",
    "content_filter": "by a condition",
    "cancelled": "the client hung up",
}


PORT_ADVICE = "Choose another port, or serve at a free one."


def failure_text(error: ErrorInfo) -> str:
    """Return why the server did not start or ended; of a port that is taken, what helps here."""
    if "port" in error.what:
        return f"{error.what} {PORT_ADVICE}"
    return f"{error.what} {error.next_step}".strip()


def client_lines(served: Served, token: str) -> str:
    """Return lines of Python that use the server."""
    return (
        "import openai\n\n"
        f'client = openai.OpenAI(base_url="{served.url}", api_key="{token}")\n'
        f'reply = client.completions.create(model="{served.model}", prompt="The sun")\n'
        "print(reply.choices[0].text)"
    )


def state_text(state: str, served: Served | None) -> str:
    """Return in a sentence what the server does."""
    if state == "starting":
        return "Reading the model…"
    if state == "stopping":
        return "Ending after the token that is being written…"
    if state == "running" and served is not None:
        names = ", ".join(f"“{name}”" for name in served.monitors)
        watched = f"watched by {names}" if names else "and no monitor watches"
        return f"“{served.model}” is served, {watched}."
    return ""


def request_cells(request: ServedRequest) -> list[str]:
    """Return a request as cells of a row."""
    at = datetime.datetime.fromisoformat(request.at).astimezone()
    return [
        f"{at:%H:%M:%S}",
        request.kind,
        exact_count(request.read),
        exact_count(request.written),
        _ENDED.get(request.finish, request.finish),
        ", ".join(request.fired) or "–",
    ]
