import os
import resource
import signal
from pathlib import Path

import pytest

from flowtopd.wire.errors import RecordingError
from flowtopd.wire.recording_file import RecordingFile, open_recording
from tests.flowtopd.wire.recorded import ABOUT, by_id, flow, history, sample


def test_a_file_is_its_owners_alone_and_can_be_played(tmp_path: Path) -> None:
    path, samples = tmp_path / "x.flowtop", history(1, 5)
    old = os.umask(0)
    try:
        with RecordingFile(path, ABOUT) as file:
            for each in samples:
                file.add(each)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert (file.samples, file.size) == (5, path.stat().st_size)
    with open_recording(path) as found:
        assert [by_id(found.sample(number)[1]) for number in range(5)] == [by_id(each) for each in samples]


def test_it_can_be_played_while_it_is_written(tmp_path: Path) -> None:
    with RecordingFile(tmp_path / "x", ABOUT) as file:
        file.add(sample(0.0, flow(1)))
        with open_recording(tmp_path / "x") as found:
            file.add(sample(1.0, flow(1)))
        assert (len(found), found.trouble) == (1, "")


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("dear")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("x", "link"):
        with pytest.raises(FileExistsError):
            RecordingFile(tmp_path / name, ABOUT)
    assert (tmp_path / "x").read_text() == "dear"
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_what_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "x"
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with RecordingFile(path, ABOUT) as file:
        file.add(sample(0.0, flow(1)))
        # the kernel writes up to the limit, then fails: half a frame
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.size + 40, before[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                file.add(sample(1.0, flow(1, process="a program"), *map(flow, range(2, 50))))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
    assert path.stat().st_size == file.size
    with open_recording(path) as found:
        assert (len(found), found.trouble) == (1, "")


def test_a_directory_a_pipe_and_nothing_at_all_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for name, error in (("", RecordingError), ("pipe", RecordingError), ("nothing", FileNotFoundError)):
        with pytest.raises(error), open_recording(tmp_path / name):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
