"""Emojis: as signs in markup, as nodes in documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from local.atlassian.adf.nodes import Node, attrs_of
from local.atlassian.adf.reader import Found, Kind, Reader, as_text

_SIGNS: Final[dict[str, tuple[str, str, str]]] = {
    sign: emoji
    for signs, emoji in (
        (":) :-)", (":slight_smile:", "1f642", "🙂")),
        (":( :-(", (":disappointed:", "1f61e", "😞")),
        (":P :-P :p :-p", (":stuck_out_tongue:", "1f61b", "😛")),
        (":D :-D", (":smiley:", "1f603", "😃")),
        (";) ;-)", (":wink:", "1f609", "😉")),
        ("(y)", (":thumbsup:", "1f44d", "👍")),
        ("(n)", (":thumbsdown:", "1f44e", "👎")),
        ("(i)", (":info:", "atlassian-info", "")),
        ("(/)", (":check_mark:", "atlassian-check_mark", "")),
        ("(x)", (":cross_mark:", "atlassian-cross_mark", "")),
        ("(!)", (":warning:", "atlassian-warning", "")),
        ("(+)", (":plus:", "atlassian-plus", "")),
        ("(-)", (":minus:", "atlassian-minus", "")),
        ("(?)", (":question:", "atlassian-question_mark", "")),
        ("(on)", (":light_bulb_on:", "atlassian-light_bulb_on", "")),
        ("(off)", (":light_bulb_off:", "atlassian-light_bulb_off", "")),
        ("(*y) (*)", (":yellow_star:", "atlassian-yellow_star", "")),
        ("(*r)", (":red_star:", "atlassian-red_star", "")),
        ("(*g)", (":green_star:", "atlassian-green_star", "")),
        ("(*b)", (":blue_star:", "atlassian-blue_star", "")),
        ("(flag)", (":flag_on:", "atlassian-flag_on", "")),
        ("(flagoff)", (":flag_off:", "atlassian-flag_off", "")),
    )
    for sign in signs.split()
}
_OWN: Final = {
    emoji_id: sign for sign, (_, emoji_id, _) in reversed(_SIGNS.items()) if emoji_id.startswith("atlassian-")
}
# Characters that are text by default: as an emoji they carry a variation selector.
_TEXT_CODES: Final = """
a9 ae 203c 2049 2122 2139 2194 2195 2196 2197 2198 2199 21a9 21aa 2328 23cf 23ed 23ee 23ef 23f1 23f2 23f8
23f9 23fa 24c2 25aa 25ab 25b6 25c0 25fb 25fc 2600 2601 2602 2603 2604 260e 2611 2618 261d 2620 2622 2623
2626 262a 262e 262f 2638 2639 263a 2640 2642 2660 2663 2665 2666 2668 267b 2692 2694 2695 2696 2697 2699
269b 269c 26a0 26b0 26b1 26c8 26cf 26d1 26d3 26e9 26f0 26f1 26f4 26f7 26f8 26f9 2702 2708 2709 270c 270d
270f 2712 2714 2716 271d 2721 2733 2734 2744 2747 2763 2764 27a1 2934 2935 2b05 2b06 2b07 3030 303d 3297
3299 1f170 1f171 1f17e 1f17f 1f202 1f237 1f321 1f324 1f325 1f326 1f327 1f328 1f329 1f32a 1f32b 1f32c
1f336 1f37d 1f396 1f397 1f399 1f39a 1f39b 1f39e 1f39f 1f3cb 1f3cc 1f3cd 1f3ce 1f3d4 1f3d5 1f3d6 1f3d7
1f3d8 1f3d9 1f3da 1f3db 1f3dc 1f3dd 1f3de 1f3df 1f3f3 1f3f5 1f3f7 1f43f 1f441 1f4fd 1f549 1f54a 1f56f
1f570 1f573 1f574 1f575 1f576 1f577 1f578 1f579 1f587 1f58a 1f58b 1f58c 1f58d 1f590 1f5a5 1f5a8 1f5b1
1f5b2 1f5bc 1f5c2 1f5c3 1f5c4 1f5d1 1f5d2 1f5d3 1f5dc 1f5dd 1f5de 1f5e1 1f5e3 1f5e8 1f5ef 1f5f3 1f5fa
1f6cb 1f6cd 1f6ce 1f6cf 1f6e0 1f6e1 1f6e2 1f6e3 1f6e4 1f6e5 1f6e9 1f6f0 1f6f3
"""
_TEXT_BY_DEFAULT: Final = frozenset(int(code, 16) for code in _TEXT_CODES.split())
_HEX_ID: Final = re.compile(r"[0-9a-f]{2,6}(?:-[0-9a-f]{2,6})*")


def _read(_reader: Reader, text: str, at: int) -> Found:
    for length in range(2, 10):
        sign = text[at : at + length]
        following = text[at + length : at + length + 1]
        if sign in _SIGNS and len(sign) == length and not (following.isascii() and following.isalnum()):
            name, emoji_id, character = _SIGNS[sign]
            attrs = {"shortName": name, "id": emoji_id, "text": character or name}
            return Found(length, [{"type": "emoji", "attrs": attrs}])
    return as_text(text, at)


def to_markup(node: Node) -> str | None:
    """Return the sign or the character of an emoji; None if it has neither id nor name."""
    emoji_id = str(attrs_of(node).get("id") or "")
    if emoji_id in _OWN:
        return _OWN[emoji_id]
    if _HEX_ID.fullmatch(emoji_id) and all(_is_character(part) for part in emoji_id.split("-")):
        return _characters(emoji_id)
    return str(attrs_of(node).get("shortName") or "") or None


def _is_character(code: str) -> bool:
    return int(code, 16) < 0x110000 and not 0xD800 <= int(code, 16) < 0xE000


def _characters(emoji_id: str) -> str:
    codes = [int(part, 16) for part in emoji_id.split("-")]
    keycap = len(codes) == 2 and codes[1] == 0x20E3
    selector = "\ufe0f" if keycap or (len(codes) == 1 and codes[0] in _TEXT_BY_DEFAULT) else ""
    first, rest = chr(codes[0]), "".join(map(chr, codes[1:]))
    return first + selector + rest


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {Kind.EMOJI: _read}
