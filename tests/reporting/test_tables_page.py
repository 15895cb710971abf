"""The HTML of a table in a real browser: it asks for nothing, runs nothing, and can be used by everyone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_browser import launched, require_browser
from table_runs import small, write_run

from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.tables import build_table, load_table_spec, render_table

HOSTILE = '<img src="http://x.invalid/a" onerror="alert(1)"><script>alert(2)</script>'


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_inert_and_accessible(tmp_path: Path, scheme: Any) -> None:
    executable = require_browser()
    from axe_playwright_python.sync_playwright import Axe

    content = small()
    content["failed"] = {HOSTILE: HOSTILE}
    run = write_run(tmp_path / "run", content)
    made = build_table(load_table_spec("bilingual"), open_runs([run]), published=True)
    page_file = tmp_path / "table.html"
    page_file.write_text(render_table(made, "html", intervals=True), encoding="utf-8")
    with launched(executable) as browser:
        context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        asked: list[str] = []
        trouble: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: trouble.append(message.text))
        page.goto(page_file.as_uri())
        assert asked == [page_file.as_uri()] and trouble == []
        assert page.locator("img, script").count() == 0
        assert page.locator("th[scope=row]", has_text="onerror").count() == 1
        page.locator("sup a").first.click()
        assert page.locator(":target").count() == 1
        faults = Axe().run(page).response["violations"]
        serious = [(f["id"], f["nodes"][0]["html"][:200]) for f in faults if f["impact"] in ("serious", "critical")]
        assert serious == []
        context.close()
