"""Build the HTML report of a simulated run and open it in headless Chromium: seconds, memory, size, and the speed of filters.

    .venv/bin/python bench/report.py [--items 1000] [--task open_questions|mt_bench] [--keep FOLDER]

The run has 6 variants, 7 languages, 5 tasks and 1,000 items each: 210,000 item records. It is written through the store, and the
report is built by the command in a process of its own. Exit code 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from report_browser import Watched, chromium, launched
from simulated_run import CLOSED, LANGUAGES, VARIANTS, simulate

from lensbench.stages.results import write_results

BOUNDS = {
    "built in": (60.0, "s"),
    "peak memory": (4096.0, "MiB"),
    "size": (40.0, "MB"),
    "usable after": (3.0, "s"),
    "slowest filter": (300.0, "ms"),
    "CPU of a search": (0.3, "s"),
}


TIMED = """new Promise((done) => {
  const started = performance.now(), form = document.getElementById("filters");
  PRESS;
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - started)));
})"""
"""From a press to the second frame after it, when the list is painted; measured in the page, so that driving it costs nothing."""
FILTERS = [
    *(f"form.querySelector('input[value={name}]').click()" for name in ("fixed", "broken", "flipped", "off-target", "unscored")),
    *(
        f"form.elements.{field}.value = '{value}'; form.elements.{field}.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        for field, value in (("variant", "1"), ("task", "xcopa@lens-paper"), ("language", "ar"))
    ),
    "form.querySelector('input[value=all]').click()",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--task", default="open_questions", choices=("open_questions", "mt_bench"), help="The fifth, open task.")
    parser.add_argument("--keep", type=Path, help="Keep the run and the report here; a run that is there is used again.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = options.keep or Path(temporary)
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        run, target = home / "run", home / "report.html"
        if not (run / "results.json").is_file():
            prepare(run, options.items, options.task)
        measured = build(run, target)
        if chromium() is None:
            print("no Chromium: the page is not opened")
        else:
            measured |= browse(target)
    missed = 0
    for name, value in measured.items():
        bound, unit = BOUNDS.get(name, (None, "s"))
        judged = "" if bound is None else f"  (at most {bound:g} {unit}){'' if value <= bound else '  MISSED'}"
        missed += bool(bound is not None and value > bound)
        print(f"{name:>24}: {value:8.2f} {unit}{judged}")
    return int(missed > 0)


def prepare(run: Path, items: int, task: str) -> None:
    started = time.perf_counter()
    folder = simulate(run, items=items, tasks=(*CLOSED, task))
    print(
        f"{len(VARIANTS) * len(LANGUAGES) * 5 * items:,} item records simulated in {time.perf_counter() - started:.0f} s",
        flush=True,
    )
    started = time.perf_counter()
    write_results(folder)
    print(f"results made in {time.perf_counter() - started:.0f} s", flush=True)


def build(run: Path, target: Path) -> dict[str, float]:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "lensbench", "report", str(run), "--html", str(target)], check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - started
    # The largest of all child processes so far; this is the only one.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"built in": seconds, "peak memory": peak, "size": target.stat().st_size / 1e6}


def seconds_busy(client: Any) -> float:
    """CPU time of the page's main thread so far, as the browser counts it."""
    metrics = client.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def browse(target: Path) -> dict[str, float]:
    with launched(str(chromium())) as browser:
        opened, slowest = [], 0.0
        for _ in range(3):
            started = time.perf_counter()
            with Watched(browser, target) as view:
                opened.append(time.perf_counter() - started)
        with Watched(browser, target) as view:
            for press in FILTERS:
                slowest = max(slowest, view.page.evaluate(TIMED.replace("PRESS", press)))
                view.page.wait_for_timeout(400)
            started = time.perf_counter()
            view.page.locator("#list button").nth(3).click()
            view.page.wait_for_selector(".item-head")
            item = time.perf_counter() - started
            view.page.click("button[type=reset]")
            started = time.perf_counter()
            view.page.wait_for_selector("html[data-texts=yes]", timeout=120_000)
            opened_texts = time.perf_counter() - started
            client = view.context.new_cdp_session(view.page)
            client.send("Performance.enable")
            started, busy = time.perf_counter(), seconds_busy(client)
            view.page.fill("#f-q", "no such words anywhere")
            view.until("document.getElementById('found').textContent === '0 items'", 60)
            search, used = time.perf_counter() - started, seconds_busy(client) - busy
            view.page.fill("#f-q", "a")
            busy = seconds_busy(client)
            view.until("document.getElementById('found').dataset.busy === 'no' && document.querySelector('#list li')", 60)
            common = seconds_busy(client) - busy
            assert not view.trouble, view.trouble
    return {
        "usable after": statistics.median(opened),
        "slowest filter": slowest,
        "an item opens in": item,
        "text opened in": opened_texts,
        "all text searched in": search,
        "CPU of a search": max(used, common),
    }


if __name__ == "__main__":
    sys.exit(main())
