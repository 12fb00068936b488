"""The child that downloads. It is the only part of flowtop that talks to the Internet, and has no rights to abuse.

    stdin: a Job ─▶ checksum ─▶ download ─▶ descriptor `raw` ─▶ unpack ─▶ descriptor `out` ─▶ verify ─▶ Done on stdout

Rules, in this order
1. Modules are imported, the job and the store of certificates are read.
2. `confine` gives up every right. From here on it runs as nobody.
3. The network is touched. What comes is checked: its length against what the server announced, its checksum where
   there is one beside it, its size against the limits, and the database in it as a whole. The parent replaces a file
   only after Done.
"""

import base64
import codecs
import gzip
import hashlib
import http.client
import lzma
import os
import random
import re
import socket
import ssl
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import IO, BinaryIO, Final

import numpy as np

from flowtopd.enrich.geoip.mmdb import NOWHERE, BrokenDatabaseError, Mmdb
from flowtopd.enrich.geoip.records import Kind, Records, kinds
from flowtopd.geoip_update.confine import confine
from flowtopd.geoip_update.job import Answer, Done, Failed, Got, Job, Receipt, answer_line, read_job
from flowtopd.wire.version import VERSION

MAX_DOWNLOAD: Final = 256 << 20
MAX_UNPACKED: Final = 512 << 20
SILENCE_S: Final = 30.0
"""How long a server may say nothing."""
REDIRECTS: Final = 5

_CHUNK: Final = 128 << 10
_REPORT_S: Final = 0.2
_LARGEST_CHECKSUM: Final = 4096
_PROBES: Final = 5000
_GZIP: Final = b"\x1f\x8b"
_XZ: Final = b"\xfd7zXZ\x00"
_TAR_MAGIC_AT: Final = 257

for _encoding in ("ascii", "idna", "iso-8859-1", "latin-1", "utf-8"):
    codecs.lookup(_encoding)  # else loaded when first used, which is too late where only root may read Python's files

Say = Callable[[Answer], None]
_Stream = BinaryIO | gzip.GzipFile | lzma.LZMAFile


class FetchError(Exception):
    """The download failed, for a reason of one line. `absent` and `unreachable`: as in Failed."""

    def __init__(self, reason: str, *, absent: bool = False, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.absent = absent
        self.unreachable = unreachable


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects over HTTP, and never from an encrypted connection to a plain one."""

    max_redirections = REDIRECTS

    def redirect_request(  # noqa: PLR0917  # as the base class has it
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith(("https://",) if req.type == "https" else ("https://", "http://")):
            fp.close()
            raise FetchError("the server redirects to what is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


class Http:
    """Requests over HTTP and HTTPS, through the proxy that the environment names."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=tls),
            urllib.request.HTTPDefaultErrorHandler(),
            _Redirects(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def get(self, job: Job, url: str, conditions: dict[str, str]) -> http.client.HTTPResponse | None:
        """The response, None where the conditions say that nothing is newer. Raises FetchError."""
        headers = {"User-Agent": f"flowtop/{VERSION}", "Accept-Encoding": "identity", **conditions}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  # the handlers know only http and https
        if job.user:
            secret = base64.b64encode(f"{job.user}:{job.password}".encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {secret}")
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=SILENCE_S)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == HTTPStatus.NOT_MODIFIED:
                    return None
                absent = error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
                reason = str(error.reason).partition("\n")[0]
                raise FetchError(f"the server says {error.code} {reason}", absent=absent) from None
        except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
            raise FetchError(_network_reason(error), unreachable=isinstance(error, urllib.error.URLError)) from None
        return response


def fetch(job: Job, http: Http, raw: BinaryIO, out: BinaryIO, say: Say) -> Done:
    """Do the job. Raises FetchError."""
    checksum = _checksum(job, http)
    if checksum is not None and job.before is not None and checksum == job.before.sha256:
        return Done(None, None)
    response = http.get(job, job.url, _conditions(job.before))
    if response is None:
        return Done(None, None)
    with response:
        digest = download(response, raw, say)
        headers = response.headers
    if checksum is not None and digest != checksum:
        raise FetchError("the checksum does not match")
    if job.before is not None and digest == job.before.sha256:
        return Done(None, None)
    unpack(raw, out)
    kind, built_s = verify(Path(f"/proc/self/fd/{out.fileno()}"), job.kind)
    receipt = Receipt(job.url, digest, headers.get("ETag", ""), headers.get("Last-Modified", ""))
    return Done(kind, receipt, out.seek(0, os.SEEK_END), built_s)


def _conditions(before: Receipt | None) -> dict[str, str]:
    if before is None:
        return {}
    asked = {"If-None-Match": before.etag, "If-Modified-Since": before.last_modified}
    return {name: value for name, value in asked.items() if value}


def _checksum(job: Job, http: Http) -> str | None:
    """The SHA-256 that stands beside the file, None where there is none: most mirrors have none.

    Raises FetchError where the server cannot be reached: the file is there too, and to find out takes half a minute.
    """
    try:
        response = http.get(job, job.checksum_url, {})
        if response is None:
            return None
        with response:
            text = response.read(_LARGEST_CHECKSUM)
    except FetchError as error:
        if error.unreachable:
            raise
        return None
    except (OSError, ValueError):
        return None
    found = re.match(rb"\s*([0-9a-fA-F]{64})(?:\s|$)", text)
    return found[1].decode().lower() if found else None


def download(response: http.client.HTTPResponse, raw: BinaryIO, say: Say) -> str:
    """Write what comes to `raw`; return its SHA-256. Raises FetchError."""
    announced = response.headers.get("Content-Length", "")
    total = int(announced) if announced.isascii() and announced.isdigit() else None
    if total is not None and total > MAX_DOWNLOAD:
        raise FetchError(f"too large: {total >> 20} MiB, the limit is {MAX_DOWNLOAD >> 20}")
    digest, done, reported = hashlib.sha256(), 0, 0.0
    while True:
        try:
            chunk = response.read1(_CHUNK if total is None else min(_CHUNK, total - done))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchError(f"{_network_reason(error)}, after {done} bytes") from None
        if not chunk:
            break
        done += len(chunk)
        if done > MAX_DOWNLOAD:
            raise FetchError(f"too large: more than {MAX_DOWNLOAD >> 20} MiB")
        digest.update(chunk)
        raw.write(chunk)
        if time.monotonic() - reported > _REPORT_S:
            reported = time.monotonic()
            say(Got(done, total))
    if total is not None and done < total:
        raise FetchError(f"cut off after {done} of {total} bytes")
    say(Got(done, total))
    raw.flush()
    return digest.hexdigest()


def unpack(raw: BinaryIO, out: BinaryIO, limit: int = MAX_UNPACKED) -> None:
    """Write the database in `raw` (as it is, gz, xz, or in a tar of these) to `out`. Raises FetchError."""
    raw.seek(0)
    magic = raw.read(len(_XZ))
    raw.seek(0)
    stream: _Stream = raw
    if magic.startswith(_GZIP):
        stream = gzip.GzipFile(fileobj=raw)
    elif magic == _XZ:
        stream = lzma.LZMAFile(raw)  # noqa: SIM115  # it is the raw file that is closed
    try:
        is_tar = stream.read(512)[_TAR_MAGIC_AT:].startswith(b"ustar")
        stream.seek(0)
        _copy(_member(stream) if is_tar else stream, out, limit)
        while stream.read(_CHUNK):  # to its end, where the checksum of gzip and xz is
            pass
    except (EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise FetchError(f"cannot be unpacked: {error}") from None
    except MemoryError:
        raise FetchError("cannot be unpacked: it wants too much memory") from None
    out.flush()


def _member(stream: _Stream) -> IO[bytes]:
    """The database in an archive."""
    archive = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115  # the member is read from it
    for member in archive:
        if member.isfile() and member.name.endswith(".mmdb"):
            file = archive.extractfile(member)
            assert file is not None
            return file
    raise FetchError("no .mmdb file in the archive")


def _copy(stream: _Stream | IO[bytes], out: BinaryIO, limit: int) -> None:
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise FetchError(f"too large: more than {limit >> 20} MiB unpacked")
        out.write(chunk)


def verify(path: Path, wanted: Kind | None) -> tuple[Kind, int]:
    """What database it is and when it was made; all of its tree and many of its values are read. Raises FetchError."""
    try:
        database = Mmdb(path)
        try:
            found = kinds(database)
            database.check_tree()
            records = Records(database)
            for offset in database.leaves(_PROBES).tolist():
                records.read(offset)
            chance = np.array([random.getrandbits(32) | 0xFFFF << 32 for _ in range(_PROBES)], np.uint64)
            offsets = database.find(np.zeros_like(chance), chance)
            for offset in np.unique(offsets[offsets != NOWHERE]).tolist():
                records.read(offset)
        finally:
            database.close()
    except (BrokenDatabaseError, OSError) as error:
        raise FetchError(f"what came is no good: {error}") from None
    if not found or (wanted is not None and wanted not in found):
        raise FetchError(f"what came has no {_NOUNS[wanted]} (its type is {database.kind[:60]!a})")
    return wanted or next(kind for kind in Kind if kind in found), database.built_s


_NOUNS: Final = {
    Kind.CITY: "cities",
    Kind.COUNTRY: "countries",
    Kind.ASN: "networks",
    None: "countries, cities or networks",
}


def _network_reason(error: Exception) -> str:
    """What went wrong, as a person would say it."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return f"no answer for {SILENCE_S:.0f} s"
    if isinstance(error, socket.gaierror):
        return f"the name of the server is not known ({error.strerror})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the server is not good: {error.verify_message}"
    if isinstance(error, http.client.IncompleteRead):
        return "cut off"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"no HTTP: {str(error) or type(error).__name__}"


def main(raw: int, out: int) -> int:
    """Do the job on stdin with the files of these descriptors."""

    def say(answer: Answer) -> None:
        sys.stdout.buffer.write(answer_line(answer))
        sys.stdout.buffer.flush()

    job = read_job(sys.stdin.buffer.readline())
    client = Http(ssl.create_default_context())
    try:
        confine(MAX_UNPACKED)
    except OSError as error:
        say(Failed(f"cannot give up the daemon's rights, and does not download with them: {error.strerror or error}"))
        return 1
    with os.fdopen(raw, "r+b") as packed, os.fdopen(out, "r+b") as unpacked:
        try:
            say(fetch(job, client, packed, unpacked, say))
        except FetchError as error:
            say(Failed(str(error), error.absent, error.unreachable))
        except OSError as error:
            say(Failed(f"cannot be stored: {error.strerror or error}"))
    return 0
