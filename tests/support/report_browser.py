"""A real headless Chromium for the tests and the measurement of the report."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The browser's executable: $LENSBENCH_CHROMIUM, else the first that is installed."""
    named = os.environ.get("LENSBENCH_CHROMIUM")
    return named if named else next((found for name in NAMES if (found := shutil.which(name))), None)


def require_browser() -> str:
    """The executable, or a skipped test; with LENSBENCH_REQUIRE_BROWSER=1, as in CI, a failed one."""
    found = chromium()
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        found, reason = None, "playwright is not installed"
    else:
        reason = f"no browser: none of {', '.join(NAMES)} is installed and LENSBENCH_CHROMIUM names none"
    if found is None:
        if os.environ.get("LENSBENCH_REQUIRE_BROWSER") == "1":
            pytest.fail(f"LENSBENCH_REQUIRE_BROWSER is set: {reason}")
        pytest.skip(reason)
    return found


@contextmanager
def launched(executable: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox needs rights that containers and root do not give; the pages are our own files.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page of a report, and everything it did that a report must not do.

    Attributes:
        trouble: Errors on the console, uncaught errors, dialogs.
        requests: Every address asked for.
    """

    def __init__(self, browser: Any, report: Path, hash_: str = "", **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.trouble.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.trouble.append(f"uncaught: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report.as_uri() + hash_)
        self.page.wait_for_selector("html[data-ready=yes]")

    def _dialog(self, dialog: Any) -> None:
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def show(self, name: str) -> None:
        """Press one of the outcome buttons."""
        self.page.locator(f"label:has(input[value={name}])").click()

    def until(self, expression: str, seconds: float = 10) -> None:
        """Wait until a JavaScript expression holds. The page's policy forbids eval, which playwright's own waiting needs."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"never held: {expression}"
            self.page.wait_for_timeout(10)

    def found(self) -> int:
        """How many items the list has, once a search is over."""
        self.page.wait_for_selector("#found[data-busy=no]")
        return int(self.page.inner_text("#found").split()[0].replace(",", ""))

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
