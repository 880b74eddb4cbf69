//! Names that callers give to things.

use iron_policy::types::Name;

use crate::api::access::Principal;
use crate::api::problem::Problem;

/// The agent of calls that name none.
const UNNAMED: &str = "default";
/// What ids begin with: no name may look like one.
const IDS: [&str; 3] = ["usr_", "prj_", "agt_"];

/// Checks the name of a person, project or agent: what the proxy takes for one, too.
pub fn check(name: &str) -> Result<(), Problem> {
    name.parse::<Name>().map_err(|error| Problem::invalid(error.to_string()))?;
    if IDS.iter().any(|prefix| name.starts_with(prefix)) {
        let detail = "a name may not begin like an id (usr_, prj_, agt_): choose another one";
        return Err(Problem::invalid(detail));
    }
    Ok(())
}

/// Checks the name of a new agent. The one of calls that name none is an admin's to give: with it
/// somebody would own what strangers do.
pub fn check_agent(name: &str, principal: &Principal) -> Result<(), Problem> {
    check(name)?;
    if name == UNNAMED && !principal.sees_all() {
        let detail = format!(
            "{UNNAMED} is the agent of calls that name none: choose another name, or ask an admin"
        );
        return Err(Problem::invalid(detail));
    }
    Ok(())
}

/// Checks a text for people: a title, a label, a note. So many characters at most, all visible.
pub fn check_text(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    if text.chars().count() > most {
        return Err(Problem::invalid(format!("{field} is too long: {most} characters at most")));
    }
    if text.chars().any(char::is_control) {
        let detail = format!("{field} holds control characters: leave them out");
        return Err(Problem::invalid(detail));
    }
    Ok(())
}
