//! Who else is told of calls that ended, such as an exporter of traces.
//!
//! There is none, or one for the life of the proxy. Where there is none, asking costs one load of a
//! pointer and nothing else happens: no header is read and nothing is copied.
//! What an observer does with a call is its own; it must not wait, since it is called where the
//! call ends.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::state::CallRecord;

/// Is told of every call that ended.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A call ended. Must return at once, whatever becomes of what it is told.
    fn ended(&self, call: EndedCall);
}

/// A call that ended, with what of it is told but not kept.
#[derive(Clone, Debug)]
pub struct EndedCall {
    /// What is kept of it.
    pub record: CallRecord,
    /// How long it took, from its request's head to its end.
    pub took: Duration,
    /// When it ended.
    pub at: SystemTime,
    /// When the first bytes of its stream came, counted from its request's head; none where it was
    /// no stream, or nothing came.
    pub first_chunk: Option<Duration>,
    /// The span of the caller's that it belongs to.
    pub parent: Option<TraceParent>,
    /// Whether it went to a host that is no upstream's: the name in the record is a caller's then.
    pub other_host: bool,
}

/// The caller's span, as the header `traceparent` names it.
/// <https://www.w3.org/TR/trace-context/#traceparent-header>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never zero.
    pub trace: u128,
    /// The span in it; never zero.
    pub span: u64,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceParent {
    /// The span that the headers name. None where there is no such header, more than one, or one
    /// that is not exactly as the standard says.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("traceparent").iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.as_bytes())
    }

    /// `VERSION-TRACE-SPAN-FLAGS`, all in lower-case hexadecimal digits. Versions after 00 may say
    /// more behind a hyphen.
    fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(55)?;
        let dashes = [2, 35, 52].iter().all(|place| known[*place] == b'-');
        let version = hex(&known[..2])?;
        let more = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let trace = hex(&known[3..35])?;
        let span = u64::try_from(hex(&known[36..52])?).ok()?;
        let flags = hex(&known[53..])?;
        let whole = dashes && more && trace != 0 && span != 0;
        whole.then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// The number that lower-case digits write.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_parent_is_read_as_the_standard_writes_it() {
        let parent = |text: String| TraceParent::parse(text.as_bytes());
        let read = parent(format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!(read.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((read.span, read.sampled), (0xb7ad_6b71_6920_3331, true));
        assert!(!parent(format!("00-{TRACE}-{SPAN}-00")).unwrap().sampled);
        // A version to come, whose first fields are these.
        assert_eq!(parent(format!("01-{TRACE}-{SPAN}-01-more")), Some(read));
        assert_eq!(parent(format!("cc-{TRACE}-{SPAN}-03")), Some(read));
    }

    #[test]
    fn what_is_not_exactly_so_is_no_parent() {
        let zeros = "0".repeat(32);
        for wrong in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!("01-{TRACE}-{SPAN}-01more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{}é-{SPAN}-01", &TRACE[..30]),
        ] {
            assert_eq!(TraceParent::parse(wrong.as_bytes()), None, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(TraceParent::of(&headers), None);
        let value: http::HeaderValue = format!("00-{TRACE}-{SPAN}-01").parse().unwrap();
        headers.append("traceparent", value.clone());
        assert!(TraceParent::of(&headers).is_some());
        headers.append("traceparent", value);
        assert_eq!(TraceParent::of(&headers), None);
    }
}
