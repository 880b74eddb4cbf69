//! The secret that keys placeholders, where the operator keeps one.
//!
//! Read once, at the start of the proxy. A file that is not there yet is made, with random
//! content that only its owner can read; one that others can read is refused. What is read is
//! text: at least [`LEAST`] bytes as hex or base64. No message shows any of it.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use iron_policy::config::SecretSource;
use iron_proxy::sessions::fresh_secret;
use zeroize::Zeroizing;

/// Bytes of a secret: those of the key of HMAC-SHA-256 (RFC 2104, section 3).
const LEAST: usize = 32;

/// Base64 with or without its padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Reads the secret; `variable` looks up an environment variable.
pub fn read(
    source: &SecretSource,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    match source {
        SecretSource::Variable(name) => {
            let text = variable(name).filter(|text| !text.trim().is_empty()).map(Zeroizing::new);
            let text = text.with_context(|| {
                format!(
                    "redact.secret_env names {name}, which is not set: put at least {LEAST} random \
                     bytes into it, such as those of `openssl rand -hex 32`"
                )
            })?;
            decode(&text).with_context(|| format!("the secret in {name} cannot be used"))
        }
        SecretSource::File(path) => {
            if !path.try_exists().unwrap_or(true) {
                create(path).with_context(|| {
                    format!("redact.secret_file {} cannot be made", path.display())
                })?;
            }
            let text = open(path)
                .with_context(|| format!("redact.secret_file {} cannot be used", path.display()))?;
            decode(&text)
                .with_context(|| format!("redact.secret_file {} cannot be used", path.display()))
        }
    }
}

/// Makes the file whole or not at all: another proxy that starts at the same time either finds
/// it or makes it, and both read the same.
fn create(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().context("it has no folder")?;
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * LEAST + 1));
    for byte in *fresh_secret()? {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(failed) if failed.error.kind() != ErrorKind::AlreadyExists => Err(failed.error.into()),
        _ => Ok(()),
    }
}

/// The value of a `[[secret]]`, as it is; none where nothing is there.
///
/// A file is read for its owner alone, as that of the secret of placeholders is.
pub fn value(
    source: &SecretSource,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Zeroizing<String>>> {
    match source {
        SecretSource::Variable(name) => Ok(variable(name).map(Zeroizing::new)),
        SecretSource::File(path) if !path.exists() => Ok(None),
        SecretSource::File(path) => {
            open(path).map(Some).with_context(|| format!("{}", path.display()))
        }
    }
}

/// The variables that an agent gets, each with its placeholder, as `/_iron/status` shows them.
pub fn placeholders(status: &serde_json::Value) -> Vec<(String, String)> {
    let secrets = status["secrets"].as_array().into_iter().flatten();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    secrets
        .filter_map(|secret| Some((text(&secret["agent_env"])?, text(&secret["placeholder"])?)))
        .collect()
}

/// The text of a file that only its owner can read; any other is refused.
pub fn open(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let file = std::fs::File::open(path)?;
    // Of the open file, so that it is the one that is read.
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("others can read it (mode {:o}): chmod 600 {}", mode & 0o777, path.display());
    }
    Ok(Zeroizing::new(std::io::read_to_string(file)?))
}

/// Hex where all of it is hex, else base64, with the standard alphabet or that for addresses.
fn decode(text: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let text = text.trim();
    let bytes = if text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.len().is_multiple_of(2)
    {
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
        text.as_bytes().chunks_exact(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect()
    } else {
        [&alphabet::STANDARD, &alphabet::URL_SAFE]
            .into_iter()
            .find_map(|alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text).ok())
            .ok_or_else(|| anyhow!("it is neither hex nor base64"))?
    };
    let bytes = Zeroizing::new(bytes);
    if bytes.len() < LEAST {
        bail!("it holds {} bytes, and at least {LEAST} are needed", bytes.len());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    fn variable(text: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let source = SecretSource::Variable("SECRET".to_owned());
        read(&source, |name| (name == "SECRET").then(|| text.to_owned()))
    }

    #[test]
    fn hex_and_base64_are_read_alike() {
        let bytes = variable(HEX).unwrap();
        assert_eq!((bytes.len(), bytes[1], bytes[31]), (32, 0x11, 0xff));
        for text in [
            "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=",
            "ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8",
            "\nABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8\n",
        ] {
            assert_eq!(variable(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_showing_it() {
        let (short, odd) = (&HEX[..62], "correct horse battery staple");
        for (text, said) in [(" ", "not set"), (short, "31 bytes"), (odd, "neither hex nor base64")]
        {
            let error = format!("{:#}", variable(text).unwrap_err());
            assert!(error.contains(said) && error.contains("SECRET"), "{error}");
            assert!(text == " " || !error.contains(text), "{error}");
        }
        let source = SecretSource::Variable("OTHER".to_owned());
        assert!(format!("{:#}", read(&source, |_| None).unwrap_err()).contains("OTHER"));
    }

    #[test]
    fn a_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let source = SecretSource::File(path.clone());
        let first = read(&source, |_| None).unwrap();
        assert_eq!(first.len(), LEAST);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&source, |_| None).unwrap(), first);
        // Another's first start in between changes nothing.
        create(&path).unwrap();
        assert_eq!(read(&source, |_| None).unwrap(), first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        std::fs::remove_file(&path).unwrap();
        assert_ne!(read(&source, |_| None).unwrap(), first);
    }

    #[test]
    fn a_file_that_others_can_read_or_that_holds_little_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let source = SecretSource::File(path.clone());
        read(&source, |_| None).unwrap();
        for mode in [0o640, 0o604] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = format!("{:#}", read(&source, |_| None).unwrap_err());
            assert!(error.contains("others can read it") && error.contains("chmod 600"), "{error}");
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "").unwrap();
        let error = format!("{:#}", read(&source, |_| None).unwrap_err());
        assert!(error.contains("0 bytes"), "{error}");
        let nowhere = SecretSource::File(folder.path().join("absent/secret"));
        assert!(format!("{:#}", read(&nowhere, |_| None).unwrap_err()).contains("cannot be made"));
    }
}
