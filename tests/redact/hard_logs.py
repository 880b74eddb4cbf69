"""Texts without anything personal or secret: logs, times, traces, versions, addresses of machines, metrics."""

import json

from digits import ALNUM, HEX, chars, digits
from hard_ids import WORDS, epoch, words


def stamp(rng):
    return f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"


def log_lines(rng):
    def line():
        ms, n = digits(rng, 3), rng.randint(1, 99999)
        return rng.choice(
            [
                f"{stamp(rng)}.{ms}Z INFO request id=req_{chars(rng, ALNUM, 24)} status=200 took={n}ms bytes={rng.randint(100, 10**7)}",
                f"{stamp(rng).replace('T', ' ')},{ms} DEBUG [pool-{rng.randint(1, 9)}-thread-{rng.randint(1, 40)}] c.a.Worker - offset={rng.randint(10**8, 10**11)} lag={n}",
                f"[{epoch(rng)}.{digits(rng, 6)}] usb {rng.randint(1, 9)}-{rng.randint(1, 9)}: new device number {rng.randint(1, 99)}",
                f"{epoch(rng)}{ms} {words(rng, 2)} {n}/{n * 2} ok",
                f"I0{rng.randint(1, 9)}{rng.randint(10, 28)} 10:22:{rng.randint(10, 59)}.{digits(rng, 6)} {rng.randint(1000, 99999)} main.go:{rng.randint(1, 999)}] {words(rng, 3)}",
                f"Mar {rng.randint(10, 28)} 10:{rng.randint(10, 59)}:07 host kernel: [{rng.randint(1, 99999)}.{digits(rng, 6)}] {words(rng, 3)}",
                f'127.0.0.1 - - [12/Mar/2026:10:12:{rng.randint(10, 59)} +0000] "GET /items/{n} HTTP/1.1" 200 {rng.randint(100, 99999)}',
                f"level=info ts={stamp(rng)}.{digits(rng, 9)}Z caller=a.go:{rng.randint(1, 900)} duration={n}.{digits(rng, 3)}µs traceID={chars(rng, HEX, 32)}",
                json.dumps(
                    {
                        "time": epoch(rng) * 1000 + int(ms),
                        "level": 30,
                        "pid": rng.randint(100, 99999),
                        "msg": words(rng, 3),
                    }
                ),
            ]
        )

    return "\n".join(line() for _ in range(rng.randint(1, 4)))


def timestamps(rng):
    value = rng.choice(
        [
            epoch(rng),
            epoch(rng) * 1000 + rng.randint(0, 999),
            epoch(rng) * 10**6 + rng.randint(0, 999999),
            epoch(rng) * 10**9 + rng.randint(0, 10**9 - 1),
        ]
    )
    return rng.choice(
        [
            lambda: f"timestamp: {value}",
            lambda: json.dumps(
                {"created_at": value, "updated_at": value + rng.randint(1, 9999), "ttl": 3600}
            ),
            lambda: f"t={value} dt={rng.randint(1, 999)}",
            lambda: f"{value},{value + 60},{value + 120}",
            lambda: f"?since={value}&until={value + 86400}",
            lambda: f"{stamp(rng)}.{digits(rng, 6)}+00:00",
            lambda: f"file-{stamp(rng).replace('-', '').replace(':', '')}Z.log",
            lambda: f"backup_{stamp(rng)[:10].replace('-', '')}_{digits(rng, 6)}.tar.gz",
            lambda: f"exp={value}, iat={value - 3600}, nbf={value}",
            lambda: f"Date: Tue, 03 Mar 2026 10:{rng.randint(10, 59)}:11 GMT\nAge: {rng.randint(1, 99999)}",
            lambda: f"int64({value})",
            lambda: f"Last modified {value}, expires in {rng.randint(1, 99999)} s",
        ]
    )()


def iso_dates(rng):
    day = stamp(rng)[:10]
    return rng.choice(
        [
            f"Released on {day}, supported until 2029-12-31.",
            f"{day}: {words(rng, 5)}",
            f"between {day} and 2026-12-31 (week {rng.randint(1, 52)})",
            f"due {rng.randint(1, 28)}.{rng.randint(1, 12):02}.2026",
            f"Meeting on {rng.randint(1, 12)}/{rng.randint(1, 28)}/2026 at {rng.randint(8, 17)}:30",
            f"[{day}] changelog: {words(rng, 4)}",
            f"Q{rng.randint(1, 4)} 2026 starts 2026-0{rng.randint(1, 9)}-01",
            f"Copyright 2019-2026. Printed {day}.",
            f"DTSTART:{day.replace('-', '')}T100000Z\nDTEND:{day.replace('-', '')}T113000Z",
            f"founded in {rng.randint(1800, 2020)}, since {rng.randint(1, 28)} March {rng.randint(1990, 2020)} listed",
        ]
    )


def stack_trace(rng):
    w, n = rng.choice(WORDS), lambda: rng.randint(1, 999)
    return rng.choice(
        [
            lambda: (
                f'Traceback (most recent call last):\n  File "/srv/app/{w}.py", line {n()}, in main\n    run({n()})\n  File "/usr/lib/python3.12/asyncio/runners.py", line {n()}, in run\nKeyError: \'{w}\''
            ),
            lambda: (
                f"java.lang.IllegalStateException: {w} closed\n\tat com.acme.{w}.Main$Inner.run(Main.java:{n()})\n\tat java.base/java.lang.Thread.run(Thread.java:{n()})\nCaused by: java.io.IOException: 0x{chars(rng, HEX, 8)}"
            ),
            lambda: (
                f"TypeError: Cannot read properties of undefined (reading '{w}')\n    at Object.<anonymous> (/app/dist/main.{chars(rng, HEX, 8)}.js:1:{rng.randint(1, 99999)})\n    at node:internal/modules/cjs/loader:{n()}:{n()}"
            ),
            lambda: (
                f"thread 'main' panicked at src/{w}.rs:{n()}:{rng.randint(1, 80)}:\nindex out of bounds: the len is {n()} but the index is {n()}\nstack backtrace:\n   0: 0x{chars(rng, HEX, 12)} - std::panicking::begin_panic_handler::h{chars(rng, HEX, 16)}"
            ),
            lambda: (
                f"panic: runtime error: invalid memory address\n[signal SIGSEGV code=0x1 addr=0x0 pc=0x{chars(rng, HEX, 6)}]\ngoroutine {n()} [running]:\nmain.{w}(0xc000{chars(rng, HEX, 6)}, 0x{chars(rng, HEX, 2)})\n\t/src/{w}.go:{n()} +0x{chars(rng, HEX, 3)}"
            ),
            lambda: (
                f"Unhandled exception at 0x{chars(rng, HEX, 16).upper()} in app.exe: 0xC0000005: Access violation reading location 0x{chars(rng, HEX, 16).upper()}."
            ),
            lambda: (
                f"==12{n()}==ERROR: AddressSanitizer: heap-use-after-free on address 0x60{chars(rng, HEX, 10)} at pc 0x{chars(rng, HEX, 12)}"
            ),
        ]
    )()


def versions(rng):
    v = lambda: f"{rng.randint(0, 30)}.{rng.randint(0, 40)}.{rng.randint(0, 99)}"
    return rng.choice(
        [
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{rng.randint(90, 140)}.0.{rng.randint(4000, 7000)}.{rng.randint(10, 250)} Safari/537.36",
            f"Microsoft Windows [Version 10.0.{rng.randint(19041, 26100)}.{rng.randint(100, 5000)}]",
            f"System.Runtime, Version={rng.randint(1, 9)}.{rng.randint(0, 9)}.0.0, Culture=neutral, PublicKeyToken={chars(rng, HEX, 16)}",
            f"version {v()}.{rng.randint(1, 250)} of the driver",
            f"driver v{v()}.{rng.randint(1, 250)} installed",
            f"upgraded from {v()} to {v()}",
            f"numpy>={v()},<3\npandas~={v()}\n",
            f'"react": "^{v()}", "vite": "~{v()}"',
            f"firmware {rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 99)} released",
            f"OID 1.3.6.1.4.1.{rng.randint(1, 60000)}.{rng.randint(1, 99)}.1",
            f"see section {rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)} of the manual",
            f"Chrome {rng.randint(90, 140)}.0.{rng.randint(10, 250)}.{rng.randint(10, 250)} build",
            f'openjdk version "21.0.{rng.randint(1, 9)}" 2026-01-20 LTS (build 21.0.{rng.randint(1, 9)}+{rng.randint(1, 20)})',
            f"<version>{v()}.RELEASE</version>",
            f"FileVersion: {v()}.{rng.randint(1, 255)}",
            f"app_{v()}.{rng.randint(1, 200)}_amd64.deb",
            f"kernel 6.{rng.randint(1, 14)}.{rng.randint(0, 30)}-{rng.randint(10, 99)}-generic #{rng.randint(1, 99)}",
        ]
    )


def private_addresses(rng):
    o = lambda: rng.randint(0, 255)
    return rng.choice(
        [
            f"listening on 0.0.0.0:{rng.randint(1000, 9999)} and [::]:{rng.randint(1000, 9999)}",
            f"host 10.{o()}.{o()}.{o()} is up",
            f"192.168.{o()}.{rng.randint(1, 254)} dev eth0",
            f"172.{rng.randint(16, 31)}.{o()}.{rng.randint(1, 254)}:5432",
            "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
            f"inet 10.{o()}.0.{rng.randint(1, 254)} netmask 255.255.255.0 broadcast 10.{o()}.0.255",
            f"example: 192.0.2.{rng.randint(1, 254)}, 198.51.100.{rng.randint(1, 254)}, 203.0.113.{rng.randint(1, 254)}",
            f"2001:db8:{chars(rng, HEX, 4)}::{chars(rng, HEX, 3)}/64",
            f"fe80::{chars(rng, '123456789abcdef', 4)}:{chars(rng, '123456789abcdef', 4)}%eth0",
            f'cidr_blocks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.{o()}.0/24"]',
            "subnet mask 255.255.240.0, wildcard 0.0.15.255",
            f"169.254.169.254 metadata ({rng.randint(1, 99)} calls)",
            f"multicast 239.{o()}.{o()}.{o()} ttl 4",
            "link/ether ff:ff:ff:ff:ff:ff brd ff:ff:ff:ff:ff:ff",
            "link/loopback 00:00:00:00:00:00",
            f"255.255.255.{rng.choice([0, 128, 192, 224, 240, 252])}",
            f"100.64.{o()}.{o()} carrier NAT",
            f"fd{chars(rng, HEX, 2)}:{chars(rng, HEX, 4)}:{chars(rng, HEX, 4)}::1/48",
            f"ratio 1:2:3:{rng.randint(1, 9)}:5 at 10:{rng.randint(10, 59)}:07",
        ]
    )


def metrics(rng):
    w = rng.choice(WORDS)
    return rng.choice(
        [
            f'# HELP {w}_seconds Time.\n# TYPE {w}_seconds histogram\n{w}_seconds_bucket{{le="0.{rng.randint(1, 9)}"}} {rng.randint(1, 10**9)}\n{w}_seconds_sum {rng.randint(1, 10**6)}.{digits(rng, 6)}\n',
            f'{w}_total{{instance="10.0.{rng.randint(0, 255)}.{rng.randint(1, 254)}:9100",job="node"}} {rng.randint(1, 10**12)} {epoch(rng)}{digits(rng, 3)}',
            f"{w}.count:{rng.randint(1, 999)}|c|@0.1",
            f"cpu,host=a usage={rng.uniform(0, 99):.9f} {epoch(rng)}{digits(rng, 9)}",
            f'[{epoch(rng)},"{rng.randint(1, 10**10)}"],[{epoch(rng)},"{rng.randint(1, 10**10)}"]',
            f"p50={rng.randint(1, 99)}ms p99={rng.randint(100, 999)}ms rps={rng.randint(1, 99999)}",
            f"MemTotal: {rng.randint(10**6, 10**8)} kB\nMemFree: {rng.randint(10**5, 10**7)} kB\nctxt {rng.randint(10**9, 10**11)}",
            f"cpu0 {' '.join(str(rng.randint(10, 10**8)) for _ in range(9))}",
        ]
    )


GROUPS = {
    "logs": (log_lines, 130),
    "timestamps": (timestamps, 130),
    "iso-dates": (iso_dates, 80),
    "stack-traces": (stack_trace, 90),
    "versions": (versions, 110),
    "private-addresses": (private_addresses, 110),
    "metrics": (metrics, 80),
}
