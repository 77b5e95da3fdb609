"""The frame of every page that a person sees, and its style."""

from __future__ import annotations

from html import escape

from local.atlassian.routing import Answer

STYLE = """
:root { color-scheme: light dark; --line: #d5d9e0; --soft: #5b6472; --back: #fff; --card: #f6f7f9;
  --accent: #0a58ca; --on-accent: #fff; --danger: #b3261e; --neutral-back: #e9ebef; --neutral: #42526e;
  --info-back: #deebff; --info: #0747a6; --ok-back: #e3fcef; --ok: #006644; --warn-back: #fff4d6;
  --warn: #7a4a00; --error-back: #ffebe6; --error: #a52a0a; --note-back: #eae6ff; --note: #403294; }
@media (prefers-color-scheme: dark) { :root { --line: #3a404a; --soft: #a5adba; --back: #16181d;
  --card: #1f2229; --accent: #8ab4f8; --on-accent: #10131a; --danger: #f2b8b5;
  --neutral-back: #2c333d; --neutral: #c3cad5; --info-back: #12294b; --info: #a6c8ff; --ok-back: #12352a;
  --ok: #7ee2b8; --warn-back: #3b2c0b; --warn: #f5cd47; --error-back: #42221f; --error: #ffb4a3;
  --note-back: #2b2451; --note: #c6bdff; } }
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
.table { overflow-wrap: break-word; }
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
select { max-width: 100%; }
select, textarea, button { font-size: 1rem; padding: .5rem .75rem; border: 1px solid var(--line);
  border-radius: .375rem; }
button { background: var(--card); color: inherit; min-height: 2.75rem; }
button.main { background: var(--accent); color: var(--on-accent); border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; margin: 1rem 0; }
summary { cursor: pointer; padding: .5rem 0; }
.text > :first-child { margin-top: 0; } .text > :last-child { margin-bottom: 0; }
.text h3, .text h4, .text h5, .text h6 { margin: 1.25rem 0 .5rem; line-height: 1.3; font-size: 1rem; }
.text .level-1 { font-size: 1.35rem; } .text .level-2 { font-size: 1.2rem; }
.text .level-3 { font-size: 1.1rem; }
.text .level-6 { color: var(--soft); font-size: .875rem; }
.text ul, .text ol { padding-left: 1.5rem; } .text li > p:first-child { margin-top: 0; }
.text :not(pre) > code { background: var(--card); border: 1px solid var(--line); border-radius: .2rem;
  padding: 0 .25rem; font-size: .9em; }
.text pre { border-radius: .375rem; overflow-wrap: normal; }
.text th > p, .text td > p { margin: 0 0 .25rem; } .text td.number { color: var(--soft); text-align: right; }
.text table { min-width: min-content; } .text th { font-weight: 600; }
.text td ul, .text td ol { margin: 0; padding-left: 1.2rem; }
.text ul.tasks { list-style: none; padding-left: 0; } .text ul.tasks ul.tasks { padding-left: 1.5rem; }
.tasks label, .tasks li > div { display: flex; gap: .6rem; align-items: baseline; margin: .25rem 0; }
.tasks input { flex: none; width: 1rem; height: 1rem;
  accent-color: var(--accent); position: relative; top: .15rem; }
.text ul.decisions { list-style: none; padding-left: 0; }
.decisions li { background: var(--card); border-radius: .375rem; padding: .4rem .75rem;
  margin: .25rem 0; }
.decisions li::before { content: "⤷ "; color: var(--ok); font-weight: 700; }
.lozenge { display: inline-block; border-radius: .2rem; padding: 0 .35rem; font-size: .75rem;
  font-weight: 700; line-height: 1.35rem; text-transform: uppercase;
  letter-spacing: .02em; background: var(--neutral-back);
  color: var(--neutral); }
.lozenge.blue { background: var(--info-back); color: var(--info); }
.lozenge.green { background: var(--ok-back); color: var(--ok); }
.lozenge.yellow { background: var(--warn-back); color: var(--warn); }
.lozenge.red { background: var(--error-back); color: var(--error); }
.lozenge.purple { background: var(--note-back); color: var(--note); }
.file::before { content: "▤ "; color: var(--soft); }
.date, .file, .mention { background: var(--neutral-back); color: inherit; border-radius: .25rem;
  padding: .05rem .35rem; font-size: .925em; }
.mention { background: var(--info-back); color: var(--info); border-radius: 1rem; }
.panel { display: flex; gap: .75rem; border-radius: .375rem; padding: .6rem .9rem; margin: .75rem 0;
  background: var(--info-back); }
.panel > div { flex: 1; min-width: 0; } .panel > div > :first-child { margin-top: 0; }
.panel > div > :last-child { margin-bottom: 0; }
.panel.note { background: var(--note-back); } .panel.success, .panel.tip { background: var(--ok-back); }
.panel.warning { background: var(--warn-back); }
.panel.error { background: var(--error-back); color: inherit; }
.day, time { white-space: nowrap; }
.history td:nth-child(4) { min-width: 16rem; width: 100%; }
@media (max-width: 40rem) {
  .history thead { display: none; }
  .history table, .history tbody, .history tr, .history td { display: block; }
  .history tr { border: 1px solid var(--line); border-radius: .375rem; padding: .5rem .75rem;
    margin: .5rem 0; }
  .history td { border: 0; padding: .1rem 0; }
  .history td:nth-child(-n+2) { display: inline; color: var(--soft); }
  .history td:nth-child(2)::before { content: ", "; }
  .history td:nth-child(3) { font-weight: 600; } .history td:nth-child(4) { min-width: 0; } }
.difference { font: .875rem/1.5 ui-monospace, monospace; white-space: pre-wrap; }
del, ins { border-radius: .2rem; padding: 0 .2rem; text-decoration-thickness: 1px; }
del { background: var(--error-back); color: var(--error); }
ins { background: var(--ok-back); color: var(--ok); text-decoration: none; }
.tinted { color: #172b4d; } .tinted a { color: #0747a6; }
.expand { border: 1px solid var(--line); border-radius: .375rem; padding: 0 .9rem; margin: .75rem 0; }
blockquote { margin: .75rem 0; padding: .1rem 0 .1rem 1rem; border-left: 3px solid var(--line);
  color: var(--soft); }
hr { border: 0; border-top: 1px solid var(--line); margin: 1.25rem 0; }
figure.media { margin: .75rem 0; text-align: center; }
.picture { border: 1px dashed var(--line); border-radius: .375rem; background: var(--card);
  padding: 1.5rem 1rem; }
.picture small { display: block; color: var(--soft); } figcaption { color: var(--soft); font-size: .875rem; }
.link-card, .unknown { border: 1px solid var(--line); border-radius: .375rem; padding: .6rem .9rem; }
.columns { display: flex; flex-wrap: wrap; gap: 1rem; margin: .75rem 0; }
.columns > div { flex: 1 1 14rem; min-width: 0; } .columns > div > :first-child { margin-top: 0; }
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
