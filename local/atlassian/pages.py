"""What a person looks at: the list of tickets, a ticket with its markup rendered, a form to edit it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from html import escape
from urllib.parse import parse_qs, unquote, urlsplit

from local.atlassian import catalogue, rich_text, ticket_html
from local.atlassian.differences import difference
from local.atlassian.emulator import Emulator, Request
from local.atlassian.html import page
from local.atlassian.issues import set_status
from local.atlassian.model import Issue, RichText
from local.atlassian.routing import Answer
from local.atlassian.world import Site

_SHOWN_TICKETS = 50
_SHOWN_CHANGES = 50
_LOSSY = '<br><small class="soft">What markup cannot say, such as check boxes, is lost when you save.</small>'
_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="16" height="16">'
    '<circle cx="8" cy="8" r="7" fill="#5b7fb5"/></svg>'
)


def _when(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


def _browse_url(emulator: Emulator, site: Site, key: str) -> str:
    return f"{emulator.site_url(site)}/browse/{escape(key)}"


def index(emulator: Emulator, _request: Request) -> Answer:
    """List sites, projects and the newest tickets."""
    body = "<h1>Sites</h1>" + "".join(_site(emulator, site) for site in emulator.world.sites.values())
    return page("Emulated Atlassian", body)


def _site(emulator: Emulator, site: Site) -> str:
    if not site.jira:
        return f'<h2>{escape(site.name)}</h2><p class="soft">Confluence only, no Jira.</p>'
    projects = "".join(_project(emulator, site, each) for each in site.projects)
    return f'<section class="card"><h2>{escape(site.name)}</h2>{projects}</section>'


def _project(emulator: Emulator, site: Site, project_id: int) -> str:
    project = site.projects[project_id]
    ids = site.by_project[project_id]
    newest = (site.issues[each] for each in itertools.islice(reversed(ids), _SHOWN_TICKETS))
    rows = "".join(
        f'<li><a href="{_browse_url(emulator, site, issue.key)}">{escape(issue.key)}</a> '
        f"{escape(issue.summary)}</li>"
        for issue in newest
    )
    count = "1 ticket" if len(ids) == 1 else f"{len(ids)} tickets"
    if len(ids) > _SHOWN_TICKETS:
        count += f", the newest {_SHOWN_TICKETS} below"
    return (
        f"<details><summary><b>{escape(project.name)}</b> ({escape(project.key)}): {count}</summary>"
        f'<ul class="plain">{rows}</ul></details>'
    )


def _find(emulator: Emulator, request: Request) -> tuple[Site | None, Issue | None]:
    parts = request.raw_path.strip("/").split("/")
    world = emulator.world
    if parts[0] == "sites":
        site = world.site_by_slug(unquote(parts[1]))
    else:
        here = urlsplit(emulator.site_url(world.default_site)).path
        site = world.default_site if request.raw_path.startswith(f"{here}/browse/") else None
    return site, site.issue(unquote(parts[-1])) if site else None


def _missing() -> Answer:
    return page(
        "No such ticket", "<h1>No such ticket</h1><p>It does not exist, or was deleted.</p>", status=404
    )


def browse(emulator: Emulator, request: Request) -> Answer:
    """Show a ticket."""
    site, issue = _find(emulator, request)
    if site is None or issue is None:
        return _missing()
    return _ticket(emulator, site, issue)


def edit(emulator: Emulator, request: Request) -> Answer:
    """Take a description that a person has edited by hand."""
    site, issue = _find(emulator, request)
    if site is None or issue is None:
        return _missing()
    form = parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)
    if status := catalogue.STATUSES.get(form.get("status", [""])[0]):
        set_status(emulator.world, emulator.controls, site, issue, _author(emulator, form), status)
        return Answer(None, 303, {"Location": _browse_url(emulator, site, issue.key)})
    text = form.get("description", [""])[0].replace("\r\n", "\n")
    try:
        description = _description(emulator, issue, text)
    except rich_text.FieldError as error:
        refusal = f'<h1>Not saved</h1><p class="card error" role="alert">{escape(str(error))}</p>'
        return page("Not saved", refusal, status=400)
    person = next(iter(emulator.world.accounts))
    lag = emulator.controls.search_lag_ms / 1000
    rich_text.settle(issue, data_center=emulator.controls.data_center)
    emulator.world.edit_issue(site, issue, person, {"description": description}, lag=lag)
    return Answer(None, 303, {"Location": _browse_url(emulator, site, issue.key)})


def _author(emulator: Emulator, form: dict[str, list[str]]) -> str:
    """Return who changes the ticket: the account that the form names, or the first one."""
    accounts = emulator.world.accounts
    named = form.get("account", [""])[0]
    return named if named in accounts else next(iter(accounts))


def _description(emulator: Emulator, issue: Issue, text: str) -> RichText | None:
    """Return a text from the form as it is stored; an untouched one changes nothing."""
    if issue.description is not None and text == _shown_markup(emulator, issue):
        return issue.description
    limit = emulator.controls.text_limit
    if len(text) > limit:
        raise rich_text.FieldError(rich_text.too_long(limit))
    if emulator.controls.data_center:
        return text or None
    return rich_text.written_in_markup(text, rich_text.media_of(issue))


def _shown_markup(emulator: Emulator, issue: Issue) -> str:
    if issue.description is None:
        return ""
    media = rich_text.media_of(issue)
    if emulator.controls.data_center:
        return rich_text.as_markup(issue.description, media)
    return rich_text.as_markup(rich_text.as_document(issue.description, media), media)


def _ticket(emulator: Emulator, site: Site, issue: Issue) -> Answer:
    text = _html(emulator, issue, issue.description) if issue.description else '<p class="soft">None.</p>'
    body = (
        f'<p class="soft">{escape(site.name)} / {escape(site.projects[issue.project_id].name)} / '
        f"<b>{escape(issue.key)}</b></p>"
        f"<h1>{escape(issue.summary)}</h1>"
        f'<p><span class="tag">{escape(catalogue.STATUSES[issue.status_id].name)}</span></p>'
        f"{_status_form(emulator, site, issue)}"
        f"{_details(emulator, issue)}"
        f'<h2>Description</h2><div id="description" class="text">{text}</div>{_form(emulator, site, issue)}'
        f"<h2>Comments</h2>{_comments(emulator, issue)}"
        f"<h2>Links</h2>{_links(issue)}"
        f"<h2>History</h2>{_history(emulator, issue)}"
    )
    return page(f"{issue.key}: {issue.summary}", body)


def _html(emulator: Emulator, issue: Issue, stored: RichText) -> str:
    media = rich_text.media_of(issue)
    return ticket_html.to_html(stored, media, data_center=emulator.controls.data_center)


def _details(emulator: Emulator, issue: Issue) -> str:
    pairs = [
        ("Type", catalogue.ISSUE_TYPES[issue.type_id].name),
        ("Priority", catalogue.PRIORITIES[issue.priority_id].name if issue.priority_id else "none"),
        ("Assignee", emulator.world.accounts[issue.assignee].display_name if issue.assignee else "nobody"),
        ("Labels", ", ".join(issue.labels) or "none"),
    ]
    pairs += [
        (catalogue.FIELDS[name].name, f"{value:g}" if isinstance(value, float) else str(value))
        for name, value in issue.custom.items()
        if value is not None
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f"<dl>{rows}<dt>Updated</dt><dd>{_when(issue.updated)}</dd></dl>"


def _status_form(emulator: Emulator, site: Site, issue: Issue) -> str:
    """Return a form that moves the ticket in somebody's name; a colleague's by default."""
    statuses = "".join(
        f'<option value="{each.id}"{" selected" if each.id == issue.status_id else ""}>{each.name}</option>'
        for each in catalogue.STATUSES.values()
    )
    people = [each for each in emulator.world.accounts.values() if not each.service_token]
    names = "".join(
        f'<option value="{escape(each.account_id)}"{" selected" if number == 1 else ""}>'
        f"{escape(each.display_name)}</option>"
        for number, each in enumerate(people)
    )
    return (
        f'<details><summary>Change status</summary><form method="post" class="row" '
        f'action="{_browse_url(emulator, site, issue.key)}">'
        f'<label>Status <select name="status">{statuses}</select></label>'
        f'<label>in the name of <select name="account">{names}</select></label>'
        '<button class="main">Change</button></form></details>'
    )


def _form(emulator: Emulator, site: Site, issue: Issue) -> str:
    # A newline right after <textarea> is swallowed by browsers, so one is given to swallow.
    return (
        f'<details><summary>Edit description</summary><form method="post" '
        f'action="{_browse_url(emulator, site, issue.key)}">'
        f'<p><label for="text">Wiki markup</label>{"" if emulator.controls.data_center else _LOSSY}</p>'
        f'<textarea id="text" name="description" maxlength="{emulator.controls.text_limit}">\n'
        f"{escape(_shown_markup(emulator, issue))}</textarea>"
        '<div class="row"><button class="main">Save</button></div></form></details>'
    )


def _comments(emulator: Emulator, issue: Issue) -> str:
    if not issue.comments:
        return '<p class="soft">None.</p>'
    return "".join(
        f'<article class="card"><p class="soft">{escape(emulator.world.accounts[each.author].display_name)}, '
        f'{_when(each.created)}</p><div class="text">{_html(emulator, issue, each.body)}</div></article>'
        for each in issue.comments
    )


def _links(issue: Issue) -> str:
    if not issue.remote_links:
        return '<p class="soft">None.</p>'
    rows = (_link(str(link.object["title"]), str(link.object["url"])) for link in issue.remote_links)
    return f"<ul>{''.join(rows)}</ul>"


def _link(title: str, url: str) -> str:
    if not url.startswith(("http://", "https://")):
        return f"<li>{escape(title)} ({escape(url)})</li>"
    return f'<li><a href="{escape(url)}" rel="noreferrer noopener">{escape(title)}</a></li>'


def _history(emulator: Emulator, issue: Issue) -> str:
    if not issue.histories:
        return '<p class="soft">No changes yet.</p>'
    rows = "".join(
        f"<tr><td>{_when(history.created)}</td>"
        f"<td>{escape(emulator.world.accounts[history.author].display_name)}</td>"
        f"<td>{escape(_field_name(change.field))}</td>"
        f"<td>{difference(change.from_text, change.to_text)}</td></tr>"
        for history in issue.histories[::-1][:_SHOWN_CHANGES]
        for change in history.changes
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("When", "Who", "Field", "Change"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="table history">{table}</div>'


def _field_name(field: str) -> str:
    known = catalogue.FIELDS.get(field)
    return known.name if known else field


def picture(_emulator: Emulator, _request: Request) -> Answer:
    """Serve every avatar and icon: the answers of the API name them, so they had better exist."""
    return Answer(_PICTURE, headers={"Content-Type": "image/svg+xml", "Cache-Control": "max-age=86400"})


ROUTES = [
    ("GET", "/", index),
    ("GET", "/browse/{key}", browse),
    ("POST", "/browse/{key}", edit),
    ("GET", "/sites/{slug}/browse/{key}", browse),
    ("POST", "/sites/{slug}/browse/{key}", edit),
    ("GET", "/{context:.+}/browse/{key}", browse),
    ("POST", "/{context:.+}/browse/{key}", edit),
    ("GET", "/images/{rest:.*}", picture),
    ("GET", "/sites/{slug}/images/{rest:.*}", picture),
    ("GET", "/{context:.+}/images/{rest:.*}", picture),
]
