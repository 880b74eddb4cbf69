"""The official SDKs against the proxy: sync, async and streaming. Only the environment points there."""

import asyncio
import json
import sys

import anthropic
import openai
from google import genai
from google.genai import errors, types

TEXT = "Mail ada@example.org, please."
SAID = f"You said: {TEXT}"
CHAT = {"model": "gpt-4o-mini", "max_tokens": 64, "messages": [{"role": "user", "content": TEXT}]}
MESSAGE = {
    "model": "claude-haiku-4-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": TEXT}],
}
GEMINI = "gemini-2.5-flash"
SHORT = types.GenerateContentConfig(max_output_tokens=64)
TOOL = {
    "type": "function",
    "function": {
        "name": "mail",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
}


def openai_sync() -> None:
    client = openai.OpenAI()
    answer = client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == SAID, answer
    assert answer.usage is not None and answer.usage.completion_tokens > 0

    chunks = list(client.chat.completions.create(**CHAT, stream=True))
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == SAID, said
    assert all(c.choices for c in chunks), "a usage event that nobody asked for came through"

    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(**CHAT, stream=True, stream_options=options))
    assert chunks[-1].usage is not None and not chunks[-1].choices

    called = client.chat.completions.create(
        **{**CHAT, "messages": [{"role": "user", "content": f"call the tool: {TEXT}"}]},
        tools=[TOOL],
    )
    arguments = json.loads(called.choices[0].message.tool_calls[0].function.arguments)
    assert "ada@example.org" in json.dumps(arguments), arguments

    answer = client.responses.create(model="gpt-4o-mini", input=TEXT, max_output_tokens=64)
    assert answer.output_text == SAID, answer
    with client.responses.stream(
        model="gpt-4o-mini", input=TEXT, max_output_tokens=64
    ) as stream:
        said = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        assert said == SAID, said
        assert stream.get_final_response().output_text == SAID

    moderated = client.moderations.create(input=TEXT)
    assert not moderated.results[0].flagged, moderated

    lines = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": CHAT})
    for name, content in [("notes.txt", TEXT), ("batch.jsonl", lines)]:
        file = client.files.create(file=(name, content.encode()), purpose="batch")
        assert file.filename == name and client.files.retrieve(file.id).id == file.id, file
        stored = client.files.content(file.id).text
        assert "<EMAIL_" in stored and ("gpt-4o-mini" in stored) == (name == "batch.jsonl"), stored
        assert client.files.delete(file.id).deleted
    try:
        client.files.create(file=("scan.pdf", b"%PDF-1.7\xff\x00"), purpose="user_data")
        raise AssertionError("not refused")
    except openai.PermissionDeniedError as error:
        assert error.code == "policy_violation", error

    vector = client.embeddings.create(model="text-embedding-3-small", input=TEXT)
    assert len(vector.data[0].embedding) > 0
    assert any(m.id == "gpt-4o-mini" for m in client.models.list())


def images_and_sound() -> None:
    client = openai.OpenAI()
    image = client.images.generate(model="gpt-image-1", prompt=TEXT, quality="low")
    assert image.data[0].b64_json and image.data[0].revised_prompt == SAID, image
    events = list(
        client.images.generate(
            model="gpt-image-1", prompt=TEXT, quality="low", stream=True, partial_images=1
        )
    )
    kinds = [event.type for event in events]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"], kinds
    edited = client.images.edit(
        model="gpt-image-1", image=("a.png", b"\x89PNG\xff\x00", "image/png"), prompt=TEXT
    )
    assert edited.data[0].revised_prompt == SAID, edited

    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=TEXT
    ) as sound:
        spoken = b"".join(sound.iter_bytes())
    assert spoken.startswith(b"\x01sound of Mail <EMAIL_") and len(spoken) == 5_000, spoken[:40]
    # 16-bit at 8 kHz in one channel.
    head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0" + (8_000).to_bytes(4, "little")
    wav = (head + (16_000).to_bytes(4, "little") + b"\2\0\x10\0data\0\0\0\0").ljust(48_000, b"\x80")
    for model in ["whisper-1", "gpt-4o-transcribe"]:
        heard = client.audio.transcriptions.create(
            model=model, file=("a.wav", wav, "audio/wav"), prompt=TEXT
        )
        assert heard.text == SAID, heard
    try:
        client.images.generate(model="dall-e-3", prompt=TEXT)
        raise AssertionError("not refused")
    except openai.PermissionDeniedError as error:
        assert error.code == "unpriced_model", error


def batches() -> None:
    client = openai.OpenAI()
    lines = [
        json.dumps({"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": CHAT})
        for n in range(3)
    ]
    file = client.files.create(file=("b.jsonl", "\n".join(lines).encode()), purpose="batch")
    order = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = client.batches.create(input_file_id=file.id, **order)
    batch = client.batches.retrieve(made.id)
    assert batch.status == "completed" and batch.request_counts.completed == 3, batch
    results = client.files.content(batch.output_file_id).text.splitlines()
    for result in map(json.loads, results):
        said = result["response"]["body"]["choices"][0]["message"]["content"]
        assert said == SAID, result
    assert len(results) == 3 and any(b.id == made.id for b in client.batches.list())
    assert client.batches.cancel(made.id).id == made.id
    try:
        client.batches.create(input_file_id="file-elsewhere", **order)
        raise AssertionError("not refused")
    except openai.PermissionDeniedError as error:
        assert error.code == "unpriced_batch", error

    client = anthropic.Anthropic()
    made = client.messages.batches.create(
        requests=[{"custom_id": str(n), "params": MESSAGE} for n in range(2)]
    )
    assert client.messages.batches.retrieve(made.id).processing_status == "ended"
    # The SDK goes where the batch says that its results are.
    said = [r.result.message.content[0].text for r in client.messages.batches.results(made.id)]
    assert said == [SAID, SAID], said


def anthropic_sync() -> None:
    client = anthropic.Anthropic()
    answer = client.messages.create(**MESSAGE)
    assert answer.content[0].text == SAID, answer
    with client.messages.stream(**MESSAGE) as stream:
        assert "".join(stream.text_stream) == SAID
        assert stream.get_final_message().usage.output_tokens > 0
    count = client.messages.count_tokens(
        model=MESSAGE["model"], messages=MESSAGE["messages"]
    )
    assert count.input_tokens > 0
    assert len(list(client.models.list())) > 0
    file = client.beta.files.upload(file=("notes.txt", TEXT.encode(), "text/plain"))
    assert file.filename == "notes.txt" and file.size_bytes > 0, file


def gemini_sync() -> None:
    client = genai.Client()
    answer = client.models.generate_content(model=GEMINI, contents=TEXT, config=SHORT)
    assert answer.text == SAID, answer
    assert answer.usage_metadata.candidates_token_count > 0
    chunks = list(client.models.generate_content_stream(model=GEMINI, contents=TEXT, config=SHORT))
    assert "".join(c.text or "" for c in chunks) == SAID, chunks
    assert chunks[-1].usage_metadata.candidates_token_count > 0

    declared = types.FunctionDeclaration(
        name="mail",
        parameters=types.Schema(
            type="OBJECT", properties={"text": types.Schema(type="STRING", description=TEXT)}
        ),
    )
    config = types.GenerateContentConfig(
        max_output_tokens=64,
        system_instruction=TEXT,
        tools=[types.Tool(function_declarations=[declared])],
    )
    asked = types.Content(role="user", parts=[types.Part(text=f"call the tool: {TEXT}")])
    for chunk in (
        client.models.generate_content(model=GEMINI, contents=asked, config=config),
        # To its end: a stream that is left early is charged whole.
        list(client.models.generate_content_stream(
            model=GEMINI, contents=asked, config=config
        ))[0],
    ):
        call = chunk.function_calls[0]
        assert (call.name, call.args) == ("mail", {"text": f"call the tool: {TEXT}"}), call
    # The turn after it: the model's part goes back with its signature.
    result = types.Part.from_function_response(name="mail", response={"result": f"sent: {TEXT}"})
    answer = client.models.generate_content(
        model=GEMINI,
        contents=[asked, chunk.candidates[0].content, types.Content(role="user", parts=[result])],
        config=config,
    )
    assert answer.text == f"The tool said: sent: {TEXT}", answer

    chat = client.chats.create(model=GEMINI, config=SHORT)
    assert chat.send_message(TEXT).text == SAID
    assert "".join(c.text or "" for c in chat.send_message_stream(TEXT)) == SAID

    assert client.models.count_tokens(model=GEMINI, contents=TEXT).total_tokens > 0
    vectors = client.models.embed_content(model="gemini-embedding-001", contents=[TEXT, "b"])
    assert len(vectors.embeddings) == 2 and vectors.embeddings[0].values
    assert any(m.name == f"models/{GEMINI}" for m in client.models.list())
    assert client.models.get(model=GEMINI).name == f"models/{GEMINI}"


async def all_async() -> None:
    async with openai.AsyncOpenAI() as client:
        answers = await asyncio.gather(
            *(client.chat.completions.create(**CHAT) for _ in range(20))
        )
        assert all(a.choices[0].message.content == SAID for a in answers)
        said = ""
        async for chunk in await client.chat.completions.create(**CHAT, stream=True):
            said += chunk.choices[0].delta.content or ""
        assert said == SAID, said
    async with anthropic.AsyncAnthropic() as client:
        async with client.messages.stream(**MESSAGE) as stream:
            said = "".join([text async for text in stream.text_stream])
        assert said == SAID, said
    client = genai.Client().aio
    answer = await client.models.generate_content(model=GEMINI, contents=TEXT, config=SHORT)
    assert answer.text == SAID, answer
    said = ""
    async for chunk in await client.models.generate_content_stream(
        model=GEMINI, contents=TEXT, config=SHORT
    ):
        said += chunk.text or ""
    assert said == SAID, said


def refusals() -> None:
    """A refusal for money is seen once, as the SDK's own exception, and is not retried."""
    headers = {"x-iron-agent": "poor"}
    try:
        openai.OpenAI(default_headers=headers).chat.completions.create(**CHAT)
        raise AssertionError("not refused")
    except openai.APIStatusError as error:
        assert error.status_code == 402 and error.code == "insufficient_quota", error
        assert error.response.headers["x-iron-refused-by"] == "proxy"
    try:
        anthropic.Anthropic(default_headers=headers).messages.create(**MESSAGE)
        raise AssertionError("not refused")
    except anthropic.APIStatusError as error:
        assert error.status_code == 402, error
        assert error.body["error"]["type"] == "billing_error", error.body
    # Told to retry whatever it retries, it makes one request all the same.
    options = types.HttpOptions(headers=headers, retry_options=types.HttpRetryOptions(attempts=3))
    poor = genai.Client(http_options=options)
    try:
        poor.models.generate_content(model=GEMINI, contents=TEXT, config=SHORT)
        raise AssertionError("not refused")
    except errors.ClientError as error:
        assert (error.code, error.status) == (402, "RESOURCE_EXHAUSTED"), error
        assert "agent:poor" in error.message, error
    try:
        list(poor.models.generate_content_stream(model=GEMINI, contents=TEXT, config=SHORT))
        raise AssertionError("not refused")
    except errors.ClientError as error:
        assert error.code == 402, error
    try:
        openai.OpenAI().chat.completions.create(**{**CHAT, "model": "unheard-of"})
        raise AssertionError("not refused")
    except openai.PermissionDeniedError as error:
        assert error.code == "unpriced_model", error


def broken() -> None:
    """A stream that breaks off is an exception, never half an answer."""
    options = types.HttpOptions(headers={"x-simulate": "close-after=700"})
    client = genai.Client(http_options=options)
    text = f"{TEXT} A text that is long enough to be cut."
    try:
        list(client.models.generate_content_stream(model=GEMINI, contents=text, config=SHORT))
        raise AssertionError("a stream that broke off passed for a whole one")
    except errors.APIError as error:
        assert error.status == "UNAVAILABLE", error


if sys.argv[1] == "broken":
    broken()
else:
    openai_sync()
    images_and_sound()
    batches()
    anthropic_sync()
    gemini_sync()
    asyncio.run(all_async())
    refusals()
print("all steps passed")
