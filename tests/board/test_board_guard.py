"""Who may ask: every page of another site, and every other program without the token, may not."""

import pytest
from asking import HOME, TOKEN
from starlette.routing import Route

from bascule.board.pages import PAGES


def test_without_the_token_nothing_is_told(stranger, fake):
    fake()
    for path in ("/", "/events/runs", "/theme.css", "/static/board.js", "/no-such-page"):
        answer = stranger.get(path)
        assert answer.status_code == 403 and "a run" not in answer.text


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ä"])
def test_a_wrong_token_opens_nothing(stranger, token):
    answer = stranger.get("/", params={"token": token})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_has(stranger):
    answer = stranger.get(f"/?token={TOKEN}&run=a")
    assert answer.status_code == 303 and answer.headers["location"] == "/?run=a"
    told = answer.headers["set-cookie"].lower()
    assert "httponly" in told and "samesite=strict" in told
    assert stranger.get("/").status_code == 200


def test_the_entrance_leads_nowhere_else(stranger):
    answer = stranger.get(f"//evil.example/?token={TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/") and "//" not in answer.headers["location"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", ""]
)
def test_a_foreign_host_is_refused(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"])
def test_the_boards_own_hosts_are_known(client, host):
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8000", "http://127.0.0.1:8001"]
)
def test_a_foreign_origin_is_refused(client, fake, origin):
    run = fake()
    told = {"run": run.id, "title": "changed"}
    assert client.get("/", headers={"Origin": origin}).status_code == 403
    assert client.post("/do/rename", json=told, headers={"Origin": origin}).status_code == 403
    del client.headers["Origin"]  # a program that sends none
    assert client.post("/do/rename", json=told).status_code == 403
    assert not (run.folder / "board.json").exists()
    client.headers["Origin"] = HOME
    assert client.post("/do/rename", json=told).status_code == 200
    assert (run.folder / "board.json").exists()


def test_answers_allow_no_script_of_others(client):
    for path in ("/", "/static/board.js", "/no-such-page"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        assert "unsafe" not in policy


def test_a_get_changes_nothing(board, client):
    routes = [route for page in PAGES for route in page.routes(board)]
    for route in routes:
        assert isinstance(route, Route)
        if route.path.startswith("/do/"):
            assert route.methods == {"POST"}, route.path
            assert client.get(route.path).status_code == 405
        else:
            assert route.methods == {"GET", "HEAD"}, route.path
