"""Texts without anything personal or secret: lock files, hashes, images, public keys, dumps.

Each function makes one text in the look of a format that its name says; nothing is copied."""

import base64
import json

from digits import ALNUM, HEX, chars, digits
from hard_ids import B64, PATHS, WORDS, b64, sha1
from keys import uuid


def package_lock(rng):
    name, version = (
        rng.choice(["left-pad", "lodash", "@types/node", "vite", "semver", "@babel/core"]),
        f"{rng.randint(0, 20)}.{rng.randint(0, 40)}.{rng.randint(0, 20)}",
    )
    return f'    "node_modules/{name}": {{\n      "version": "{version}",\n      "resolved": "https://registry.example.com/{name}/-/{name.split("/")[-1]}-{version}.tgz",\n      "integrity": "sha512-{b64(rng, 64)}",\n      "license": "MIT",\n      "engines": {{ "node": ">=18.0.0" }}\n    }},'


def cargo_lock(rng):
    return "\n".join(
        f'[[package]]\nname = "{rng.choice(WORDS)}-{rng.choice(WORDS)}"\nversion = "{rng.randint(0, 9)}.{rng.randint(0, 99)}.{rng.randint(0, 99)}"\nchecksum = "{chars(rng, HEX, 64)}"\n'
        for _ in range(2)
    )


def poetry_lock(rng):
    name = rng.choice(WORDS)
    return f'[[package]]\nname = "{name}"\nversion = "2.{rng.randint(0, 30)}.{rng.randint(0, 9)}"\nfiles = [\n    {{file = "{name}-2.1-py3-none-any.whl", hash = "sha256:{chars(rng, HEX, 64)}"}},\n    {{file = "{name}-2.1.tar.gz", hash = "sha256:{chars(rng, HEX, 64)}"}},\n]\n'


def uv_lock(rng):
    name = rng.choice(WORDS)
    return f'[[package]]\nname = "{name}"\nsource = {{ registry = "https://packages.example.com/simple" }}\nsdist = {{ url = "https://files.example.com/packages/{chars(rng, HEX, 2)}/{chars(rng, HEX, 2)}/{chars(rng, HEX, 60)}/{name}-1.{rng.randint(0, 90)}.tar.gz", hash = "sha256:{chars(rng, HEX, 64)}", size = {rng.randint(1000, 9_999_999)}, upload-time = "2026-0{rng.randint(1, 9)}-11T08:{rng.randint(10, 59)}:12.{digits(rng, 3)}Z" }}\n'


def go_sum(rng):
    return (
        "\n".join(
            f"github.com/{rng.choice(WORDS)}/{rng.choice(WORDS)} v{rng.randint(0, 3)}.{rng.randint(0, 40)}.{rng.randint(0, 9)}{rng.choice(['', '/go.mod'])} h1:{b64(rng, 32)}"
            for _ in range(3)
        )
        + f"\ngolang.org/x/sys v0.0.0-2026{rng.randint(10, 12)}{rng.randint(10, 28)}{digits(rng, 6)}-{chars(rng, HEX, 12)} h1:{b64(rng, 32)}"
    )


def yarn_lock(rng):
    name = rng.choice(["chalk", "ansi-styles", "@scope/pkg", "strip-ansi"])
    return rng.choice(
        [
            f'{name}@^{rng.randint(1, 9)}.1.0:\n  version "{rng.randint(1, 9)}.1.2"\n  resolved "https://registry.example.com/{name}/-/x-1.tgz#{sha1(rng)}"\n  integrity sha512-{b64(rng, 64)}\n',
            f'"{name}@npm:^{rng.randint(1, 9)}.0.0":\n  version: {rng.randint(1, 9)}.0.{rng.randint(0, 9)}\n  resolution: "{name}@npm:4.0.1"\n  checksum: 10c0/{chars(rng, HEX, 128)}\n  languageName: node\n',
            f"/{name}@{rng.randint(1, 9)}.{rng.randint(0, 9)}.3(react@18.2.0):\n    resolution: {{integrity: sha512-{b64(rng, 64)}}}\n    dev: true\n",
        ]
    )


def requirements(rng):
    return "\n".join(
        f"{rng.choice(WORDS)}=={rng.randint(0, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 9)} \\\n    --hash=sha256:{chars(rng, HEX, 64)}"
        for _ in range(3)
    )


def checksums(rng):
    size = rng.choice([32, 40, 64, 128])
    return rng.choice(
        [
            lambda: "\n".join(f"{chars(rng, HEX, size)}  {rng.choice(PATHS)}" for _ in range(3)),
            lambda: f"SHA256 (app-{rng.randint(1, 9)}.iso) = {chars(rng, HEX, 64)}",
            lambda: (
                f'<script src="/a.js" integrity="sha384-{b64(rng, 48)}" crossorigin="anonymous"></script>'
            ),
            lambda: f'ETag: "{chars(rng, HEX, 32)}"\nContent-MD5: {b64(rng, 16)}',
            lambda: f"crc32={chars(rng, HEX, 8)} adler={chars(rng, HEX, 8)} md5={chars(rng, HEX, 32)}",
        ]
    )()


def base64_image(rng):
    head = rng.choice(
        [
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01",
            b"GIF89a\x01\0\x01\0",
            b"RIFF\x24\0\0\0WEBPVP8 ",
        ]
    )
    kind = {0x89: "png", 0xFF: "jpeg", 0x47: "gif", 0x52: "webp"}[head[0]]
    data = base64.b64encode(head + rng.randbytes(rng.choice([150, 400, 700]))).decode()
    return rng.choice(
        [
            lambda: f"data:image/{kind};base64,{data}",
            lambda: json.dumps(
                {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": data}}
            ),
            lambda: f'<img alt="chart" src="data:image/{kind};base64,{data}">',
            lambda: f".icon{{background:url(data:image/{kind};base64,{data}) no-repeat}}",
            lambda: "\n".join(data[i : i + 76] for i in range(0, len(data), 76)),
            lambda: f"![plot](data:image/{kind};base64,{data})",
        ]
    )()


def data_uri(rng):
    return rng.choice(
        [
            lambda: f"@font-face{{src:url(data:font/woff2;base64,d09GMgABAAAAA{b64(rng, 200)})}}",
            lambda: (
                f"//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpb{b64(rng, 90)}"
            ),
            lambda: (
                f'{{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjcK{b64(rng, 240)}"}}'
            ),
            lambda: f'{{"input_audio":{{"format":"wav","data":"UklGR{b64(rng, 240)}"}}}}',
        ]
    )()


def public_keys(rng):
    body = b64(rng, 270)
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    armour = rng.choice(
        [
            "CERTIFICATE",
            "PUBLIC KEY",
            "CERTIFICATE REQUEST",
            "X509 CRL",
            "PGP PUBLIC KEY BLOCK",
            "PGP SIGNATURE",
            "SSH SIGNATURE",
            "DH PARAMETERS",
        ]
    )
    return rng.choice(
        [
            lambda: f"-----BEGIN {armour}-----\n{lines}\n-----END {armour}-----\n",
            lambda: f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{b64(rng, 255)} deploy@build",
            lambda: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{chars(rng, B64, 43)} laptop",
            lambda: f"server ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI{b64(rng, 60)}",
            lambda: f"2048 SHA256:{chars(rng, B64, 43)} root@host (RSA)",
            lambda: "MD5:" + ":".join(chars(rng, HEX, 2) for _ in range(16)),
            lambda: "SHA1 Fingerprint=" + ":".join(chars(rng, HEX, 2).upper() for _ in range(20)),
            lambda: f'"public_key": "{b64(rng, 32)}", "algorithm": "ed25519"',
        ]
    )()


def public_material(rng):
    """What anyone may know of a key, and content addresses that resemble wallets."""
    lower32 = "abcdefghijklmnopqrstuvwxyz234567"
    return rng.choice(
        [
            lambda: json.dumps(
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": chars(rng, HEX, 40),
                    "n": base64.urlsafe_b64encode(rng.randbytes(256)).decode().rstrip("="),
                    "e": "AQAB",
                }
            ),
            lambda: (
                f'{{"kty":"EC","crv":"P-256","x":"{chars(rng, ALNUM + "-_", 43)}","y":"{chars(rng, ALNUM + "-_", 43)}"}}'
            ),
            lambda: f"code_challenge={chars(rng, ALNUM + '-_', 43)}&code_challenge_method=S256",
            lambda: f'sel._domainkey IN TXT "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GN{b64(rng, 120)}"',
            lambda: (
                f"|1|{b64(rng, 20)}|{b64(rng, 20)} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{chars(rng, B64, 43)}"
            ),
            lambda: f"ipfs://bafybei{chars(rng, lower32, 52)}/index.html",
            lambda: (
                f"did:key:z6Mk{chars(rng, ALNUM.replace('0', '').replace('O', '').replace('I', '').replace('l', ''), 44)}"
            ),
            lambda: f"recipients: age1{chars(rng, 'qpzry9x8gf2tvdw0s3jn54khce6mua7l', 58)}",
            lambda: f"Content-Security-Policy: script-src 'nonce-{b64(rng, 16)}' 'sha256-{b64(rng, 32)}'",
            lambda: (
                f"tx 0x{chars(rng, HEX, 64)} in block {rng.randint(10**7, 2 * 10**7)} (gas {rng.randint(21000, 900000)})"
            ),
            lambda: (
                f'{{"credentialId":"{chars(rng, ALNUM + "-_", 43)}","aaguid":"{uuid(rng)}","signCount":{rng.randint(0, 999)}}}'
            ),
        ]
    )()


def docker(rng):
    return rng.choice(
        [
            lambda: (
                f"FROM python:3.12-slim@sha256:{chars(rng, HEX, 64)}\nRUN pip install -r requirements.txt\n"
            ),
            lambda: (
                f"image: ghcr.example.com/acme/app:{rng.randint(1, 9)}.{rng.randint(0, 20)}.0@sha256:{chars(rng, HEX, 64)}"
            ),
            lambda: (
                "CONTAINER ID   IMAGE         COMMAND     CREATED      PORTS\n"
                + "\n".join(
                    f'{chars(rng, HEX, 12)}   nginx:1.27    "nginx -g"  2 days ago   0.0.0.0:{rng.randint(1000, 9999)}->80/tcp'
                    for _ in range(2)
                )
            ),
            lambda: (
                f"{chars(rng, HEX, 12)}: Pull complete\nDigest: sha256:{chars(rng, HEX, 64)}\nStatus: Downloaded newer image for redis:7"
            ),
            lambda: (
                f" => [internal] load metadata 0.{rng.randint(1, 9)}s\n => => sha256:{chars(rng, HEX, 64)} {rng.randint(1, 90)}.{rng.randint(1, 9)}MB / 29.1MB"
            ),
        ]
    )()


def hex_dump(rng):
    rows = []
    for row in range(rng.randint(3, 7)):
        raw = rng.randbytes(16)
        text = "".join(chr(byte) if 32 <= byte < 127 and chr(byte) not in "@" else "." for byte in raw)
        rows.append(
            rng.choice(
                [
                    f"{row * 16:08x}: "
                    + " ".join(raw[i : i + 2].hex() for i in range(0, 16, 2))
                    + f"  {text}",
                    f"{row * 16:08x}  " + " ".join(f"{b:02x}" for b in raw) + f"  |{text}|",
                ]
            )
        )
    return rng.choice(
        [
            lambda: "\n".join(rows),
            lambda: (
                "unsigned char data[] = {\n  "
                + ", ".join(f"0x{byte:02x}" for byte in rng.randbytes(24))
                + "\n};"
            ),
            lambda: f"0x{chars(rng, HEX, 16)} <main+{rng.randint(4, 400)}>: mov rax, 0x{chars(rng, HEX, 8)}",
            lambda: f"tx data 0x{chars(rng, HEX, 8)}{'0' * 24}{chars(rng, HEX, 64)}",
        ]
    )()


GROUPS = {
    "package-lock": (package_lock, 60),
    "cargo-lock": (cargo_lock, 50),
    "poetry-lock": (poetry_lock, 50),
    "uv-lock": (uv_lock, 50),
    "go-sum": (go_sum, 60),
    "yarn-lock": (yarn_lock, 60),
    "requirements": (requirements, 40),
    "checksums": (checksums, 80),
    "base64-image": (base64_image, 100),
    "data-uri": (data_uri, 60),
    "public-keys": (public_keys, 90),
    "public-material": (public_material, 80),
    "docker": (docker, 70),
    "hex-dump": (hex_dump, 80),
}
