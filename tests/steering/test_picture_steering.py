"""Captions and answers steered: pictures are read once, and what is changed is what was chosen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index
from toy_pictures import noise_picture, save_picture_model

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    Sampling,
    SteerConfig,
    SteerResult,
    Variant,
    Where,
)
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.job import steer
from sae_desktop.steering.prompts import Prompt, pictures_of, read_prompt

Opened = Callable[[str], tuple[Project, OpenedIndex]]
_GREEDY = Sampling(max_new_tokens=6, repetition_penalty=1.0)
CAUSAL = ("llava", "qwen2_vl", "qwen2_5_vl", "smolvlm", "gemma3")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """An index of a toy model of a family; its project is made once."""
    made: dict[str, Project] = {}

    def of(kind: str) -> tuple[Project, OpenedIndex]:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            model = save_picture_model(folder / "model", kind)
            made[kind] = make_toy_index(folder, model, tokens=300, training=600)
        return made[kind], open_index(str(made[kind].path), "i")

    return of


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("pictures")
    for seed, size in enumerate(((61, 40), (33, 90))):
        noise_picture(*size, seed=seed).save(folder / f"{seed}.png")
    return [str(folder / "0.png"), str(folder / "1.png")]


def written(opened: OpenedIndex, prompts: list[Prompt], **how: bool) -> list[list[int]]:
    ids = [prompt.ids for prompt in prompts]
    longest = max(map(len, ids))
    positions = Positions([longest - len(i) for i in ids], prompts[0].specials, [1] * len(ids))
    steps = continuations(
        opened.lm, ids, {}, positions, _GREEDY, pictures=pictures_of(prompts), **how
    )
    return [list(row) for row in zip(*(step.ids for step in steps), strict=True)]


def own_writing(opened: OpenedIndex, prompt: Prompt) -> list[int]:
    """What the library itself writes, without the tokens that stand for pictures."""
    assert prompt.document is not None
    inputs = dict(prompt.document.inputs)
    barred = {i for i, p in zip(prompt.ids, prompt.document.batch.picture[0], strict=True)
              if p >= 0}  # fmt: skip
    found = opened.lm.model.generate(
        **inputs, do_sample=False, max_new_tokens=6, min_new_tokens=6, eos_token_id=None,
        suppress_tokens=sorted(barred),
    )  # fmt: skip
    return found[0, len(prompt.ids) :].tolist()


@pytest.mark.parametrize("kind", CAUSAL)
def test_captions__are_the_librarys_own_with_and_without_cache_side_by_side_or_alone(
    opened: Opened, pictures: list[str], kind: str
) -> None:
    _, index = opened(kind)
    both = [read_prompt(index, text, pictures, chat=False) for text in ("So here is", "A")]

    alone = written(index, both[:1])[0]
    assert alone == own_writing(index, both[0])
    assert written(index, both[:1], use_cache=False)[0] == alone
    assert written(index, both) == [alone, written(index, both[1:])[0]]
    # What the model remembers of pictures is no part of a text that comes after them.
    words = [Prompt(index.bos + index.lm.encode("In the beginning"), len(index.bos))]
    after = written(index, words)
    assert after == written(index, words, use_cache=False)


def steered(
    project: Project, pictures: list[str], *acts: Intervention, prompt: str = "A", **more: object
) -> SteerResult:
    variants = [PLAIN, Variant(name="steered", interventions=list(acts))]
    config = SteerConfig(
        project=str(project.path), index="i", prompt=prompt, variants=variants, sampling=_GREEDY,
        pictures=pictures, **more,
    )  # fmt: skip
    return steer(config, RecordingContext())


def test_strength_0__is_the_plain_caption_and_a_strong_one_is_not(
    opened: Opened, pictures: list[str]
) -> None:
    project, _ = opened("llava")
    nothing = steered(project, pictures, Intervention(feature=3, mode="add", strength=0.0))
    plain, same = nothing.variants
    assert plain.text == same.text != ""
    assert [t.kl for t in same.tokens] == [0.0] * len(same.tokens)
    much = steered(project, pictures, Intervention(feature=3, mode="add", strength=400.0))
    assert much.variants[0].text == plain.text
    assert much.variants[1].text != plain.text
    assert nothing.prompt_tokens[0] == "picture 1, row 1, column 1"
    assert len(nothing.prompt_tokens) == 2 * 16 + 1
    assert steered(project, pictures, prompt="").variants[0].text


@pytest.mark.parametrize("where", ["pictures", "words", "all"])
def test_a_change__works_on_the_tokens_chosen(
    opened: Opened, pictures: list[str], where: Where
) -> None:
    project, index = opened("llava")
    prompt = read_prompt(index, "Two words", pictures, chat=False)
    of_picture_T = prompt.of_pictures()
    positions = Positions([0], prompt.specials, [len(of_picture_T)], [of_picture_T])
    chosen_S = positions.tokens(where, 0, len(prompt.ids) + 3)

    assert not chosen_S[: prompt.specials].any()
    own_T = chosen_S[prompt.specials : len(prompt.ids)]
    wanted_T = {"pictures": of_picture_T, "words": ~of_picture_T}
    assert torch.equal(own_T, wanted_T.get(where, torch.ones_like(of_picture_T)))
    # What is written is of words.
    assert chosen_S[len(prompt.ids) :].all() == (where != "pictures")
    act = Intervention(feature=3, mode="add", strength=400.0, where=where)
    assert steered(project, pictures, act).variants[1].typical_strength is not None


def test_what_cannot_be_done_with_pictures__is_said_with_the_way_out(
    opened: Opened, pictures: list[str]
) -> None:
    project, _ = opened("llava")
    with pytest.raises(UserError, match="no picture in the prompt") as refused:
        steered(project, [], Intervention(feature=3, where="pictures"))
    assert "Add a picture" in (refused.value.next_step or "")
    with pytest.raises(UserError, match="no chat template"):
        steered(project, pictures, Intervention(feature=3), chat=True)
    both_ways, _ = opened("paligemma")
    with pytest.raises(UserError, match="in both directions") as refused:
        steered(both_ways, pictures[:1], Intervention(feature=3))
    assert "Explore" in (refused.value.next_step or "")


def test_a_question__has_its_pictures_where_the_template_puts_them(
    opened: Opened, pictures: list[str]
) -> None:
    _, index = opened("llava")
    index.lm.tokenizer.chat_template = (
        "{% for m in messages %}Q: {% for c in m.content %}{% if c.type == 'image' %}<image>\n"
        "{% else %}{{ c.text }}{% endif %}{% endfor %}{% endfor %} A:"
    )
    prompt = read_prompt(index, "What?", pictures, chat=True)
    names = "".join(
        "#" if is_picture else name
        for name, is_picture in zip(
            prompt.names(index.lm.token_bytes()), prompt.of_pictures(), strict=True
        )
    )
    assert names == f"Q: {'#' * 16}\n{'#' * 16}\nWhat? A:"
    del index.lm.tokenizer.chat_template
