"""INCLINE on a tiny model: where it acts and where not, batches, the two passes, files, corpora, and a whole run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from small_rows import write_small_data
from torch import Tensor
from transformers.cache_utils import DynamicCache

from lensbench.backbones.load import LoadedBackbone
from lensbench.datasets.sources import Folder, open_data
from lensbench.engines.generation.decode import generate_answers
from lensbench.engines.generation.generate import generate_reference
from lensbench.engines.protocol import AnswerRequest
from lensbench.engines.reference.lm import LensLM
from lensbench.errors import DataError, RunError, UnavailableError, UsageError
from lensbench.languages import get_language
from lensbench.methods import config_model, get_method
from lensbench.methods.base import Enhancement, SilentProgress
from lensbench.methods.corpora.parallel import Pair
from lensbench.methods.incline import METHOD, Alignment, InclineConfig, Intervention
from lensbench.methods.incline.check import check_intervention
from lensbench.methods.incline.config import GRID, PRESETS
from lensbench.methods.incline.pairs import PairCorpora, load_pairs
from lensbench.methods.incline.sites import read_pooled, site_modules

EN = ["tell me about cats", "why is the sky blue?", "name three rivers of Asia", "how do I bake bread", "hi", "count to ten"]
ZH = ["说说猫", "天空为什么是蓝色的？", "说出亚洲的三条河", "怎么烤面包", "你好", "数到十"]
SW = [
    "niambie kuhusu paka",
    "kwa nini anga ni buluu?",
    "taja mito mitatu ya Asia",
    "ninaokaje mkate",
    "habari",
    "hesabu hadi kumi",
]
REQUESTS = [
    ("那只猫坐在", "垫子上。"),
    ("那只猫坐在", "椅子。"),
    ("A", "B"),
    ("A", "C"),
    ("为什么？", " because it is so"),
    ("x" * 300, " end"),
    ("", "no prompt at all"),
]
LENGTHS = [9, 4, 12, 6]


def corpora(*codes: str) -> PairCorpora:
    texts = {"zh": ZH, "sw": SW}
    return PairCorpora("en", {c: [Pair(str(i), s, t) for i, (s, t) in enumerate(zip(texts[c], EN, strict=True))] for c in codes})


def small(**changes: object) -> InclineConfig:
    return InclineConfig.model_validate({"n_pairs": None, "alpha": 0.5, **changes})


def fit(loaded: LoadedBackbone, *codes: str, **changes: object) -> Intervention:
    return METHOD.fit(loaded, corpora(*(codes or ("zh",))), small(**changes), SilentProgress())


def prompts(loaded: LoadedBackbone) -> list[tuple[int, ...]]:
    texts = ["为什么天是蓝的？", "x", "How are you today, my friend? " * 4, "说说三条河"]
    chat = LensLM(loaded).apply_chat_template
    return [tuple(loaded.tokenizer.encode(chat([{"role": "user", "content": t}]), add_special_tokens=False)) for t in texts]


def scores(loaded: LoadedBackbone, batch_size: int = 16, requests: Sequence[Any] = REQUESTS) -> list[tuple[float, bool]]:
    lm = LensLM(loaded, batch_size=batch_size)
    return lm.score_tokens([lm.token_request(*request) for request in requests])


def answers(loaded: LoadedBackbone, batch_size: int = 4) -> list[str]:
    wanted = [AnswerRequest(p, n) for p, n in zip(prompts(loaded), LENGTHS, strict=True)]
    return [a.text for a in generate_answers(loaded, wanted, batch_size=batch_size)]


def hook_count(loaded: LoadedBackbone) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in loaded.model.modules())


def by_hand(loaded: LoadedBackbone, made: Intervention, language: str, ids: Sequence[int], end: int) -> Tensor:
    """Logits of one row when the site's states at `end` are replaced: a plain pass for the states, then a plain patched one."""
    modules = site_modules(loaded, made.site, tuple(made.alignments[language]))
    states: dict[int, Tensor] = {}
    batch = torch.tensor([list(ids)])

    def run(hook: Any) -> Tensor:
        with contextlib.ExitStack() as stack, torch.no_grad():
            for index, module in modules.items():
                stack.callback(module.register_forward_hook(lambda m, a, out, i=index: hook(i, out)).remove)
            return loaded.model(batch).logits[0]

    def keep(index: int, output: Any) -> None:
        states[index] = (output[0] if isinstance(output, tuple) else output)[0, end].clone()

    def put(index: int, output: Any) -> Any:
        tensor = output[0] if isinstance(output, tuple) else output
        h = states[index] if made.values == "clean" else tensor[0, end].clone()
        found = made.alignments[language][index]
        tensor[0, end] = h + made.alphas[language] * (found.image.T @ (found.basis @ h))
        return output

    if made.values == "clean":
        run(keep)
    return run(put)


@pytest.mark.parametrize("site", ["hidden", "attn", "mlp", "emb"])
@pytest.mark.parametrize("values", ["clean", "running"])
def test_scores_equal_a_patch_by_hand(tiny: LoadedBackbone, site: str, values: str) -> None:
    made = fit(tiny, site=site, values=values, pool="mean" if site == "emb" else "last")
    lm = LensLM(tiny)
    base = scores(tiny)
    with made.applied(tiny, "zh"):
        found = scores(tiny)
    for (ll, _), request in zip(found[:-1], REQUESTS, strict=False):
        _, context, target = lm.token_request(*request)
        logprobs = by_hand(tiny, made, "zh", (context + target)[:-1], len(context) - 1).log_softmax(-1)
        plain = sum(float(logprobs[len(context) - 1 + k, token]) for k, token in enumerate(target))
        assert ll == pytest.approx(plain, abs=2e-3)
    assert all(abs(a[0] - b[0]) > 1e-3 for a, b in zip(base[:-1], found, strict=False)), "every prompt is changed"
    assert found[-1][0] == pytest.approx(base[-1][0], abs=1e-4), "without a prompt nothing is"


@pytest.mark.parametrize("values", ["clean", "running"])
def test_batches_equal_one_by_one(tiny: LoadedBackbone, values: str) -> None:
    made = fit(tiny, values=values)
    with made.applied(tiny, "zh"):
        one, many = scores(tiny, 1), scores(tiny, 16)
        slow = [generate_reference(tiny, p, n).text for p, n in zip(prompts(tiny), LENGTHS, strict=True)]
        fast = [answers(tiny, batch_size) for batch_size in (1, 2, 4)]
    for a, b in zip(one, many, strict=True):
        assert a[0] == pytest.approx(b[0], abs=1e-3) and a[1] == b[1]
    assert fast == [slow] * 3
    assert slow != answers(tiny)


def test_prompt_states_equal_in_a_left_padded_batch(tiny: LoadedBackbone) -> None:
    """The first token's logits, by hand and in one padded batch."""
    made, rows = fit(tiny), prompts(tiny)
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), 2)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, width - len(row) :], mask[place, width - len(row) :] = torch.tensor(row), 1
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad(), made.applied(tiny, "zh"):
        logits = tiny.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, -1]
    for place, row in enumerate(rows):
        torch.testing.assert_close(logits[place], by_hand(tiny, made, "zh", row, len(row) - 1)[-1], atol=1e-3, rtol=1e-3)


def test_requests_alike_but_for_where_the_prompt_ends_are_scored_apart(tiny: LoadedBackbone) -> None:
    encode = tiny.tokenizer.encode
    ids = encode("abcdef", add_special_tokens=False)
    split = [(("c", "t"), ids[:k], ids[k:]) for k in (2, 4)]
    shared = [(("c", "t"), ids[:2], [*ids[2:5], last]) for last in ids]
    lm, made = LensLM(tiny), fit(tiny)
    with made.applied(tiny, "zh"):
        together = lm.score_tokens([*split, *shared])
        alone = [lm.score_tokens([request])[0] for request in [*split, *shared]]
    for a, b in zip(together, alone, strict=True):
        assert a[0] == pytest.approx(b[0], abs=1e-4)


def test_one_pass_more_for_a_prompt_and_none_for_a_step(tiny: LoadedBackbone) -> None:
    calls = []
    handle = tiny.blocks[0].register_forward_hook(lambda m, a, out: calls.append(a[0].shape[1]))
    prompt = prompts(tiny)[0]
    for values, passes in (("clean", 2), ("running", 1)):
        made = fit(tiny, values=values)
        calls.clear()
        with made.applied(tiny, "zh"):
            generate_reference(tiny, prompt, 4)
        steps = calls[passes:]
        assert calls[:passes] == [len(prompt)] * passes and set(steps) <= {1} and len(steps) <= 3
    handle.remove()


def test_clean_and_running_values(tiny: LoadedBackbone) -> None:
    """With one layer they are the same; with more the running ones add up."""
    for layers, alike in (((3,), True), ("all", False)):
        found = {}
        for values in ("clean", "running"):
            with fit(tiny, layers=layers, values=values).applied(tiny, "zh"):
                found[values] = torch.tensor([ll for ll, _ in scores(tiny)])
        assert torch.allclose(found["clean"], found["running"], atol=1e-3) == alike


def test_strength_nil_is_the_backbone_bit_for_bit(tiny: LoadedBackbone) -> None:
    made = fit(tiny, alpha=0.0)
    base = scores(tiny), answers(tiny)
    with made.applied(tiny, "zh"):
        assert hook_count(tiny) == 0
        assert (scores(tiny), answers(tiny)) == base


def test_the_central_language_is_untouched_and_a_strange_one_refused(tiny: LoadedBackbone) -> None:
    made = fit(tiny, "zh", "sw", alpha={"zh": 0.5, "sw": -0.3})
    base = scores(tiny), answers(tiny)
    with made.applied(tiny, "en"):
        assert (scores(tiny), answers(tiny)) == base
    found = {}
    for code in ("zh", "sw"):
        with made.applied(tiny, code):
            found[code] = scores(tiny)
    assert found["zh"] != found["sw"] and base[0] not in found.values()
    with pytest.raises(RunError, match=r"no map for 'ar'.*zh, sw"):
        made.applied(tiny, "ar")


def test_hooks_are_gone_after_an_error(tiny: LoadedBackbone) -> None:
    made, base = fit(tiny), scores(tiny)
    assert hook_count(tiny) == 0 and not tiny.wants_prompt_ends
    with pytest.raises(ZeroDivisionError), made.applied(tiny, "zh"):
        assert hook_count(tiny) > 0 and tiny.wants_prompt_ends
        raise ZeroDivisionError
    assert hook_count(tiny) == 0 and not tiny.wants_prompt_ends and tiny.prompt_ends is None
    assert scores(tiny) == base


def test_an_error_within_the_untouched_pass_leaves_no_state_behind(tiny: LoadedBackbone) -> None:
    made = fit(tiny)
    with made.applied(tiny, "zh"):
        right = scores(tiny)
        for later in (0, 1):  # in the untouched pass, and in the one after it
            left = [later]

            def fail(module: Any, inputs: Any, left: list[int] = left) -> None:
                if not left[0]:
                    raise ZeroDivisionError
                left[0] -= 1

            handle = tiny.blocks[1].register_forward_pre_hook(fail)
            with pytest.raises(ZeroDivisionError):
                scores(tiny)
            handle.remove()
            assert tiny.prompt_ends is None
            assert scores(tiny) == right


def test_what_the_hooks_cannot_know_is_refused(tiny: LoadedBackbone) -> None:
    made, ids = fit(tiny), torch.tensor([prompts(tiny)[0]])
    cache = DynamicCache(config=tiny.model.config)
    with torch.no_grad():
        tiny.model(ids[:, :5], past_key_values=cache, use_cache=True)
        with made.applied(tiny, "zh"):
            with pytest.raises(RunError, match="already holds its beginning"):
                tiny.model(ids[:, 5:], past_key_values=cache, use_cache=True)
            with tiny.prompts_ending_at([1, 2]), pytest.raises(RunError, match="do not fit"):
                tiny.model(ids)
        with fit(tiny, site="mlp").applied(tiny, "zh"), pytest.raises(RunError, match="without the decoder"):
            tiny.blocks[0].mlp(torch.zeros(1, 3, tiny.hidden_size))


def test_other_rows_of_the_batch_stay_as_they_are(tiny: LoadedBackbone) -> None:
    made = fit(tiny)
    ids = torch.tensor([prompts(tiny)[0][:10], prompts(tiny)[3][:10]])
    with torch.no_grad():
        base = tiny.model(ids, use_cache=False).logits
        with made.applied(tiny, "zh"), tiny.prompts_ending_at([6, -1]):
            found = tiny.model(ids, use_cache=False).logits
    assert torch.equal(found[1], base[1]) and torch.equal(found[0, :6], base[0, :6])
    assert not torch.isclose(found[0, 6:], base[0, 6:]).all(-1).any()


def test_an_enhancement_by_the_book(tiny: LoadedBackbone) -> None:
    made: Enhancement = fit(tiny, layers="last:2")
    assert made.first_changed_layer == 2
    before = {n: p.detach().clone() for n, p in tiny.model.named_parameters()}
    assert all(torch.equal(p, before[n]) for n, p in tiny.model.named_parameters())
    cost = fit(tiny, "zh", "sw").card["cost"]
    assert cost["trainable_parameters"] == 0 == cost["steps"] and cost["training_items"] == 12 and cost["wall_seconds"] > 0
    assert cost["training_tokens"] == sum(len(t.encode()) for t in [*ZH, *SW, *EN, *EN])
    assert cost["floor_bytes"] == sum(p.numel() * 4 for p in before.values())


def test_same_seed_same_digest_and_all_that_matters_is_in_it(tiny: LoadedBackbone) -> None:
    one = fit(tiny)
    assert fit(tiny).digest == one.digest
    others = [fit(tiny, **c) for c in ({"alpha": 0.4}, {"values": "running"}, {"layers": (1,)}, {"site": "mlp"}, {"ridge": 1.0})]
    assert len({one.digest, *(o.digest for o in others)}) == 6


def test_saves_and_loads(tiny: LoadedBackbone, tmp_path: Path) -> None:
    made, home = fit(tiny, "zh", "sw", alpha={"zh": 0.5, "sw": -1}), tmp_path / "incline"
    made.save(home)
    loaded = METHOD.load(home, tiny.checkpoint.digest)
    assert (loaded.digest, loaded.card, loaded.alphas) == (made.digest, made.card, made.alphas)
    for code in ("zh", "sw"):
        with made.applied(tiny, code):
            expected = scores(tiny)
        with loaded.applied(tiny, code):
            assert scores(tiny) == expected
    card = json.loads((home / "card.json").read_text(encoding="utf-8"))
    assert card["method"] == "incline" and card["digest"] == made.digest and "0-based" in (home / "README.md").read_text()
    with pytest.raises(RunError, match="another backbone"):
        METHOD.load(home, "0" * 64)
    (home / "card.json").write_text(json.dumps({**card, "alphas": {"zh": 0.6, "sw": -1}}), encoding="utf-8")
    with pytest.raises(RunError, match="has changed since it was saved"):
        METHOD.load(home, tiny.checkpoint.digest)
    (home / "card.json").write_text(json.dumps({k: v for k, v in card.items() if k != "site"}), encoding="utf-8")
    with pytest.raises(RunError, match="not a readable enhancement"):
        METHOD.load(home, tiny.checkpoint.digest)
    (home / "card.json").write_text(json.dumps(card), encoding="utf-8")
    tensors = home / "intervention.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])
    with pytest.raises(RunError, match="not a readable enhancement"):
        METHOD.load(home, tiny.checkpoint.digest)
    (home / "card.json").unlink()
    with pytest.raises(RunError, match="not a readable enhancement"):
        METHOD.load(home, tiny.checkpoint.digest)


def test_a_folder_that_cannot_be_written_is_named(tiny: LoadedBackbone, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="could not be written"):
        fit(tiny).save(tmp_path / "file" / "incline")


def test_the_released_preset(tiny: LoadedBackbone) -> None:
    """MLP outputs, mean over tokens, English behind both sides of every second pair, plain lstsq, and h + alpha h W."""
    _, presets = config_model("incline")
    made = METHOD.fit(tiny, corpora("zh"), small(**{**presets["released"], "preset": "released"}), SilentProgress())
    assert (made.site, made.values) == ("mlp", "clean")
    found: dict[int, Tensor] = {}
    handles = [
        b.mlp.register_forward_hook(lambda m, a, out, i=i: found.__setitem__(i, out[0])) for i, b in enumerate(tiny.blocks)
    ]
    sides: dict[str, list[Tensor]] = {"x": [], "y": []}
    with torch.no_grad():
        for number, (zh, en) in enumerate(zip(ZH, EN, strict=True)):
            x, y = (f"{zh} {en}", f"{en} {en}") if number % 2 else (zh, en)
            for side, text in (("x", x), ("y", y)):
                tiny.model(torch.tensor([tiny.tokenizer.encode(text)]))
                sides[side].append(found[2].mean(0))
        x, y = torch.stack(sides["x"]), torch.stack(sides["y"])
        weights = torch.linalg.lstsq(x.double(), y.double(), driver="gelsd").solution
        prompt = torch.tensor([prompts(tiny)[0]])
        tiny.model(prompt)
        own = found[2][-1].clone()
        handles = [*handles, *_after(tiny, made, found, prompt)]
    expected = own.double() + 0.5 * own.double() @ weights
    torch.testing.assert_close(found[2][-1].double(), expected, rtol=1e-3, atol=1e-3)
    for handle in handles:
        handle.remove()


def _after(loaded: LoadedBackbone, made: Intervention, found: dict[int, Tensor], prompt: Tensor) -> list[Any]:
    """Run the changed model, with a hook behind the intervention's own."""
    with made.applied(loaded, "zh"):
        handle = loaded.blocks[2].mlp.register_forward_hook(lambda m, a, out: found.__setitem__(2, out[0]))
        loaded.model(prompt)
    return [handle]


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_pooled_states_equal_one_text_at_a_time(tiny: LoadedBackbone, pool: str) -> None:
    rows = [tiny.tokenizer.encode(t) for t in [*EN, *ZH]]
    found = read_pooled(tiny, rows, "hidden", (0, 2), pool, batch_size=5)
    for place, row in enumerate(rows):
        with torch.no_grad():
            states = tiny.model(torch.tensor([row]), output_hidden_states=True).hidden_states
        for layer in (0, 2):
            plain = states[layer + 1][0]
            torch.testing.assert_close(found[layer][place], plain[-1] if pool == "last" else plain.mean(0), atol=1e-4, rtol=1e-4)


def test_equals_lstsq_on_the_models_states(tiny: LoadedBackbone) -> None:
    made = fit(tiny, "sw")
    rows = {side: [tiny.tokenizer.encode(t) for t in texts] for side, texts in (("x", SW), ("y", EN))}
    x, y = (read_pooled(tiny, rows[side], "hidden", range(4), "last", batch_size=8) for side in ("x", "y"))
    h = torch.randn(5, tiny.hidden_size, generator=torch.Generator().manual_seed(0))
    for layer, found in made.alignments["sw"].items():
        plain = h.double() @ torch.linalg.lstsq(x[layer].double(), y[layer].double(), driver="gelsd").solution
        assert float((found(h).double() - plain).norm() / plain.norm()) < 1e-4


def test_alpha_is_chosen_on_held_out_pairs(tiny: LoadedBackbone) -> None:
    made = fit(tiny, alpha="dev", n_dev=2)
    measured = made.card["fit"]["zh"]
    assert measured["pairs"] == 4 and measured["dev"]["pairs"] == 2
    curve = measured["dev"]["mean_cosine"]
    assert made.alphas["zh"] == GRID[min(range(21), key=lambda k: (-curve[k], abs(GRID[k])))]
    x, y = (
        read_pooled(tiny, [tiny.tokenizer.encode(t) for t in texts[4:]], "hidden", range(4), "last", batch_size=8)
        for texts in (ZH, EN)
    )
    first = [
        float(torch.cosine_similarity(x[i] - 1.0 * found(x[i]), y[i], dim=-1).mean())
        for i, found in made.alignments["zh"].items()
    ]
    assert curve[0] == pytest.approx(sum(first) / 4, abs=1e-4)
    assert made.card["fit"]["zh"]["rank"] == {str(i): 4 for i in range(4)}


def test_the_self_check_sees_what_is_wrong(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    made, prompt = fit(tiny), prompts(tiny)[0]
    check_intervention(tiny, made, "zh", prompt)
    nil = {"zh": {i: Alignment(a.basis, torch.zeros_like(a.image)) for i, a in made.alignments["zh"].items()}}
    dead = Intervention(made.backbone, made.backbone_digest, "en", "hidden", "clean", made.alphas, nil)
    with pytest.raises(RunError, match="last token is not changed"):
        check_intervention(tiny, dead, "zh", prompt)
    everywhere = Intervention(
        made.backbone,
        made.backbone_digest,
        "fr",
        "hidden",
        "clean",
        {"zh": 0.5, "en": 0.5},
        {"zh": made.alignments["zh"], "en": made.alignments["zh"]},
    )
    everywhere.applied = lambda loaded, language: Intervention.applied(everywhere, loaded, "zh")  # type: ignore[method-assign]
    with pytest.raises(RunError, match="a prompt in 'fr' is changed"):
        check_intervention(tiny, everywhere, "zh", prompt)
    monkeypatch.setattr(DynamicCache, "get_seq_length", lambda self, *a, **k: 0)
    with pytest.raises(RunError, match="changes a decoding step"):
        check_intervention(tiny, made, "zh", prompt)


@pytest.mark.parametrize("kind", ["qwen2", "mistral", "phi3", "gemma"])
@pytest.mark.parametrize("site", ["hidden", "attn", "mlp"])
def test_other_architectures(tmp_path: Path, kind: str, site: str) -> None:
    from conftest import save_tiny_model

    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import load_backbone
    from lensbench.backbones.resolve import find_checkpoint

    backbone = get_backbone(str(save_tiny_model(tmp_path / kind, kind=kind)))
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    made = fit(loaded, site=site)  # the self-check of fit is the test
    with made.applied(loaded, "zh"):
        slow = [generate_reference(loaded, p, 4).text for p in prompts(loaded)]
        fast = generate_answers(loaded, [AnswerRequest(p, 4) for p in prompts(loaded)], batch_size=4)
    assert [a.text for a in fast] == slow


def test_bfloat16_backbone(tiny: LoadedBackbone) -> None:
    tiny.model.to(torch.bfloat16)
    made = fit(tiny)
    assert {a.basis.dtype for a in made.alignments["zh"].values()} == {torch.float32}
    with made.applied(tiny, "zh"):
        assert all(torch.isfinite(torch.tensor(ll)) for ll, _ in scores(tiny))


# Configuration


@pytest.mark.parametrize(
    ("layers", "indices"), [("all", (0, 1, 2, 3)), ("last:2", (2, 3)), ([1, 4], (0, 3)), ([3, 3, 2], (1, 2))]
)
def test_layers(layers: Any, indices: tuple[int, ...]) -> None:
    assert small(layers=layers).layer_indices(4) == indices


@pytest.mark.parametrize("layers", ["last:5", [5]])
def test_layers_outside_the_model(layers: Any) -> None:
    with pytest.raises(UsageError, match="4 blocks"):
        small(layers=layers).layer_indices(4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": "first:2"},
        {"layers": []},
        {"layers": [0]},
        {"alpha": "best"},
        {"alpha": float("nan")},
        {"n_pairs": 0},
        {"alpha": {"zh": float("inf")}},
        {"ridge": -1},
        {"sit": "mlp"},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        InclineConfig.model_validate(wrong)


def test_what_depends_on_the_languages_is_checked_early() -> None:
    with pytest.raises(UsageError, match="'sw'"):
        small(alpha={"zh": 1.0}).check(["zh", "sw"])
    with pytest.raises(UsageError, match="target language"):
        small().check([])
    with pytest.raises(UsageError, match="site emb"):
        small(site="emb", layers="last:2").check(["zh"])


def test_presets_are_valid_and_registered() -> None:
    for values in PRESETS.values():
        InclineConfig.model_validate(values).check(["zh"])
    info = get_method("incline")
    assert info.kind == "intervention" and config_model("incline")[0] is InclineConfig


def test_the_configuration_table_is_the_configuration() -> None:
    text = (Path(__file__).parents[2] / "docs" / "incline.md").read_text(encoding="utf-8")
    section = text.partition("## Configuration")[2].partition("\n## ")[0]
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:5]] for line in section.splitlines() if line.startswith("| `")]
    assert [name for name, *_ in rows] == list(InclineConfig.model_fields)
    for name, default, paper, released in rows:
        assert yaml.safe_load(default) == InclineConfig.model_fields[name].default, name
        for preset, cell in (("paper", paper), ("released", released)):
            wanted = {**PRESETS[preset], "preset": preset}.get(name)
            assert (yaml.safe_load(cell) if cell else None) == wanted, f"{name}, {preset}"


# Corpora


def test_pairs_are_matched_by_id(tmp_path: Path) -> None:
    source = open_data(str(write_small_data(tmp_path, items=4, questions=2, prompts=24)))
    found = METHOD.corpora(source, ("en", "zh"), small())
    assert found.languages == ("en", "zh") and set(found.origins) == {"bactrian_x/en", "bactrian_x/zh"}
    assert len(found.pairs["zh"]) == 24 and len({p.id for p in found.pairs["zh"]}) == 24
    assert set(found.texts()) == {t for p in found.pairs["zh"] for t in (p.source, p.target)}
    fewer = METHOD.corpora(source, ("en", "zh"), small(n_pairs=3))
    assert fewer.pairs["zh"] == found.pairs["zh"][:13], "a smaller fit takes the first of the same order; ten stand by"
    other = METHOD.corpora(source, ("en", "zh"), small(seed=7))
    assert other.pairs["zh"] != found.pairs["zh"] and set(other.pairs["zh"]) == set(found.pairs["zh"])
    first = METHOD.corpora(source, ("en", "zh"), small(sample="first"))
    assert [p.id for p in first.pairs["zh"]] == [f"alpaca-{i}" for i in range(24)]


@pytest.mark.parametrize(
    ("changes", "asked"), [({"n_pairs": 25}, "25 pairs"), ({"n_pairs": 20, "alpha": "dev", "n_dev": 5}, "5 held out")]
)
def test_too_few_pairs(tmp_path: Path, changes: dict[str, Any], asked: str) -> None:
    source = open_data(str(write_small_data(tmp_path, items=4, questions=2, prompts=24)))
    with pytest.raises(DataError, match=f"{asked}.*has 24"):
        METHOD.corpora(source, ("en", "zh"), small(**changes))


def test_too_few_short_pairs(tiny: LoadedBackbone) -> None:
    with pytest.raises(DataError, match="4 pairs of at most 14 tokens"):
        fit(tiny, n_pairs=4, max_tokens=14)


def test_a_missing_language_is_named(tmp_path: Path) -> None:
    source = open_data(str(write_small_data(tmp_path, items=4, questions=2)))
    with pytest.raises(UnavailableError, match="bactrian_x rows in Swahili"):
        METHOD.corpora(Folder(tmp_path), ("en", "sw"), small())
    with pytest.raises(UnavailableError, match="ntrex"):
        METHOD.corpora(source, ("en", "zh"), small(pairs="ntrex"))


def test_ntrex_sides_of_unlike_length_give_what_both_have(tmp_path: Path) -> None:
    for code, n in (("en", 4), ("zh", 3)):
        home = tmp_path / "ntrex" / code
        home.mkdir(parents=True)
        rows = [json.dumps({"id": str(i), "text": f"{code} {i}"}) for i in range(n)]
        (home / "test.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = load_pairs(Folder(tmp_path), ("en", "zh"), small(pairs="ntrex", sample="first"))
    assert found.pairs["zh"] == [Pair(str(i), f"zh {i}", f"en {i}") for i in range(3)]
    with pytest.raises(DataError, match=r"4 pairs.*has 3"):
        load_pairs(Folder(tmp_path), ("en", "zh"), small(pairs="ntrex", n_pairs=4))


def test_the_embedded_prompts_are_enough() -> None:
    found = METHOD.corpora(open_data("embedded"), ("en", "zh", "sw"), small(n_pairs=80, alpha="dev", n_dev=16))
    assert {code: len(pairs) for code, pairs in found.pairs.items()} == {"zh": 96, "sw": 96}


@pytest.mark.real
def test_ntrex_of_the_release(imported: Path) -> None:
    codes = [c for c in ("zh", "sw") if get_language(c).code_in("ntrex")]
    found = METHOD.corpora(open_data(str(imported)), ("en", *codes), small(**PRESETS["paper"], n_pairs=500, alpha="dev"))
    assert codes and all(len(found.pairs[c]) == 550 + 55 for c in codes)
    assert all(p.source != p.target for p in found.pairs["zh"])


# A run


def test_a_run_with_scores_and_answers(cli, tiny_model_dir: Path, tmp_path: Path) -> None:
    data = write_small_data(tmp_path / "data", items=6, questions=4)
    command = (
        "run",
        "--method",
        "incline",
        "--backbone",
        tiny_model_dir,
        "--languages",
        "zh",
        "--tasks",
        "xcopa,multiq",
        "--data",
        data,
        "--set",
        "n_pairs=12",
        "--set",
        "n_dev=6",
        "--max-new-tokens",
        "6",
        "--out",
        tmp_path / "run",
    )
    ran = cli(*command)
    assert ran.returncode == 0, ran.stderr
    card = json.loads((tmp_path / "run" / "enhancements" / "incline" / "card.json").read_text(encoding="utf-8"))
    assert set(card["alphas"]) == {"zh"} and card["fit"]["zh"]["dev"]["pairs"] == 6
    results = (tmp_path / "run" / "results.json").read_text(encoding="utf-8")
    cells = json.loads(results)["cells"]
    english = [c for c in cells if c["language"] == "en" and c["variant"] == "incline"]
    assert english and all(c["delta"] == 0 for c in english if c["delta"] is not None)
    again = cli(*command)
    assert again.returncode == 0 and (tmp_path / "run" / "results.json").read_text(encoding="utf-8") == results
