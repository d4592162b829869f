"""Dictionaries with tied weights (Cunningham et al., 2023): one matrix reads and writes.

f = ReLU(x·Wᵀ + b);   x̂ = f·W, the rows of W of norm one
"""

from functools import partial

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.weights_file import WeightsFile


class TiedFormat:
    plugin_api = 1
    title = "tied weights"

    def find(self, view: FolderView) -> list[Found]:
        found = []
        for file in view.weights:
            if file.has("tied.weight", "tied.bias"):
                features, width = file.shapes["tied.weight"]
                read = partial(_read, file)
                found.append(Found(self.title, file.path, "standard", width, features, read))
        return found


def _read(file: WeightsFile) -> Dictionary:
    tensors = file.tensors()
    W_FD = tensors["tied.weight"].float()
    W_FD = W_FD / W_FD.norm(dim=1, keepdim=True)
    return folded(W_FD.T, tensors["tied.bias"], W_FD, W_FD.new_zeros(W_FD.shape[1]))
