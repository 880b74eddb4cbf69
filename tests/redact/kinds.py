"""Every kind: how its values are made and written, what people call it, and where the rule is from.

A `Kind` says nothing of carriers: `carriers.py` puts values into texts.
"""

from dataclasses import dataclass, field
from typing import Callable

import america as am
import asia
import europe as eu
import finance as fin
import keys
from digits import digits, groups
from forms import (
    card,
    cut,
    dob,
    driving,
    email,
    iban,
    ip,
    local_phone,
    passport,
    phone,
    plain,
    spanish,
    swedish,
    written,
)
from labels import KEYS, LABELS


@dataclass
class Kind:
    """`sample(rng)` gives a value as people write it, or (name of its key, value)."""

    name: str
    source: str
    sample: Callable
    # True where a value is plain enough to be found without a word beside it; or the sign that
    # makes it so.
    alone: object = False
    secret: bool = False
    published: list = field(default_factory=list)

    @property
    def stem(self):
        """The name that ids begin with and that labels go by."""
        return self.name + ("_LOCAL" if "without country" in self.source else "")

    @property
    def keys(self):
        return KEYS.get(self.stem, [])

    @property
    def labels(self):
        return LABELS.get(self.stem, {})

    def value(self, rng):
        """A value, now and then one of the published examples."""
        if self.published and rng.random() < 0.08:
            return rng.choice(self.published)
        return self.sample(rng)

    def stands_alone(self, value):
        return self.alone in value if isinstance(self.alone, str) else self.alone


KINDS = [
    Kind("EMAIL", "RFC 5321, RFC 6531", email, alone=True),
    Kind("PHONE", "ITU E.164, national numbering plans", phone, alone=True),
    Kind("PHONE", "national numbering plans, without country code", local_phone),
    Kind("CREDIT_CARD", "ISO/IEC 7812, the networks' ranges and lengths", card, alone=True),
    Kind("IBAN", "ISO 13616, SWIFT IBAN Registry", iban, alone=True),
    Kind("CRYPTO_WALLET", "base58check, BIP 173/350, EIP-55", fin.wallet, alone=True),
    Kind("MAC", "IEEE 802", lambda r: fin.mac_form(r, fin.mac(r)), alone=True),
    Kind("IP", "RFC 791, RFC 4291, RFC 5952, IANA special-purpose registries", ip, alone=True),
    Kind(
        "SSN",
        "SSA, number structure",
        written(am.ssn, cut((3, 2, 4), "-"), cut((3, 2, 4), "-"), cut((3, 2, 4), " "), plain),
        alone="-",
    ),
    Kind(
        "ITIN",
        "IRS, ITIN ranges",
        written(am.itin, cut((3, 2, 4), "-"), cut((3, 2, 4), "-"), cut((3, 2, 4), " "), plain),
        alone="-",
    ),
    Kind("EIN", "IRS, EIN prefixes", written(am.ein, cut((2, 7), "-"), cut((2, 7), "-"), plain)),
    Kind(
        "ABA_ROUTING",
        "ABA, 3-7-1 checksum",
        written(am.aba, plain, plain, cut((4, 4, 1), "-")),
        published=["021000021", "011401533", "091000019", "122105155"],
    ),
    Kind("NPI", "CMS, NPI check digit", am.npi, published=["1234567893"]),
    Kind(
        "MBI",
        "CMS, MBI format",
        written(am.mbi, cut((4, 3, 4), "-"), plain),
        published=["1EG4-TE5-MK73", "1EG4TE5MK72"],
    ),
    Kind("DEA", "DEA, registration check digit", am.dea),
    Kind(
        "SIN",
        "Service Canada",
        written(am.sin, cut((3, 3, 3), " "), cut((3, 3, 3), "-"), plain),
        published=["130 692 544"],
    ),
    Kind(
        "NINO",
        "HMRC NIM39110",
        written(eu.nino, plain, lambda v: groups(v, (2, 2, 2, 2, 1), " ")),
        alone=True,
    ),
    Kind(
        "NHS_NUMBER",
        "NHS Data Dictionary",
        written(eu.nhs, cut((3, 3, 4), " "), plain, cut((3, 3, 4), "-")),
        published=["943 476 5919"],
    ),
    Kind("PAN", "Income Tax Department of India", asia.pan, alone=True),
    Kind(
        "AADHAAR",
        "UIDAI, Verhoeff",
        written(asia.aadhaar, cut((4, 4, 4), " "), cut((4, 4, 4), " "), cut((4, 4, 4), "-"), plain),
    ),
    Kind("GSTIN", "GSTN", asia.gstin, alone=True, published=["27AAPFU0939F1ZV"]),
    Kind("VOTER_ID", "Election Commission of India", asia.voter_id),
    Kind(
        "CODICE_FISCALE",
        "D.M. 23/12/1976",
        written(eu.codice_fiscale, plain, plain, str.lower, lambda v: groups(v, (3, 3, 5, 5), " ")),
        alone=True,
        published=["RSSMRA85T10A562S"],
    ),
    Kind("NIR", "INSEE", written(eu.nir, plain, lambda v: groups(v, (1, 2, 2, 2, 3, 3, 2), " ")), alone=True),
    Kind("HETU", "DVV", eu.hetu, alone=True, published=["131052-308T"]),
    Kind(
        "PERSONNUMMER",
        "Skatteverket",
        written(eu.personnummer, swedish, swedish, lambda v: v[:8] + "-" + v[8:], plain),
        published=["811228-9874"],
        alone="-",
    ),
    Kind("CPR", "CPR-kontoret", written(eu.cpr, cut((6, 4), "-"), cut((6, 4), "-"), plain, cut((6, 4), " "))),
    Kind("FODSELSNUMMER", "Skatteetaten", written(eu.fodselsnummer, plain, cut((6, 5), " "))),
    Kind("NRIC", "ICA Singapore", asia.nric, alone=True, published=["S1234567D"]),
    Kind(
        "CPF",
        "Receita Federal",
        lambda r: (lambda v: r.choice([f"{v[:3]}.{v[3:6]}.{v[6:9]}-{v[9:]}"] * 3 + [v, f"{v[:9]}-{v[9:]}"]))(
            am.cpf(r)
        ),
        published=["529.982.247-25"],
        alone=".",
    ),
    Kind(
        "CNPJ",
        "Receita Federal, alphanumeric since 2026",
        lambda r: (lambda v: r.choice([f"{v[:2]}.{v[2:5]}.{v[5:8]}/{v[8:12]}-{v[12:]}"] * 3 + [v]))(
            am.cnpj(r, letters=r.random() < 0.15)
        ),
        published=["11.222.333/0001-81", "12.ABC.345/01DE-35"],
        alone=".",
    ),
    Kind("PESEL", "Ministerstwo Cyfryzacji", eu.pesel, published=["44051401359"]),
    Kind(
        "BSN",
        "RvIG, eleven test",
        written(eu.bsn, plain, plain, cut((4, 2, 3), "."), cut((3, 3, 3), " ")),
        published=["111222333"],
    ),
    Kind(
        "TFN",
        "ATO",
        written(asia.tfn, cut((3, 3, 3), " "), plain, cut((3, 3, 3), "-")),
        published=["123 456 782"],
    ),
    Kind(
        "ABN",
        "ABR",
        written(asia.abn, cut((2, 3, 3, 3), " "), cut((2, 3, 3, 3), " "), plain),
        published=["51 824 753 556"],
    ),
    Kind(
        "MEDICARE_AU",
        "Services Australia",
        written(asia.medicare_au, plain, cut((4, 5, 1), " "), cut((4, 5, 1), "-")),
    ),
    Kind(
        "MY_NUMBER",
        "Order of MIC 2014/85",
        written(asia.my_number, plain, cut((4, 4, 4), " "), cut((4, 4, 4), "-")),
    ),
    Kind("RRN", "MOIS", written(asia.rrn, cut((6, 7), "-"), cut((6, 7), "-"), plain)),
    Kind("CHINA_ID", "GB 11643-1999", asia.china_id, alone=True, published=["11010519491231002X"]),
    Kind("DNI", "Ministerio del Interior", spanish, alone=False, published=["12345678Z", "X1234567L"]),
    Kind(
        "STEUER_ID",
        "BZSt, ISO 7064",
        written(eu.steuer_id, plain, plain, cut((2, 3, 3, 3), " ")),
        published=["86095742719", "65929970489"],
    ),
    Kind("CURP", "RENAPO", am.curp, alone=True, published=["HEGG560427MVZRRL04", "BOXW310820HNERXN09"]),
    Kind("CUIT", "AFIP", written(am.cuit, cut((2, 8, 1), "-"), cut((2, 8, 1), "-"), plain)),
    Kind(
        "RUT",
        "Registro Civil de Chile",
        lambda r: (lambda v: r.choice([am.rut_form(v), am.rut_form(v), am.rut_form(v, False)]))(am.rut(r)),
    ),
    Kind("TCKN", "NVI", eu.tckn, published=["10000000146"]),
    Kind(
        "RODNE_CISLO",
        "Act 133/2000 Coll.",
        written(eu.rodne_cislo, cut((6, 4), "/"), cut((6, 4), "/"), plain),
    ),
    Kind("CNP", "MAI Romania", eu.cnp),
    Kind("EGN", "GRAO Bulgaria", eu.egn, published=["7523169263", "6101057509"]),
    Kind("OIB", "Porezna uprava", eu.oib, published=["33392005961", "69435151530"]),
    Kind("NIF_PT", "Autoridade Tributária", written(eu.nif_pt, plain, plain, cut((3, 3, 3), " "))),
    Kind("PPSN", "DSP Ireland", eu.ppsn, published=["1234567T", "1234567FA"]),
    Kind(
        "AHV",
        "ZAS",
        written(eu.ahv, cut((3, 4, 4, 2), "."), cut((3, 4, 4, 2), "."), plain),
        alone=False,
        published=["756.9217.0769.85"],
    ),
    Kind(
        "BELGIAN_NN",
        "Rijksregister",
        written(
            eu.belgian_nn,
            lambda v: f"{v[:2]}.{v[2:4]}.{v[4:6]}-{v[6:9]}.{v[9:]}",
            plain,
            lambda v: f"{v[:2]}.{v[2:4]}.{v[4:6]}-{v[6:9]}.{v[9:]}",
        ),
        published=["85.07.30-033.28"],
    ),
    Kind(
        "SA_ID",
        "DHA South Africa",
        written(asia.sa_id, plain, plain, cut((6, 4, 3), " ")),
        published=["8001015009087"],
    ),
    Kind("ISRAELI_ID", "Ministry of Interior", asia.israeli_id),
    Kind(
        "THAI_ID", "DOPA", written(asia.thai_id, cut((1, 4, 5, 2, 1), "-"), plain, cut((1, 4, 5, 2, 1), " "))
    ),
    Kind(
        "HKID",
        "Immigration Department",
        lambda r: (lambda v: r.choice([f"{v[:-1]}({v[-1]})", f"{v[:-1]}({v[-1]})", v]))(asia.hkid(r)),
    ),
    Kind("SWIFT_BIC", "ISO 9362", fin.bic),
    Kind(
        "IMEI",
        "3GPP TS 23.003",
        written(fin.imei, plain, plain, cut((2, 6, 6, 1), "-"), cut((2, 6, 6, 1), " ")),
        published=["490154203237518"],
    ),
    Kind(
        "VIN",
        "ISO 3779, 49 CFR 565",
        fin.vin,
        published=["1M8GDM9AXKP042788", "1HGCM82633A004352", "WVWZZZ1JZXW000001"],
    ),
    Kind("PASSPORT", "ICAO 9303, issuers' specimens", passport),
    Kind("DRIVING_LICENCE", "DVLA, AAMVA, KBA formats", driving),
    Kind("BANK_ACCOUNT", "national account formats", fin.account),
    Kind(
        "SORT_CODE",
        "Pay.UK",
        lambda r: groups(
            r.choice(["20", "30", "40", "60", "04", "08", "16", "77"]) + digits(r, 4), (2, 2, 2), "-"
        ),
    ),
    Kind("DATE_OF_BIRTH", "as written", dob),
    Kind("JWT", "RFC 7519", keys.jwt, alone=True, secret=True),
    Kind("API_KEY", "vendors' key formats (facts of the gitleaks rules)", None, alone=True, secret=True),
    Kind("PASSWORD", "as people and generators make them", keys.password, secret=True),
    Kind("SECRET", "vendors' documentation of unprefixed secrets", keys.secret, secret=True),
    Kind("CREDENTIALS", "RFC 3986 userinfo", None, alone=True, secret=True),
    Kind("AUTH_HEADER", "RFC 7617, RFC 6750", None, alone=True, secret=True),
    Kind("WEBHOOK_URL", "vendors' documentation", keys.webhook, alone=True, secret=True),
    Kind("PRIVATE_KEY", "RFC 7468, RFC 4880, PROTOCOL.key", keys.private_key, alone=True, secret=True),
]
