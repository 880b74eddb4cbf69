//! Certificates for single hosts: made when a client asks, kept for half a day, never written.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};

use super::certificate::{self, Ca};
use super::permitted::Host;
use super::{Authority, AuthorityError};

/// Leaves that are kept at once. Clients choose names, if only among those that are permitted.
const MAX_LEAVES: usize = 1_000;

/// What is offered to clients within TLS, in this order.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The key of all leaves of a process, and how they are served.
pub(super) struct Signer {
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    provider: Arc<CryptoProvider>,
}

/// The leaves that one CA signed.
#[derive(Debug, Default)]
pub(super) struct Leaves(Mutex<HashMap<Host, Leaf>>);

#[derive(Debug)]
struct Leaf {
    served: Arc<CertifiedKey>,
    issued: SystemTime,
    until: SystemTime,
}

/// As whom a connection is served.
#[derive(Debug)]
pub(super) enum Whose {
    /// As one host, always.
    Host(Host),
    /// As the host that the client asks for; where it asks for none, as this machine, reached at
    /// this address.
    Port(IpAddr),
}

/// Chooses the certificate of a connection.
#[derive(Debug)]
pub(super) struct Resolver {
    authority: Authority,
    whose: Whose,
}

impl Signer {
    pub(super) fn new() -> Result<Self, AuthorityError> {
        let key = certificate::new_key()?;
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signing = rustls::crypto::ring::sign::any_ecdsa_type(&der)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self { key, signing, provider })
    }

    /// TLS 1.2 and 1.3, with certificates of this resolver.
    pub(super) fn config(&self, resolver: Resolver) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        // Nothing is resumed: a session must not outlive the CA that it was made under, and a
        // handshake on one machine costs less than the memory of what could be resumed.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Leaves {
    /// The certificate for the first of these names, and the others with it.
    pub(super) fn of(
        &self,
        ca: &Ca,
        signer: &Signer,
        names: &[Host],
        now: SystemTime,
    ) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let Some(first) = names.first() else { return Err(AuthorityError::Removed) };
        let mut leaves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(first) {
            // Not from the future either: clocks jump back, too.
            if leaf.issued <= now && now < leaf.until {
                return Ok(Arc::clone(&leaf.served));
            }
        }
        let (der, until) = ca.leaf(&signer.key, names, now)?;
        let served = Arc::new(CertifiedKey::new(vec![der], Arc::clone(&signer.signing)));
        if leaves.len() >= MAX_LEAVES && !leaves.contains_key(first) {
            let oldest = leaves.iter().min_by_key(|(_, leaf)| leaf.issued);
            if let Some(oldest) = oldest.map(|(host, _)| host.clone()) {
                leaves.remove(&oldest);
            }
        }
        let leaf = Leaf { served: Arc::clone(&served), issued: now, until };
        leaves.insert(first.clone(), leaf);
        Ok(served)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Resolver {
    pub(super) const fn new(authority: Authority, whose: Whose) -> Self {
        Self { authority, whose }
    }

    /// The names of the certificate to show; the first is what it is kept under.
    fn names(&self, asked: Option<&str>) -> Result<Vec<Host>, AuthorityError> {
        let reached = match (&self.whose, asked) {
            (Whose::Host(host), _) => return Ok(vec![host.clone()]),
            (Whose::Port(reached), None | Some("localhost")) => *reached,
            (Whose::Port(_), Some(name)) => {
                let host = name.parse().map_err(|_| AuthorityError::BadName)?;
                return Ok(vec![host]);
            }
        };
        let machine = [
            Host::Ip(reached.to_canonical()),
            Host::Dns("localhost".to_owned()),
            Host::Ip(Ipv4Addr::LOCALHOST.into()),
            Host::Ip(Ipv6Addr::LOCALHOST.into()),
        ];
        let mut names = Vec::with_capacity(machine.len());
        for name in machine {
            if !names.contains(&name) && self.authority.permits(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn certificate(&self, asked: Option<&str>) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let names = self.names(asked)?;
        let current = self.authority.0.current.load();
        let current = current.as_ref().ok_or(AuthorityError::Removed)?;
        if let Some(name) = names.iter().find(|name| !current.ca.facts.permitted.permits(name)) {
            return Err(AuthorityError::NotPermitted(name.clone()));
        }
        current.leaves.of(&current.ca, &self.authority.0.signer, &names, SystemTime::now())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match self.certificate(hello.server_name()) {
            Ok(served) => Some(served),
            Err(error) => {
                tracing::warn!(%error, "a TLS connection is refused");
                None
            }
        }
    }
}
