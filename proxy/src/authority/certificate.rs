//! What the certificates say: the CA's own, and the short-lived ones that it signs.
//!
//! Pure but for randomness: no files, and the time is an argument.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, GeneralSubtree as X509Subtree};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::AuthorityError;
use super::permitted::{Host, LOOPBACK, Permitted};

/// What the common name of every CA of ours begins with.
pub(super) const SUBJECT: &str = "Iron Cage local CA ";

/// How long a CA's certificate is valid.
const CA_LIFE: Duration = Duration::from_hours(2 * 365 * 24);
/// It is issued anew when no more than this is left, so that programs that read it at their
/// start have time to start.
const CA_MARGIN: Duration = Duration::from_hours(60 * 24);
/// A CA's certificate says that it began earlier, and its leaves may then too.
const CA_BACKDATE: Duration = Duration::from_hours(24);

/// How long a leaf is valid from when it is issued.
const LEAF_LIFE: Duration = Duration::from_hours(24);
/// A leaf says that it began earlier: clocks of containers and virtual machines run behind.
const LEAF_BACKDATE: Duration = Duration::from_hours(1);
/// When a leaf is not handed out any more.
const LEAF_USE: Duration = Duration::from_hours(12);

/// The name under which all names are, and the networks in which all addresses are: constraints
/// that permit everything, where the policy intercepts every host (RFC 5280, section 4.2.1.10).
const EVERY_NAME: &str = "";
const EVERY_ADDRESS: [(IpAddr, u8); 2] =
    [(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)];

/// A CA that can sign.
#[derive(Debug)]
pub(super) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(super) der: CertificateDer<'static>,
    pub(super) facts: Facts,
}

/// What a CA's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The common name.
    pub subject: String,
    /// SHA-256 over the certificate, in hex with colons, as browsers and openssl show it.
    pub fingerprint: String,
    /// When it begins.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
    /// For whom it may sign.
    pub permitted: Permitted,
}

impl Facts {
    /// Whether the certificate should be issued anew at this time: it ends soon, or the clock was
    /// wrong when it was made.
    pub fn is_due(&self, now: SystemTime) -> bool {
        now < self.not_before || now + CA_MARGIN > self.not_after
    }
}

/// A new key.
pub(super) fn new_key() -> Result<KeyPair, AuthorityError> {
    Ok(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?)
}

impl Ca {
    /// A certificate for a key, signed with itself.
    ///
    /// Its subject follows from the key, so that a certificate that is issued anew has the same
    /// one, and another key has another.
    pub(super) fn issue(
        key: KeyPair,
        permitted: &Permitted,
        now: SystemTime,
    ) -> Result<Self, AuthorityError> {
        let hash = Sha256::digest(key.subject_public_key_info());
        let name = format!("{SUBJECT}{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&name);
        params.serial_number = Some(serial()?);
        params.not_before = (now - CA_BACKDATE).into();
        params.not_after = (now + CA_LIFE).into();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: subtrees(permitted),
            excluded_subtrees: Vec::new(),
        });
        let der = params.self_signed(&key)?.der().clone();
        let (facts, _) = read(&der, Path::new("the new certificate"))?;
        Self::new(der, key, facts)
    }

    /// A certificate, what it says, and the key that belongs to it.
    pub(super) fn new(
        der: CertificateDer<'static>,
        key: KeyPair,
        facts: Facts,
    ) -> Result<Self, AuthorityError> {
        Ok(Self { issuer: Issuer::from_ca_cert_der(&der, key)?, der, facts })
    }

    /// The certificate of a server with these names, for `key`, and when to stop using it.
    pub(super) fn leaf(
        &self,
        key: &KeyPair,
        names: &[Host],
        now: SystemTime,
    ) -> Result<(CertificateDer<'static>, SystemTime), AuthorityError> {
        let mut params = CertificateParams::default();
        // No host: names stand in the alternative names, where the constraints are checked.
        params.distinguished_name = subject("Iron Cage");
        params.serial_number = Some(serial()?);
        params.not_before = (now - LEAF_BACKDATE).max(self.facts.not_before).into();
        params.not_after = (now + LEAF_LIFE).min(self.facts.not_after).into();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = names
            .iter()
            .map(|name| match name {
                Host::Dns(name) => Ok(SanType::DnsName(name.as_str().try_into()?)),
                Host::Ip(address) => Ok(SanType::IpAddress(*address)),
            })
            .collect::<Result<_, rcgen::Error>>()?;
        let leaf = params.signed_by(key, &self.issuer)?;
        Ok((leaf.der().clone(), now + LEAF_USE))
    }
}

/// What a certificate says, and its public key; `path` is where it is from.
pub(super) fn read(
    der: &CertificateDer<'_>,
    path: &Path,
) -> Result<(Facts, Vec<u8>), AuthorityError> {
    let broken = || AuthorityError::Unreadable(path.to_owned());
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| broken())?;
    let constraints = certificate.name_constraints().map_err(|_| broken())?;
    let (Some(constraints), true) = (constraints, certificate.is_ca()) else {
        return Err(AuthorityError::Foreign(path.to_owned()));
    };
    let names = certificate.subject().iter_common_name();
    let facts = Facts {
        subject: names.filter_map(|name| name.as_str().ok()).collect(),
        fingerprint: fingerprint(der),
        not_before: time(certificate.validity().not_before.timestamp()),
        not_after: time(certificate.validity().not_after.timestamp()),
        permitted: permitted(constraints.value.permitted_subtrees.as_deref().unwrap_or_default()),
    };
    Ok((facts, certificate.public_key().raw.to_vec()))
}

fn fingerprint(der: &[u8]) -> String {
    let bytes: Vec<_> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "Iron Cage");
    subject.push(DnType::CommonName, name);
    subject
}

/// Random, since a certificate that is issued anew must not have the old one's number.
fn serial() -> Result<SerialNumber, AuthorityError> {
    let mut serial = [0; 16];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut serial)
        .map_err(|_| AuthorityError::NoRandom)?;
    // Positive and of full length (RFC 5280, section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&serial))
}

fn subtrees(permitted: &Permitted) -> Vec<GeneralSubtree> {
    let subnet = |(address, prefix): &(IpAddr, u8)| {
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, *prefix))
    };
    if permitted.is_any() {
        let every = EVERY_ADDRESS.iter().map(subnet);
        return every.chain([GeneralSubtree::DnsName(EVERY_NAME.to_owned())]).collect();
    }
    let hosts = permitted.iter().map(|host| match host {
        Host::Dns(name) => GeneralSubtree::DnsName(name.clone()),
        Host::Ip(address) => subnet(&(*address, if address.is_ipv4() { 32 } else { 128 })),
    });
    hosts.chain(LOOPBACK.iter().map(subnet)).collect()
}

/// What subtrees permit; loopback networks are permitted without being listed.
fn permitted(subtrees: &[X509Subtree<'_>]) -> Permitted {
    let any = subtrees.iter().any(|subtree| match &subtree.base {
        GeneralName::DNSName(name) => *name == EVERY_NAME,
        _ => false,
    });
    let hosts = subtrees.iter().filter_map(|subtree| match &subtree.base {
        GeneralName::DNSName(name) => name.parse().ok(),
        GeneralName::IPAddress(bytes) => {
            let (address, mask) = bytes.split_at(bytes.len() / 2);
            if mask.iter().any(|byte| *byte != u8::MAX) {
                return None;
            }
            let v4 = <[u8; 4]>::try_from(address).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from)).ok().map(Host::Ip)
        }
        _ => None,
    });
    hosts.collect::<Permitted>().with_any(any)
}
