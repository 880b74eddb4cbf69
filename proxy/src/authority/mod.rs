//! The local CA, and the certificates with which the port and intercepted hosts are served.
//!
//! A key and a certificate in a folder beside the state file, made at the first start. The
//! certificate says for which hosts it may sign (`permitted`). Leaves are made when a client asks
//! for a host, last a day, and are in memory only.
//!
//! Programs trust the CA because their user told them to, one by one: nothing here touches what
//! the system trusts, and no request is read or sent.

mod certificate;
mod error;
mod files;
mod leaves;
mod permitted;
mod roots;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use rcgen::PublicKeyData;
use rustls::ServerConfig;

pub use certificate::Facts;
pub use error::AuthorityError;
pub use files::Folder;
pub use permitted::{Host, NotAHost, Permitted};
pub use roots::system_roots;

use certificate::Ca;
use files::{Locked, Stamp};
use leaves::{Leaves, Resolver, Signer, Whose};

/// A CA at work. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Authority(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    signer: Signer,
    /// None once the files were removed.
    current: ArcSwapOption<Current>,
    on_disk: Mutex<OnDisk>,
}

/// A CA and what it signed.
#[derive(Debug)]
struct Current {
    ca: Ca,
    leaves: Leaves,
}

/// What was last seen of the files, and what their certificate has to permit.
#[derive(Debug)]
struct OnDisk {
    stamp: Stamp,
    needed: Permitted,
    /// When to try again what failed although the files did not change.
    again: SystemTime,
}

/// How long to wait before a certificate that is about to end is tried to be issued again.
const AGAIN: Duration = Duration::from_hours(1);

impl Authority {
    /// Reads the CA, or makes one. It may sign for `needed` afterwards, and for what it could
    /// before: a certificate that permits less is issued anew, with the same key.
    pub fn open(folder: Folder, needed: Permitted) -> Result<Self, AuthorityError> {
        let signer = Signer::new()?;
        let locked = folder.lock()?;
        let ca = load(&locked, &folder, &needed, SystemTime::now())?;
        let stamp = folder.stamp();
        drop(locked);
        Ok(Self(Arc::new(Inner {
            folder,
            signer,
            current: ArcSwapOption::from_pointee(Current::new(ca)),
            on_disk: Mutex::new(OnDisk { stamp, needed, again: SystemTime::UNIX_EPOCH }),
        })))
    }

    /// Where the files are.
    pub fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// What the certificate says; none once the files were removed.
    pub fn facts(&self) -> Option<Facts> {
        self.0.current.load().as_ref().map(|current| current.ca.facts.clone())
    }

    /// Signs for these hosts from now on, where the configuration changed.
    pub fn permit(&self, needed: Permitted) -> Result<(), AuthorityError> {
        let mut on_disk = self.0.on_disk.lock().unwrap_or_else(PoisonError::into_inner);
        on_disk.needed = needed;
        if self.facts().is_none_or(|facts| missing(&facts, &on_disk.needed).is_none()) {
            return Ok(());
        }
        self.0.reload(&mut on_disk)
    }

    /// Takes over a CA that was replaced or removed, and issues one anew that is about to end.
    /// Reads files: not for a thread that serves calls.
    pub fn tend(&self) -> Result<(), AuthorityError> {
        let mut on_disk = self.0.on_disk.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let due = on_disk.again <= now && self.facts().is_some_and(|facts| facts.is_due(now));
        if due {
            on_disk.again = now + AGAIN;
        }
        if !due && on_disk.stamp == self.0.folder.stamp() {
            return Ok(());
        }
        self.0.reload(&mut on_disk)
    }

    /// Serves a host as itself, whatever name the client asks for within TLS.
    pub fn server_config(&self, host: &Host) -> Result<Arc<ServerConfig>, AuthorityError> {
        if !self.permits(host) {
            return Err(AuthorityError::NotPermitted(host.clone()));
        }
        self.config(Whose::Host(host.clone()))
    }

    /// Serves the port itself, reached at this address: by the name the client asks for, and
    /// where it asks for none, as this machine.
    pub fn port_config(&self, reached: IpAddr) -> Result<Arc<ServerConfig>, AuthorityError> {
        self.config(Whose::Port(reached))
    }

    /// Whether certificates for this host may be issued.
    pub fn permits(&self, host: &Host) -> bool {
        let current = self.0.current.load();
        current.as_ref().is_some_and(|current| current.ca.facts.permitted.permits(host))
    }

    fn config(&self, whose: Whose) -> Result<Arc<ServerConfig>, AuthorityError> {
        Ok(Arc::new(self.0.signer.config(Resolver::new(self.clone(), whose))?))
    }
}

impl Folder {
    /// What the certificate in the folder says, if there is one.
    pub fn facts(&self) -> Result<Option<Facts>, AuthorityError> {
        let Some(der) = self.read_certificate()? else { return Ok(None) };
        Ok(Some(certificate::read(&der, &self.certificate())?.0))
    }

    /// Makes a new key and certificate; the old ones are gone.
    pub fn rotate(&self, permitted: &Permitted) -> Result<Facts, AuthorityError> {
        let locked = self.lock()?;
        let key = certificate::new_key()?;
        locked.write_key(&key)?;
        Ok(issue(&locked, key, permitted, SystemTime::now())?.facts)
    }

    /// Removes the files; false where there were none.
    pub fn remove(&self) -> Result<bool, AuthorityError> {
        if self.path().exists() { self.lock()?.remove() } else { Ok(false) }
    }
}

impl Current {
    fn new(ca: Ca) -> Self {
        Self { ca, leaves: Leaves::default() }
    }
}

impl Inner {
    /// Reads the files as they are now.
    fn reload(&self, on_disk: &mut OnDisk) -> Result<(), AuthorityError> {
        // What fails once is not tried again until the files change.
        on_disk.stamp = self.folder.stamp();
        if on_disk.stamp.is_none() && !self.folder.key().exists() {
            if self.current.swap(None).is_some() {
                tracing::warn!(
                    folder = %self.folder.path().display(),
                    "the CA was removed: TLS is refused until `iron ca rotate` or the next start"
                );
            }
            return Ok(());
        }
        let locked = self.folder.lock()?;
        let ca = load(&locked, &self.folder, &on_disk.needed, SystemTime::now())?;
        on_disk.stamp = self.folder.stamp();
        drop(locked);
        let before = self.current.load();
        if before.as_ref().is_none_or(|before| before.ca.der != ca.der) {
            tracing::info!(
                subject = ca.facts.subject,
                fingerprint = ca.facts.fingerprint,
                "another CA certificate is in use: programs that trust the one before must read \
                 ca.pem or bundle.pem again"
            );
            self.current.store(Some(Arc::new(Current::new(ca))));
        }
        Ok(())
    }
}

/// The CA in the folder, made where there is none, issued anew where it has to be.
fn load(
    locked: &Locked<'_>,
    folder: &Folder,
    needed: &Permitted,
    now: SystemTime,
) -> Result<Ca, AuthorityError> {
    let found = folder.read_certificate()?;
    let Some(key) = locked.read_key()? else {
        if found.is_some() {
            return Err(AuthorityError::NoKey(folder.key()));
        }
        let key = certificate::new_key()?;
        locked.write_key(&key)?;
        return issue(locked, key, needed, now);
    };
    // A key alone is what a first start left that broke off.
    let Some(der) = found else { return issue(locked, key, needed, now) };
    let (facts, public_key) = certificate::read(&der, &folder.certificate())?;
    if public_key != key.subject_public_key_info() {
        return Err(AuthorityError::NotTogether(folder.path().to_owned()));
    }
    let due = facts.is_due(now).then_some("the one before ends soon");
    let Some(why) = missing(&facts, needed).or(due) else {
        locked.write_bundle(&der)?;
        return Ca::new(der, key, facts);
    };
    tracing::warn!(
        file = %folder.certificate().display(),
        "the CA's certificate is issued anew, with the same key ({why}): programs that read the \
         file at their start must be started again"
    );
    // What was permitted stays: two proxies that share a folder would else take turns.
    let mut permitted = needed.clone();
    permitted.extend(facts.permitted.iter().cloned());
    issue(locked, key, &permitted, now)
}

/// Why a certificate does not fit what is needed, if it does not.
fn missing(facts: &Facts, needed: &Permitted) -> Option<&'static str> {
    if facts.permitted.is_any() && !needed.is_any() {
        Some("the one before permitted every host, and the configuration does not need that")
    } else if facts.permitted.covers(needed) {
        None
    } else {
        Some("the configuration names a host that the one before did not permit")
    }
}

fn issue(
    locked: &Locked<'_>,
    key: rcgen::KeyPair,
    permitted: &Permitted,
    now: SystemTime,
) -> Result<Ca, AuthorityError> {
    let ca = Ca::issue(key, permitted, now)?;
    locked.write_certificate(&ca.der)?;
    Ok(ca)
}
