"""An order of rows as users write it: `bytes`, `bytes:asc`. Pure."""

from flowtop_client.view_state.state import starts_descending
from flowtopd.wire.fields import sort_fields
from flowtopd.wire.messages import View
from flowtopd.wire.nearest import nearest


def order_of(text: str, view: View) -> tuple[str, bool]:
    """The field and whether it descends. Raises ValueError, with what is wrong."""
    field, colon, order = text.partition(":")
    known = sort_fields(view)
    if field not in known:
        of = "" if view is View.FLOWS else f" of {view}"
        near = nearest(field, known)
        hint = f"did you mean {near!r}?" if near else f"some that are: {', '.join(_some(known))}"
        raise ValueError(f"{field!r} is no sort field{of}: {hint}")
    if colon and order not in {"asc", "desc"}:
        raise ValueError(f"{order!r} is no order: {field}:asc or {field}:desc")
    return field, order == "desc" if colon else starts_descending(field)


def order_text(sort: str, *, descending: bool) -> str:
    """The order as it is written."""
    return f"{sort}:{'desc' if descending else 'asc'}"


def _some(fields: tuple[str, ...]) -> list[str]:
    """Fields that people sort by."""
    wanted = ("rate", "bytes", "flows", "packets", "dst", "dport", "duration")
    return [field for field in wanted if field in fields]
