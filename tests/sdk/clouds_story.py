"""The SDKs of the clouds against the proxy: Azure OpenAI, Amazon Bedrock, Vertex AI, and OpenAI's on Gemini."""

import json
import os

import anthropic
import boto3
import botocore.exceptions
import google.oauth2.credentials
import openai
from google import genai
from google.genai import errors, types

BASE = os.environ["STORY_BASE"]
# The same as an agent that may spend next to nothing.
POOR = f"{BASE}/agent/poor"
TEXT = "Mail ada@example.org, please."
SAID = f"You said: {TEXT}"
CHAT = {"max_tokens": 64, "messages": [{"role": "user", "content": TEXT}]}
CLAUDE_ON_BEDROCK = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CLAUDE_ON_VERTEX = "claude-haiku-4-5@20251001"
GEMINI = "gemini-2.5-flash"
TOOL = {"type": "object", "properties": {"text": {"type": "string"}}}


def openai_says(client: openai.OpenAI, poor: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, **CHAT)
    assert answer.choices[0].message.content == SAID, answer
    assert answer.usage is not None and answer.usage.completion_tokens > 0
    chunks = list(client.chat.completions.create(model=model, **CHAT, stream=True))
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == SAID, said
    try:
        poor.chat.completions.create(model=model, **CHAT)
        raise AssertionError("not refused")
    except openai.APIStatusError as error:
        assert error.status_code == 402, error
        assert error.response.headers["x-iron-refused-by"] == "proxy"


def azure() -> None:
    def client(base: str) -> openai.AzureOpenAI:
        return openai.AzureOpenAI(
            azure_endpoint=f"{base}/azure", api_key="caller", api_version="2024-10-21"
        )

    openai_says(client(BASE), client(POOR), "team-chat")
    vector = client(BASE).embeddings.create(model="team-embeddings", input=TEXT)
    assert len(vector.data[0].embedding) > 0
    answer = client(BASE).responses.create(model="team-chat", input=TEXT, max_output_tokens=64)
    assert answer.output_text == SAID, answer
    # An Entra token, and a deployment in the client.
    os.environ["AZURE_OPENAI_ENDPOINT"] = f"{BASE}/azure"
    client = openai.AzureOpenAI(
        azure_ad_token="token",
        azure_deployment="team-chat",
        api_version="2024-10-21",
    )
    answer = client.chat.completions.create(model="team-chat", **CHAT)
    assert answer.choices[0].message.content == SAID, answer


def azure_as_openai() -> None:
    def client(base: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{base}/azure/v1", api_key="caller")

    openai_says(client(BASE), client(POOR), "team-chat")


def bedrock() -> None:
    # Its key is in AWS_BEARER_TOKEN_BEDROCK, which it sends over HTTPS alone; AWS_CA_BUNDLE names
    # the CA.
    base, poor = (base.replace("http:", "https:") for base in (BASE, POOR))
    os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = f"{base}/bedrock"
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    poor = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=f"{poor}/bedrock")

    call = {
        "modelId": CLAUDE_ON_BEDROCK,
        "messages": [{"role": "user", "content": [{"text": TEXT}]}],
        "inferenceConfig": {"maxTokens": 64},
    }
    answer = client.converse(**call)
    assert answer["output"]["message"]["content"][0]["text"] == SAID, answer
    assert answer["usage"]["outputTokens"] > 0
    events = list(client.converse_stream(**call)["stream"])
    said = "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e)
    assert said == SAID, events
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 0

    asked = [{"role": "user", "content": [{"text": f"call the tool: {TEXT}"}]}]
    tools = {"tools": [{"toolSpec": {"name": "mail", "inputSchema": {"json": TOOL}}}]}
    answer = client.converse(**{**call, "messages": asked}, toolConfig=tools)
    used = answer["output"]["message"]["content"][0]["toolUse"]
    assert used["input"] == {"text": f"call the tool: {TEXT}"}, used

    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", **CHAT})
    answer = client.invoke_model(modelId=CLAUDE_ON_BEDROCK, body=body)
    assert json.loads(answer["body"].read())["content"][0]["text"] == SAID
    answer = client.invoke_model_with_response_stream(modelId=CLAUDE_ON_BEDROCK, body=body)
    parts = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    said = "".join(part["delta"].get("text", "") for part in parts if "delta" in part)
    assert said == SAID, parts

    for refused in [poor.converse, poor.converse_stream]:
        try:
            refused(**call)
            raise AssertionError("not refused")
        except botocore.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 402, error.response
            assert error.response["ResponseMetadata"]["RetryAttempts"] == 0, error.response
            assert error.response["Error"]["Code"] == "ServiceQuotaExceededException", error.response
            assert "agent:poor" in error.response["Error"]["Message"], error.response


def signing(base: str):
    os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"{base}/bedrock",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="nothing",
    )


def signed_with_a_key_of_the_proxys() -> None:
    """Any credentials do, since their signature goes no further."""
    messages = [{"role": "user", "content": [{"text": TEXT}]}]
    answer = signing(os.environ["STORY_BASE_WITH_KEYS"]).converse(modelId=CLAUDE_ON_BEDROCK, messages=messages)
    assert answer["output"]["message"]["content"][0]["text"] == SAID, answer


def signed() -> None:
    """A signature covers the body: refused, in words that the SDK shows, and not retried."""
    client = signing(BASE)
    messages = [{"role": "user", "content": [{"text": TEXT}]}]
    try:
        client.converse(modelId=CLAUDE_ON_BEDROCK, messages=messages)
        raise AssertionError("not refused")
    except client.exceptions.AccessDeniedException as error:
        assert "AWS_BEARER_TOKEN_BEDROCK" in str(error), error
        assert error.response["ResponseMetadata"]["RetryAttempts"] == 0, error.response


def anthropic_says(client, poor, model: str) -> None:
    answer = client.messages.create(model=model, **CHAT)
    assert answer.content[0].text == SAID, answer
    with client.messages.stream(model=model, **CHAT) as stream:
        assert "".join(stream.text_stream) == SAID
        assert stream.get_final_message().usage.output_tokens > 0
    try:
        poor.messages.create(model=model, **CHAT)
        raise AssertionError("not refused")
    except anthropic.APIStatusError as error:
        assert error.status_code == 402 and "agent:poor" in str(error), error


def claude_on_bedrock() -> None:
    def client(base: str) -> anthropic.AnthropicBedrock:
        os.environ["ANTHROPIC_BEDROCK_BASE_URL"] = f"{base}/bedrock"
        return anthropic.AnthropicBedrock(aws_region="us-east-1", api_key="caller")

    anthropic_says(client(BASE), client(POOR), CLAUDE_ON_BEDROCK)


def claude_on_vertex() -> None:
    def client(base: str) -> anthropic.AnthropicVertex:
        os.environ["ANTHROPIC_VERTEX_BASE_URL"] = f"{base}/vertex/v1"
        return anthropic.AnthropicVertex(
            region="us-east5", project_id="p-1", access_token="caller"
        )

    anthropic_says(client(BASE), client(POOR), CLAUDE_ON_VERTEX)
    count = client(BASE).messages.count_tokens(model=CLAUDE_ON_VERTEX, messages=CHAT["messages"])
    assert count.input_tokens > 0


def gemini_says(client: genai.Client, poor: genai.Client) -> None:
    short = types.GenerateContentConfig(max_output_tokens=64)
    answer = client.models.generate_content(model=GEMINI, contents=TEXT, config=short)
    assert answer.text == SAID, answer
    chunks = list(client.models.generate_content_stream(model=GEMINI, contents=TEXT, config=short))
    assert "".join(chunk.text or "" for chunk in chunks) == SAID, chunks
    assert client.models.count_tokens(model=GEMINI, contents=TEXT).total_tokens > 0
    try:
        poor.models.generate_content(model=GEMINI, contents=TEXT, config=short)
        raise AssertionError("not refused")
    except errors.ClientError as error:
        assert (error.code, error.status) == (402, "RESOURCE_EXHAUSTED"), error


def gemini_on_vertex() -> None:
    # With a base URL, a project that only a variable names is left out of the path.
    def project(base: str) -> genai.Client:
        os.environ["GOOGLE_VERTEX_BASE_URL"] = f"{base}/vertex"
        return genai.Client(
            vertexai=True,
            project="p-1",
            location="us-central1",
            credentials=google.oauth2.credentials.Credentials("caller"),
        )

    def key(base: str) -> genai.Client:
        return genai.Client(
            vertexai=True, api_key="caller", http_options={"base_url": f"{base}/vertex"}
        )

    gemini_says(project(BASE), project(POOR))
    gemini_says(key(BASE), key(POOR))


def openai_on_gemini() -> None:
    def client(base: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{base}/gemini/v1beta/openai", api_key="caller")

    openai_says(client(BASE), client(POOR), GEMINI)
    vector = client(BASE).embeddings.create(model="gemini-embedding-001", input=TEXT)
    assert len(vector.data[0].embedding) > 0
    assert len(list(client(BASE).models.list())) > 0


azure()
azure_as_openai()
bedrock()
claude_on_bedrock()
claude_on_vertex()
gemini_on_vertex()
openai_on_gemini()
signed()
signed_with_a_key_of_the_proxys()
print("all steps passed")
