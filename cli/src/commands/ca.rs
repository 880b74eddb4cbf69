//! `iron ca`: the certificate authority behind the proxy's HTTPS, as a user sees it.
//!
//! Works on the files; a proxy that runs looks at them twice a second.

use std::time::SystemTime;

use anyhow::anyhow;
use iron_proxy::authority::{Facts, Folder, Permitted};
use jiff::Timestamp;
use serde_json::json;

use super::Failure;
use crate::args::{CaCommand, Files, Output};
use crate::files::{self, Config};
use crate::output::{say, say_json};

/// Does what was asked.
pub(super) async fn ca(command: CaCommand) -> Result<(), Failure> {
    match command {
        CaCommand::Path { files, bundle } => path(&files, bundle).await,
        CaCommand::Show { files, output } => {
            let folder = folder(&files).await?.1;
            print(&folder, &existing(&folder)?, output);
            Ok(())
        }
        CaCommand::Rotate { files, output } => {
            let (config, folder) = folder(&files).await?;
            std::fs::create_dir_all(folder.path().parent().unwrap_or(folder.path()))
                .map_err(anyhow::Error::from)?;
            let permitted = Permitted::of(&config.policy);
            let facts = folder.rotate(&permitted).map_err(anyhow::Error::from)?;
            print(&folder, &facts, output);
            if output == Output::Table {
                say(
                    "\nA proxy that runs takes it over within a second. Programs that trusted the \
                     one before must read the file again: most do at their start.",
                );
            }
            Ok(())
        }
        CaCommand::Remove { files } => {
            let folder = folder(&files).await?.1;
            let removed = folder.remove().map_err(anyhow::Error::from)?;
            let path = folder.path().display();
            say(&if removed {
                format!(
                    "The CA in {path} is removed. A proxy that runs refuses HTTPS within a second; \
                     its next start makes a new CA."
                )
            } else {
                format!("There is no CA in {path}.")
            });
            Ok(())
        }
    }
}

async fn path(files: &Files, bundle: bool) -> Result<(), Failure> {
    let folder = folder(files).await?.1;
    existing(&folder)?;
    let path = if bundle { folder.bundle() } else { folder.certificate() };
    say(&path.display().to_string());
    Ok(())
}

async fn folder(files: &Files) -> Result<(Config, Folder), Failure> {
    let config = Config::read(files)?;
    let folder = files::authority(files, &config.policy).await?;
    Ok((config, folder))
}

fn existing(folder: &Folder) -> Result<Facts, Failure> {
    let facts = folder.facts().map_err(anyhow::Error::from)?;
    facts.ok_or_else(|| {
        Failure::Other(anyhow!(
            "there is no CA in {} yet: start the proxy with `iron up`, or make one with `iron ca rotate`",
            folder.path().display()
        ))
    })
}

fn print(folder: &Folder, facts: &Facts, output: Output) {
    let (begins, ends) = (time(facts.not_before), time(facts.not_after));
    let hosts: Vec<_> = facts.permitted.iter().map(ToString::to_string).collect();
    let files =
        [("certificate", folder.certificate()), ("bundle", folder.bundle()), ("key", folder.key())];
    match output {
        Output::Json => say_json(&json!({
            "subject": facts.subject,
            "fingerprint_sha256": facts.fingerprint,
            "not_before": begins,
            "not_after": ends,
            "every_host": facts.permitted.is_any(),
            "hosts": hosts,
            "files": files
                .iter()
                .map(|(name, path)| ((*name).to_owned(), json!(path.display().to_string())))
                .collect::<serde_json::Map<_, _>>(),
        })),
        Output::Table => {
            say(&format!("subject      {}", facts.subject));
            say(&format!("SHA-256      {}", facts.fingerprint));
            say(&format!("valid        {begins} to {ends}"));
            say(&if facts.permitted.is_any() {
                "may sign for every host: connections to all of them are intercepted".to_owned()
            } else {
                let hosts = hosts.join("\n             ");
                format!(
                    "may sign for this machine, and these and what is under them:\n             {hosts}"
                )
            });
            for (name, path) in files {
                say(&format!("{name:<12} {}", path.display()));
            }
        }
    }
}

fn time(at: SystemTime) -> String {
    Timestamp::try_from(at).map(|at| at.to_string()).unwrap_or_default()
}
