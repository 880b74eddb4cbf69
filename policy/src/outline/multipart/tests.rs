//! Uploads as clients send them, and as nobody should.

use proptest::prelude::*;

use super::*;
use crate::redact::{Mode, Modes, splice};

const TYPE: &str = "multipart/form-data; boundary=XyZ";

fn upload(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend_from_slice(b"--XyZ\r\nContent-Disposition: form-data; ");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XyZ--\r\n");
    body
}

fn masked(body: &[u8]) -> Vec<u8> {
    let read = Multipart::read(TYPE, body).unwrap();
    let redaction = read.redact(&Engine::new(Modes::all(Mode::Mask)), &Vault::new([1; 32], 10));
    for pair in redaction.edits.windows(2) {
        assert!(pair[0].range.end <= pair[1].range.start, "{redaction:?}");
    }
    splice(body, &redaction.edits)
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0a@b.com\xff";

#[test]
fn text_is_redacted_and_every_other_byte_stays() {
    let parts = |mail: &str, ssn: &str, form: &str| {
        let json = format!("{{ \"ssn\" : \"{ssn}\", \"n\":1e0 }}");
        let lines = format!("{{\"to\":\"{mail}\"}}\r\n\n[\"{mail}\"]\n{{\"cut\":\"{mail}");
        upload(&[
            ("name=\"purpose\"", b"user_data"),
            ("name=\"note\"", format!("for {mail}").as_bytes()),
            ("name=\"ssn\"", ssn.as_bytes()),
            (
                &format!("name=\"file\"; filename=\"{mail}.txt\"\r\nContent-Type: text/plain"),
                format!("é\n{mail}\n").as_bytes(),
            ),
            ("name=f; filename=a.json\r\ncontent-type: application/json", json.as_bytes()),
            ("name=\"l\"; filename=\"b.jsonl\"", lines.as_bytes()),
            (
                "name=\"n\"; filename=\"c\"\r\nContent-Type: application/octet-stream",
                format!("mail,{mail}\r\n").as_bytes(),
            ),
            (
                "name=\"q\"\r\nContent-Type: application/x-www-form-urlencoded",
                format!("a=1&m={form}").as_bytes(),
            ),
            ("name=\"i\"; filename=\"d.png\"\r\nContent-Type: image/png", PNG),
            ("name=\"e\"", b""),
        ])
    };
    let body = parts("ann@example.com", "536228731", "ann%40example.com");
    let expected = parts("<EMAIL>", "<SSN>", "%3CEMAIL%3E");
    let out = masked(&body);
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
    assert_eq!(masked(&out), out);
    let clean = upload(&[("name=\"a\"", b"nothing"), ("name=\"i\"; filename=\"d.png\"", PNG)]);
    assert_eq!(masked(&clean), clean);
}

#[test]
fn numbers_under_telling_keys_become_strings_however_deep_they_lie() {
    let parts = |number: &str, nested: &str| {
        let json =
            format!("{{\"ssn\":{number},\"n\":536228731,\"s\":\"{{\\\"ssn\\\":{nested}}}\"}}");
        let line = format!("{{\"ssn\": {number}}}\n[1]");
        upload(&[
            ("name=\"f\"; filename=\"a.json\"", json.as_bytes()),
            ("name=\"l\"; filename=\"b.jsonl\"", line.as_bytes()),
        ])
    };
    let out = masked(&parts("536228731", "536228731"));
    let expected = parts("\"<SSN>\"", "\\\"<SSN>\\\"");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
}

#[test]
fn a_parts_own_length_goes_where_the_part_changes() {
    let head = "name=\"a\"\r\nContent-Length: 15";
    let body = upload(&[(head, b"ann@example.com"), (head, b"exactly fifteen")]);
    assert_eq!(masked(&body), upload(&[("name=\"a\"", b"<EMAIL>"), (head, b"exactly fifteen")]));
}

#[test]
fn what_cannot_be_read_is_named_with_what_it_is() {
    let body = upload(&[
        ("name=\"i\"; filename=\"d.png\"\r\nContent-Type: application/octet-stream", PNG),
        ("name=\"a\"; filename=\"x\"\r\nContent-Type: audio/mpeg", b"ID3\0"),
        ("name=\"p\"; filename=\"x.pdf\"\r\nContent-Type: application/pdf", b"%PDF-1.7\xff"),
        ("name=\"l\"; filename=\"x.txt\"\r\nContent-Type: text/plain; charset=latin1", b"plain"),
        ("name=\"u\"; filename=\"x.csv\"", b"caf\xe9"),
        ("name=\"s\"; filename=\"x.svg\"\r\nContent-Type: image/svg+xml", b"<svg/>"),
    ]);
    let read = Multipart::read(TYPE, &body).unwrap();
    let opaque: Vec<_> = read.opaque().map(|(what, place)| (*what, place)).collect();
    let named = |name: &str, what| (what, format!("part `{name}`"));
    assert_eq!(
        opaque,
        [
            named("i", Opaque::Media),
            named("a", Opaque::Media),
            named("p", Opaque::Other),
            named("l", Opaque::Other),
            named("u", Opaque::Other)
        ]
    );
    let at = body.windows(4).position(|window| window == b"%PDF").unwrap();
    assert_eq!(read.place(at), "part `p`");
    assert_eq!(read.place(0), "");
}

#[test]
fn boundaries_are_read_as_they_are_quoted() {
    let body = upload(&[("name=\"a\"", b"x")]);
    for good in [
        TYPE,
        "Multipart/Form-Data; charset=utf-8; boundary=\"XyZ\"",
        "multipart/form-data;boundary=XyZ",
    ] {
        assert!(Multipart::read(good, &body).is_ok(), "{good}");
    }
    for bad in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=XyZ",
        "multipart/form-data; boundary=\"XyZ",
        "multipart/form-data; boundary=X\"yZ",
        "multipart/form-data; boundary=\"XyZ \"",
        "multipart/form-data; boundary=\"XyZ\"x",
        "multipart/mixed; boundary=XyZ",
        "application/json; boundary=XyZ",
    ] {
        assert!(matches!(Multipart::read(bad, &body), Err(BadMultipart::Boundary)), "{bad}");
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    assert!(matches!(Multipart::read(&long, &body), Err(BadMultipart::Boundary)));
}

#[test]
fn what_readers_take_apart_differently_is_refused() {
    use BadMultipart::{Delimiter, End, Head, Start, TransferEncoding};
    let part = "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n";
    for (body, error) in [
        (String::new(), Start),
        (format!("preamble\r\n{part}--XyZ--"), Start),
        (part.replace("\r\n", "\n") + "--XyZ--", Delimiter(5)),
        (format!("{part}--XyZ \r\n"), Delimiter(59)),
        (format!("{part}--XyZabc\r\n{part}--XyZ--"), Delimiter(59)),
        (part.to_owned(), End),
        (format!("{part}--XyZ--\r\nann@example.com"), End),
        ("--XyZ--\r\n".to_owned(), End),
        (format!("{}--XyZ--", part.replace("\r\nx\r\n", "\r\nx\n--XyZ--\r\n")), Delimiter(51)),
        (
            "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--XyZ--\r\n--XyZ--"
                .to_owned(),
            Delimiter(51),
        ),
        ("--XyZ\r\n\r\nx\r\n--XyZ--".to_owned(), Head(7)),
        ("--XyZ\r\nContent-Type: text/plain\r\n\r\nx\r\n--XyZ--".to_owned(), Head(7)),
        (format!("{}--XyZ--", part.replace("form-data; name", "attachment; name")), Head(7)),
        (format!("{}--XyZ--", part.replace("name=\"a\"", "filename=\"a\"")), Head(7)),
        (format!("{}--XyZ--", part.replace("name=\"a\"", "name=\"a\"; name=\"b\"")), Head(7)),
        (
            format!("{}--XyZ--", part.replace("name=\"a\"", "name=\"a\"; filename=x; filename*=y")),
            Head(7),
        ),
        (format!("{}--XyZ--", part.replace("name=\"a\"", "name=\"a")), Head(7)),
        (format!("{}--XyZ--", part.replace("; name", ";\r\n name")), Head(7)),
        (
            format!(
                "{}--XyZ--",
                part.replace("\"a\"", "\"a\"\r\nContent-Type: a/b\r\nContent-Type: c/d")
            ),
            Head(7),
        ),
        (
            format!(
                "{}--XyZ--",
                part.replace("\"a\"", "\"a\"\r\nContent-Transfer-Encoding: base64")
            ),
            TransferEncoding(7),
        ),
        (
            format!("{}--XyZ--", part.replace("\"a\"", &format!("\"{}\"", "a".repeat(9_000)))),
            Head(7),
        ),
    ] {
        let read = Multipart::read(TYPE, body.as_bytes()).map(|_| ());
        assert_eq!(read, Err(error), "{body:?}");
    }
    let many = part.repeat(1_001) + "--XyZ--";
    assert!(matches!(Multipart::read(TYPE, many.as_bytes()), Err(BadMultipart::TooMany)));
}

proptest! {
    #[test]
    fn any_bytes_are_borne(
        pieces in prop::collection::vec(
            prop_oneof![
                Just("--XyZ".to_owned()), Just("\r\n".to_owned()), Just("--".to_owned()),
                Just("Content-Disposition: form-data; name=\"a\"".to_owned()),
                Just("; filename=\"a.jsonl\"".to_owned()),
                Just("Content-Type: application/x-www-form-urlencoded".to_owned()),
                Just("ann@example.com".to_owned()), "[ -~\r\né\0]{0,12}",
            ],
            0..24,
        ),
        wild in prop::collection::vec(any::<u8>(), 0..8),
        kind in "(multipart/form-data; boundary=)?[ -~]{0,20}",
    ) {
        let mut body = pieces.concat().into_bytes();
        body.extend(wild);
        let _ = Multipart::read(&kind, &body);
        if Multipart::read(TYPE, &body).is_ok() {
            let once = masked(&body);
            prop_assert_eq!(masked(&once), once);
        }
    }

    #[test]
    fn whatever_the_parts_hold_they_stay_parts_and_twice_is_once(
        contents in prop::collection::vec(
            (
                prop::sample::select(&["", "; filename=\"x.jsonl\"", "; filename=\"x.json\"", "; filename=\"y\""][..]),
                "[a-z{}\":@.%&=\\\\\r\n 0-9é-]{0,30}(ann@example.com|536-22-8731)?[a-z{}\":@.\r\n]{0,20}",
            ),
            1..5,
        ),
    ) {
        let heads: Vec<_> = contents.iter().map(|(file, _)| format!("name=\"a\"{file}")).collect();
        let parts: Vec<_> = heads.iter().zip(&contents)
            .map(|(head, (_, content))| (head.as_str(), content.as_bytes())).collect();
        let body = upload(&parts);
        let once = masked(&body);
        let count = |body: &[u8]| Multipart::read(TYPE, body).unwrap().parts.len();
        prop_assert_eq!(count(&once), parts.len());
        prop_assert_eq!(masked(&once), once);
    }
}
