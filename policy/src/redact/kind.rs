//! What can be found, how sure a rule is, and what is done about it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares the built-in kinds once: the enum, its list, the names and the defaults.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $default:ident;)*) => {
        /// What a found value is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
            /// What a rule of the operator's own finds.
            Custom(Label),
        }

        /// Every built-in kind, in the order in which they are shown.
        pub const KINDS: [Kind; BUILT_IN] = [$(Kind::$variant),*];

        const BUILT_IN: usize = [$($name),*].len();
        const NAMES: [&str; BUILT_IN] = [$($name),*];
        const DEFAULTS: [Mode; BUILT_IN] = [$(Mode::$default),*];

        /// The same without data, for the place of each.
        #[derive(Clone, Copy)]
        enum Place { $($variant),* }

        impl Kind {
            /// The place in [`KINDS`]; none for an operator's own.
            const fn place(self) -> Option<usize> {
                match self {
                    $(Self::$variant => Some(Place::$variant as usize),)*
                    Self::Custom(_) => None,
                }
            }
        }
    };
}

kinds! {
    /// An e-mail address.
    Email = "EMAIL", Reversible;
    /// A phone number.
    Phone = "PHONE", Reversible;
    /// A payment card's number.
    CreditCard = "CREDIT_CARD", Reversible;
    /// An international bank account number.
    Iban = "IBAN", Reversible;
    /// A bank account's number in a national form.
    BankAccount = "BANK_ACCOUNT", Reversible;
    /// A British sort code.
    SortCode = "SORT_CODE", Reversible;
    /// A United States bank's routing number.
    AbaRouting = "ABA_ROUTING", Reversible;
    /// A bank's SWIFT code (BIC).
    SwiftBic = "SWIFT_BIC", Reversible;
    /// An address of a cryptocurrency wallet.
    CryptoWallet = "CRYPTO_WALLET", Reversible;
    /// A public IPv4 or IPv6 address.
    Ip = "IP", Reversible;
    /// A network card's address.
    Mac = "MAC", Reversible;
    /// A mobile device's number.
    Imei = "IMEI", Reversible;
    /// A vehicle's identification number.
    Vin = "VIN", Reversible;
    /// A date of birth.
    DateOfBirth = "DATE_OF_BIRTH", Reversible;
    /// A passport's number.
    Passport = "PASSPORT", Reversible;
    /// A driving licence's number.
    DrivingLicence = "DRIVING_LICENCE", Reversible;

    /// United States: social security number.
    Ssn = "SSN", Reversible;
    /// United States: individual taxpayer number.
    Itin = "ITIN", Reversible;
    /// United States: employer's number.
    Ein = "EIN", Reversible;
    /// United States: a health care provider's number.
    Npi = "NPI", Reversible;
    /// United States: Medicare beneficiary identifier.
    Mbi = "MBI", Reversible;
    /// United States: a prescriber's registration.
    Dea = "DEA", Reversible;
    /// Canada: social insurance number.
    Sin = "SIN", Reversible;
    /// United Kingdom: national insurance number.
    Nino = "NINO", Reversible;
    /// United Kingdom: NHS number.
    NhsNumber = "NHS_NUMBER", Reversible;
    /// Ireland: personal public service number.
    Ppsn = "PPSN", Reversible;
    /// India: permanent account number.
    Pan = "PAN", Reversible;
    /// India: Aadhaar.
    Aadhaar = "AADHAAR", Reversible;
    /// India: goods and services tax number.
    Gstin = "GSTIN", Reversible;
    /// India: voter's card.
    VoterId = "VOTER_ID", Reversible;
    /// Italy: codice fiscale.
    CodiceFiscale = "CODICE_FISCALE", Reversible;
    /// France: numéro de sécurité sociale.
    Nir = "NIR", Reversible;
    /// Finland: henkilötunnus.
    Hetu = "HETU", Reversible;
    /// Sweden: personnummer.
    Personnummer = "PERSONNUMMER", Reversible;
    /// Denmark: CPR number.
    Cpr = "CPR", Reversible;
    /// Norway: fødselsnummer.
    Fodselsnummer = "FODSELSNUMMER", Reversible;
    /// Germany: tax identification number.
    SteuerId = "STEUER_ID", Reversible;
    /// Netherlands: burgerservicenummer.
    Bsn = "BSN", Reversible;
    /// Belgium: national register number.
    BelgianNn = "BELGIAN_NN", Reversible;
    /// Switzerland: AHV number.
    Ahv = "AHV", Reversible;
    /// Spain: DNI and NIE.
    Dni = "DNI", Reversible;
    /// Portugal: tax number.
    NifPt = "NIF_PT", Reversible;
    /// Poland: PESEL.
    Pesel = "PESEL", Reversible;
    /// Czechia and Slovakia: rodné číslo.
    RodneCislo = "RODNE_CISLO", Reversible;
    /// Romania: personal numeric code.
    Cnp = "CNP", Reversible;
    /// Bulgaria: uniform civil number.
    Egn = "EGN", Reversible;
    /// Croatia: personal identification number.
    Oib = "OIB", Reversible;
    /// Turkey: identity number.
    Tckn = "TCKN", Reversible;
    /// Israel: identity number.
    IsraeliId = "ISRAELI_ID", Reversible;
    /// South Africa: identity number.
    SaId = "SA_ID", Reversible;
    /// Brazil: a person's tax number.
    Cpf = "CPF", Reversible;
    /// Brazil: a company's tax number.
    Cnpj = "CNPJ", Reversible;
    /// Mexico: population registry code.
    Curp = "CURP", Reversible;
    /// Argentina: tax number.
    Cuit = "CUIT", Reversible;
    /// Chile: RUT.
    Rut = "RUT", Reversible;
    /// Australia: tax file number.
    Tfn = "TFN", Reversible;
    /// Australia: business number.
    Abn = "ABN", Reversible;
    /// Australia: Medicare card.
    MedicareAu = "MEDICARE_AU", Reversible;
    /// Singapore: NRIC and FIN.
    Nric = "NRIC", Reversible;
    /// Hong Kong: identity card.
    Hkid = "HKID", Reversible;
    /// Japan: My Number.
    MyNumber = "MY_NUMBER", Reversible;
    /// South Korea: resident registration number.
    Rrn = "RRN", Reversible;
    /// China: resident identity number.
    ChinaId = "CHINA_ID", Reversible;
    /// Thailand: identity number.
    ThaiId = "THAI_ID", Reversible;

    /// A JSON web token.
    Jwt = "JWT", Reversible;
    /// A private key in PEM armour.
    PrivateKey = "PRIVATE_KEY", Reversible;
    /// A key of an API or of a service, known by its form.
    ApiKey = "API_KEY", Reversible;
    /// A secret without a form of its own, known by the name it is given.
    Secret = "SECRET", Reversible;
    /// A password.
    Password = "PASSWORD", Reversible;
    /// The password of a URL or of a connection string.
    Credentials = "CREDENTIALS", Reversible;
    /// The value of a Basic or Bearer authorization.
    AuthHeader = "AUTH_HEADER", Reversible;
    /// A URL that lets whoever knows it post messages.
    WebhookUrl = "WEBHOOK_URL", Reversible;

    /// A URL.
    Url = "URL", Off;
    /// A date.
    Date = "DATE", Off;
    /// A UUID.
    Uuid = "UUID", Off;
    /// A digest in hexadecimal.
    Hash = "HASH", Off;
    /// A postal code of the United States.
    Zip = "ZIP", Off;
    /// A person's name, as a recogniser finds it.
    Person = "PERSON", Off;
    /// A place, as a recogniser finds it.
    Location = "LOCATION", Off;
    /// An organisation, as a recogniser finds it.
    Organization = "ORGANIZATION", Off;
}

impl Kind {
    /// The name in configuration, placeholders, records and output.
    pub fn name(&self) -> &str {
        match self {
            Self::Custom(label) => label.as_str(),
            built_in => built_in.place().map_or("", |place| NAMES[place]),
        }
    }

    /// True for what opens doors, as keys and passwords do.
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Jwt
                | Self::PrivateKey
                | Self::ApiKey
                | Self::Secret
                | Self::Password
                | Self::Credentials
                | Self::AuthHeader
                | Self::WebhookUrl
        )
    }

    /// What is done about it where the policy says nothing.
    pub fn default_mode(self) -> Mode {
        self.place().map_or(Mode::default(), |place| DEFAULTS[place])
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name of a kind that the operator made up: 2 to 20 of `A-Z 0-9 _`, a letter first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    bytes: [u8; Label::LONGEST],
    length: u8,
}

impl Label {
    /// The most characters in a kind's name.
    pub const LONGEST: usize = 20;

    /// The name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no name of a kind: `iron policy kinds` lists them; a kind of your own is named with \
     2 to 20 of A-Z, 0-9 and _, a letter first"
)]
pub struct UnknownKind(pub String);

/// Reads a name in any case. What is no built-in kind's is taken as an operator's own.
impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let built_in = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text));
        if let Some(place) = built_in {
            return Ok(KINDS[place]);
        }
        let upper = text.to_ascii_uppercase();
        let fits = (2..=Label::LONGEST).contains(&upper.len())
            && upper.starts_with(|first: char| first.is_ascii_uppercase())
            && !upper.ends_with('_')
            && upper.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !fits {
            return Err(UnknownKind(text.chars().take(80).collect()));
        }
        let mut bytes = [0; Label::LONGEST];
        bytes[..upper.len()].copy_from_slice(upper.as_bytes());
        Ok(Self::Custom(Label { bytes, length: upper.len() as u8 }))
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How sure a rule is of what it found, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A shape that little else has.
    Shape,
    /// A common shape that a label or words around it explain.
    Context,
    /// A prefix or armour that only this kind of secret carries.
    Prefix,
    /// A checksum holds.
    Checksum,
}

/// What is done about a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is not looked for.
    Off,
    /// It is reported and leaves as it is.
    Detect,
    /// It is replaced for good: `<EMAIL>`.
    Mask,
    /// It is replaced on the way out and put back on the way in: `<EMAIL_kq7mzvt2ah>`.
    #[default]
    Reversible,
    /// The request is to be refused. Values are masked as well, so that a caller who forgets to
    /// refuse leaks nothing.
    Block,
}

impl Mode {
    /// True where the value must not leave.
    pub const fn protects(self) -> bool {
        matches!(self, Self::Mask | Self::Reversible | Self::Block)
    }
}

/// The mode of every kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    built_in: [Mode; BUILT_IN],
    custom: BTreeMap<Label, Mode>,
    /// Of the operator's kinds that are not named.
    otherwise: Mode,
}

impl Modes {
    /// One mode for all kinds that are looked for by default.
    pub fn all(mode: Mode) -> Self {
        let built_in = DEFAULTS.map(|default| if default == Mode::Off { Mode::Off } else { mode });
        Self { built_in, custom: BTreeMap::new(), otherwise: mode }
    }

    /// With another mode for one kind.
    #[must_use]
    pub fn with(mut self, kind: Kind, mode: Mode) -> Self {
        match (kind, kind.place()) {
            (_, Some(place)) => self.built_in[place] = mode,
            (Kind::Custom(label), None) => {
                self.custom.insert(label, mode);
            }
            _ => {}
        }
        self
    }

    /// The mode of one kind.
    pub fn of(&self, kind: Kind) -> Mode {
        match (kind, kind.place()) {
            (_, Some(place)) => self.built_in[place],
            (Kind::Custom(label), None) => {
                self.custom.get(&label).copied().unwrap_or(self.otherwise)
            }
            _ => self.otherwise,
        }
    }

    /// True where values of some kind are put back later.
    pub fn any_reversible(&self) -> bool {
        self.otherwise == Mode::Reversible
            || self.built_in.contains(&Mode::Reversible)
            || self.custom.values().any(|mode| *mode == Mode::Reversible)
    }
}

impl Default for Modes {
    fn default() -> Self {
        Self::all(Mode::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place_and_is_read_by_its_name() {
        for (place, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind.place(), Some(place));
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(kind.name().to_lowercase().parse(), Ok(kind));
            assert!(kind.name().len() <= Label::LONGEST);
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
        }
    }

    #[test]
    fn a_kind_of_the_operators_own_is_named_in_a_fixed_form() {
        let own: Kind = "employee_id".parse().unwrap();
        assert_eq!(own.name(), "EMPLOYEE_ID");
        for wrong in ["E-MAIL", "", "A", "9LIVES", "A_", "THIS_NAME_IS_FAR_TOO_LONG", "É"] {
            assert!(wrong.parse::<Kind>().is_err(), "{wrong}");
        }
        let modes = Modes::all(Mode::Mask);
        assert_eq!(modes.of(own), Mode::Mask);
        assert_eq!(modes.with(own, Mode::Block).of(own), Mode::Block);
    }

    #[test]
    fn one_kind_can_differ_from_the_rest() {
        let modes = Modes::all(Mode::Mask).with(Kind::Ip, Mode::Off);
        assert_eq!(modes.of(Kind::Ip), Mode::Off);
        assert_eq!(modes.of(Kind::Email), Mode::Mask);
        assert_eq!(modes.of(Kind::Url), Mode::Off);
        assert!(!modes.any_reversible());
    }
}
