"""The details of one flow while they are open: what is known of it, and which part of that is seen. Pure.

A flow that is gone leaves what was last known of it; nothing more is asked then.
"""

from dataclasses import dataclass, replace

from flowtopd.wire.messages import Detail


@dataclass(frozen=True, slots=True)
class DetailsPage:
    """`line` is the first one that is seen, of `length`, with room for `page`."""

    id: str
    """The flow."""
    detail: Detail | None = None
    """The last one that knew the flow."""
    gone: bool = False
    line: int = 0
    page: int = 1
    length: int = 0

    @property
    def limit(self) -> int:
        """The last line that may be the first on the screen."""
        return max(0, self.length - self.page)


def scrolled(page: DetailsPage, line: int) -> DetailsPage:
    """With this line as the first, or as near as may be."""
    return replace(page, line=max(0, min(line, page.limit)))


def told(page: DetailsPage, length: int, room: int) -> DetailsPage:
    """The screen has so many lines to show, so many at once."""
    return scrolled(replace(page, length=length, page=room), page.line)


def answered(page: DetailsPage, detail: Detail) -> DetailsPage:
    """News of a flow; those of another one were on their way when this one was opened."""
    if detail.id != page.id:
        return page
    return replace(page, gone=True) if detail.flow is None else replace(page, detail=detail, gone=False)
