"""A Resolver on this host's getnameinfo: it is told what to do, a JSON line in, a JSON line out. See `agents`."""

import json
import sys
import threading
import time
from typing import Any

from flowtopd.enrich.rdns.hostname import address_text
from flowtopd.enrich.rdns.resolver import Limits, Resolver
from tests.flowtopd.enrich.rdns.addresses import at

resolver = Resolver(limits=Limits(pauses_s=(0.2, 1.0)))


def answer(order: list[Any]) -> Any:
    match order:
        case ["want", addresses]:
            resolver.want(map(at, addresses))
        case ["take"]:
            return {address_text(address): name for address, name in resolver.take().items()}
        case ["lookups"]:
            return resolver.quick_lookups().tolist()
        case ["threads"]:
            return threading.active_count() - 1
        case ["forget"]:
            resolver.forget()
        case ["stop"]:
            began_s = time.monotonic()
            resolver.stop()
            return time.monotonic() - began_s
    return None


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
