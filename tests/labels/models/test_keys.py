"""Where the keys of servers are kept, and where they never are."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError

from sae_desktop.errors import UserError
from sae_desktop.labels.models import keys
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.keys import keep_key, key_for, key_place, place_in_words

SERVER = server_address("https://api.example.org/v1")
OTHER = server_address("https://api.example.com/v1")
OPENAI = server_address("https://api.openai.com/v1")


class Ring(KeyringBackend):
    priority = 1.0

    def __init__(self, *, works: bool = True) -> None:
        super().__init__()
        self.works = works
        self.held: dict[tuple[str, str], str] = {}

    def _check(self) -> None:
        if not self.works:
            raise NoKeyringError("No recommended backend was available.")

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.held[service, username]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ring]:
    ring, before = Ring(), keyring.get_keyring()
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv(keys.VARIABLE, raising=False)
    monkeypatch.setattr(keys, "_sitting", {})
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def test_key__is_in_the_keyring_for_its_own_server_alone(ring: Ring) -> None:
    assert keep_key(SERVER, " sk-1 ") == "keyring"
    assert (key_for(SERVER), key_place(SERVER)) == ("sk-1", "keyring")
    assert (key_for(OTHER), key_place(OTHER)) == ("", "")
    assert keys._sitting == {}
    assert list(ring.held.values()) == ["sk-1"]


def test_key__without_a_keyring_is_kept_for_this_sitting_and_that_is_said(ring: Ring) -> None:
    ring.works = False
    assert keep_key(SERVER, "sk-1") == "memory"
    assert key_for(SERVER) == "sk-1"
    assert "forgotten when the program ends" in place_in_words(key_place(SERVER))
    assert key_for(OTHER) == ""


def test_key__that_is_empty_is_forgotten_wherever_it_was(ring: Ring) -> None:
    keep_key(SERVER, "sk-1")
    assert keep_key(SERVER, "") == ""
    assert (key_for(SERVER), ring.held) == ("", {})
    ring.works = False
    keep_key(SERVER, "sk-2")
    keep_key(SERVER, "")
    assert key_for(SERVER) == ""


@pytest.mark.parametrize("typed", ["sk-\n1", "sk-é", "x" * 5000, "sk-\x00"])
def test_key__that_cannot_be_one_is_refused_without_repeating_it(ring: Ring, typed: str) -> None:
    with pytest.raises(UserError) as caught:
        keep_key(SERVER, typed)
    assert typed not in str(caught.value)
    assert not ring.held


def test_environment__has_a_key_for_the_server_that_is_asked(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_key(SERVER, "sk-ring")
    monkeypatch.setenv(keys.VARIABLE, "sk-env")
    assert (key_for(SERVER), key_place(SERVER)) == ("sk-env", "environment")


def test_environment__has_openais_key_for_openai_alone(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    assert key_for(OPENAI) == "sk-openai"
    for address in ("https://api.openai.com.example.org", "http://api.openai.com", OTHER.url):
        assert key_for(server_address(address)) == ""
