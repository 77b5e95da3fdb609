"""Grants of accounts to the app, authorization codes, access tokens, rotating refresh tokens."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

DAY = 86_400.0
_IDLE_DAYS = 90
_LIFE_DAYS = 365
_KEPT_TOKENS = 40


class InvalidGrantError(Exception):
    """A code or a refresh token that buys nothing (any more)."""


@dataclass(slots=True)
class Code:
    account: str
    scopes: list[str]
    redirect_uri: str
    expires: float


@dataclass(slots=True)
class RefreshToken:
    family: str
    generation: int
    issued: float
    used: float | None = None


@dataclass(slots=True)
class Family:
    """One consent, and all the refresh tokens that descend from it."""

    id: str
    account: str
    scopes: list[str]
    created: float
    revoked: bool = False
    newest_used: int = -1
    tokens: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AccessToken:
    family: str
    expires: float


@dataclass(frozen=True, slots=True)
class Issued:
    """What the token endpoint hands out."""

    access_token: str
    refresh_token: str | None
    scopes: list[str]


class Grants:
    """Who has granted what, and the tokens that came of it."""

    def __init__(self) -> None:
        self.codes: dict[str, Code] = {}
        self.families: dict[str, Family] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        # What a user has granted the app, over all consents: a second consent widens it for every token.
        self.sites: dict[str, dict[str, list[str]]] = {}

    def consent(
        self, account: str, sites: list[str], scopes: list[str], redirect_uri: str, expires: float
    ) -> str:
        """Record a consent and return the code for it."""
        granted = self.sites.setdefault(account, {})
        for site in sites:
            known = granted.get(site, [])
            granted[site] = [*known, *(scope for scope in scopes if scope not in known)]
        code = secrets.token_urlsafe(32)
        self.codes[code] = Code(account, scopes, redirect_uri, expires)
        return code

    def exchange(self, code: str, redirect_uri: str, now: float, access_seconds: float) -> Issued:
        """Trade a code for tokens, once."""
        known = self.codes.pop(code, None)
        if known is None or known.expires <= now or known.redirect_uri != redirect_uri:
            raise InvalidGrantError
        family = Family(secrets.token_hex(8), known.account, known.scopes, now)
        self.families[family.id] = family
        self.codes = {each: code for each, code in self.codes.items() if code.expires > now}
        return self._issue(family, 0, now, access_seconds)

    def issue_to_service(
        self, account: str, sites: list[str], scopes: list[str], now: float, access_seconds: float
    ) -> Issued:
        """Hand a service account its next access token; earlier ones stay good until they expire."""
        family_id = f"service {account}"
        family = self.families.get(family_id)
        if family is None or family.revoked or family.scopes != scopes:
            family = Family(family_id, account, scopes, now)
            self.families[family_id] = family
        self.sites[account] = dict.fromkeys(sites, scopes)
        return self._issue(family, 0, now, access_seconds)

    def refresh(self, token: str, now: float, access_seconds: float, reuse_interval: float) -> Issued:
        """Trade a refresh token for the next one.

        The token that was used last may be used again within the reuse interval, for clients that lost the
        answer. Any other second use looks like theft and ends the whole family.
        """
        known = self.refresh_tokens.get(token)
        family = self.families[known.family] if known else None
        if known is None or family is None or family.revoked or _is_too_old(known, family, now):
            raise InvalidGrantError
        if known.used is not None:
            is_previous = known.generation == family.newest_used
            if not is_previous or now - known.used > reuse_interval:
                self.revoke(family)
                raise InvalidGrantError
        else:
            known.used = now
            family.newest_used = max(family.newest_used, known.generation)
        return self._issue(family, known.generation + 1, now, access_seconds)

    def _issue(self, family: Family, generation: int, now: float, access_seconds: float) -> Issued:
        self._forget_expired(now)
        access = secrets.token_urlsafe(48)
        self.access_tokens[access] = AccessToken(family.id, now + access_seconds)
        if "offline_access" not in family.scopes:
            return Issued(access, None, family.scopes)
        refresh = secrets.token_urlsafe(48)
        self.refresh_tokens[refresh] = RefreshToken(family.id, generation, now)
        family.tokens.append(refresh)
        for old in family.tokens[:-_KEPT_TOKENS]:
            self.refresh_tokens.pop(old, None)
        del family.tokens[:-_KEPT_TOKENS]
        return Issued(access, refresh, family.scopes)

    def _forget_expired(self, now: float) -> None:
        if len(self.access_tokens) > 1000:
            live = {token: each for token, each in self.access_tokens.items() if each.expires > now}
            self.access_tokens = live

    def holder(self, access_token: str, now: float) -> Family | None:
        """Return the consent behind an access token that still works."""
        known = self.access_tokens.get(access_token)
        if known is None or known.expires <= now:
            return None
        family = self.families[known.family]
        return None if family.revoked else family

    def revoke(self, family: Family) -> None:
        family.revoked = True

    def revoke_by(self, *, refresh_token: str | None, account: str | None, grant: str | None) -> int:
        """Revoke the family of a token, all of an account, one by id, or every one; return how many."""
        chosen = [
            family
            for family in self.families.values()
            if not family.revoked
            and (refresh_token is None or refresh_token in family.tokens)
            and (account is None or family.account == account)
            and (grant is None or family.id == grant)
        ]
        for family in chosen:
            self.revoke(family)
        if refresh_token is None and grant is None:
            for each in [account] if account else list(self.sites):
                self.sites.pop(each, None)
        return len(chosen)


def _is_too_old(token: RefreshToken, family: Family, now: float) -> bool:
    return now - token.issued > _IDLE_DAYS * DAY or now - family.created > _LIFE_DAYS * DAY
