"""The run list as people read it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from textwrap import shorten

from .store import RunRecord

KILLED = "killed"
_WHY = "The process was killed; the next build cleans up after it."
_SHORT = 80


def ended(run: RunRecord) -> RunRecord:
    """A run as it is where no build is in progress: one that never told its end was killed."""
    if run.state == "building":
        return replace(run, state=KILLED, message=_WHY, progress=None)
    return replace(run, progress=None)


def lines(runs: Iterable[RunRecord]) -> list[str]:
    """A line for each run, newest first, and at the end why the newest failed, if it did."""
    runs = list(runs)
    if not runs:
        return ["There has been no run yet."]
    told = [_line(run) for run in runs]
    if runs[0].state in ("failed", KILLED):
        told.append(f"Run {runs[0].id} failed, and the index before it keeps answering. {runs[0].message}")
    return told


def _line(run: RunRecord) -> str:
    state = "active" if run.active else run.state
    return f"{run.id:>6}  {state:<9} {run.started:%Y-%m-%d %H:%M:%S}  {', '.join(_parts(run))}".rstrip()


def _parts(run: RunRecord) -> list[str]:
    if run.state in ("failed", KILLED):
        return [shorten(run.message, _SHORT, placeholder=" …")]
    parts = [compared(run.counts, run.before or {})] if run.counts else []
    if run.finished:
        parts.append(f"in {(run.finished - run.started).total_seconds():.1f} s")
    return [*parts, str(run.progress)] if run.progress else parts


def compared(counts: Mapping[str, int], before: Mapping[str, int]) -> str:
    """Numbers of documents, each with its change."""
    gone = [f"no {name} ({-count:+d})" for name, count in before.items() if name not in counts]
    return ", ".join([f"{count} {name} ({count - before.get(name, 0):+d})" for name, count in counts.items()] + gone)
