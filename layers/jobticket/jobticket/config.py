"""A function's environment, read once into one validated model.

Each function declares the settings it uses by subclassing :class:`Settings`; a missing or malformed
variable stops the function at its start, with the variable's name.
"""

from __future__ import annotations

import os
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

__all__ = ["Settings"]


class Settings(BaseModel):
    """Settings that every function has.

    A field is read from the environment variable of its name in upper case.
    """

    model_config = ConfigDict(frozen=True)

    environment: Literal["local", "dev", "staging", "prod"]

    @classmethod
    def from_environment(cls) -> Self:
        """Read the model's fields from the process environment."""
        present = {name: os.environ[name.upper()] for name in cls.model_fields if name.upper() in os.environ}
        return cls.model_validate(present)
