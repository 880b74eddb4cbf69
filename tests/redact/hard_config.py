"""Texts without anything personal or secret: configuration, plans, notebooks, markup, opaque values."""

from digits import ALNUM, HEX, LOWER, chars, digits
from hard_ids import WORDS, b64, epoch, sha1, words
from keys import uuid


def kubernetes(rng):
    name = f"{rng.choice(WORDS)}-{rng.choice(WORDS)}"
    return rng.choice(
        [
            lambda: (
                f'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  uid: {uuid(rng)}\n  resourceVersion: "{digits(rng, 8, "123456789")}"\nspec:\n  replicas: {rng.randint(1, 9)}\n'
            ),
            lambda: (
                f"{name}-{chars(rng, HEX, 10)}-{chars(rng, LOWER, 5)}   1/1   Running   0   {rng.randint(1, 90)}d   10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}   node-{rng.randint(1, 9)}"
            ),
            lambda: (
                f"env:\n- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: {name}\n      key: password\n"
            ),
            lambda: (
                f"livenessProbe:\n  httpGet: {{path: /healthz, port: {rng.randint(1000, 9999)}}}\n  periodSeconds: {rng.randint(1, 60)}\nresources:\n  limits: {{cpu: 500m, memory: {rng.randint(64, 4096)}Mi}}\n"
            ),
            lambda: f"pod-template-hash: {chars(rng, HEX, 10)}\nchecksum/config: {chars(rng, HEX, 64)}\n",
            lambda: (
                f"clusterIP: 10.96.{rng.randint(0, 255)}.{rng.randint(1, 254)}\nports:\n- port: 443\n  nodePort: {rng.randint(30000, 32767)}\n"
            ),
            lambda: f"imagePullSecrets:\n- name: regcred\nserviceAccountName: {name}\n",
        ]
    )()


def terraform(rng):
    name = rng.choice(WORDS)
    return rng.choice(
        [
            lambda: (
                f'  # aws_instance.{name} will be created\n  + resource "aws_instance" "{name}" {{\n      + ami = "ami-0{chars(rng, HEX, 16)}"\n      + id = (known after apply)\n      + password_data = (known after apply)\n    }}\n\nPlan: {rng.randint(1, 30)} to add, 0 to change, 0 to destroy.'
            ),
            lambda: 'variable "db_password" {\n  type      = string\n  sensitive = true\n}\n',
            lambda: (
                f'  ~ version_id = "{rng.randint(1, 20)}" -> (known after apply)\n    cidr_block = "10.{rng.randint(0, 255)}.0.0/16"\n'
            ),
            lambda: (
                f"{name}: Refreshing state... [id=sg-0{chars(rng, HEX, 16)}]\n{name}: Still creating... [{rng.randint(10, 90)}s elapsed]"
            ),
            lambda: f"password = var.db_password\nusername = local.{name}\n",
            lambda: f"password = (sensitive value)\nendpoint = (known after apply)  # {name}",
        ]
    )()


def ci_config(rng):
    return rng.choice(
        [
            lambda: (
                f"*/{rng.randint(2, 30)} {rng.randint(0, 23)} * * {rng.randint(0, 6)} /usr/local/bin/{rng.choice(WORDS)}.sh >> /var/log/cron.log 2>&1"
            ),
            lambda: (
                f"jobs:\n  test:\n    runs-on: ubuntu-24.04\n    timeout-minutes: {rng.randint(5, 90)}\n    env:\n      TOKEN: ${{{{ secrets.TOKEN }}}}\n"
            ),
            lambda: (
                f"[program:{rng.choice(WORDS)}]\ncommand=/usr/bin/app --port {rng.randint(1000, 9999)}\nautorestart=true\n"
            ),
            lambda: (
                f"listen {rng.randint(1000, 9999)};\nserver_name example.com;\nclient_max_body_size {rng.randint(1, 99)}m;\nset_real_ip_from 10.0.0.0/8;\n"
            ),
            lambda: (
                f"{rng.randint(0, 59)} {rng.randint(0, 23)} {rng.randint(1, 28)} * * root run-parts /etc/cron.monthly"
            ),
            lambda: (
                f"max_connections = {rng.randint(50, 500)}\nshared_buffers = {rng.randint(1, 64)}GB\nlisten_addresses = '0.0.0.0'\npassword_encryption = scram-sha-256\n"
            ),
            lambda: (
                f"-A INPUT -s 10.0.0.0/8 -p tcp --dport {rng.randint(20, 9999)} -j ACCEPT\n-A INPUT -i lo -j ACCEPT"
            ),
            lambda: f"stages: [build, test]\ncache:\n  key: {chars(rng, HEX, 40)}\n  paths: [target/]\n",
        ]
    )()


def notebook(rng):
    return rng.choice(
        [
            lambda: (
                f'{{"cell_type": "code", "execution_count": {rng.randint(1, 99)}, "id": "{chars(rng, HEX, 8)}", "outputs": [{{"text": ["[{digits(rng, 1)}.{digits(rng, 8)}, -0.{digits(rng, 8)}]"]}}]}}'
            ),
            lambda: (
                f"tensor([[{', '.join(f'{rng.uniform(-3, 3):.4f}' for _ in range(8))}]], device='cuda:0')"
            ),
            lambda: f"array([{', '.join(str(rng.randint(-(10**9), 10**9)) for _ in range(6))}], dtype=int32)",
            lambda: (
                f"Epoch {rng.randint(1, 90)}/90 loss: 0.{digits(rng, 4)} lr: {rng.randint(1, 9)}.{digits(rng, 2)}e-05 step {rng.randint(100, 99999)}"
            ),
            lambda: "\n".join(" ".join(f"{rng.uniform(-9, 9):9.5f}" for _ in range(5)) for _ in range(4)),
            lambda: f"[{', '.join(str(rng.randint(0, 100277)) for _ in range(16))}]  # token ids",
        ]
    )()


def localization(rng):
    return rng.choice(
        [
            lambda: (
                f'msgid "Enter your password"\nmsgstr "Geben Sie Ihr Passwort ein"\n#: src/{rng.choice(WORDS)}.c:{rng.randint(1, 999)}\n'
            ),
            lambda: (
                f'{{"login.password.label": "Password", "login.email.placeholder": "you[at]domain", "cart.total": "{{{{count}}}} items", "build": {rng.randint(1, 9999)}}}'
            ),
            lambda: (
                f'<string name="hint_phone_{rng.randint(1, 9)}">Phone number</string>\n<string name="hint_ssn">Social security number</string>'
            ),
            lambda: (
                f"error.iban.invalid=The IBAN is not valid ({rng.choice(WORDS)})\nerror.card.expired=Your card has expired\n"
            ),
        ]
    )()


def markup_and_sheets(rng):
    a, n = rng.choice(WORDS), rng.randint(2, 9999)
    return rng.choice(
        [
            lambda: f'=SUM(A{n}:B{n + 9})/COUNTIF($C$1:$C${n},">{rng.randint(1, 99)}")',
            lambda: (
                f"\\begin{{tabular}}{{lr}}\n{a} & {digits(rng, 6)} \\\\\n\\end{{tabular}}\n\\cite{{{a}{rng.randint(1990, 2025)}}}"
            ),
            lambda: (
                f"https://example.com/p/{digits(rng, 9)}?utm_source=mail&utm_campaign=spring-{rng.randint(1, 99)}&gclid=Cj0K{chars(rng, ALNUM + '-_', 60)}"
            ),
            lambda: (
                f'<svg viewBox="0 0 {n} {n}"><path d="M{digits(rng, 2)}.{digits(rng, 3)},{digits(rng, 3)}.{digits(rng, 2)} L{digits(rng, 3)} {digits(rng, 3)} Z"/></svg>'
            ),
            lambda: (
                f"INSERT INTO {a}s (id, parent_id, hash, created) VALUES ({digits(rng, 8, '123456789')}, {digits(rng, 10, '123456789')}, '{sha1(rng)}', {epoch(rng)});"
            ),
            lambda: (
                f"COPY {a} FROM stdin;\n{digits(rng, 9, '123456789')}\t{rng.uniform(0, 99):.4f}\t2026-01-{rng.randint(10, 28)} 10:{rng.randint(10, 59)}:00\n\\."
            ),
            lambda: f"- [{a}](https://example.com/{a}/{n}) ({digits(rng, 3)} stars)\n- #{n} closes #{n + 1}",
            lambda: (
                f"WEBVTT\n\n00:0{rng.randint(1, 9)}:{rng.randint(10, 59)}.{digits(rng, 3)} --> 00:1{rng.randint(0, 9)}:{rng.randint(10, 59)}.{digits(rng, 3)}\n{words(rng, 4)}"
            ),
            lambda: (
                f"BEGIN:VEVENT\nUID:{uuid(rng)}\nDTSTART;TZID=Europe/Paris:2026{rng.randint(10, 12)}{rng.randint(10, 28)}T100000\nSEQUENCE:{n}\nEND:VEVENT"
            ),
            lambda: (
                f'{{"type":"object","properties":{{"ssn":{{"type":"string","pattern":"^\\\\d{{3}}-\\\\d{{2}}-\\\\d{{4}}$"}},"{a}":{{"type":"integer","maximum":{n}}}}},"required":["ssn"]}}'
            ),
            lambda: (
                f'{{"name":"send_email","description":"Sends an email to the given address","parameters":{{"type":"object","properties":{{"to":{{"type":"string","format":"email"}},"retries":{{"type":"integer","default":{rng.randint(1, 99)}}}}}}}}}'
            ),
        ]
    )()


def generated_random(rng):
    """Opaque values under names that mean nothing secret."""
    name = rng.choice(
        [
            "cursor",
            "next_page_token",
            "etag",
            "continuation",
            "nonce",
            "build_id",
            "cache_key",
            "state",
            "hash",
            "fingerprint",
            "checksum",
            "version_id",
            "shard",
            "digest",
            "sha",
            "revision",
        ]
    )
    value = rng.choice(
        [
            chars(rng, ALNUM, 32),
            chars(rng, HEX, 32),
            b64(rng, 24),
            chars(rng, ALNUM + "-_", 43),
            sha1(rng),
            f"{epoch(rng)}.{digits(rng, 6)}",
        ]
    )
    return rng.choice(
        [
            f'{{"{name}": "{value}", "has_more": true}}',
            f"{name}={value}",
            f"{name}: {value}\n{words(rng, 4)}",
            f"?{name}={value}&limit=50",
            f"{name} = '{value}'",
        ]
    )


GROUPS = {
    "kubernetes": (kubernetes, 80),
    "terraform": (terraform, 60),
    "ci-config-cron": (ci_config, 80),
    "notebooks-matrices": (notebook, 80),
    "localization": (localization, 40),
    "opaque-values": (generated_random, 100),
    "markup-sheets-schemas": (markup_and_sheets, 100),
}
