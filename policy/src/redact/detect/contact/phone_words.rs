//! Words for telephones and how they are used, in the languages that agents meet.

/// Not `call`, `dial` or `cell` alone: programs call, dial and have cells.
#[rustfmt::skip]
pub(super) const WORDS: &[&str] = &[
    "phone", "phones", "phone number", "phone numbers", "phone no", "phonenumber", "phone num",
    "telephone", "telephone number", "telephone no", "tel", "tel no", "tel number", "tel nr",
    "mobile", "mobile number", "mobile no", "mobile phone", "mobilenumber", "mob no", "mob",
    "cell phone", "cellphone", "cell number", "cell no", "my cell", "his cell", "her cell",
    "contact number", "contact no", "landline", "fax", "fax number", "fax no", "telefax",
    "whatsapp", "call me", "call us", "call him", "call her", "call them", "call back", "please call",
    "reach me", "reach him", "reach her", "reach us",
    "reach them", "text me", "text him", "text her", "ph", "ph no", "ring me", "hotline", "helpline", "msisdn", "voicemail",
    // German, Dutch, Scandinavian, Finnish.
    "telefon", "telefonnummer", "telefonnr", "handy", "handynummer", "handynr", "mobil",
    "mobilnummer", "mobilnr", "mobiltelefon", "rufnummer", "festnetz", "anrufen", "telefoon",
    "telefoonnummer", "telnr", "mobiel", "mobiele nummer", "gsm", "tlf", "mobilnummeret",
    "puhelin", "puhelinnumero", "matkapuhelin",
    // French, Spanish, Portuguese, Italian.
    "téléphone", "numéro de téléphone", "numero de telephone", "tél", "portable", "télécopie",
    "teléfono", "telefono", "número de teléfono", "numero de telefono", "móvil", "movil", "celular",
    "telefone", "número de telefone", "telemóvel", "telemovel", "numero di telefono", "cellulare",
    "telefonino", "telefono fijo", "fijo",
    // Polish, Czech, Hungarian, Romanian, Turkish, Greek, Russian, Ukrainian.
    "telefonu", "numer telefonu", "komórka", "komórkowy", "mobilní", "telefonszám", "mobilszám",
    "număr de telefon", "telefon numarası", "cep telefonu", "τηλέφωνο", "κινητό", "телефон",
    "телефона", "номер телефона", "моб", "мобильный", "сотовый", "тел", "мобільний",
    // Chinese, Japanese, Korean, Hindi, Arabic, Hebrew.
    "电话", "电话号码", "手机", "手机号", "手机号码", "联系电话", "電話", "手機", "電話番号",
    "携帯", "携帯電話", "전화", "전화번호", "휴대폰", "휴대전화", "연락처", "फोन", "फ़ोन", "मोबाइल",
    "هاتف", "جوال", "رقم الهاتف", "טלפון", "נייד",
];
