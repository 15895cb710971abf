"""Where a configuration value comes from: defaults, the backbone's preset, the method's preset, the file, single values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lensbench.errors import UsageError
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest


def configs(*methods: str, **changes: Any) -> dict[str, Any]:
    request = RunRequest(
        backbone="smollm2-135m", methods=methods, languages=("zh",), tasks=("xcopa",), data="embedded", **changes
    )
    return {name: variant.config for name, variant in make_plan(request).variants.items()}


def test_a_backbone_may_name_a_methods_preset() -> None:
    found = configs("xsft", "qalign", "incline")
    assert list(found) == ["xsft", "qalign", "incline"], "fitted in the order asked for"
    assert (found["xsft"].preset, found["xsft"].n_bactrian) == ("small", 0)
    assert (found["qalign"].preset, found["qalign"].n_pairs) == ("small", 64)
    assert found["incline"].n_pairs == 64
    assert configs("xsft", overrides=("preset=default",))["xsft"].n_bactrian == 200


def test_later_ones_win(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("lens:\n  epochs: 5\n  push_strength: {zh: 0.3}\nqalign:\n  epochs: 7\n")
    found = configs("lens", "qalign", config_file=file, overrides=("lens.epochs=2",), seed=9)
    assert (found["lens"].epochs, found["lens"].push_strength, found["qalign"].epochs) == (2, {"zh": 0.3}, 7)
    assert found["lens"].seed == found["qalign"].seed == 9
    flat = tmp_path / "flat.yaml"
    flat.write_text("epochs: 4\n")
    assert configs("lens", config_file=flat)["lens"].epochs == 4


@pytest.mark.parametrize(
    ("methods", "text", "says"),
    [
        (("lens", "qalign"), "epochs: 4\n", "'epochs' is not one of the methods lens, qalign"),
        (("lens", "qalign"), "lens: 4\n", "must be a mapping"),
        (("lens",), "lens: {epoch: 4}\n", "did you mean 'epochs'"),
        ((), "epochs: 4\n", "no method is given"),
    ],
)
def test_mistakes_in_a_file(methods: tuple[str, ...], text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        configs(*methods, config_file=file)
    assert says in str(caught.value)
