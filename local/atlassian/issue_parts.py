"""What hangs on an issue: comments, entity properties, remote links."""

from __future__ import annotations

from typing import Any

from local.atlassian import wire
from local.atlassian.bodies import parse
from local.atlassian.issue_edits import read_comment, read_properties
from local.atlassian.issue_fields import show_comment
from local.atlassian.model import Comment, Issue, RemoteLink
from local.atlassian.routing import READ, WRITE, Answer, Call, JiraError, Route

_PROPERTY_LIMIT = 32_768
_NO_COMMENT = "You do not have the permission to comment on this issue."
_NO_EDIT = "You do not have permission to edit issues in this project."
_NO_COMMENT_FOUND = "Can not find a comment for the id: "


def list_comments(call: Call) -> Answer:
    issue = call.issue()
    comments = issue.comments
    order = call.text("orderBy", "created").lstrip("+")
    if order == "-created":
        comments = comments[::-1]
    elif order != "created":
        raise JiraError(400, "The orderBy parameter takes only 'created'.")
    properties = "properties" in call.texts("expand")

    def show(comment: Comment) -> Any:
        return show_comment(call, issue, comment, properties=properties)

    page = wire.page_of(call, comments, show, default=100, cap=5000, name="comments", last=False)
    return Answer(page)


def add_comment(call: Call) -> Answer:
    issue = call.writable_issue(_NO_COMMENT)
    body = call.json()
    text = read_comment(call, body.get("body"))
    comment = call.world.add_comment(call.site, issue, call.author, text, read_properties(body))
    return Answer(show_comment(call, issue, comment), 201)


def _comment_of(call: Call, comment_id: str) -> tuple[Issue, Comment]:
    number = int(comment_id) if comment_id.isascii() and comment_id.isdigit() else 0
    issue = call.site.issues.get(call.site.comment_issues.get(number, 0))
    if issue is None or not call.sees(call.site.projects[issue.project_id]):
        raise JiraError(404, _NO_COMMENT_FOUND + comment_id + ".")
    return issue, next(comment for comment in issue.comments if comment.id == number)


def get_comment(call: Call) -> Answer:
    asked = call.issue()
    issue, comment = _comment_of(call, call.params["comment"])
    if issue.id != asked.id:
        raise JiraError(404, _NO_COMMENT_FOUND + call.params["comment"] + ".")
    return Answer(show_comment(call, issue, comment, properties="properties" in call.texts("expand")))


def get_comment_property(call: Call) -> Answer:
    _, comment = _comment_of(call, call.params["comment"])
    return _property(comment.properties, call.params["property"])


def list_comment_properties(call: Call) -> Answer:
    _, comment = _comment_of(call, call.params["comment"])
    return _keys(call, comment.properties, f"comment/{comment.id}")


def put_comment_property(call: Call) -> Answer:
    _, comment = _comment_of(call, call.params["comment"])
    return _put(call, comment.properties)


def _property(properties: dict[str, Any], key: str) -> Answer:
    if key not in properties:
        raise JiraError(404, f"The property {key} does not exist.")
    return Answer({"key": key, "value": properties[key]})


def _keys(call: Call, properties: dict[str, Any], path: str) -> Answer:
    keys = [{"self": wire.link(call, f"{path}/properties/{key}"), "key": key} for key in properties]
    return Answer({"keys": keys})


def _put(call: Call, properties: dict[str, Any]) -> Answer:
    """Set a property, whose value is the whole body: any JSON that is not empty, up to 32,768 characters."""
    key = call.params["property"]
    if len(key) > 255:
        raise JiraError(400, "The property key must not be longer than 255 characters.")
    if not call.raw_body or len(call.raw_body) > _PROPERTY_LIMIT:
        raise JiraError(400, "The property value must be between 1 and 32768 characters long.")
    try:
        value = parse(call.raw_body)
    except ValueError as error:
        raise JiraError(400, "The property value is not valid JSON.") from error
    created = key not in properties
    properties[key] = value
    call.world.changed()
    return Answer(status=201 if created else 200)


def list_issue_properties(call: Call) -> Answer:
    issue = call.issue()
    return _keys(call, issue.properties, f"issue/{issue.id}")


def get_issue_property(call: Call) -> Answer:
    return _property(call.issue().properties, call.params["property"])


def put_issue_property(call: Call) -> Answer:
    return _put(call, call.writable_issue(_NO_EDIT).properties)


def delete_issue_property(call: Call) -> Answer:
    issue = call.writable_issue(_NO_EDIT)
    _property(issue.properties, call.params["property"])
    del issue.properties[call.params["property"]]
    call.world.changed()
    return Answer(status=204)


def _show_link(call: Call, issue: Issue, link: RemoteLink) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": link.id,
        "self": wire.link(call, f"issue/{issue.key}/remotelink/{link.id}"),
    }
    if link.global_id:
        shown["globalId"] = link.global_id
    shown["application"] = link.application
    if link.relationship:
        shown["relationship"] = link.relationship
    return {**shown, "object": link.object}


def list_remote_links(call: Call) -> Answer:
    issue = call.issue()
    wanted = call.text("globalId")
    if not wanted:
        return Answer([_show_link(call, issue, link) for link in issue.remote_links])
    for link in issue.remote_links:
        if link.global_id == wanted:
            return Answer(_show_link(call, issue, link))
    raise JiraError(404, "The remote link does not exist.")


def put_remote_link(call: Call) -> Answer:
    issue = call.writable_issue(_NO_EDIT)
    body = call.json()
    target = body.get("object")
    errors = {
        name: f"'{name}' is required."
        for name in ("url", "title")
        if not isinstance(target, dict) or not target.get(name)
    }
    if errors:
        raise JiraError(400, errors=errors)
    if len(str(body.get("globalId") or "")) > 255:
        raise JiraError(400, errors={"globalId": "'globalId' must not be longer than 255 characters."})
    shown_object = {"icon": {}, "status": {"icon": {}}, **(target or {})}
    link = RemoteLink(
        0, body.get("globalId"), body.get("relationship"), body.get("application") or {}, shown_object
    )
    created = call.world.put_remote_link(call.site, issue, link)
    here = wire.link(call, f"issue/{issue.key}/remotelink/{link.id}")
    return Answer({"id": link.id, "self": here}, 201 if created else 200)


def delete_remote_link(call: Call) -> Answer:
    issue = call.writable_issue(_NO_EDIT)
    kept = [link for link in issue.remote_links if str(link.id) != call.params["link"]]
    if len(kept) == len(issue.remote_links):
        raise JiraError(404, "The remote link does not exist.")
    issue.remote_links = kept
    call.world.changed()
    return Answer(status=204)


_ISSUE = "/rest/api/{version}/issue/{issue}"
_COMMENT = "/rest/api/{version}/comment/{comment}"
ROUTES = [
    Route("GET", f"{_ISSUE}/comment", list_comments, READ),
    Route("POST", f"{_ISSUE}/comment", add_comment, WRITE),
    Route("GET", f"{_ISSUE}/comment/{{comment}}", get_comment, READ),
    Route("GET", f"{_COMMENT}/properties", list_comment_properties, READ),
    Route("GET", f"{_COMMENT}/properties/{{property}}", get_comment_property, READ),
    Route("PUT", f"{_COMMENT}/properties/{{property}}", put_comment_property, WRITE),
    Route("GET", f"{_ISSUE}/properties", list_issue_properties, READ),
    Route("GET", f"{_ISSUE}/properties/{{property}}", get_issue_property, READ),
    Route("PUT", f"{_ISSUE}/properties/{{property}}", put_issue_property, WRITE),
    Route("DELETE", f"{_ISSUE}/properties/{{property}}", delete_issue_property, WRITE),
    Route("GET", f"{_ISSUE}/remotelink", list_remote_links, READ),
    Route("POST", f"{_ISSUE}/remotelink", put_remote_link, WRITE),
    Route("DELETE", f"{_ISSUE}/remotelink/{{link}}", delete_remote_link, WRITE),
]
