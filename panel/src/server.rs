//! The panel's port: plain HTTP, or TLS with a certificate from files that may be renewed.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, SystemTime};

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use iron_policy::config::PanelTls;
use iron_policy::config::panel::LISTEN;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::api;
use crate::panel::Panel;

/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(15);
/// How long requests may go on after the panel was told to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How often the files of the certificate are looked at.
const LOOK: Duration = Duration::from_mins(1);

/// Why the panel has no port.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, or not to be had.
    #[error(
        "cannot listen on {address}: {source}. Choose another port with [panel] listen in iron.toml"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The certificate or the key cannot be used.
    #[error("the panel's certificate cannot be used: {0}")]
    Tls(String),
}

/// A panel that has its port, and does not answer yet.
#[derive(Debug)]
pub struct Server {
    panel: Panel,
    listener: TcpListener,
    tls: Option<(PanelTls, ServerConfig)>,
}

impl Server {
    /// Takes the port. Where no address is given and the usual one is taken, any free one.
    pub fn bind(
        panel: &Panel,
        listen: Option<SocketAddr>,
        tls: Option<&PanelTls>,
    ) -> Result<Self, ServeError> {
        let address = listen.unwrap_or(LISTEN);
        let bound = TcpListener::bind(address).or_else(|error| match listen {
            None if error.kind() == io::ErrorKind::AddrInUse => {
                TcpListener::bind(SocketAddr::new(address.ip(), 0))
            }
            _ => Err(error),
        });
        let listen = |source| ServeError::Listen { address, source };
        let listener = bound.map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let tls =
            tls.map(|files| Ok::<_, ServeError>((files.clone(), read(files)?))).transpose()?;
        Ok(Self { panel: panel.clone(), listener, tls })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is told to stop, then until what is under way has ended, for a while.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let service = api::router(&self.panel).into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::new();
        let own = handle.clone();
        let stopping = async {
            stop.await;
            own.graceful_shutdown(Some(DRAIN));
            std::future::pending::<()>().await;
        };
        match self.tls {
            None => {
                let mut server = axum_server::from_tcp(self.listener)?.handle(handle);
                let mut http = server.http_builder().http1();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD);
                tokio::select! {
                    served = server.serve(service) => served,
                    () = stopping => Ok(()),
                }
            }
            Some((files, config)) => {
                let config = RustlsConfig::from_config(config.into());
                let renewing = renew(files, config.clone());
                let mut server =
                    axum_server::from_tcp_rustls(self.listener, config)?.handle(handle);
                let mut http = server.http_builder().http1();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD);
                tokio::select! {
                    served = server.serve(service) => served,
                    () = stopping => Ok(()),
                    () = renewing => Ok(()),
                }
            }
        }
    }
}

/// Takes over the files when they change; a pair that cannot be used leaves the one before in use.
async fn renew(files: PanelTls, config: RustlsConfig) {
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let seen = || -> [Option<SystemTime>; 2] { [changed(&files.certificate), changed(&files.key)] };
    let mut known = seen();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = seen();
        if now == known {
            continue;
        }
        known = now;
        match read(&files) {
            Ok(new) => {
                config.reload_from_config(new.into());
                tracing::info!("the panel's certificate was renewed");
            }
            Err(error) => tracing::error!(%error, "the panel's new certificate is not used"),
        }
    }
}

fn read(files: &PanelTls) -> Result<ServerConfig, ServeError> {
    let at = |path: &Path, error: &dyn std::fmt::Display| {
        ServeError::Tls(format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| at(&files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| at(&files.key, &error))?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ServeError::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| at(&files.certificate, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
