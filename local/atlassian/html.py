"""The frame of every page that a person sees, and its style."""

from __future__ import annotations

from html import escape

from local.atlassian.routing import Answer

STYLE = """
:root { color-scheme: light dark; --line: #d5d9e0; --soft: #5b6472; --back: #fff; --card: #f6f7f9;
  --accent: #0a58ca; --on-accent: #fff; --danger: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --line: #3a404a; --soft: #a5adba; --back: #16181d;
  --card: #1f2229; --accent: #8ab4f8; --on-accent: #10131a; --danger: #f2b8b5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
header { color: var(--soft); font-size: .875rem; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.125rem; margin: 2rem 0 .5rem; }
a { color: var(--accent); }
.soft { color: var(--soft); }
.tag { border: 1px solid var(--line); border-radius: 1rem; padding: .1rem .6rem; font-size: .875rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem;
  margin: 1rem 0; }
.error { border-color: var(--danger); color: var(--danger); }
.table { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { background: var(--card); }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); padding: .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
ul.plain { list-style: none; padding: 0; }
label.choice { display: flex; gap: .75rem; align-items: start; padding: .75rem; border: 1px solid var(--line);
  border-radius: .5rem; margin: .5rem 0; }
textarea { width: 100%; min-height: 14rem; font: .9rem/1.4 ui-monospace, monospace; }
select, textarea, button { font-size: 1rem; padding: .5rem .75rem; border: 1px solid var(--line);
  border-radius: .375rem; }
button { background: var(--card); color: inherit; min-height: 2.75rem; }
button.main { background: var(--accent); color: var(--on-accent); border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.row { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
summary { cursor: pointer; padding: .5rem 0; }
"""


def page(title: str, body: str, *, status: int = 200) -> Answer:
    """Return a whole page. Nothing on it comes from elsewhere, and nothing on it is a script."""
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n</head>\n'
        '<body>\n<header>Emulated Atlassian, for development: <a href="/">all sites</a></header>\n'
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
    # No form-action: the consent form is answered with a redirect to the app, which that would forbid.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    headers = {
        "Content-Type": "text/html;charset=UTF-8",
        "Content-Security-Policy": policy + "; base-uri 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(text, status, headers)
