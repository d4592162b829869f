import pytest
import torch

from sae_desktop.dictionary import selection
from sae_desktop.dictionary.kernels import Active
from sae_desktop.dictionary.selection import (
    BlockBuffer,
    EncoderBlocks,
    LargestOfBatch,
    largest_per_row,
    positive,
    true_places,
)

T, D, K = 40, 8, 3


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "BLOCK_BYTES", 1)
    monkeypatch.setattr(selection, "FEWEST_ROWS", 16)


def _blocks(features: int, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> EncoderBlocks:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(T, D, generator=generator, dtype=torch.float32).to(dtype)
    W = torch.randn(features, D, generator=generator).to(dtype)
    b = 0.1 * torch.randn(features, generator=generator).to(dtype)
    return EncoderBlocks(x, W, b, BlockBuffer())


def _whole(blocks: EncoderBlocks) -> torch.Tensor:
    return torch.cat([pre.clone() for _, pre in blocks]).float()


# 24: a whole number of words; 101: none; 128: many groups to a row.
@pytest.mark.parametrize("features", [24, 101, 128])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_largest_per_row__is_what_topk_gives(features: int, dtype: torch.dtype) -> None:
    blocks = _blocks(features, dtype=dtype)
    kept = largest_per_row(blocks, K)
    best = _whole(blocks).topk(K, dim=1).values
    assert kept.values.view(T, K).sort(dim=1).values.equal(best.sort(dim=1).values)
    torch.testing.assert_close(_whole(blocks).view(-1)[kept.flat], kept.values)
    assert kept.flat.equal(kept.flat.sort().values)


def test_largest_per_row__with_few_positive_takes_those_alone() -> None:
    blocks = EncoderBlocks(torch.eye(4), -torch.eye(16, 4), torch.zeros(16), BlockBuffer())
    assert len(largest_per_row(blocks, 2).flat) == 0
    W = -torch.ones(16, 4)
    W[5, 2] = 3.0
    kept = largest_per_row(EncoderBlocks(torch.eye(4), W, torch.zeros(16), BlockBuffer()), 2)
    assert kept.flat.tolist() == [2 * 16 + 5]
    assert kept.values.tolist() == [3.0]


@pytest.mark.parametrize("floor", [None, 0.0, 0.5, 100.0])
def test_largest_of_batch__is_what_a_full_sort_gives_whatever_the_guess(
    floor: float | None,
) -> None:
    blocks = _blocks(24)
    largest = LargestOfBatch()
    largest._floor = floor
    kept = largest(blocks, K * T)
    expected = _whole(blocks).flatten().topk(K * T)
    assert kept.flat.tolist() == sorted(expected.indices.tolist())


def test_largest_of_batch__with_ties_keeps_the_count() -> None:
    blocks = EncoderBlocks(torch.ones(4, 1), torch.ones(8, 1), torch.zeros(8), BlockBuffer())
    assert len(LargestOfBatch()(blocks, 5).flat) == 5


def test_positive__finds_every_positive_entry_and_no_other() -> None:
    blocks = _blocks(101, dtype=torch.bfloat16)
    pre = _whole(blocks)
    assert positive(blocks).flat.equal((pre > 0).view(-1).nonzero().squeeze(1))


def test_true_places__are_those_of_nonzero_in_any_shape() -> None:
    generator = torch.Generator().manual_seed(2)
    for shape in ((16, 8), (5, 7), (1, 8)):
        mask = torch.rand(*shape, generator=generator) < 0.1
        assert true_places(mask).equal(mask.view(-1).nonzero().squeeze(1))


def test_active__products_are_those_of_the_dense_matrix() -> None:
    generator = torch.Generator().manual_seed(3)
    features = 24
    dense = torch.randn(T, features, generator=generator).relu() * (
        torch.rand(T, features, generator=generator) < 0.2
    )
    dense[7] = 0  # a row without a pair
    flat = dense.view(-1).nonzero().squeeze(1)
    active, values = Active.from_flat(flat, T, features), dense.view(-1)[flat]
    W = torch.randn(features, D, generator=generator)
    x = torch.randn(T, D, generator=generator)
    torch.testing.assert_close(active.decode(values, W), dense @ W)
    torch.testing.assert_close(active.gather_rows(values, x), dense.T @ x)
    torch.testing.assert_close(active.column_sums(values), dense.sum(0))
    torch.testing.assert_close(active.dots(x, W), (x @ W.T).view(-1)[flat])
    torch.testing.assert_close(active._dots_in_pieces(x, W), (x @ W.T).view(-1)[flat])
    assert active.counts_F.equal((dense > 0).sum(0))
