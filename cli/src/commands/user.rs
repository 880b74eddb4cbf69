//! `iron user` and `iron project`: who may use a panel, and what they work on.

use hyper::Method;
use serde_json::{Value, json};

use super::Failure;
use crate::args::{Output, ProjectCommand, RoleArg, UserCommand};
use crate::console::{MOST, connect, segment, text};
use crate::output::{note, say, say_json, table};

const USERS: &str = "/api/v1/users";
const PROJECTS: &str = "/api/v1/projects";

/// Does what is wanted with people.
pub(super) async fn user(command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, role, projects, at } => {
            let link = connect(&at).await?;
            // Before anything is made: an invitation is shown once.
            for project in &projects {
                link.get(&format!("{PROJECTS}/{}", segment(project))).await?;
            }
            let body = json!({"name": name, "role": named(role)});
            let invited = link.post(USERS, &body).await?;
            for project in &projects {
                let path = format!("{PROJECTS}/{}/members/{}", segment(project), segment(&name));
                link.call(Method::PUT, &path, &[], None::<&Value>).await?;
            }
            invitation(&name, &invited, at.output);
        }
        UserCommand::Invite { name, at } => {
            let path = format!("{USERS}/{}/invite", segment(&name));
            let invited = connect(&at).await?.post(&path, &json!({})).await?;
            invitation(&name, &invited, at.output);
        }
        UserCommand::List { at } => {
            let users = connect(&at).await?.list(USERS, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(users)),
                Output::Table => say(&table(
                    &["user", "role", "since", ""],
                    users.iter().map(|user| {
                        let state = match (&user["disabled"], &user["has_password"]) {
                            (Value::Bool(true), _) => "disabled",
                            (_, Value::Bool(false)) => "invited",
                            _ => "",
                        };
                        vec![
                            text(&user["name"]),
                            text(&user["role"]),
                            text(&user["created_at"]),
                            state.to_owned(),
                        ]
                    }),
                )),
            }
        }
        UserCommand::Role { name, role, at } => {
            let path = format!("{USERS}/{}", segment(&name));
            let change = json!({"role": named(role)});
            let user = connect(&at).await?.change(Method::PATCH, &path, Some(&change)).await?;
            match at.output {
                Output::Json => say_json(&user),
                Output::Table => say(&format!("{name} is {} now.", text(&user["role"]))),
            }
        }
        UserCommand::Disable { name, lift, at } => {
            let path = format!("{USERS}/{}", segment(&name));
            let change = json!({"disabled": !lift});
            let user = connect(&at).await?.change(Method::PATCH, &path, Some(&change)).await?;
            match at.output {
                Output::Json => say_json(&user),
                Output::Table if lift => say(&format!("{name} may sign in again.")),
                Output::Table => say(&format!("{name} is kept out; their sessions have ended.")),
            }
        }
    }
    Ok(())
}

fn invitation(name: &str, invited: &Value, output: Output) {
    if output == Output::Json {
        return say_json(invited);
    }
    say(&text(&invited["invitation"]));
    note(&format!(
        "{name} chooses a password with this invitation, which works once: `iron login URL --invitation`"
    ));
}

/// Does what is wanted with projects.
pub(super) async fn project(command: ProjectCommand) -> Result<(), Failure> {
    match command {
        ProjectCommand::Add { name, title, at } => {
            let body = json!({"name": name, "title": title});
            let project = connect(&at).await?.post(PROJECTS, &body).await?;
            match at.output {
                Output::Json => say_json(&project),
                Output::Table => say(&format!("{name} is {}.", text(&project["id"]))),
            }
        }
        ProjectCommand::List { at } => {
            let projects = connect(&at).await?.list(PROJECTS, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(projects)),
                Output::Table => say(&table(
                    &["project", "id", "since", "title"],
                    projects.iter().map(|project| {
                        vec![
                            text(&project["name"]),
                            text(&project["id"]),
                            text(&project["created_at"]),
                            text(&project["title"]),
                        ]
                    }),
                )),
            }
        }
        ProjectCommand::Member { project, user, remove, at } => {
            let path = format!("{PROJECTS}/{}/members/{}", segment(&project), segment(&user));
            let method = if remove { Method::DELETE } else { Method::PUT };
            connect(&at).await?.call(method, &path, &[], None::<&Value>).await?;
            let what = if remove { "is not a member of" } else { "is a member of" };
            say(&format!("{user} {what} {project} now."));
        }
    }
    Ok(())
}

const fn named(role: RoleArg) -> &'static str {
    match role {
        RoleArg::Viewer => "viewer",
        RoleArg::Operator => "operator",
        RoleArg::Admin => "admin",
    }
}
