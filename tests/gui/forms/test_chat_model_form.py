"""The model that answers is chosen among servers found, addresses and models of the engine."""

from __future__ import annotations

import pytest
from frame_client import FakeClient
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo, KeyKept
from sae_desktop.gui.forms.chat_model_form import ADDRESS, ENGINE, ChatModelForm
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.config import (
    CheckServerConfig,
    CheckServerResult,
    FindServersConfig,
    FindServersResult,
    FoundServer,
    ServedModel,
)

KEY = "sk-secret-0123456789"
OLLAMA = FoundServer(
    title="Ollama", url="http://127.0.0.1:11434/v1",
    models=[ServedModel(name="qwen3:4b"), ServedModel(name="gemma3:1b")],
)  # fmt: skip


@pytest.fixture
def form(session: Session, qtbot: QtBot, client: FakeClient) -> ChatModelForm:
    shown = ChatModelForm(session)
    qtbot.addWidget(shown)
    shown.resize(560, 400)
    shown.show()
    qtbot.waitUntil(lambda: bool(client.started(FindServersConfig)))
    return shown


def _find(form: ChatModelForm, client: FakeClient, *servers: FoundServer) -> None:
    client.finish(
        client.last(FindServersConfig), FindServersResult(servers=list(servers), looked_at=10)
    )


def _test(form: ChatModelForm, client: FakeClient, qtbot: QtBot) -> Job:
    before = len(client.started(CheckServerConfig))
    form.test_button.click()
    qtbot.waitUntil(lambda: len(client.started(CheckServerConfig)) > before)
    return client.last(CheckServerConfig)


def _at(form: ChatModelForm, place: str) -> None:
    form.place.setCurrentIndex(form.place.findData(place))


def test_form__offers_the_servers_that_are_found_and_their_models(
    form: ChatModelForm, client: FakeClient
) -> None:
    assert form.choice() is None
    _find(form, client, OLLAMA)
    assert form.choice() == ModelChoice(server=OLLAMA.url, model="qwen3:4b")
    assert form.place.currentText() == "Ollama on this machine (127.0.0.1:11434)"
    assert [form.model.itemText(n) for n in range(form.model.count())] == ["qwen3:4b", "gemma3:1b"]
    assert not form.price_in.isVisible()


def test_form__without_a_server_says_what_to_do(form: ChatModelForm, client: FakeClient) -> None:
    _find(form, client)
    assert "Start one" in form.said.text()
    assert form.place.currentData() == ADDRESS
    assert "address" in form.problem()
    assert form.choice() is None


def test_form__with_an_address_speaks_of_no_server_of_this_machine(
    form: ChatModelForm, client: FakeClient
) -> None:
    """An address that is typed, or kept from last time, may well answer."""
    form.set_choice(ModelChoice(server="http://localhost:18431/v1", model="toy"))
    _find(form, client)
    assert form.said.text() == ""
    form.set_choice(ModelChoice(server="http://localhost:18431/v1", model=""))
    assert "“Test the connection” lists" in form.problem()


def test_form__asks_for_prices_where_a_server_is_not_on_this_machine(
    form: ChatModelForm, client: FakeClient
) -> None:
    _find(form, client)
    form.address.setText("http://localhost:9000")
    assert not form.price_in.isVisible()
    form.address.setText("api.example.org")
    assert form.price_in.isVisible()
    form.price_in.setValue(0.5)
    form.price_out.setValue(2.0)
    assert form.prices() == (0.5, 2.0)
    form.model.setEditText("large")
    assert form.choice() == ModelChoice(server="api.example.org", model="large")
    assert form.warning.text() == ""
    form.address.setText("http://api.example.org")
    assert "not encrypted" in form.warning.text()
    _at(form, ENGINE)
    assert form.prices() == (0.0, 0.0)


def test_form__runs_a_model_in_the_engine(form: ChatModelForm, client: FakeClient) -> None:
    _find(form, client, OLLAMA)
    _at(form, ENGINE)
    found = form.choice()
    assert found == ModelChoice(model="smollm2")
    assert not form.key.isVisible()


def test_key__goes_to_the_engine_and_stays_nowhere(form: ChatModelForm, client: FakeClient) -> None:
    _find(form, client)
    form.address.setText("api.example.org")
    assert form.key.echoMode() is QLineEdit.EchoMode.Password
    form.key.setText(KEY)
    form.key_button.click()
    assert client.keys == [("api.example.org", KEY)]
    assert form.key.text() == ""
    form.model.setEditText("m")
    assert KEY not in repr(form.choice())
    client.keyKept.emit(KeyKept(server="api.example.org", place="memory"))
    assert "forgotten when the program ends" in form.key_said.text()
    client.keyKept.emit(KeyKept(server="api.example.org", place="keyring"))
    assert "keyring" in form.key_said.text()
    refused = ErrorInfo(what="That is not a key.", next_step="Copy it again.")
    client.keyKept.emit(KeyKept(server="api.example.org", error=refused))
    assert form.key_said.text() == "That is not a key. Copy it again."


def test_test__lists_the_models_and_says_what_the_server_can_do(
    form: ChatModelForm, client: FakeClient, qtbot: QtBot
) -> None:
    _find(form, client)
    form.address.setText("api.example.org")
    form.key.setText(KEY)
    asked = _test(form, client, qtbot)
    assert asked.config == CheckServerConfig(model=ModelChoice(server="api.example.org"))
    assert client.keys == [("api.example.org", KEY)]
    models = [ServedModel(name="a"), ServedModel(name="b")]
    client.finish(asked, CheckServerResult(models=models))
    assert "lists 2 models" in form.said.text()
    assert form.model.count() == 2
    form.model.setCurrentText("b")
    client.finish(
        _test(form, client, qtbot),
        CheckServerResult(models=models, answer="yes", seconds=1.25, thinks=True, window=8192),
    )
    assert "It answered in 1.2 s. It thinks before it answers. It reads 8,192" in form.said.text()


def test_test__that_fails_says_why_and_the_way_out(
    form: ChatModelForm, client: FakeClient, qtbot: QtBot
) -> None:
    _find(form, client)
    form.address.setText("api.example.org")
    asked = _test(form, client, qtbot)
    error = ErrorInfo(what="The certificate cannot be trusted.", next_step="Check the address.")
    asked.fail(error)
    assert form.said.text() == "The certificate cannot be trusted. Check the address."
    assert form.said.property("role") == "error"
    assert form.test_button.isEnabled()


def test_answer__of_another_server_is_not_shown(
    form: ChatModelForm, client: FakeClient, qtbot: QtBot
) -> None:
    _find(form, client)
    form.address.setText("api.example.org")
    asked = _test(form, client, qtbot)
    form.address.setText("api.example.com")
    client.finish(asked, CheckServerResult(models=[], window=7))
    assert "7" not in form.said.text()


def test_choice__is_shown_again(form: ChatModelForm, client: FakeClient) -> None:
    _find(form, client, OLLAMA)
    for choice, prices in (
        (ModelChoice(server=OLLAMA.url, model="gemma3:1b"), (0.0, 0.0)),
        (ModelChoice(server="https://api.example.org/v1", model="m"), (1.5, 6.0)),
        (ModelChoice(model="smollm2"), (0.0, 0.0)),
    ):
        form.set_choice(choice, prices)
        assert form.choice() == choice
        assert form.prices() == prices
