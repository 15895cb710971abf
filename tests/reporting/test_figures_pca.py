"""Hidden states in the subspaces of LENS: the planes are principal components, read from the model that the run scored."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from figure_help import cell, run

from lensbench.errors import RunError, UsageError
from lensbench.methods.lens.views import principal_plane, views
from lensbench.reporting import figures

pytestmark = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")

LANGUAGES = ("en", "zh", "sw")


def test_the_plane_is_that_of_sklearn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    points = np.random.default_rng(3).normal(size=(40, 6)) @ np.diag([5, 3, 1, 1, 0.5, 0.1]) + 7
    theirs = decomposition.PCA(2)
    expected, ours = theirs.fit_transform(points), principal_plane(points)
    # Up to the sign of a component, which means nothing.
    for axis in range(2):
        sign = np.sign(expected[:, axis] @ ours.points[:, axis])
        np.testing.assert_allclose(ours.points[:, axis], sign * expected[:, axis], atol=1e-9)
    assert ours.shares == pytest.approx(theirs.explained_variance_ratio_)


def test_the_plane_by_hand() -> None:
    """Four points on a cross with arms of 3 and 1: the arms are the components, with 9/10 and 1/10 of the variance."""
    arms = np.array([[13.0, 20, 30], [7, 20, 30], [10, 21, 30], [10, 19, 30]])
    plane = principal_plane(arms)
    assert plane.shares == pytest.approx((0.9, 0.1))
    assert sorted(np.abs(plane.points[:, 0])) == pytest.approx([0, 0, 3, 3])
    assert all(plane.points[np.abs(plane.points[:, axis]).argmax(), axis] > 0 for axis in range(2))


def test_the_views_are_inside_outside_and_along() -> None:
    draw = np.random.default_rng(5)
    basis, _ = np.linalg.qr(draw.normal(size=(8, 4)))
    specific, agnostic = basis[:, :3], basis[:, 3]
    states = draw.normal(size=(30, 8))
    seen = views(states, specific, agnostic)
    # Explicit projection matrices and the covariance's eigenvectors, one state at a time.
    inside = np.array([specific @ specific.T @ state for state in states])
    for plane, points in ((seen.specific, inside), (seen.rest, states - inside)):
        values, vectors = np.linalg.eigh(np.cov(points.T))
        for axis in range(2):
            expected = (points - points.mean(axis=0)) @ vectors[:, -1 - axis]
            sign = np.sign(expected @ plane.points[:, axis])
            np.testing.assert_allclose(plane.points[:, axis], sign * expected, atol=1e-9)
            assert plane.shares[axis] == pytest.approx(values[-1 - axis] / values.sum())
    np.testing.assert_allclose(seen.agnostic, [agnostic @ state for state in states])


def test_one_dimension_has_one_component() -> None:
    plane = principal_plane(np.array([[1.0], [2.0], [6.0]]))
    assert plane.points.shape == (3, 1) and plane.shares == (1.0,)
    assert plane.points[:, 0] == pytest.approx([-2, -1, 3])
    assert principal_plane(np.ones((3, 2))).shares == (0.0, 0.0)


@pytest.fixture(scope="module")
def fitted(cli, tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of LENS on the tiny model, with its states read."""
    home = tmp_path_factory.mktemp("projected") / "run"
    done = cli(
        "run",
        "--backbone",
        tiny_model_dir,
        "--method",
        "lens",
        "--languages",
        "zh,sw",
        "--data",
        "embedded",
        "--tasks",
        "multiq",
        "--limit",
        "2",
        "--max-new-tokens",
        "2",
        "--set",
        "n_probe=8",
        "--set",
        "n_parallel=16",
        "--set",
        "batch_size=4",
        "--set",
        "learning_rate=0.01",
        "--out",
        home,
    )
    assert done.returncode == 0, done.stderr
    read = cli("project", home, "--limit", "5")
    assert read.returncode == 0, read.stderr
    return home


def test_states_are_those_of_the_models_own_forward_pass(fitted: Path, tiny) -> None:
    """transformers' `hidden_states[-1]` at the last token of each prompt, projected by hand."""
    import torch
    from safetensors.torch import load_file

    from lensbench.engines.chat import encode_prompt, render_chat, truncate_content

    found = json.loads((fitted / "projections" / "lens.json").read_text())
    assert found["states"] == [[v, code] for v in ("base", "lens") for code in ("en", "zh", "sw") for _ in range(5)]
    extras = load_file(fitted / "enhancements" / "lens" / "subspaces.safetensors")
    changed = load_file(fitted / "enhancements" / "lens" / "delta.safetensors")
    agnostic = extras[f"layer.{found['layer']}.agnostic"].double()
    mini = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini" / "multiq"
    texts = []
    for code in ("en", "zh", "sw"):
        texts += [json.loads(line)["prompt"] for line in (mini / code / "train.jsonl").read_text().splitlines()][:5]
    expected = []
    for variant in ("base", "lens"):
        if variant == "lens":
            tiny.model.load_state_dict(changed, strict=False)
        for text in texts:
            content = truncate_content(tiny.tokenizer, text, 64)
            prompt = render_chat(tiny.tokenizer, [{"role": "user", "content": content}], tiny.backbone.system_text)
            ids = torch.tensor([encode_prompt(tiny.tokenizer, prompt)])
            with torch.no_grad():
                state = tiny.model(ids, output_hidden_states=True).hidden_states[-1][0, -1]
            expected.append(float(state.double() @ agnostic))
    np.testing.assert_allclose(found["agnostic"], expected, rtol=2e-4, atol=2e-4)
    assert not np.allclose(expected[:15], expected[15:], atol=1e-3), "the fit moved the states"


def test_the_figure_is_drawn_without_a_model(fitted: Path, cli, tmp_path: Path) -> None:
    done = cli("figure", "pca", fitted, "--out", tmp_path / "pca.svg")
    assert done.returncode == 0, done.stderr
    assert (
        "5 parallel prompts (multiq) in each of 3 languages" in done.stdout and "after layer 4 of 4 (final norm)" in done.stdout
    )
    assert "rank 2" in done.stdout and (tmp_path / "pca.svg").stat().st_size > 5000


def projection(variant: str = "lens") -> dict:
    states = [[v, code] for v in ("base", variant) for code in LANGUAGES for _ in range(2)]
    count = len(states)
    return {
        "variant": variant,
        "backbone": "hand-made",
        "rows": "multiq",
        "layer": 3,
        "layers": 4,
        "rank": 2,
        "prompts": 2,
        "languages": list(LANGUAGES),
        "states": states,
        "agnostic": [float(i) for i in range(count)],
        "specific": {"points": [[float(i), float(-i)] for i in range(count)], "shares": [0.75, 0.2]},
        "rest": {"points": [[float(i * i)] for i in range(count)], "shares": [0.5]},
    }


def test_points_are_those_of_the_file(tmp_path: Path) -> None:
    one = run(tmp_path / "run", [cell("xcopa", "en", "base", 0.5, 0.4, 0.6)])
    one.folder.write_json("projections/lens.json", projection())
    drawn = figures.pca([one])
    base, *_, lens = (drawn.figure.axes[i] for i in (0, 1, 2, 3))
    assert [[list(map(float, p)) for p in group.get_offsets()] for group in base.collections] == [
        [[0, 0], [1, -1]],
        [[2, -2], [3, -3]],
        [[4, -4], [5, -5]],
    ]
    assert [float(group.get_offsets()[0][0]) for group in lens.collections] == [6, 8, 10]
    assert base.get_xlim() == lens.get_xlim() and base.get_ylim() == lens.get_ylim()
    assert lens.get_xlabel() == "component 1 (75%)" and lens.get_ylabel() == "component 2 (20%)"
    # A view of one dimension is a histogram of all its prompts.
    steps = drawn.figure.axes[1].patches
    assert len(steps) == len(LANGUAGES) and drawn.figure.axes[1].get_ylabel() == "prompts"
    assert "2 parallel prompts" in drawn.caption and "after layer 3 of 4." in drawn.caption


def test_what_was_not_read_or_is_damaged_is_said(tmp_path: Path) -> None:
    one = run(tmp_path / "run", [cell("xcopa", "en", "base", 0.5, 0.4, 0.6)])
    with pytest.raises(UsageError, match="Read them first: lensbench project"):
        figures.pca([one])
    one.folder.write_json("projections/lens.json", {**projection(), "agnostic": [1.0]})
    with pytest.raises(RunError, match="unlike length"):
        figures.pca([one])
    one.folder.write_json("projections/other.json", projection("other"))
    with pytest.raises(UsageError, match="which one"):
        figures.pca([one])


def test_a_variant_without_subspaces_is_refused(fitted: Path, cli) -> None:
    done = cli("project", fitted, "--variant", "lense")
    assert done.returncode == 2 and "Did you mean 'lens'" in done.stderr
    done = cli("project", fitted, "--rows", "xcopa")
    assert done.returncode == 2 and "no data set of parallel prompts" in done.stderr
