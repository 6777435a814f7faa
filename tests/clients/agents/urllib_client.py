"""The standard library alone, in two of the dialects."""

import json
import os
import sys
import urllib.error
import urllib.request


def post(url, body, **headers):
    data = json.dumps(body).encode()
    headers = {"content-type": "application/json", **headers}
    return urllib.request.urlopen(urllib.request.Request(url, data, headers))


def ask(content):
    return {"model": "default", "messages": [{"role": "user", "content": content}]}


chat = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
with post(chat, ask("Say good morning")) as answer:
    whole = json.load(answer)

pieces = []
with post(chat, {**ask("Say one two three"), "stream": True}) as answer:
    for line in answer:
        text = line.decode().removeprefix("data: ").strip()
        if text and text != "[DONE]":
            pieces.append(json.loads(text)["choices"][0]["delta"].get("content") or "")

own = os.environ["AEGIS_ORCHESTRATOR_URL"] + "/api/llm/generate"
with post(own, {"prompt": "Say bye"}) as answer:
    generated = json.load(answer)["content"]

try:
    post(chat, {**ask("Say no"), "model": "unheard-of"})
    refused = None
except urllib.error.HTTPError as error:
    refused = error.code

json.dump(
    {
        "whole": whole["choices"][0]["message"]["content"],
        "tokens": whole["usage"]["total_tokens"],
        "streamed": "".join(pieces),
        "generated": generated,
        "refused": refused,
        "prompt": sys.stdin.read(),
    },
    sys.stdout,
)
