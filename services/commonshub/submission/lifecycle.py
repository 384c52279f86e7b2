"""The states of a project, and what leads from one to another.

Vocabulary
----------
state
    ``open`` (takes submissions), ``review`` (locked while somebody looks at it), ``submitted`` (locked for good, unless
    it is opened again), or another that the dictionary knows.
releasable, released
    Marks beside the state, where the dictionary has them: that a project may be released, and that it was.
step
    A change that somebody asks for by its name.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..core.errors import BadRequest


class Step(NamedTuple):
    """One step.

    Parameters
    ----------
    done
        What is told of it then.
    start
        States that it starts from; none for all.
    state
        State that it leads to; None where it stays.
    needs, sets
        Marks that must be there, and that are made.
    """

    done: str
    start: tuple[str, ...] = ()
    state: str | None = None
    needs: str | None = None
    sets: str | None = None


STEPS = {
    "open": Step("Successfully opened project", state="open"),
    "review": Step("Successfully locked project for review", start=("open",), state="review"),
    "submit": Step("Successfully submitted project", start=("review",), state="submitted", sets="releasable"),
    "release": Step("Successfully released project", needs="releasable", sets="released"),
}


def changes(name: str, project: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The properties that a step changes.

    Parameters
    ----------
    project
        Properties of the project as it is.
    known
        The properties that projects have in the dictionary, and the values that it allows where it lists them: what
        states and marks there are.

    Raises
    ------
    BadRequest
        The step does not start from where the project is, or the dictionary does not know where it leads.
    """
    step, state = STEPS[name], project.get("state")
    if step.start and state not in step.start:
        raise BadRequest(f"The project is in state {state!r}; {name} starts from {' or '.join(map(repr, step.start))}.")
    states = known.get("state")
    if step.state and states and step.state not in states:
        raise BadRequest(f"The dictionary has no state {step.state!r} of projects, only {', '.join(states)}.")
    if step.needs and step.needs in known and project.get(step.needs) is not True:
        raise BadRequest(f"The project is not {step.needs}: submit it first, when it has been reviewed.")
    changed: dict[str, Any] = {"state": step.state} if step.state else {}
    if step.sets and step.sets in known:
        changed[step.sets] = True
    return changed
