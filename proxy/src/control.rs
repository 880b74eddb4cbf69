//! The token that opens `/_iron/control/`: who can read this user's files may steer the proxy.
//!
//! New at each start, in a file beside the state that its owner alone can read, gone when the proxy
//! stops. The file says where and in which process the proxy is, so that nobody who has the port
//! instead is taken for it, given the token, or sent calls. Not here: what may be asked for (`server/control.rs`).

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use http::{HeaderMap, header};
use rustix::process::{Pid, geteuid, test_kill_process};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::sessions::fresh_secret;

/// The token of one proxy, and its file for as long as this lives.
pub struct Token {
    text: Zeroizing<String>,
    file: PathBuf,
}

/// What the file of a running proxy says.
pub struct Published {
    /// What opens it.
    pub token: Zeroizing<String>,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Why a proxy's token is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error(
        "the proxy's control token {path} cannot be read ({source}): run this as the user whose proxy it is"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else's file, or one that a proxy left that is gone.
    #[error(
        "the control token {0} is not that of a proxy of this user that runs: start the proxy anew"
    )]
    Foreign(PathBuf),
}

/// Reads the file of the proxy with this state file, which must be this user's and run.
pub fn published(state: &Path) -> Result<Published, TokenError> {
    let path = token_file(state);
    let io = |source| TokenError::Io { path: path.clone(), source };
    let mut file = File::open(&path).map_err(io)?;
    let ours = file.metadata().map_err(io)?.uid() == geteuid().as_raw();
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    let foreign = || TokenError::Foreign(path.clone());
    let mut words = text.split_whitespace();
    let (Some(token), Some(address), Some(process)) = (words.next(), words.next(), words.next())
    else {
        return Err(foreign());
    };
    let process = process.parse().ok().and_then(Pid::from_raw);
    let runs = process.is_some_and(|process| test_kill_process(process).is_ok());
    let address = address.parse().map_err(|_| foreign())?;
    if !ours || !runs {
        return Err(foreign());
    }
    Ok(Published { token: Zeroizing::new(token.to_owned()), address })
}

/// Where the token of the proxy with this state file is.
pub fn token_file(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".token");
    PathBuf::from(name)
}

impl Token {
    /// Makes a token and writes its file. Called by the one that holds the state's lock.
    pub fn create(state: &Path) -> io::Result<Self> {
        let secret = fresh_secret().map_err(io::Error::other)?;
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in *secret {
            for half in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(half), 16));
            }
        }
        let file = token_file(state);
        // What a killed proxy left; made anew rather than written over, so that its mode is ours.
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
        open.write_all(text.as_bytes())?;
        Ok(Self { text, file })
    }

    /// Says in the file where the proxy is; until then the token is of no use to anybody.
    pub fn publish(&self, address: SocketAddr) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(&self.file)?;
        file.write_all(format!(" {address} {}\n", std::process::id()).as_bytes())
    }

    /// Whether a request carries the token as its bearer.
    pub fn opens(&self, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(said), None) = (all.next(), all.next()) else { return false };
        let Some(said) = said.as_bytes().strip_prefix(b"Bearer ") else { return false };
        said.ct_eq(self.text.as_bytes()).into()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // Only where it is still this one: another proxy may have begun on the same state.
        if std::fs::read_to_string(&self.file).is_ok_and(|text| text.starts_with(&*self.text)) {
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_its_owners_alone_and_goes_with_the_proxy() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        std::fs::write(token_file(&state), "left by a killed proxy").unwrap();
        let token = Token::create(&state).unwrap();
        let file = token_file(&state);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).unwrap();
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            headers
        };
        assert!(token.opens(&with(&format!("Bearer {text}"))));
        for wrong in [text.clone(), format!("Bearer {}", &text[1..]), "Bearer ".to_owned()] {
            assert!(!token.opens(&with(&wrong)), "{wrong}");
        }
        assert!(!token.opens(&HeaderMap::new()));
        let mut twice = with(&format!("Bearer {text}"));
        twice.append(header::AUTHORIZATION, "Bearer x".parse().unwrap());
        assert!(!token.opens(&twice));
        assert!(!format!("{token:?}").contains(&text));
        assert!(matches!(published(&state), Err(TokenError::Foreign(_))), "it says not where");
        token.publish("127.0.0.1:4141".parse().unwrap()).unwrap();
        let read = published(&state).unwrap();
        assert_eq!((read.token.as_str(), read.address.port()), (text.as_str(), 4141));
        drop(token);
        assert!(!file.exists());
    }

    #[test]
    fn what_a_killed_proxy_left_is_not_taken_for_one_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        // No process has this id: it is above what systems give out.
        std::fs::write(token_file(&state), "token 127.0.0.1:4141 2147483647").unwrap();
        assert!(matches!(published(&state), Err(TokenError::Foreign(_))));
    }

    #[test]
    fn the_token_of_a_later_proxy_stays() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let first = Token::create(&state).unwrap();
        let second = Token::create(&state).unwrap();
        drop(first);
        assert!(token_file(&state).exists());
        drop(second);
        assert!(!token_file(&state).exists());
    }
}
