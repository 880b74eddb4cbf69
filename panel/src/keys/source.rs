//! Where a panel gets its master key: a file, a variable, or a program that asks a key service.
//!
//! In all three it is written alike: base64 of 32 bytes. The key is never taken from the configuration
//! file itself, and never from the command line, which other users of the machine can read.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::{Zeroize, Zeroizing};

use super::master::random;

/// The longest text that a key is looked for in, in bytes.
const LONGEST: u64 = 4096;

/// Where a master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file that only its owner may read.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// A program and its arguments; what it prints is the key.
    Program(Vec<String>),
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read or made.
    #[error("the master key's file {path} cannot be used: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no file, and none may be made.
    #[error(
        "there is no master key at {0}: make one with `(umask 077; head -c 32 /dev/urandom | base64 > {0})` and \
         keep a copy apart from the database's backups"
    )]
    NoFile(PathBuf),
    /// Others than its owner may read it.
    #[error("others than its owner may use the master key's file {0}: run `chmod 600 {0}`")]
    Open(PathBuf),
    /// It is not set.
    #[error("the variable {0} is not set: set it to the master key, base64 of 32 bytes")]
    Variable(String),
    /// The program did not give one.
    #[error("the program {program} gave no master key: {why}")]
    Program {
        /// Which program.
        program: String,
        /// What happened.
        why: String,
    },
    /// What is there is no key.
    #[error(
        "what is in {0} is no master key: it must be base64 of 32 bytes, as `head -c 32 /dev/urandom | base64` makes"
    )]
    NoKey(String),
    /// The system has no randomness.
    #[error("the system gives no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl Source {
    /// Reads the key. Waits for the disk or the program: not for a thread that serves requests.
    pub fn read(&self) -> Result<Zeroizing<[u8; 32]>, SourceError> {
        let (text, whence) = match self {
            Self::File(path) => (of_file(path)?, path.display().to_string()),
            Self::Variable(name) => {
                let value = std::env::var(name).ok().filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| SourceError::Variable(name.clone()))?;
                (Zeroizing::new(value), format!("the variable {name}"))
            }
            Self::Program(words) => (of_program(words)?, "the program's output".to_owned()),
        };
        decode(&text).ok_or(SourceError::NoKey(whence))
    }

    /// The same, and makes the file where there is none: for the pilot, which is to start by itself.
    pub fn read_or_make(&self) -> Result<Zeroizing<[u8; 32]>, SourceError> {
        if let Self::File(path) = self
            && !path.exists()
        {
            make(path)?;
        }
        self.read()
    }
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE64.decode(text.trim()).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
    // Nobody's randomness is this: a file that was cut or filled.
    key.iter().any(|byte| *byte != key[0]).then_some(key)
}

fn of_file(path: &Path) -> Result<Zeroizing<String>, SourceError> {
    let failed = |source| SourceError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::NoFile(path.to_owned()),
        _ => failed(error),
    })?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Of the open file: its path may be another one's by now.
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(SourceError::Open(path.to_owned()));
        }
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Writes a new key whole or not at all: two that start at once use the same one.
fn make(path: &Path) -> Result<(), SourceError> {
    let failed = |source| SourceError::File { path: path.to_owned(), source };
    let text = Zeroizing::new(BASE64.encode(random()?.as_slice()));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}", crate::store::id("new")));
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&new).and_then(|mut file| {
        writeln!(file, "{}", *text)?;
        file.sync_all()
    });
    // A link fails where somebody else was first, and then theirs is the key.
    let linked = written.and_then(|()| match std::fs::hard_link(&new, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    });
    let removed = std::fs::remove_file(&new);
    linked.and(removed).map_err(failed)
}

fn of_program(words: &[String]) -> Result<Zeroizing<String>, SourceError> {
    let program = words.first().cloned().unwrap_or_default();
    let failed = |why: String| SourceError::Program { program: program.clone(), why };
    let mut output = Command::new(&program)
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        // What it says of itself is for whoever started the panel.
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(output.stdout.clone()).map(Zeroizing::new);
    output.stdout.zeroize();
    if !output.status.success() {
        return Err(failed(format!("it ended with {}", output.status)));
    }
    text.map_err(|_| failed("it printed something that is no text".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_must_be_its_owners_alone_and_hold_a_key() {
        let (_folder, path) = file(&format!("{KEY}\n"), 0o600);
        assert_eq!(Source::File(path).read().unwrap()[31], 31);
        for mode in [0o640, 0o604, 0o620] {
            let (_folder, path) = file(KEY, mode);
            let error = Source::File(path).read().unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{mode:o}: {error}");
        }
        let zeros = BASE64.encode([0; 32]);
        for text in ["", "AAAA", "not base64 at all", &KEY[..40], &format!("{KEY}{KEY}"), &zeros] {
            let (_folder, path) = file(text, 0o600);
            let error = Source::File(path).read().unwrap_err();
            assert!(matches!(error, SourceError::NoKey(_)), "{text}");
            assert!(text.is_empty() || !error.to_string().contains(text), "the error shows it");
        }
    }

    #[test]
    fn a_file_is_made_where_there_is_none_once_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let source = Source::File(path.clone());
        assert!(matches!(source.read(), Err(SourceError::NoFile(_))));
        let keys: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| source.read_or_make())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        let kept = source.read().unwrap();
        assert!(keys.into_iter().all(|key| key.unwrap() == kept));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_program_prints_the_key_or_says_why_not() {
        let program =
            |script: &str| Source::Program(["sh", "-c", script].map(str::to_owned).to_vec()).read();
        assert_eq!(program(&format!("echo {KEY}")).unwrap()[1], 1);
        let error = program(&format!("echo {KEY}; exit 3")).unwrap_err().to_string();
        assert!(error.contains("ended with") && !error.contains(KEY), "{error}");
        assert!(matches!(program("echo hello"), Err(SourceError::NoKey(_))));
        let none = Source::Program(vec!["/nowhere/at/all".to_owned()]).read();
        assert!(matches!(none, Err(SourceError::Program { .. })));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = Source::Variable("IRON_NO_SUCH_KEY".to_owned()).read().unwrap_err();
        assert!(error.to_string().contains("IRON_NO_SUCH_KEY"));
    }
}
