"""A daemon that shows a recording as if it were now: a Player in place of ticker and collector, no kernel, no rights.

Imported only where a recording is shown.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from flowtopd.config import Config
from flowtopd.geoip_update.update import Update
from flowtopd.replay.player import Player
from flowtopd.serving import Listener, Place, open_listener, prepare, serve
from flowtopd.session.hub import Hub
from flowtopd.session.server import Server
from flowtopd.session.updates import Updates
from flowtopd.wire.recording import Recording


def replay(config: Config, place: Place, program: str, recording: Recording, *, speed: float, loop: bool) -> None:
    """Show a recording until a signal comes or the only viewer leaves. Raises as `daemon.run`."""
    prepare()
    with open_listener(config, place) as listener:
        asyncio.run(_replay(config, place, program, recording, listener, speed=speed, loop=loop))


async def _replay(
    config: Config,
    place: Place,
    program: str,
    recording: Recording,
    listener: Listener,
    *,
    speed: float,
    loop: bool,
) -> None:
    hub = Hub()
    with Updates(lambda tell: Update(config.geoip, tell)) as updates, ThreadPoolExecutor(1, "reader") as thread:
        thread.submit(int).result()
        player = Player(recording, hub, thread, speed=speed, loop=loop)
        server = Server(
            hub,
            program,
            lambda _addresses: None,  # the names of then are in the recording
            updates,
            config.access.group,
            max_viewers=config.daemon.max_viewers,  # others are denied: users of a recording are not those of this host
            host=recording.about.host,
            seek=player.seek,
        )
        await serve(server, listener, place, [player.run()])
