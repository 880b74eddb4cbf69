//! Bytes both ways, unread: to hosts that the policy lets pass.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};

use super::log::Connection;
use super::stream::Counted;
use crate::server::Stopping;

/// Once the proxy stops, a tunnel that is silent for so long ends.
const STOPPING_IDLE: Duration = Duration::from_millis(500);

/// Copies until both sides are done, either breaks off, or nothing passes for `idle`.
///
/// A side that says that it sends no more is believed: the other may still answer.
pub(super) async fn copy<A, H>(
    agent: A,
    mut host: H,
    connection: &mut Connection,
    idle: Duration,
    mut stopping: Stopping,
) where
    A: AsyncRead + AsyncWrite + Unpin,
    H: AsyncRead + AsyncWrite + Unpin,
{
    let mut agent = Counted::new(agent, connection.meter());
    let mut copying = std::pin::pin!(copy_bidirectional(&mut agent, &mut host));
    let (mut limit, mut running) = (idle, true);
    loop {
        let silent = connection.silent_for();
        tokio::select! {
            end = &mut copying => {
                return connection.ends(if end.is_ok() { "ok" } else { "broken" });
            }
            () = tokio::time::sleep(limit.saturating_sub(silent)) => {
                if connection.silent_for() >= limit {
                    return connection.ends(if running { "idle" } else { "stopped" });
                }
            }
            () = stopping.begun(), if running => {
                running = false;
                limit = limit.min(STOPPING_IDLE);
            }
        }
    }
}
