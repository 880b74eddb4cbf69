//! Numbers that a state gives to people and companies, one file per number.

pub(super) mod us_ssn;

mod layout;

// Europe
pub(super) mod be_national_number;
pub(super) mod bg_egn;
pub(super) mod ch_ahv;
pub(super) mod cz_rodne_cislo;
pub(super) mod de_steuer_id;
pub(super) mod dk_cpr;
pub(super) mod es_dni;
pub(super) mod fi_hetu;
pub(super) mod fr_nir;
pub(super) mod hr_oib;
pub(super) mod ie_ppsn;
pub(super) mod it_codice_fiscale;
pub(super) mod nl_bsn;
pub(super) mod no_fodselsnummer;
pub(super) mod pl_pesel;
pub(super) mod pt_nif;
pub(super) mod ro_cnp;
pub(super) mod se_personnummer;
pub(super) mod tr_tckn;
pub(super) mod uk_nhs;
pub(super) mod uk_nino;
