#!/usr/bin/env python3
"""Sends the prompt to the agent API of its sandbox and prints the answer.

The prompt arrives on standard input, or as the first argument. Needs nothing but Python 3.8.

With AEGIS_BOOTSTRAP_STANDBY=1 it may be started before there is a prompt: it then waits on standard
input for a line of JSON, {"env": {...}}, whose variables it takes over, and the prompt behind it.
"""

import http.client
import io
import json
import os
import sys
from urllib.parse import urlsplit

STANDBY = os.environ.pop("AEGIS_BOOTSTRAP_STANDBY", "") == "1"
DEBUG = os.environ.get("AEGIS_BOOTSTRAP_DEBUG", "").lower() in ("true", "1", "yes")


class Failure(Exception):
    """What ends the bootstrap with exit code 1 and its message on standard error."""


def debug(message):
    if DEBUG:
        print(f"[BOOTSTRAP DEBUG] {message}", file=sys.stderr, flush=True)


def preload():
    """Has Python load now what it would load at the first request."""
    for codec in ("idna", "utf-16", "latin-1"):
        "x".encode(codec).decode(codec)
    http.client.parse_headers(io.BytesIO(b"Content-Type: text/plain\r\n\r\n")).get("content-type")


def read_task():
    """What was piped in, once it is all there; a task that comes late brings its environment along."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    if STANDBY:
        preload()
    piped = sys.stdin.buffer.read()
    if STANDBY:
        head, _, piped = piped.partition(b"\n")
        try:
            os.environ.update(json.loads(head)["env"])
        except (ValueError, TypeError, KeyError) as error:
            raise Failure("No task: standing by, it is to begin with a line of JSON.") from error
    return piped.decode("utf-8", "replace")


def read_prompt(piped):
    prompt = piped if piped.strip() else (sys.argv[1] if len(sys.argv) > 1 else "")
    if not prompt.strip():
        raise Failure("No prompt: give it on standard input or as the first argument.")
    return prompt.strip()


def read_iteration():
    text = os.environ.get("AEGIS_ITERATION", "")
    if text == "":
        return None
    if not (text.isascii() and text.isdigit()):
        raise Failure(f'AEGIS_ITERATION must be an integer, but it is "{text}".')
    return int(text)


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def render_history():
    """Earlier iterations as headed text, oldest first; empty without any, or when it is not JSON."""
    try:
        history = json.loads(os.environ.get("AEGIS_ITERATION_HISTORY", "") or "[]")
    except ValueError:
        debug("AEGIS_ITERATION_HISTORY is not JSON and is ignored")
        return ""
    if not isinstance(history, list):
        return ""
    parts = []
    for item in history:
        if not isinstance(item, dict):
            continue
        parts.append(f"### Iteration {as_text(item.get('iteration', '?'))}")
        for key, title in (("output", "Output"), ("error", "Error"), ("feedback", "Feedback")):
            if item.get(key) not in (None, ""):
                parts.append(f"{title}:\n{as_text(item[key])}")
    if not parts:
        return ""
    return "## Previous iterations\n\n" + "\n\n".join(parts) + "\n\n## Task\n\n"


def emit(text):
    # Half a surrogate pair cannot be written; it becomes the replacement character.
    sys.stdout.buffer.write(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8"))
    sys.stdout.buffer.flush()


def explain(status, body):
    """What a refusal says, in words."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        for key in ("detail", "error", "title"):
            if isinstance(problem.get(key), str):
                return problem[key]
    return body.strip() or f"status {status}"


def print_stream(response):
    """Prints the deltas of a text/event-stream as they come."""
    for line in response:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text.startswith("data:"):
            continue
        try:
            event = json.loads(text[5:])
        except ValueError as error:
            raise Failure(f"The agent API sent a malformed event: {error}") from error
        if not isinstance(event, dict):
            raise Failure("The agent API sent a malformed event.")
        if isinstance(event.get("error"), str):
            raise Failure(f"The model call failed: {event['error']} ({event.get('code', 'unknown')})")
        if isinstance(event.get("delta"), str):
            emit(event["delta"])
        if event.get("done") is True:
            emit("\n")
            return
    raise Failure("The agent API ended its answer too early.")


def print_answer(response):
    content_type = response.getheader("content-type") or ""
    if response.status < 200 or response.status > 299:
        body = response.read().decode("utf-8", "replace")
        raise Failure(f"The agent API refused the request: {explain(response.status, body)}")
    if content_type.startswith("text/event-stream"):
        debug("Streaming the answer")
        print_stream(response)
        return
    try:
        answer = json.loads(response.read())
    except ValueError as error:
        raise Failure(f"The agent API answered with something that is not JSON: {error}") from error
    content = answer.get("content") if isinstance(answer, dict) else None
    emit((content if isinstance(content, str) else "") + "\n")


def generate(base, request):
    url = urlsplit(base)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Failure(f'AEGIS_ORCHESTRATOR_URL must be an http URL, but it is "{base}".')
    secure = url.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    # No time-out: how long an answer may take is the daemon's to decide.
    connection = connect(url.hostname, url.port, timeout=None)
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
    path = url.path.rstrip("/") + "/api/llm/generate"
    debug(f"POST {base.rstrip('/')}/api/llm/generate")
    try:
        connection.request("POST", path, body=json.dumps(request).encode("utf-8"), headers=headers)
        response = connection.getresponse()
        debug(f"Status {response.status}")
        print_answer(response)
    except BrokenPipeError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"The agent API at {base} cannot be reached: {error or type(error).__name__}") from error
    finally:
        connection.close()


def main():
    piped = read_task()
    base = os.environ.get("AEGIS_ORCHESTRATOR_URL") or "http://127.0.0.1:8000"
    iteration = read_iteration()
    prompt = render_history() + read_prompt(piped)
    debug(f"Iteration {iteration if iteration is not None else '-'}, prompt of {len(prompt.encode('utf-8', 'replace'))} bytes")
    request = {
        "prompt": prompt,
        "execution_id": os.environ.get("AEGIS_EXECUTION_ID") or None,
        "iteration_number": iteration,
        "model": os.environ.get("AEGIS_MODEL") or "default",
    }
    generate(base, request)


try:
    main()
    # All is written, and taking the interpreter down in good order would keep the answer waiting.
    os._exit(0)
except Failure as failure:
    print(f"aegis-bootstrap: {failure}", file=sys.stderr)
    sys.exit(1)
except BrokenPipeError:
    os._exit(1)  # Nobody reads: there is nobody to tell either.
