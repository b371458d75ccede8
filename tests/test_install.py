"""From the wheel into an empty environment: the commands work, and JupyterLab serves the course."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the layout of the environment and SIGINT are those of POSIX")


def run(*command, **options):
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    copy = tmp_path_factory.mktemp("source") / "copy"
    left_out = ".git .venv* .ipynb_checkpoints __pycache__ .pytest_cache .ruff_cache build dist demo".split()
    shutil.copytree(TOP, copy, ignore=shutil.ignore_patterns(*left_out))
    folder = copy.parent / "wheel"
    run(sys.executable, "-m", "pip", "wheel", copy, "--no-deps", "--no-build-isolation", "--no-index", "-w", folder)
    (made,) = folder.glob("tlcourse-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    "The bin folder of an environment with the wheel, and the dependencies of the environment that runs this test"
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", environment)
    scripts = environment / "bin"
    run(scripts / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel)
    # A path in a .pth file brings the packages there, but not what .pth files there point to: the editable tlcourse
    inner = run(scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(inner) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return scripts


@pytest.fixture
def environ(tmp_path):
    "Nothing of this user's settings; JupyterLab's pages come from the environment that runs this test"
    lab = Path(sys.prefix) / "share" / "jupyter" / "lab"
    places = {
        name: tmp_path / name for name in ("HOME", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    }
    for place in places.values():
        place.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "TLCOURSE_"))}
    return dict(kept, JUPYTERLAB_DIR=str(lab), **{name: str(place) for name, place in places.items()})


def test_the_pinned_packages_are_for_the_oldest_python_too():
    "Debian 12 has Python 3.11.2, for which a package that asks for 3.11.5 is not there"
    spec = importlib.util.spec_from_file_location("pin", TOP / "tools" / "pin.py")
    pin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pin)
    assert pin.too_new() == {}


def test_tlcourse_comes_from_the_wheel(installed, environ, tmp_path):
    where = run(installed / "python", "-c", "import tlcourse; print(tlcourse.__file__)", env=environ, cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert "COMMAND" in run(installed / "tlcourse", "--help", env=environ, cwd=tmp_path)


def ask(server, path, method="GET", body=None):
    request = urllib.request.Request(f"{server['url']}{path}", method=method, data=body and json.dumps(body).encode())
    request.add_header("Authorization", f"token {server['token']}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.load(answer)


def wait_for(something, process, log, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        found = something()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited for {seconds} seconds\n{log.read_text()}")


def running_server(folder, port):
    for path in folder.glob("jpserver-*.json"):
        try:
            server = json.loads(path.read_text())
            ask(server, "api/status")
        except (ValueError, urllib.error.URLError):  # half written, or not answering yet
            return None
        return server if server["port"] == port else None


def test_lab_serves_the_course_and_keeps_edits(installed, environ, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    course, log = tmp_path / "course", tmp_path / "log.txt"
    command = [installed / "tlcourse", "lab", course, "--no-browser", "--port", str(port)]
    # A shell ignores Ctrl-C in what it runs in the background, and children inherit that
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env=environ, cwd=tmp_path, stdout=file, stderr=file, stdin=subprocess.DEVNULL
        )
    signal.signal(signal.SIGINT, ignored)
    try:
        server = wait_for(lambda: running_server(tmp_path / "JUPYTER_RUNTIME_DIR", port), process, log)
        listed = {item["name"] for item in ask(server, "api/contents/lessons")["content"]}
        assert {path.name for path in (TOP / "nbs" / "lessons").glob("*.ipynb")} <= listed
        if (TOP / "nbs" / "index.ipynb").exists():
            assert ask(server, "api/contents/index.ipynb")["type"] == "notebook"
        kernel = ask(server, "api/kernelspecs")["kernelspecs"]["python3"]["spec"]
        assert Path(kernel["argv"][0]).parent == installed
        started = ask(server, "api/kernels", "POST", {"name": "python3"})
        assert started["name"] == "python3"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text()
        with pytest.raises(urllib.error.URLError):
            ask(server, "api/status")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    lesson = next((course / "lessons").glob("*.ipynb"))
    lesson.write_text("my answer")
    script = f"from tlcourse.classroom.course_files import copy_course; print(dict(copy_course({str(course)!r})))"
    done = run(installed / "python", "-c", script, env=environ, cwd=tmp_path)
    assert f"'lessons/{lesson.name}': 'yours, kept'" in done
    assert lesson.read_text() == "my answer"
