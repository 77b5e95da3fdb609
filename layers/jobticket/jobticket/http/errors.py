"""Errors of calls without a complete answer.

::

    NoAnswerError
    ├── SlowError             no answer within the time left
    ├── UnreachableError      no connection, or a broken one
    │   ├── UntrustedError    the certificate is not valid
    │   └── ForbiddenAddressError   the host resolves to an address that is not allowed
    └── UnreadableError       the answer cannot be read
        └── EndlessError      the answer is too long

An error's text names the service called (``to`` of ``send``). It contains no URL and no header.
"""

from __future__ import annotations


class NoAnswerError(Exception):
    """A call has no complete answer; if its outcome is unknown, the service may have carried it out."""

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown


class SlowError(NoAnswerError):
    pass


class UnreachableError(NoAnswerError):
    pass


class UntrustedError(UnreachableError):
    pass


class ForbiddenAddressError(UnreachableError):
    pass


class UnreadableError(NoAnswerError):
    pass


class EndlessError(UnreadableError):
    pass
