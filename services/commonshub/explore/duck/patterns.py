"""Regular expressions of callers: RE2, which DuckDB brings along, cannot be made slow by a hostile one."""

import duckdb

from commonshub.core.errors import BadRequest


def matching(cursor: duckdb.DuckDBPyConnection, names: list[str], pattern: str) -> list[str]:
    """The `names` that a regular expression finds.

    Raises
    ------
    BadRequest
        It is no regular expression.
    """
    statement = "select n from (select unnest($names::varchar[]) n) where regexp_matches(n, $pattern)"
    try:
        found = cursor.execute(statement, {"names": names, "pattern": pattern}).fetchall()
    except duckdb.InvalidInputException as error:
        raise BadRequest(f"{pattern[:80]!r} is not a regular expression.") from error
    return [name for (name,) in found]
