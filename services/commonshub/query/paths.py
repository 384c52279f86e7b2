"""Ways through the dictionary: which links lead from one node type to another, in one direction.

A path goes up all the way (child to parent) or down all the way; a way up and down again would join any two records
of a project. No type is entered twice on one path, so the search ends in a dictionary with cycles too.
"""

from dataclasses import dataclass, field

from commonshub.core.dictionary import Dictionary

from .fields import Neighbours


@dataclass
class Paths:
    """The links of a dictionary, and what can be reached by them."""

    dictionary: Dictionary
    _reachable: dict[tuple[str, bool], frozenset[str]] = field(default_factory=dict)

    def steps(self, type_: str, up: bool) -> list[Neighbours]:
        """The links that leave a node type in one direction."""
        links = self.dictionary.nodes[type_].links if up else self.dictionary.backlinks(type_)
        steps = [Neighbours(link, up) for link in links]
        return [step for step in steps if step.type in self.dictionary.nodes]

    def neighbours(self, type_: str) -> dict[str, Neighbours]:
        """All links of a node type in both directions, by field name."""
        found: dict[str, Neighbours] = {}
        for step in (*self.steps(type_, up=True), *self.steps(type_, up=False)):
            found.setdefault(step.link.name if step.up else step.link.backref, step)
        return found

    def reachable(self, type_: str, up: bool) -> frozenset[str]:
        """The node types at the far ends of all paths of one link or more."""
        known = self._reachable.get((type_, up))
        if known is not None:
            return known
        found: set[str] = set()
        waiting = [type_]
        while waiting:
            for step in self.steps(waiting.pop(), up):
                if step.type not in found:
                    found.add(step.type)
                    waiting.append(step.type)
        return self._reachable.setdefault((type_, up), frozenset(found))

    def towards(self, type_: str, target: str, up: bool) -> list[Neighbours]:
        """The first links of all paths from `type_` to `target`."""
        return [
            step for step in self.steps(type_, up) if step.type == target or target in self.reachable(step.type, up)
        ]
