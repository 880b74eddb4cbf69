//! Hands events to the proxy's records while a sandbox runs, some at a time.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::confinement::Introduction;
use crate::event::Event;
use crate::proxy::{self, ProxyError};
use crate::report::Taker;

/// How long the first of some waits for others.
const GATHER: Duration = Duration::from_millis(200);
/// How many go at once.
const MOST: usize = 100;

/// Who hands them on.
pub(super) struct Records {
    events: mpsc::Sender<Event>,
    thread: JoinHandle<Result<(), ProxyError>>,
}

impl Records {
    /// Starts; nothing is asked of the proxy before there is an event.
    pub(super) fn start(proxy: Introduction) -> std::io::Result<Self> {
        let (events, received) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("iron-records".to_owned())
            .spawn(move || hand_on(&proxy, &received))?;
        Ok(Self { events, thread })
    }

    /// What is given events.
    pub(super) fn taker(&self) -> Taker {
        let events = self.events.clone();
        Box::new(move |event| {
            // How a sandbox was made is no finding.
            if !matches!(event, Event::Started { .. }) {
                let _ = events.send(event.clone());
            }
        })
    }

    /// Waits until all are handed on. The takers are gone by then.
    pub(super) fn finish(self) -> Result<(), ProxyError> {
        drop(self.events);
        self.thread.join().unwrap_or(Ok(()))
    }
}

fn hand_on(proxy: &Introduction, received: &mpsc::Receiver<Event>) -> Result<(), ProxyError> {
    let mut outcome = Ok(());
    while let Ok(first) = received.recv() {
        let mut some = vec![first];
        let mut open = true;
        while open && some.len() < MOST {
            match received.recv_timeout(GATHER) {
                Ok(event) => some.push(event),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
        }
        // One that failed does not keep later ones from being tried.
        if let Err(error) = proxy::tell(proxy, &some) {
            outcome = Err(error);
        }
    }
    outcome
}
