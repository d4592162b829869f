"""Servers on this machine: found at the ports they usually have, and tried. Free of torch."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from sae_desktop.jobs import JobContext
from sae_desktop.labels.chat import Ask, ChatError, Message
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.config import (
    CheckServerConfig,
    CheckServerResult,
    FindServersConfig,
    FindServersResult,
    FoundServer,
    ServedModel,
)
from sae_desktop.labels.models.keys import key_place
from sae_desktop.labels.models.open import open_chat_model, open_server

PORTS: dict[int, str] = {
    8080: "llama.cpp",
    11434: "Ollama",
    1234: "LM Studio",
    8000: "vLLM",
    1337: "Jan",
    4891: "GPT4All",
    5000: "text-generation-webui",
    5001: "KoboldCpp",
    8081: "",
    30000: "SGLang",
}
"""Port → the program that usually has it."""
_OWNERS = {"llamacpp": "llama.cpp", "library": "Ollama", "vllm": "vLLM", "sglang": "SGLang",
           "organization_owner": "LM Studio", "koboldcpp": "KoboldCpp"}  # fmt: skip
"""What programs call themselves in their list of models."""
_SECONDS = 0.8
_MOST_BYTES = 4 << 20
_MOST_MODELS = 1000
_LONGEST_NAME = 300
_WINDOWS = ("max_model_len", "context_length", "max_context_length", "n_ctx")
UNIT = "ports"

_QUESTION = Ask(
    (Message("user", 'Is ice cold? Answer with the JSON object {"answer": "yes"} or '
                     '{"answer": "no"} and with nothing else.'),),
    most_tokens=600,
    schema={"type": "object", "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}},
            "required": ["answer"], "additionalProperties": False},
    logprobs=1,
)  # fmt: skip
_SHORT = Ask((Message("user", "Say yes."),), most_tokens=16)
"""For a model that the engine runs, which has neither a schema nor thoughts to be found out."""


def find_servers(config: FindServersConfig, context: JobContext) -> FindServersResult:
    """Return the servers that list models at their usual ports of this machine."""
    del config
    done = 0
    found: list[FoundServer] = []
    with ThreadPoolExecutor(len(PORTS)) as pool:
        for server in pool.map(_at_port, PORTS):
            done += 1
            context.check_cancelled()
            context.progress(done, len(PORTS), UNIT)
            if server is not None:
                found.append(server)
    return FindServersResult(servers=found, looked_at=len(PORTS))


def check_server(config: CheckServerConfig, context: JobContext) -> CheckServerResult:
    """Return the models of a server, and how the chosen one answers one short question.

    Raises ChatError that says why it does not. Of a model without a server, it is loaded.
    """
    choice = config.model
    models: list[ServedModel] = []
    if not choice.local:
        with closing(open_server(choice)) as server:
            try:
                models = served_models(server.models())
            except ChatError as error:
                if error.kind not in ("no_model", "malformed") or not choice.model:
                    raise  # some servers answer, but list nothing
    context.check_cancelled()
    place = "" if choice.local else key_place(server_address(choice.server))
    if not choice.model:
        return CheckServerResult(models=models, key=place)
    with closing(open_chat_model(choice, context)) as model:
        began = time.perf_counter()
        answer = model.ask(_SHORT if choice.local else _QUESTION)
    window = next((one.window for one in models if one.name == choice.model), 0)
    return CheckServerResult(
        models=models,
        answer=answer.text[:_LONGEST_NAME],
        thinks=bool(answer.thoughts),
        structured=answer.structured,
        logprobs=bool(answer.logprobs),
        window=choice.window or window or getattr(model, "window", 0),
        seconds=time.perf_counter() - began,
        answer_tokens=answer.answer_tokens,
        key=place,
    )


def served_models(listed: Any) -> list[ServedModel]:
    """Return the models of a list as a server gives it; what is none is left out."""
    found = []
    for one in listed[:_MOST_MODELS] if isinstance(listed, list) else []:
        name = one.get("id") if isinstance(one, dict) else None
        if isinstance(name, str) and name and name.isprintable() and len(name) <= _LONGEST_NAME:
            found.append(ServedModel(name=name, window=_window(one)))
    return found


def _window(one: dict[str, Any]) -> int:
    meta = one.get("meta")
    places = (one, meta) if isinstance(meta, dict) else (one,)
    sizes = [place.get(name) for name in _WINDOWS for place in places]
    return next((s for s in sizes if isinstance(s, int) and 0 < s < 2**31), 0)


def _at_port(port: int) -> FoundServer | None:
    """Return the server at a port of this machine; None where none lists its models."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/v1/models", headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != 200:  # a redirection is not followed
            return None
        listed = json.loads(response.read(_MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    data = listed.get("data") if isinstance(listed, dict) else None
    models = served_models(data)
    if not models:
        return None
    first = data[0] if isinstance(data, list) else None
    owner = first.get("owned_by") if isinstance(first, dict) else None
    title = _OWNERS.get(owner if isinstance(owner, str) else "", "") or PORTS[port]
    return FoundServer(
        title=title or f"A server at port {port}", url=f"http://127.0.0.1:{port}/v1", models=models
    )
