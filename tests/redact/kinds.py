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
from digits import date, digits, groups


@dataclass
class Kind:
    """`sample(rng)` gives a value as people write it, or (name of its key, value)."""
    name: str
    source: str
    sample: Callable
    labels: dict = field(default_factory=dict)
    keys: list = field(default_factory=list)
    # True where a value is plain enough to be found without a word beside it; or the sign that
    # makes it so.
    alone: object = False
    secret: bool = False
    published: list = field(default_factory=list)

    def value(self, rng):
        """A value, now and then one of the published examples."""
        if self.published and rng.random() < 0.08:
            return rng.choice(self.published)
        return self.sample(rng)

    def stands_alone(self, value):
        return self.alone in value if isinstance(self.alone, str) else self.alone


def written(make, *forms):
    """A value made by `make`, in one of its written forms."""
    def sample(rng):
        return rng.choice(forms)(make(rng))
    return sample


def plain(value):
    return value


def cut(sizes, separator):
    return lambda value: groups(value, sizes, separator)


def labels(**by_language):
    return {language: text.split("|") for language, text in by_language.items()}


NAMES = ("ann.lee jdoe maria.garcia hans-peter.mueller k.tanaka sales info+news first_last x.y.z olu99 "
         "o'brien p.dubois li.wei support a.kowalska s.nilsson").split()
DOMAINS = ("example.com example.org mail.example.net firma.example.de acme.co.uk kontor.io "
           "contoso.com sub.dept.uni.example.edu posteo.example shop.example.com.br gmail.com "
           "qq.com web.de orange.fr naver.com outlook.com bücher.example").split()


def email(rng):
    name = rng.choice(NAMES) + rng.choice(["", "", str(rng.randint(1, 99))])
    text = f"{name}@{rng.choice(DOMAINS)}"
    return text.upper() if rng.random() < 0.05 else text


def phone(rng):
    """ITU E.164 numbers as national customs group them; ranges reserved for fiction where a
    regulator has some (NANPA 555-01xx, Ofcom 7946 0xxx)."""
    d = lambda n: digits(rng, n)
    forms = [
        f"+1 {rng.choice(['202', '415', '646', '312'])}-555-01{d(2)}",
        f"+1 ({rng.choice(['202', '415', '646'])}) 555-01{d(2)}", f"+1.212.555.01{d(2)}",
        f"+1415555{rng.choice(['01'])}{d(2)}", f"+44 20 7946 0{d(3)}", f"+44 7700 900{d(3)}",
        f"+44 (0)20 7946 0{d(3)}", f"+49 30 {digits(rng, 4, '23456789')} {d(4)}",
        f"+49 151 {digits(rng, 8, '123456789')}", f"+49 (0) 89 {digits(rng, 3, '23456789')} {d(3)} {d(2)}",
        f"+33 6 {d(2)} {d(2)} {d(2)} {d(2)}", f"+33 (0)1 {d(2)} {d(2)} {d(2)} {d(2)}",
        f"+34 6{d(2)} {d(3)} {d(3)}", f"+39 3{d(2)} {d(3)} {d(4)}", f"+31 6 {digits(rng, 8, '1234')}",
        f"+91 9{d(4)} {d(5)}", f"+91-8{d(9)}", f"+86 138 {d(4)} {d(4)}", f"+86-139{d(8)}",
        f"+81 90-{digits(rng, 4, '123456789')}-{d(4)}", f"+81-3-{digits(rng, 4, '3456')}-{d(4)}",
        f"+82 10-{digits(rng, 4, '23456789')}-{d(4)}", f"+55 11 9{d(4)}-{d(4)}",
        f"+55 (21) 9{d(4)}-{d(4)}", f"+52 55 {digits(rng, 4, '12345678')} {d(4)}",
        f"+61 4{d(2)} {d(3)} {d(3)}", f"+48 5{d(2)} {d(3)} {d(3)}", f"+46 70-{digits(rng, 3, '123456789')} {d(2)} {d(2)}",
        f"+41 79 {digits(rng, 3, '23456789')} {d(2)} {d(2)}", f"+65 9{d(3)} {d(4)}", f"+27 82 {d(3)} {d(4)}",
        f"0049 30 {digits(rng, 4, '23456789')}{d(4)}", f"+972 5{rng.choice('024')}-{digits(rng, 3, '23456789')}-{d(4)}",
        f"+90 532 {digits(rng, 3, '23456789')} {d(2)} {d(2)}", f"+4915112345{d(3)}",
    ]
    return rng.choice(forms)


def local_phone(rng):
    """The same without country code: a word must stand beside it."""
    d = lambda n: digits(rng, n)
    return rng.choice([
        f"(202) 555-01{d(2)}", f"415-555-01{d(2)}", f"646.555.01{d(2)}", f"312 555 01{d(2)}",
        f"020 7946 0{d(3)}", f"07700 900{d(3)}", f"030 {digits(rng, 4, '23456789')}{d(4)}",
        f"089/{digits(rng, 6, '23456789')}", f"0151 {digits(rng, 8, '123456789')}",
        f"06 {d(2)} {d(2)} {d(2)} {d(2)}", f"01.{d(2)}.{d(2)}.{d(2)}.{d(2)}", f"9{d(4)} {d(5)}",
        f"138{d(8)}", f"139-{d(4)}-{d(4)}", f"090-{digits(rng, 4, '123456789')}-{d(4)}",
        f"03-{digits(rng, 4, '3456')}-{d(4)}", f"010-{digits(rng, 4, '23456789')}-{d(4)}",
        f"(11) 9{d(4)}-{d(4)}", f"612 {d(3)} {d(3)}", f"0412 {d(3)} {d(3)}",
    ])


def card(rng):
    number, sizes = fin.card(rng)
    form = rng.choice([plain, cut(sizes, " "), cut(sizes, " "), cut(sizes, "-"), plain])
    return form(number).rstrip(" -")


def iban(rng):
    number = fin.iban(rng)
    form = rng.choice([plain, plain, lambda v: groups(v, [4] * 9, " ").rstrip(), str.lower,
                       lambda v: groups(v, [4] * 9, " ").rstrip(),
                       lambda v: groups(v, [4] * 9, "-").rstrip("-")])
    return form(number)


def ip(rng):
    return fin.ipv4(rng) if rng.random() < 0.65 else fin.ipv6(rng)


def dob(rng):
    born = date(rng)
    months = "January February March April May June July August September October November December".split()
    name = months[born.month - 1]
    return rng.choice([
        born.isoformat(), born.strftime("%d.%m.%Y"), born.strftime("%m/%d/%Y"), born.strftime("%d/%m/%Y"),
        f"{name} {born.day}, {born.year}", f"{born.day} {name} {born.year}", f"{born.day} {name[:3]} {born.year}",
        born.strftime("%Y/%m/%d"), born.strftime("%d-%m-%Y"), born.strftime("%d-%b-%Y"), born.strftime("%m/%d/%y"),
        born.strftime("%Y年%-m月%-d日"),
    ])


def swedish(value):
    return value[2:8] + "-" + value[8:]


def driving(rng):
    return asia.driving_licence(rng, rng.choice(["gb", "us", "us", "de", "in", "ca", "au", "it"]))


def passport(rng):
    return asia.passport(rng, rng.choice(list(asia.PASSPORTS)))


def spanish(rng):
    if rng.random() < 0.35:
        value = eu.nie(rng)
        return rng.choice([value, f"{value[0]}-{value[1:8]}-{value[8]}"])
    value = eu.dni(rng)
    dotted = f"{int(value[:8]):010,}".replace(",", ".")
    return rng.choice([value, value, f"{value[:8]}-{value[8]}", f"{dotted}-{value[8]}", f"{value[:8]} {value[8]}"])


EN = "en"
KINDS = [
    Kind("EMAIL", "RFC 5321, RFC 6531", email,
         labels(en="email|e-mail address|contact", de="E-Mail|Mailadresse", fr="e-mail|adresse électronique",
                es="correo electrónico", pt="e-mail", it="indirizzo e-mail", pl="e-mail", sv="e-post",
                tr="e-posta", zh="邮箱|电子邮件", ja="メールアドレス", ko="이메일"),
         ["email", "contact_email", "user_email", "mail"], alone=True),
    Kind("PHONE", "ITU E.164, national numbering plans", phone,
         labels(en="phone|mobile|cell number", de="Telefon|Handynummer", fr="téléphone|portable",
                es="teléfono|móvil", pt="telefone|celular", it="telefono|cellulare", nl="telefoonnummer",
                pl="telefon", sv="telefon", tr="telefon", zh="电话|手机号", ja="電話番号|携帯", ko="전화번호"),
         ["phone", "phone_number", "mobile", "tel"], alone=True),
    Kind("PHONE", "national numbering plans, without country code", local_phone,
         labels(en="phone|call me at|mobile|tel.", de="Telefon|Tel.", fr="téléphone|Tél.", es="teléfono|móvil",
                pt="telefone|celular", zh="电话|手机号", ja="電話番号", ko="전화번호"),
         ["phone", "phone_number", "mobile", "telephone"]),
    Kind("CREDIT_CARD", "ISO/IEC 7812, the networks' ranges and lengths", card,
         labels(en="credit card|card number|Visa card", de="Kreditkarte|Kartennummer", fr="carte bancaire|numéro de carte",
                es="tarjeta de crédito", pt="cartão de crédito", it="carta di credito", zh="信用卡号|银行卡", ja="クレジットカード番号", ko="카드번호"),
         ["card_number", "credit_card", "pan", "cc_number"], alone=True),
    Kind("IBAN", "ISO 13616, SWIFT IBAN Registry", iban,
         labels(en="IBAN|bank account", de="IBAN|Kontoverbindung", fr="IBAN", es="IBAN", it="IBAN", nl="IBAN", pl="IBAN", zh="IBAN", ja="IBAN"),
         ["iban", "bank_iban", "account_iban", "payee_iban"], alone=True),
    Kind("CRYPTO_WALLET", "base58check, BIP 173/350, EIP-55", fin.wallet,
         labels(en="wallet address|BTC address|wallet", de="Wallet-Adresse", fr="adresse du portefeuille", zh="钱包地址", ja="ウォレットアドレス"),
         ["wallet", "wallet_address", "btc_address", "payout_address"], alone=True),
    Kind("MAC", "IEEE 802", lambda r: fin.mac_form(r, fin.mac(r)),
         labels(en="MAC address|hardware address", de="MAC-Adresse", fr="adresse MAC", zh="MAC地址", ja="MACアドレス"),
         ["mac", "mac_address", "hwaddr", "bssid"], alone=True),
    Kind("IP", "RFC 791, RFC 4291, RFC 5952, IANA special-purpose registries", ip,
         labels(en="IP address|client IP|remote address", de="IP-Adresse", fr="adresse IP", es="dirección IP", zh="IP地址", ja="IPアドレス"),
         ["ip", "client_ip", "remote_addr", "ip_address"], alone=True),
    Kind("SSN", "SSA, number structure", written(am.ssn, cut((3, 2, 4), "-"), cut((3, 2, 4), "-"), cut((3, 2, 4), " "), plain),
         labels(en="SSN|social security number|social", es="número de seguro social"),
         ["ssn", "social_security_number", "tax_ssn", "employee_ssn"], alone="-"),
    Kind("ITIN", "IRS, ITIN ranges", written(am.itin, cut((3, 2, 4), "-"), cut((3, 2, 4), "-"), cut((3, 2, 4), " "), plain),
         labels(en="ITIN|individual taxpayer identification number"), ["itin", "taxpayer_itin"], alone="-"),
    Kind("EIN", "IRS, EIN prefixes", written(am.ein, cut((2, 7), "-"), cut((2, 7), "-"), plain),
         labels(en="EIN|employer identification number|federal tax ID"), ["ein", "employer_id", "federal_ein"]),
    Kind("ABA_ROUTING", "ABA, 3-7-1 checksum", written(am.aba, plain, plain, cut((4, 4, 1), "-")),
         labels(en="routing number|ABA routing number|ABA|RTN"), ["routing_number", "aba", "aba_routing", "rtn"],
         published=["021000021", "011401533", "091000019", "122105155"]),
    Kind("NPI", "CMS, NPI check digit", am.npi, labels(en="NPI|national provider identifier"),
         ["npi", "provider_npi", "npi_number"], published=["1234567893"]),
    Kind("MBI", "CMS, MBI format", written(am.mbi, cut((4, 3, 4), "-"), plain),
         labels(en="MBI|Medicare number|Medicare beneficiary identifier"), ["mbi", "medicare_number", "medicare_id"],
         published=["1EG4-TE5-MK73", "1EG4TE5MK72"]),
    Kind("DEA", "DEA, registration check digit", am.dea, labels(en="DEA number|DEA registration|DEA"),
         ["dea", "dea_number", "prescriber_dea"]),
    Kind("SIN", "Service Canada", written(am.sin, cut((3, 3, 3), " "), cut((3, 3, 3), "-"), plain),
         labels(en="SIN|social insurance number", fr="NAS|numéro d'assurance sociale"), ["sin", "social_insurance_number"],
         published=["130 692 544"]),
    Kind("NINO", "HMRC NIM39110", written(eu.nino, plain, lambda v: groups(v, (2, 2, 2, 2, 1), " ")),
         labels(en="National Insurance number|NINO|NI number"), ["nino", "national_insurance_number", "ni_number"], alone=True),
    Kind("NHS_NUMBER", "NHS Data Dictionary", written(eu.nhs, cut((3, 3, 4), " "), plain, cut((3, 3, 4), "-")),
         labels(en="NHS number|NHS no."), ["nhs_number", "nhs", "patient_nhs_no"], published=["943 476 5919"]),
    Kind("PAN", "Income Tax Department of India", asia.pan, labels(en="PAN|PAN card|permanent account number"),
         ["pan", "pan_number", "pan_card"], alone=True),
    Kind("AADHAAR", "UIDAI, Verhoeff", written(asia.aadhaar, cut((4, 4, 4), " "), cut((4, 4, 4), " "), cut((4, 4, 4), "-"), plain),
         labels(en="Aadhaar|Aadhaar number|UIDAI number"), ["aadhaar", "aadhaar_number", "uid_aadhaar"]),
    Kind("GSTIN", "GSTN", asia.gstin, labels(en="GSTIN|GST number"), ["gstin", "gst_number", "supplier_gstin"],
         alone=True, published=["27AAPFU0939F1ZV"]),
    Kind("VOTER_ID", "Election Commission of India", asia.voter_id, labels(en="voter ID|EPIC number|voter card"),
         ["voter_id", "epic_no", "voter_card"]),
    Kind("CODICE_FISCALE", "D.M. 23/12/1976", written(eu.codice_fiscale, plain, plain, str.lower, lambda v: groups(v, (3, 3, 5, 5), " ")),
         labels(it="codice fiscale|CF", en="Italian fiscal code|codice fiscale"), ["codice_fiscale", "fiscal_code", "cod_fiscale"],
         alone=True, published=["RSSMRA85T10A562S"]),
    Kind("NIR", "INSEE", written(eu.nir, plain, lambda v: groups(v, (1, 2, 2, 2, 3, 3, 2), " ")),
         labels(fr="numéro de sécurité sociale|NIR|n° sécu", en="French social security number|NIR"),
         ["nir", "numero_securite_sociale", "num_secu"], alone=True),
    Kind("HETU", "DVV", eu.hetu, labels(fi="henkilötunnus|hetu", en="Finnish personal identity code|henkilötunnus"),
         ["hetu", "henkilotunnus", "personal_identity_code"], alone=True, published=["131052-308T"]),
    Kind("PERSONNUMMER", "Skatteverket", written(eu.personnummer, swedish, swedish, lambda v: v[:8] + "-" + v[8:], plain),
         labels(sv="personnummer|personnr", en="Swedish personal number|personnummer"), ["personnummer", "personal_number", "pnr"], published=["811228-9874"], alone="-"),
    Kind("CPR", "CPR-kontoret", written(eu.cpr, cut((6, 4), "-"), cut((6, 4), "-"), plain, cut((6, 4), " ")),
         labels(da="CPR-nummer|CPR", en="Danish CPR number|CPR number"), ["cpr", "cpr_number", "cprnr"]),
    Kind("FODSELSNUMMER", "Skatteetaten", written(eu.fodselsnummer, plain, cut((6, 5), " ")),
         labels(no="fødselsnummer|personnummer", en="Norwegian national ID|fødselsnummer"), ["fodselsnummer", "national_id_no", "fnr"]),
    Kind("NRIC", "ICA Singapore", asia.nric, labels(en="NRIC|FIN|NRIC number"), ["nric", "nric_no", "nric_fin"],
         alone=True, published=["S1234567D"]),
    Kind("CPF", "Receita Federal", lambda r: (lambda v: r.choice(
        [f"{v[:3]}.{v[3:6]}.{v[6:9]}-{v[9:]}"] * 3 + [v, f"{v[:9]}-{v[9:]}"]))(am.cpf(r)),
         labels(pt="CPF|CPF do titular", en="CPF|Brazilian CPF"), ["cpf", "cpf_titular", "documento_cpf"],
         published=["529.982.247-25"], alone="."),
    Kind("CNPJ", "Receita Federal, alphanumeric since 2026", lambda r: (lambda v: r.choice(
        [f"{v[:2]}.{v[2:5]}.{v[5:8]}/{v[8:12]}-{v[12:]}"] * 3 + [v]))(am.cnpj(r, letters=r.random() < 0.15)),
         labels(pt="CNPJ|CNPJ da empresa", en="CNPJ"), ["cnpj", "cnpj_fornecedor"], published=["11.222.333/0001-81", "12.ABC.345/01DE-35"], alone="."),
    Kind("PESEL", "Ministerstwo Cyfryzacji", eu.pesel, labels(pl="PESEL|numer PESEL", en="PESEL|PESEL number"), ["pesel", "nr_pesel"],
         published=["44051401359"]),
    Kind("BSN", "RvIG, eleven test", written(eu.bsn, plain, plain, cut((4, 2, 3), "."), cut((3, 3, 3), " ")),
         labels(nl="BSN|burgerservicenummer|sofinummer", en="BSN|Dutch citizen service number"), ["bsn", "burgerservicenummer"],
         published=["111222333"]),
    Kind("TFN", "ATO", written(asia.tfn, cut((3, 3, 3), " "), plain, cut((3, 3, 3), "-")),
         labels(en="TFN|tax file number"), ["tfn", "tax_file_number"], published=["123 456 782"]),
    Kind("ABN", "ABR", written(asia.abn, cut((2, 3, 3, 3), " "), cut((2, 3, 3, 3), " "), plain),
         labels(en="ABN|Australian Business Number"), ["abn", "supplier_abn"], published=["51 824 753 556"]),
    Kind("MEDICARE_AU", "Services Australia", written(asia.medicare_au, plain, cut((4, 5, 1), " "), cut((4, 5, 1), "-")),
         labels(en="Medicare card number|Medicare number|Medicare"), ["medicare_number", "medicare_card", "medicare_no"]),
    Kind("MY_NUMBER", "Order of MIC 2014/85", written(asia.my_number, plain, cut((4, 4, 4), " "), cut((4, 4, 4), "-")),
         labels(ja="マイナンバー|個人番号", en="My Number|individual number (My Number)"), ["my_number", "mynumber", "kojin_bango"]),
    Kind("RRN", "MOIS", written(asia.rrn, cut((6, 7), "-"), cut((6, 7), "-"), plain),
         labels(ko="주민등록번호|주민번호", en="resident registration number|RRN"), ["rrn", "resident_registration_number", "jumin"]),
    Kind("CHINA_ID", "GB 11643-1999", asia.china_id, labels(zh="身份证号|身份证号码|证件号", en="Chinese ID number|resident ID"),
         ["id_card", "china_id", "identity_card_no", "sfzh"], alone=True, published=["11010519491231002X"]),
    Kind("DNI", "Ministerio del Interior", spanish, labels(es="DNI|NIE|NIF|DNI/NIE", en="DNI|Spanish DNI|NIE"), ["dni", "nie", "dni_nie"],
         alone=False, published=["12345678Z", "X1234567L"]),
    Kind("STEUER_ID", "BZSt, ISO 7064", written(eu.steuer_id, plain, plain, cut((2, 3, 3, 3), " ")),
         labels(de="Steuer-ID|Steueridentifikationsnummer|IdNr.|steuerliche Identifikationsnummer", en="German tax ID|Steuer-ID"),
         ["steuer_id", "steueridentifikationsnummer", "tax_id_de"], published=["86095742719", "65929970489"]),
    Kind("CURP", "RENAPO", am.curp, labels(es="CURP|clave CURP", en="CURP"), ["curp", "curp_empleado"], alone=True,
         published=["HEGG560427MVZRRL04", "BOXW310820HNERXN09"]),
    Kind("CUIT", "AFIP", written(am.cuit, cut((2, 8, 1), "-"), cut((2, 8, 1), "-"), plain),
         labels(es="CUIT|CUIL|CUIT/CUIL", en="CUIT"), ["cuit", "cuil", "cuit_cliente"]),
    Kind("RUT", "Registro Civil de Chile", lambda r: (lambda v: r.choice([am.rut_form(v), am.rut_form(v), am.rut_form(v, False)]))(am.rut(r)),
         labels(es="RUT|RUN|RUT del cliente", en="RUT|Chilean RUT"), ["rut", "rut_cliente", "run"]),
    Kind("TCKN", "NVI", eu.tckn, labels(tr="T.C. Kimlik No|TC kimlik numarası|TCKN", en="Turkish ID number|TC Kimlik"), ["tckn", "tc_kimlik_no", "kimlik_no"],
         published=["10000000146"]),
    Kind("RODNE_CISLO", "Act 133/2000 Coll.", written(eu.rodne_cislo, cut((6, 4), "/"), cut((6, 4), "/"), plain),
         labels(cs="rodné číslo|r.č.|RČ", sk="rodné číslo", en="Czech birth number|rodné číslo"), ["rodne_cislo", "birth_number", "rc"]),
    Kind("CNP", "MAI Romania", eu.cnp, labels(ro="CNP|cod numeric personal", en="Romanian CNP|CNP"), ["cnp", "cod_numeric_personal"]),
    Kind("EGN", "GRAO Bulgaria", eu.egn, labels(bg="ЕГН|единен граждански номер", en="EGN|Bulgarian EGN"), ["egn", "egn_number"],
         published=["7523169263", "6101057509"]),
    Kind("OIB", "Porezna uprava", eu.oib, labels(hr="OIB|osobni identifikacijski broj", en="OIB|Croatian OIB"), ["oib", "oib_broj"],
         published=["33392005961", "69435151530"]),
    Kind("NIF_PT", "Autoridade Tributária", written(eu.nif_pt, plain, plain, cut((3, 3, 3), " ")),
         labels(pt="NIF|número de contribuinte|NIF do cliente", en="Portuguese NIF|NIF"), ["nif", "nif_cliente", "contribuinte"]),
    Kind("PPSN", "DSP Ireland", eu.ppsn, labels(en="PPS number|PPSN|PPS No."), ["ppsn", "pps_number", "pps_no"],
         published=["1234567T", "1234567FA"]),
    Kind("AHV", "ZAS", written(eu.ahv, cut((3, 4, 4, 2), "."), cut((3, 4, 4, 2), "."), plain),
         labels(de="AHV-Nummer|AHV-Nr.", fr="numéro AVS|No AVS", it="numero AVS", en="AHV number"), ["ahv_nummer", "avs_number", "ahv"],
         alone=False, published=["756.9217.0769.85"]),
    Kind("BELGIAN_NN", "Rijksregister", written(eu.belgian_nn, lambda v: f"{v[:2]}.{v[2:4]}.{v[4:6]}-{v[6:9]}.{v[9:]}", plain,
                                               lambda v: f"{v[:2]}.{v[2:4]}.{v[4:6]}-{v[6:9]}.{v[9:]}"),
         labels(nl="rijksregisternummer|INSZ", fr="numéro de registre national|NISS", en="Belgian national number"), ["rijksregisternummer", "national_register_number", "niss"],
         published=["85.07.30-033.28"]),
    Kind("SA_ID", "DHA South Africa", written(asia.sa_id, plain, plain, cut((6, 4, 3), " ")),
         labels(en="South African ID|RSA ID number|SA ID number", nl="ID-nommer"), ["sa_id", "rsa_id_number", "sa_id_number"], published=["8001015009087"]),
    Kind("ISRAELI_ID", "Ministry of Interior", asia.israeli_id, labels(he="תעודת זהות|ת.ז.", en="Israeli ID|teudat zehut|Israeli ID number"),
         ["israeli_id", "teudat_zehut"]),
    Kind("THAI_ID", "DOPA", written(asia.thai_id, cut((1, 4, 5, 2, 1), "-"), plain, cut((1, 4, 5, 2, 1), " ")),
         labels(th="เลขประจำตัวประชาชน|บัตรประชาชน", en="Thai national ID|Thai ID"), ["thai_id", "thai_national_id"]),
    Kind("HKID", "Immigration Department", lambda r: (lambda v: r.choice([f"{v[:-1]}({v[-1]})", f"{v[:-1]}({v[-1]})", v]))(asia.hkid(r)),
         labels(en="HKID|Hong Kong ID|HKID number", zh="香港身份證|身份證號碼"), ["hkid", "hkid_no", "hk_identity_card"]),
    Kind("SWIFT_BIC", "ISO 9362", fin.bic, labels(en="BIC|SWIFT code|SWIFT/BIC", de="BIC|BIC/SWIFT", fr="BIC|code BIC", es="código SWIFT"), ["bic", "swift", "swift_code", "swift_bic"]),
    Kind("IMEI", "3GPP TS 23.003", written(fin.imei, plain, plain, cut((2, 6, 6, 1), "-"), cut((2, 6, 6, 1), " ")),
         labels(en="IMEI|device IMEI", de="IMEI|IMEI-Nummer", zh="IMEI", fr="IMEI"), ["imei", "device_imei", "imei_number"], published=["490154203237518"]),
    Kind("VIN", "ISO 3779, 49 CFR 565", fin.vin, labels(en="VIN|vehicle identification number|chassis number", de="FIN|Fahrgestellnummer", fr="numéro VIN"),
         ["vin", "vin_number", "vehicle_vin"], published=["1M8GDM9AXKP042788", "1HGCM82633A004352", "WVWZZZ1JZXW000001"]),
    Kind("PASSPORT", "ICAO 9303, issuers' specimens", passport,
         labels(en="passport|passport number|passport no.", de="Reisepass|Passnummer|Reisepassnummer", fr="passeport|numéro de passeport", es="pasaporte|número de pasaporte",
                it="passaporto", pt="passaporte", zh="护照|护照号码", ja="パスポート番号|旅券番号", ko="여권번호"),
         ["passport", "passport_number", "passport_no"]),
    Kind("DRIVING_LICENCE", "DVLA, AAMVA, KBA formats", driving,
         labels(en="driver's license|driving licence|driver license number|DL number", de="Führerschein|Führerscheinnummer", it="patente di guida"),
         ["driver_license", "driving_licence_no", "license_number", "dl_number"]),
    Kind("BANK_ACCOUNT", "national account formats", fin.account,
         labels(en="account number|bank account|checking account number|a/c no.", de="Kontonummer|Konto-Nr.", fr="numéro de compte", es="número de cuenta", zh="银行账号|账号", ja="口座番号"),
         ["account_number", "bank_account", "bank_account_number", "acct_no"]),
    Kind("SORT_CODE", "Pay.UK", lambda r: groups(r.choice(["20", "30", "40", "60", "04", "08", "16", "77"]) + digits(r, 4), (2, 2, 2), "-"),
         labels(en="sort code|sort-code|bank sort code"), ["sort_code", "sortcode", "bank_sort_code"]),
    Kind("DATE_OF_BIRTH", "as written", dob,
         labels(en="date of birth|DOB|birth date|born", de="Geburtsdatum|geboren am", fr="date de naissance|né le", es="fecha de nacimiento", pt="data de nascimento",
                it="data di nascita", nl="geboortedatum", pl="data urodzenia", zh="出生日期", ja="生年月日", ko="생년월일"),
         ["date_of_birth", "dob", "birth_date", "birthdate"]),
    Kind("JWT", "RFC 7519", keys.jwt, labels(en="token|session token|JWT|access token", de="Token", fr="jeton", zh="令牌"), ["token", "id_token", "jwt", "session"], alone=True, secret=True),
    Kind("API_KEY", "vendors' key formats (facts of the gitleaks rules)", None,
         labels(en="API key|key|token", de="API-Schlüssel|Schlüssel", fr="clé API", es="clave de API", zh="密钥|API密钥", ja="APIキー"),
         ["api_key", "token", "apiToken", "access_key"], alone=True, secret=True),
    Kind("PASSWORD", "as people and generators make them", keys.password,
         labels(en="password|passphrase|pwd|admin password", de="Passwort|Kennwort", fr="mot de passe", es="contraseña", pt="senha", it="password", nl="wachtwoord",
                pl="hasło", sv="lösenord", tr="parola", zh="密码", ja="パスワード", ko="비밀번호"),
         ["password", "db_password", "passwd", "smtp_password", "pwd"], secret=True),
    Kind("SECRET", "vendors' documentation of unprefixed secrets", keys.secret, {}, [], secret=True),
    Kind("CREDENTIALS", "RFC 3986 userinfo", None, {}, [], alone=True, secret=True),
    Kind("AUTH_HEADER", "RFC 7617, RFC 6750", None, {}, [], alone=True, secret=True),
    Kind("WEBHOOK_URL", "vendors' documentation", keys.webhook, labels(en="webhook|webhook URL|incoming webhook", de="Webhook"),
         ["webhook", "webhook_url", "slack_webhook", "notify_url"], alone=True, secret=True),
    Kind("PRIVATE_KEY", "RFC 7468, RFC 4880, PROTOCOL.key", keys.private_key, {}, [], alone=True, secret=True),
]


