//! The folder of the CA: `ca.pem`, `bundle.pem`, `ca-key.pem`.
//!
//! Each file is replaced as a whole, under a lock, so that programs that start at the same time
//! make one CA and nobody reads half a file. The key is for its owner alone from its first byte.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::AuthorityError;
use super::roots::system_roots;

const CERTIFICATE: &str = "ca.pem";
const BUNDLE: &str = "bundle.pem";
const KEY: &str = "ca-key.pem";
const LOCK: &str = ".lock";

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// The folder, with everybody else kept from changing it.
pub(super) struct Locked<'a> {
    folder: &'a Folder,
    _lock: File,
}

/// What tells whether a file is another one than before.
pub(super) type Stamp = Option<(u64, SystemTime, u64)>;

impl Folder {
    /// The folder at this path; nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder beside a state file.
    pub fn beside(state: &Path) -> Self {
        Self(state.with_file_name("ca"))
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The certificate alone: for settings that add to what a program trusts.
    pub fn certificate(&self) -> PathBuf {
        self.0.join(CERTIFICATE)
    }

    /// The system's roots and the certificate: for settings that replace what a program trusts.
    pub fn bundle(&self) -> PathBuf {
        self.0.join(BUNDLE)
    }

    /// The private key.
    pub fn key(&self) -> PathBuf {
        self.0.join(KEY)
    }

    /// Makes the folder where it is not there, and locks it.
    pub(super) fn lock(&self) -> Result<Locked<'_>, AuthorityError> {
        let io = |source| AuthorityError::Io { path: self.0.clone(), source };
        match DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(io(error)),
            _ => {}
        }
        let mode = fs::metadata(&self.0).map_err(io)?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(AuthorityError::OpenFolder { path: self.0.clone(), mode: mode & 0o777 });
        }
        let path = self.0.join(LOCK);
        let io = |source| AuthorityError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(&path).map_err(io)?;
        lock.lock().map_err(io)?;
        Ok(Locked { folder: self, _lock: lock })
    }

    /// The certificate, if there is one.
    pub(super) fn read_certificate(
        &self,
    ) -> Result<Option<CertificateDer<'static>>, AuthorityError> {
        let path = self.certificate();
        let Some(text) = read(&path, |_| Ok(()))? else { return Ok(None) };
        let der = CertificateDer::from_pem_slice(text.as_bytes());
        der.map(Some).map_err(|_| AuthorityError::Unreadable(path))
    }

    /// Changes with the certificate's file.
    pub(super) fn stamp(&self) -> Stamp {
        let found = fs::metadata(self.certificate()).ok()?;
        Some((found.ino(), found.modified().ok()?, found.len()))
    }
}

impl Locked<'_> {
    /// The key, if there is one.
    pub(super) fn read_key(&self) -> Result<Option<KeyPair>, AuthorityError> {
        let path = self.folder.key();
        let text = read(&path, |mode| {
            let open = || AuthorityError::OpenKey { path: path.clone(), mode: mode & 0o777 };
            if mode & 0o077 != 0 { Err(open()) } else { Ok(()) }
        })?;
        let Some(text) = text else { return Ok(None) };
        KeyPair::from_pem(&text).map(Some).map_err(|_| AuthorityError::Unreadable(path))
    }

    pub(super) fn write_key(&self, key: &KeyPair) -> Result<(), AuthorityError> {
        let pem = Zeroizing::new(key.serialize_pem());
        self.write(&self.folder.key(), pem.as_bytes(), 0o600)
    }

    /// Writes the certificate, and the bundle with it.
    pub(super) fn write_certificate(&self, der: &CertificateDer<'_>) -> Result<(), AuthorityError> {
        self.write_bundle(der)?;
        self.write(&self.folder.certificate(), pem(der).as_bytes(), 0o644)
    }

    /// Writes the bundle, where it would be another one than before.
    pub(super) fn write_bundle(&self, der: &CertificateDer<'_>) -> Result<(), AuthorityError> {
        let mut text = String::new();
        for root in system_roots() {
            text.push_str(&pem(root));
        }
        text.push_str(&pem(der));
        let path = self.folder.bundle();
        if fs::read(&path).is_ok_and(|before| before == text.as_bytes()) {
            return Ok(());
        }
        self.write(&path, text.as_bytes(), 0o644)
    }

    /// Removes the files; true where there were any.
    pub(super) fn remove(&self) -> Result<bool, AuthorityError> {
        let mut found = false;
        // The key first: what is left of a removal that breaks off can sign nothing.
        for path in [self.folder.key(), self.folder.certificate(), self.folder.bundle()] {
            match fs::remove_file(&path) {
                Ok(()) => found = true,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(AuthorityError::Io { path, source }),
            }
        }
        Ok(found)
    }

    fn write(&self, path: &Path, text: &[u8], mode: u32) -> Result<(), AuthorityError> {
        let write = || -> io::Result<()> {
            // Made with mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(&self.folder.0)?;
            file.write_all(text)?;
            file.as_file().set_permissions(PermissionsExt::from_mode(mode))?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|failed| failed.error)?;
            File::open(&self.folder.0)?.sync_all()
        };
        write().map_err(|source| AuthorityError::Io { path: path.to_owned(), source })
    }
}

/// A file's text, if there is one and its mode is as `check` wants it.
fn read(
    path: &Path,
    check: impl FnOnce(u32) -> Result<(), AuthorityError>,
) -> Result<Option<Zeroizing<String>>, AuthorityError> {
    let io = |source| AuthorityError::Io { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io(source)),
    };
    // Of the open file, so that it is the one that is read.
    check(file.metadata().map_err(io)?.permissions().mode())?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    Ok(Some(text))
}

fn pem(der: &CertificateDer<'_>) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let encoded = base64(der);
    for line in encoded.as_bytes().chunks(64) {
        let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
