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
TOOLS = ["read_file", "search", "run_tests", "list_dir", "get_weather", "apply_patch", "grep", "fetch_page", "execute_sql", "write_file"]
PATHS = ["src/lib.rs", "app/models/user.py", "web/index.tsx", "docs/setup.md", "cmd/server/main.go", "tests/test_api.py", "Makefile", "config/app.yaml"]
WORDS = ("request buffer index parser module handler cache stream value token count report update merge branch commit test case item node "
         "graph list table field query result batch queue worker task event state config layer route error").split()


def sha1(rng):
    return chars(rng, HEX, 40)


def b64(rng, size):
    return base64.b64encode(rng.randbytes(size)).decode()


def epoch(rng):
    return rng.randint(1_690_000_000, 1_790_000_000)


def words(rng, count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


def llm_id(rng):
    prefix, alphabet, size = rng.choice([
        ("call_", ALNUM, 24), ("toolu_01", ALNUM, 22), ("msg_01", ALNUM, 22), ("resp_", HEX, 48), ("chatcmpl-", ALNUM, 29), ("req_", HEX, 32), ("req_011C", ALNUM, 20),
        ("rs_", HEX, 48), ("fc_", HEX, 48), ("run_", ALNUM, 24), ("thread_", ALNUM, 24), ("asst_", ALNUM, 24), ("file-", ALNUM, 24), ("batch_", HEX, 32), ("gen-", "0123456789", 10),
        ("chatcmpl-tool-", HEX, 32), ("srvtoolu_01", ALNUM, 22), ("ws_", HEX, 48), ("org-", ALNUM, 24), ("ftjob-", ALNUM, 24), ("vs_", HEX, 32), ("fp_", HEX, 10), ("cmpl-", ALNUM, 29), ("container_01", ALNUM, 22)])
    return prefix + chars(rng, alphabet, size)


def tool_call(rng):
    name = rng.choice(TOOLS)
    arguments = {"path": rng.choice(PATHS), "line": rng.randint(1, 4000), "query": words(rng, 3), "limit": rng.randint(1, 500)}
    form = rng.randrange(4)
    if form == 0:
        return json.dumps({"id": "toolu_01" + chars(rng, ALNUM, 22), "type": "tool_use", "name": name, "input": arguments})
    if form == 1:
        return json.dumps({"id": "call_" + chars(rng, ALNUM, 24), "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}, separators=(",", ":"))
    if form == 2:
        return json.dumps({"type": "function_call", "id": "fc_" + chars(rng, HEX, 48), "call_id": "call_" + chars(rng, ALNUM, 24), "name": name, "arguments": json.dumps(arguments), "status": "completed"}, indent=2)
    return json.dumps({"type": "tool_result", "tool_use_id": "toolu_01" + chars(rng, ALNUM, 22), "content": [{"type": "text", "text": f"{rng.randint(1, 99)} matches in {rng.choice(PATHS)}:{rng.randint(1, 900)}"}], "is_error": False})


def llm_ids(rng):
    return rng.choice([lambda: f"conversation {llm_id(rng)} continued from {llm_id(rng)}", lambda: json.dumps({"id": llm_id(rng), "object": "chat.completion", "created": epoch(rng), "system_fingerprint": "fp_" + chars(rng, HEX, 10)}),
                       lambda: "\n".join(f"{i}\t{llm_id(rng)}" for i in range(6)), lambda: f'data: {{"type":"message_start","message":{{"id":"{llm_id(rng)}","model":"claude-sonnet-4-20250514","usage":{{"input_tokens":{rng.randint(9, 90000)},"output_tokens":1}}}}}}',
                       lambda: f"see trace {llm_id(rng)}, retry {llm_id(rng)} failed"])()


def provider_blobs(rng):
    """Signatures and encrypted reasoning, as providers send and want back."""
    size = rng.choice([96, 180, 320])
    return rng.choice([lambda: json.dumps({"type": "thinking", "thinking": words(rng, 12), "signature": b64(rng, size)}), lambda: json.dumps({"type": "reasoning", "id": "rs_" + chars(rng, HEX, 48), "encrypted_content": "gAAAAAB" + base64.urlsafe_b64encode(rng.randbytes(size)).decode()}),
                       lambda: json.dumps({"functionCall": {"name": rng.choice(TOOLS), "args": {}}, "thoughtSignature": b64(rng, size)}), lambda: json.dumps({"type": "redacted_thinking", "data": b64(rng, size)}),
                       lambda: '{"type":"signature_delta","signature":"' + b64(rng, size) + '"}', lambda: "encrypted_index: " + b64(rng, 60)])()


def uuids(rng):
    return rng.choice([lambda: f"job {uuid(rng)} done", lambda: json.dumps({"id": uuid(rng), "parent": uuid(rng), "trace_id": chars(rng, HEX, 32), "span_id": chars(rng, HEX, 16)}), lambda: "\n".join(uuid(rng) for _ in range(5)),
                       lambda: f"/v1/items/{uuid(rng)}/parts/{uuid(rng).upper()}", lambda: "urn:uuid:" + uuid(rng), lambda: "{" + uuid(rng).upper() + "}", lambda: f"traceparent: 00-{chars(rng, HEX, 32)}-{chars(rng, HEX, 16)}-01"])()


def sortable_ids(rng):
    """Snowflakes, ULIDs, KSUIDs, nanoids, ObjectIds, cuids."""
    make = [lambda: str(rng.randint(1 << 59, 1 << 60)), lambda: str(rng.randint(10**17, 2 * 10**18)), lambda: "01" + chars(rng, CROCKFORD, 24), lambda: "2" + chars(rng, ALNUM, 26), lambda: chars(rng, ALNUM + "_-", 21), lambda: chars(rng, HEX, 24),
            lambda: "c" + chars(rng, LOWER + "0123456789", 24)]
    one = rng.choice(make)
    return rng.choice([lambda: f"channel {one()} message {one()}", lambda: json.dumps({"id": one(), "guild_id": one(), "seq": rng.randint(1, 9999)}), lambda: "ids: " + ", ".join(one() for _ in range(5)), lambda: f"_id,title\n{one()},{words(rng, 2)}\n{one()},{words(rng, 2)}\n",
                       lambda: f'{{"tweet_id": {rng.randint(10**18, 2 * 10**18)}, "retweets": {rng.randint(0, 999)}}}', lambda: f"GET /channels/{one()}/messages/{one()}"])()


def git(rng):
    return rng.choice([lambda: f"commit {sha1(rng)}\nDate:   Tue Mar 3 10:22:{rng.randint(10, 59)} 2026 +0100\n\n    {words(rng, 5)}\n", lambda: "\n".join(f"{chars(rng, HEX, rng.choice([7, 8, 10]))} {words(rng, 4)}" for _ in range(5)),
                       lambda: f"diff --git a/{rng.choice(PATHS)} b/{rng.choice(PATHS)}\nindex {chars(rng, HEX, 7)}..{chars(rng, HEX, 7)} 100644\n--- a/x\n+++ b/x\n@@ -{rng.randint(1, 999)},{rng.randint(1, 9)} +{rng.randint(1, 999)},{rng.randint(1, 9)} @@\n-    let {rng.choice(WORDS)} = {rng.randint(1, 999)};\n+    let {rng.choice(WORDS)} = {rng.randint(1, 99999)};\n",
                       lambda: f"Merge branch 'fix-{rng.randint(1, 999)}' of {sha1(rng)[:12]} into main\n\n100644 blob {sha1(rng)}\t{rng.choice(PATHS)}", lambda: f"git clone git@github.com:acme/{rng.choice(WORDS)}.git && git checkout {sha1(rng)}", lambda: f"{sha1(rng)} refs/pull/{rng.randint(1, 9999)}/head",
                       lambda: f"HEAD is now at {chars(rng, HEX, 9)} {words(rng, 4)}\nremote: Resolving deltas: 100% ({rng.randint(10, 999)}/{rng.randint(10, 999)}), done."])()


def package_lock(rng):
    name, version = rng.choice(["left-pad", "lodash", "@types/node", "vite", "semver", "@babel/core"]), f"{rng.randint(0, 20)}.{rng.randint(0, 40)}.{rng.randint(0, 20)}"
    return f'    "node_modules/{name}": {{\n      "version": "{version}",\n      "resolved": "https://registry.example.com/{name}/-/{name.split("/")[-1]}-{version}.tgz",\n      "integrity": "sha512-{b64(rng, 64)}",\n      "license": "MIT",\n      "engines": {{ "node": ">=18.0.0" }}\n    }},'


def cargo_lock(rng):
    return "\n".join(f'[[package]]\nname = "{rng.choice(WORDS)}-{rng.choice(WORDS)}"\nversion = "{rng.randint(0, 9)}.{rng.randint(0, 99)}.{rng.randint(0, 99)}"\nchecksum = "{chars(rng, HEX, 64)}"\n' for _ in range(2))


def poetry_lock(rng):
    name = rng.choice(WORDS)
    return f'[[package]]\nname = "{name}"\nversion = "2.{rng.randint(0, 30)}.{rng.randint(0, 9)}"\nfiles = [\n    {{file = "{name}-2.1-py3-none-any.whl", hash = "sha256:{chars(rng, HEX, 64)}"}},\n    {{file = "{name}-2.1.tar.gz", hash = "sha256:{chars(rng, HEX, 64)}"}},\n]\n'


def uv_lock(rng):
    name = rng.choice(WORDS)
    return f'[[package]]\nname = "{name}"\nsource = {{ registry = "https://packages.example.com/simple" }}\nsdist = {{ url = "https://files.example.com/packages/{chars(rng, HEX, 2)}/{chars(rng, HEX, 2)}/{chars(rng, HEX, 60)}/{name}-1.{rng.randint(0, 90)}.tar.gz", hash = "sha256:{chars(rng, HEX, 64)}", size = {rng.randint(1000, 9_999_999)}, upload-time = "2026-0{rng.randint(1, 9)}-11T08:{rng.randint(10, 59)}:12.{digits(rng, 3)}Z" }}\n'


def go_sum(rng):
    return "\n".join(f"github.com/{rng.choice(WORDS)}/{rng.choice(WORDS)} v{rng.randint(0, 3)}.{rng.randint(0, 40)}.{rng.randint(0, 9)}{rng.choice(['', '/go.mod'])} h1:{b64(rng, 32)}" for _ in range(3)) + f"\ngolang.org/x/sys v0.0.0-2026{rng.randint(10, 12)}{rng.randint(10, 28)}{digits(rng, 6)}-{chars(rng, HEX, 12)} h1:{b64(rng, 32)}"


def yarn_lock(rng):
    name = rng.choice(["chalk", "ansi-styles", "@scope/pkg", "strip-ansi"])
    return rng.choice([f'{name}@^{rng.randint(1, 9)}.1.0:\n  version "{rng.randint(1, 9)}.1.2"\n  resolved "https://registry.example.com/{name}/-/x-1.tgz#{sha1(rng)}"\n  integrity sha512-{b64(rng, 64)}\n',
                       f'"{name}@npm:^{rng.randint(1, 9)}.0.0":\n  version: {rng.randint(1, 9)}.0.{rng.randint(0, 9)}\n  resolution: "{name}@npm:4.0.1"\n  checksum: 10c0/{chars(rng, HEX, 128)}\n  languageName: node\n', f"/{name}@{rng.randint(1, 9)}.{rng.randint(0, 9)}.3(react@18.2.0):\n    resolution: {{integrity: sha512-{b64(rng, 64)}}}\n    dev: true\n"])


def requirements(rng):
    return "\n".join(f"{rng.choice(WORDS)}=={rng.randint(0, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 9)} \\\n    --hash=sha256:{chars(rng, HEX, 64)}" for _ in range(3))


def checksums(rng):
    size = rng.choice([32, 40, 64, 128])
    return rng.choice([lambda: "\n".join(f"{chars(rng, HEX, size)}  {rng.choice(PATHS)}" for _ in range(3)), lambda: f"SHA256 (app-{rng.randint(1, 9)}.iso) = {chars(rng, HEX, 64)}", lambda: f'<script src="/a.js" integrity="sha384-{b64(rng, 48)}" crossorigin="anonymous"></script>', lambda: f'ETag: "{chars(rng, HEX, 32)}"\nContent-MD5: {b64(rng, 16)}', lambda: f"crc32={chars(rng, HEX, 8)} adler={chars(rng, HEX, 8)} md5={chars(rng, HEX, 32)}"])()


def base64_image(rng):
    head = rng.choice([b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01", b"GIF89a\x01\0\x01\0", b"RIFF\x24\0\0\0WEBPVP8 "])
    kind = {0x89: "png", 0xff: "jpeg", 0x47: "gif", 0x52: "webp"}[head[0]]
    data = base64.b64encode(head + rng.randbytes(rng.choice([150, 400, 700]))).decode()
    return rng.choice([lambda: f"data:image/{kind};base64,{data}", lambda: json.dumps({"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": data}}), lambda: f'<img alt="chart" src="data:image/{kind};base64,{data}">', lambda: f".icon{{background:url(data:image/{kind};base64,{data}) no-repeat}}",
                       lambda: "\n".join(data[i:i + 76] for i in range(0, len(data), 76)), lambda: f"![plot](data:image/{kind};base64,{data})"])()


def data_uri(rng):
    return rng.choice([lambda: f"@font-face{{src:url(data:font/woff2;base64,d09GMgABAAAAA{b64(rng, 200)})}}", lambda: f"//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpb{b64(rng, 90)}", lambda: f'{{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjcK{b64(rng, 240)}"}}', lambda: f'{{"input_audio":{{"format":"wav","data":"UklGR{b64(rng, 240)}"}}}}'])()


def public_keys(rng):
    body = b64(rng, 270)
    lines = "\n".join(body[i:i + 64] for i in range(0, len(body), 64))
    armour = rng.choice(["CERTIFICATE", "PUBLIC KEY", "CERTIFICATE REQUEST", "X509 CRL", "PGP PUBLIC KEY BLOCK", "PGP SIGNATURE", "SSH SIGNATURE", "DH PARAMETERS"])
    return rng.choice([lambda: f"-----BEGIN {armour}-----\n{lines}\n-----END {armour}-----\n", lambda: f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{b64(rng, 255)} deploy@build", lambda: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{chars(rng, B64, 43)} laptop", lambda: f"server ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI{b64(rng, 60)}",
                       lambda: f"2048 SHA256:{chars(rng, B64, 43)} root@host (RSA)", lambda: "MD5:" + ":".join(chars(rng, HEX, 2) for _ in range(16)), lambda: "SHA1 Fingerprint=" + ":".join(chars(rng, HEX, 2).upper() for _ in range(20)), lambda: f'"public_key": "{b64(rng, 32)}", "algorithm": "ed25519"'])()


def docker(rng):
    return rng.choice([lambda: f"FROM python:3.12-slim@sha256:{chars(rng, HEX, 64)}\nRUN pip install -r requirements.txt\n", lambda: f"image: ghcr.example.com/acme/app:{rng.randint(1, 9)}.{rng.randint(0, 20)}.0@sha256:{chars(rng, HEX, 64)}", lambda: "CONTAINER ID   IMAGE         COMMAND     CREATED      PORTS\n" + "\n".join(f"{chars(rng, HEX, 12)}   nginx:1.27    \"nginx -g\"  2 days ago   0.0.0.0:{rng.randint(1000, 9999)}->80/tcp" for _ in range(2)),
                       lambda: f"{chars(rng, HEX, 12)}: Pull complete\nDigest: sha256:{chars(rng, HEX, 64)}\nStatus: Downloaded newer image for redis:7", lambda: f' => [internal] load metadata 0.{rng.randint(1, 9)}s\n => => sha256:{chars(rng, HEX, 64)} {rng.randint(1, 90)}.{rng.randint(1, 9)}MB / 29.1MB'])()


def hex_dump(rng):
    rows = []
    for row in range(rng.randint(3, 7)):
        raw = rng.randbytes(16)
        text = "".join(chr(byte) if 32 <= byte < 127 and chr(byte) not in "@" else "." for byte in raw)
        rows.append(rng.choice([f"{row * 16:08x}: " + " ".join(raw[i:i + 2].hex() for i in range(0, 16, 2)) + f"  {text}", f"{row * 16:08x}  " + " ".join(f"{b:02x}" for b in raw) + f"  |{text}|"]))
    return rng.choice([lambda: "\n".join(rows), lambda: "unsigned char data[] = {\n  " + ", ".join(f"0x{byte:02x}" for byte in rng.randbytes(24)) + "\n};", lambda: f"0x{chars(rng, HEX, 16)} <main+{rng.randint(4, 400)}>: mov rax, 0x{chars(rng, HEX, 8)}", lambda: f"tx data 0x{chars(rng, HEX, 8)}{'0' * 24}{chars(rng, HEX, 64)}"])()


def cookies_and_boundaries(rng):
    return rng.choice([lambda: f"Content-Type: multipart/form-data; boundary=----WebKitFormBoundary{chars(rng, ALNUM, 16)}\r\n\r\n------WebKitFormBoundary{chars(rng, ALNUM, 16)}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n", lambda: f"--=_Part_{digits(rng, 6)}_{digits(rng, 9)}.{epoch(rng)}{digits(rng, 3)}--", lambda: f"Message-ID: boundary \"000000000000{chars(rng, HEX, 16)}\"",
                       lambda: f"cf-ray: {chars(rng, HEX, 16)}-FRA\r\nx-request-id: {uuid(rng)}\r\nx-amzn-trace-id: Root=1-{chars(rng, HEX, 8)}-{chars(rng, HEX, 24)}\r\n", lambda: f"x-ratelimit-reset-requests: 12ms\r\nopenai-processing-ms: {rng.randint(10, 9000)}\r\nx-envoy-upstream-service-time: {rng.randint(1, 999)}\r\n", lambda: f"v=1; _ga=GA1.2.{digits(rng, 9)}.{epoch(rng)}"])()


def cloud_ids(rng):
    return rng.choice([lambda: f"i-0{chars(rng, HEX, 16)} vpc-0{chars(rng, HEX, 16)} subnet-0{chars(rng, HEX, 16)} ami-0{chars(rng, HEX, 16)}", lambda: f"arn:aws:iam::{digits(rng, 12)}:role/deploy-{rng.choice(WORDS)}", lambda: f"projects/acme-{digits(rng, 6)}/locations/europe-west1/jobs/{rng.choice(WORDS)}", lambda: f"/subscriptions/{uuid(rng)}/resourceGroups/rg-{rng.choice(WORDS)}/providers/Microsoft.Web",
                       lambda: f"gs://acme-data/{chars(rng, HEX, 32)}/part-0000{rng.randint(0, 9)}.parquet", lambda: f"https://docs.example.com/d/1{chars(rng, ALNUM + '-_', 43)}/edit", lambda: f"cus_{chars(rng, ALNUM, 14)} sub_{chars(rng, ALNUM, 24)} pi_{chars(rng, ALNUM, 24)} price_{chars(rng, ALNUM, 24)}", lambda: f"https://video.example.com/watch?v={chars(rng, ALNUM + '-_', 11)}&list=PL{chars(rng, ALNUM, 32)}"])()


GROUPS = {"tool-calls": (tool_call, 130), "llm-ids": (llm_ids, 130), "provider-blobs": (provider_blobs, 110), "uuids": (uuids, 110), "snowflakes-ulids": (sortable_ids, 130), "git": (git, 120),
          "package-lock": (package_lock, 60), "cargo-lock": (cargo_lock, 50), "poetry-lock": (poetry_lock, 50), "uv-lock": (uv_lock, 50), "go-sum": (go_sum, 60), "yarn-lock": (yarn_lock, 60), "requirements": (requirements, 40),
          "checksums": (checksums, 80), "base64-image": (base64_image, 100), "data-uri": (data_uri, 60), "public-keys": (public_keys, 90), "docker": (docker, 70), "hex-dump": (hex_dump, 80), "http-noise": (cookies_and_boundaries, 80), "cloud-ids": (cloud_ids, 80)}
