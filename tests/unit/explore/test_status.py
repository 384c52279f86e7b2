"""How runs are told of, while they last and afterwards."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commonshub.core.errors import Unavailable
from commonshub.explore.reporting import Reporter, Step
from commonshub.explore.status import ended, lines
from commonshub.explore.store import RunRecord

BEGAN = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)


def run(number: int, state: str, **more: Any) -> RunRecord:
    given: dict[str, Any] = {
        "active": False, "started": BEGAN, "finished": None, "counts": None, "message": "", "before": None,
        "progress": None,
    }  # fmt: skip
    return RunRecord(number, state, **{**given, **more})


DONE = {"finished": BEGAN + timedelta(seconds=2.25), "counts": {"case": 3, "file": 1}}
FAULTS = "The mapping cannot be used:\n  line 5: root: the dictionary has no node 'x'.\n" + "  line 7: and so on.\n" * 9


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (run(1, "ready", active=True, **DONE),
         "     1  active    2026-11-30 07:00:00  3 case (+3), 1 file (+1), in 2.2 s"),
        (run(2, "dropped", before={"case": 4, "file": 1, "old": 2}, **DONE),
         "     2  dropped   2026-11-30 07:00:00  3 case (-1), 1 file (+0), no old (-2), in 2.2 s"),
        (run(3, "building", progress=Step("writing", 1, 4)), "     3  building  2026-11-30 07:00:00  writing 2/4"),
        (run(3, "building", progress=Step("checking", 0, 1)), "     3  building  2026-11-30 07:00:00  checking"),
        (run(3, "building"), "     3  building  2026-11-30 07:00:00"),
        (run(4, "ready", active=True, progress=Step("publishing", 0, 2), **DONE),
         "     4  active    2026-11-30 07:00:00  3 case (+3), 1 file (+1), in 2.2 s, publishing 1/2"),
    ],
)  # fmt: skip
def test_a_run_is_one_line(record: RunRecord, told: str) -> None:
    assert lines([record]) == [told]


def test_why_the_newest_failed_is_told_whole() -> None:
    failed = run(5, "failed", message=FAULTS, counts={"case": 0})
    first, second, why = lines([failed, failed])
    assert first == second
    assert first.endswith("The mapping cannot be used: line 5: root: the dictionary has no node 'x'. line …")
    assert (why.startswith("Run 5 failed"), why.endswith(FAULTS)) == (True, True)
    assert len(lines([run(6, "ready", **DONE), failed])) == 2


def test_where_no_build_is_in_progress_an_unfinished_run_was_killed() -> None:
    killed = ended(run(7, "building", progress=Step("reading", 3, 9)))
    assert (killed.state, killed.progress) == ("killed", None)
    assert len(lines([killed])) == 2
    assert ended(run(8, "ready", progress=Step("publishing", 0, 2))).progress is None


def test_before_the_first_run_that_is_said() -> None:
    assert lines([]) == ["There has been no run yet."]


def test_the_newest_step_is_written_and_taken_back_at_the_end() -> None:
    written: list[Step | None] = []
    seen = threading.Event()

    def write(step: Step | None) -> None:
        written.append(step)
        seen.set()

    with Reporter(write, every_s=0.001) as reporter:
        reporter.tell("reading", 3, 9)
        assert seen.wait(60)
    assert (written[-2:], written[0]) == ([Step("reading", 3, 9), None], Step("reading", 3, 9))


def test_a_run_that_ends_before_anybody_could_hear_of_it_writes_nothing() -> None:
    written: list[Step | None] = []
    with Reporter(written.append, every_s=60) as reporter:
        for number in range(1000):
            reporter.tell("reading", number, 1000)
    assert written == []


def test_a_step_that_cannot_be_written_is_tried_again_and_hinders_nothing() -> None:
    tried = threading.Semaphore(0)

    def write(step: Step | None) -> None:
        tried.release()
        raise Unavailable("The database is away.")

    with Reporter(write, every_s=0.001) as reporter:
        reporter.tell("reading", 0, 9)
        assert all(tried.acquire(timeout=60) for _ in range(2))
