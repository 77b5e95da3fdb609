"""The routes of a consent; ``jobticket.connections.consent`` draws the way through them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket.aws import AWS_FAULTS
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.connect_tokens import ConnectTokens, ConsentRequest
from jobticket.connections.consent import (
    INVALID_STATE,
    PENDING_LIFETIME,
    Accepted,
    Consent,
    ExchangeError,
    Pending,
)
from jobticket.connections.consent_pages import ConsentPages
from jobticket.connections.model import PROVIDERS, checked_id
from jobticket.connections.origins import ReturnOrigins, with_parameter
from jobticket.connections.sessions import SessionStore, digest
from jobticket.connections.vault import CONSENTS, Sealer, Vault, VaultError, kms_client
from jobticket.dataclass import replace
from jobticket.errors import (
    ForbiddenError,
    InvalidError,
    UnauthenticatedError,
    UnavailableError,
    UpstreamError,
)
from jobticket.observability import logger
from jobticket.web.api import RETRY_SECONDS, Answer, Api, CrossOrigin, Request
from jobticket.web.authentication import stored_ring
from jobticket.web.routes import routes_of


class OauthSettings(AccessSettings):
    """The environment of this function."""

    key_ring_secret: str
    public_url: str
    atlassian_scopes: str
    connect_mode: Literal["token", "open"] = "token"
    return_origins: str = ""
    default_return_url: str = ""


config = OauthSettings.from_environment()
ring = stored_ring(config.key_ring_secret, local=config.environment == "local", lazily=True)
access = JiraAccess(config)
data_keys = access.store.table, functools.cache(kms_client), config.encryption_key
#: The role of this function may open consents under way, and no connection: it only seals those.
vault = Vault(*data_keys, purpose=CONSENTS)
sealer = Sealer(*data_keys)
sessions = SessionStore(access.store.table)
connect_tokens = ConnectTokens(sessions)
consent = Consent(
    sessions,
    access.store,
    vault,
    sealer,
    access.app,
    scopes=config.atlassian_scopes,
    public_url=config.public_url,
)
origins = ReturnOrigins.parse(config.return_origins)
pages = ConsentPages(config.public_url, Path(__file__).parent / "pages")
api = Api(
    routes_of(__name__),
    cross_origin=CrossOrigin(
        origins.origins, ("content-type", "authorization", "x-connect-token", "x-juncture-public-key")
    ),
)

UNAVAILABLE = "The sign-in cannot be completed for now. Please try again."

PRIVATE = {"Cache-Control": "no-store"}

#: AWS is failing, or a secret cannot be opened. A browser gets a page.
FAULTS = (*AWS_FAULTS, VaultError)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


# --- beginning ----------------------------------------------------------------------------------------------


@api.route("beginConsent")
def begin_consent(request: Request) -> Answer:
    # Permission first: a caller without it learns nothing about the rest of its request.
    has_key = _has_key(request)
    minted = None if has_key else _minted(request)
    name = checked_id(request.json.get("provider"), request.json.get("external_id"))
    return_url = origins.check(request.json.get("return_url"))
    if minted is not None:
        minted.check(name, return_url)
    wanted = minted or ConsentRequest(name, return_url, may_replace=has_key)
    if not config.public_url:
        raise UnavailableError("The deployment does not know its public URL: set the parameter PublicUrl")
    back = wanted.return_url or config.default_return_url or None
    uri = consent.begin(replace(wanted, return_url=back))
    return Answer(body={"authorization_uri": uri}, headers=PRIVATE)


def _has_key(request: Request) -> bool:
    """Tell whether the caller brings a key with the scope; a wrong key is refused, a missing one is not."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        return False
    ring.authenticate(authorization).require("tokens")
    return True


def _minted(request: Request) -> ConsentRequest | None:
    """Return what the caller's connect token permits; None if the deployment needs none."""
    token = request.headers.get("x-connect-token")
    if token:
        return connect_tokens.find(token)
    if config.connect_mode == "open":
        return None
    raise UnauthenticatedError("A connect token is required")


# --- coming back from Atlassian -----------------------------------------------------------------------------


@api.route("completeConsent")
def complete_consent(request: Request) -> Answer:
    provider, query = request.path("provider"), request.query
    try:
        if provider not in PROVIDERS or not query.get("state", "").strip():
            raise InvalidError("Invalid request")
        if query.get("error"):
            return _refused(request, provider, query["state"], query["error"])
        if not query.get("code", "").strip():
            raise InvalidError("Invalid request")
        accepted = consent.accept(provider, query["state"], query["code"], request.deadline)
    except ExchangeError as refusal:
        return _not_connected(request, refusal.message, "failed", back=refusal.return_url)
    except InvalidError as refusal:
        notice = "expired_sign_in" if refusal.message == INVALID_STATE else "incomplete"
        return _not_connected(request, refusal.message, notice)
    except FAULTS:
        logger.exception("a consent cannot be accepted for now")
        return _later(_not_connected(request, UNAVAILABLE, "unavailable", status=503))
    link = f"{config.public_url}/finalize-connection/{provider}/{accepted.code}"
    return Answer(302, headers=PRIVATE | {"Location": link}, cookies=(_set_cookie(accepted),))


def _refused(request: Request, provider: str, state: str, error: str) -> Answer:
    reason = error if re.fullmatch(r"[a-z_]{1,40}", error) else "server_error"
    return_url = consent.decline(provider, state)
    if return_url is not None:
        back = with_parameter(return_url, "error", reason)
        return Answer(302, headers=PRIVATE | {"Location": back})
    notice = "denied" if reason == "access_denied" else "failed"
    return _not_connected(request, reason, notice)


def _not_connected(
    request: Request, error: str, notice: str, *, status: int = 400, back: str | None = None
) -> Answer:
    """Answer why there is no connection: a browser gets a page."""
    if "text/html" in request.headers.get("accept", ""):
        return pages.notice(status, notice, back)
    return Answer(status, {"error": error}, PRIVATE)


def _later(answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "Retry-After": str(RETRY_SECONDS)})


# --- choosing a site ----------------------------------------------------------------------------------------


@api.route("chooseSite")
def choose_site(request: Request) -> Answer:
    try:
        return _choice(request, request.path("connection_code"))
    except ForbiddenError:
        return pages.notice(403, "other_browser")
    except FAULTS:
        logger.exception("a pending consent cannot be read for now")
        return _later(pages.notice(503, "unavailable"))


def _choice(request: Request, code: str) -> Answer:
    try:
        pending = _pending(request, code)
    except InvalidError:
        chosen = consent.chosen(code, _cookie_of(request, code))
        if chosen is None:
            return pages.notice(400, "expired_page")
        return pages.notice(200, "connected", chosen.return_url, site=chosen.site_name)
    try:
        sites = consent.sites(pending, request.deadline)
    except UpstreamError:
        return pages.notice(502, "failed", pending.request.return_url)
    return pages.choice(
        code=code,
        external_id=pending.request.name.external_id,
        account=consent.account(pending, sites, request.deadline),
        return_url=pending.request.return_url,
        sites=sites,
    )


@api.route("getStyle")
def get_style(_request: Request) -> Answer:
    return pages.asset("page.css")


@api.route("getScript")
def get_script(_request: Request) -> Answer:
    return pages.asset("page.js")


@api.route("listSites")
def list_sites(request: Request) -> Answer:
    code = request.query.get("connection_code")
    if not code:
        raise InvalidError("Missing connection_code")
    pending = _pending(request, code)
    found = consent.sites(pending, request.deadline)
    return Answer(body={"sites": [each.as_json() for each in found]}, headers=PRIVATE)


@api.route("createConnection")
def create_connection(request: Request) -> Answer:
    code, site_id = request.json.get("connection_code"), request.json.get("site_id")
    if not (isinstance(code, str) and code and isinstance(site_id, str) and site_id):
        raise InvalidError("Missing connection_code or site_id")
    pending = _pending(request, code)
    consent.finalize(pending, site_id, request.deadline)
    back = pending.request.return_url
    told = {"success": True, **({"return_url": back} if back else {})}
    return Answer(body=told, headers=PRIVATE)  # the cookie stays: with it, the page says what was chosen


def _pending(request: Request, code: str) -> Pending:
    return consent.pending(code, _cookie_of(request, code), lambda: _has_key(request))


def _cookie_of(request: Request, code: str) -> str | None:
    return request.cookies.get(_cookie_name(digest("PENDING", code)))


# --- the cookie: a link alone is worth nothing --------------------------------------------------------------


def _cookie_name(pending_id: str) -> str:
    # One for each consent, so that two tabs do not take each other's.
    return ("" if _is_plain() else "__Host-") + f"finalize-{pending_id[:16]}"


def _is_plain() -> bool:
    """Tell whether this is the local stack, which has no TLS: such cookies need it."""
    return config.environment == "local"


def _set_cookie(accepted: Accepted) -> str:
    name, seconds = _cookie_name(accepted.id), int(PENDING_LIFETIME.total_seconds())
    secure = "" if _is_plain() else "; Secure"
    return f"{name}={accepted.cookie}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
