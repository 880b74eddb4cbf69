"""Texts in which a value has a place of its own, as formats and programs give it: mail headers,
vCards, log lines, connection strings, the files that tools keep their secrets in."""

import re

import finance as fin
import forms
import keys
from digits import ALNUM, HEX, chars
from pieces import Gold
from special import sample

# `{KIND}` stands for a value of the kind, `{KIND:form}` for one in a form that the place demands.
PLACES = r"""
From: Ann Lee <{EMAIL}>\nTo: "Kim, Sam" <{EMAIL}>\nCc: {EMAIL}, {EMAIL}\nSubject: Minutes\nDate: Tue, 03 Mar 2026 10:11:12 +0000
<a href="mailto:{EMAIL}?subject=Hello">write to us</a>
Author: Ann Lee <{EMAIL}>\nDate:   Tue Mar 3 10:22:31 2026 +0100\n\n    Fix the parser
Signed-off-by: Sam Kim <{EMAIL}>
BEGIN:VCARD\nVERSION:3.0\nFN:Ann Lee\nTEL;TYPE=CELL:{PHONE}\nEMAIL;TYPE=WORK:{EMAIL}\nBDAY:{DATE_OF_BIRTH:iso}\nEND:VCARD
<a href="tel:{PHONE:e164}">call</a>
550 5.1.1 <{EMAIL}>: Recipient address rejected: User unknown
GRANT SELECT ON orders TO "{EMAIL}";
git config user.email {EMAIL}
@support please merge the accounts {EMAIL} and {EMAIL}.
maintainers = [{{ name = "Ann", email = "{EMAIL}" }}]
WhatsApp me: {PHONE}, Signal: {PHONE}
Sent from my phone ({PHONE})
{IP:v4} - ann [12/Mar/2026:10:12:44 +0000] "GET /a?id=48213 HTTP/1.1" 200 5316 "-" "Mozilla/5.0 (X11; Linux x86_64) Chrome/124.0.6367.91"
Mar 12 10:12:44 host sshd[2211]: Failed password for root from {IP:v4} port 51522 ssh2
X-Forwarded-For: {IP:v4}, 10.0.0.7\r\nX-Real-IP: {IP:v4}\r\n
curl http://{IP:v4}:8080/health
connect to [{IP:v6}]:443 failed: timed out
example.net.  300  IN  AAAA  {IP:v6}
Received: from mail.example.net ([{IP:v4}]) by mx.example.org with ESMTPS id a1si12
iptables -A INPUT -s {IP:v4} -j DROP
2: eth0: <BROADCAST,MULTICAST,UP> mtu 1500\n    link/ether {MAC:colon} brd ff:ff:ff:ff:ff:ff
? (192.168.1.20) at {MAC:colon} [ether] on wlan0
DHCPACK(br0) 192.168.1.31 {MAC:colon} printer
<CdtrAcct><Id><IBAN>{IBAN:plain}</IBAN></Id></CdtrAcct><CdtrAgt><FinInstnId><BIC>{SWIFT_BIC}</BIC></FinInstnId></CdtrAgt>
:59:/{IBAN:plain}\nACME GMBH
Bitte überweisen Sie 129,90 EUR auf {IBAN:grouped}, Verwendungszweck 2026-4711.
bitcoin:{CRYPTO_WALLET:btc}?amount=0.05
https://etherscan.example.com/address/{CRYPTO_WALLET:eth}
Send exactly 0.25 ETH to {CRYPTO_WALLET:eth} within 15 minutes.
card[number]={CREDIT_CARD:plain}&card[exp_month]=12&card[exp_year]=2029&amount=4900
{CREDIT_CARD} 12/29 CVC 123
Paid with {CREDIT_CARD} on 2026-03-04, receipt 00482133.
machine api.example.com\nlogin deploy\npassword {PASSWORD:plain}
mysql --host=db.internal --user=root --password={PASSWORD:plain} shop < dump.sql
PGPASSWORD={PASSWORD:plain} psql -h db.internal -U app orders
sshpass -p '{PASSWORD:plain}' ssh deploy@web-1
Server=tcp:sql.example.net,1433;Database=crm;User ID=sa;Password={PASSWORD:plain};Encrypt=True;
host=db.internal port=5432 dbname=app user=app password={PASSWORD:plain} sslmode=require
define('DB_PASSWORD', '{PASSWORD:plain}');\ndefine('DB_HOST', 'localhost');
CREATE USER app WITH PASSWORD '{PASSWORD:plain}';
ALTER USER 'app'@'%' IDENTIFIED BY '{PASSWORD:plain}';
<add key="ClearTextPassword" value="{PASSWORD:plain}" />
net use Z: \\server\public /user:ann {PASSWORD:plain}
- name: db\n  community.mysql.mysql_user:\n    name: app\n    password: "{PASSWORD:plain}"
jdbc:mysql://db.internal:3306/crm?user=app&password={PASSWORD:plain}&useSSL=true
"auth": {{"username": "svc", "password": "{PASSWORD:plain}"}}
Your temporary password is {PASSWORD:plain} and must be changed at first login.
wifi: Guest / password: {PASSWORD:plain}
Das neue Passwort lautet {PASSWORD:plain} (gültig bis Freitag)
curl -u {CREDENTIALS:pair} https://api.example.com/v1/me
curl --user '{CREDENTIALS:pair}' -X POST https://api.example.com/v1/jobs
REDIS_URL=redis://:{CREDENTIALS:secret}@cache.internal:6379/0
http_proxy=http://{CREDENTIALS:pair}@proxy.internal:3128
pip install --index-url https://{CREDENTIALS:pair}@packages.example.com/simple app
[remote "origin"]\n\turl = https://{CREDENTIALS:pair}@git.example.com/acme/app.git
//registry.example.com/:_authToken={API_KEY}
[pypi]\nusername = __token__\npassword = {API_KEY}
[default]\naws_access_key_id = {API_KEY:aws}\naws_secret_access_key = {SECRET:aws}\nregion = eu-west-1
{{"AccessKeyId": "{API_KEY:aws}", "SecretAccessKey": "{SECRET:aws}", "Expiration": "2026-03-12T10:12:44Z"}}
DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={SECRET:azure};EndpointSuffix=core.windows.net
Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={SECRET:sas}
{{"installed":{{"client_id":"acme","client_secret":"{SECRET:oauth}","redirect_uris":["http://localhost"]}}}}
grant_type=client_credentials&client_id=acme&client_secret={SECRET:oauth}
app.config['SECRET_KEY'] = '{SECRET:oauth}'
Rails.application.secrets.secret_key_base: {SECRET:hex}
openai.api_key = "{API_KEY:openai}"
client = Anthropic(api_key="{API_KEY:anthropic}")
Incorrect API key provided: {API_KEY:openai}. You can find your API key in the settings.
git push https://oauth2:{API_KEY:github}@git.example.com/acme/app.git
Authorization: Bearer {API_KEY:github}
authorization: Bearer {JWT}
Cookie: theme=dark; access_token={JWT}; lang=en
https://app.example.com/callback?id_token={JWT}&state=af0ifjsldkj
docker login -u acme -p {API_KEY:docker} registry.example.com
gh auth login --with-token <<< {API_KEY:github}
      - run: deploy --token {API_KEY}
Passport No. {PASSPORT} / DOB {DATE_OF_BIRTH} / Nationality UTOPIAN
Name: A. Lee, born {DATE_OF_BIRTH}, SSN {SSN}, phone {PHONE}.
W-2  a Employee's SSN {SSN}  b Employer identification number (EIN) {EIN}  1 Wages 48213.00
Direct deposit: routing {ABA_ROUTING}, account {BANK_ACCOUNT}, amount $1,250.00
Please pay into account {BANK_ACCOUNT} (sort code {SORT_CODE})
Vehicle: 2019 hatchback, VIN {VIN}, mileage 48213
Device IMEI {IMEI}, model XS-1200, firmware 4.1.2
""".strip().split("\n")


ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}


def _formed(rng, kind, form):
    make = {
        "iso": lambda: fin_date(rng),
        "e164": lambda: re.sub(r"[^+0-9]", "", forms.phone(rng).replace("(0)", "")),
        "v4": lambda: fin.ipv4(rng),
        "v6": lambda: fin.ipv6(rng),
        "colon": lambda: ":".join(re.findall("..", fin.mac(rng))),
        "plain": lambda: {"IBAN": fin.iban, "CREDIT_CARD": lambda r: fin.card(r)[0]}.get(
            kind, keys.plain_password
        )(rng),
        "grouped": lambda: " ".join(re.findall(".{1,4}", fin.iban(rng))),
        "btc": lambda: rng.choice(fin.WALLETS[3:9])(rng),
        "eth": lambda: fin.ethereum(rng),
        "pair": lambda: f"{rng.choice(['ann', 'deploy', 'svc-ci', 'admin'])}:{keys.plain_password(rng)}",
        "secret": lambda: keys.plain_password(rng),
        "aws": lambda: keys.fill(rng, keys.FAMILIES["aws-access"] if kind == "API_KEY" else "<b40>"),
        "azure": lambda: keys.fill(rng, "<b86>=="),
        "sas": lambda: keys.fill(rng, "<b43>="),
        "oauth": lambda: chars(rng, ALNUM, rng.choice([24, 32, 40])),
        "hex": lambda: chars(rng, HEX, 128),
        "openai": lambda: keys.fill(rng, keys.FAMILIES["openai-project"]),
        "anthropic": lambda: keys.fill(rng, keys.FAMILIES["anthropic"]),
        "github": lambda: keys.api_key(rng, list(keys.FAMILIES).index("github-pat"))[1],
        "docker": lambda: keys.fill(rng, keys.FAMILIES["docker"]),
    }
    return make[form]()


def fin_date(rng):
    return f"{rng.randint(1940, 2005)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def placed(rng, place):
    template = PLACES[place % len(PLACES)]
    for escape, char in ESCAPES.items():
        template = template.replace(escape, char)
    out = []
    for part in re.split(r"(\{[A-Z_]+(?::[a-z0-9]+)?\})", template):
        if re.fullmatch(r"\{[A-Z_]+(?::[a-z0-9]+)?\}", part):
            kind, _, form = part[1:-1].partition(":")
            out.append(Gold(kind, _formed(rng, kind, form) if form else sample(rng, kind)))
        else:
            out.append(part.replace("{{", "{").replace("}}", "}"))
    return out
