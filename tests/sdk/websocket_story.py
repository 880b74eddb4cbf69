"""OpenAI's SDK over WebSockets through the proxy. Only the environment points there."""

import asyncio

import openai

TEXT = "Mail ada@example.org, please."
SAID = f"You said: {TEXT}"
ENDS = ("response.completed", "response.done", "error")


def responses() -> None:
    client = openai.OpenAI()
    with client.responses.connect() as connection:
        previous = None
        for _ in range(2):
            connection.response.create(
                model="gpt-4o-mini",
                input=TEXT,
                max_output_tokens=64,
                **({"previous_response_id": previous} if previous else {}),
            )
            said = ""
            for event in connection:
                if event.type == "response.output_text.delta":
                    said += event.delta
                if event.type in ENDS:
                    break
            assert event.type == "response.completed", event
            assert said == SAID, said
            previous = event.response.id
        connection.response.create(model="model-of-nobody", input=TEXT)
        refused = connection.recv()
        assert refused.type == "error", refused
        assert refused.status == 403 and refused.error.code == "unpriced_model", refused


async def realtime() -> None:
    client = openai.AsyncOpenAI()
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "max_output_tokens": 64}
        )
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": TEXT}],
            }
        )
        await connection.response.create()
        said = ""
        async for event in connection:
            if event.type == "response.output_text.delta":
                said += event.delta
            if event.type in ENDS:
                break
        assert event.type == "response.done" and event.response.status == "completed", event
        assert said == SAID, said


responses()
asyncio.run(realtime())
print("all steps passed")
