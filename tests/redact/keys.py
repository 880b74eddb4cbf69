"""Secrets in the formats that their vendors document: keys with prefixes, tokens, PEM, passwords.

The formats are facts collected by the gitleaks project's rules (prefix, alphabet, length) and by
the vendors' own pages; the values are random. Prefixes are written with a `|` that is taken out,
so that scanners for leaked secrets read nothing here.
"""

import base64
import json
import re
import zlib

from digits import ALNUM, HEX, LOWER, UPPER, chars, digits

CLASSES = {
    "x": ALNUM,
    "h": HEX,
    "l": LOWER + "0123456789",
    "U": UPPER + "0123456789",
    "a": UPPER + LOWER,
    "d": "0123456789",
    "w": ALNUM + "_-",
    "b": ALNUM + "+/",
    "B": UPPER + "234567",
    "q": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}

BASE62 = "0123456789" + UPPER + LOWER


def _families(text):
    return {
        name: shape.replace("|", "")
        for name, shape in (line.split(" ", 1) for line in text.strip().split("\n"))
    }


# Family and shape. `<x36>` stands for 36 characters of class x.
FAMILIES = _families("""
openai-project sk-pr|oj-<w74>T3Blb|kFJ<w74>
openai-legacy s|k-<x20>T3Blb|kFJ<x20>
openai-service sk-sv|cacct-<w74>T3Blb|kFJ<w74>
openai-admin sk-ad|min-<w58>T3Blb|kFJ<w58>
anthropic sk-a|nt-api03-<w93>AA
anthropic-admin sk-a|nt-admin01-<w93>AA
anthropic-oauth sk-a|nt-oat01-<w93>AA
google AI|za<w35>
google-oauth-secret GOC|SPX-<w28>
google-access ya|29.<w120>
huggingface h|f_<a34>
groq gs|k_<x52>
xai xa|i-<x80>
perplexity pp|lx-<x48>
openrouter sk-o|r-v1-<h64>
replicate r|8_<x37>
langsmith ls|v2_pt_<h32>_<h10>
tavily tv|ly-<x32>
nvidia nv|api-<w64>
deepseek s|k-<h32>
aws-access AK|IA<B16>
aws-session AS|IA<B16>
bedrock AB|SK<b120>
alibaba LT|AI<l20>
github-pat gh|p_<x36>
github-oauth gh|o_<x36>
github-user gh|u_<x36>
github-server gh|s_<x36>
github-refresh gh|r_<x36>
github-fine github|_pat_<x22>_<x59>
gitlab-pat gl|pat-<w20>
gitlab-deploy gl|dt-<w20>
gitlab-runner gl|rt-<w20>
gitlab-trigger gl|ptt-<h40>
gitlab-feed gl|ft-<w20>
slack-bot xo|xb-<d12>-<d13>-<x24>
slack-user xo|xp-<d12>-<d12>-<d13>-<h32>
slack-app xa|pp-1-A<U10>-<d13>-<h64>
slack-legacy xo|xa-2-<x40>
stripe-live sk_|live_<x24>
stripe-live-long sk_|live_51<x97>
stripe-test sk_|test_<x24>
stripe-restricted rk_|live_<x24>
square sq0|atp-<w22>
square-new EA|AA<w60>
shopify-access shp|at_<h32>
shopify-secret shp|ss_<h32>
shopify-private shp|pa_<h32>
twilio S|K<h32>
sendgrid S|G.<w22>.<w43>
mailgun ke|y-<h32>
mailchimp <h32>-u|s12
brevo xke|ysib-<h64>-<x16>
postmark-npm np|m_<x36>
pypi pyp|i-AgEIcHlwaS5vcmc<w80>
rubygems rubyge|ms_<h48>
clojars CLOJ|ARS_<l60>
nuget oy|2<l43>
docker dc|kr_pat_<w27>
digitalocean do|p_v1_<h64>
digitalocean-oauth do|o_v1_<h64>
heroku HRK|U-AA<w58>
flyio fo|1_<w43>
planetscale psca|le_tkn_<w43>
planetscale-password psca|le_pw_<w43>
databricks da|pi<h32>
doppler dp|.pt.<x43>
vault hv|s.<w92>
vault-batch hv|b.<w140>
terraform <x14>.atl|asv1.<w67>
pulumi pu|l-<h40>
grafana-service gl|sa_<x32>_<h8>
grafana-cloud gl|c_<b60>
sentry-user sntr|yu_<h64>
newrelic NR|AK-<U27>
newrelic-insert NR|II-<w32>
dynatrace dt0|c01.<B24>.<B64>
linear lin_|api_<x40>
notion nt|n_<d11><x35>
notion-old secr|et_<x43>
airtable pa|t<x14>.<h64>
asana-typeform tf|p_<w40>
postman PM|AK-<h24>-<h34>
atlassian ATA|TT3xFfGF0<w180>
figma fi|gd_<w40>
dropbox sl|.<w135>
discord <a1><x23>.<w6>.<w27>
telegram <d10>:AA<w33>
facebook EA|AM<x120>
mapbox s|k.eyJ1Ijoi<x60>.<w22>
easypost EZ|AK<x54>
shippo shipp|o_live_<h40>
duffel duff|el_live_<w43>
flutterwave FLWS|ECK_TEST-<h32>-X
adobe p8|e-<l32>
age AGE-SECR|ET-KEY-1<q58>
onepassword A|3-<U6>-<U11>-<U5>-<U5>-<U5>
prefect pn|u_<x36>
readme rd|me_<l70>
infracost ic|o-<x32>
frameio fi|o-u-<w64>
launchpad-sonar sq|u_<h40>
sourcegraph sg|p_<h16>_<h40>
supabase sb|p_<h40>
clickhouse 4b|1d<x38>
octopus AP|I-<U26>
artifactory AK|Cp<x69>
azure-ad <x3>8|Q~<x34>
openshift sha2|56~<w43>
scalingo tk-|us-<w48>
netlify nf|p_<x36>
vercel-blob verc|el_blob_rw_<x16>_<x30>
resend r|e_<x8>_<x24>
posthog ph|x_<x43>
harness pa|t.<w22>.<x24>.<x20>
""")


def fill(rng, shape):
    """Ends in no `-` or `_`: real keys rarely do, and such an end is a matter of taste."""
    shape = shape.replace("|", "")
    text = re.sub(r"<([A-Za-z])(\d+)>", lambda m: chars(rng, CLASSES[m[1]], int(m[2])), shape)
    return text if text[-1] not in "-_" else text[:-1] + rng.choice("AQgw048")


def api_key(rng, place):
    """The key of a family; `place` counts through the families so that each is there."""
    names = list(FAMILIES)
    name = names[place % len(names)]
    key = fill(rng, FAMILIES[name])
    if re.match(r"(gh[pousr]|npm)_", key):
        # GitHub's and npm's tokens end in the CRC-32 of the rest, in base 62.
        head, check, out = key[:-6], zlib.crc32(key[4:-6].encode()), ""
        for _ in range(6):
            check, rest = divmod(check, 62)
            out = (BASE62[rest]) + out
        key = head + out
    return name, key


def _url64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(rng):
    """RFC 7519 and 7515: a JSON header with alg, claims, a signature of the algorithm's length."""
    algorithm, size = rng.choice(
        [("HS256", 32), ("HS256", 32), ("RS256", 256), ("ES256", 64), ("HS512", 64), ("EdDSA", 64)]
    )
    header = {"alg": algorithm, "typ": "JWT"}
    if rng.random() < 0.4:
        header["kid"] = chars(rng, ALNUM, 12)
    if rng.random() < 0.2:
        header = dict(reversed(header.items()))
    claims = {"sub": digits(rng, 10), "iat": 1_700_000_000 + rng.randrange(90_000_000)}
    for claim, value in (
        ("iss", "https://login.example.net/"),
        ("scope", "read write"),
        ("aud", "api"),
        ("role", "admin"),
        ("name", "Ann Lee"),
    ):
        if rng.random() < 0.4:
            claims[claim] = value
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    return ".".join(map(_url64, [*parts, rng.randbytes(size)]))


ARMOURS = [
    "RSA PRIVATE KEY",
    "PRIVATE KEY",
    "EC PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "DSA PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
]


def private_key(rng):
    """RFC 7468 and its forerunners: armour around base64 in lines of 64 (OpenSSH: 70)."""
    armour = rng.choice(ARMOURS)
    width = 70 if armour.startswith("OPENSSH") else 64
    body = base64.b64encode(rng.randbytes(rng.choice([118, 230, 420]))).decode()
    head = (
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC," + chars(rng, HEX.upper(), 32) + "\n\n"
        if armour == "RSA PRIVATE KEY" and rng.random() < 0.3
        else ""
    )
    lines = "\n".join(body[i : i + width] for i in range(0, len(body), width))
    return f"-----BEGIN {armour}-----\n{head}{lines}\n-----END {armour}-----"


WORDS = (
    "Sunflower Dragon Winter Coffee Monkey Purple Ranger Falcon Rocket Marble Copper Silver "
    "Thunder Orchid Walnut Harbor"
).split()


def password(rng):
    """As people and generators make them; never a word that a placeholder could be."""
    form = rng.randrange(5)
    if form == 0:
        return rng.choice(WORDS) + str(rng.randint(1960, 2026)) + rng.choice("!@#$*?")
    if form == 1:
        return chars(rng, ALNUM + "!#%*+-_?", 16).strip("-_") + rng.choice("aZ7")
    if form == 2:
        return "-".join(rng.choice(WORDS).lower() for _ in range(4)) + str(rng.randint(2, 99))
    if form == 3:
        leet = str.maketrans("aeio", "@310")
        return rng.choice(WORDS).translate(leet) + chars(rng, "0123456789", 3) + rng.choice("!$#")
    return chars(rng, ALNUM, 12)


def plain_password(rng):
    """A password that needs no quoting in a URL or a file."""
    return rng.choice(WORDS)[:5] + chars(rng, ALNUM, rng.choice([6, 9, 13]))


def credentials(rng):
    """RFC 3986 userinfo inside a URL or DSN: (before, user:password, after)."""
    user = rng.choice(["admin", "app", "postgres", "deploy", "svc_reports", "root", "reader", "ci-bot"])
    host = rng.choice(
        [
            "db.internal",
            "10.2.3.4",
            "cache-1.prod.example.com",
            "localhost",
            "mq.example.net",
            "cluster0.ab1cd.mongodb.net",
            "db",
        ]
    )
    scheme, tail = rng.choice(
        [
            ("postgresql", ":5432/app"),
            ("postgres", "/orders?sslmode=require"),
            ("mysql", ":3306/shop"),
            ("mongodb+srv", "/?retryWrites=true"),
            ("redis", ":6379/0"),
            ("rediss", ":6380"),
            ("amqp", ":5672/%2f"),
            ("https", "/repo.git"),
            ("ftp", "/pub"),
            ("smtp", ":587"),
            ("mysql+pymysql", "/crm?charset=utf8mb4"),
            ("http", ":8080/api"),
        ]
    )
    secret = plain_password(rng)
    if rng.random() < 0.2:
        secret = secret[:4] + rng.choice(["%40", "%23", "!", "$"]) + secret[4:]
    return f"{scheme}://", f"{user}:{secret}", f"@{host}{tail}"


def basic(rng):
    return base64.b64encode(f"{rng.choice(['admin', 'api', 'ann.lee'])}:{password(rng)}".encode()).decode()


def bearer(rng):
    """RFC 6750: opaque, of no vendor's form."""
    alphabet, size = rng.choice([(ALNUM + "-_", 42), (HEX, 40), (ALNUM, 32)])
    return chars(rng, alphabet, size) + ("x" if alphabet != HEX else "")


def uuid(rng):
    raw = chars(rng, HEX, 32)
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-{rng.choice('89ab')}{raw[17:20]}-{raw[20:]}"


WEBHOOKS = [
    lambda r: fill(r, "https://hooks.sl|ack.com/services/T<U10>/B<U10>/<x24>"),
    lambda r: fill(r, "https://dis|cord.com/api/webhooks/<d19>/<w68>"),
    lambda r: fill(r, "https://dis|cordapp.com/api/webhooks/<d18>/<w68>"),
    lambda r: (
        f"https://contoso.webhook.off|ice.com/webhookb2/{uuid(r)}@{uuid(r)}/IncomingWebhook/"
        f"{chars(r, HEX, 32)}/{uuid(r)}"
    ),
    lambda r: fill(r, "https://hooks.za|pier.com/hooks/catch/<d7>/<l7>"),
    lambda r: fill(r, "https://chat.google|apis.com/v1/spaces/<x11>/messages?key=AI|za<w35>&token=<w43>"),
    lambda r: fill(r, "https://hooks.sl|ack.com/workflows/T<U10>/A<U10>/<d18>/<x24>"),
    lambda r: fill(r, "https://api.tele|gram.org/bot<d10>:AA<w33>/sendMessage"),
]


def webhook(rng):
    return rng.choice(WEBHOOKS[:7])(rng).replace("|", "")


# Secrets without a prefix: the key beside them says what they are.
SECRETS = {
    "aws": (["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "SecretAccessKey"], "<b40>"),
    "azure-storage": (["AccountKey", "AZURE_STORAGE_KEY"], "<b86>=="),
    "oauth": (["client_secret", "CLIENT_SECRET", "clientSecret", "OAUTH_CLIENT_SECRET"], "<x32>"),
    "django": (["SECRET_KEY", "secret_key"], "<x50>"),
    "jwt-secret": (["JWT_SECRET", "jwt_secret", "jwtSecret"], "<h64>"),
    "api": (["api_key", "API_KEY", "apiKey", "x-api-key"], "<h32>"),
    "datadog": (["DD_API_KEY", "datadog_api_key"], "<h32>"),
    "signing": (["signing_secret", "SLACK_SIGNING_SECRET", "webhook_secret"], "<h32>"),
    "token": (["access_token", "auth_token", "AUTH_TOKEN", "refresh_token"], "<x40>"),
    "encryption": (["ENCRYPTION_KEY", "encryption_key", "MASTER_KEY"], "<b43>="),
    "sas": (["SharedAccessKey"], "<b43>="),
    "twilio": (["TWILIO_AUTH_TOKEN", "twilio_auth_token"], "<h32>"),
    "cloudflare": (["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"], "<w40>"),
    "consumer": (["consumer_secret", "TWITTER_CONSUMER_SECRET", "app_secret"], "<x50>"),
    # Vendors whose keys have no prefix: gitleaks knows them by the name beside them.
    "algolia": (["ALGOLIA_API_KEY", "algolia_admin_key"], "<l32>"),
    "heroku": (["HEROKU_API_KEY", "heroku_api_token"], "<h8>-<h4>-4<h3>-a<h3>-<h12>"),
    "snyk": (["SNYK_TOKEN", "snyk_api_key"], "<h8>-<h4>-4<h3>-b<h3>-<h12>"),
    "fastly": (["FASTLY_API_TOKEN", "fastly_key"], "<w32>"),
    "okta": (["OKTA_API_TOKEN", "okta_token"], "00<w40>"),
    "mattermost": (["MATTERMOST_TOKEN", "mattermost_access_token"], "<l26>"),
    "twitch": (["TWITCH_CLIENT_SECRET", "twitch_token"], "<l30>"),
    "zendesk": (["ZENDESK_API_TOKEN", "zendesk_secret"], "<l40>"),
    "contentful": (["CONTENTFUL_DELIVERY_TOKEN", "contentful_access_token"], "<w43>"),
    "kraken": (["KRAKEN_PRIVATE_KEY", "kraken_api_secret"], "<b86>=="),
    "coinbase": (["COINBASE_API_SECRET", "coinbase_access_token"], "<l64>"),
    "facebook": (["FACEBOOK_APP_SECRET", "fb_app_secret"], "<h32>"),
    "finnhub": (["FINNHUB_API_KEY", "finnhub_token"], "<l20>"),
    "rapidapi": (["RAPIDAPI_KEY", "x-rapidapi-key"], "<l50>"),
    "plaid": (["PLAID_SECRET", "plaid_secret_key"], "<h30>"),
    "cohere": (["COHERE_API_KEY", "CO_API_KEY"], "<x40>"),
    "mistral": (["MISTRAL_API_KEY"], "<x32>"),
    "travis": (["TRAVIS_TOKEN", "travis_api_token"], "<l22>"),
    "sumologic": (["SUMO_ACCESS_KEY", "sumologic_access_token"], "<l64>"),
    "launchdarkly": (["LAUNCHDARKLY_ACCESS_TOKEN"], "<w40>"),
    "dropbox": (["DROPBOX_APP_SECRET", "dropbox_secret"], "<l15>"),
    "pagerduty": (["PAGERDUTY_TOKEN", "pagerduty_api_key"], "<w20>"),
    "session": (["SESSION_SECRET", "COOKIE_SECRET", "APP_KEY"], "<x40>"),
    "hmac": (["hmac_key", "WEBHOOK_SIGNING_KEY", "signingKey"], "<h64>"),
}


def secret(rng):
    """(name of the key, value)."""
    names, shape = SECRETS[rng.choice(list(SECRETS))]
    return rng.choice(names), fill(rng, shape)
