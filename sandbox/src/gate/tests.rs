use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;

use super::*;
use crate::confinement::Introduction;

const SOON: Duration = Duration::from_secs(20);

fn port() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// A gate before a service that gets each of its connections.
fn gate(service: impl Fn(TcpStream) + Send + 'static) -> (Gate, SocketAddr) {
    let behind = port();
    let address = behind.local_addr().unwrap();
    thread::spawn(move || {
        for stream in behind.incoming() {
            service(stream.unwrap());
        }
    });
    opened(Behind::Service(address))
}

fn opened(behind: Behind) -> (Gate, SocketAddr) {
    let listener = port();
    let address = listener.local_addr().unwrap();
    (serve(listener, behind).unwrap(), address)
}

/// What stands beside the state file of a proxy.
fn publish(state: &Path, token: &str, address: SocketAddr) {
    let mut path = state.as_os_str().to_owned();
    path.push(".token");
    std::fs::write(path, format!("{token} {address} {}\n", std::process::id())).unwrap();
}

fn head(stream: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
    }
    head
}

#[test]
fn bytes_pass_both_ways_and_each_way_ends_by_itself() {
    let (_gate, address) = gate(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all.reverse();
        stream.write_all(&all).unwrap();
    });
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for _ in 0..3 {
        let mut agent = connect(address);
        agent.write_all(&sent).unwrap();
        agent.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        agent.read_to_end(&mut back).unwrap();
        back.reverse();
        assert_eq!(back.len(), sent.len());
        assert!(back == sent);
    }
}

#[test]
fn what_is_not_taken_is_not_read() {
    let (held, keep) = std::sync::mpsc::channel();
    let (_gate, address) = gate(move |stream| held.send(stream).unwrap());
    let mut agent = connect(address);
    agent.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let block = vec![0; 1 << 20];
    let mut sent = 0;
    while let Ok(count) = agent.write(&block) {
        sent += count;
        assert!(sent < 256 << 20, "a service that reads nothing is sent everything");
    }
    drop(keep);
}

#[test]
fn a_gate_that_is_dropped_ends_what_passes_and_lets_nobody_in() {
    let (held, keep) = std::sync::mpsc::channel();
    let (gate, address) = gate(move |stream| held.send(stream).unwrap());
    let mut agent = connect(address);
    let mut behind = keep.recv_timeout(SOON).unwrap();
    drop(gate);
    let mut some = [0];
    assert!(matches!(agent.read(&mut some), Ok(0) | Err(_)));
    assert!(matches!(behind.read(&mut some), Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn who_finds_no_place_waits_for_one() {
    assert_eq!(places(Some(1_024)), 480);
    assert_eq!(places(Some(10)), 1);
    assert_eq!(places(None), MOST);
    let listener = port();
    let address = listener.local_addr().unwrap();
    let behind = port();
    let service = Behind::Service(behind.local_addr().unwrap());
    let hall = Arc::new(Hall {
        listener,
        behind: service,
        most: 1,
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let inner = Arc::clone(&hall);
    let doorman = thread::spawn(move || accept(&inner));
    let gate = Gate { hall, doorman: Some(doorman) };
    let first = connect(address);
    let (passed, _) = behind.accept().unwrap();
    let mut second = connect(address);
    second.write_all(b"2").unwrap();
    behind.set_nonblocking(true).unwrap();
    assert!(behind.accept().is_err(), "nobody is let in beyond the limit");
    drop((first, passed));
    behind.set_nonblocking(false).unwrap();
    let (mut passed, _) = behind.accept().unwrap();
    let mut some = [0];
    passed.read_exact(&mut some).unwrap();
    assert_eq!(&some, b"2");
    drop(gate);
}

#[test]
fn a_connection_is_introduced_and_then_the_agents() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let proxy = port();
    let there = proxy.local_addr().unwrap();
    publish(&state, "old", there);
    let introduction =
        Introduction { address: there, state: state.clone(), run: "run-1".to_owned() };
    let (_gate, address) = opened(Behind::Proxy(introduction));
    let mut agent = connect(address);
    agent.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();

    // The proxy was started anew: the token that was read is no longer good.
    let (stream, _) = proxy.accept().unwrap();
    let mut stream = BufReader::new(stream);
    assert!(head(&mut stream).contains("authorization: Bearer old\r\n"));
    publish(&state, "new", there);
    let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    stream.get_mut().write_all(refusal.as_bytes()).unwrap();

    let (stream, _) = proxy.accept().unwrap();
    let mut stream = BufReader::new(stream);
    let said = head(&mut stream);
    assert!(said.starts_with("POST /_iron/control/attach HTTP/1.1\r\n"), "{said}");
    for line in ["authorization: Bearer new", "x-iron-run: run-1", "upgrade: iron-attach"] {
        assert!(said.contains(&format!("{line}\r\n")), "{said}");
    }
    let early = "HTTP/1.1 101 Switching Protocols\r\n\r\nearly ";
    stream.get_mut().write_all(early.as_bytes()).unwrap();
    assert_eq!(head(&mut stream), "GET / HTTP/1.1\r\n\r\n");
    stream.get_mut().write_all(b"late").unwrap();
    let mut said = [0; 10];
    agent.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"early late");
}

#[test]
fn an_agent_is_told_where_there_is_no_way_on() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let gone = port().local_addr().unwrap();
    let told = |state: &Path| {
        let introduction =
            Introduction { address: gone, state: state.to_owned(), run: "run-1".to_owned() };
        let (_gate, address) = opened(Behind::Proxy(introduction));
        let mut agent = connect(address);
        agent.write_all(b"POST /v1 HTTP/1.1\r\ncontent-length: 900000\r\n\r\n").unwrap();
        agent.write_all(&vec![b' '; 900_000]).unwrap();
        let mut answer = String::new();
        agent.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = told(&state);
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(!answer.contains("state.db"), "{answer}");
    assert!(answer.contains("iron up"), "{answer}");
    publish(&state, "token", gone);
    insta::assert_snapshot!(told(&state).replace('\r', ""), @r#"
    HTTP/1.1 502 Bad Gateway
    content-type: application/json
    x-iron-refused-by: sandbox
    content-length: 188
    connection: close

    {"type":"error","error":{"type":"api_error","code":"proxy_unreachable","message":"Iron Cage's sandbox: the proxy does not answer: it has to be started (`iron up`)","status":"UNAVAILABLE"}}
    "#);
    let other = SocketAddr::from(([127, 0, 0, 1], 1));
    publish(&state, "token", other);
    assert!(told(&state).contains("x-should-retry: false"), "the other proxy never gets the token");
}
