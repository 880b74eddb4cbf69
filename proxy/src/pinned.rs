//! Connections whose agent and run are known from their beginning, whatever is said on them.
//!
//! A sandbox introduces each connection of its agent with the control token and its run
//! (`server/attach.rs`). From then on nothing that a request says changes who calls: a path, a header or
//! a credential that names the same is fine, one that names somebody else is refused. An agent's
//! token goes on restricting, and must be that agent's own. Depth can only be said to be greater.

use std::fmt;

use http::HeaderMap;
use iron_policy::token::Claims;
use iron_policy::types::Name;

/// Whose a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The agent.
    pub agent: Name,
    /// Its run, which was announced.
    pub run: Name,
    /// How many agents stand above it.
    pub depth: u8,
}

/// A request that claims to be somebody else's than its connection is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this connection is a sandbox's, whose {what} is `{pinned}`, and {place} says `{said}`: leave that out, or start another sandbox for it (`iron-sandbox exec --agent NAME`)"
)]
pub struct Claimed {
    what: What,
    place: &'static str,
    said: String,
    pinned: String,
}

/// What is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Agent,
    Run,
    Project,
}

impl Claimed {
    /// In a word of a closed set, for records and callers.
    pub const REASON: &str = "identity_pinned";
}

impl Pinned {
    /// Refuses what a path or the proxy's credentials (`place`) claim.
    pub fn allows(
        &self,
        agent: Option<&Name>,
        run: Option<&Name>,
        place: &'static str,
    ) -> Result<(), Claimed> {
        self.same(What::Agent, place, agent.map(Name::as_str))?;
        self.same(What::Run, place, run.map(Name::as_str))
    }

    /// Refuses another agent's token.
    pub fn allows_token(&self, claims: Option<&Claims>) -> Result<(), Claimed> {
        self.same(What::Agent, "its token", claims.map(|claims| claims.sub.as_str()))
    }

    /// Refuses what headers claim; `project` is the agent's.
    pub fn allows_headers(
        &self,
        headers: &HeaderMap,
        project: Option<&Name>,
    ) -> Result<(), Claimed> {
        for (name, what) in [
            ("x-iron-agent", What::Agent),
            ("x-iron-session", What::Run),
            ("x-iron-project", What::Project),
        ] {
            for value in headers.get_all(name) {
                let said = value.to_str().unwrap_or("(not ASCII)");
                match what {
                    What::Project if project.map(Name::as_str) == Some(said) => {}
                    What::Project => {
                        let pinned = project.map_or("(none)", Name::as_str).to_owned();
                        return Err(Claimed { what, place: name, said: short(said), pinned });
                    }
                    _ => self.same(what, name, Some(said))?,
                }
            }
        }
        Ok(())
    }

    /// How many agents stand above the caller, who may know of more than its connection tells.
    pub fn depth(&self, said: Option<u8>) -> Option<u8> {
        let depth = self.depth.max(said.unwrap_or_default());
        (depth > 0 || said.is_some()).then_some(depth)
    }

    fn same(&self, what: What, place: &'static str, said: Option<&str>) -> Result<(), Claimed> {
        let pinned = match what {
            What::Agent => &self.agent,
            What::Run | What::Project => &self.run,
        };
        match said {
            Some(said) if said != pinned.as_str() => {
                Err(Claimed { what, place, said: short(said), pinned: pinned.to_string() })
            }
            _ => Ok(()),
        }
    }
}

fn short(said: &str) -> String {
    said.chars().take(80).collect()
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent",
            Self::Run => "run",
            Self::Project => "project",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned() -> Pinned {
        Pinned { agent: "a".parse().unwrap(), run: "run-1".parse().unwrap(), depth: 1 }
    }

    #[test]
    fn the_same_may_be_said_and_nothing_else() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (pinned, other) = (pinned(), name("b"));
        pinned.allows(None, None, "the path").unwrap();
        pinned.allows(Some(&name("a")), Some(&name("run-1")), "the path").unwrap();
        let claimed = pinned.allows(Some(&other), None, "the path").unwrap_err();
        assert_eq!(
            claimed.to_string(),
            "this connection is a sandbox's, whose agent is `a`, and the path says `b`: leave that \
             out, or start another sandbox for it (`iron-sandbox exec --agent NAME`)"
        );
        assert!(pinned.allows(None, Some(&other), "the path").is_err());
    }

    #[test]
    fn every_header_counts() {
        let with = |all: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in all {
                headers.append(*name, value.parse().unwrap());
            }
            pinned().allows_headers(&headers, Some(&"p".parse().unwrap()))
        };
        with(&[("x-iron-agent", "a"), ("x-iron-session", "run-1"), ("x-iron-project", "p")])
            .unwrap();
        for other in [
            [("x-iron-agent", "a"), ("x-iron-agent", "b")],
            [("x-iron-agent", "a"), ("x-iron-session", "run-2")],
            [("x-iron-agent", "a"), ("x-iron-project", "q")],
            [("x-iron-agent", "a"), ("x-iron-session", "")],
        ] {
            assert!(with(&other).is_err(), "{other:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-iron-project", "p".parse().unwrap());
        assert!(pinned().allows_headers(&headers, None).is_err());
    }

    #[test]
    fn depth_only_grows() {
        let deep = pinned();
        assert_eq!(
            [None, Some(0), Some(3)].map(|said| deep.depth(said)),
            [Some(1), Some(1), Some(3)]
        );
        let flat = Pinned { depth: 0, ..pinned() };
        assert_eq!([None, Some(0), Some(3)].map(|said| flat.depth(said)), [None, Some(0), Some(3)]);
    }
}
