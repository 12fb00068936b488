"""Text for the clipboard of the user's own machine, by the terminal: OSC 52 of xterm(1), through ssh too.

tmux takes it where `set-clipboard` is on, or lets it through where `allow-passthrough` is: it gets
both, one is ignored.
A terminal that does not know it, or is not allowed to, ignores it as well: nobody hears whether it worked.
"""

import base64
from typing import Final

LONGEST: Final = 50_000
"""Characters: some terminals take no more than 74 994 bytes of base64."""


def copying(text: str, *, tmux: bool) -> str:
    """The codes that put `text` on the clipboard. They hold it in base64: nothing in it can be a code itself."""
    said = base64.b64encode(text[:LONGEST].encode(errors="replace")).decode()
    code = f"\x1b]52;c;{said}\x07"
    return f"{code}\x1bPtmux;\x1b{code}\x1b\\" if tmux else code
