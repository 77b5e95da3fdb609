"""How much text Jira takes."""

from __future__ import annotations

from collections.abc import Sequence

#: What a description or a comment holds (contract: atlassian.md).
LIMIT = 32_767


def length(text: str) -> int:
    """Return how many characters Jira counts.

    Jira is a Java program and counts UTF-16 code units, so an emoji is two. Where a site should count
    otherwise, this is the larger number: at worst a table is moved before it had to be.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fits(text: str, limit: int = LIMIT) -> bool:
    """Tell whether Jira takes the text."""
    return length(text) <= limit


def packed(texts: Sequence[str], limit: int = LIMIT, *, heading: str | None = None) -> tuple[str, ...]:
    """Put texts together, in order and with blank lines between, into as few comments as hold them.

    Parameters
    ----------
    heading
        Introduces each comment that has room for it.
    """
    comments: list[str] = []
    for text in texts:
        if comments and fits(joined := f"{comments[-1]}\n\n{text}", limit):
            comments[-1] = joined
        else:
            introduced = f"{heading}\n\n{text}"
            comments.append(introduced if heading and fits(introduced, limit) else text)
    return tuple(comments)
