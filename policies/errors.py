"""The exceptions of Stockade, drawn in one place.

StockadeError
├── InputError            what was given cannot be used: a file, a policy, a call (exit 2)
│   ├── TooComplexError   conditions that would take too long to decide (exit 2)
│   └── TargetError       the policy is sound, but a target cannot say it exactly (exit 2)
└── InternalError         a fault of Stockade itself (exit 3)

Only the command line turns them into text and exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable

from .source import Location, Problem


class StockadeError(Exception):
    """The root of everything that Stockade raises on purpose."""


class InputError(StockadeError):
    """What was given cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))

    @classmethod
    def of(cls, message: str, at: Location | None = None, hint: str = "") -> InputError:
        """An error of a single problem."""
        return cls([Problem(message, at, hint)])


class TargetError(InputError):
    """A target cannot express the policy exactly; the hint names the nearest thing it can."""


class TooComplexError(InputError):
    """Conditions whose exact meaning would take too long to work out."""

    def __init__(self) -> None:
        super().__init__(
            [
                Problem(
                    "the conditions are too complex to decide exactly",
                    hint="combine fewer arguments in one rule, or fewer alternatives",
                )
            ]
        )


class InternalError(StockadeError):
    """A self-check of Stockade failed; nothing was written."""
