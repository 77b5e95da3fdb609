"""The login page of a Data Center: the one way out of its CAPTCHA."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from local.atlassian.emulator import Emulator, Request
from local.atlassian.html import page
from local.atlassian.routing import Answer


def show(emulator: Emulator, _request: Request) -> Answer:
    return _form(emulator)


def log_in(emulator: Emulator, request: Request) -> Answer:
    """Take a password. Opening the page and sending it is what stands for the solved CAPTCHA here."""
    form = parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)
    name, password = (form.get(field, [""])[0] for field in ("os_username", "os_password"))
    if emulator.logins.in_browser(name, password):
        return page("Logged in", f"<h1>Logged in</h1><p>{escape(name)} may use the API again.</p>")
    return _form(emulator, name, "Sorry, your username and password are incorrect - please try again.", 401)


def _form(emulator: Emulator, name: str = "", problem: str = "", status: int = 200) -> Answer:
    told = f'<p class="card error" role="alert">{problem}</p>' if problem else ""
    captcha = "<p>Too many failed logins: a person has to log in here.</p>"
    body = (
        f"<h1>Log in</h1>{told}{captcha if emulator.logins.asks_for_captcha(name) else ''}"
        '<form method="post">'
        f'<p><label>Username <input name="os_username" value="{escape(name)}"></label></p>'
        '<p><label>Password <input name="os_password" type="password"></label></p>'
        '<div class="row"><button class="main">Log in</button></div></form>'
    )
    return page("Log in", body, status=status)


ROUTES = [
    (method, path, work)
    for path in ("/login.jsp", "/sites/{slug}/login.jsp", "/{context:.+}/login.jsp")
    for method, work in (("GET", show), ("POST", log_in))
]
