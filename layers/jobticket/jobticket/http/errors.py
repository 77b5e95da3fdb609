"""Why a call has no whole answer.

::

    NoAnswerError
    ├── SlowError             no answer within the time left
    ├── UnreachableError      no connection, or one that broke
    │   ├── UntrustedError    the certificate is not valid
    │   └── ForbiddenAddressError   the host's name leads to an address that must not be connected to
    └── UnreadableError       the answer cannot be read
        └── EndlessError      far too long, and no shorter the next time

The text of an error begins with what the call was for (``send``'s ``to``); it holds no URL and no header.
"""

from __future__ import annotations


class NoAnswerError(Exception):
    """A call has no whole answer.

    Attributes
    ----------
    outcome_unknown
        Whether the request may have been carried out all the same.
    """

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
