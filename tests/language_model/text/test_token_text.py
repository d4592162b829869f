"""What a token adds to a text is what the tokenizer's own decoding makes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordLevelTrainer, WordPieceTrainer
from toy_models import TEXT, toy_tokenizer
from transformers import PreTrainedTokenizerFast

from sae_desktop.language_model.text.vocabulary import vocabulary_bytes

LINE = "In the beginning God created the heaven and the earth"


def wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def gemma() -> PreTrainedTokenizerFast:
    """Runs of spaces are added tokens, bytes stand in for what is missing."""
    names = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *sorted(set(TEXT))]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, [], byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    found = wrapped(tokenizer)
    found.add_tokens([AddedToken("▁" * n, normalized=False, special=False) for n in (2, 4)])
    return found


def gpt1() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    trainer = BpeTrainer(special_tokens=["<unk>"], vocab_size=200, end_of_word_suffix="</w>")
    tokenizer.train_from_iterator([TEXT], trainer)
    return wrapped(tokenizer)


def words() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator([TEXT], WordLevelTrainer(special_tokens=["<unk>"]))
    return wrapped(tokenizer)


def unigram() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(vocab_size=100, special_tokens=["<unk>"], unk_token="<unk>")
    tokenizer.train_from_iterator([TEXT], trainer)
    return wrapped(tokenizer)


def word_pieces() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    trainer = WordPieceTrainer(special_tokens=["[UNK]"], vocab_size=200)
    tokenizer.train_from_iterator([TEXT], trainer)
    return wrapped(tokenizer)


def joined(tokenizer: PreTrainedTokenizerFast, text: str) -> tuple[str, list[int]]:
    names = vocabulary_bytes(tokenizer, len(tokenizer))
    ids = tokenizer.encode(text, add_special_tokens=False)
    return b"".join(names[i] for i in ids).decode(), ids


@pytest.mark.parametrize("make", [gemma, gpt1, words, unigram, word_pieces, toy_tokenizer])
def test_tokens_put_together__are_the_decoded_text(
    make: Callable[[], PreTrainedTokenizerFast],
) -> None:
    tokenizer = make()
    found, ids = joined(tokenizer, LINE)
    decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert found.strip() == decoded.strip() == LINE


def test_runs_of_spaces__are_spaces() -> None:
    tokenizer = gemma()
    run = tokenizer.convert_tokens_to_ids("▁▁▁▁")
    assert vocabulary_bytes(tokenizer, len(tokenizer))[run] == b"    "
    ids = [tokenizer.convert_tokens_to_ids(name) for name in ("a", "▁▁▁▁", "d")]
    assert tokenizer.decode(ids) == "a    d"
    text, ids = joined(tokenizer, "🌉 ñ  a")
    assert text == tokenizer.decode(ids) == "🌉 ñ  a"
