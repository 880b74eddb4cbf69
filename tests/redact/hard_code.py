"""Texts without anything personal or secret, second part: code, configuration, placeholders.

Much of it is about passwords, keys and people, and holds none.
"""

from digits import HEX, LOWER, chars, digits
from hard_ids import WORDS, sha1

SECRET_NAMES = [
    "DB_PASSWORD",
    "API_KEY",
    "SECRET_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "OPENAI_API_KEY",
    "SMTP_PASSWORD",
    "JWT_SECRET",
    "CLIENT_SECRET",
    "STRIPE_KEY",
]


EMPTY = [
    "your-api-key-here",
    "<password>",
    "<your-token>",
    "YOUR_API_KEY",
    "xxxxxxxxxxxxxxxx",
    "****************",
    "REDACTED",
    "[REDACTED]",
    "${DB_PASSWORD}",
    "$DB_PASSWORD",
    "{{ secrets.token }}",
    "{{ .Values.db.password }}",
    "${{ secrets.GITHUB_TOKEN }}",
    "%(password)s",
    "...",
    "TODO",
    "null",
    "None",
    '""',
    "''",
    "<insert key>",
    "your_password",
    "sk-...",
    "sk-your-key",
    "ghp_" + "x" * 36,
    "AK" + "IA" + "X" * 16,
    "insert-your-key",
    "<API_KEY>",
    "!vault",
    "file:/run/secrets/db",
    "env:DB_PASSWORD",
    "ENC[AES256]",
    "op://vault/db/password",
]


def placeholder(rng):
    name, value = rng.choice(SECRET_NAMES), rng.choice(EMPTY)
    return rng.choice(
        [
            lambda: f"{name}={value}\n",
            lambda: f"{name.lower()}: {value}\n",
            lambda: f'"{name.lower()}": "{value}",'.replace('""""', '""'),
            lambda: f"export {name}={value}",
            lambda: f"Replace {value} with your own {name.lower().replace('_', ' ')}.",
            lambda: f"# .env.example\n{name}={value}\nPORT=3000\nLOG_LEVEL=debug\n",
            lambda: (
                f'curl https://api.example.com/v1/models -H "Authorization: Bearer {rng.choice(["$TOKEN", "${TOKEN}", "<token>", "YOUR_TOKEN", "$OPENAI_API_KEY", "{token}"])}"'
            ),
            lambda: (
                f"postgres://{rng.choice(['user:password', '<user>:<password>', '${USER}:${PASS}', '$DB_USER:$DB_PASSWORD', '{user}:{password}'])}@localhost:5432/app"
            ),
        ]
    )()


def password_code(rng):
    name = rng.choice(["password", "passwd", "secret", "token", "api_key", "credentials"])
    return rng.choice(
        [
            lambda: (
                f"def login(user: str, {name}: str) -> bool:\n    return check({name}, user.{name}_hash)\n"
            ),
            lambda: f'{name} = os.environ["{name.upper()}"]\n',
            lambda: f"const {name} = process.env.{name.upper()};\n",
            lambda: f'let {name} = std::env::var("{name.upper()}")?;\n',
            lambda: f"if (!{name} || {name}.length < 12) throw new Error('{name} too short');",
            lambda: f"{name}: str\n",
            lambda: (
                f"class Login(BaseModel):\n    username: str\n    {name}: SecretStr = Field(min_length=8)\n"
            ),
            lambda: f"self.{name} = {name}\n",
            lambda: f"{name} = getpass.getpass('Enter {name}: ')\n",
            lambda: f"pub struct Config {{\n    pub {name}: Option<String>,\n}}\n",
            lambda: f'cfg.{name.title()} = viper.GetString("{name}")\n',
            lambda: f"SELECT id, {name}_hash FROM users WHERE id = $1;",
            lambda: f"ALTER TABLE users ADD COLUMN {name} VARCHAR(255) NOT NULL;",
            lambda: f"parser.add_argument('--{name}', help='the {name} to use', default=None)",
            lambda: f"request.headers['Authorization'] = f'Bearer {{{name}}}'",
            lambda: f"{name}Input.value = '';\n{name}Input.focus();",
            lambda: f"return bcrypt.compare({name}, user.{name}Hash)",
            lambda: f'log.debug("{name} for %s was rotated", user)',
            lambda: f"{name} = secrets.token_urlsafe(32)\n",
            lambda: f"assert {name} is not None, '{name} missing'",
            lambda: f"{name}={{props.{name}}} on{name.title()}Change={{set{name.title()}}}",
            lambda: f"type: {name}\nrequired: true\nminLength: 8\n",
            lambda: f"{name} = config.get('db', '{name}')\n",
            lambda: f"auth = (username, {name})\nresponse = requests.get(url, auth=auth)\n",
            lambda: f"fn {name}(&self) -> &str {{ &self.{name} }}",
            lambda: f"kubectl create secret generic db --from-literal={name}=$({name}_command)",
        ]
    )()


def password_talk(rng):
    return rng.choice(
        [
            "Please reset your password at the login page.",
            "I forgot my password and the reset link expired.",
            "The password must have at least 12 characters, one digit and one symbol.",
            "Passwort vergessen? Klicken Sie auf den Link unten.",
            "Votre mot de passe a été modifié avec succès.",
            "Password: required, string",
            "密码不能为空，请重新输入。",
            "パスワードを入力してください。",
            "Your API key was revoked; create a new one in settings.",
            "The secret is to knead the dough twice.",
            "Never share your PIN, SSN or passport number by e-mail.",
            "Enter your date of birth in the format YYYY-MM-DD.",
            "An IBAN has up to 34 characters.",
            "The token limit is 128000 tokens per request.",
            "password: must not be empty",
            "token: unexpected end of input",
            "Error: invalid password for user 'postgres'",
            "Session token expired, please sign in again.",
            "The private key stays on your device.",
            "What is your phone number?",
            "Your account number is on the back of the card.",
            "Contraseña incorrecta. Inténtelo de nuevo.",
            "secret santa is on Thursday",
            "The bearer of this letter is my cousin.",
        ]
    ) + rng.choice(
        [
            "",
            " ",
            f" (ticket {rng.randint(100, 9999)})",
            f" See section {rng.randint(1, 9)}.{rng.randint(1, 20)}.",
            f"\n\nStep {rng.randint(1, 9)} of 9",
            f" [{rng.randint(1, 99)}]",
        ]
    )


def form_labels(rng):
    names = rng.sample(
        [
            "First name",
            "Last name",
            "Email",
            "Password",
            "Phone number",
            "Date of birth",
            "SSN",
            "Passport number",
            "IBAN",
            "Credit card",
            "CVC",
            "National ID",
            "Account number",
            "Sort code",
        ],
        5,
    )
    return rng.choice(
        [
            lambda: "\n".join(
                f'<label>{name}</label><input type="text" name="{name.lower().replace(" ", "_")}" required>'
                for name in names
            ),
            lambda: "\n".join(f"{name}: ____________" for name in names),
            lambda: ",".join(name.lower().replace(" ", "_") for name in names) + "\n",
            lambda: "| " + " | ".join(names) + " |\n|" + "---|" * 5,
            lambda: (
                "{"
                + ", ".join(
                    f'"{name.lower().replace(" ", "_")}": {{"type": "string", "maxLength": {rng.randint(8, 255)}}}'
                    for name in names
                )
                + "}"
            ),
            lambda: "\n".join(f"{name.lower().replace(' ', '_')}:" for name in names),
            lambda: (
                "CREATE TABLE people (\n  "
                + ",\n  ".join(
                    f"{name.lower().replace(' ', '_')} VARCHAR({rng.randint(8, 255)})" for name in names
                )
                + "\n);"
            ),
            lambda: "\n".join(f"- [ ] {name} checked" for name in names),
        ]
    )()


def decorators(rng):
    host = rng.choice(
        [
            "git@github.com:acme/app.git",
            "root@web-01",
            "deploy@localhost",
            "git@gitlab.internal:team/repo.git",
        ]
    )
    return rng.choice(
        [
            "@app.route('/items/<int:id>')\ndef item(id): ...\n",
            '@pytest.fixture(scope="session")\ndef client(): ...\n',
            "@Override\npublic String toString() { return name; }",
            "@media (max-width: 768px) { .row-12 { display: none } }",
            "@import url('theme.css');",
            f"npm i react@18.{rng.randint(0, 9)}.0 @types/node@20 eslint@^8.{rng.randint(10, 60)}.0",
            f"ssh {host}",
            f"scp -r dist {host}:/srv/www",
            f"uses: actions/checkout@v{rng.randint(2, 5)}\n- uses: actions/setup-node@{sha1(rng)}",
            f"thanks @kim_{rng.randint(1, 99)} and @sam-dev for the review",
            "/** @param {string} name @returns {number} */",
            f"@{rng.choice(WORDS)}.setter\ndef {rng.choice(WORDS)}(self, value): ...",
            f"remote: git@github.com:acme/{rng.choice(WORDS)}.git",
            "a = b @ c  # matrix product\n",
            f"@angular/core@{rng.randint(12, 19)}.0.{rng.randint(0, 9)}",
            f"user@{rng.choice(['host', 'server', 'db'])}:~$ ls -la",
            f"v1.{rng.randint(0, 9)}@sha256 pinned",
            f"img@2x.png logo@3x.png row@{rng.randint(1, 99)}",
            f"pkg:npm/%40scope/name@{rng.randint(1, 9)}.0.0",
        ]
    )


def minified(rng):
    v = lambda: chars(rng, LOWER, 1)
    parts = [
        lambda: (
            f"function {v()}({v()},{v()}){{return {v()}>{rng.randint(1, 999)}?{v()}:{v()}<<{rng.randint(1, 31)}}}"
        ),
        lambda: f'var {v()}={rng.randint(1, 10**9)},{v()}=.{digits(rng, 5)},{v()}="{rng.choice(WORDS)}";',
        lambda: f"{v()}.push([{','.join(str(rng.randint(0, 65535)) for _ in range(6))}]);",
        lambda: f"!function({v()}){{{v()}.exports=n({rng.randint(100, 9999)})}}({v()});",
        lambda: (
            f".{v()}{v()}-{rng.randint(1, 99)}{{margin:0 {rng.randint(1, 40)}px;color:#{chars(rng, HEX, 6)};z-index:{rng.randint(1, 9999)}}}"
        ),
        lambda: (
            f"M{rng.randint(0, 99)}.{digits(rng, 3)} {rng.randint(0, 99)}.{digits(rng, 3)}c{digits(rng, 2)}-{digits(rng, 2)} {digits(rng, 3)}-{digits(rng, 2)}z"
        ),
        lambda: f'(0,{v()}.jsx)("div",{{className:"css-{chars(rng, LOWER + "0123456789", 7)}"}}),',
        lambda: f"e=>(t,n)=>{{let r=0x{chars(rng, HEX, 8)};return r^t}},",
    ]
    return "".join(rng.choice(parts)() for _ in range(rng.randint(6, 12)))


def source_code(rng):
    a, b, n = rng.choice(WORDS), rng.choice(WORDS), rng.randint(1, 9999)
    return rng.choice(
        [
            lambda: (
                f'pub fn {a}_{b}(limit: u64) -> Result<u64, Error> {{\n    let max = {n}_000_000;\n    for i in 0..limit {{ println!("{{i:>8}}"); }}\n    Ok(max)\n}}\n'
            ),
            lambda: (
                f"import {{ {a} }} from './{b}';\nexport const TIMEOUT = {n} * 1000;\nexport type {a.title()} = {{ id: number; {b}: string }};\n"
            ),
            lambda: (
                f'class {a.title()}({b.title()}):\n    """Keeps the last {n} of them."""\n    size = {n}\n    ratio = 0.{digits(rng, 6)}\n'
            ),
            lambda: (
                f"func (s *{a.title()}) {b.title()}(ctx context.Context) error {{\n\tdeadline := {n} * time.Millisecond\n\treturn nil\n}}\n"
            ),
            lambda: (
                f"std::vector<std::pair<int, {a}::{b}>> items(1u << {rng.randint(1, 20)}); // {n}\nauto x = std::chrono::system_clock::now();"
            ),
            lambda: (
                f"#define {a.upper()}_MAX {n}\nstatic const uint32_t table[] = {{{', '.join(str(rng.randint(10**8, 4 * 10**9)) for _ in range(6))}}};"
            ),
            lambda: (
                f"SELECT {a}, COUNT(*) FROM {b}s WHERE created_at >= '2026-01-{rng.randint(10, 28)}' GROUP BY 1 LIMIT {n};"
            ),
            lambda: f"const re = /^(?:\\d{{3}}-\\d{{2}}-\\d{{4}}|[A-Z]{{2}}\\d{{6}})$/; // {a}",
            lambda: f'EMAIL_RE = re.compile(r"[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{{2,}}")  # {n}',
            lambda: f"seed = 0x{chars(rng, HEX, 16)}\nprime = 1{digits(rng, 18)}\n",
            lambda: f'assert_eq!(hash(b"{a}"), 0x{chars(rng, HEX, 16)});\n',
            lambda: (
                f'<div class="row-{rng.randint(1, 12)}" id="{a}-{n}" data-v-{chars(rng, HEX, 8)}><a href="https://example.com/a?page={n}">{b}</a></div>'
            ),
            lambda: f"for (let i = 0; i < {n}; i++) {{ {a}[i] = {b}[i % {rng.randint(2, 99)}] ?? -{n}; }}",
            lambda: (
                f"public static final long serialVersionUID = {rng.choice(['', '-'])}{digits(rng, 19, '123456789')}L;"
            ),
            lambda: (
                f"GUID_{a.upper()} = {{0x{chars(rng, HEX, 8)}, 0x{chars(rng, HEX, 4)}, 0x{chars(rng, HEX, 4)}}}"
            ),
            lambda: f'[assembly: AssemblyVersion("{rng.randint(1, 12)}.{rng.randint(0, 9)}.0.0")]',
        ]
    )()


GROUPS = {
    "placeholders": (placeholder, 130),
    "password-code": (password_code, 130),
    "password-talk": (password_talk, 90),
    "form-labels": (form_labels, 80),
    "decorators-handles": (decorators, 110),
    "minified": (minified, 100),
    "source-code": (source_code, 120),
}
