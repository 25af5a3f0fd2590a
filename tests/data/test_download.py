"""The downloader, against a small server on this machine."""

import gzip
import hashlib
import http.server
import os
import signal
import threading

import pytest

from pixelrnn.data import download
from pixelrnn.data.download import RemoteFile, fetch_file
from pixelrnn.errors import DownloadError

CONTENT = bytes(range(256)) * 2000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, with ranges, and misbehaves as `server.mode` says."""

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if server.mode == "missing":
            self.send_error(404)
            return
        content = server.content
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if asked and server.mode != "no ranges":
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        if server.mode == "gzip encoding":
            self.send_header("Content-Encoding", "x-gzip")
        # Some servers take an archive's own compression for that of the transfer.
        if server.mode == "gzip encoding" and self.headers["Accept-Encoding"] != "identity":
            content = gzip.compress(content)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        breaks = server.mode == "breaks" or server.breaks > 0
        server.breaks -= 1
        self.wfile.write(content[: len(content) // 2] if breaks else content)
        if server.pause:
            self.wfile.flush()
            server.paused.set()
            server.pause.wait(60)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path / "downloads"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.mode, server.content, server.ranges = "good", CONTENT, []
    server.breaks, server.pause, server.paused = 0, None, threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def remote(server):
    url = f"http://127.0.0.1:{server.server_port}/set.bin"
    return RemoteFile("set.bin", url, f"md5:{hashlib.md5(CONTENT).hexdigest()}", len(CONTENT))


def left_behind(remote):
    return sorted(path.name for path in remote.path.parent.iterdir())


def test_download_once(server, remote):
    assert not remote.is_here()
    for _ in range(2):
        assert fetch_file(remote).read_bytes() == CONTENT
    assert server.ranges == [None]
    assert remote.is_here()
    assert left_behind(remote) == ["set.bin"]


def test_bytes_are_not_unpacked_on_the_way(server, remote):
    server.mode = "gzip encoding"
    assert fetch_file(remote).read_bytes() == CONTENT


def test_broken_download_is_resumed(server, remote):
    server.mode = "breaks"
    with pytest.raises(DownloadError, match=r"set\.bin could not be downloaded: .*"):
        fetch_file(remote)
    assert left_behind(remote) == ["set.bin.part"]
    sizes = [len(CONTENT) - len(CONTENT) // 2**k for k in range(1, download.ATTEMPTS + 1)]
    assert remote.path.with_name("set.bin.part").stat().st_size == sizes[-1]
    server.mode = "good"
    assert fetch_file(remote).read_bytes() == CONTENT
    assert server.ranges == [None, *(f"bytes={size}-" for size in sizes)]
    assert left_behind(remote) == ["set.bin"]


def part(remote, content):
    remote.path.parent.mkdir(parents=True, exist_ok=True)
    remote.path.with_name("set.bin.part").write_bytes(content)


def test_server_without_ranges_starts_again(server, remote):
    part(remote, CONTENT[:100])
    server.mode = "no ranges"
    assert fetch_file(remote).read_bytes() == CONTENT


def test_finished_part_needs_no_network(server, remote):
    part(remote, CONTENT)
    assert fetch_file(remote).read_bytes() == CONTENT
    assert server.ranges == []


@pytest.mark.parametrize("wrong", [b"x" * 1000, b"x" * len(CONTENT), CONTENT + b"more"])
def test_part_of_another_file_is_thrown_away(server, remote, wrong):
    part(remote, wrong)
    assert fetch_file(remote).read_bytes() == CONTENT
    assert server.ranges[-1] is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1] + b"!", "another checksum"),
        (CONTENT[:-1], "sent 511,999 of 512,000 bytes"),
        (CONTENT + b"!", "more than 512,000 bytes"),
    ],
)
def test_wrong_content_is_never_kept(server, remote, content, reason):
    server.content = content
    with pytest.raises(DownloadError, match=reason):
        fetch_file(remote)
    assert "set.bin" not in left_behind(remote)
    assert not remote.is_here()


def test_wrong_file_in_place_is_replaced(server, remote):
    remote.path.parent.mkdir(parents=True)
    remote.path.write_bytes(CONTENT[:-1] + b"!")
    assert not remote.is_here()
    assert fetch_file(remote).read_bytes() == CONTENT


def test_a_connection_that_breaks_is_gone_on_with(server, remote):
    server.breaks = 3
    assert fetch_file(remote).read_bytes() == CONTENT
    assert len(server.ranges) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_four_processes_at_once_and_one_is_killed(server, remote):
    """Each gets the file; it is downloaded once, but for what the killed one had begun."""
    server.breaks, server.pause = 1, threading.Event()
    processes = [fetching(remote) for _ in range(4)]
    assert server.paused.wait(60)
    (holder,) = [p for p in processes if f'"pid": {p},' in lock_of(remote).read_text()]
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    server.pause.set()
    codes = [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in processes if p != holder]
    assert codes == [0, 0, 0]
    assert left_behind(remote) == ["set.bin"]
    assert len(server.ranges) <= 3


def fetching(remote):
    """Fetch a file in a process of its own; return its number."""
    process = os.fork()
    if not process:
        try:
            os._exit(0 if fetch_file(remote).read_bytes() == CONTENT else 1)
        finally:
            os._exit(2)
    return process


def lock_of(remote):
    return remote.path.with_name(f".{remote.name}.lock")


def test_missing_file(server, remote):
    server.mode = "missing"
    with pytest.raises(DownloadError, match="answers 404"):
        fetch_file(remote)


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    remote = RemoteFile("set.bin", "http://127.0.0.1:9/set.bin", "md5:0123", 1_500_000)
    with pytest.raises(DownloadError) as caught:
        fetch_file(remote)
    message = str(caught.value)
    for part_of_it in (remote.url, "1.5 MB", str(tmp_path / "set.bin"), "md5 0123"):
        assert part_of_it in message
    assert "\n" not in message
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written(server, remote, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch_file(remote)


def test_folder_of_the_users_caches(monkeypatch):
    monkeypatch.delenv("PIXELRNN_DATA", raising=False)
    assert download.download_folder().name == "pixelrnn"
