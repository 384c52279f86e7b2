"""Records against their JSON Schemas.

The compiled validator says yes or no in microseconds. Only for a record that it refuses the other one is asked, whose
messages people and programs know from Gen3 (Python's ``jsonschema``); it is imported when the first one is needed.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from jsonschema_rs import Draft4Validator

from ..core.dictionary import NodeType, validation_schema
from .entity import Document, Fault, fault

_SYSTEM_SET = frozenset({"id", "type", "project_id"})


class Checker:
    """What there is to know of one node type to read its records quickly.

    Parameters
    ----------
    defaults
        What the commons sets on a new record.
    stored
        The properties that are taken from documents.
    """

    def __init__(self, node: NodeType) -> None:
        self.node = node
        self._schema = validation_schema(node)
        self._fast = Draft4Validator(self._schema, validate_formats=True)
        self.is_valid = self._fast.is_valid
        self.link_names = tuple(link.name for link in node.links)
        self.stored = frozenset(node.properties) - node.system - _SYSTEM_SET
        self.system = (node.system & frozenset(node.properties)) - _SYSTEM_SET
        self.defaults: Mapping[str, Any] = {
            name: known.default for name, known in node.properties.items() if known.system and known.default is not None
        }
        self.keyed = any("submitter_id" in key for key in node.unique_keys)
        self.dated = tuple(name for name in ("created_datetime", "updated_datetime") if name in node.properties)

    @cached_property
    def _slow(self) -> Any:
        from jsonschema import Draft4Validator as Described
        from jsonschema import FormatChecker

        return Described(self._schema, format_checker=FormatChecker())

    def faults(self, document: Document) -> list[Fault]:
        """What is wrong with a document; empty for a valid one."""
        if self.is_valid(document):
            return []
        # One error is given for each missing property, in the order of the schema.
        missing = iter([name for name in self._schema.get("required", ()) if name not in document])
        found = [self._describe(error, document, missing) for error in self._slow.iter_errors(document)]
        # The two disagree only on formats that the describing one was installed without.
        return found or [
            fault("ERROR", error.message, [str(step) for step in error.instance_path[:1]])
            for error in self._fast.iter_errors(document)
        ]

    def _describe(self, error: Any, document: Document, missing: Iterator[str]) -> Fault:
        path = [str(step) for step in error.path][:1]
        if error.validator == "required" and not path:
            return fault("MISSING_PROPERTY", error.message, [next(missing)])
        if error.validator == "additionalProperties" and not path:
            return fault("ERROR", error.message, sorted(document.keys() - self._schema["properties"].keys()))
        message = error.message
        if error.context:
            message += ": " + " and ".join(each.message for each in error.context)
        return fault(self._kind(error.validator, path), message, path)

    def _kind(self, validator: str, path: list[str]) -> str:
        if path and path[0] in self.link_names:
            return "INVALID_LINK"
        return "INVALID_VALUE" if validator == "type" else "ERROR"


class Checkers:
    """The checkers of a dictionary, compiled when first used."""

    def __init__(self, nodes: Mapping[str, NodeType]) -> None:
        self._nodes = nodes
        self._made: dict[str, Checker] = {}

    def __getitem__(self, node_id: str) -> Checker:
        made = self._made.get(node_id)
        if made is None:
            made = self._made[node_id] = Checker(self._nodes[node_id])
        return made
