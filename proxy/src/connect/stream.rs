//! Byte streams of connections: counted, and with bytes put back that were read to look at them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::log::Meter;

/// The agent's side of a connection: what is read came from the agent, what is written goes to it.
#[derive(Debug)]
pub(super) struct Counted<S> {
    inner: S,
    meter: Meter,
    /// Read before, and not yet given to the reader.
    first: Option<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Counted<S> {
    pub(super) const fn new(inner: S, meter: Meter) -> Self {
        Self { inner, meter, first: None }
    }

    /// The first byte, which stays to be read; none at the end.
    pub(super) async fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.first.is_none() {
            let mut byte = [0];
            let read = self.inner.read(&mut byte).await?;
            self.first = (read > 0).then_some(byte[0]);
        }
        Ok(self.first)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
        } else {
            std::task::ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        }
        self.meter.sent(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.meter.received(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written =
            std::task::ready!(Pin::new(&mut self.inner).poll_write_vectored(context, slices))?;
        self.meter.received(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
