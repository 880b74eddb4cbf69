//! The token that opens `/_iron/control/`: who can read this user's files may steer the proxy.
//!
//! New at each start, in a file beside the state that its owner alone can read, gone when the proxy
//! stops. Not here: what may be asked for (`server/control.rs`).

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use http::{HeaderMap, header};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::sessions::fresh_secret;

/// The token of one proxy, and its file for as long as this lives.
pub struct Token {
    text: Zeroizing<String>,
    file: PathBuf,
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
        let mut open =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
        open.write_all(text.as_bytes())?;
        Ok(Self { text, file })
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
        if std::fs::read_to_string(&self.file).is_ok_and(|text| text == *self.text) {
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
        drop(token);
        assert!(!file.exists());
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
