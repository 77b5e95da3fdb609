"""The standard dataclass, with methods that all classes share.

The standard decorator compiles six methods for each class: about 1 ms, and functions start with a hundred
classes. To a type checker this is the standard one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from dataclasses import asdict as asdict
from dataclasses import astuple as astuple
from dataclasses import field as field
from dataclasses import fields as fields
from dataclasses import replace as replace
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: Any = None, /, *, frozen: bool = False, **options: bool) -> Any:
        """Make a dataclass; of the standard options, `frozen`, `slots` and `kw_only` are known."""
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen, **options)
        described = cls.__doc__
        cls.__doc__ = described or " "  # a missing one would be made of the signature, slowly
        own = vars(cls).keys()
        made = dataclasses.dataclass(init=False, repr=False, eq=False, **options)(cls)
        made.__doc__ = described
        for name, method in (_FROZEN if frozen else _METHODS).items():
            if name not in own:
                setattr(made, name, method)
        return made


@cache
def _known(cls: Any) -> tuple[list[str], set[str], dict[str, Any], dict[str, Callable[[], Any]]]:
    """Return the names that may be given by position, all names, the defaults, and what makes some."""
    found = fields(cls)
    defaults = {each.name: each.default for each in found if each.default is not MISSING}
    factories = {each.name: each.default_factory for each in found if each.default_factory is not MISSING}
    positional = [each.name for each in found if not each.kw_only]
    return positional, {each.name for each in found}, defaults, factories


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    cls: Any = type(self)
    positional, names, defaults, factories = _known(cls)
    given = dict(zip(positional, values, strict=False)) | named
    whole = defaults | given
    for name in factories.keys() - given.keys():
        whole[name] = factories[name]()
    if len(given) != len(values) + len(named) or whole.keys() != names:
        got = f"{len(values)} values and {sorted(named)}"
        raise TypeError(f"{cls.__qualname__}() takes {sorted(names)}; it got {got}")
    for name, value in whole.items():
        object.__setattr__(self, name, value)
    if hasattr(cls, "__post_init__"):
        self.__post_init__()


def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _values(it: Any) -> dict[str, Any]:
    return {each.name: getattr(it, each.name) for each in fields(it)}


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(_values(self).values()))


def _make(cls: Any, values: dict[str, Any]) -> Any:
    return cls(**values)


def _reduce(self: Any) -> tuple[Any, ...]:
    """Let copies be made with their values: they cannot be filled afterwards."""
    return _make, (type(self), _values(self))


def _refuse(self: Any, name: str, *_value: Any) -> NoReturn:
    raise FrozenInstanceError(f"{type(self).__qualname__}.{name} cannot be changed")


_METHODS = {"__init__": _init, "__repr__": _repr, "__eq__": _eq, "__hash__": None}
_FROZEN = _METHODS | {
    "__hash__": _hash,
    "__reduce__": _reduce,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
