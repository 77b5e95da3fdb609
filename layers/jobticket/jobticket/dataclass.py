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
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

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


class _Plan(NamedTuple):
    """How objects of a class are made, shown and compared."""

    positional: tuple[str, ...]
    names: tuple[str, ...]
    required: frozenset[str]
    defaults: dict[str, Any]
    factories: dict[str, Callable[[], Any]]
    shown: tuple[str, ...]
    prepare: Callable[[Any], None] | None


@cache
def _plan(cls: Any) -> _Plan:
    found = fields(cls)
    defaults = {each.name: each.default for each in found if each.default is not MISSING}
    factories = {each.name: each.default_factory for each in found if each.default_factory is not MISSING}
    names = tuple(each.name for each in found)
    return _Plan(
        tuple(each.name for each in found if not each.kw_only),
        names,
        frozenset(names) - defaults.keys() - factories.keys(),
        defaults,
        factories,
        tuple(each.name for each in found if each.repr),
        getattr(cls, "__post_init__", None),
    )


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    cls: Any = type(self)
    plan = _plan(cls)
    given = dict(zip(plan.positional, values, strict=False)) | named
    if len(given) != len(values) + len(named) or not plan.required <= given.keys() <= set(plan.names):
        got = f"{len(values)} values and {', '.join(named) or 'no names'}"
        raise TypeError(f"{cls.__qualname__}() takes {', '.join(plan.names)}; it got {got}")
    if plan.factories:
        given = {name: make() for name, make in plan.factories.items() if name not in given} | given
    for name, value in (plan.defaults | given).items():
        object.__setattr__(self, name, value)
    if plan.prepare:
        plan.prepare(self)


def _repr(self: Any) -> str:
    cls: Any = type(self)
    shown = (f"{name}={getattr(self, name)!r}" for name in _plan(cls).shown)
    return f"{cls.__qualname__}({', '.join(shown)})"


def _values(it: Any) -> dict[str, Any]:
    cls: Any = type(it)
    return {name: getattr(it, name) for name in _plan(cls).names}


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
