"""The labs as a learner meets them: a real JupyterLab, a real browser, from the first click to the code.

Screenshots in the light and the dark theme go into the folder that SCREENSHOTS names, if it names one.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 1_200_000  # milliseconds: a machine with two cores may be doing something else too


def needed(reason):
    "Skip where the browser test was not asked for, fail where it was"
    if os.environ.get("NEEDS_BROWSER"):
        pytest.fail(f"{reason}: make test-browser installs it", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
if BROWSER is None:
    needed(f"no browser here: none of {', '.join(BROWSERS)} was found")
try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    needed("no browser here: the package playwright is not installed")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def request(url, method="GET", body=None, token=None):
    asked = urllib.request.Request(url, method=method, data=body and json.dumps(body).encode())
    if token:
        asked.add_header("Authorization", f"token {token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=20) as answer:
        return answer.read()


@contextlib.contextmanager
def served(command, folder, ready):
    "A server in a process of its own; ended with Ctrl-C, as a learner ends it"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "TLCOURSE_"))}
    places = {}
    for name in ("HOME", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "TLCOURSE_CACHE"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        places[name] = str(folder / name)
    lab = Path(sys.prefix) / "share" / "jupyter" / "lab"
    log = folder / "log.txt"
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("w") as file:
        environ = dict(kept, JUPYTERLAB_DIR=str(lab), **places)
        command = [sys.executable, "-m", "tlcourse", "lab", *command]
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, ignored)
    try:
        deadline = time.monotonic() + 300
        while not (found := ready(folder)):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.3)
        yield found
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def page():
    "A page whose console is watched: an error in it fails the test"
    errors = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE)
        page.set_default_navigation_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("dialog", lambda dialog: dialog.accept())  # a page with changes asks before it is left
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert not errors


def screenshot(page, name):
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def jupyterlab(folder):
    "Address and token of the server, when it answers"
    for path in (folder / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"):
        with contextlib.suppress(ValueError, OSError):
            server = json.loads(path.read_text())
            request(f"{server['url']}api/status", token=server["token"])
            return server
    return None


def use_theme(server, theme):
    address = f"{server['url']}lab/api/settings/@jupyterlab/apputils-extension:themes"
    request(address, "PUT", {"raw": json.dumps({"theme": theme})}, server["token"])


def open_lesson(page, server):
    page.goto(f"{server['url']}lab/tree/lessons/01_first_transfer.ipynb?token={server['token']}")
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    # A cell that is run before there is a kernel is forgotten
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")


def menu(page, name, entry):
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{name}$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{entry}$")).click()


def show(page, selector, **which):
    "Go to a widget or a cell; JupyterLab draws a cell only when it is near to what is seen"
    deadline, place = time.monotonic() + PATIENCE / 1000, 0
    panel = page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer")
    while not page.locator(selector, **which).count():
        assert time.monotonic() < deadline, f"{selector} never came"
        place = place % 10 + 1
        panel.evaluate("(panel, place) => panel.scrollTo(0, panel.scrollHeight * place / 10)", place)
        page.wait_for_timeout(500)
    found = page.locator(selector, **which).first
    found.scroll_into_view_if_needed()
    return found


def run_cell(page, words):
    "Run the cell that has these words, by keyboard"
    show(page, ".jp-CodeCell .jp-InputArea-editor", has_text=words).click()
    page.keyboard.press("Shift+Enter")


def kernels(port):
    "The processes of the kernels that the server on this port has started"
    servers = [
        one for one in psutil.process_iter(["cmdline"]) if f"--ServerApp.port={port}" in (one.info["cmdline"] or ())
    ]
    found = set()
    for server in servers:
        with contextlib.suppress(psutil.NoSuchProcess):  # one that ends while it is looked at is none any more
            for child in server.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "ipykernel_launcher" in child.cmdline():
                        found.add(child.pid)
    return found


def pixels(image):
    return image.get_attribute("src")


def until_changed(page, image, before):
    deadline = time.monotonic() + PATIENCE / 1000
    while pixels(image) in (before, None):
        assert time.monotonic() < deadline, "the picture stayed as it was"
        page.wait_for_timeout(50)
    return pixels(image)


def until(happens):
    deadline = time.monotonic() + PATIENCE / 1000
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.long(400)
def test_a_learner_fine_tunes_and_finds_the_run_again(page, tmp_path):
    port = free_port()
    with served(["course", "--no-browser", "--port", str(port)], tmp_path, jupyterlab) as server:
        open_lesson(page, server)
        menu(page, "Run", "Run All Cells")
        lab = show(page, ".tlcourse-lab")
        state = lab.locator(".tlcourse-state")
        expect(state).to_contain_text("Ready")
        # A long run, so that there is something to stop
        epochs = lab.locator(".widget-inline-hbox", has_text="epochs").get_by_role("slider")
        epochs.focus()
        page.keyboard.press("End")
        start, stop = lab.get_by_role("button", name="Start"), lab.get_by_role("button", name="Stop")
        curves = lab.locator("img").first
        nothing = pixels(curves)
        start.focus()
        page.keyboard.press("Enter")
        expect(start).to_be_disabled()
        first = until_changed(page, curves, nothing)
        second = until_changed(page, curves, first)
        until_changed(page, curves, second)
        # An interrupt is for the cell that runs, of which there is none; the training is not touched
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
        menu(page, "Kernel", "Interrupt Kernel")
        until_changed(page, curves, pixels(curves))
        expect(state).to_contain_text("Training")
        # The view is closed and the cell run again: another view, the same run
        run_cell(page, "FineTuneLab()")
        lab = show(page, ".tlcourse-lab")
        state, curves = lab.locator(".tlcourse-state"), lab.locator("img").first
        start, stop = lab.get_by_role("button", name="Start"), lab.get_by_role("button", name="Stop")
        expect(start).to_be_disabled()
        expect(state).to_contain_text("phase 2 of 2")
        until_changed(page, curves, pixels(curves))
        screenshot(page, "training-light")
        lab.get_by_role("button", name="Pause").click()
        expect(state).to_contain_text("Paused")
        lab.get_by_role("button", name="Go on").click()
        expect(state).to_contain_text("Training")
        stop.click()
        expect(state).to_contain_text("Done")
        expect(lab.locator(".tlcourse-runs")).to_contain_text("run 1")
        expect(lab.locator(".tlcourse-runs")).to_contain_text("of 40")
        # Its pictures
        for name in ("Confusion", "Mistakes", "Grad-CAM"):
            lab.get_by_role("tab", name=name).click()
            lab.locator(".widget-tab img:visible").first.wait_for()
            screenshot(page, f"{name.lower()}-light")
        # The code, by its button
        lab.get_by_role("tab", name="Code").click()
        code = lab.get_by_label("the code of this run").input_value()
        compile(code, "the copied code", "exec")
        assert "keras.Model(" in code
        lab.get_by_role("button", name="tlcourse, shorter").click()
        expect(lab.get_by_label("the code of this run")).to_contain_text("fine_tuning.fine_tune(")
        lab.get_by_role("button", name="Keras alone").click()
        expect(lab.get_by_label("the code of this run")).to_contain_text("keras.Model(")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        lab.get_by_role("button", name="Copy the code").click()
        assert page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n") == code
        screenshot(page, "code-light")
        # The instant head
        head = show(page, ".tlcourse-instant-head")
        accuracy = head.locator(".tlcourse-accuracy")
        expect(accuracy).to_contain_text("right with")
        before = accuracy.inner_text()
        slider = head.get_by_role("slider").first
        slider.focus()
        for _ in range(8):
            page.keyboard.press("ArrowLeft")
        expect(accuracy).not_to_have_text(before)
        expect(accuracy).to_contain_text("right with 20 training images")
        screenshot(page, "instant-head-light")
        box = head.locator(".noUi-handle").nth(1).bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        drawn = pixels(head.locator("img").first)
        page.mouse.move(box["x"] + 60, box["y"] + box["height"] / 2, steps=5)
        page.mouse.up()
        until_changed(page, head.locator("img").first, drawn)
        # A new page finds the run, in the other theme
        page.keyboard.press("Control+s")
        page.wait_for_timeout(2000)
        use_theme(server, "JupyterLab Dark")
        page.reload()
        page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
        lab = show(page, ".tlcourse-lab")
        lab.get_by_role("tab", name="Runs").click()
        expect(lab.locator(".tlcourse-runs")).to_contain_text("run 1")
        screenshot(page, "runs-dark")
        lab.get_by_role("tab", name="Code").click()
        assert lab.get_by_label("the code of this run").input_value() == code
        screenshot(page, "code-dark")
        show(page, ".tlcourse-instant-head")
        screenshot(page, "instant-head-dark")
        # A kernel that is restarted while it trains takes its threads along, and the next one finds the finished run
        lab = show(page, ".tlcourse-lab")
        lab.get_by_role("button", name="Start").click()
        expect(lab.locator(".tlcourse-state")).to_contain_text("Training")
        (before,) = kernels(port)
        menu(page, "Kernel", "Restart Kernel…")
        page.locator(".jp-Dialog button", has_text="Restart").click()
        until(lambda: kernels(port) and before not in kernels(port))
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
        run_cell(page, "from tlcourse.labs.widgets import FineTuneLab")
        run_cell(page, "FineTuneLab()")
        lab = show(page, ".tlcourse-lab")
        expect(lab.locator(".tlcourse-state")).to_contain_text("Ready")
        expect(lab.locator(".tlcourse-runs")).to_contain_text("run 1")
        expect(lab.locator(".tlcourse-runs")).not_to_contain_text("run 2")
        assert len(kernels(port)) == 1
        # Nothing has asked whether to fetch news
        expect(page.get_by_text("Jupyter news")).to_have_count(0)
        page.goto("about:blank")
    assert not kernels(port)


def listening(port):
    def ready(folder):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return f"http://127.0.0.1:{port}/"
        return None

    return ready


@pytest.mark.long(100)
def test_the_app_is_the_lab_alone(page, tmp_path):
    pytest.importorskip("voila", reason="the package voila is not installed")
    # Voilà's page asks a CDN for the icons that it brings along anyway; here there is no network
    page.route(re.compile("^https://cdn.jsdelivr.net/"), lambda route: route.fulfill(body="", content_type="text/css"))
    port = free_port()
    with served(["demo", "--app", "--no-browser", "--port", str(port)], tmp_path, listening(port)) as address:
        page.goto(address)
        lab = page.locator(".tlcourse-lab")
        lab.wait_for()
        expect(page.locator(".jp-InputArea:visible")).to_have_count(0)
        screenshot(page, "app")
        lab.get_by_role("button", name="Start").click()
        expect(lab.locator(".tlcourse-state")).to_contain_text("Done")
        expect(lab.locator(".tlcourse-runs")).to_contain_text("run 1")
        screenshot(page, "app-done")
        page.goto("about:blank")
    assert (tmp_path / "demo" / "runs" / "001" / "state.npz").exists()
