import errno
import os

import pytest

from testbed.netns import Namespace, alive, wait_until
from testbed.programs import Program


@pytest.mark.kernel
class TestProgram:
    def test_it_says_one_thing_and_lives_until_the_end(self, namespace: Namespace) -> None:
        with Program(namespace, "say([1, 'two', os.getpid()])") as program:
            assert program.said == [1, "two", program.pid]
            assert alive(program.pid)
        assert not alive(program.pid)

    def test_it_lives_in_the_namespace(self, namespace: Namespace) -> None:
        with Program(namespace, "say(os.stat('/proc/self/ns/net').st_ino)") as program:
            assert program.said == os.stat(namespace.path).st_ino  # noqa: PTH116

    def test_its_children_end_with_it(self, namespace: Namespace) -> None:
        """They wait for the same input."""
        with Program(namespace, "child = os.fork()\nif child:\n    say(child)") as program:
            assert alive(program.said)
        wait_until(lambda: not alive(program.said))

    def test_it_can_be_told_to_go_on(self, namespace: Namespace) -> None:
        with Program(
            namespace, "say()\nsys.stdin.readline()\nkept = socket.create_server(('127.0.0.1', 7))"
        ) as program:
            program.tell()
            with namespace.socket() as sock:
                wait_until(lambda: sock.connect_ex(("127.0.0.1", 7)) in {0, errno.EISCONN})

    def test_a_script_that_fails_is_an_error(self, namespace: Namespace) -> None:
        with pytest.raises(RuntimeError, match="the script ended with 1"), Program(namespace, "raise SystemExit(1)"):
            pass
