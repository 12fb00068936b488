"""The columns of a view while they are chosen: which are on, in which order, and where the cursor is. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """All columns, as names and whether they are on."""

    columns: tuple[tuple[str, bool], ...]
    at: int = 0
    automatic: bool = True
    """Nothing was chosen: what there is room for is shown."""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of those that are on; none where the viewer is to choose."""
        return () if self.automatic else tuple(name for name, on in self.columns if on)


def begun(offered: tuple[tuple[str, bool], ...], chosen: tuple[str, ...]) -> ColumnChoice:
    """The choice as it is: those that were chosen first, in their order, and then what else there is."""
    if not chosen:
        return ColumnChoice(offered)
    rest = tuple((name, False) for name, _ in offered if name not in chosen)
    return ColumnChoice((*((name, True) for name in chosen), *rest), automatic=False)


def moved(choice: ColumnChoice, step: int) -> ColumnChoice:
    """With the cursor so many columns further down."""
    return replace(choice, at=max(0, min(choice.at + step, len(choice.columns) - 1)))


def toggled(choice: ColumnChoice) -> ColumnChoice:
    """With the column under the cursor off or on. The last one that is on stays."""
    if not choice.columns:
        return choice
    name, on = choice.columns[choice.at]
    if on and sum(each for _, each in choice.columns) == 1:
        return choice
    columns = (*choice.columns[: choice.at], (name, not on), *choice.columns[choice.at + 1 :])
    return replace(choice, columns=columns, automatic=False)


def shifted(choice: ColumnChoice, step: int) -> ColumnChoice:
    """With the column under the cursor one place earlier or later, and the cursor on it."""
    to = choice.at + step
    if not 0 <= to < len(choice.columns):
        return choice
    columns = list(choice.columns)
    columns.insert(to, columns.pop(choice.at))
    return replace(choice, columns=tuple(columns), at=to, automatic=False)


def seen_from(choice: ColumnChoice, page: int) -> int:
    """The first column on a screen with room for `page`: the cursor is in the middle where it can be."""
    return max(0, min(choice.at - page // 2, len(choice.columns) - page))
