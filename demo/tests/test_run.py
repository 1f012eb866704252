"""run.py ends what it started, whatever happens to it, and the stand-ins are shaped like what they stand for."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from replayed import DEMO, run_command

import scenario as script


def children(pid: int) -> list[Path]:
    """The processes that a process has started, as folders that are gone once they are."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [Path("/proc") / child for task in tasks for child in task.read_text().split()]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_an_interrupted_replay(tmp_path: Path, ending: signal.Signals) -> None:
    command = run_command("--seconds", "30", "--out", str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        while " openai " not in (line := running.stdout.readline()) or "|" not in line:
            assert line, "ended before the first second was told"
        started = children(running.pid)
        assert len(started) == 10
        running.send_signal(ending)
        try:
            running.wait(timeout=30)
        finally:
            running.kill()
    assert running.returncode != 0
    assert not [child for child in started if child.exists()]


@pytest.fixture
def standin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[http.client.HTTPConnection]:
    (tmp_path / "scenario.json").write_text(json.dumps(script.build(24)), encoding="utf-8")
    files = str(tmp_path / "scenario.json"), "with", request.param, str(tmp_path / "log.jsonl")
    command = [sys.executable, str(DEMO / "standin.py"), *files]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield http.client.HTTPConnection("127.0.0.1", int(running.stdout.readline()), timeout=30)


def ask(
    standin: http.client.HTTPConnection, path: str, headers: dict[str, str], body: str
) -> tuple[http.client.HTTPResponse, dict[str, object]]:
    standin.request("POST", path, body, headers)
    response = standin.getresponse()
    return response, json.loads(response.read())


@pytest.mark.parametrize("standin", ["openai"], indirect=True)
def test_one_standin_is_shaped_like_chat_completions(standin: http.client.HTTPConnection) -> None:
    key = {"authorization": f"Bearer {script.api_key('acme', 'openai')}"}
    body = json.dumps(script.REQUESTS["openai"]["body"])
    response, completion = ask(standin, "/v1/chat/completions", key, body)
    assert response.status == 200
    assert response.headers["x-request-id"]
    assert response.headers["x-ratelimit-remaining-requests"]
    assert completion["object"] == "chat.completion"
    assert completion.keys() >= {"id", "created", "model", "choices", "usage"}
    for status, (path, headers, text) in {
        401: ("/v1/chat/completions", {"authorization": "Bearer another"}, body),
        404: ("/v1/chat", key, body),
        400: ("/v1/chat/completions", key, "{"),
    }.items():
        response, refusal = ask(standin, path, headers, text)
        assert response.status == status
        assert refusal["error"].keys() == {"message", "type", "param", "code"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("standin", ["anthropic"], indirect=True)
def test_the_other_standin_is_shaped_like_messages(standin: http.client.HTTPConnection) -> None:
    key = {"x-api-key": script.api_key("acme", "anthropic"), "anthropic-version": "2023-06-01"}
    body = json.dumps(script.REQUESTS["anthropic"]["body"])
    response, message = ask(standin, "/v1/messages", key, body)
    assert response.status == 200
    assert response.headers["request-id"]
    assert (message["type"], message["role"]) == ("message", "assistant")
    assert message.keys() >= {"id", "model", "content", "stop_reason", "usage"}
    response, refusal = ask(standin, "/v1/messages", key, json.dumps({"model": "claude-2.0", "messages": []}))
    assert response.status == 400
    assert refusal["error"] == {"type": "invalid_request_error", "message": "max_tokens: Field required"}
    response, refusal = ask(standin, "/v1/messages", {}, body)
    assert response.status == 401
    assert refusal["type"] == "error"
    assert refusal["error"]["type"] == "authentication_error"  # type: ignore[index]
