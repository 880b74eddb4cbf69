//! A provider that speaks the real wire format, streams, sends its own bill and fails on demand.
//!
//! It stands where a real provider would: behind the proxy of `iron up --simulate` and
//! `iron demo`, and as the scripted upstream of the end-to-end tests. It answers OpenAI's,
//! Anthropic's and Google's endpoints over HTTP/1.1, plain or within TLS, echoing the last user text, so that
//! what left as a placeholder comes back as one.
//!
//! A call's way: `server` reads it and remembers it in `records`; `script` (or the call's
//! `x-simulate` header, see `directive`) names the [`Behaviour`]; `endpoint` checks it as the
//! provider would; `request` says what it asks; `draft` makes the answer, and `openai`,
//! `anthropic` or `gemini` write it down; `delivery` sends it at the pace and with the mishaps that were
//! ordered, and `bill` charges what was generated.
//!
//! Its prices and its counting of tokens are its own: nothing here uses the code whose results it
//! is there to check. It sees nothing in images and hears nothing in recordings, and knows no HTTP/2.

mod anthropic;
mod batches;
mod behaviour;
mod bill;
mod cloud;
mod delivery;
mod directive;
mod draft;
mod endpoint;
mod files;
mod gemini;
mod media;
mod openai;
mod records;
mod refusal;
mod request;
mod script;
mod server;
mod socket;
mod sse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::sync::watch;

pub use batches::BatchEnd;
pub use behaviour::{Answer, At, Behaviour, Form, Gate, Mishap, Pace, Report, Text};
pub use bill::{Bill, Billed, Usage};
pub use directive::DirectiveError;
pub use records::{Counts, Received};
pub use script::When;

use batches::Batches;
use files::Files;
use records::Records;
use script::Script;

/// A handle to a running provider. Clones are handles to the same one.
///
/// When the last handle goes, it stops listening, lets calls in flight end, and closes the rest.
#[derive(Clone)]
pub struct Simulator {
    address: SocketAddr,
    scheme: &'static str,
    world: Arc<World>,
    /// Only held: the server stops when the last handle drops its sender.
    _running: Arc<watch::Sender<()>>,
}

/// What the handles and the server share.
#[derive(Debug, Default)]
struct World {
    records: Records,
    script: Script,
    files: Files,
    batches: Batches,
}

impl Simulator {
    /// Listens on `address` (port 0 for any free one) and serves on the current Tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be bound, or there is no Tokio runtime.
    pub fn start(address: SocketAddr) -> io::Result<Self> {
        Self::listen(address, None)
    }

    /// The same over TLS.
    ///
    /// # Errors
    /// If the address cannot be bound, or there is no Tokio runtime.
    pub fn start_tls(address: SocketAddr, tls: Arc<ServerConfig>) -> io::Result<Self> {
        Self::listen(address, Some(tls))
    }

    fn listen(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let world = Arc::<World>::default();
        let (running, stop) = watch::channel(());
        runtime.spawn(server::serve(listener, tls.map(Into::into), Arc::clone(&world), stop));
        Ok(Self { address, scheme, world, _running: Arc::new(running) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, without a path and without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The calls that arrived whole, oldest first: the last 1,000, or fewer if they are large.
    pub fn received(&self) -> Vec<Received> {
        self.world.records.received()
    }

    /// What the provider charges for all calls so far. Of single calls, the last 100,000.
    pub fn bill(&self) -> Bill {
        self.world.records.bill()
    }

    /// How many calls arrived, were answered, and were dropped by the client.
    pub fn counts(&self) -> Counts {
        self.world.records.counts()
    }

    /// How many calls the client left before their answer was complete.
    pub fn cancelled(&self) -> u64 {
        self.counts().cancelled
    }

    /// Waits until the counts satisfy `reached`, and returns them.
    ///
    /// ```no_run
    /// # async fn story(simulator: iron_cli::simulator::Simulator) {
    /// simulator.until(|counts| counts.received == 3).await;
    /// # }
    /// ```
    pub async fn until(&self, reached: impl Fn(&Counts) -> bool + Send) -> Counts {
        self.world.records.until(reached).await
    }

    /// Orders the behaviour of the next calls, one each, whatever they ask for.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.script_when(When::Any, behaviours);
    }

    /// Orders the behaviour of the next calls of a kind, one each.
    pub fn script_when(&self, when: When, behaviours: impl IntoIterator<Item = Behaviour>) {
        for (when, behaviour) in std::iter::repeat(when).zip(behaviours) {
            self.world.script.next(when, behaviour);
        }
    }

    /// Orders the behaviour of every call for which nothing else was ordered.
    pub fn always(&self, behaviour: Behaviour) {
        self.always_when(When::Any, behaviour);
    }

    /// Orders the behaviour of every call of a kind. Of several that match, the last one counts.
    pub fn always_when(&self, when: When, behaviour: Behaviour) {
        self.world.script.always(when, behaviour);
    }

    /// Orders what becomes of batches that are made from now on.
    pub fn batches_end(&self, end: BatchEnd) {
        self.world.batches.end(end);
    }

    /// Forgets all orders: the provider is well again.
    pub fn heal(&self) {
        self.world.script.clear();
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("url", &self.url())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
