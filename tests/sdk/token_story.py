"""The official SDKs with an agent's token as their key: taken, and where it is no good refused once."""

import sys

import anthropic
import openai
from google import genai
from google.genai import errors, types

CHAT = {"model": "gpt-4o-mini", "max_tokens": 16, "messages": [{"role": "user", "content": "x"}]}
MESSAGE = {**CHAT, "model": "claude-haiku-4-5"}
GEMINI = "gemini-2.5-flash"
SHORT = types.GenerateContentConfig(max_output_tokens=16)


def ask_all() -> None:
    openai.OpenAI().chat.completions.create(**CHAT)
    anthropic.Anthropic().messages.create(**MESSAGE)
    client = genai.Client()
    client.models.generate_content(model=GEMINI, contents="x", config=SHORT)


def refused(code: str) -> None:
    try:
        openai.OpenAI().chat.completions.create(**CHAT)
        raise AssertionError("not refused")
    except openai.AuthenticationError as error:
        assert error.code == code, error
    try:
        anthropic.Anthropic().messages.create(**MESSAGE)
        raise AssertionError("not refused")
    except anthropic.AuthenticationError as error:
        assert error.body["error"]["code"] == code, error.body
    options = types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=3))
    try:
        client = genai.Client(http_options=options)
        client.models.generate_content(model=GEMINI, contents="x", config=SHORT)
        raise AssertionError("not refused")
    except errors.ClientError as error:
        assert (error.code, error.status) == (401, "UNAUTHENTICATED"), error


if sys.argv[1] == "good":
    ask_all()
else:
    refused(sys.argv[1])
print("all steps passed")
