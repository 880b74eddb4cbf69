//! `iron-sandbox trust`: honours a folder's own profile as it is now, after its user has read it.

use std::path::{Path, PathBuf};

use super::args::TrustArgs;
use super::surroundings::Surroundings;
use super::{Failure, say};
use crate::profile::file::Profile;
use crate::profile::library;
use crate::profile::trust::{PROJECT_FILE, Trust};

/// Trusts, lists or revokes.
pub fn trust(args: &TrustArgs, here: &Surroundings) -> Result<(), Failure> {
    let Some(state) = here.state() else {
        return Err(Failure::Other(
            "neither HOME nor XDG_STATE_HOME is set, so what is trusted can be kept nowhere"
                .to_owned(),
        ));
    };
    let trust = Trust::of_user(&state);
    let kept = |error: std::io::Error| {
        Failure::Other(format!(
            "what is trusted, {}, cannot be kept: {error}",
            trust.file().display()
        ))
    };
    if args.list {
        for file in trust.list().map_err(kept)? {
            say(&file.display().to_string());
        }
        return Ok(());
    }
    let folder = folder(args.folder.as_deref(), here)?;
    let file = folder.join(PROJECT_FILE);
    if args.revoke {
        let was = trust.revoke(&folder).map_err(kept)?;
        let what = if was { "is trusted no more" } else { "was not trusted" };
        say(&format!("{} {what}", file.display()));
        return Ok(());
    }
    // What is shown is what is trusted: the file may change in between.
    let text = library::read(&file)
        .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", file.display())))?;
    Profile::parse(&text)
        .map_err(|error| Failure::Configuration(format!("{}: {error}", file.display())))?;
    say(text.trim_end());
    let new = trust.trust(&folder, &text).map_err(kept)?;
    let what =
        if new { "is honoured from now on, as it stands above" } else { "was trusted already" };
    say(&format!("\n{} {what}", file.display()));
    Ok(())
}

/// The folder, resolved: by another way to it, it is the same.
fn folder(given: Option<&Path>, here: &Surroundings) -> Result<PathBuf, Failure> {
    let path = here.current_folder.join(given.unwrap_or(Path::new(".")));
    path.canonicalize()
        .map_err(|error| Failure::Usage(format!("{} cannot be used: {error}", path.display())))
}
