"""Where the daemons are that one viewer looks at, and a link to all of them."""

from collections.abc import Sequence

from flowtop_client.connection.link import Connection, Link, Target
from flowtopd.wire.messages import Query

Targets = Sequence[tuple[str, Target]]
"""Where daemons are, by what their hosts are called; one without a name, where there are not several."""


def link_to(targets: Targets, query: Query, *, whole: bool) -> Link:
    """A connection to one daemon, or to several as if they were one; `whole`: none of them may be missing."""
    if len(targets) > 1:
        from flowtop_client.connection.many import Many  # noqa: PLC0415  # nobody else has to wait for it

        return Many(targets, query, whole=whole)
    ((_, target),) = targets
    return Connection(target, query)
