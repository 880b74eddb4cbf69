//! A client's process in a network of its own: nothing is there but the doors it is given, so that
//! going around the proxy fails instead of passing for a success.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;

/// A port inside, and where it leads outside.
pub(super) struct Door {
    port: u16,
    socket: PathBuf,
    carrier: JoinHandle<()>,
}

impl Door {
    /// Opens a door to an address. The socket is made in `folder`.
    pub(super) fn open(port: u16, address: std::net::SocketAddr, folder: &Path) -> Self {
        let socket = folder.join(format!("{port}.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        let carrier = tokio::spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Ok(mut outer) = TcpStream::connect(address).await else { return };
                    let _ = outer.set_nodelay(true);
                    let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
                });
            }
        });
        Self { port, socket, carrier }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// A command that sees these doors and no other network. What it starts ends with it.
pub(super) fn command(doors: &[Door]) -> Command {
    let mut command = Command::new("unshare");
    command.args(spaces().expect("needs network namespaces: unshare(1) is not allowed here"));
    command.arg("python3").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/alone.py"));
    for door in doors {
        command.arg(format!("{}={}", door.port, door.socket.display()));
    }
    command.arg("--");
    command
}

/// How a process gets namespaces of its own on this machine, as this user.
fn spaces() -> Option<&'static [&'static str]> {
    static FOUND: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
    const OWN: [&str; 6] = ["-n", "-p", "-m", "-f", "--mount-proc", "--kill-child"];
    const AS_ROOT: [&str; 7] = ["-r", "-n", "-p", "-m", "-f", "--mount-proc", "--kill-child"];
    *FOUND.get_or_init(|| {
        [&OWN[..], &AS_ROOT[..]].into_iter().find(|spaces| {
            let tried = Command::new("unshare").args(*spaces).arg("true").output();
            tried.is_ok_and(|output| output.status.success())
        })
    })
}
