"""A ticket's texts as HTML: documents on Cloud, wiki markup on Data Center."""

from __future__ import annotations

from local.atlassian import wiki_html
from local.atlassian.adf import to_html as document_html
from local.atlassian.adf.reader import Media
from local.atlassian.model import RichText
from local.atlassian.rich_text import as_document, as_markup


def to_html(stored: RichText, media: Media, *, data_center: bool) -> str:
    if data_center:
        return wiki_html.to_html(as_markup(stored, media))
    return document_html.to_html(as_document(stored, media), media)
