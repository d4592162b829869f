"""Mail as texts: an .mbox file holds messages one after the other, each after a “From ” line."""

from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import IO

from sae_desktop.corpus.records import Record


class MailReader:
    plugin_api = 1
    title = "mail"

    def read(self, file: IO[bytes], name: str) -> Iterable[Record]:
        for raw in _messages(file):
            message = message_from_bytes(raw, EmailMessage, policy=policy.default)
            body = message.get_body(("plain",))
            if body is not None:
                subject = str(message["subject"] or "")
                yield Record(body.get_content().strip(), source=name, title=subject)


def _messages(file: IO[bytes]) -> Iterator[bytes]:
    lines: list[bytes] = []
    for line in file:
        if line.startswith(b"From ") and lines:
            yield b"".join(lines)
            lines = []
        elif not line.startswith(b"From "):
            lines.append(line)
    if lines:
        yield b"".join(lines)
