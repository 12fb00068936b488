"""A real sshd in a namespace, and a real ssh that trusts it: keys of their own, nothing of this machine's ~/.ssh.

    with Sshd(host, tmp_path / "router", address="192.168.1.1", seen=(daemon.directory, there)) as server:
        ssh = Ssh(tmp_path / "client", {"router": server})
        run(ssh.argv(["flowtop", "--host", "router", "--socket", f"{there}/flowtop.sock"]))

`seen`: a directory, and where this sshd sees it: hosts of one test share a file system, and yet each has a daemon on
the same path. Only root runs it: it logs in as any user of this machine by key, without PAM.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed.netns import Namespace, alive, run, stop_process, wait_until

PORT: Final = 22
_SSHD: Final = "/usr/sbin/sshd"  # it wants to be called by its whole path
_SEPARATION: Final = Path("/run/sshd")
"""Where sshd locks up its unprivileged part; its service makes it."""


def make_key(path: Path, passphrase: str = "") -> str:
    """Make a key; gives its public half."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "testbed", "-f", str(path)])
    return path.with_suffix(".pub").read_text(encoding="ascii").strip()


class Sshd:
    """One server with its files in `directory`. `options` are lines of sshd_config."""

    def __init__(
        self,
        namespace: Namespace,
        directory: Path,
        *,
        address: str = "127.0.0.1",
        seen: tuple[Path, Path] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.namespace = namespace
        self.address = address
        self._directory = directory
        self._seen = seen
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.public_key = ""

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self.public_key = make_key(self._directory / "host_key")
        self.authorize()
        config = [
            f"ListenAddress {self.address}:{PORT}",
            f"HostKey {self._directory}/host_key",
            # read by root: a file would be read by the user who logs in, who may not look into this directory
            "AuthorizedKeysFile none",
            f"AuthorizedKeysCommand /bin/cat {self._directory}/authorized_keys",
            "AuthorizedKeysCommandUser root",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PasswordAuthentication no",
            "PermitRootLogin yes",
            *self._options,
        ]
        (self._directory / "sshd_config").write_text("\n".join(config) + "\n", encoding="ascii")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def authorize(self, *lines: str) -> None:
        """Let those in who have these keys, and nobody else."""
        (self._directory / "authorized_keys").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self._directory / "sshd.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it, and wait until it listens."""
        _SEPARATION.mkdir(exist_ok=True)
        argv = [_SSHD, "-D", "-e", "-f", str(self._directory / "sshd_config")]
        if self._seen is not None:
            source, target = map(str, self._seen)
            argv = [
                "unshare",
                "-m",
                "sh",
                "-c",
                'mount --bind "$1" "$2" && shift 2 && exec "$@"',
                "-",
                source,
                target,
                *argv,
            ]
        with (self._directory / "sshd.log").open("ab") as log:
            self._process = self.namespace.popen(argv, stdout=log, stderr=log)
        wait_until(self._listens)

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"sshd does not start:\n{self.log}")
        with self.namespace.socket() as sock:
            return sock.connect_ex((self.address, PORT)) == 0

    def sessions(self) -> list[int]:
        """The processes of those who are logged in, and the server itself."""
        assert self._process is not None
        found = [self._process.pid]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            if children.exists():
                found += map(int, children.read_text(encoding="ascii").split())
        return found

    def stop(self) -> None:
        """End it and throw out who is logged in, as a host does that loses its power."""
        if self._process is None or self._process.poll() is not None:
            return
        pids = self.sessions()
        stop_process(self._process, signal.SIGKILL)
        for pid in pids[1:]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


class Ssh:
    """A client: the real ssh, with a configuration of its own in place of ~/.ssh, which ssh finds without $HOME.

    `hosts` are servers by their aliases; each lets its key in. `config` are further lines of it, for all hosts.
    """

    def __init__(
        self, directory: Path, hosts: Mapping[str, Sshd], *, user: str = "root", passphrase: str = "", config: str = ""
    ) -> None:
        programs = directory / "bin"
        programs.mkdir(parents=True)
        self._known = directory / "known_hosts"
        self.public_key = make_key(directory / "key", passphrase)
        lines = []
        for alias, server in hosts.items():
            server.authorize(self.public_key)
            lines += [f"Host {alias}", f"  HostName {server.address}", f"  HostKeyAlias {alias}"]
        lines += ["Host *", f"  User {user}", f"  IdentityFile {directory}/key", "  IdentitiesOnly yes", f"  {config}"]
        lines += [f"  UserKnownHostsFile {self._known}", "  GlobalKnownHostsFile none", "  IdentityAgent none"]
        (directory / "config").write_text("\n".join(lines) + "\n", encoding="ascii")
        self.trust(hosts)
        wrapper = programs / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {directory}/config "$@"\n', encoding="ascii")
        wrapper.chmod(0o755)
        self._path = f"{programs}:{os.environ['PATH']}"

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` with this ssh; the program keeps the pid that was started."""
        return ["env", f"PATH={self._path}", *argv]  # not by the environment: tmux has a PATH of its own

    def trust(self, hosts: Mapping[str, Sshd]) -> None:
        """Know the keys of these hosts, and of no others."""
        known = "".join(f"{alias} {server.public_key}\n" for alias, server in hosts.items())
        self._known.write_text(known, encoding="ascii")


def ssh_processes(parent: int) -> list[int]:
    """The ssh that a viewer has started and that still run."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    try:
        return [int(pid) for pid in children.read_text(encoding="ascii").split() if alive(int(pid))]
    except (FileNotFoundError, ProcessLookupError):
        return []
