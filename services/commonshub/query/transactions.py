"""The submission log in the GraphQL schema: types, fields and arguments."""

from collections.abc import Mapping

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
)

from .fields import Collected, Column, Meaning, Parts, Stored, Transactions, means

_STRINGS = GraphQLList(GraphQLString)


def _field(type_: GraphQLOutputType, what: Meaning) -> GraphQLField:
    return GraphQLField(type_, extensions=means(what))


def _columns(types: Mapping[str, GraphQLOutputType]) -> dict[str, GraphQLField]:
    return {name: _field(type_, Column(name)) for name, type_ in types.items()}


def _stored(types: Mapping[str, GraphQLOutputType]) -> dict[str, GraphQLField]:
    return {
        name: _field(type_, Stored(name, "text" if type_ is GraphQLString else "scalar"))
        for name, type_ in types.items()
    }


_COUNTS = (
    *("code", "entity_error_count", "transactional_error_count"),
    *("created_entity_count", "updated_entity_count", "released_entity_count"),
    *("cases_related_to_created_entities_count", "cases_related_to_updated_entities_count"),
)


def _response_type(case: GraphQLObjectType) -> GraphQLObjectType:
    """What the submission service answered, from the document that the log keeps."""
    dependent = GraphQLObjectType("TransactionDependent", _stored({"id": GraphQLString, "type": GraphQLString}))
    error_fields = _stored({"keys": _STRINGS, "message": GraphQLString, "type": GraphQLString})
    error_fields["dependents"] = _field(GraphQLList(dependent), Stored("dependents", "list"))
    error = GraphQLObjectType("TransactionResponseError", error_fields)
    texts = ("action", "type", "id", "unique_keys", "warnings")
    entity_fields = _stored({"valid": GraphQLBoolean, **dict.fromkeys(texts, GraphQLString)})
    entity_fields["errors"] = _field(GraphQLList(error), Stored("errors", "list"))
    entity_fields["related_cases"] = _field(GraphQLList(case), Stored("related_cases", "list"))
    entity = GraphQLObjectType("TransactionResponseEntity", entity_fields)
    fields = _stored({"success": GraphQLBoolean, "message": GraphQLString} | dict.fromkeys(_COUNTS, GraphQLInt))
    fields["transaction_id"] = _field(GraphQLID, Stored("transaction_id", "text"))
    fields["transactional_errors"] = _field(_STRINGS, Stored("transactional_errors", "scalar"))
    fields["entities"] = _field(GraphQLList(entity), Stored("entities", "list"))
    return GraphQLObjectType("TransactionResponse", fields)


def _log_type() -> GraphQLObjectType:
    case = GraphQLObjectType(
        "TransactionResponseEntityRelatedCases", _stored({"id": GraphQLString, "submitter_id": GraphQLString})
    )
    snapshot = GraphQLObjectType(
        "TransactionSnapshot",
        {
            "id": _field(GraphQLID, Column("entity_id")),
            **_columns({"transaction_id": GraphQLInt, "action": GraphQLString}),
            **_columns({"old_props": GraphQLString, "new_props": GraphQLString}),
        },
    )
    document_fields = _columns({"id": GraphQLID, "doc_format": GraphQLString})
    document_fields["transaction_id"] = _field(GraphQLID, Column("transaction_id", "text"))
    document_fields |= _columns({"doc": GraphQLString, "name": GraphQLString, "response_json": GraphQLString})
    document_fields["doc_size"] = _field(GraphQLInt, Column("doc", "size"))
    document_fields["response"] = _field(_response_type(case), Stored("response_json", "object"))
    document = GraphQLObjectType("TransactionDocument", document_fields)
    plain = {"id": GraphQLID, "is_dry_run": GraphQLBoolean, "closed": GraphQLBoolean}
    texts = ("state", "submitter", "role", "program", "project", "canonical_json")
    fields = _columns({**plain, **dict.fromkeys(texts, GraphQLString)})
    fields["type"] = _field(GraphQLString, Column("role", "type"))
    fields["project_id"] = _field(GraphQLString, Column("project", "project_id"))
    fields["created_datetime"] = _field(GraphQLString, Column("created_datetime", "time"))
    fields["committable"] = _field(GraphQLBoolean, Column("state", "committable"))
    fields["snapshots"] = _field(GraphQLList(snapshot), Parts("snapshots"))
    fields["committed_by"] = _field(GraphQLID, Column("committed_by", "text"))
    fields["related_cases"] = _field(GraphQLList(case), Collected("$.entities[*].related_cases[*]"))
    fields["documents"] = _field(GraphQLList(document), Parts("documents"))
    return GraphQLObjectType("TransactionLog", fields, description="One submission, successful or not.")


def _arguments() -> dict[str, GraphQLArgument]:
    types: dict[str, GraphQLInputType] = {
        **dict.fromkeys(("id", "quick_search", "after", "committed_by"), GraphQLID),
        **dict.fromkeys(("type", "program", "project", "state", "order_by_asc", "order_by_desc"), GraphQLString),
        **dict.fromkeys(("is_dry_run", "closed", "committable"), GraphQLBoolean),
        **dict.fromkeys(("first", "last", "offset"), GraphQLInt),
        **dict.fromkeys(("project_id", "entities", "related_cases"), _STRINGS),
    }
    return {key: GraphQLArgument(type_, description=_TOLD[key]) for key, type_ in types.items()}


_TOLD: Mapping[str, str] = {
    "id": "The transaction of this id.",
    "quick_search": "The transaction of this id.",
    "after": "The id of a transaction: those behind it.",
    "type": "Such as upload, delete, review, open, release or submit.",
    "program": "Transactions of this program.",
    "project": "Transactions of projects of this code.",
    "state": "PENDING, SUCCEEDED, FAILED or ERRORED.",
    "order_by_asc": "A column of the log: least first.",
    "order_by_desc": "A column of the log: greatest first.",
    "is_dry_run": "Whether it was a dry run.",
    "closed": "Whether it can no longer be committed.",
    "committable": "Whether it is a dry run that can be committed.",
    "first": "So many transactions at most, by id; 0 for all.",
    "last": "So many of the newest, newest first; 0 for all.",
    "offset": "Leave out so many at the beginning.",
    "committed_by": "The dry run that this transaction has committed.",
    "project_id": "Transactions of these projects, such as P-Q.",
    "entities": "Transactions that touched records of these ids.",
    "related_cases": "Transactions whose records belonged to cases of these ids, as Sheepdog once noted.",
}


class TransactionFields:
    """The fields that lead to the submission log, at the root and on every record."""

    def __init__(self) -> None:
        self._type = _log_type()
        self._arguments = _arguments()

    def root(self) -> dict[str, GraphQLField]:
        """``transaction_log`` and ``_transaction_log_count``."""
        return self._pair("transaction_log", "_transaction_log_count", of_record=False)

    def record(self) -> dict[str, GraphQLField]:
        """``_transaction_logs`` and ``_transaction_logs_count``: the submissions that touched a record."""
        return self._pair("_transaction_logs", "_transaction_logs_count", of_record=True)

    def _pair(self, rows: str, count: str, of_record: bool) -> dict[str, GraphQLField]:
        return {
            rows: GraphQLField(
                GraphQLList(self._type),
                args=self._arguments,
                description="Submissions, successful or not.",
                extensions=means(Transactions(False, of_record)),
            ),
            count: GraphQLField(
                GraphQLInt,
                args=self._arguments,
                description="How many submissions there were.",
                extensions=means(Transactions(True, of_record)),
            ),
        }
