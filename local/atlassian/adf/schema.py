"""The structure that a document must have: which nodes stand where, with which attributes and marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _some_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _anything(_value: Any) -> bool:
    return True


def _number(least: float = float("-inf"), most: float = float("inf")) -> Check:
    def check(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most

    return check


def _one_of(*values: Any) -> Check:
    return lambda value: isinstance(value, str | int) and value in values


def _like(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a node may hold. An attribute that is missing here may not be there at all."""

    content: frozenset[str] | None = None
    least: int = 0
    most: int | None = None
    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()

    def fits(self, attrs: Any) -> bool:
        if not isinstance(attrs, dict):
            return False
        known = {**self.optional, **self.required}
        return self.required.keys() <= attrs.keys() and all(
            name in known and known[name](value) for name, value in attrs.items()
        )


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ID: Final[Mapping[str, Check]] = {"localId": _text}
_COLOUR: Final = _like(r"#[0-9a-fA-F]{6}")
_LAYOUTS: Final = _one_of(
    "wide", "full-width", "center", "wrap-right", "wrap-left", "align-end", "align-start"
)
INLINE: Final = _set(
    "text date emoji hardBreak inlineCard mention placeholder status inlineExtension mediaInline"
)
_ITEM: Final = _set("paragraph bulletList orderedList taskList mediaSingle codeBlock extension")
_NESTED: Final = _set(
    "paragraph heading mediaSingle mediaGroup codeBlock bulletList orderedList taskList decisionList "
    "rule panel blockquote extension"
)
_IN_EXPAND: Final = _NESTED | _set("table blockCard embedCard")
_IN_CELL: Final = _NESTED | _set("blockCard embedCard nestedExpand")
_IN_COLUMN: Final = _IN_EXPAND | _set("expand bodiedExtension")
_TOP: Final = _IN_COLUMN | _set("layoutSection syncBlock bodiedSyncBlock")
_FORMATS: Final = _set("link em strong strike subsup underline textColor annotation backgroundColor")
_MEDIA_MARKS: Final = _set("link annotation border dataConsumer")
_EXTENSION: Final[Mapping[str, Check]] = {"extensionKey": _some_text, "extensionType": _some_text}
_EXTENSION_MORE: Final[Mapping[str, Check]] = {
    "parameters": _anything,
    "text": _text,
    "layout": _one_of("wide", "full-width", "default"),
    "localId": _some_text,
}
_MEDIA: Final[Mapping[str, Check]] = {
    **_ID,
    "alt": _text,
    "height": _number(),
    "width": _number(),
    "occurrenceKey": _some_text,
}
_CELL: Final = Shape(
    _IN_CELL,
    least=1,
    optional={
        **_ID,
        "colspan": _number(),
        "rowspan": _number(),
        "colwidth": _list_of(_number()),
        "background": _text,
        "valign": _one_of("top", "middle", "bottom"),
    },
)
_CARD: Final[Mapping[str, Check]] = {
    **_ID,
    "url": _text,
    "data": _anything,
    "datasource": _anything,
    "width": _number(),
    "layout": _LAYOUTS,
}
_TEXT_BLOCK_MARKS: Final = _set("alignment indentation fontSize")
_EXTENSION_MARKS: Final = _set("dataConsumer fragment")

KINDS: Final[Mapping[str, Shape]] = {
    "text": Shape(marks=_FORMATS | {"code"}),
    "hardBreak": Shape(optional={**_ID, "text": _one_of("\n")}),
    "date": Shape(required={"timestamp": _some_text}, optional=_ID),
    "emoji": Shape(required={"shortName": _text}, optional={**_ID, "id": _text, "text": _text}),
    "inlineCard": Shape(optional={**_ID, "url": _text, "data": _anything}),
    "mention": Shape(
        required={"id": _text},
        optional={
            **_ID,
            "text": _text,
            "accessLevel": _text,
            "userType": _one_of("DEFAULT", "SPECIAL", "APP"),
        },
    ),
    "placeholder": Shape(required={"text": _text}, optional=_ID),
    "status": Shape(
        required={
            "text": _some_text,
            "color": _like(r"neutral|purple|blue|red|yellow|green|#[0-9a-fA-F]{6}"),
        },
        optional={**_ID, "style": _text},
    ),
    "inlineExtension": Shape(required=_EXTENSION, optional=_EXTENSION_MORE, marks=_EXTENSION_MARKS),
    "mediaInline": Shape(
        required={"id": _some_text, "collection": _text},
        optional={**_MEDIA, "type": _one_of("link", "file", "image"), "data": _anything},
        marks=_MEDIA_MARKS,
    ),
    "paragraph": Shape(INLINE, optional=_ID, marks=_TEXT_BLOCK_MARKS),
    "heading": Shape(INLINE, required={"level": _number(1, 6)}, optional=_ID, marks=_TEXT_BLOCK_MARKS),
    "bulletList": Shape(_set("listItem"), 1, optional=_ID),
    "orderedList": Shape(_set("listItem"), 1, optional={**_ID, "order": _number(0)}),
    "listItem": Shape(_ITEM, 1, optional=_ID),
    "taskList": Shape(_set("taskItem taskList blockTaskItem"), 1, required=_ID),
    "taskItem": Shape(INLINE, required={**_ID, "state": _one_of("TODO", "DONE")}),
    "blockTaskItem": Shape(
        _set("paragraph extension"), 1, required={**_ID, "state": _one_of("TODO", "DONE")}
    ),
    "decisionList": Shape(_set("decisionItem"), 1, required=_ID),
    "decisionItem": Shape(INLINE, required={**_ID, "state": _text}),
    "codeBlock": Shape(
        _set("text"),
        optional={
            **_ID,
            "language": _text,
            "uniqueId": _text,
            "wrap": _flag,
            "hideLineNumbers": _flag,
        },
        marks=_set("breakout"),
    ),
    "blockquote": Shape(
        _set("paragraph orderedList bulletList codeBlock mediaSingle mediaGroup extension"),
        1,
        optional=_ID,
    ),
    "rule": Shape(optional=_ID),
    "panel": Shape(
        _set(
            "paragraph heading bulletList orderedList blockCard mediaGroup mediaSingle codeBlock taskList "
            "rule decisionList extension"
        ),
        1,
        required={"panelType": _one_of("info", "note", "tip", "warning", "error", "success", "custom")},
        optional={
            **_ID,
            "panelIcon": _text,
            "panelIconId": _text,
            "panelIconText": _text,
            "panelColor": _text,
        },
    ),
    "table": Shape(
        _set("tableRow"),
        1,
        optional={
            "localId": _some_text,
            "displayMode": _one_of("default", "fixed"),
            "isNumberColumnEnabled": _flag,
            "layout": _one_of("wide", "full-width", "center", "align-end", "align-start", "default"),
            "width": _number(),
        },
        marks=_set("fragment"),
    ),
    "tableRow": Shape(_set("tableCell tableHeader"), optional=_ID),
    "tableCell": _CELL,
    "tableHeader": _CELL,
    "media": Shape(
        required={"type": _one_of("link", "file", "external")},
        optional={**_MEDIA, "id": _some_text, "collection": _text, "url": _text},
        marks=_MEDIA_MARKS,
    ),
    "mediaGroup": Shape(_set("media"), 1),
    "mediaSingle": Shape(
        _set("media caption"),
        1,
        2,
        optional={
            **_ID,
            "width": _number(0),
            "layout": _LAYOUTS,
            "widthType": _one_of("percentage", "pixel"),
        },
        marks=_set("link"),
    ),
    "caption": Shape(_set("hardBreak mention emoji date placeholder inlineCard status text"), optional=_ID),
    "expand": Shape(
        _IN_EXPAND | {"nestedExpand"}, 1, optional={**_ID, "title": _text}, marks=_set("breakout")
    ),
    "nestedExpand": Shape(_NESTED, 1, optional={**_ID, "title": _text}),
    "layoutSection": Shape(_set("layoutColumn"), 1, 3, optional=_ID, marks=_set("breakout")),
    "layoutColumn": Shape(
        _IN_COLUMN,
        1,
        required={"width": _number(0, 100)},
        optional={**_ID, "valign": _one_of("top", "middle", "bottom")},
    ),
    "blockCard": Shape(optional=_CARD),
    "embedCard": Shape(
        required={"url": _text, "layout": _LAYOUTS},
        optional={
            **_ID,
            "width": _number(0, 100),
            "originalHeight": _number(),
            "originalWidth": _number(),
        },
    ),
    "extension": Shape(required=_EXTENSION, optional=_EXTENSION_MORE, marks=_EXTENSION_MARKS),
    "bodiedExtension": Shape(
        _IN_EXPAND, 1, required=_EXTENSION, optional=_EXTENSION_MORE, marks=_EXTENSION_MARKS
    ),
    "syncBlock": Shape(required={**_ID, "resourceId": _text}, marks=_set("breakout")),
    "bodiedSyncBlock": Shape(
        _IN_EXPAND | _set("expand layoutSection"),
        1,
        required={**_ID, "resourceId": _text},
        marks=_set("breakout"),
    ),
    "doc": Shape(_TOP),
}

MARKS: Final[Mapping[str, Shape]] = {
    **dict.fromkeys(("em", "strong", "strike", "underline", "code"), Shape()),
    "link": Shape(
        required={"href": _text},
        optional=dict.fromkeys(("title", "id", "collection", "occurrenceKey"), _text),
    ),
    "subsup": Shape(required={"type": _one_of("sub", "sup")}),
    "textColor": Shape(required={"color": _COLOUR}),
    "backgroundColor": Shape(required={"color": _COLOUR}),
    "annotation": Shape(required={"id": _text, "annotationType": _one_of("inlineComment")}),
    "alignment": Shape(required={"align": _one_of("center", "end")}),
    "indentation": Shape(required={"level": _number(1, 6)}),
    "fontSize": Shape(required={"fontSize": _one_of("small")}),
    "breakout": Shape(required={"mode": _one_of("wide", "full-width")}, optional={"width": _number()}),
    "border": Shape(required={"size": _number(1, 3), "color": _like("#[0-9a-fA-F]{6}|#[0-9a-fA-F]{8}")}),
    "fragment": Shape(required={"localId": _some_text}, optional={"name": _text}),
    "dataConsumer": Shape(required={"sources": _list_of(_text)}),
}
