//! Numbers that a state gives to people and companies, one file per number.

mod layout;

pub(super) mod ar_cuit;
pub(super) mod au_abn;
pub(super) mod au_medicare;
pub(super) mod au_tfn;
pub(super) mod br_cnpj;
pub(super) mod br_cpf;
pub(super) mod ca_sin;
pub(super) mod cl_rut;
pub(super) mod cn_id;
pub(super) mod hk_hkid;
pub(super) mod il_id;
pub(super) mod in_aadhaar;
pub(super) mod in_gstin;
pub(super) mod in_pan;
pub(super) mod in_voter_id;
pub(super) mod jp_my_number;
pub(super) mod kr_rrn;
pub(super) mod mx_curp;
pub(super) mod sg_nric;
pub(super) mod th_id;
pub(super) mod us_dea;
pub(super) mod us_ein;
pub(super) mod us_itin;
pub(super) mod us_mbi;
pub(super) mod us_npi;
pub(super) mod us_ssn;
pub(super) mod za_id;
