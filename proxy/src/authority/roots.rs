//! The roots that this machine trusts, without ours.

use std::sync::OnceLock;

use rustls::pki_types::CertificateDer;

use super::certificate::SUBJECT;

/// The system's trusted roots, as they were when first asked for; Mozilla's list where the system
/// has none.
///
/// A CA of ours is never among them, also where `SSL_CERT_FILE` names a bundle of ours: the proxy
/// does not trust itself as an upstream, and a CA that was replaced must not live on in a bundle.
pub fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = rustls_native_certs::load_native_certs().certs;
        roots.retain(|root| memchr::memmem::find(root, SUBJECT.as_bytes()).is_none());
        if roots.is_empty() {
            roots.extend_from_slice(webpki_root_certs::TLS_SERVER_ROOT_CERTS);
        }
        roots
    })
}
