"""Which records a caller may read, derived from resource paths alone.

``/programs`` covers everything, ``/programs/P`` all projects of a program, ``/programs/P/projects/Q`` one project.
Other paths say nothing about records.

A record names its project as ``P-Q``. Programs and codes may hold dashes themselves, so two projects can share that
text (``A-B`` + ``C`` and ``A`` + ``B-C``). A project id with exactly one dash can be meant in one way only; any other
is looked up, and readable only when every project of that id is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_PLAIN_IDS = 20
"""Project ids that are written into a statement, where an index can use them; more of them are looked up by hash."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The programs and projects that a caller may read.

    Parameters
    ----------
    everything
        All of them; the others are then of no account.
    programs
        Names of programs that are covered with all their projects.
    projects
        Program name and project code of single projects.
    """

    everything: bool = False
    programs: frozenset[str] = frozenset()
    projects: frozenset[tuple[str, str]] = frozenset()

    @property
    def nothing(self) -> bool:
        """Whether no project at all is covered."""
        return not (self.everything or self.programs or self.projects)

    def covers(self, program: str, code: str) -> bool:
        """Whether a project is covered."""
        return self.everything or program in self.programs or (program, code) in self.projects

    @property
    def program_names(self) -> frozenset[str]:
        """Programs whose own record may be seen: those covered, and those with a project that is."""
        return self.programs | {program for program, _ in self.projects}

    @property
    def plain_ids(self) -> frozenset[str] | None:
        """The few project ids that are covered, or None when the database has to tell."""
        ids = frozenset(f"{program}-{code}" for program, code in self.projects)
        if self.everything or self.programs or len(ids) > MAX_PLAIN_IDS or any(each.count("-") != 1 for each in ids):
            return None
        return ids


def scope_of(prefixes: Iterable[str]) -> Scope:
    """The scope that resource paths stand for."""
    programs: set[str] = set()
    projects: set[tuple[str, str]] = set()
    for prefix in prefixes:
        match prefix.split("/")[1:]:
            case ["programs"]:
                return Scope(everything=True)
            case ["programs", program]:
                programs.add(program)
            case ["programs", program, "projects", code]:
                projects.add((program, code))
            case ["programs", program, "projects"]:
                programs.add(program)
    return Scope(False, frozenset(programs), frozenset(projects))
