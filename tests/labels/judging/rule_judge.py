"""A judge that goes by rules: it reads the prompt as any model does, and knows no truth."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping

from sae_desktop.labels.chat import Answer, Ask
from sae_desktop.labels.judging.known import known_features

Rule = Callable[[str], bool]
"""A text → whether a label fits it."""

_DESCRIPTION = re.compile(r"^Description: (.*)$", re.MULTILINE)
_TEXT = re.compile(r"^\d+\. (.*)$", re.MULTILINE)


def _known_rules() -> dict[str, Rule]:
    def fires(texts: list[str]) -> Rule:
        whole = {text.replace("[", "").replace("]", "") for text in texts}
        return lambda text: text in whole

    return {feature.label: fires(feature.fires) for feature in known_features()}


class RuleJudge:
    """Answers yes to texts that a label's rule takes, and as told to those of a label without a
    rule. `knows`: whether it gets the known texts right."""

    name = "rules"

    def __init__(
        self, rules: Mapping[str, Rule], *, otherwise: bool = False, knows: bool = True
    ) -> None:
        self._rules = dict(rules) | (_known_rules() if knows else {})
        self._otherwise = otherwise
        self._lock = threading.Lock()
        self.asked: list[Ask] = []
        self.closed = False

    def ask(self, ask: Ask) -> Answer:
        with self._lock:
            self.asked.append(ask)
        user = ask.messages[-1].content
        found = _DESCRIPTION.search(user)
        rule = self._rules.get(found.group(1) if found else "", lambda text: self._otherwise)
        said = {
            str(number): "yes" if rule(text) else "no"
            for number, text in enumerate(_TEXT.findall(user), start=1)
        }
        return Answer(json.dumps(said), prompt_tokens=100, answer_tokens=len(said))

    @property
    def prompts(self) -> list[str]:
        return [ask.messages[-1].content for ask in self.asked]

    def close(self) -> None:
        self.closed = True
