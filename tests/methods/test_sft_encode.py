"""Which tokens carry loss, for the chat templates of three families; truncation, empty answers, templates that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from chat_tokenizers import ENDS, SPECIALS, learned, tokenizer_of
from tokenizers import AddedToken
from transformers import AutoTokenizer

from lensbench.engines.chat import encode_prompt, render_chat
from lensbench.errors import UnavailableError, UsageError
from lensbench.methods.sft.encode import IGNORED, Example, chat_layout, encode, encode_all
from lensbench.methods.sft.template import assistant_end


@pytest.fixture(params=list(SPECIALS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("system", [None, "", "You are brief."])
@pytest.mark.parametrize("answer", ["Four.", "answer", "它是四。\n对吗？", "<b>x</b> y", "  padded \n"])
def test_loss_is_on_the_answer_and_its_end_only(tiny_model_dir: Path, family: str, answer: str, system: str | None) -> None:
    tokenizer = tokenizer_of(tiny_model_dir, family)
    question = "Four. answer 它是四。 Assistant:"  # holds the answers: nothing may be found by searching
    data = encode_all(tokenizer, [Example(question, answer, "p")], chat_layout(tokenizer, system), 1024)
    row = data.rows[0]
    assert learned(tokenizer, row) == answer.strip() + ENDS[family]
    # What has no loss is token for token the prompt that evaluation asks with, and it comes first.
    first = next(i for i, label in enumerate(row.labels) if label != IGNORED)
    assert IGNORED not in row.labels[first:]
    assert row.ids[:first] == encode_prompt(tokenizer, render_chat(tokenizer, [{"role": "user", "content": question}], system))
    assert row.ids.count(tokenizer.bos_token_id) == (family == "llama3"), "one BOS where the template writes one"
    assert row.labels[first:] == row.ids[first:] and not row.truncated


def test_every_token_of_a_llama3_row_by_hand(tiny_model_dir: Path) -> None:
    tokenizer = tokenizer_of(tiny_model_dir, "llama3")
    row = encode_all(tokenizer, [Example("Hi", "Yo", "p")], chat_layout(tokenizer, ""), 1024).rows[0]
    shown = [(tokenizer.decode([t]), label != IGNORED) for t, label in zip(row.ids, row.labels, strict=True)]
    marks = [(text, loss) for text, loss in shown if text.startswith("<|")]
    head = ["<|start_header_id|>", "<|end_header_id|>"]
    expected = ["<|begin_of_text|>", *head, "<|eot_id|>", *head, "<|eot_id|>", *head]
    assert marks == [(text, False) for text in expected] + [("<|eot_id|>", True)]
    assert shown[-3:] == [("Y", True), ("o", True), ("<|eot_id|>", True)]


def test_the_end_is_found_whatever_the_answer_looks_like(tiny_model_dir: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    # Plain text marks the turns, and the end begins with a letter the comparison goes on with.
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}xyz\n{% endfor %}"
    assert assistant_end(tokenizer, None) == "xyz"
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }} {{ eos_token }}\n{% endfor %}"
    assert assistant_end(tokenizer, None) == " </s>"
    # A generation prompt that is not what a finished turn begins with: the model is asked with it, so it is learned with it.
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    row = encode_all(tokenizer, [Example("q", "a", "p")], chat_layout(tokenizer, None), 99).rows[0]
    assert tokenizer.decode(row.ids).endswith("<assistant>\na<end>") and learned(tokenizer, row) == "a<end>"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for m in messages %}{{ m.content }}\n{% endfor %}", "no end of the turn"),
        ("{% for m in messages %}{{ m.content | upper }}</s>{% endfor %}", "leaves out a message"),
        (None, "no chat template"),
    ],
)
def test_templates_that_cannot_be_learned_with(tiny_model_dir: Path, template: str | None, message: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    tokenizer.chat_template = template
    with pytest.raises(UsageError, match=message):
        chat_layout(tokenizer, None)


def test_only_the_answer_is_cut_and_a_cut_answer_has_no_end(tiny_model_dir: Path, family: str) -> None:
    tokenizer = tokenizer_of(tiny_model_dir, family)
    layout = chat_layout(tokenizer, None)
    prompt = len(encode_prompt(tokenizer, layout.prompt("how?")))
    examples = [Example("how?", "z" * 50, "a"), Example("how?" * 40, "z", "b"), Example("how?", " \n", "a")]
    data = encode_all(tokenizer, examples, layout, prompt + 7)
    assert [learned(tokenizer, row) for row in data.rows] == ["z" * 7]
    assert data.counts("a") == {"used": 1, "empty": 1, "too_long": 0, "truncated": 1}
    assert data.counts("b") == {"used": 0, "empty": 0, "too_long": 1, "truncated": 0}
    whole = encode(tokenizer, layout.prompt("how?"), "z" * 50, layout.end, prompt + 51)
    assert whole is not None and not whole.truncated and whole.loss_tokens == 51
    assert encode(tokenizer, layout.prompt("how?"), "z" * 50, layout.end, prompt + 50, truncate=False) is None
    assert encode(tokenizer, layout.prompt("how?"), "z" * 50, layout.end, prompt) is None
    with pytest.raises(UsageError, match="1 do not fit into max_length 8, 1 have an empty answer"):
        encode_all(tokenizer, examples[1:], layout, 8)


def test_a_token_across_the_border_has_no_loss(tiny_model_dir: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    tokenizer.add_tokens([AddedToken(":A", normalized=False)])
    row = encode(tokenizer, "Response:", "Ab", "</s>", 99)
    assert row is not None and learned(tokenizer, row) == "b</s>"


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow:
        is_fast, name_or_path = False, "slow"

    with pytest.raises(UnavailableError, match="no character offsets"):
        encode_all(Slow(), [], None, 9)  # type: ignore[arg-type]
