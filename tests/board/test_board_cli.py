"""The verb: what it prints, how it ends, and what it says where something is missing."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest


def test_without_the_extra_one_line_says_what_to_install(bascule, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, out, said = bascule("board")
    assert code == 2 and out == ""
    assert 'pip install "bascule[board]"' in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_cannot_be_is_refused(bascule, port):
    code, _, said = bascule("board", "--port", port)
    assert code == 2 and "expected 0 to 65535" in said


def test_a_port_in_use_is_told_in_one_line(bascule):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, said = bascule("board", "--port", str(taken.getsockname()[1]))
    assert code == 2 and "cannot listen" in said and len(said.splitlines()) == 1


def test_an_unknown_host_is_told_in_one_line(bascule):
    code, _, said = bascule("board", "--host", "no-such-host.invalid")
    assert code == 2 and "cannot listen on no-such-host.invalid" in said


def test_it_listens_on_this_machine_alone(served):
    url = served()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}", url)
    port = int(re.search(r":(\d+)/", url)[1])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    for address in others - {"127.0.0.1", "::1"}:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as there:
            there.settimeout(2)
            assert there.connect_ex((address, port)) != 0


def test_ctrl_c_ends_it_at_once_though_a_page_listens(store, fake):
    fake()
    command = [sys.executable, "-m", "bascule", "--runs", str(store.root), "board"]
    board = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = board.stdout.readline().removeprefix("board: ").strip()
    heard = threading.Event()

    def listen():
        with httpx.Client(base_url=url.partition("/?")[0], timeout=30) as client:
            client.get(url)
            with client.stream("GET", "/events/runs") as answer:
                for line in answer.iter_lines():
                    if line.startswith("data:"):
                        heard.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert heard.wait(30)
    began = time.monotonic()
    board.send_signal(signal.SIGINT)
    _, said = board.communicate(timeout=60)
    assert board.returncode == 0 and "Traceback" not in said and url not in said
    assert time.monotonic() - began < 20  # PyTorch may be loading


def test_two_boards_have_different_tokens(served):
    assert served().partition("token=")[2] != served().partition("token=")[2]
