"""The official SDKs with an agent's token as their key: allowed, and once it is revoked."""

import sys

import anthropic
import openai

TEXT = "Mail ada@example.org, please."
SAID = f"You said: {TEXT}"
CHAT = {"model": "gpt-4o-mini", "max_tokens": 64, "messages": [{"role": "user", "content": TEXT}]}
MESSAGE = {
    "model": "claude-haiku-4-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": TEXT}],
}


def allowed() -> None:
    client = openai.OpenAI()
    answer = client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == SAID, answer
    chunks = list(client.chat.completions.create(**CHAT, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == SAID
    answer = anthropic.Anthropic().messages.create(**MESSAGE)
    assert answer.content[0].text == SAID, answer


def other_model() -> None:
    try:
        openai.OpenAI().chat.completions.create(**{**CHAT, "model": "gpt-4.1"})
    except openai.PermissionDeniedError as error:
        assert error.body["code"] == "model_not_allowed", error.body
    else:
        raise AssertionError("the token is not for this model")


def revoked() -> None:
    for call in (
        lambda: openai.OpenAI().chat.completions.create(**CHAT),
        lambda: anthropic.Anthropic().messages.create(**MESSAGE),
    ):
        try:
            call()
        except (openai.AuthenticationError, anthropic.AuthenticationError) as error:
            assert "revoked" in str(error), error
        else:
            raise AssertionError("the token is revoked")


{"allowed": allowed, "other_model": other_model, "revoked": revoked}[sys.argv[1]]()
print("all steps passed")
