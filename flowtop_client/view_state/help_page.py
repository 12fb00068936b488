"""The help while it is open: which part of it is seen, and what is searched in it. Pure.

The screen tells the texts of its lines, as they are at its width; a search looks at those, capitals do not matter.
"""

from dataclasses import dataclass, replace

from flowtop_client.view_state.text_input import Input


@dataclass(frozen=True, slots=True)
class HelpPage:
    """`line` is the first one that is seen, `found` the one where the search has arrived."""

    line: int = 0
    page: int = 1
    texts: tuple[str, ...] = ()
    pattern: str = ""
    found: int | None = None
    search: Input | None = None
    """The pattern while it is typed."""
    begun: int = 0
    """The line from which the search looks while it is typed."""

    @property
    def limit(self) -> int:
        """The last line that may be the first on the screen."""
        return max(0, len(self.texts) - self.page)


def scrolled(page: HelpPage, line: int) -> HelpPage:
    """With this line as the first, or as near as may be."""
    return replace(page, line=max(0, min(line, page.limit)))


def told(page: HelpPage, texts: tuple[str, ...], room: int) -> HelpPage:
    """The screen shows these lines, so many at once."""
    if texts is page.texts and room == page.page:
        return page
    page = scrolled(replace(page, texts=texts, page=room), page.line)
    if page.search is not None:  # it may have been typed faster than the help was drawn
        return searched(page, page.search)
    return page if page.found is None or _is_match(page, page.found) else replace(page, found=None)


def searching(page: HelpPage) -> HelpPage:
    """A pattern is about to be typed."""
    return replace(page, search=Input(), begun=page.line)


def searched(page: HelpPage, search: Input) -> HelpPage:
    """The pattern is now this; the first match from where the search began is brought into view."""
    page = replace(page, search=search, pattern=search.text, found=None, line=page.begun)
    return matched(replace(page, found=page.begun - 1), 1) if search.text else page


def matched(page: HelpPage, step: int) -> HelpPage:
    """The next match, or with a negative step the one before; from the end the search goes on at the other one."""
    lines = [line for line in range(len(page.texts)) if _is_match(page, line)]
    if not lines:
        return replace(page, found=None)
    at = page.line - 1 if page.found is None else page.found
    onward = [line for line in lines if (line > at if step > 0 else line < at)] or lines
    found = onward[0] if step > 0 else onward[-1]
    page = replace(page, found=found)
    return page if page.line <= found < page.line + page.page else scrolled(page, found - page.page // 3)


def ended(page: HelpPage, *, keep: bool) -> HelpPage:
    """The pattern is typed; or it is not wanted any more, and all is as before."""
    if keep:
        return replace(page, search=None)
    return replace(page, search=None, pattern="", found=None, line=page.begun)


def _is_match(page: HelpPage, line: int) -> bool:
    return bool(page.pattern) and line < len(page.texts) and page.pattern.lower() in page.texts[line].lower()
