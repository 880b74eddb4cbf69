"""Texts without anything personal or secret, first part: identifiers, hashes and opaque blobs.

Each function makes one text in the look of a format that its docstring or name says; nothing is
copied from real files.
"""

import base64
import json

from digits import ALNUM, HEX, LOWER, chars, digits
from keys import uuid

B64 = ALNUM + "+/"


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


TOOLS = [
    "read_file",
    "search",
    "run_tests",
    "list_dir",
    "get_weather",
    "apply_patch",
    "grep",
    "fetch_page",
    "execute_sql",
    "write_file",
]


PATHS = [
    "src/lib.rs",
    "app/models/user.py",
    "web/index.tsx",
    "docs/setup.md",
    "cmd/server/main.go",
    "tests/test_api.py",
    "Makefile",
    "config/app.yaml",
]


WORDS = (
    "request buffer index parser module handler cache stream value token count report update merge branch commit test case item node "
    "graph list table field query result batch queue worker task event state config layer route error"
).split()


def sha1(rng):
    return chars(rng, HEX, 40)


def b64(rng, size):
    return base64.b64encode(rng.randbytes(size)).decode()


def epoch(rng):
    return rng.randint(1_690_000_000, 1_790_000_000)


def words(rng, count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


def llm_id(rng):
    prefix, alphabet, size = rng.choice(
        [
            ("call_", ALNUM, 24),
            ("toolu_01", ALNUM, 22),
            ("msg_01", ALNUM, 22),
            ("resp_", HEX, 48),
            ("chatcmpl-", ALNUM, 29),
            ("req_", HEX, 32),
            ("req_011C", ALNUM, 20),
            ("rs_", HEX, 48),
            ("fc_", HEX, 48),
            ("run_", ALNUM, 24),
            ("thread_", ALNUM, 24),
            ("asst_", ALNUM, 24),
            ("file-", ALNUM, 24),
            ("batch_", HEX, 32),
            ("gen-", "0123456789", 10),
            ("chatcmpl-tool-", HEX, 32),
            ("srvtoolu_01", ALNUM, 22),
            ("ws_", HEX, 48),
            ("org-", ALNUM, 24),
            ("ftjob-", ALNUM, 24),
            ("vs_", HEX, 32),
            ("fp_", HEX, 10),
            ("cmpl-", ALNUM, 29),
            ("container_01", ALNUM, 22),
        ]
    )
    return prefix + chars(rng, alphabet, size)


def tool_call(rng):
    name = rng.choice(TOOLS)
    arguments = {
        "path": rng.choice(PATHS),
        "line": rng.randint(1, 4000),
        "query": words(rng, 3),
        "limit": rng.randint(1, 500),
    }
    form = rng.randrange(4)
    if form == 0:
        return json.dumps(
            {"id": "toolu_01" + chars(rng, ALNUM, 22), "type": "tool_use", "name": name, "input": arguments}
        )
    if form == 1:
        return json.dumps(
            {
                "id": "call_" + chars(rng, ALNUM, 24),
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            },
            separators=(",", ":"),
        )
    if form == 2:
        return json.dumps(
            {
                "type": "function_call",
                "id": "fc_" + chars(rng, HEX, 48),
                "call_id": "call_" + chars(rng, ALNUM, 24),
                "name": name,
                "arguments": json.dumps(arguments),
                "status": "completed",
            },
            indent=2,
        )
    return json.dumps(
        {
            "type": "tool_result",
            "tool_use_id": "toolu_01" + chars(rng, ALNUM, 22),
            "content": [
                {
                    "type": "text",
                    "text": f"{rng.randint(1, 99)} matches in {rng.choice(PATHS)}:{rng.randint(1, 900)}",
                }
            ],
            "is_error": False,
        }
    )


def llm_ids(rng):
    return rng.choice(
        [
            lambda: f"conversation {llm_id(rng)} continued from {llm_id(rng)}",
            lambda: json.dumps(
                {
                    "id": llm_id(rng),
                    "object": "chat.completion",
                    "created": epoch(rng),
                    "system_fingerprint": "fp_" + chars(rng, HEX, 10),
                }
            ),
            lambda: "\n".join(f"{i}\t{llm_id(rng)}" for i in range(6)),
            lambda: (
                f'data: {{"type":"message_start","message":{{"id":"{llm_id(rng)}","model":"claude-sonnet-4-20250514","usage":{{"input_tokens":{rng.randint(9, 90000)},"output_tokens":1}}}}}}'
            ),
            lambda: f"see trace {llm_id(rng)}, retry {llm_id(rng)} failed",
        ]
    )()


def provider_blobs(rng):
    """Signatures and encrypted reasoning, as providers send and want back."""
    size = rng.choice([96, 180, 320])
    return rng.choice(
        [
            lambda: json.dumps({"type": "thinking", "thinking": words(rng, 12), "signature": b64(rng, size)}),
            lambda: json.dumps(
                {
                    "type": "reasoning",
                    "id": "rs_" + chars(rng, HEX, 48),
                    "encrypted_content": "gAAAAAB" + base64.urlsafe_b64encode(rng.randbytes(size)).decode(),
                }
            ),
            lambda: json.dumps(
                {"functionCall": {"name": rng.choice(TOOLS), "args": {}}, "thoughtSignature": b64(rng, size)}
            ),
            lambda: json.dumps({"type": "redacted_thinking", "data": b64(rng, size)}),
            lambda: '{"type":"signature_delta","signature":"' + b64(rng, size) + '"}',
            lambda: "encrypted_index: " + b64(rng, 60),
        ]
    )()


def uuids(rng):
    return rng.choice(
        [
            lambda: f"job {uuid(rng)} done",
            lambda: json.dumps(
                {
                    "id": uuid(rng),
                    "parent": uuid(rng),
                    "trace_id": chars(rng, HEX, 32),
                    "span_id": chars(rng, HEX, 16),
                }
            ),
            lambda: "\n".join(uuid(rng) for _ in range(5)),
            lambda: f"/v1/items/{uuid(rng)}/parts/{uuid(rng).upper()}",
            lambda: "urn:uuid:" + uuid(rng),
            lambda: "{" + uuid(rng).upper() + "}",
            lambda: f"traceparent: 00-{chars(rng, HEX, 32)}-{chars(rng, HEX, 16)}-01",
        ]
    )()


def sortable_ids(rng):
    """Snowflakes, ULIDs, KSUIDs, nanoids, ObjectIds, cuids."""
    make = [
        lambda: str(rng.randint(1 << 59, 1 << 60)),
        lambda: str(rng.randint(10**17, 2 * 10**18)),
        lambda: "01" + chars(rng, CROCKFORD, 24),
        lambda: "2" + chars(rng, ALNUM, 26),
        lambda: chars(rng, ALNUM + "_-", 21),
        lambda: chars(rng, HEX, 24),
        lambda: "c" + chars(rng, LOWER + "0123456789", 24),
    ]
    one = rng.choice(make)
    return rng.choice(
        [
            lambda: f"channel {one()} message {one()}",
            lambda: json.dumps({"id": one(), "guild_id": one(), "seq": rng.randint(1, 9999)}),
            lambda: "ids: " + ", ".join(one() for _ in range(5)),
            lambda: f"_id,title\n{one()},{words(rng, 2)}\n{one()},{words(rng, 2)}\n",
            lambda: f'{{"tweet_id": {rng.randint(10**18, 2 * 10**18)}, "retweets": {rng.randint(0, 999)}}}',
            lambda: f"GET /channels/{one()}/messages/{one()}",
        ]
    )()


def git(rng):
    return rng.choice(
        [
            lambda: (
                f"commit {sha1(rng)}\nDate:   Tue Mar 3 10:22:{rng.randint(10, 59)} 2026 +0100\n\n    {words(rng, 5)}\n"
            ),
            lambda: "\n".join(f"{chars(rng, HEX, rng.choice([7, 8, 10]))} {words(rng, 4)}" for _ in range(5)),
            lambda: (
                f"diff --git a/{rng.choice(PATHS)} b/{rng.choice(PATHS)}\nindex {chars(rng, HEX, 7)}..{chars(rng, HEX, 7)} 100644\n--- a/x\n+++ b/x\n@@ -{rng.randint(1, 999)},{rng.randint(1, 9)} +{rng.randint(1, 999)},{rng.randint(1, 9)} @@\n-    let {rng.choice(WORDS)} = {rng.randint(1, 999)};\n+    let {rng.choice(WORDS)} = {rng.randint(1, 99999)};\n"
            ),
            lambda: (
                f"Merge branch 'fix-{rng.randint(1, 999)}' of {sha1(rng)[:12]} into main\n\n100644 blob {sha1(rng)}\t{rng.choice(PATHS)}"
            ),
            lambda: f"git clone git@github.com:acme/{rng.choice(WORDS)}.git && git checkout {sha1(rng)}",
            lambda: f"{sha1(rng)} refs/pull/{rng.randint(1, 9999)}/head",
            lambda: (
                f"HEAD is now at {chars(rng, HEX, 9)} {words(rng, 4)}\nremote: Resolving deltas: 100% ({rng.randint(10, 999)}/{rng.randint(10, 999)}), done."
            ),
        ]
    )()


def cookies_and_boundaries(rng):
    return rng.choice(
        [
            lambda: (
                f'Content-Type: multipart/form-data; boundary=----WebKitFormBoundary{chars(rng, ALNUM, 16)}\r\n\r\n------WebKitFormBoundary{chars(rng, ALNUM, 16)}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
            ),
            lambda: f"--=_Part_{digits(rng, 6)}_{digits(rng, 9)}.{epoch(rng)}{digits(rng, 3)}--",
            lambda: f'Message-ID: boundary "000000000000{chars(rng, HEX, 16)}"',
            lambda: (
                f"cf-ray: {chars(rng, HEX, 16)}-FRA\r\nx-request-id: {uuid(rng)}\r\nx-amzn-trace-id: Root=1-{chars(rng, HEX, 8)}-{chars(rng, HEX, 24)}\r\n"
            ),
            lambda: (
                f"x-ratelimit-reset-requests: 12ms\r\nopenai-processing-ms: {rng.randint(10, 9000)}\r\nx-envoy-upstream-service-time: {rng.randint(1, 999)}\r\n"
            ),
            lambda: f"v=1; _ga=GA1.2.{digits(rng, 9)}.{epoch(rng)}",
        ]
    )()


def cloud_ids(rng):
    return rng.choice(
        [
            lambda: (
                f"i-0{chars(rng, HEX, 16)} vpc-0{chars(rng, HEX, 16)} subnet-0{chars(rng, HEX, 16)} ami-0{chars(rng, HEX, 16)}"
            ),
            lambda: f"arn:aws:iam::{digits(rng, 12)}:role/deploy-{rng.choice(WORDS)}",
            lambda: f"projects/acme-{digits(rng, 6)}/locations/europe-west1/jobs/{rng.choice(WORDS)}",
            lambda: (
                f"/subscriptions/{uuid(rng)}/resourceGroups/rg-{rng.choice(WORDS)}/providers/Microsoft.Web"
            ),
            lambda: f"gs://acme-data/{chars(rng, HEX, 32)}/part-0000{rng.randint(0, 9)}.parquet",
            lambda: f"https://docs.example.com/d/1{chars(rng, ALNUM + '-_', 43)}/edit",
            lambda: (
                f"cus_{chars(rng, ALNUM, 14)} sub_{chars(rng, ALNUM, 24)} pi_{chars(rng, ALNUM, 24)} price_{chars(rng, ALNUM, 24)}"
            ),
            lambda: (
                f"https://video.example.com/watch?v={chars(rng, ALNUM + '-_', 11)}&list=PL{chars(rng, ALNUM, 32)}"
            ),
        ]
    )()


GROUPS = {
    "tool-calls": (tool_call, 130),
    "llm-ids": (llm_ids, 130),
    "provider-blobs": (provider_blobs, 110),
    "uuids": (uuids, 110),
    "snowflakes-ulids": (sortable_ids, 130),
    "git": (git, 120),
    "http-noise": (cookies_and_boundaries, 80),
    "cloud-ids": (cloud_ids, 80),
}
