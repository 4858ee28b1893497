"""The labelling page: refusals at the level of HTTP, and a session in a real browser."""

import http.client
import json
import shutil
import socket
import struct
import threading

import numpy as np
import pytest

from lal.errors import UsageError
from lal.labelling import LabellingProject
from lal.labelling.session import LabellingSession

pytest.importorskip("uvicorn", reason="the page needs the extra web")
from scripts.label_web.server import MAX_BODY, PAGE, LabelServer

CLASSES = ("ant", "bee", "<cow>")


@pytest.fixture
def server(tmp_path):
    rng = np.random.default_rng(3)
    codes = rng.integers(3, size=120)
    X = rng.normal(size=(120, 3)) + 2.5 * np.eye(3)[codes]
    lines = ["key,p,q,r,note"]
    for i, row in enumerate(X):
        lines.append(
            f"{i}-{codes[i] + 1},{','.join(f'{v:.2f}' for v in row)},<b>note</b> & more {i}"
        )
    path = tmp_path / "data.csv"
    path.write_text("\n".join(lines))
    with (
        LabellingProject(path, target="label", classes=CLASSES, id_column="key") as project,
        LabelServer(LabellingSession(project, out=tmp_path / "out.csv")) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Client:
    """Sends requests as the page would, or with something changed."""

    def __init__(self, server):
        self.server = server
        self.host = f"127.0.0.1:{server.server_address[1]}"
        self.good = {
            "Cookie": f"{server.cookie}={server.token}",
            "Origin": f"http://{self.host}",
            "X-CSRF-Token": server.csrf,
            "Content-Type": "application/json",
        }

    def send(self, method, path, *, headers=None, body=None):
        """Return status, headers and content; a header of None is left out."""
        given = {k: v for k, v in {**self.good, **(headers or {})}.items() if v is not None}
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, body=content, headers=given)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def state(self):
        status, _, content = self.send("GET", "/state")
        assert status == 200
        return json.loads(content)


@pytest.fixture
def client(server):
    return Client(server)


def test_listens_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/state", "/?token=wrong", "/?token=%C3%A9", "/page.html"])
@pytest.mark.parametrize("cookie", [None, "x=y", "lal_label=;;;=", "lal_label_{port}=wrong"])
def test_without_the_token_nothing_is_shown(client, server, path, cookie):
    cookie = cookie and cookie.format(port=server.server_address[1])
    status, _, content = client.send("GET", path, headers={"Cookie": cookie})
    assert status == 403
    assert server.csrf.encode() not in content
    assert b"note" not in content


def test_the_token_becomes_a_cookie_and_leaves_the_address(client, server):
    status, headers, _ = client.send("GET", f"/?token={server.token}", headers={"Cookie": None})
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].split(";")[0]
    status, headers, content = client.send("GET", "/", headers={"Cookie": cookie})
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert b"__" not in content


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({"Cookie": None}, 403, "no token"),
        ({"Origin": None}, 403, "another page"),
        ({"Origin": "http://evil.example"}, 403, "another page"),
        ({"Origin": "null"}, 403, "another page"),
        ({"Origin": "http://127.0.0.1:1"}, 403, "another page"),
        ({"X-CSRF-Token": None}, 403, "load it again"),
        ({"X-CSRF-Token": "wrong"}, 403, "load it again"),
        ({"Host": "evil.example"}, 403, "this machine only"),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403, "this machine only"),
        ({"Content-Type": "text/plain"}, 415, "expected JSON"),
        ({"Content-Type": None}, 415, "expected JSON"),
        ({"Content-Length": str(MAX_BODY + 1)}, 413, "at most"),
        ({"Content-Length": "9" * 12}, 413, "at most"),
        ({"Transfer-Encoding": "chunked", "Content-Length": None}, 411, "Content-Length"),
    ],
)
def test_a_post_from_elsewhere_is_refused(client, headers, status, error):
    row = client.state()["card"]["row"]
    found, _, content = client.send(
        "POST", "/label", headers=headers, body={"row": row, "label": "ant"}
    )
    assert found == status
    assert error in json.loads(content)["error"]
    assert client.state()["done"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 5000, 400),
        (b"\xff\xfe", 400),
        ({}, 400),
        ({"row": "1", "label": "ant"}, 400),
        ({"row": True, "label": "ant"}, 400),
        ({"row": 1, "label": None}, 400),
        ({"row": 1}, 400),
        ({"row": -1, "label": "ant"}, 409),
        ({"row": 120, "label": "ant"}, 409),
        ({"row": 1, "label": "dog"}, 409),
    ],
)
def test_a_body_that_says_nothing_changes_nothing(client, body, status):
    found, _, content = client.send("POST", "/label", body=body)
    assert found == status
    assert json.loads(content)["error"]
    assert client.state()["done"] == 0


@pytest.mark.parametrize(
    "path",
    ["/page.html", "/../label.py", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/state/../../x",
     "/..%2f..%2fetc%2fpasswd", "/favicon.ico", "/label"],
)  # fmt: skip
def test_there_are_no_files_to_reach(client, path):
    assert client.send("GET", path)[0] == 404
    assert client.send("POST", path.replace("label", "x"), body={})[0] == 404


def test_label_skip_undo(client, server):
    first = client.state()["card"]
    status, _, content = client.send("POST", "/label", body={"row": first["row"], "label": "ant"})
    state = json.loads(content)
    assert (status, state["done"], state["undo"]) == (200, 1, first["row"])
    assert state["message"] == f"row {first['name']} is ant"
    again, _, content = client.send("POST", "/label", body={"row": first["row"], "label": "bee"})
    assert again == 409  # a second click on the same card does not label the next row
    assert "already" in json.loads(content)["error"]
    second = client.state()["card"]
    assert client.send("POST", "/skip", body={"row": second["row"]})[0] == 200
    assert client.state()["skipped"] == [second["name"]]
    assert client.send("POST", "/undo", body={"row": second["row"]})[0] == 200
    assert client.state()["card"] == second
    assert client.send("POST", "/undo", body={"row": first["row"]})[0] == 200
    assert client.state()["card"] == first
    assert client.state()["undo"] is None
    assert client.send("POST", "/undo", body={"row": first["row"]})[0] == 409


def test_an_earlier_answer_is_changed(client, server):
    assert client.state()["answers"] == []
    rows = []
    for label in ("ant", "bee"):
        rows.append(client.state()["card"]["row"])
        client.send("POST", "/label", body={"row": rows[-1], "label": label})
    names = [server.session.project.store.name(row) for row in rows]
    assert client.state()["answers"] == [[rows[1], names[1], "bee"], [rows[0], names[0], "ant"]]
    status, _, content = client.send("POST", "/change", body={"row": rows[0], "label": "<cow>"})
    said = json.loads(content)
    assert status == 200
    assert said["message"] == f"row {names[0]} is <cow> now"
    assert said["answers"] == [[rows[1], names[1], "bee"], [rows[0], names[0], "<cow>"]]
    assert said["done"] == 2
    status, _, content = client.send(
        "POST", "/change", body={"row": said["card"]["row"], "label": "ant"}
    )
    assert status == 409
    assert "has no answer to change" in json.loads(content)["error"]
    assert client.send("POST", "/change", body={"row": rows[0]})[0] == 400
    status, _, content = client.send("POST", "/undo", body={"row": rows[0]})
    assert json.loads(content)["answers"][1][2] == "ant"


def test_two_tabs_do_not_take_back_two_answers(client):
    rows = []
    for _ in range(2):
        rows.append(client.state()["card"]["row"])
        client.send("POST", "/label", body={"row": rows[-1], "label": "ant"})
    shown = client.state()["undo"]  # in both tabs
    assert client.send("POST", "/undo", body={"row": shown})[0] == 200
    status, _, content = client.send("POST", "/undo", body={"row": shown})
    assert status == 409
    assert "the last answer is not that of row" in json.loads(content)["error"]
    assert client.state()["done"] == 1
    assert client.send("POST", "/undo", body={})[0] == 400


@pytest.mark.parametrize("length", ["-1", "x", "9" * 400, "1, 2"])
def test_lengths_that_are_none_never_reach_the_page(client, length):
    body = {"row": client.state()["card"]["row"], "label": "ant"}
    status, _, _ = client.send("POST", "/label", headers={"Content-Length": length}, body=body)
    assert status == 400
    assert client.state()["done"] == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
        b"POST /label HTTP/1.1\r\n{good}Content-Length: 50\r\n\r\nhalf",
        b"GET /state HTTP/1.1\r\n{good}\r\n",
    ],
)
def test_clients_that_go_away_or_talk_rubbish_leave_no_trace(client, capfd, sent):
    good = {"Host": client.host, **client.good}
    head = "".join(f"{name}: {value}\r\n" for name, value in good.items()).encode()
    connection = socket.create_connection(client.server.server_address, timeout=20)
    connection.sendall(sent.replace(b"{good}", head))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()  # with a reset
    assert client.state()["done"] == 0
    assert "Traceback" not in capfd.readouterr().err


def test_a_reload_fits_and_ranks_nothing_again(client, server, monkeypatch):
    first = client.state()

    def refuse(*_args, **_options):
        raise AssertionError("it was computed again")

    monkeypatch.setattr(server.session.project.query, "state", refuse)
    monkeypatch.setattr(server.session.project.query, "choose", refuse)
    assert client.state() == first


def test_a_port_in_use_is_named(server):
    with pytest.raises(UsageError, match=r"cannot be used .* leave out --port"):
        LabelServer(server.session, port=server.server_address[1])


def test_other_methods_and_broken_requests_leave_the_server_up(client):
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "LABEL"):
        assert client.send(method, "/state")[0] == 405
    assert client.send("HEAD", "/state", headers={"Cookie": None})[0] == 403
    assert client.send("HEAD", "/label")[0] == 404
    assert client.state()["done"] == 0


def test_the_page_asks_nobody_else():
    page = PAGE.read_text(encoding="utf-8")
    assert "http" not in page
    assert "innerHTML" not in page


def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return None


@pytest.fixture
def page(server):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if chromium() is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(color_scheme="dark")
        yield page
        browser.close()


def wait(page, done):
    """Wait until the page shows that `done` rows are dealt with and takes keys again."""
    page.wait_for_function(
        "n => document.body.dataset.ready === 'yes' && document.getElementById('bar').value === n",
        arg=done,
    )


@pytest.mark.slow
def test_thirty_answers_a_skip_and_an_undo_in_a_browser(page, server, tmp_path):
    requests, errors = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(server.address)
    wait(page, 0)
    assert "token" not in page.url
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    given: dict[str, str] = {}
    for turn in range(30):
        name = page.inner_text("#name").removeprefix("Row ")
        assert name not in given
        assert "<b>note</b> & more" in page.inner_text("#cells")  # cells are text, never markup
        key = int(name.split("-")[1])
        given[name] = CLASSES[key - 1]
        if turn % 3:
            page.keyboard.press(str(key))
        else:
            page.click(f"#classes button:nth-child({key})")
        wait(page, turn + 1)
    assert page.inner_text("#news").startswith("accuracy")

    skipped = page.inner_text("#name").removeprefix("Row ")
    page.keyboard.press("s")
    wait(page, 31)
    assert page.inner_text("#skipped") == f"Skipped: {skipped}"

    last = page.inner_text("#name")
    page.keyboard.press("1")
    wait(page, 32)
    page.keyboard.press("u")
    wait(page, 31)
    assert page.inner_text("#name") == last
    assert page.inner_text("#message").startswith("took back the label ant")

    page.keyboard.press("7")  # no seventh class: nothing happens
    page.keyboard.press("Control+1")
    page.reload()
    wait(page, 31)
    assert page.inner_text("#name") == last
    page.focus("#skip")
    for button in ("unsure", "undo"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == button

    project = server.session.project
    assert {project.store.name(row): cell for row, cell in project.store.cells().items()} == given
    assert project.progress().skipped == (skipped,)
    origin = server.address.split("?")[0]
    assert all(url.startswith((origin, "data:")) for url in requests)
    assert errors == []


@pytest.mark.slow
def test_an_earlier_answer_is_changed_in_a_browser(page, server):
    page.goto(server.address)
    wait(page, 0)
    assert page.locator("#earlier").is_hidden()
    name = page.inner_text("#name").removeprefix("Row ")
    page.keyboard.press("1")
    wait(page, 1)
    page.click("#earlier summary")
    page.select_option(f'select[aria-label="class of row {name}"]', "bee")
    page.wait_for_function("() => document.body.dataset.ready === 'yes'")
    page.wait_for_function(
        "() => document.getElementById('message').textContent.endsWith('is bee now')"
    )
    store = server.session.project.store
    assert store.cells() == {store.find(name): "bee"}
    page.focus("select")
    page.keyboard.press("3")  # a key for the list, not an answer to the row shown
    wait(page, 1)


def test_notes_doubts_and_settlements_by_the_page(client, server):
    store = server.session.project.store
    row = client.state()["card"]["row"]
    sent = {"row": row, "note": " blurred\n picture "}
    status, _, content = client.send("POST", "/unsure", body=sent)
    state = json.loads(content)
    assert status == 200
    assert state["unsure"] == [store.name(row)]
    assert state["card"]["row"] != row
    assert store.opinions.notes == {row: "blurred picture"}
    assert client.send("POST", "/unsure", body={"row": row, "note": 5})[0] == 400
    assert client.send("POST", "/settle", body={"row": row})[0] == 400
    status, _, content = client.send("POST", "/settle", body={"row": row, "label": "ant"})
    assert status == 409
    assert "no two answers that differ" in json.loads(content)["error"]


def test_pictures_of_the_folder_are_sent_and_nothing_else(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="images need Pillow")
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        image.new("L", (4, 4), 60 * i).save(folder / f"{i}.png")
    (tmp_path / "other.png").write_bytes((folder / "0.png").read_bytes())
    table = tmp_path / "table.csv"
    table.write_text("image\n" + "".join(f"{i}.png\n" for i in range(4)) + "../other.png\n")
    with (
        LabellingProject(
            table, target="label", classes=("a", "b"), image="image", images=folder
        ) as project,
        LabelServer(LabellingSession(project, out=tmp_path / "out.csv")) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = Client(server)
        try:
            card = client.state()["card"]
            inside = card["row"] < 4
            assert card["picture"] == (f"/picture/{card['row']}" if inside else None)
            status, headers, content = client.send("GET", "/picture/2")
            assert (status, headers["Content-Type"]) == (200, "image/png")
            assert content == (folder / "2.png").read_bytes()
            for row in (4, 5, 10**9):
                assert client.send("GET", f"/picture/{row}")[0] == 404
            assert client.send("GET", "/picture/2", headers={"Cookie": None})[0] == 403
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def second_server(tmp_path):
    """Three rows that Ada called ants, and Bob, who is asked for them, too."""
    path = tmp_path / "twice.csv"
    path.write_text("p,q\n" + "".join(f"{i},{i * 7 % 5}\n" for i in range(12)))

    def project(**options):
        return LabellingProject(path, target="label", classes=CLASSES, **options)

    with project(annotator="Ada") as project_of_ada:
        for row in range(3):
            project_of_ada.label(row, "ant")
    with (
        project(annotator="Bob", overlap_every=1) as project_of_bob,
        LabelServer(LabellingSession(project_of_bob, out=tmp_path / "out.csv")) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_a_second_annotator_differs_with_a_note_and_settles_in_a_browser(page, second_server):
    page.goto(second_server.address)
    wait(page, 3)
    assert page.inner_text("h1 >> nth=0") == "Labelling, Bob"
    assert page.inner_text("#why").startswith("answered by another annotator")
    assert page.locator("#differ").is_hidden()
    name = page.inner_text("#name").removeprefix("Row ")
    page.focus("#note")
    page.keyboard.type("2 wings")  # no key of a class
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    page.wait_for_function("() => !document.getElementById('differ').hidden")
    assert page.input_value("#note") == ""
    page.click("#differ summary")
    assert "1 disagreements to settle" in page.inner_text("#agreement")
    said = page.inner_text("#disputed li")
    assert said.startswith(f"row {name}: Ada says ant, Bob says bee; ant stands (2 wings)")
    page.select_option("#disputed select", "bee")
    page.click("#disputed button")
    page.wait_for_function("() => document.getElementById('disputed').children.length === 0")
    store = second_server.session.project.store
    assert store.cells()[store.find(name)] == "bee"


@pytest.fixture
def checked_server(tmp_path):
    """A project with every third answer kept apart, 90 of 150 rows labelled."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(150, 2))
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join(["key,petal,sepal", *(f"F{i},{a:.2f},{b:.2f}" for i, (a, b) in
                                                    enumerate(X))]))  # fmt: skip
    with LabellingProject(
        path, target="label", classes=("rose", "lily"), id_column="key", check_every=3
    ) as project:
        for _ in range(90):
            (row,) = project.suggest(1)
            project.label(row.row, "rose" if float(row.cells["petal"]) > 0 else "lily")
        session = LabellingSession(project, out=tmp_path / "out.csv", reach=(0.99,))
        with LabelServer(session) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield server
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_the_page_shows_the_checked_accuracy_and_the_forecast(page, checked_server, tmp_path):
    page.goto(checked_server.address)
    wait(page, 90)
    news = page.inner_text("#news").splitlines()
    assert news[0].startswith("checked accuracy ")
    assert "on 30 random rows kept apart" in news[0]
    assert any(line.startswith("forecast: with 120 labels ") for line in news)
    assert any(line.startswith("forecast: to reach 99.0%") for line in news)
    page.screenshot(path=tmp_path / "label-forecast.png")
