"""A small JQL: text to a tree of clauses, and whether an issue matches it.

It knows the fields and operators that the product may use and refuses everything else with 400, as Jira
refuses what it cannot parse. Text is never guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.atlassian.routing import JiraError

_TOKEN = re.compile(
    r"""
      \s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign>!=|!~|>=|<=|=|~|>|<|\(|\)|,|!|&&|&|\|\||\|)
      | (?P<word>[^\s"'=~!<>(),&|;\#%^$@`{}\[\]*/\\+?]+(?:\[\d+\])?)
      )
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_NAMED_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_OPERATORS = ("=", "!=", "<", ">", "<=", ">=", "~", "!~")
_RESERVED = frozenset({"and", "or", "not", "in", "is", "order", "by", "empty", "null"})


@dataclass(frozen=True, slots=True)
class Value:
    """A literal, or a function without its parentheses."""

    text: str
    quoted: bool = False
    function: bool = False
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    field: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Both:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    part: Node


Node = Clause | Both | Either | Negated


@dataclass(frozen=True, slots=True)
class Order:
    field: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    where: Node | None
    order: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    def says(self, word: str) -> bool:
        return self.kind != "string" and self.text.lower() == word


def parse(text: str) -> Query:
    """Parse a query or answer 400."""
    return _Parser(text).query()


def failure(message: str) -> JiraError:
    """Return the refusal of a query, to be raised."""
    return JiraError(400, message)


def _unescape(quoted: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in "nrt\"'\\ ":
            raise failure(f"Error in the JQL Query: '\\{code}' is an illegal JQL escape sequence.")
        return _NAMED_ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, quoted[1:-1])


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _takes(self, *words: str) -> bool:
        if any(self._next.says(word) for word in words):
            self._at += 1
            return True
        return False

    def _unexpected(self, wanted: str) -> JiraError:
        token = self._next
        if token.kind == "end":
            return failure(f"Error in the JQL Query: Expecting {wanted} before the end of the query.")
        where = f"(line 1, character {token.at + 1})"
        return failure(f"Error in the JQL Query: Expecting {wanted} but got '{token.text}'. {where}")

    def query(self) -> Query:
        where = None if self._next.kind == "end" or self._next.says("order") else self._either()
        order = self._order() if self._takes("order") else ()
        if self._next.kind != "end":
            raise self._unexpected("either 'OR' or 'AND'")
        return Query(where, order)

    def _either(self) -> Node:
        parts = [self._both()]
        while self._takes("or", "||", "|"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Node:
        parts = [self._negation()]
        while self._takes("and", "&&", "&"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _negation(self) -> Node:
        if self._takes("not", "!"):
            return Negated(self._negation())
        if self._takes("("):
            inner = self._either()
            if not self._takes(")"):
                raise self._unexpected("')'")
            return inner
        return self._clause()

    def _name(self, wanted: str) -> str:
        token = self._next
        if token.kind == "string":
            return _unescape(self._take().text)
        if token.kind != "word" or token.text.lower() in _RESERVED:
            raise self._unexpected(wanted)
        return self._take().text

    def _clause(self) -> Clause:
        field = self._name("a field name")
        operator = self._operator()
        if operator in ("in", "not in"):
            return Clause(field, operator, self._list())
        return Clause(field, operator, (self._value(),))

    def _operator(self) -> str:
        if self._takes("not"):
            if not self._takes("in"):
                raise self._unexpected("'in'")
            return "not in"
        if self._takes("in"):
            return "in"
        if self._takes("is"):
            return "is not" if self._takes("not") else "is"
        if self._next.kind == "sign" and self._next.text in _OPERATORS:
            return self._take().text
        raise self._unexpected(
            "operator, one of '=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS', 'IS NOT'"
        )

    def _list(self) -> tuple[Value, ...]:
        if not self._takes("("):
            # A function such as openSprints() stands without parentheses of its own.
            return (self._value(),)
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        if not self._takes(")"):
            raise self._unexpected("')'")
        return tuple(values)

    def _value(self) -> Value:
        token = self._next
        if token.kind == "string":
            return Value(_unescape(self._take().text), quoted=True)
        if token.says("empty") or token.says("null"):
            self._take()
            return Value("", empty=True)
        text = self._name("a value, list or function")
        if self._takes("("):
            if not self._takes(")"):
                raise self._unexpected("')'")
            return Value(text, function=True)
        return Value(text)

    def _order(self) -> tuple[Order, ...]:
        if not self._takes("by"):
            raise self._unexpected("'by'")
        orders = [self._order_term()]
        while self._takes(","):
            orders.append(self._order_term())
        return tuple(orders)

    def _order_term(self) -> Order:
        field = self._name("a field name")
        descending = self._takes("desc")
        if not descending:
            self._takes("asc")
        return Order(field, descending)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise _bad_character(text, start)
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*tokens, _Token("end", "", len(text))]


def _bad_character(text: str, at: int) -> JiraError:
    if text[at] in "\"'":
        return failure(
            f"Error in the JQL Query: The quoted string '{text[at + 1 :]}' has not been completed."
        )
    return failure(
        f"Error in the JQL Query: The character '{text[at]}' is a reserved JQL character. "
        f"You must enclose it in a string or use the escape '\\u{ord(text[at]):04x}' instead. "
        f"(line 1, character {at + 1})"
    )
