//! HTTPS on the agents' port: with certificates of the proxy's own CA, and with clients that do
//! everything wrong that can be done wrong in a handshake.
//!
//! After each failure: nothing was sent to the provider, nothing is reserved or on record, and
//! the next good call is answered.

use std::process::Command;
use std::time::Duration;

use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::chat;
use iron_tests::tls::{self, Cut, Cutting};
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BOTH: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A client's configuration that trusts the world's CA.
fn trusting(world: &World) -> rustls::ClientConfig {
    tls::client(tls::roots(&world.authority().certificate()), &BOTH)
}

async fn call_of(world: &World, name: &str, config: rustls::ClientConfig) -> u16 {
    let stream = TcpStream::connect(world.address).await.unwrap();
    let stream = tls::connect(stream, name, config).await.unwrap();
    tls::chat(stream, &chat("hello")).await.0.as_u16()
}

/// Nothing came of what went wrong, and the next call is answered.
async fn still_well(world: &World, what: &str) {
    assert_eq!(world.provider.counts().received, 0, "{what}");
    assert!(world.calls().await.is_empty(), "{what}");
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO, "{what}");
    assert_eq!(call_of(world, "localhost", trusting(world)).await, 200, "{what}");
}

/// Everything that the peer still sends until it closes the connection.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    // A reset is an end, too: the peer had unread bytes of ours when it closed.
    assert!(read.is_ok(), "the connection stays open");
    rest
}

#[tokio::test]
async fn one_port_speaks_http_and_https_in_both_versions() {
    let world = World::plain().await;
    assert_eq!(world.client().chat("hello").await.status, 200);
    for name in ["localhost", "127.0.0.1", "::1", "api.openai.com", "mine.openai.azure.com"] {
        for protocols in [&BOTH[..], &BOTH[1..], &[]] {
            let mut config = trusting(&world);
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            assert_eq!(call_of(&world, name, config).await, 200, "{name} {protocols:?}");
        }
    }
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(tls::roots(&world.authority().bundle()))
            .with_no_client_auth();
        assert_eq!(call_of(&world, "localhost", config).await, 200, "{version:?}");
    }
    let calls = world.calls().await;
    assert_eq!(calls.len(), 18);
    assert!(calls.iter().all(|call| call.outcome == "ok"), "{calls:?}");
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_ca_sends_nothing() {
    let world = World::plain().await;
    let other = tls::Issuer::default();
    for roots in [RootCertStore::empty(), other.roots()] {
        let stream = TcpStream::connect(world.address).await.unwrap();
        let refused = tls::connect(stream, "localhost", tls::client(roots, &BOTH)).await;
        assert!(refused.unwrap_err().to_string().contains("certificate"));
    }
    still_well(&world, "distrust").await;
}

#[tokio::test]
async fn names_that_the_ca_may_not_sign_for_and_unknown_protocols_are_refused_with_an_alert() {
    let world = World::plain().await;
    let refused = async |name: &str, config| {
        let stream = TcpStream::connect(world.address).await.unwrap();
        tls::connect(stream, name, config).await.unwrap_err().to_string()
    };
    let said = refused("example.com", trusting(&world)).await;
    assert!(said.contains("fatal alert"), "{said}");
    let mut config = trusting(&world);
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    let said = refused("localhost", config).await;
    assert!(said.contains("NoApplicationProtocol"), "{said}");
    still_well(&world, "names").await;
}

#[tokio::test]
async fn old_versions_and_bytes_that_are_no_tls_end_in_an_alert() {
    let world = World::plain().await;
    for (what, bytes, answered) in [
        ("TLS 1.1", tls::client_hello(0x0302), true),
        ("TLS 1.0", tls::client_hello(0x0301), true),
        ("SSL 3", tls::client_hello(0x0300), true),
        ("a record too long", [&[0x16, 3, 1, 0xff, 0xff], &[1; 1024][..]].concat(), false),
        ("noise", [&[0x16][..], &[0xa5; 512]].concat(), false),
        ("an empty hello", tls::record(0x16, 0x0301, &[1, 0, 0, 0]), false),
        ("a server's hello", tls::server_hello(0x0303), false),
        ("data before a handshake", tls::record(0x17, 0x0303, b"GET / HTTP/1.1\r\n\r\n"), false),
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let said = rest(&mut stream).await;
        // 0x17 begins no handshake, so it is read as HTTP.
        if bytes[0] == 0x16 {
            assert!(said.is_empty() || said[0] == 0x15, "{what}: {said:?}");
        } else {
            assert!(said.starts_with(b"HTTP/1.1 400"), "{what}: {said:?}");
        }
        if answered {
            // handshake_failure or protocol_version (RFC 8446, section 6.2), which ends it.
            assert!(said[5] == 2 && [40, 70].contains(&said[6]), "{what}: {said:?}");
        }
        still_well_so_far(&world, what).await;
    }
    still_well(&world, "old versions").await;
}

async fn still_well_so_far(world: &World, what: &str) {
    assert_eq!(world.provider.counts().received, 0, "{what}");
    assert!(world.calls().await.is_empty(), "{what}");
}

#[tokio::test]
async fn a_hello_in_pieces_is_a_hello() {
    let world = World::plain().await;
    for cut in [Cut::Bytes(2_000), Cut::Records] {
        let stream = Cutting::connect(world.address, cut).await;
        let stream = tls::connect(stream, "localhost", trusting(&world)).await;
        let stream = stream.unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        let (status, _) = tls::chat(stream, &chat("hello")).await;
        assert_eq!(status, 200, "{cut:?}");
    }
}

#[tokio::test]
async fn a_client_may_leave_at_every_stage() {
    let world = World::plain().await;
    // A hello has some 220 bytes; then come the client's Finished, and its request.
    for bytes in [0, 1, 5, 6, 100, 200] {
        let stream = Cutting::connect(world.address, Cut::Off(bytes)).await;
        let left = tls::connect(stream, "localhost", trusting(&world)).await;
        assert!(left.is_err(), "{bytes}");
        still_well_so_far(&world, &format!("after {bytes} bytes")).await;
    }
    // After the server's part, before the client's.
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let config = std::sync::Arc::new(trusting(&world));
    let mut hello = Vec::new();
    rustls::ClientConnection::new(config, name).unwrap().write_tls(&mut hello).unwrap();
    stream.write_all(&hello).await.unwrap();
    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 500);
    drop(stream);
    still_well_so_far(&world, "after the server's part").await;
    // After the handshake: with no request, half a head, a head without its body.
    for request in [
        "",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: lo",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\n",
    ] {
        for says_goodbye in [true, false] {
            let stream = TcpStream::connect(world.address).await.unwrap();
            let mut config = trusting(&world);
            config.alpn_protocols.clear();
            let mut stream = tls::connect(stream, "localhost", config).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            if says_goodbye {
                stream.shutdown().await.unwrap();
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        }
        still_well_so_far(&world, request).await;
    }
    still_well(&world, "left").await;
}

#[tokio::test]
async fn who_makes_no_request_in_time_is_closed() {
    let world = World::with("[proxy]\nread_timeout = \"200ms\"\n").await;
    let hello = tls::client_hello(0x0303);
    for (what, begins) in [
        ("nothing", &b""[..]),
        ("one byte of TLS", &[0x16]),
        ("half a hello", &hello[..20]),
        ("half a preface", b"PRI * HTTP/2.0\r\n"),
        ("a preface without a request", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        ("half a head", b"GET /v1/models HTTP/1.1\r\nhost: x\r\n"),
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(begins).await.unwrap();
        let said = rest(&mut stream).await;
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{what}: {said:?}");
    }
    // A handshake, and then nothing; and one that comes a byte at a time, too slowly.
    let stream = TcpStream::connect(world.address).await.unwrap();
    let mut stream = tls::connect(stream, "localhost", trusting(&world)).await.unwrap();
    let mut said = Vec::new();
    let silent = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said));
    assert!(silent.await.is_ok(), "the connection stays open");
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let closed = async {
        for byte in hello.iter().cycle() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
    assert!(closed.is_ok(), "a slow hello goes on");
    still_well(&world, "slow").await;
}

#[tokio::test]
async fn a_rotated_ca_is_served_without_a_restart_and_a_removed_one_is_not() {
    let world = World::plain().await;
    let before = trusting(&world);
    assert_eq!(call_of(&world, "localhost", before.clone()).await, 200);
    world.authority().rotate(&iron_proxy::authority::Permitted::known()).unwrap();
    let serves = async |config: rustls::ClientConfig| {
        let stream = TcpStream::connect(world.address).await.unwrap();
        tls::connect(stream, "localhost", config).await.is_ok()
    };
    let until = async |config: rustls::ClientConfig, wanted: bool| {
        for _ in 0..200 {
            if serves(config.clone()).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the CA in use did not change");
    };
    let after = trusting(&world);
    until(after.clone(), true).await;
    assert!(!serves(before).await);
    assert!(world.authority().remove().unwrap());
    until(after, false).await;
    assert_eq!(world.client().chat("hello").await.status, 200, "HTTP goes on");
}

/// What is on most machines checks the certificates as strictly as it can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_programs_trust_the_ca_by_its_files() {
    let world = World::plain().await;
    let (port, ca) = (world.address.port(), world.authority().certificate());
    let (ca, bundle) = (ca.to_str().unwrap(), world.authority().bundle());
    let python = format!(
        "import ssl, socket\n\
         for name in ('127.0.0.1', 'localhost', 'api.anthropic.com'):\n\
         \x20   context = ssl.create_default_context(cafile={ca:?})\n\
         \x20   context.verify_flags |= ssl.VERIFY_X509_STRICT | 0x80000\n\
         \x20   tcp = socket.create_connection(('127.0.0.1', {port}))\n\
         \x20   print(context.wrap_socket(tcp, server_hostname=name).version())\n"
    );
    let node = format!(
        "fetch('https://localhost:{port}/_iron/health').then(r => r.text()).then(t => \
         fetch('https://127.0.0.1:{port}/_iron/health').then(r => r.text()).then(u => console.log(t + u)))"
    );
    let health = format!("https://127.0.0.1:{port}/_iron/health");
    let connect = format!("127.0.0.1:{port}");
    let (ok, bundle) = ("{\"status\":\"ok\"}", bundle.to_str().unwrap());
    for (program, arguments, variable, says) in [
        ("python3", vec!["-c", &python], ("", ""), "TLSv1.3\nTLSv1.3\nTLSv1.3"),
        ("node", vec!["-e", &node], ("NODE_EXTRA_CA_CERTS", ca), ok),
        ("curl", vec!["-sS", "--cacert", ca, &health], ("", ""), ok),
        ("curl", vec!["-sS", &health], ("CURL_CA_BUNDLE", bundle), ok),
        (
            "openssl",
            vec![
                "s_client",
                "-connect",
                &connect,
                "-CAfile",
                ca,
                "-x509_strict",
                "-verify_ip",
                "127.0.0.1",
            ],
            ("", ""),
            "Verify return code: 0 (ok)",
        ),
    ] {
        let mut command = Command::new(program);
        command.args(&arguments).stdin(std::process::Stdio::null());
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "SSL_CERT_FILE", "CURL_CA_BUNDLE"] {
            command.env_remove(name);
        }
        if !variable.0.is_empty() {
            command.env(variable.0, variable.1);
        }
        let ran = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        let output = match ran {
            Ok(output) => output,
            // Only Python is needed by the other stories.
            Err(error) if program != "python3" => {
                println!("{program} is not here: {error}");
                continue;
            }
            Err(error) => panic!("{program}: {error}"),
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(says), "{program} {variable:?}: {said}{complained}");
    }
}
