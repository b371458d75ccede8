"""The guard of `make test`: nothing leaves this machine, neither here nor from a child process."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = Path(__file__).parent / "offline"
guarded = pytest.mark.skipif(
    os.environ.get("OFFLINE_GUARD") != "1", reason="the guard is not on PYTHONPATH; `make test` puts it there"
)

ATTEMPTS = {
    "connect": "socket.socket().connect(('192.0.2.1', 80))",
    "connect_ex": "socket.socket().connect_ex(('192.0.2.1', 80))",
    "connect by name": "socket.socket().connect(('example.org', 80))",
    "create_connection": "socket.create_connection(('192.0.2.1', 80), timeout=5)",
    "sendto": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "IPv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "look-up": "socket.getaddrinfo('example.org', 443)",
    "old look-up": "socket.gethostbyname('example.org')",
    "a name that looks like loopback": "socket.getaddrinfo('127.example.org', 443)",
}


def run(script, path=GUARD, **environ):
    environ = dict(os.environ, PYTHONPATH=str(path), **environ)
    return subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True)


@guarded
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_refused_in_this_process(attempt):
    with pytest.raises(OSError, match="^offline: "):
        eval(attempt, {"socket": socket})


@guarded
def test_refused_in_a_child_of_a_child():
    attempt = "import socket; socket.create_connection(('192.0.2.1', 80))"
    script = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {attempt!r}]).returncode)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "OSError: offline: " in ran.stderr


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_the_guard_refuses_wherever_it_is_on_the_path(attempt):
    ran = run(f"import socket; {attempt}")
    assert ran.returncode == 1
    assert "OSError: offline: " in ran.stderr


def test_this_machine_is_reached():
    ran = run("""if True:
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        assert socket.getaddrinfo("localhost", 80) and socket.getaddrinfo(None, 80)
        socket.create_connection(server.getsockname()).sendall(b"x")
        assert server.accept()[0].recv(1) == b"x"
        if hasattr(socket, "AF_UNIX"):
            one, other = socket.socketpair()
            one.sendall(b"y")
            assert other.recv(1) == b"y"
        """)
    assert ran.returncode == 0, ran.stderr


def test_the_sitecustomize_behind_the_guard_still_runs(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['BEHIND'] = 'ran'\n")
    ran = run(
        "import os; print(os.environ['BEHIND'], os.environ['OFFLINE_GUARD'])", path=f"{GUARD}{os.pathsep}{tmp_path}"
    )
    assert ran.stdout.split() == ["ran", "1"], ran.stderr
