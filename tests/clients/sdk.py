"""One call of an official Python SDK, as a program would make it: `sdk.py SDK SCENARIO TEXT`.

Prints one line of JSON: what was said, or the SDK's own exception. Only the environment points it
anywhere.
"""

import json
import sys

SDK, SCENARIO, TEXT = sys.argv[1:4]
LIMIT = 64
NAME, ABOUT = "look_up", "Looks a word up."
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
CHAT, CLAUDE, GEMINI = "gpt-4o-mini", "claude-haiku-4-5", "gemini-2.5-flash"


def look_up(word: str) -> str:
    """What the tool of the program answers."""
    return f"{word} means: write to grace@example.org"


def with_openai() -> str:
    import openai

    client = openai.OpenAI()
    turns = [{"role": "user", "content": TEXT}]
    if SCENARIO == "stream":
        chunks = client.chat.completions.create(
            model=CHAT, max_tokens=LIMIT, messages=turns, stream=True
        )
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    tools = [{"type": "function", "function": {"name": NAME, "description": ABOUT, "parameters": SCHEMA}}]
    given = {"tools": tools} if SCENARIO == "tools" else {}
    message = client.chat.completions.create(
        model=CHAT, max_tokens=LIMIT, messages=turns, **given
    ).choices[0].message
    if SCENARIO == "tools":
        call = message.tool_calls[0]
        result = look_up(**json.loads(call.function.arguments))
        turns += [message, {"role": "tool", "tool_call_id": call.id, "content": result}]
        message = client.chat.completions.create(
            model=CHAT, max_tokens=LIMIT, messages=turns, **given
        ).choices[0].message
    return message.content


def with_anthropic() -> str:
    import anthropic

    client = anthropic.Anthropic()
    turns = [{"role": "user", "content": TEXT}]
    if SCENARIO == "stream":
        with client.messages.stream(model=CLAUDE, max_tokens=LIMIT, messages=turns) as stream:
            return "".join(stream.text_stream)
    tools = [{"name": NAME, "description": ABOUT, "input_schema": SCHEMA}]
    given = {"tools": tools} if SCENARIO == "tools" else {}
    message = client.messages.create(model=CLAUDE, max_tokens=LIMIT, messages=turns, **given)
    if SCENARIO == "tools":
        use = message.content[-1]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": look_up(**use.input)}
        turns += [
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [result]},
        ]
        message = client.messages.create(model=CLAUDE, max_tokens=LIMIT, messages=turns, **given)
    return message.content[0].text


def with_google() -> str:
    from google import genai
    from google.genai import types

    client = genai.Client()
    config = types.GenerateContentConfig(max_output_tokens=LIMIT)
    if SCENARIO == "stream":
        chunks = client.models.generate_content_stream(model=GEMINI, contents=TEXT, config=config)
        return "".join(chunk.text or "" for chunk in chunks)
    if SCENARIO == "tools":
        # The SDK calls the function itself.
        config.tools = [look_up]
    return client.models.generate_content(model=GEMINI, contents=TEXT, config=config).text


try:
    said = {"openai": with_openai, "anthropic": with_anthropic, "google-genai": with_google}[SDK]()
    print(json.dumps({"said": said}))
except Exception as error:
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    kind = f"{type(error).__module__}.{type(error).__name__}"
    print(json.dumps({"exception": kind, "status": status, "message": str(error)}))
    sys.exit(1)
