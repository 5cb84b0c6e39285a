"""A dialect: what differs between SQL databases, as data that a connector gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from el.connectors.catalog import SourceType, TableName
from el.connectors.request import Value
from el.errors import PlanError


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between SQL databases when el reads them, as data."""

    name: str  # sqlglot's name of the dialect
    text_type: str = "VARCHAR"
    # Type name -> how a parameter in canonical text becomes a value of that type, "{type}" standing for the declared
    # type, "{collate}" for its collation; the default is a CAST.
    bind: Mapping[str, str] = field(default_factory=dict)
    # Type name -> how a column becomes canonical text, "{column}" standing for it, quoted; the default is a CAST.
    text: Mapping[str, str] = field(default_factory=dict)
    # Type name -> an expression that MAX accepts where MAX refuses the type itself.
    maximum: Mapping[str, str] = field(default_factory=dict)
    # Name of a mask -> the expression that masks a column, "{column}" standing for it; it gives text.
    masks: Mapping[str, str] = field(default_factory=dict)
    # Type name -> what stands there instead, where the column itself would lose digits on its way into the mask; None:
    # no text of it is exact, and a mask that takes its values is refused.
    mask_as: Mapping[str, str | None] = field(default_factory=dict)
    clock: str = ""  # an expression for `ClockSource.clock`
    length_without_blanks: bool = False  # the length of a text leaves out blanks at its end
    # Statements need no semicolon between them, and a derived table takes neither ORDER BY nor FOR nor OPTION.
    bare_statements: bool = False
    national_text: bool = False  # a text beyond ASCII is written N'...'
    parameter: Callable[[Value], object] = lambda value: value.text

    def quote(self, name: str) -> str:
        """`name` as a quoted identifier."""
        return exp.to_identifier(name, quoted=True).sql(dialect=self.name)

    def quote_table(self, table: TableName) -> str:
        """schema.name, both quoted."""
        return f"{self.quote(table.schema)}.{self.quote(table.name)}"

    def text_literal(self, text: str) -> str:
        """A text as it is written in a statement that a person reads; statements of el's own have parameters."""
        national = self.national_text and not text.isascii()
        return (exp.National(this=text) if national else exp.Literal.string(text)).sql(dialect=self.name)

    def bound(self, value: Value) -> str:
        """The SQL in which `?` stands for `value`."""
        declared = str(value.type)
        # The labels of an enumeration are what they are.
        shown = declared if "'" in declared else declared.upper()
        made = self.bind.get(value.type.name, "CAST(? AS {type})").replace("{type}", shown)
        # A collation's name is one of the server's own words: it cannot be quoted, and comes from its catalog.
        return made.replace("{collate}", f" COLLATE {value.type.collation}" if value.type.collation else "")

    def masked(self, mask: str, type_: SourceType) -> tuple[str, bool]:
        """The expression of a mask over a column of this type, and whether `mask_as` has a word in it.

        Raises `PlanError` for a type of which two values could get one pseudonym.
        """
        expression = self.masks[mask]
        # A mask that takes no value, such as NULL, has no digits to lose.
        if type_.name not in self.mask_as or "{column}" not in expression:
            return expression, False
        exact = self.mask_as[type_.name]
        if exact is None:
            raise PlanError(f"mask {mask} is not possible with {type_}: two values could get one pseudonym; exclude it")
        return expression.replace("{column}", exact), True

    def as_text(self, column: str, type_: SourceType) -> str:
        """The SQL that gives `column` (an expression) in canonical text."""
        return self.text.get(type_.name, f"CAST({{column}} AS {self.text_type})").replace("{column}", column)
