"""The rating page as raters meet it: over HTTP, killed and started again, and in a real browser."""

import base64
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from finllm import cli
from finllm.commands.rate.app import HEADERS, N_QUESTIONS
from finllm.rating import ballot
from finllm.rating.clicks import CRITERIA, read_clicks
from finllm.records import Prediction, read_examples, read_predictions, write_jsonl
from tests.conftest import make_example

ROOT = Path(__file__).parent.parent
ATTACK = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
N = 6


def write_inputs(folder):
    """Examples and answers that hold markup and very long words."""
    examples = [
        make_example(
            f"e{i}",
            instruction=f"Summarize {ATTACK}",
            excerpt=f"Source {i} {ATTACK} & {'revenue' * 60}\n" + "Sales rose 12%. " * 80,
        )
        for i in range(N)
    ]
    write_jsonl(folder / "test.jsonl", examples)
    for model in ("base", "tuned"):
        texts = [
            f"The {model[::-1]} says {ATTACK} {'x' * 200}",
            "",
            *(f"{model[0]}{i}" for i in "abcd"),
        ]
        rows = [
            Prediction(
                e.id, model, text or ("" if model == "base" else "Something."), "0", 1, 1, False
            )
            for e, text in zip(examples, texts, strict=True)
        ]
        write_jsonl(folder / f"{model}.jsonl", rows)


def arguments(folder, port=0):
    files = {"examples": "test.jsonl", "base": "base.jsonl", "tuned": "tuned.jsonl"}
    files["ratings"] = "ratings"
    words = [word for name, file in files.items() for word in (f"--{name}", str(folder / file))]
    return ["rate", *words, "--port", str(port)]


class Server:
    """``python -m finllm rate`` as a process of its own."""

    def __init__(self, folder, port=0):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "finllm", *arguments(folder, port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])

    def ask(self, method, path, body=None, **headers):
        """Status, headers and text of one request, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def pair(self, rater, number):
        return re.search(r'name="pair" value="(\w+)"', self.get(f"/rate/{rater}/{number}")[2])[1]

    def click(self, rater, number, value, pair=None, **headers):
        """The status of a click, sent as a browser without JavaScript sends it."""
        body = urlencode({"pair": pair or self.pair(rater, number), "click": value})
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", f"/rate/{rater}/{number}", body, Content_Type=kind, **headers)

    def saved(self, rater):
        return read_clicks(self.folder / "ratings" / f"{rater}.jsonl")

    def end(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        code = self.process.wait(60)
        said = self.process.stdout.read()
        self.process.stdout.close()
        return code, said


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rate")
    write_inputs(folder)
    server = Server(folder)
    yield server
    server.end()


def pressed(page):
    return [unescape(v) for v in re.findall(r'value="([^"]+)"[^>]*aria-pressed="true"', page)]


# --- over HTTP


def test_a_rater_goes_from_the_name_to_the_end_and_comes_back_to_where_it_was(server):
    status, headers, page = server.get("/")
    assert status == 200 and f"You will see {N} pairs" in page
    assert server.get("/?rater=+Zoe+")[1]["location"] == "/rate/zoe"
    for number in range(1, N + 1):
        assert server.get("/rate/zoe")[1]["location"] == f"/rate/zoe/{number}"
        values = [f"{name}.{letter}.3" for name in CRITERIA for letter in "AB"]
        for value in [*values, "preference..tie"]:
            status, headers, _ = server.click("zoe", number, value)
            assert status == 303 and headers["location"] == f"/rate/zoe/{number}#rating"
        page = server.get(f"/rate/zoe/{number}")[2]
        assert sorted(pressed(page)) == sorted([*values, "preference..tie"])
        assert f'id="given">{N_QUESTIONS}<' in page and f'id="done">{number}<' in page
    assert "All 6 pairs are rated" in server.get("/rate/zoe")[2]
    assert len(server.saved("zoe")) == N * N_QUESTIONS


def test_the_last_click_is_shown_and_a_script_gets_the_counts(server):
    server.click("max", 2, "accuracy.A.1")
    status, _, text = server.click("max", 2, "accuracy.A.5", Accept="application/json")
    assert status == 200 and json.loads(text) == {"n_given": 1, "n_done": 0}
    assert pressed(server.get("/rate/max/2")[2]) == ["accuracy.A.5"]
    assert [click.value for click in server.saved("max")] == [1, 5]


def test_the_file_says_who_stood_behind_a_and_the_page_does_not(server):
    pairs = ballot.pairs(
        read_examples(server.folder / "test.jsonl"),
        read_predictions(server.folder / "base.jsonl"),
        read_predictions(server.folder / "tuned.jsonl"),
    )
    seen = set()
    for number, pair in enumerate(pairs, 1):
        page = server.get(f"/rate/blind/{number}")[2]
        assert not re.search(r"\b(base|tuned)\b", page), "the page names a model"
        assert pair.sha256 not in page, "this hash tells the order"
        server.click("blind", number, "preference..A")
        click = server.saved("blind")[-1]
        first = re.search(r'id="answer-A">.*?<div class="text">(.*?)</div>', page, re.S)[1]
        text = {"base": pair.base, "tuned": pair.tuned}[click.a_model]
        assert unescape(re.sub(r"</?em[^>]*>", "", first)) == (text or "(empty)")
        assert (click.example_id, click.pair_sha256) == (pair.example.id, pair.sha256)
        seen.add(click.a_model)
    assert seen == {"base", "tuned"}


def test_markup_is_text_wherever_it_comes_from(server):
    pages = [server.get(f"/rate/x/{n}")[2] for n in range(1, N + 1)]
    name = urlencode({"rater": ATTACK})
    pages += [server.get(f"/?{name}")[2], server.get("/rate/%3Cscript%3Ealert(1)%3Cscript%3E")[2]]
    for page in pages:
        assert re.findall(r"<script[^>]*>", page) in ([], ['<script src="/rate.js" defer>'])
        assert "<img" not in page and "&lt;script&gt;" in page
    assert server.get(f"/?{name}")[0] == 400
    assert any("The esab says &lt;script&gt;" in page for page in pages)


@pytest.mark.parametrize("name", ["..%2F..%2Fevil", "%2Fetc", ".", "a.b", "%00", "Ann", "a" * 40])
def test_a_bad_name_in_the_address_writes_nothing(server, name):
    before = sorted(server.folder.rglob("*"))
    for method, body in (("GET", None), ("POST", "pair=x&click=accuracy.A.1")):
        assert server.ask(method, f"/rate/{name}/1", body)[0] in (400, 404)
    assert sorted(server.folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("value", "status"),
    [("accuracy.A.6", 400), ("accuracy.C.1", 400), ("", 400), ("preference..C", 400)],
)
def test_a_click_that_no_button_sends_is_refused(server, value, status):
    assert server.click("odd", 1, value)[0] == status
    assert server.saved("odd") == []


def test_a_form_of_other_answers_too_long_or_doubled_is_refused(server):
    assert server.click("odd", 1, "accuracy.A.1", pair=server.pair("odd", 2))[0] == 409
    assert server.click("odd", 1, "accuracy.A.1", pair="x" * 5000)[0] == 413
    body = f"pair={server.pair('odd', 1)}&click=accuracy.A.1&click=accuracy.A.2"
    assert server.ask("POST", "/rate/odd/1", body)[0] == 400
    assert server.get(f"/rate/odd/{N + 1}")[0] == 404 and server.get("/nothing")[0] == 404
    assert server.saved("odd") == []


def test_another_host_is_refused_so_that_a_rebound_name_reads_nothing(server):
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1:1", "", "127.0.0.1"):
        status, _, page = server.get("/rate/ann/1", Host=host)
        assert status == 403 and "Source" not in page, host
    assert server.get("/", Host=f"localhost:{server.port}")[0] == 200


def test_a_form_of_another_origin_is_refused(server):
    own = f"http://127.0.0.1:{server.port}"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": own},
    ):
        assert server.click("forged", 1, "accuracy.A.1", **headers)[0] == 403, headers
    assert server.saved("forged") == []
    headers = {"Origin": own, "Sec_Fetch_Site": "same-origin"}
    assert server.click("forged", 1, "accuracy.A.1", **headers)[0] == 303


def test_every_answer_has_the_headers_that_lock_it(server):
    for path in ("/", "/rate/ann/1", "/rate.css", "/rate.js", "/nothing"):
        headers = server.get(path)[1]
        assert {name: headers[name] for name in HEADERS} == HEADERS, path


def test_it_listens_on_the_loopback_address_only(server):
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            pytest.skip("no /proc/net/tcp here")
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == server.port:
                listening.append(address.rpartition(":")[0])
    assert listening == ["0100007F"]  # 127.0.0.1, little-endian


# --- killed


def test_no_click_that_was_answered_is_lost_to_a_kill(tmp_path):
    write_inputs(tmp_path)
    server = Server(tmp_path)
    pair = server.pair("kim", 1)
    answered, stop = [], threading.Event()

    def clicking():
        for i in range(100_000):
            try:
                if server.click("kim", 1, f"accuracy.A.{1 + i % 5}", pair)[0] == 303:
                    answered.append(1 + i % 5)
            except (OSError, http.client.HTTPException):
                break
        stop.set()

    thread = threading.Thread(target=clicking)
    thread.start()
    while len(answered) < 25 and thread.is_alive():
        time.sleep(0.01)
    code, _ = server.end(signal.SIGKILL)
    thread.join(60)
    assert code == -signal.SIGKILL and stop.is_set() and len(answered) >= 25
    saved = [click.value for click in server.saved("kim")]
    assert saved[: len(answered)] == answered
    assert len(saved) - len(answered) in (0, 1)  # one may be on the disk and not answered yet

    path = tmp_path / "ratings" / "kim.jsonl"
    path.write_bytes(path.read_bytes() + b'{"rater": "kim", "exam')  # and power fails in a write
    again = Server(tmp_path, server.port)  # the same port at once
    try:
        assert pressed(again.get("/rate/kim/1")[2]) == [f"accuracy.A.{saved[-1]}"]
        assert again.click("kim", 1, "preference..B")[0] == 303
        assert [click.value for click in again.saved("kim")] == [*saved, "B"]
    finally:
        code, said = again.end(signal.SIGINT)
    assert code == 0 and "run the command again to continue" in said


def test_mistakes_are_one_line(tmp_path, server):
    with pytest.raises(SystemExit, match=r"test.jsonl: no such file; run `dvc repro` first"):
        cli.main(arguments(tmp_path))
    write_inputs(tmp_path)
    with pytest.raises(SystemExit, match=rf"port {server.port}: .*; choose another with --port"):
        cli.main(arguments(tmp_path, server.port))
    with pytest.raises(SystemExit, match="port 99999: .*; choose another"):
        cli.main(arguments(tmp_path, 99999))


# --- in a browser


class Browser:
    """Headless Chromium by its debugging pipe: JSON messages that end in a zero byte."""

    def __init__(self, command, profile):
        to_read, self.to = os.pipe()
        self.answers, to_write = os.pipe()
        # Away from 3 and 4, which the browser reads and writes.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (to_read, to_write)]

        def place():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        flags += ["--disable-background-networking", "--no-first-run", "--remote-debugging-pipe"]
        self.process = subprocess.Popen(
            [command, *flags, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_read, to_write, *ends):
            os.close(end)
        self.number, self.buffer, self.session, self.events = 0, b"", None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def receive(self):
        while b"\0" not in self.buffer:
            part = os.read(self.answers, 1 << 16)
            assert part, "the browser has gone"
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def wait_for(self, expression, seconds=60):
        """The first true value of an expression on the page."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.value(expression):
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {expression}; {self.value('document.body.innerText')}")

    def value(self, expression):
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait_for(f"document.readyState === 'complete' && location.href === '{url}'")

    def press(self, selector):
        """A real mouse click in the middle of an element."""
        place = self.value(
            f"(() => {{ const e = document.querySelector('{selector}');"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            at = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, **at)

    def complaints(self):
        """What the console said, uncaught errors included."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def close(self):
        self.process.kill()
        self.process.wait(60)
        os.close(self.to)
        os.close(self.answers)


def chromium():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("chromium is not installed, and the CI must look at the page")
    return found or pytest.skip("chromium is not installed")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(chromium(), tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def button(value):
    return f'button[value="{value}"]'


def is_pressed(value):
    return f"document.querySelector('{button(value)}').ariaPressed === 'true'"


def test_a_click_in_a_browser_is_marked_when_it_is_on_the_disk(server, browser):
    browser.open(f"http://127.0.0.1:{server.port}/rate/eve/1")
    browser.value("window.stayed = true")
    for n, value in enumerate(("accuracy.A.4", "fluency.B.2", "preference..tie"), 1):
        browser.press(button(value))
        browser.wait_for(is_pressed(value))
        assert len(server.saved("eve")) == n
    browser.press(button("accuracy.A.1"))
    browser.wait_for(is_pressed("accuracy.A.1"))
    assert not browser.value(is_pressed("accuracy.A.4"))
    assert [click.value for click in server.saved("eve")] == [4, 2, "tie", 1]
    assert browser.value("document.getElementById('given').textContent") == "3"
    assert browser.value("window.stayed"), "the page was loaded again"
    assert browser.complaints() == []


def test_without_javascript_a_click_reloads_the_page_and_is_saved(server, browser):
    url = f"http://127.0.0.1:{server.port}/rate/nojs/1"
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(url)
        browser.press(button("usefulness.B.5"))
        browser.wait_for(f"location.hash === '#rating' && {is_pressed('usefulness.B.5')}")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert [click.question for click in server.saved("nojs")] == ["usefulness"]


def test_markup_in_the_texts_does_nothing_in_a_browser(server, browser):
    for number in range(1, N + 1):
        browser.open(f"http://127.0.0.1:{server.port}/rate/ann/{number}")
        assert browser.value("document.title") == f"Pair {number} of {N}"
        assert browser.value("document.querySelectorAll('img').length") == 0
        assert "<script>" in browser.value("document.querySelector('.source').innerText")
    browser.open(f"http://127.0.0.1:{server.port}/?{urlencode({'rater': '<b>x</b>'})}")
    assert browser.value("document.querySelector('input').value") == "<b>x</b>"
    browser.events.clear()  # the console tells of the 400


@pytest.mark.parametrize("width", [360, 420, 768, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_can_be_read_at_every_width_in_both_schemes(
    server, browser, width, scheme
):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 760}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.call("Emulation.setEmulatedMedia", features=[feature])
    sizes = (
        "[document.documentElement.scrollWidth - innerWidth, Math.min(...[...document"
        ".querySelectorAll('button, a.go')].map(e => e.getBoundingClientRect().height))]"
    )
    for number in range(1, N + 1):
        browser.open(f"http://127.0.0.1:{server.port}/rate/ann/{number}")
        overflow, smallest = browser.value(sizes)
        assert overflow <= 0 and smallest >= 44, (number, overflow, smallest)
    colours = "['color', 'backgroundColor'].map(k => getComputedStyle(document.body)[k])"
    ink, paper = (
        sum(map(int, re.findall(r"\d+", colour)[:3])) / 3 for colour in browser.value(colours)
    )
    assert (ink < 60 < 200 < paper) if scheme == "light" else (paper < 60 < 200 < ink)
    shot = base64.b64decode(browser.call("Page.captureScreenshot")["data"])
    assert shot.startswith(b"\x89PNG") and int.from_bytes(shot[16:20], "big") == width
    assert len(shot) > 10_000, "an empty page compresses to less"


def test_a_click_that_was_not_saved_is_not_marked_and_the_rater_is_told(browser, tmp_path):
    write_inputs(tmp_path)
    server = Server(tmp_path)
    browser.open(f"http://127.0.0.1:{server.port}/rate/eve/1")
    server.end()
    browser.press(button("accuracy.A.4"))
    browser.wait_for("!document.getElementById('problem').hidden")
    assert "Not saved" in browser.value("document.getElementById('problem').innerText")
    assert not browser.value(is_pressed("accuracy.A.4"))
    again = Server(tmp_path, server.port)
    try:
        browser.press(button("accuracy.A.4"))
        browser.wait_for(
            f"document.getElementById('problem').hidden && {is_pressed('accuracy.A.4')}"
        )
        assert [click.value for click in again.saved("eve")] == [4]
    finally:
        again.end()
