//! Bodies: reading one whole, and what the proxy answers with, which is bytes that are all there or
//! a stream that is being relayed.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::pipeline::{OtherBody, PassBody, StreamBody};

/// The body of every answer.
#[derive(Debug)]
pub enum Body {
    /// Bytes that are all there.
    Whole(Option<Bytes>),
    /// A stream from an upstream.
    Stream(Box<StreamBody>),
    /// Bytes of an upstream that go on as they come.
    Passing(Box<PassBody>),
    /// What a host that is no upstream's answers, as it comes.
    Other(Box<OtherBody>),
}

/// The upstream's answer broke off after its head had gone to the client, whose connection is broken
/// off too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's answer broke off")]
pub struct Broken;

impl Body {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self::Whole(None)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => Pin::new(stream)
                .poll_next(context)
                .map(|next| next.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(passing) => {
                passing.poll_next(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
            Self::Other(other) => Pin::new(other).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(_) | Self::Passing(_) => false,
            Self::Other(other) => other.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) | Self::Passing(_) => SizeHint::default(),
            Self::Other(other) => other.size_hint(),
        }
    }
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectError {
    /// It has more bytes than allowed.
    TooLarge,
    /// Its next part did not come in time.
    Late,
    /// It broke off.
    Broken,
}

/// The most that is read of a body that nobody wants, in bytes.
const UNWANTED: usize = 256 * 1024;
/// And for how long.
const UNWANTED_TIME: Duration = Duration::from_secs(1);

/// Reads what a caller is still sending with a request that is refused, within limits: a client
/// that is cut off while it sends may never read why.
pub async fn drain(mut body: Incoming) {
    let read = async {
        let mut left = UNWANTED;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Late or large: cut off after all.
    let _ = tokio::time::timeout(UNWANTED_TIME, read).await;
}

/// A whole body in one piece, without a copy where it arrives in one.
///
/// `limit` is in bytes, `patience` for each part.
pub async fn collect(
    mut body: Incoming,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, CollectError> {
    let expected = body.size_hint().lower();
    if expected > limit as u64 {
        return Err(CollectError::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let frame =
            tokio::time::timeout(patience, body.frame()).await.map_err(|_| CollectError::Late)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| CollectError::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(CollectError::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve((expected as usize).max(first.len() + data.len()));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
