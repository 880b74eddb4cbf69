//! Attempts to make sockets of kinds that an agent has no use for, each of which is a way around what
//! is said of connections.

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::network as raw;

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
) -> Attempt {
    Attempt {
        name,
        group: Group::Network,
        what,
        run,
        shows: Shows::Report,
        expect: Expect::held(&[by::SECCOMP]),
    }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt("mptcp6", "make an MPTCP socket for IPv6", |_| {
        made(libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_MPTCP)
    }),
    attempt("sctp", "make an SCTP socket", |_| {
        made(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP)
    }),
    attempt("sctp-seqpacket", "make an SCTP socket for many peers", |_| {
        made(libc::AF_INET, libc::SOCK_SEQPACKET, libc::IPPROTO_SCTP)
    }),
    attempt("smc", "make an SMC socket (its family)", |_| made(43, libc::SOCK_STREAM, 0)),
    attempt("smc-inet", "make an SMC socket (as a protocol of IPv4)", |_| {
        made(libc::AF_INET, libc::SOCK_STREAM, 256)
    }),
    attempt("dccp", "make a DCCP socket", |_| {
        made(libc::AF_INET, libc::SOCK_DCCP, libc::IPPROTO_DCCP)
    }),
    attempt("udp6", "make a datagram socket for IPv6", |_| {
        made(libc::AF_INET6, libc::SOCK_DGRAM, 0)
    }),
    attempt("udp-type-bits", "make a datagram socket with unknown bits in its type", |_| {
        made(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, libc::IPPROTO_UDP)
    }),
    attempt("udplite", "make a UDP-Lite socket", |_| {
        made(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE)
    }),
    attempt("icmp", "make an ICMP socket for pings", |_| {
        made(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)
    }),
    attempt("icmp-raw", "make a raw ICMP socket", |_| {
        made(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)
    }),
    attempt("raw6", "make a raw socket for IPv6", |_| {
        made(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_RAW)
    }),
    attempt("packet", "make a packet socket", |_| made(libc::AF_PACKET, libc::SOCK_RAW, 0x0300)),
    attempt("packet-old", "make a packet socket in the old way (SOCK_PACKET)", |_| {
        made(libc::AF_INET, 10, 0x0300)
    }),
    attempt("netlink", "make a netlink socket", |_| made(libc::AF_NETLINK, libc::SOCK_RAW, 0)),
    attempt("vsock", "make a VSOCK socket, which crosses network namespaces", |_| {
        made(libc::AF_VSOCK, libc::SOCK_STREAM, 0)
    }),
    attempt("alg", "make a socket of the kernel's cryptography", |_| {
        made(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)
    }),
    attempt("families", "make a socket of any other family", |_| {
        families(libc::SOCK_STREAM, &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6])
    }),
    attempt("families-raw", "make a raw socket of any other family", |_| {
        families(libc::SOCK_RAW, &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6])
    }),
];

fn made(family: i32, kind: i32, protocol: i32) -> Result<String, Refusal> {
    raw::socket(family, kind, protocol).at("socket")?;
    Ok("made".to_owned())
}

/// Tries every family but those that are named; the first refusal is told where none is made.
fn families(kind: i32, but: &[i32]) -> Result<String, Refusal> {
    let mut made = Vec::new();
    let mut refused = None;
    for family in (0..64).filter(|family| !but.contains(family)) {
        match raw::socket(family, kind, 0) {
            Ok(_) => made.push(family.to_string()),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if made.is_empty() => Err(error).at("socket"),
        _ => Ok(format!("families {}", made.join(", "))),
    }
}
