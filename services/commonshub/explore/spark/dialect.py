"""Spark's SQL, as ANSI has it: see :data:`SETTINGS`."""

from collections.abc import Mapping, Sequence

from ..sql.dialect import Change, Dialect

SETTINGS = {"spark.sql.ansi.enabled": "true", "spark.sql.ansi.doubleQuotedIdentifiers": "true"}
"""What makes Spark read SQL as this package writes it."""

# From here on numbers have an exponent; 38 digits hold all of those below, down to the last digit of 1e-4.
_LARGE, _SMALL, _EXACT = "1e16D", "1e-4D", "decimal(38,21)"


class SparkDialect(Dialect):
    """See :class:`~commonshub.explore.sql.dialect.Dialect`."""

    def list_type(self, element: str) -> str:
        return f"array<{element}>"

    def numbered(self, key: str) -> str:
        # Numbers would need all rows in one place.
        return key

    def literal(self, text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def text(self, value: str) -> str:
        # Java writes an exponent from 1e7 on, as E7; of a few tiny or huge numbers it writes a digit more before 19.
        number = f"try_cast({value} as double)"
        plain = f"regexp_replace({number}::{_EXACT}::string, '([.][0-9]+?)0*$', '$1')"
        exponent = f"regexp_extract({value}::string, 'E(-?[0-9]+)$', 1)::int"
        digits = f"lpad(abs({exponent})::string, greatest(2, length(abs({exponent})::string)), '0')"
        signed = f"regexp_replace({value}::string, '([.]0)?E.*$', 'e') || if({exponent} < 0, '-', '+') || {digits}"
        moderate = f"abs({number}) >= {_SMALL} and abs({number}) < {_LARGE}"
        return (
            f"case when typeof({value}) <> 'double' then {value}::string when {number} = 0 then '0.0' "
            f"when {moderate} then {plain} else {signed} end"
        )

    def struct(self, parts: Mapping[str, str]) -> str:
        return f"named_struct({', '.join(f'{self.literal(name)}, {part}' for name, part in parts.items())})"

    def listed(self, items: Sequence[str]) -> str:
        return f"array({', '.join(items)})"

    def changed(self, values: str, change: Change) -> str:
        return f"transform({values}, x -> {change('x')})"

    def some(self, values: str, test: Change) -> str:
        return f"exists({values}, x -> {test('x')})"

    def each(self, values: str) -> str:
        return f"explode({values})"

    def beside(self, values: str, alias: str) -> str:
        return f" lateral view explode({values}) {alias} as v"

    def sorted(self, value: str, *, distinct: bool) -> str:
        return f"sort_array({'collect_set' if distinct else 'collect_list'}({value}))"

    def ordered(self, value: str, order: str) -> str:
        return f"transform(sort_array(collect_list(struct({order} as k, {value} as v))), x -> x.v)"

    def total(self, value: str) -> str:
        # Whole numbers that are too large together for 64 bits.
        return f"coalesce(try_sum({value})::double, sum({value}::double))"
