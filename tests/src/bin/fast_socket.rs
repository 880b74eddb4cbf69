//! The benchmark's upstream of WebSockets: answers each message with the same response, from
//! memory.
//!
//! `fast_socket [ADDRESS]`, by default on 127.0.0.1:9904; pin it with `taskset`. One thread. It
//! takes every message for a `response.create` and answers with the 24 events of a response of
//! 16 tokens, in one write. It is no server for the open.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use iron_tests::messages::{CLOSE, Reader, TEXT, message};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const TOKENS: usize = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9904".into());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let response: Arc<[u8]> = response().into();
    loop {
        let (stream, _) = listener.accept().await?;
        let response = Arc::clone(&response);
        tokio::spawn(async move {
            // A client that goes away is an ordinary end.
            let _ = serve(stream, &response).await;
        });
    }
}

async fn serve(mut stream: TcpStream, response: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::default();
    let Some(head) = reader.head(&mut stream).await? else { return Ok(()) };
    let key = head.lines().filter_map(|line| line.split_once(':'));
    let key = key.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let key = key.map(|(_, key)| key.trim()).next().unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes()),
    );
    stream.write_all(answer.as_bytes()).await?;
    while let Some((opcode, _)) = reader.next(&mut stream).await? {
        match opcode {
            TEXT => stream.write_all(response).await?,
            CLOSE => break,
            _ => {}
        }
    }
    stream.shutdown().await
}

/// All events of the response, as they go out.
fn response() -> Vec<u8> {
    let id = "resp_fast0000000000000000000000000001";
    let whole = |status: &str, output: Value, usage: Value| {
        json!({"id": id, "object": "response", "created_at": 1_760_000_000, "status": status,
            "model": "gpt-4o-mini-2024-07-18", "output": output, "usage": usage, "error": null,
            "parallel_tool_calls": true, "store": false, "temperature": 1.0, "tools": []})
    };
    let text = " fox".repeat(TOKENS);
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let item = |status: &str, content: Value| {
        json!({"id": "msg_fast", "type": "message", "status": status, "role": "assistant",
            "content": content})
    };
    let place = json!({"item_id": "msg_fast", "output_index": 0, "content_index": 0});
    let began = whole("in_progress", json!([]), Value::Null);
    let usage = json!({"input_tokens": 256, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": TOKENS, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 256 + TOKENS});
    let done = item("completed", json!([part(&text)]));
    let mut events = vec![
        ("response.created", json!({"response": began})),
        ("response.in_progress", json!({"response": began})),
        ("response.output_item.added", json!({"item": item("in_progress", json!([]))})),
        ("response.content_part.added", json!({"part": part("")})),
    ];
    events.extend((0..TOKENS).map(|_| ("response.output_text.delta", json!({"delta": " fox"}))));
    events.extend([
        ("response.output_text.done", json!({"text": text})),
        ("response.content_part.done", json!({"part": part(&text)})),
        ("response.output_item.done", json!({"item": done})),
        ("response.completed", json!({"response": whole("completed", json!([done]), usage)})),
    ]);
    let mut bytes = Vec::new();
    for (number, (kind, mut event)) in events.into_iter().enumerate() {
        event["sequence_number"] = json!(number);
        if event.get("response").is_none() {
            for (name, value) in place.as_object().into_iter().flatten() {
                event[name] = value.clone();
            }
        }
        // The type stands first, as providers write it.
        let rest = event.to_string();
        let event = format!("{{\"type\":\"{kind}\",{}", &rest[1..]);
        bytes.extend(message(event.as_bytes(), false));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_message_is_answered_by_a_whole_response() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, &response()).await.unwrap();
        });
        let mut socket = iron_tests::socket::Socket::open(address, "/v1/responses").await;
        for _ in 0..2 {
            socket.send(&json!({"type": "response.create"})).await;
            let events = socket.until(&["response.completed"]).await;
            assert_eq!(events.len(), 8 + TOKENS);
            assert_eq!(events.last().unwrap()["response"]["usage"]["output_tokens"], TOKENS);
        }
        socket.close().await;
    }
}
