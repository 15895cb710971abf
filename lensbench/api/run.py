"""A run folder as an object: numbers as frames and tables, and operations on its answers and enhancements."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path
from lensbench.api.identification import Identification
from lensbench.api.judging import existing_folder, judge_request
from lensbench.api.rendering import View, answer_view, damage_notes, missing_lines, results_view
from lensbench.api.reporting_to import progress_or_default
from lensbench.api.run_rules import RunRules
from lensbench.api.run_tables import RunTables
from lensbench.errors import LensbenchError
from lensbench.jsonio import JsonObject
from lensbench.progress import Progress

if TYPE_CHECKING:
    from lensbench.api.comparison import Comparison
    from lensbench.api.html_report import Report
    from lensbench.grading.judge.estimate import Estimate
    from lensbench.grading.judge.grade import Graded
    from lensbench.numbers.calibrate import Calibration
    from lensbench.spec import RunSpec

__all__ = ["Run", "load"]

_NAMED = 8
"""A title names at most so many variants."""


def load(run: str | os.PathLike[str]) -> Run:
    """The run in a folder, finished or not.

    Raises:
        UsageError: there is no run in the folder.
    """
    return Run(run)


class Run(RunTables, RunRules):
    """One run folder. Its files are read once, and read again after a method has changed them.

    Args:
        folder: The run folder.

    Raises:
        UsageError: there is no run in the folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder: Path = a_path("run", folder)
        existing_folder(self.folder)

    @property
    def results(self) -> JsonObject:
        """Content of `results.json` as the records are now (docs/architecture.md)."""
        return self._read.content

    @property
    def spec(self) -> RunSpec:
        """Every setting that can change a number, from the start of the run."""
        return existing_folder(self.folder).spec()

    @property
    def title(self) -> str:
        """Title: variants, or their number if there are many, backbone and languages."""
        spec = self.spec
        count = len(spec.variant_names)
        what = f"{count} variants" if count > _NAMED else spec.title
        return f"{what} on {spec.backbone}, {', '.join(spec.all_languages)}; profile {spec.profile}"

    @property
    def finished(self) -> bool:
        """Whether results are stored and nothing that was planned is missing."""
        stored = (self.folder / "results.json").is_file()
        return stored and not any(entry.why == "planned" for entry in self._read.results.missing)

    def refresh(self) -> Run:
        """Forget all files read so far, so that they are read again; returns the run."""
        self._frames = None
        return self

    def answer(self, *, everything: bool = False) -> View:
        """What the run says first: what voids its numbers, the four questions with their answers, and the endpoints.

        Args:
            everything: Also the languages of endpoints on which no variant differs.
        """
        from lensbench.numbers.picking.reported import reported_part
        from lensbench.reporting.run_view import RunView

        return answer_view(RunView(reported_part(self._read.folder), self._read.results), everything=everything)

    def table(self, *, everything: bool = False) -> View:
        """Every number of the run: cells, averages, variants against each other, costs and notes.

        Args:
            everything: Also further units of fidelity and ratings by category.
        """
        return results_view(self._read.results, everything=everything)

    def damage(self) -> list[str]:
        """Lines of the item files read so far that could not be read."""
        return damage_notes(self._read.folder)

    def warnings(self) -> list[str]:
        """Records that are missing, and lines that could not be read."""
        return [*missing_lines(self._read.results.missing), *self.damage()]

    def compare(self, other: Any, *, variant: str | None = None, with_variant: str | None = None) -> Comparison:
        """Compare with another run item by item; see `lensbench.compare`."""
        from lensbench.api.comparison import compare

        return compare(self, other, variant=variant, with_variant=with_variant)

    def judge(
        self,
        judge: str | os.PathLike[str],
        *,
        model: str | None = None,
        base_url: str | None = None,
        tokenizer: str | None = None,
        tasks: Sequence[str] | None = None,
        repeats: int = 1,
        max_usd: float | None = None,
        batch: bool = False,
        poll_seconds: float = 30.0,
        replay: str | os.PathLike[str] | None = None,
        use_cache: bool = True,
        progress: Progress | None = None,
    ) -> Graded:
        """Grade the answers that this judge has not graded yet. Results and reports are made again.

        Args:
            judge: Name or YAML file; see `list_judges()`.
            model: Model to ask in place of the judge's.
            base_url: Any OpenAI-compatible server, such as http://127.0.0.1:8000/v1.
            tokenizer: What estimates count with: `tiktoken:NAME`, a hub id or a folder.
            tasks: Tasks to grade; None takes those whose profile is judged, or where there is none, all with answers.
            repeats: How often every answer is graded.
            max_usd: Send nothing that could bring the cost of this call above this.
            batch: Use the provider's batch interface: slower, and cheaper.
            poll_seconds: How often to look after a batch.
            replay: Take stored verdicts of this run or file; nobody is asked.
            use_cache: Whether to read and write verdicts that other runs share.
            progress: Where the stage reports to; None shows a bar.

        Returns:
            Counts by state, requests and cost. `stopped_by_cap` answers were not graded because of `max_usd`.

        Raises:
            UsageError: an unknown judge, a value out of range, or nothing to grade.
            UnavailableError: no key, or the judge cannot be asked; verdicts so far are kept.
        """
        from lensbench.stages.judge import judge_stage
        from lensbench.stages.results import write_results

        folder = existing_folder(self.folder)
        request = judge_request(
            judge,
            model=model,
            base_url=base_url,
            tokenizer=tokenizer,
            tasks=tasks,
            repeats=repeats,
            max_usd=max_usd,
            batch=batch,
            poll_seconds=poll_seconds,
            replay=replay,
            use_cache=use_cache,
        )
        with folder.lock():
            try:
                graded = judge_stage(folder, request, progress_or_default(progress))
            finally:
                # Also after a failure: the table shows how far it got.
                write_results(folder)
                self.refresh()
        return graded

    def estimate(self, judge: str | os.PathLike[str], **choices: Any) -> Estimate:
        """Requests, tokens and cost of `judge`, without sending a request. See `lensbench.estimate_judging`."""
        from lensbench.api.judging import estimate_judging

        return estimate_judging(self, judge, **choices)

    def identify(self, identifier: str = "auto", *, progress: Progress | None = None) -> Identification:
        """Identify the language of the answers that this identifier has not seen yet. Results and reports are made again.

        Args:
            identifier: "glotlid", "lid176" or a fastText file; "auto" is GlotLID where it can be had, else lid.176. A floor may
                follow, as in "lid176@0.5": labels of a lower probability count as unknown.

        Raises:
            UsageError: an unknown identifier.
            UnavailableError: it is not available.
        """
        from lensbench.stages.identify import identify_stage, pick_identifier
        from lensbench.stages.results import write_results

        folder = existing_folder(self.folder)
        reporter = progress_or_default(progress)
        found = pick_identifier(identifier, reporter.notify)
        with folder.lock():
            with folder.log("identified") as identified:
                fresh = identify_stage(folder, found, identified, reporter)
            write_results(folder)
        reporter.notify(f"{found.signature}: {fresh} conversations identified now")
        results = self.refresh()._read.results
        cells = [cell for cell in results.cells if cell.source == found.signature]
        matrices = [matrix for matrix in results.matrices if matrix.identifier == found.signature]
        off_target = [counts for counts in results.off_target if counts.identifier == found.signature]
        return Identification(found.signature, fresh, cells, matrices, off_target, results.degenerate)

    def calibrate(self) -> Calibration:
        """Analyse the ratings of the run's judges: agreement, length, and the language of the answers.

        Raises:
            UsageError: the run has no ratings.
        """
        from lensbench.numbers.calibrate import calibrate

        return calibrate(self._read.folder)

    def merge(
        self,
        to: str | os.PathLike[str],
        *,
        variant: str | None = None,
        dtype: str | None = None,
        trust_model: bool = False,
        progress: Progress | None = None,
    ) -> str:
        """Write an enhanced variant as an ordinary model folder.

        Args:
            to: A folder that does not exist yet, or is empty.
            variant: None takes the only one.
            dtype: Of the written weights; None keeps the run's.
            trust_model: Let Python code of a model given as folder or hub id run.

        Returns:
            The variant that was merged.

        Raises:
            UsageError: unknown variant, a folder that is not empty, or an enhancement that acts while the model runs.
            RunError: other weights than the run's, or a full disk.
        """
        from lensbench.quiet import quiet_libraries
        from lensbench.stages.merge import merge

        quiet_libraries()
        folder, reporter = existing_folder(self.folder), progress_or_default(progress)
        return merge(folder, variant, a_path("to", to), reporter, dtype=dtype, trust_model=trust_model)

    def project(
        self,
        *,
        variant: str | None = None,
        rows: str = "multiq",
        data: str | None = None,
        limit: int | None = None,
        device: str = "auto",
        trust_model: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Read hidden states of parallel prompts in a variant's subspaces; `figure("pca", ...)` draws them.

        Args:
            variant: One with subspaces; None takes the only one.
            rows: Data set of prompts that are parallel across languages.
            data: Where its rows are; None is where the run's are.
            limit: Prompts per language; None takes all.

        Returns:
            The file that was written.

        Raises:
            UsageError: no such variant, or one without subspaces.
            RunError: other weights than the run's.
        """
        from lensbench.quiet import quiet_libraries

        quiet_libraries()
        from lensbench.stages.project import project

        folder, reporter = existing_folder(self.folder), progress_or_default(progress)
        return project(folder, variant, reporter, rows=rows, data=data, limit=limit, device=device, trust_model=trust_model)

    def report(self, html: str | os.PathLike[str] | None = None) -> Report:
        """Write the HTML report; None writes `report.html` into the run folder. See `lensbench.report`."""
        from lensbench.api.html_report import report

        return report([self], html)

    def to_parquet(self, folder: str | os.PathLike[str] | None = None) -> list[Path]:
        """Write `items.parquet`, `cells.parquet` and `averages.parquet`; None writes them into the run folder.

        A run with several settings or seeds also has `settings.parquet`, and one with several seeds `seeds.parquet`.

        Raises:
            UnavailableError: pandas is not installed.
            RunError: a file cannot be written.
        """
        from lensbench.frames import write_parquet

        return write_parquet(self._read, self.folder if folder is None else a_path("folder", folder))

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """The answer for a notebook, or a note if the run has no numbers yet."""
        try:
            more = "run.table() shows every cell, average, pair of variants, cost and note"
            return View([str(self.folder), self.title, *self.answer().blocks, more])._repr_html_()
        except LensbenchError as error:
            return View([str(self.folder), f"! {error.message}"])._repr_html_()
