"""The official SDKs and the httpx beneath them, through the proxy: only HTTPS_PROXY and the CA's file point there."""

import os

import anthropic
import httpx2 as httpx
import openai

TEXT = "Mail ada@example.org, please."
MESSAGES = [{"role": "user", "content": TEXT}]


def main() -> None:
    client = openai.OpenAI()
    chat = {"model": "gpt-4o-mini", "max_tokens": 64, "messages": MESSAGES}
    said = client.chat.completions.create(**chat).choices[0].message.content
    assert said == f"You said: {TEXT}", said
    chunks = client.chat.completions.create(**chat, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == f"You said: {TEXT}", said

    message = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": MESSAGES}
    said = anthropic.Anthropic().messages.create(**message).content[0].text
    assert said == f"You said: {TEXT}", said

    # A path of a provider's host that is neither priced nor free.
    try:
        httpx.post("https://api.anthropic.com/api/event_logging/batch", json={})
    except httpx.HTTPError as error:
        raise AssertionError("a refusal is an answer") from error
    # A host that the policy denies: the reason is in the status line, which is all that is shown.
    try:
        httpx.get("https://denied.example/")
        raise AssertionError("it was denied")
    except httpx.ProxyError as error:
        assert "connect.deny" in str(error), error
    # A host that gets a secret.
    token = os.environ["GITHUB_TOKEN"]
    site = os.environ["SITE"]
    answer = httpx.post(
        f"https://{site}/json",
        headers={"authorization": f"Bearer {token}"},
        json={"key": "ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
    )
    assert answer.json()["authorization"] == f"Bearer {token}", answer.text
    assert "ghp_16C7e42F292c6912E7710c838347Ae178B4a" in answer.json()["body"], answer.text
    print("all steps passed")


main()
