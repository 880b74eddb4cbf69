"""Texts without anything personal or secret, third part: logs, traces, numbers, addresses of machines."""

import json

from digits import ALNUM, HEX, UPPER, chars, digits, luhn
from hard_ids import WORDS, words


def order_numbers(rng):
    word = rng.choice(
        [
            "Order",
            "Invoice",
            "Ticket",
            "Case",
            "RMA",
            "PO",
            "Booking",
            "Reference",
            "Tracking number",
            "Shipment",
            "Bestellung",
            "Commande",
            "订单号",
            "注文番号",
            "Rechnungsnummer",
            "Job",
            "Batch",
            "Lot",
        ]
    )
    value = rng.choice(
        [
            digits(rng, rng.randint(6, 14), "123456789"),
            f"{digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}",
            f"INV-2026-{digits(rng, 5)}",
            f"#{digits(rng, 7)}",
            f"1Z{chars(rng, UPPER + '0123456789', 16)}",
            f"{chars(rng, UPPER, 2)}{digits(rng, 9)}{chars(rng, UPPER, 2)}",
            f"JD{digits(rng, 18)}",
            f"{digits(rng, 4)} {digits(rng, 4)} {digits(rng, 4)}",
            f"SO{digits(rng, 8)}",
            f"{chars(rng, UPPER, 3)}-{digits(rng, 4)}",
            digits(rng, 22, "9"),
        ]
    )
    return rng.choice(
        [
            f"{word} {value} has shipped.",
            f"{word}: {value}",
            f"Where is my {word.lower()} {value}? It was due on Monday.",
            json.dumps(
                {"order_number": value, "items": rng.randint(1, 9), "total": f"{rng.randint(5, 900)}.99"}
            ),
            f"{word} {value} ({rng.randint(1, 9)} items, 49.90 EUR)",
            f"order_id,total\n{value},{rng.randint(5, 999)}.00\n",
        ]
    )


def csv_export(rng):
    rows = [
        rng.choice(
            [
                "order_no;sku;qty;price;vat",
                "id,product,quantity,unit_price,total",
                "invoice,customer_no,net,gross,date",
            ]
        )
    ]
    sep = ";" if ";" in rows[0] else ","
    for _ in range(rng.randint(3, 7)):
        rows.append(
            sep.join(
                [
                    digits(rng, rng.choice([6, 8, 10, 12]), "123456789"),
                    f"{chars(rng, UPPER, 3)}-{digits(rng, 4)}",
                    str(rng.randint(1, 999)),
                    f"{rng.randint(1, 9999)}.{digits(rng, 2)}",
                    f"{rng.randint(1, 99999)}.{digits(rng, 2)}",
                ]
            )
        )
    return "\n".join(rows)


def product_codes(rng):
    def ean(size):
        head = digits(rng, size - 1)
        return head + str(-sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(head))) % 10)

    isbn = "978" + digits(rng, 9)
    isbn += str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(isbn)) % 10)
    return rng.choice(
        [
            f"ISBN 978-{isbn[3]}-{isbn[4:7]}-{isbn[7:12]}-{isbn[12]}",
            f"ISBN: {isbn}",
            f"EAN {ean(13)}, UPC {ean(12)}",
            f"barcode={ean(13)}",
            f"GTIN-14: {ean(14)}",
            f"ISSN {digits(rng, 4)}-{digits(rng, 4)}",
            f"DOI 10.{digits(rng, 4, '123456789')}/{rng.choice(WORDS)}.{digits(rng, 4)}.{digits(rng, 6)}",
            f"part no. {digits(rng, 3, '123456789')}-{digits(rng, 4)}-{digits(rng, 2)}",
            f"P/N {chars(rng, UPPER, 2)}{digits(rng, 6)}-{digits(rng, 3)} rev {rng.choice('ABC')}",
            f"SKU {digits(rng, 4)}-{digits(rng, 3)}-{chars(rng, UPPER, 2)}",
            f"Product key: {'-'.join(chars(rng, UPPER.replace('O', '') + '23456789', 5) for _ in range(5))}",
            f"model {chars(rng, UPPER, 2)}-{digits(rng, 4)}{rng.choice('XLS')}",
            f"NSN {digits(rng, 4)}-{digits(rng, 2)}-{digits(rng, 3)}-{digits(rng, 4)}",
            f"CAS {digits(rng, 4, '123456789')}-{digits(rng, 2)}-{digits(rng, 1)}",
            f"article {digits(rng, 3)}.{digits(rng, 3)}.{digits(rng, 2)}",
            f"HS code {digits(rng, 4)}.{digits(rng, 2)}.{digits(rng, 2)}",
            f"serial SN{digits(rng, 10)}",
            f"arXiv:2{digits(rng, 3)}.{digits(rng, 5)}v{rng.randint(1, 4)}",
            f"US patent {rng.randint(5, 11)},{digits(rng, 3)},{digits(rng, 3)}",
        ]
    )


def phone_like(rng):
    d = lambda n: digits(rng, n)
    return rng.choice(
        [
            f"range {d(3)}-{d(3)}-{d(4)} of the sequence",
            f"pages {d(3)}-{d(4)}",
            f"{d(3)} {d(3)} {d(4)} rows affected",
            f"ext. {d(4)}",
            "seasons 2019-2020 and 2021-2022",
            f"score 3-2, 4-4, {d(1)}-{d(1)}",
            f"dimensions {d(3)} x {d(3)} x {d(3)} mm",
            f"+{d(2)}.{d(2)}% vs -{d(2)}.{d(2)}%",
            f"diff +{d(3)} -{d(3)}",
            f"{d(4)}-{d(4)}-{d(4)}",
            f"room 4-{d(3)}, floor {d(1)}",
            f"dial {d(3)} for the front desk",
            f"UTC+0{d(1)}:00",
            f"level {d(3)}.{d(3)}.{d(4)}",
            f"(+{d(3)} more)",
            f"+{d(8)} points",
            f"offset +0x{d(4)}",
            f"{d(2)} {d(2)} {d(2)} {d(2)} {d(2)}",
            f"lottery: {rng.randint(1, 49)}, {rng.randint(1, 49)}, {rng.randint(1, 49)}, {rng.randint(1, 49)}, {rng.randint(1, 49)}",
            f"build {d(3)}-{d(2)}-{d(4)} passed",
            f"part number {d(3)}-{d(2)}-{d(4)}",
            f"test case {d(3)}-{d(2)}-{d(3)}",
        ]
    )


def coordinates(rng):
    return rng.choice(
        [
            f"{rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f}",
            json.dumps(
                {
                    "lat": round(rng.uniform(-90, 90), 7),
                    "lng": round(rng.uniform(-180, 180), 7),
                    "alt": rng.randint(0, 900),
                }
            ),
            f"POLYGON(({', '.join(f'{rng.uniform(0, 90):.5f} {rng.uniform(0, 90):.5f}' for _ in range(4))}))",
            f"48°51'{rng.randint(10, 59)}.{digits(rng, 2)}\"N 2°17'{rng.randint(10, 59)}.{digits(rng, 2)}\"E",
            f"bbox={rng.uniform(-9, 9):.4f},{rng.uniform(40, 60):.4f},{rng.uniform(-9, 9):.4f},{rng.uniform(40, 60):.4f}",
            f'<trkpt lat="{rng.uniform(40, 60):.8f}" lon="{rng.uniform(-9, 9):.8f}"><ele>{rng.randint(1, 900)}.{digits(rng, 2)}</ele></trkpt>',
            f"M{rng.randint(1, 99)} EPSG:4326 x={digits(rng, 6)}.{digits(rng, 3)} y={digits(rng, 7)}.{digits(rng, 3)}",
        ]
    )


def mathematics(rng):
    return rng.choice(
        [
            f"pi to {rng.randint(20, 60)} places: 3.14159265358979323846264338327950288419716939937510"[
                : 40 + rng.randint(10, 50)
            ],
            f"e = 2.718281828459045235360287471352662497757 ({rng.randint(1, 99)})",
            f"{rng.randint(10**15, 10**16)} = {rng.randint(10**7, 10**8)} x {rng.randint(10**7, 10**8)}",
            f"fib({rng.randint(50, 90)}) = {rng.randint(10**12, 10**18)}",
            f"2^{rng.randint(40, 63)} = {2 ** rng.randint(40, 63)}",
            f"sum over {rng.randint(10, 99)} terms = {rng.uniform(1, 9):.16f}",
            f"p-value {rng.uniform(0, 1):.9f}, n = {rng.randint(10**8, 10**10)}",
            f"RSA modulus n = {digits(rng, 60, '123456789')}",
            f"{digits(rng, 12)} mod {digits(rng, 5)} = {digits(rng, 4)}",
            f"mean={rng.uniform(0, 999):.12f} std={rng.uniform(0, 99):.12f}",
            f"{rng.randint(1, 9)}.{digits(rng, 15)}e+{rng.randint(10, 300)}",
        ]
    )


def financial(rng):
    m = lambda: f"{rng.randint(1, 999)},{digits(rng, 3)}.{digits(rng, 2)}"
    return rng.choice(
        [
            "\n".join(
                f"| {name} | {m()} | ({m()}) | {rng.uniform(-20, 20):.1f}% |"
                for name in ("Revenue", "Cost", "Net")
            ),
            f"AAPL {rng.randint(100, 300)}.{digits(rng, 2)} {rng.choice('+-')}{rng.uniform(0, 5):.2f}% vol {rng.randint(10**6, 10**8)}",
            f"Total: EUR {m()} (VAT 19 %: {m()})",
            f"EUR/USD 1.{digits(rng, 4)} 1.{digits(rng, 4)} 1.{digits(rng, 4)}",
            f"Bilanz 2025: {rng.randint(1, 999)}.{digits(rng, 3)}.{digits(rng, 3)},{digits(rng, 2)} €",
            f"Budget {rng.randint(10**6, 10**9)} units, spent {rng.randint(10**5, 10**8)}",
            f"ISIN {rng.choice(['US', 'DE', 'FR'])}{digits(rng, 10)}, WKN {chars(rng, UPPER + '0123456789', 6)}",
            f"¥{rng.randint(1, 999)},{digits(rng, 3)},{digits(rng, 3)} / ₹{rng.randint(1, 99)},{digits(rng, 2)},{digits(rng, 3)}",
            f"GL {digits(rng, 4)}-{digits(rng, 3)} debit {m()} credit {m()}",
            f"date,open,high,low,close,volume\n2026-03-0{rng.randint(1, 9)},{rng.randint(100, 200)}.{digits(rng, 2)},{rng.randint(100, 200)}.{digits(rng, 2)},{rng.randint(100, 200)}.{digits(rng, 2)},{rng.randint(100, 200)}.{digits(rng, 2)},{rng.randint(10**6, 10**9)}",
        ]
    )


def sports_and_games(rng):
    return rng.choice(
        [
            f"1.e4 e5 2.Nf3 Nc6 3.Bb5 a6 {rng.randint(4, 20)}.Ba4 Nf6 O-O {rng.choice(['1-0', '0-1', '1/2-1/2'])}",
            f"r1bqkbnr/pppp1ppp/2n5/4p3/4P3/5N2/PPPP1PPP/RNBQKB1R w KQkq - {rng.randint(0, 9)} {rng.randint(1, 40)}",
            f"Set scores 6-4 3-6 7-6({rng.randint(1, 9)}), aces {rng.randint(1, 30)}",
            f"Lakers {rng.randint(80, 140)}, Celtics {rng.randint(80, 140)} (OT)",
            f"100 m: 9.{digits(rng, 2)} s, 200 m: 19.{digits(rng, 2)} s, marathon 2:0{rng.randint(1, 9)}:{rng.randint(10, 59)}",
            f"seed {digits(rng, 19)} biome plains x={rng.randint(-9999, 9999)} z={rng.randint(-9999, 9999)}",
            f"sudoku: {digits(rng, 9)}\n{digits(rng, 9)}\n{digits(rng, 9)}",
            f"dice 3d6+{rng.randint(1, 9)} -> {rng.randint(3, 27)}",
            f"ELO {rng.randint(1000, 2800)} +{rng.randint(1, 30)} after game {rng.randint(10**8, 10**10)}",
        ]
    )


def near_miss(rng):
    """Shapes of identifiers whose checksum or range is wrong, with no word that asks for them."""
    wrong = lambda head: head + str((int(luhn(head)) + rng.randint(1, 9)) % 10)
    four = lambda v: " ".join(v[i : i + 4] for i in range(0, len(v), 4))
    return rng.choice(
        [
            lambda: f"sequence {wrong('4' + digits(rng, 14))} was generated",
            lambda: f"series {four(wrong('5' + digits(rng, 14, '12345')))} printed",
            lambda: f"code GB00{chars(rng, UPPER, 4)}{digits(rng, 14)}",
            lambda: f"DE{digits(rng, 2)} is a road, A{digits(rng, 2)} too",
            lambda: f"row 000-{digits(rng, 2)}-{digits(rng, 4)}",
            lambda: f"value 666-{digits(rng, 2)}-{digits(rng, 4)} of the table",
            lambda: f"word {chars(rng, '123456789ABCDEFGHJKLMNPQRSTUVWXYZ', 34)}",
            lambda: f"run of {digits(rng, 11, '123456789')} and {digits(rng, 9, '123456789')} items",
            lambda: f"{digits(rng, 10, '123456789')} files, {digits(rng, 12, '123456789')} bytes",
            lambda: (
                f"bytes={digits(rng, 10, '123456789')} inode={digits(rng, 9, '123456789')} size={digits(rng, 11, '123456789')}"
            ),
            lambda: f"eyJ{chars(rng, ALNUM, 20)}",
            lambda: f"sk-{rng.choice(WORDS)}-{rng.choice(WORDS)}-button",
            lambda: f'class="sk-circle{rng.randint(1, 12)} sk-child"',
            lambda: f"task-{digits(rng, 6)} risk-{digits(rng, 3)} disk-{chars(rng, HEX, 12)}",
            lambda: f"0x{chars(rng, HEX, 40)[: rng.choice([38, 39, 41])]}0g",
            lambda: f"pat{rng.choice(WORDS)}.md xai-{rng.choice(WORDS)} gsk_test",
            lambda: f"https://hooks.example.com/services/{chars(rng, UPPER, 4)}/list",
            lambda: f"http://example.com:80{digits(rng, 2)}/a@b/c?d=e",
            lambda: f"{rng.choice(WORDS)}@{rng.choice(WORDS)} {rng.choice(WORDS)}@2x",
            lambda: f"key_{rng.choice(WORDS)}_{rng.choice(WORDS)} = lookup({rng.randint(1, 99)})",
        ]
    )()


def prose(rng):
    """Ordinary sentences with numbers, in several languages."""
    n = lambda: rng.randint(2, 9999)
    return rng.choice(
        [
            f"The town has {n()} inhabitants and lies {n()} m above the sea.",
            f"In {rng.randint(1900, 2025)} the company moved to larger premises with {n()} employees.",
            f"Die Strecke ist {n()} km lang und hat {n()} Bahnhöfe.",
            f"Le musée compte {n()} œuvres réparties sur {rng.randint(2, 9)} étages.",
            f"El informe tiene {n()} páginas y {n()} tablas.",
            f"这座城市有{n()}万人口，面积{n()}平方公里。",
            f"この駅は一日に{n()}人が利用しています。",
            f"이 도서관에는 {n()}권의 책이 있습니다.",
            f"Bake at {rng.randint(150, 230)} degrees for {rng.randint(10, 90)} minutes, then add {n()} g of flour.",
            f"Chapter {rng.randint(1, 40)}: the ship carried {n()} tons and {n()} passengers.",
            f"Call number {rng.randint(100, 999)}.{n()} in the library stands on shelf {n()}.",
            f"Flight LH{n()} leaves gate B{rng.randint(1, 60)} at {rng.randint(5, 22)}:{rng.randint(10, 59)}.",
            f"Passport control is at gate {rng.randint(1, 60)}; have your passport ready.",
            f"My account was created in {rng.randint(2005, 2025)} and has {n()} followers.",
            f"The card game uses {rng.randint(32, 108)} cards and {rng.randint(2, 8)} players.",
            f"Her license to practise was renewed in {rng.randint(2005, 2025)}.",
        ]
    ) + rng.choice(["", " " + words(rng, 4).capitalize() + ".", f" ({n()})", f"\nSee page {n()}."])


GROUPS = {
    "order-numbers": (order_numbers, 130),
    "csv-exports": (csv_export, 100),
    "product-codes": (product_codes, 110),
    "phone-like": (phone_like, 100),
    "coordinates": (coordinates, 80),
    "mathematics": (mathematics, 80),
    "financial": (financial, 80),
    "sports-games": (sports_and_games, 60),
    "near-misses": (near_miss, 120),
    "prose": (prose, 120),
}
