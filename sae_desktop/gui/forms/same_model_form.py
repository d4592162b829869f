"""Asks which model something of the project is of, where the program cannot tell."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox

from sae_desktop.gui.forms.job_forms import JobForm
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import SameModelConfig


class SameModelForm(JobForm):
    """Says that a store's, a dictionary's or an index's model is another one by name."""

    def __init__(self, session: Session, kind: str, name: str) -> None:
        super().__init__(
            session,
            "Which model it belongs to",
            f"The {kind} “{name}” will be treated as belonging to the model you name here. "
            f"Do this only if you know that the two models are the same: if they are not, "
            f"every figure that combines them will be wrong.",
            "Treat as the same model",
        )
        self._what = f"{kind}:{name}"
        self.model = QComboBox()
        self.model.setEditable(True)
        self.model.addItems([item.name for item in session.inventory.models])
        self.model.setCurrentText("")
        tip = "A model in this project, a folder, builtin, smollm2, or owner/name on the hub"
        self.add_row("Model", self.model, tip)
        self.model.editTextChanged.connect(self._check)
        self._check()

    def _check(self, _text: str = "") -> None:
        self.say_problem("" if self.model.currentText().strip() else "Choose a model.", self.model)

    def config(self) -> SameModelConfig:
        return SameModelConfig(
            project=self.session.project_path,
            one=self._what,
            other=self.model.currentText().strip(),
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()
