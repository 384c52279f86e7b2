"""Records against their JSON Schemas.

The compiled validator says yes or no in microseconds. Only for a record that it refuses the other one is asked, whose
messages people and programs know from Gen3 (Python's ``jsonschema``); it is imported when the first one is needed.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from jsonschema_rs import Draft4Validator

from ..core.dictionary import NodeType, validation_schema
from ..core.spelling import meant, nearest, nearest_first
from .advice import advice
from .entity import Document, Fault, fault
from .places import pointer_of

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
        from jsonschema.validators import extend

        described = extend(Described, {"pattern": _pattern})  # type: ignore[no-untyped-call]
        return described(self._schema, format_checker=FormatChecker())

    def faults(self, document: Document) -> list[Fault]:
        """What is wrong with a document; empty for a valid one."""
        if self.is_valid(document):
            return []
        # One error is given for each missing property, in the order of the schema.
        missing = iter([name for name in self._schema.get("required", ()) if name not in document])
        found = [
            each
            for error in self._slow.iter_errors(document)
            for each in self._describe(error, document, missing)
        ]  # fmt: skip
        # The two disagree only on formats that the describing one was installed without.
        return found or [
            fault("ERROR", error.message, [str(step) for step in error.instance_path[:1]], "format")
            for error in self._fast.iter_errors(document)
        ]

    def broken(self, document: Document) -> Iterator[tuple[str, str]]:
        """The rules that a document breaks, by property and keyword: in microseconds, and without words."""
        for error in self._fast.iter_errors(document):
            kind: Any = error.kind
            place = error.instance_path
            if not place and kind.name == "required":
                yield str(kind.property), kind.name
            elif not place and kind.name == "additionalProperties":
                yield from ((name, kind.name) for name in kind.unexpected)
            else:
                yield str(place[0]) if place else "", kind.name

    def _describe(self, error: Any, document: Document, missing: Iterator[str]) -> Iterator[Fault]:
        steps = tuple(error.path)
        if error.validator == "required" and not steps:
            yield self._missing(error.message, next(missing), document)
        elif error.validator == "additionalProperties" and not steps:
            # Gen3 tells of all of them at once; somebody who looks for them wants one place each.
            for name in sorted(document.keys() - self._schema["properties"].keys()):
                yield self._unknown(name, document)
        else:
            yield self._broken(error, steps)

    def _missing(self, message: str, name: str, document: Document) -> Fault:
        strange = tuple(key for key in document if key not in self._schema["properties"] and "." not in key)
        renamed = nearest(name, strange, 1)
        suggestion = f"Rename {renamed[0]!r} to {name!r}." if renamed else advice("required", name)
        return fault("MISSING_PROPERTY", message, [name], suggestion=suggestion)

    def _unknown(self, name: str, document: Document) -> Fault:
        message = f"Additional properties are not allowed ({name!r} was unexpected)"
        link, dot, _ = name.partition(".")
        if dot and link in self.link_names:
            # A table's column that names the targets of a link by something else than their keys.
            return fault("ERROR", message, [name], "additionalProperties", suggestion=advice("link", link), nearest=[])
        free = tuple(key for key in self._schema["properties"] if document.get(key) is None)
        likely = nearest(name, free)
        suggestion = meant(likely) if likely else advice("additionalProperties", name)
        return fault("ERROR", message, [name], "additionalProperties", suggestion=suggestion, nearest=list(likely))

    def _broken(self, error: Any, steps: tuple[str | int, ...]) -> Fault:
        message = error.message
        if error.context:
            message += ": " + " and ".join(each.message for each in error.context)
        path = [str(step) for step in steps[:1]]
        is_link = bool(path) and path[0] in self.link_names
        kind = "INVALID_LINK" if is_link else "INVALID_VALUE" if error.validator == "type" else "ERROR"
        more = {"pointer": pointer_of(steps)} if len(steps) > 1 else {}
        if error.instance is None and path and path[0] in self.node.required:
            # An empty cell is null; who reads "required" knows what to do sooner than by "not of type".
            return fault(kind, message, path, "required", suggestion=advice("required", path[0]))
        if is_link:
            return fault(kind, message, path, "link", suggestion=advice("link", path[0]), **more)
        rule, bound = _heart(error)
        if rule != "enum":
            return fault(kind, message, path, rule, suggestion=advice(rule, None, bound), **more)
        choices = tuple(str(each) for each in bound if each is not None)
        likely = nearest(str(error.instance), choices)
        suggestion = meant(likely) if likely else advice("enum")
        allowed = {"allowed": nearest_first(error.instance, choices), "allowed_count": len(choices)}
        return fault(kind, message, path, rule, suggestion=suggestion, nearest=list(likely), **allowed, **more)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """The describing validator's judgement of a pattern, by the other's engine: Python's own may take for ever."""
    from jsonschema import ValidationError

    if isinstance(value, str) and not _matcher(pattern)(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> Callable[[Any], bool]:
    return Draft4Validator({"pattern": pattern}).is_valid


def _heart(error: Any) -> tuple[str, Any]:
    """The keyword that a value breaks, and what the schema says under it.

    Of the alternatives of ``oneOf`` and ``anyOf`` the only one that is more than "or null" counts; several lists of
    values are one.
    """
    while error.context:
        real = [each for each in error.context if (each.validator, each.validator_value) != ("type", "null")]
        if real and all(each.validator == "enum" for each in real):
            return "enum", [value for each in real for value in each.validator_value]
        if len(real) != 1:
            break
        error = real[0]
    return error.validator, error.validator_value


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
