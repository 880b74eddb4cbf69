"""What people call each kind, by language: `KIND language: label | label`; `keys` are the names
that it has in data and code."""


def _read(text):
    labels = {}
    for line in text.strip().split("\n"):
        head, _, names = line.partition(": ")
        kind, language = head.split()
        into = KEYS if language == "keys" else labels.setdefault(kind, {})
        into[kind if language == "keys" else language] = names.split(" | ")
    return labels


KEYS = {}
LABELS = _read("""
EMAIL en: email | e-mail address | contact
EMAIL de: E-Mail | Mailadresse
EMAIL fr: e-mail | adresse électronique
EMAIL es: correo electrónico
EMAIL pt: e-mail
EMAIL it: indirizzo e-mail
EMAIL pl: e-mail
EMAIL sv: e-post
EMAIL tr: e-posta
EMAIL zh: 邮箱 | 电子邮件
EMAIL ja: メールアドレス
EMAIL ko: 이메일
EMAIL keys: email | contact_email | user_email | mail
PHONE en: phone | mobile | cell number
PHONE de: Telefon | Handynummer
PHONE fr: téléphone | portable
PHONE es: teléfono | móvil
PHONE pt: telefone | celular
PHONE it: telefono | cellulare
PHONE nl: telefoonnummer
PHONE pl: telefon
PHONE sv: telefon
PHONE tr: telefon
PHONE zh: 电话 | 手机号
PHONE ja: 電話番号 | 携帯
PHONE ko: 전화번호
PHONE keys: phone | phone_number | mobile | tel
PHONE_LOCAL en: phone | call me at | mobile | tel.
PHONE_LOCAL de: Telefon | Tel.
PHONE_LOCAL fr: téléphone | Tél.
PHONE_LOCAL es: teléfono | móvil
PHONE_LOCAL pt: telefone | celular
PHONE_LOCAL zh: 电话 | 手机号
PHONE_LOCAL ja: 電話番号
PHONE_LOCAL ko: 전화번호
PHONE_LOCAL keys: phone | phone_number | mobile | telephone
CREDIT_CARD en: credit card | card number | Visa card
CREDIT_CARD de: Kreditkarte | Kartennummer
CREDIT_CARD fr: carte bancaire | numéro de carte
CREDIT_CARD es: tarjeta de crédito
CREDIT_CARD pt: cartão de crédito
CREDIT_CARD it: carta di credito
CREDIT_CARD zh: 信用卡号 | 银行卡
CREDIT_CARD ja: クレジットカード番号
CREDIT_CARD ko: 카드번호
CREDIT_CARD keys: card_number | credit_card | pan | cc_number
IBAN en: IBAN | bank account
IBAN de: IBAN | Kontoverbindung
IBAN fr: IBAN
IBAN es: IBAN
IBAN it: IBAN
IBAN nl: IBAN
IBAN pl: IBAN
IBAN zh: IBAN
IBAN ja: IBAN
IBAN keys: iban | bank_iban | account_iban | payee_iban
CRYPTO_WALLET en: wallet address | BTC address | wallet
CRYPTO_WALLET de: Wallet-Adresse
CRYPTO_WALLET fr: adresse du portefeuille
CRYPTO_WALLET zh: 钱包地址
CRYPTO_WALLET ja: ウォレットアドレス
CRYPTO_WALLET keys: wallet | wallet_address | btc_address | payout_address
MAC en: MAC address | hardware address
MAC de: MAC-Adresse
MAC fr: adresse MAC
MAC zh: MAC地址
MAC ja: MACアドレス
MAC keys: mac | mac_address | hwaddr | bssid
IP en: IP address | client IP | remote address
IP de: IP-Adresse
IP fr: adresse IP
IP es: dirección IP
IP zh: IP地址
IP ja: IPアドレス
IP keys: ip | client_ip | remote_addr | ip_address
SSN en: SSN | social security number | social
SSN es: número de seguro social
SSN keys: ssn | social_security_number | tax_ssn | employee_ssn
ITIN en: ITIN | individual taxpayer identification number
ITIN keys: itin | taxpayer_itin
EIN en: EIN | employer identification number | federal tax ID
EIN keys: ein | employer_id | federal_ein
ABA_ROUTING en: routing number | ABA routing number | ABA | RTN
ABA_ROUTING keys: routing_number | aba | aba_routing | rtn
NPI en: NPI | national provider identifier
NPI keys: npi | provider_npi | npi_number
MBI en: MBI | Medicare number | Medicare beneficiary identifier
MBI keys: mbi | medicare_number | medicare_id
DEA en: DEA number | DEA registration | DEA
DEA keys: dea | dea_number | prescriber_dea
SIN en: SIN | social insurance number
SIN fr: NAS | numéro d'assurance sociale
SIN keys: sin | social_insurance_number
NINO en: National Insurance number | NINO | NI number
NINO keys: nino | national_insurance_number | ni_number
NHS_NUMBER en: NHS number | NHS no.
NHS_NUMBER keys: nhs_number | nhs | patient_nhs_no
PAN en: PAN | PAN card | permanent account number
PAN keys: pan | pan_number | pan_card
AADHAAR en: Aadhaar | Aadhaar number | UIDAI number
AADHAAR keys: aadhaar | aadhaar_number | uid_aadhaar
GSTIN en: GSTIN | GST number
GSTIN keys: gstin | gst_number | supplier_gstin
VOTER_ID en: voter ID | EPIC number | voter card
VOTER_ID keys: voter_id | epic_no | voter_card
CODICE_FISCALE it: codice fiscale | CF
CODICE_FISCALE en: Italian fiscal code | codice fiscale
CODICE_FISCALE keys: codice_fiscale | fiscal_code | cod_fiscale
NIR fr: numéro de sécurité sociale | NIR | n° sécu
NIR en: French social security number | NIR
NIR keys: nir | numero_securite_sociale | num_secu
HETU fi: henkilötunnus | hetu
HETU en: Finnish personal identity code | henkilötunnus
HETU keys: hetu | henkilotunnus | personal_identity_code
PERSONNUMMER sv: personnummer | personnr
PERSONNUMMER en: Swedish personal number | personnummer
PERSONNUMMER keys: personnummer | personal_number | pnr
CPR da: CPR-nummer | CPR
CPR en: Danish CPR number | CPR number
CPR keys: cpr | cpr_number | cprnr
FODSELSNUMMER no: fødselsnummer | personnummer
FODSELSNUMMER en: Norwegian national ID | fødselsnummer
FODSELSNUMMER keys: fodselsnummer | national_id_no | fnr
NRIC en: NRIC | FIN | NRIC number
NRIC keys: nric | nric_no | nric_fin
CPF pt: CPF | CPF do titular
CPF en: CPF | Brazilian CPF
CPF keys: cpf | cpf_titular | documento_cpf
CNPJ pt: CNPJ | CNPJ da empresa
CNPJ en: CNPJ
CNPJ keys: cnpj | cnpj_fornecedor
PESEL pl: PESEL | numer PESEL
PESEL en: PESEL | PESEL number
PESEL keys: pesel | nr_pesel
BSN nl: BSN | burgerservicenummer | sofinummer
BSN en: BSN | Dutch citizen service number
BSN keys: bsn | burgerservicenummer
TFN en: TFN | tax file number
TFN keys: tfn | tax_file_number
ABN en: ABN | Australian Business Number
ABN keys: abn | supplier_abn
MEDICARE_AU en: Medicare card number | Medicare number | Medicare
MEDICARE_AU keys: medicare_number | medicare_card | medicare_no
MY_NUMBER ja: マイナンバー | 個人番号
MY_NUMBER en: My Number | individual number (My Number)
MY_NUMBER keys: my_number | mynumber | kojin_bango
RRN ko: 주민등록번호 | 주민번호
RRN en: resident registration number | RRN
RRN keys: rrn | resident_registration_number | jumin
CHINA_ID zh: 身份证号 | 身份证号码 | 证件号
CHINA_ID en: Chinese ID number | resident ID
CHINA_ID keys: id_card | china_id | identity_card_no | sfzh
DNI es: DNI | NIE | NIF | DNI/NIE
DNI en: DNI | Spanish DNI | NIE
DNI keys: dni | nie | dni_nie
STEUER_ID de: Steuer-ID | Steueridentifikationsnummer | IdNr. | steuerliche Identifikationsnummer
STEUER_ID en: German tax ID | Steuer-ID
STEUER_ID keys: steuer_id | steueridentifikationsnummer | tax_id_de
CURP es: CURP | clave CURP
CURP en: CURP
CURP keys: curp | curp_empleado
CUIT es: CUIT | CUIL | CUIT/CUIL
CUIT en: CUIT
CUIT keys: cuit | cuil | cuit_cliente
RUT es: RUT | RUN | RUT del cliente
RUT en: RUT | Chilean RUT
RUT keys: rut | rut_cliente | run
TCKN tr: T.C. Kimlik No | TC kimlik numarası | TCKN
TCKN en: Turkish ID number | TC Kimlik
TCKN keys: tckn | tc_kimlik_no | kimlik_no
RODNE_CISLO cs: rodné číslo | r.č. | RČ
RODNE_CISLO sk: rodné číslo
RODNE_CISLO en: Czech birth number | rodné číslo
RODNE_CISLO keys: rodne_cislo | birth_number | rc
CNP ro: CNP | cod numeric personal
CNP en: Romanian CNP | CNP
CNP keys: cnp | cod_numeric_personal
EGN bg: ЕГН | единен граждански номер
EGN en: EGN | Bulgarian EGN
EGN keys: egn | egn_number
OIB hr: OIB | osobni identifikacijski broj
OIB en: OIB | Croatian OIB
OIB keys: oib | oib_broj
NIF_PT pt: NIF | número de contribuinte | NIF do cliente
NIF_PT en: Portuguese NIF | NIF
NIF_PT keys: nif | nif_cliente | contribuinte
PPSN en: PPS number | PPSN | PPS No.
PPSN keys: ppsn | pps_number | pps_no
AHV de: AHV-Nummer | AHV-Nr.
AHV fr: numéro AVS | No AVS
AHV it: numero AVS
AHV en: AHV number
AHV keys: ahv_nummer | avs_number | ahv
BELGIAN_NN nl: rijksregisternummer | INSZ
BELGIAN_NN fr: numéro de registre national | NISS
BELGIAN_NN en: Belgian national number
BELGIAN_NN keys: rijksregisternummer | national_register_number | niss
SA_ID en: South African ID | RSA ID number | SA ID number
SA_ID nl: ID-nommer
SA_ID keys: sa_id | rsa_id_number | sa_id_number
ISRAELI_ID he: תעודת זהות | ת.ז.
ISRAELI_ID en: Israeli ID | teudat zehut | Israeli ID number
ISRAELI_ID keys: israeli_id | teudat_zehut
THAI_ID th: เลขประจำตัวประชาชน | บัตรประชาชน
THAI_ID en: Thai national ID | Thai ID
THAI_ID keys: thai_id | thai_national_id
HKID en: HKID | Hong Kong ID | HKID number
HKID zh: 香港身份證 | 身份證號碼
HKID keys: hkid | hkid_no | hk_identity_card
SWIFT_BIC en: BIC | SWIFT code | SWIFT/BIC
SWIFT_BIC de: BIC | BIC/SWIFT
SWIFT_BIC fr: BIC | code BIC
SWIFT_BIC es: código SWIFT
SWIFT_BIC keys: bic | swift | swift_code | swift_bic
IMEI en: IMEI | device IMEI
IMEI de: IMEI | IMEI-Nummer
IMEI zh: IMEI
IMEI fr: IMEI
IMEI keys: imei | device_imei | imei_number
VIN en: VIN | vehicle identification number | chassis number
VIN de: FIN | Fahrgestellnummer
VIN fr: numéro VIN
VIN keys: vin | vin_number | vehicle_vin
PASSPORT en: passport | passport number | passport no.
PASSPORT de: Reisepass | Passnummer | Reisepassnummer
PASSPORT fr: passeport | numéro de passeport
PASSPORT es: pasaporte | número de pasaporte
PASSPORT it: passaporto
PASSPORT pt: passaporte
PASSPORT zh: 护照 | 护照号码
PASSPORT ja: パスポート番号 | 旅券番号
PASSPORT ko: 여권번호
PASSPORT keys: passport | passport_number | passport_no
DRIVING_LICENCE en: driver's license | driving licence | driver license number | DL number
DRIVING_LICENCE de: Führerschein | Führerscheinnummer
DRIVING_LICENCE it: patente di guida
DRIVING_LICENCE keys: driver_license | driving_licence_no | license_number | dl_number
BANK_ACCOUNT en: account number | bank account | checking account number | a/c no.
BANK_ACCOUNT de: Kontonummer | Konto-Nr.
BANK_ACCOUNT fr: numéro de compte
BANK_ACCOUNT es: número de cuenta
BANK_ACCOUNT zh: 银行账号 | 账号
BANK_ACCOUNT ja: 口座番号
BANK_ACCOUNT keys: account_number | bank_account | bank_account_number | acct_no
SORT_CODE en: sort code | sort-code | bank sort code
SORT_CODE keys: sort_code | sortcode | bank_sort_code
DATE_OF_BIRTH en: date of birth | DOB | birth date | born
DATE_OF_BIRTH de: Geburtsdatum | geboren am
DATE_OF_BIRTH fr: date de naissance | né le
DATE_OF_BIRTH es: fecha de nacimiento
DATE_OF_BIRTH pt: data de nascimento
DATE_OF_BIRTH it: data di nascita
DATE_OF_BIRTH nl: geboortedatum
DATE_OF_BIRTH pl: data urodzenia
DATE_OF_BIRTH zh: 出生日期
DATE_OF_BIRTH ja: 生年月日
DATE_OF_BIRTH ko: 생년월일
DATE_OF_BIRTH keys: date_of_birth | dob | birth_date | birthdate
JWT en: token | session token | JWT | access token
JWT de: Token
JWT fr: jeton
JWT zh: 令牌
JWT keys: token | id_token | jwt | session
API_KEY en: API key | key | token
API_KEY de: API-Schlüssel | Schlüssel
API_KEY fr: clé API
API_KEY es: clave de API
API_KEY zh: 密钥 | API密钥
API_KEY ja: APIキー
API_KEY keys: api_key | token | apiToken | access_key
PASSWORD en: password | passphrase | pwd | admin password
PASSWORD de: Passwort | Kennwort
PASSWORD fr: mot de passe
PASSWORD es: contraseña
PASSWORD pt: senha
PASSWORD it: password
PASSWORD nl: wachtwoord
PASSWORD pl: hasło
PASSWORD sv: lösenord
PASSWORD tr: parola
PASSWORD zh: 密码
PASSWORD ja: パスワード
PASSWORD ko: 비밀번호
PASSWORD keys: password | db_password | passwd | smtp_password | pwd
WEBHOOK_URL en: webhook | webhook URL | incoming webhook
WEBHOOK_URL de: Webhook
WEBHOOK_URL keys: webhook | webhook_url | slack_webhook | notify_url
""")
