"""Frozen dataclasses that are made about as fast as others.

The ``__init__`` of a frozen dataclass calls ``object.__setattr__`` for each of its fields, which takes ten times as long as
an assignment, and an order on its way makes objects of some 250 fields. Here an object is of a twin class while it is made,
which has the same slots and is not frozen; when all of them are set it becomes what it is. Everything else about it is as
``dataclasses`` has it.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["dataclass"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(**options: bool) -> Callable[[type[T]], type[T]]:
        """As ``dataclasses.dataclass``."""

        def made(cls: type[T]) -> type[T]:
            cls = dataclasses.dataclass(**options)(cls)
            if options.get("frozen") and options.get("slots"):
                cls.__init__ = _init_of(cls)
            return cls

        return made


def _init_of(cls: Any) -> Callable[..., None]:  # noqa: ANN401 - no type checker knows a class that is being made
    """What sets all fields of a frozen class with slots."""
    known = sorted(fields(cls), key=attrgetter("kw_only"))
    twin = type(cls.__name__, (), {"__slots__": tuple(field.name for field in known)})
    names: dict[str, Any] = {"become": object.__setattr__, "twin": twin, "cls": cls, "MISSING": MISSING}
    parameters, lines = ["self"], ["become(self, '__class__', twin)"]
    for field in known:
        name, value = field.name, field.name
        if field.kw_only and "*" not in parameters:
            parameters.append("*")
        if field.default_factory is not MISSING:
            names[f"new_{name}"] = field.default_factory
            name, value = f"{name}=MISSING", f"new_{name}() if {name} is MISSING else {name}"
        elif field.default is not MISSING:
            names[f"usual_{name}"] = field.default
            name = f"{name}=usual_{name}"
        parameters.append(name)
        lines.append(f"self.{field.name} = {value}")
    text = "\n    ".join((f"def __init__({', '.join(parameters)}):", *lines, "self.__class__ = cls"))
    exec(text, names)  # noqa: S102 - as dataclasses makes its own, of the names of fields
    init: Callable[..., None] = names["__init__"]
    init.__annotations__ = cls.__init__.__annotations__
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init
