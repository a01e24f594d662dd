"""The traits that make up a widget's state: each guards its values, and tells the module in which bounds they lie."""

from numbers import Real

from traitlets import Bool, Enum, Float, Int, List, TraitError


class Number(Float):
    """A finite number between two bounds, both included.

    Raises:
        TraitError: for any other value.
    """

    def __init__(self, default: float, low: float, high: float) -> None:
        super().__init__(default, min=low, max=high)
        self.tag(sync=True, state=True)

    def validate(self, obj, value) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.min <= value <= self.max:
            raise TraitError(f"{self.name} got {value!r}; expected a number from {self.min:g} to {self.max:g}")
        return float(value)

    def limits(self) -> dict:
        return {"min": self.min, "max": self.max}


class Whole(Int):
    """A whole number between two bounds, both included.

    Raises:
        TraitError: for any other value.
    """

    def __init__(self, default: int, low: int, high: int) -> None:
        super().__init__(default, min=low, max=high)
        self.tag(sync=True, state=True)

    def validate(self, obj, value) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.min <= value <= self.max:
            raise TraitError(f"{self.name} got {value!r}; expected a whole number from {self.min} to {self.max}")
        return value

    def limits(self) -> dict:
        return {"min": self.min, "max": self.max, "whole": True}


class Numbers(List):
    """A list of `least` to `most` finite numbers, each between two bounds, both included.

    Raises:
        TraitError: for any other value.
    """

    def __init__(self, default, low: float, high: float, least: int, most: int) -> None:
        super().__init__(default_value=list(default))
        self.low, self.high, self.least, self.most = low, high, least, most
        self.tag(sync=True, state=True)

    def validate(self, obj, value) -> list[float]:
        numbers = isinstance(value, (list, tuple)) and all(
            isinstance(x, (int, float)) and not isinstance(x, bool) and self.low <= x <= self.high for x in value
        )
        if not numbers or not self.least <= len(value) <= self.most:
            count = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
            raise TraitError(f"{self.name} got {value!r}; expected {count} numbers from {self.low:g} to {self.high:g}")
        return [float(x) for x in value]

    def limits(self) -> dict:
        return {"min": self.low, "max": self.high, "least": self.least, "most": self.most}


class Choice(Enum):
    """One of a few values; the first is the default, unless another is named.

    Raises:
        TraitError: for any other value.
    """

    def __init__(self, *values, default=None) -> None:
        super().__init__(values, default_value=values[0] if default is None else default)
        self.tag(sync=True, state=True)

    def validate(self, obj, value):
        plain = isinstance(value, (str, Real)) and not isinstance(value, bool)
        if not plain or value not in self.values:
            raise TraitError(f"{self.name} got {value!r}; expected one of {', '.join(map(repr, self.values))}")
        return self.values[self.values.index(value)]  # of the type that a page can hold, whatever equals it

    def limits(self) -> list:
        return list(self.values)


class Switch(Bool):
    """True or false.

    Raises:
        TraitError: for any other value.
    """

    def __init__(self, default: bool) -> None:
        super().__init__(default)
        self.tag(sync=True, state=True)

    def validate(self, obj, value) -> bool:
        if not isinstance(value, bool):
            raise TraitError(f"{self.name} got {value!r}; expected True or False")
        return value

    def limits(self) -> list:
        return [False, True]
