//! The handshake (RFC 6455, section 4): what the client asks, what the upstream is asked, and whether
//! it agreed. Extensions are offered to nobody.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Stopped;
use crate::body::Body;

/// What a browser's client puts a key into, since it cannot set headers.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// A client's request for a WebSocket, and ours to the upstream.
#[derive(Debug)]
pub(super) struct Handshake {
    /// What proves to the client that it was understood.
    accept: String,
    /// Our own key.
    key: String,
}

impl Handshake {
    /// Reads a client's request.
    pub(super) fn read(head: &Parts) -> Result<Self, Stopped> {
        let one = |name: header::HeaderName| {
            let mut values = head.headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
        };
        if one(header::SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(Stopped::Handshake("must say sec-websocket-version: 13"));
        }
        let key = one(header::SEC_WEBSOCKET_KEY).map(str::trim);
        // Sixteen bytes in base64.
        let Some(key) = key.filter(|key| key.len() == 24 && key.ends_with("==")) else {
            return Err(Stopped::Handshake("must have one sec-websocket-key of 16 bytes"));
        };
        Ok(Self { accept: derive_accept_key(key.as_bytes()), key: generate_key() })
    }

    /// Makes the headers of a request to the upstream those of a handshake of our own.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Ok(key) = HeaderValue::from_str(&self.key) {
            headers.insert(header::SEC_WEBSOCKET_KEY, key);
        }
    }

    /// Whether an upstream's 101 answers our request, and promises nothing that was not offered.
    pub(super) fn accepts(&self, headers: &HeaderMap) -> bool {
        headers.get(header::SEC_WEBSOCKET_ACCEPT).is_some_and(|accept| {
            accept.as_bytes() == derive_accept_key(self.key.as_bytes()).as_bytes()
        }) && !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
    }

    /// The answer to the client, with the upstream's own headers.
    pub(super) fn answer(self, mut headers: HeaderMap) -> Response<Body> {
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = headers;
        response
    }
}

/// Moves a key among the protocols to the header where every rule on credentials finds it.
///
/// A header that is there already wins; the key is taken off in any case.
pub(super) fn take_key(headers: &mut HeaderMap) {
    let offered: Vec<String> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|protocol| protocol.trim().to_owned())
        .collect();
    let is_key = |protocol: &str| {
        protocol
            .get(..KEY_PROTOCOL.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(KEY_PROTOCOL))
    };
    if !offered.iter().any(|protocol| is_key(protocol)) {
        return;
    }
    headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
    let (keys, others): (Vec<_>, Vec<_>) = offered.into_iter().partition(|one| is_key(one));
    if let Ok(others) = HeaderValue::from_str(&others.join(", "))
        && !others.is_empty()
    {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, others);
    }
    let key = keys.first().map(|key| format!("Bearer {}", &key[KEY_PROTOCOL.len()..]));
    if let (Some(Ok(mut key)), false) =
        (key.map(|key| HeaderValue::from_str(&key)), headers.contains_key(header::AUTHORIZATION))
    {
        key.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_among_the_protocols_becomes_a_header() {
        let mut headers = HeaderMap::new();
        let offered = "realtime, openai-insecure-api-key.ek_1, openai-beta.realtime-v1";
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offered));
        take_key(&mut headers);
        assert_eq!(headers[header::SEC_WEBSOCKET_PROTOCOL], "realtime, openai-beta.realtime-v1");
        assert_eq!(headers[header::AUTHORIZATION], "Bearer ek_1");
        assert!(headers[header::AUTHORIZATION].is_sensitive());

        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("OpenAI-Insecure-API-Key.other"),
        );
        take_key(&mut headers);
        assert!(!headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL));
        assert_eq!(headers[header::AUTHORIZATION], "Bearer ek_1");

        let plain = HeaderValue::from_static("realtime");
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, plain.clone());
        take_key(&mut headers);
        assert_eq!(headers[header::SEC_WEBSOCKET_PROTOCOL], plain);
    }
}
