"""Whether the functions and classes of a package are still those that were there before a notebook ran."""

import inspect
import sys
from types import FunctionType


class Watch:
    """What a package consists of at this moment.

    It lies in the process of the notebook, which can change it as well: it tells of changes that are not hidden.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._before = self._parts()

    def changed(self) -> bool:
        """Whether something that was there is now another, or gone."""
        now = self._parts()
        return any(now.get(place) is not part for place, part in self._before.items())

    def _parts(self) -> dict[tuple[str, ...], object]:
        """Place -> function, class, instance of one of the package's classes, or what it consists of in turn."""
        found: dict[tuple[str, ...], object] = {}
        for module, within in list(sys.modules.items()):
            if module == self._package or module.startswith(f"{self._package}."):
                for name, part in list(getattr(within, "__dict__", {}).items()):
                    self._add((module, name), part, found)
        return found

    def _add(self, place: tuple[str, ...], part: object, found: dict[tuple[str, ...], object]) -> None:
        if isinstance(part, FunctionType):
            found[place], found[*place, "code"] = part, part.__code__
            found[*place, "defaults"] = part.__defaults__
        elif inspect.isclass(part):
            found[place] = part
            if len(place) == 2 and part.__module__ == place[0]:
                for name, own in list(vars(part).items()):
                    self._add((*place, name), own, found)
        elif callable(part):
            found[place] = part
        elif len(place) == 2 and type(part).__module__.startswith(self._package):
            found[place] = part
            for name, own in list(getattr(part, "__dict__", {}).items()):
                self._add((*place, name), own, found)
