//! Why there is no CA, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::permitted::Host;

/// Why the local CA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the key.
    #[error(
        "others can read the CA's key (mode {mode:o}), so it may be known: run `iron ca rotate` and tell \
         your programs about the new certificate, or, if nobody else was on this machine, `chmod 600 {}`",
        path.display()
    )]
    OpenKey {
        /// The key's file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Others can replace the files.
    #[error("others can write to the CA's folder (mode {mode:o}): run `chmod 700 {}`", path.display())]
    OpenFolder {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A certificate without its key.
    #[error("the CA's key is missing: put {} back, or make a new CA with `iron ca rotate`", _0.display())]
    NoKey(PathBuf),
    /// A certificate of another key.
    #[error(
        "the certificate and the key in {} do not belong together: put the right file back, or make \
         a new CA with `iron ca rotate`",
        _0.display()
    )]
    NotTogether(PathBuf),
    /// No PEM, or not what should be in it.
    #[error("{} cannot be understood: put the right file back, or make a new CA with `iron ca rotate`", _0.display())]
    Unreadable(PathBuf),
    /// Not a CA of ours.
    #[error(
        "the certificate in {} is no CA with a list of permitted names: a CA of your own cannot be \
         used; move it away, or make a new CA with `iron ca rotate`",
        _0.display()
    )]
    Foreign(PathBuf),
    /// The host is not among those that the CA may sign for.
    #[error("the CA may not sign for {0}: no upstream of the configuration is there")]
    NotPermitted(Host),
    /// The client asked for a host that is none.
    #[error("the client asked for a host name that is none")]
    BadName,
    /// The files were removed while the proxy ran.
    #[error("the CA was removed: make a new one with `iron ca rotate`")]
    Removed,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A key cannot be used.
    #[error("a key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}
