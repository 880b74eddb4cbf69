//! Sizes, times and addresses as people write them.

use std::net::SocketAddr;
use std::time::Duration;

const KIB: u64 = 1024;

/// A size in bytes: `4096`, `512M`, `512MiB`, `2GB`. A letter alone counts by 1024, as for `ulimit`
/// and containers; `KB`, `MB`, `GB` and `TB` count by 1000.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a whole number and a unit, as in 512M, 512MiB or 2GB".to_owned();
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => KIB,
        "m" | "mib" => KIB.pow(2),
        "g" | "gib" => KIB.pow(3),
        "t" | "tib" => KIB.pow(4),
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    match number.checked_mul(factor) {
        Some(0) => Err("a limit is more than nothing".to_owned()),
        Some(size) => Ok(size),
        None => Err("no machine has so much".to_owned()),
    }
}

/// A time: `500ms`, `10s`, `5m`, `2h`, `1h30m`. A number alone is refused: nobody can tell its unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a whole number and a unit, as in 500ms, 10s, 5m or 1h30m".to_owned();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let factor = match &rest[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = number.checked_mul(factor).ok_or_else(wrong)?;
        milliseconds = milliseconds.checked_add(part).ok_or_else(wrong)?;
    }
    if milliseconds == 0 {
        return Err("a limit is more than nothing".to_owned());
    }
    Ok(Duration::from_millis(milliseconds))
}

/// An address of this machine's own: nothing else can be let in by a flag.
pub fn parse_service(text: &str) -> Result<SocketAddr, String> {
    let text = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let address: SocketAddr =
        text.parse().map_err(|_| "an address and a port, as in 127.0.0.1:5432".to_owned())?;
    if address.port() == 0 {
        return Err("a port is from 1 to 65535".to_owned());
    }
    if !(address.is_ipv4() && address.ip().is_loopback()) {
        return Err(
            "only services of this machine can be let in, as 127.0.0.1:PORT: for anything else run \
             a forwarder of your own there, such as `ssh -L`"
                .to_owned(),
        );
    }
    Ok(address)
}

/// A size for people: the largest unit that it is a whole number of.
pub fn size(bytes: u64) -> String {
    let units = [(KIB.pow(4), "TiB"), (KIB.pow(3), "GiB"), (KIB.pow(2), "MiB"), (KIB, "KiB")];
    let whole = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes} B"), |(unit, name)| format!("{} {name}", bytes / unit))
}

/// A time for people: the largest unit that it is a whole number of.
pub fn duration(time: Duration) -> String {
    let milliseconds = time.as_millis();
    let units = [(3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let whole = units
        .into_iter()
        .find(|(unit, _)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{milliseconds} ms"),
        |(unit, name)| format!("{} {name}", milliseconds / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("4096", 4096),
            ("512M", 512 << 20),
            ("512MiB", 512 << 20),
            ("2GB", 2_000_000_000),
            ("2 g", 2 << 30),
            ("1kb", 1000),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "-1", "1.5G", "0", "5X", "99999999999T", "１M"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_need_a_unit() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "10", "s", "0s", "1.5h", "10 s s", "5y", "-1s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn both_are_written_in_the_largest_whole_unit() {
        assert_eq!(size(512 << 20), "512 MiB");
        assert_eq!(size(2_000_000_000), "1953125 KiB");
        assert_eq!(size(1000), "1000 B");
        assert_eq!(duration(Duration::from_mins(90)), "90 min");
        assert_eq!(duration(Duration::from_millis(1500)), "1500 ms");
    }
}
