//! Which [`Behaviour`] a call meets: orders for the next calls first, then standing orders.

use std::sync::{Mutex, PoisonError};

use super::behaviour::Behaviour;

/// Which calls an order is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Every call.
    Any,
    /// Calls of this path, without query.
    Path(String),
    /// Calls that name this model.
    Model(String),
}

impl When {
    fn matches(&self, path: &str, model: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Path(wanted) => wanted == path,
            Self::Model(wanted) => Some(wanted.as_str()) == model,
        }
    }
}

/// The orders given and not yet carried out.
#[derive(Debug, Default)]
pub(super) struct Script(Mutex<Orders>);

#[derive(Debug, Default)]
struct Orders {
    next: Vec<(When, Behaviour)>,
    always: Vec<(When, Behaviour)>,
}

impl Script {
    pub(super) fn next(&self, when: When, behaviour: Behaviour) {
        self.orders(|orders| orders.next.push((when, behaviour)));
    }

    pub(super) fn always(&self, when: When, behaviour: Behaviour) {
        self.orders(|orders| orders.always.push((when, behaviour)));
    }

    pub(super) fn clear(&self) {
        self.orders(|orders| *orders = Orders::default());
    }

    /// Takes the oldest order for a next call that matches, else the newest standing one.
    pub(super) fn behaviour(&self, path: &str, model: Option<&str>) -> Behaviour {
        self.orders(|orders| {
            let matches = |(when, _): &(When, Behaviour)| when.matches(path, model);
            if let Some(place) = orders.next.iter().position(matches) {
                return orders.next.remove(place).1;
            }
            let standing = orders.always.iter().rev().find(|order| matches(order));
            standing.map(|(_, b)| b.clone()).unwrap_or_default()
        })
    }

    /// Takes the oldest order for exactly this path, else the newest standing one.
    pub(super) fn behaviour_of_path(&self, path: &str) -> Behaviour {
        self.orders(|orders| {
            let matches =
                |(when, _): &(When, Behaviour)| matches!(when, When::Path(wanted) if wanted == path);
            if let Some(place) = orders.next.iter().position(matches) {
                return orders.next.remove(place).1;
            }
            let standing = orders.always.iter().rev().find(|order| matches(order));
            standing.map(|(_, b)| b.clone()).unwrap_or_default()
        })
    }

    fn orders<T>(&self, work: impl FnOnce(&mut Orders) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
