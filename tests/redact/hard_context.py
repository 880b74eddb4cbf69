"""Texts without anything personal or secret, fourth part: the words that usually announce a value,
beside numbers that are none; and whole documents of machine text."""

import hard_code
import hard_config
import hard_files
import hard_ids
import hard_logs
import hard_numbers
from digits import digits
from hard_ids import epoch, words


def context_traps(rng):
    d = lambda n: digits(rng, n, "123456789")
    day = f"2026-0{rng.randint(1, 9)}-{rng.randint(10, 28)}"
    return rng.choice(
        [
            lambda: f"The phone shipped on {day}, order {d(8)}, {rng.randint(2, 9)} boxes.",
            lambda: f"Passport renewals take {rng.randint(4, 12)} weeks; {d(6)} were issued in 2025.",
            lambda: f"The dob column was added in migration {day.replace('-', '')}{digits(rng, 6)}.",
            lambda: f"Bank holiday on {day}; your account manager calls at 10:{rng.randint(10, 59)}.",
            lambda: f"sin({rng.randint(1, 90)}) = 0.{digits(rng, 9)}, cos = 0.{digits(rng, 9)}",
            lambda: f"Ein Kunde hat {d(6)} Punkte gesammelt, ein anderer {d(5)}.",
            lambda: f"pan = {rng.randint(-90, 90)}, tilt = {rng.randint(-90, 90)}, zoom = {d(4)}",
            lambda: f"NIR camera at {rng.randint(700, 999)} nm took {d(5)} frames of {d(4)} px.",
            lambda: f"DEA agents seized {d(6)} pills in {rng.randint(2010, 2025)}.",
            lambda: (
                f"macOS {rng.randint(11, 15)}.{rng.randint(0, 6)}.{rng.randint(0, 5)} build 2{digits(rng, 1)}G{digits(rng, 3)}; MAC layer retries {d(3)}"
            ),
            lambda: f"CPR training on {day}: {rng.randint(20, 40)} compressions, {d(3)} people.",
            lambda: f"Vin rouge {rng.randint(2009, 2023)}, {d(4)} bouteilles, lot {d(5)}.",
            lambda: f"Accounts payable: {d(5)} open items, total {d(3)},{digits(rng, 3)}.{digits(rng, 2)}.",
            lambda: f"Password rotated {rng.randint(2, 90)} days ago by job {d(7)}.",
            lambda: f"The secret manager answered in {d(3)} ms (request {d(8)}).",
            lambda: f"token count: {d(5)}, tokens left: {d(6)}, token limit 128000",
            lambda: f"tokens: {d(4)}, cached_tokens: {d(4)}, reasoning_tokens: {d(3)}",
            lambda: f"max_tokens={d(4)} top_p=0.{digits(rng, 2)} seed={d(9)}",
            lambda: f"IBAN check failed for {d(3)} of {d(5)} rows at offset {d(9)}.",
            lambda: f"SSN validation: {d(4)} rows checked, {d(2)} rejected, took {d(5)} ms",
            lambda: f"card layout {d(3)}x{d(3)}, card_count={d(3)}",
            lambda: f"email queue length {d(5)}, message size {d(7)} bytes",
            lambda: f"routing table has {d(6)} entries; routing took {d(4)} us",
            lambda: f"key: {rng.choice(hard_ids.WORDS)}_{rng.choice(hard_ids.WORDS)}, value: {d(6)}",
            lambda: f"primary key {d(9)} violates unique constraint",
            lambda: f"Keyboard shortcut key {rng.choice('FGH')}{rng.randint(1, 12)}, keycode {d(3)}",
            lambda: f'"accessKey": "s", "tabIndex": {d(2)}, "keyCode": {d(3)}',
            lambda: (
                f"license: MIT, licence year {rng.randint(2012, 2026)}, driver {rng.randint(400, 570)}.{digits(rng, 2)}"
            ),
            lambda: f"driver license check passed for {d(4)} packages (Apache-2.0: {d(3)})",
            lambda: f"medicare spending rose to {d(3)}.{digits(rng, 1)} billion in {rng.randint(2015, 2025)}",
            lambda: f"The NHS treated {d(3)},{digits(rng, 3)},{digits(rng, 3)} patients.",
            lambda: (
                f"birth rate per 1,000: {rng.randint(8, 20)}.{digits(rng, 1)} ({rng.randint(1990, 2024)})"
            ),
            lambda: f"Founded {day}, born out of a merger of {rng.randint(2, 9)} firms.",
            lambda: f"call duration {d(3)} s, call id {d(10)}",
            lambda: f"tel aviv {d(4)} km; mobile traffic {d(6)} requests",
            lambda: f"account_id={d(6)} shard={d(2)} balance={d(5)}.{digits(rng, 2)}",
            lambda: (
                f"swift build finished in {d(3)} s; Swift 6.{rng.randint(0, 2)} COMPILED WITHOUT WARNINGS"
            ),
            lambda: (
                f"secret: {rng.choice(['true', 'false', 'none', 'enabled'])}, password: {rng.choice(['required', 'optional', 'true'])}"
            ),
            lambda: f"auth: bearer tokens are kept {rng.randint(5, 60)} minutes; basic auth is off",
            lambda: (
                f"Authorization: {rng.choice(['required', 'none', 'Bearer <token>', 'Basic <credentials>'])}"
            ),
            lambda: f"wallet share {rng.randint(1, 99)} %, {d(6)} wallets active",
            lambda: f"VIN decoder v{rng.randint(1, 9)}.{rng.randint(0, 9)} handles {d(6)} requests",
            lambda: f"imei lookup took {d(4)} ms for {d(5)} devices",
            lambda: f"tax year {rng.randint(2015, 2026)}, tax rate {rng.randint(5, 30)} %, tax form {d(4)}",
            lambda: f"身份证件办理需要{d(2)}个工作日，电话咨询量{d(5)}次。",
            lambda: f"パスワードの変更は{d(2)}日ごとに必要です（{d(3)}件）。",
            lambda: (
                f"Das Passwort muss {rng.randint(8, 20)} Zeichen haben, das Konto wird nach {d(2)} Tagen gesperrt."
            ),
            lambda: f"Le mot de passe expire dans {d(2)} jours ; {d(5)} comptes sont concernés.",
            lambda: f"El número de teléfono debe tener {rng.randint(7, 15)} dígitos, pedido {d(8)}.",
            lambda: (
                f"passport.js {rng.randint(0, 2)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}, strategy count {d(2)}"
            ),
        ]
    )()


MACHINE = [
    hard_ids.tool_call,
    hard_ids.llm_ids,
    hard_ids.uuids,
    hard_ids.sortable_ids,
    hard_ids.git,
    hard_files.cargo_lock,
    hard_files.checksums,
    hard_files.docker,
    hard_files.hex_dump,
    hard_ids.cloud_ids,
    hard_code.source_code,
    hard_code.minified,
    hard_config.kubernetes,
    hard_config.notebook,
    hard_code.password_code,
    hard_logs.log_lines,
    hard_logs.stack_trace,
    hard_numbers.csv_export,
    hard_logs.metrics,
    hard_logs.timestamps,
    hard_logs.versions,
    hard_numbers.prose,
    hard_numbers.product_codes,
]


def documents(rng):
    """What an agent sends: a tool's output, a file, a log, one after the other."""
    parts = [rng.choice(MACHINE)(rng) for _ in range(rng.randint(4, 9))]
    return f"# run {epoch(rng)}: {words(rng, 3)}\n\n" + rng.choice(["\n\n", "\n---\n", "\n```\n", "\n"]).join(
        parts
    )


GROUPS = {"context-traps": (context_traps, 240), "documents": (documents, 200)}
