//! Many connections that do nothing, beside one that calls.

use std::time::Duration;

use iron_cli::simulator::Simulator;
use iron_proxy::server::raise_descriptors;
use iron_tests::World;
use iron_tests::binary::Proxy;
use iron_tests::client::{CALLER_KEY, Client};
use iron_tests::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_idle_connections_are_held_and_calls_are_answered() {
    raise_descriptors();
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("iron.toml");
    let lines = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         [proxy]\nread_timeout = \"60s\"\n",
        provider.url()
    );
    std::fs::write(&config, lines).unwrap();
    let proxy = Proxy::start(&config, &home.path().join("state.db"));
    let trusting = tls::client(tls::roots(&home.path().join("ca/ca.pem")), &[b"http/1.1"]);
    let mut plain = Vec::new();
    let mut secure = Vec::new();
    let head = b"GET /_iron/health HTTP/1.1\r\nhost: x\r\n\r\n";
    for number in 0..5_000 {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        match number % 10 {
            0 => {
                let stream = tls::connect(stream, "localhost", trusting.clone()).await;
                secure.push(stream.unwrap());
            }
            // Half of them made a call and were kept.
            1..5 => {
                stream.write_all(head).await.unwrap();
                assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
                plain.push(stream);
            }
            _ => plain.push(stream),
        }
    }
    let client = Client::new(proxy.address);
    assert_eq!(client.chat("hello").await.status, 200);
    // None was given up for another.
    for stream in plain.iter().step_by(250) {
        let nothing = stream.try_read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(nothing, Err(std::io::ErrorKind::WouldBlock));
    }
    let (last, mut answer) = (plain.last_mut().unwrap(), [0; 12]);
    last.write_all(head).await.unwrap();
    last.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    if let Some(resident) = proxy.resident_mib() {
        assert!(resident < 400, "{resident} MiB for 5,000 connections");
    }
    drop((plain, secure));
    assert_eq!(client.chat("hello").await.status, 200);
    assert!(proxy.terminate());
}

#[tokio::test]
async fn where_all_places_are_taken_a_call_waits_until_the_silent_ones_are_closed() {
    let world = World::with("[proxy]\nmax_connections = 3\nread_timeout = \"300ms\"\n").await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(world.address).await.unwrap());
    }
    let started = tokio::time::Instant::now();
    assert_eq!(world.client().chat("hello").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200), "there was a place");
    for stream in &mut silent {
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    }
}

/// A client that has asked once, and then neither asks again nor leaves, gives its place back.
#[tokio::test]
async fn a_connection_that_is_kept_but_not_used_is_closed_too() {
    let world = World::with("[proxy]\nread_timeout = \"300ms\"\n").await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let request =
        format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CALLER_KEY}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await;
    assert!(closed.is_ok(), "it stays open");
    assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
}
