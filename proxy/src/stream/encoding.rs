//! Content codings: reading what is compressed, within a limit on what comes out.
//!
//! A compressed body of a kilobyte may stand for gigabytes; every way in here has a limit and
//! stops at it. Answers are decoded on a side copy while they are metered ([`Decoder`]), request
//! bodies whole, before they are read ([`decode`]).

use std::io::{Read, Write};

use bytes::Bytes;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip (RFC 1952), also as `x-gzip`.
    Gzip,
    /// zlib (RFC 1950), which HTTP calls deflate; some servers send bare deflate (RFC 1951).
    Deflate,
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// More than one coding, one on top of the other.
    #[error("the body is encoded more than once (`{0}`): send it with at most one encoding")]
    Stacked(String),
    /// A coding that is none of ours.
    #[error("the encoding `{0}` is not known: use gzip, deflate, br or zstd")]
    Unknown(String),
    /// More comes out than is allowed.
    #[error("the body decodes to more than {cap} bytes")]
    TooLarge {
        /// The most bytes that may come out.
        cap: usize,
    },
    /// Not what its coding says, or cut off.
    #[error("the body is not valid {0:?} data")]
    Corrupt(Encoding),
}

/// The largest window that HTTP allows for zstd: 8 MB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;
const BROTLI_BUFFER: usize = 4096;

impl Encoding {
    /// Reads a `content-encoding` header; several such headers joined by `, `.
    pub fn parse(header: &str) -> Result<Self, EncodingError> {
        let shown = || header.chars().take(80).collect();
        let mut codings = header
            .split(',')
            .map(str::trim)
            .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
        let Some(coding) = codings.next() else {
            return Ok(Self::Identity);
        };
        if codings.next().is_some() {
            return Err(EncodingError::Stacked(shown()));
        }
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            _ => Err(EncodingError::Unknown(shown())),
        }
    }
}

/// Decodes a whole body to at most `cap` bytes.
pub fn decode(encoding: Encoding, body: &Bytes, cap: usize) -> Result<Bytes, EncodingError> {
    let corrupt = |_| EncodingError::Corrupt(encoding);
    let input: &[u8] = body;
    match encoding {
        Encoding::Identity if body.len() > cap => return Err(EncodingError::TooLarge { cap }),
        Encoding::Identity => return Ok(body.clone()),
        Encoding::Gzip => read(flate2::read::MultiGzDecoder::new(input), cap),
        Encoding::Deflate if is_zlib(input) => read(flate2::read::ZlibDecoder::new(input), cap),
        Encoding::Deflate => read(flate2::read::DeflateDecoder::new(input), cap),
        Encoding::Brotli => read(brotli::Decompressor::new(input, BROTLI_BUFFER), cap),
        Encoding::Zstd => zstd::Decoder::with_buffer(input).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            read(decoder, cap)
        }),
    }
    .map_err(corrupt)?
    .ok_or(EncodingError::TooLarge { cap })
}

/// Reads to the end; `None` where there is more than `cap`.
fn read(decoder: impl Read, cap: usize) -> std::io::Result<Option<Bytes>> {
    let mut out = Vec::new();
    decoder.take(cap as u64 + 1).read_to_end(&mut out)?;
    Ok((out.len() <= cap).then(|| out.into()))
}

/// Tells zlib from bare deflate by its header: method 8, a multiple of 31.
fn is_zlib(input: &[u8]) -> bool {
    match input {
        [first, second, ..] => {
            first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31)
        }
        _ => true,
    }
}

/// Decodes a body as it arrives.
pub struct Decoder {
    encoding: Encoding,
    cap: usize,
    codec: Codec,
}

enum Codec {
    /// Nothing has come yet that says which kind of deflate it is.
    Undecided(Vec<u8>),
    Identity(Sink),
    Gzip(flate2::write::MultiGzDecoder<Sink>),
    Zlib(flate2::write::ZlibDecoder<Sink>),
    Deflate(flate2::write::DeflateDecoder<Sink>),
    Brotli(Box<brotli::DecompressorWriter<Sink>>),
    Zstd(zstd::stream::write::Decoder<'static, Sink>),
}

impl Decoder {
    /// Starts before the first byte. No more than `cap` bytes come out in all.
    pub fn new(encoding: Encoding, cap: usize) -> Result<Self, EncodingError> {
        let sink = Sink::new(cap);
        let codec = match encoding {
            Encoding::Identity => Codec::Identity(sink),
            Encoding::Gzip => Codec::Gzip(flate2::write::MultiGzDecoder::new(sink)),
            Encoding::Deflate => Codec::Undecided(Vec::new()),
            Encoding::Brotli => {
                Codec::Brotli(Box::new(brotli::DecompressorWriter::new(sink, BROTLI_BUFFER)))
            }
            Encoding::Zstd => Codec::Zstd(
                zstd::stream::write::Decoder::new(sink)
                    .and_then(|mut decoder| {
                        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                        Ok(decoder)
                    })
                    .map_err(|_| EncodingError::Corrupt(encoding))?,
            ),
        };
        Ok(Self { encoding, cap, codec })
    }

    /// Takes the next bytes and returns what they decode to. After an error, nothing more comes.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Bytes, EncodingError> {
        let (written, sink) = match &mut self.codec {
            Codec::Undecided(head) => {
                head.extend_from_slice(chunk);
                if head.len() < 2 {
                    return Ok(Bytes::new());
                }
                let head = std::mem::take(head);
                let sink = Sink::new(self.cap);
                self.codec = if is_zlib(&head) {
                    Codec::Zlib(flate2::write::ZlibDecoder::new(sink))
                } else {
                    Codec::Deflate(flate2::write::DeflateDecoder::new(sink))
                };
                return self.push(&head);
            }
            Codec::Identity(sink) => (sink.write_all(chunk), sink),
            Codec::Gzip(codec) => (write(codec, chunk), codec.get_mut()),
            Codec::Zlib(codec) => (write(codec, chunk), codec.get_mut()),
            Codec::Deflate(codec) => (write(codec, chunk), codec.get_mut()),
            Codec::Brotli(codec) => (write(codec, chunk), codec.get_mut()),
            Codec::Zstd(codec) => (write(codec, chunk), codec.get_mut()),
        };
        let out = Bytes::from(std::mem::take(&mut sink.out));
        match written {
            Ok(()) => Ok(out),
            Err(_) if sink.full => Err(EncodingError::TooLarge { cap: self.cap }),
            Err(_) => Err(EncodingError::Corrupt(self.encoding)),
        }
    }
}

/// Writes all and flushes, so that everything that can be decoded is.
fn write(codec: &mut impl Write, chunk: &[u8]) -> std::io::Result<()> {
    codec.write_all(chunk)?;
    codec.flush()
}

/// Collects decoded bytes up to a limit.
struct Sink {
    out: Vec<u8>,
    left: usize,
    full: bool,
}

impl Sink {
    const fn new(cap: usize) -> Self {
        Self { out: Vec::new(), left: cap, full: false }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.left {
            self.full = true;
            return Err(std::io::Error::other("more than the cap"));
        }
        self.left -= bytes.len();
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 5] =
        [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Brotli, Encoding::Zstd];

    fn encode(encoding: Encoding, bytes: &[u8]) -> Bytes {
        let level = flate2::Compression::default();
        match encoding {
            Encoding::Identity => Bytes::copy_from_slice(bytes),
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap().into()
            }
            Encoding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap().into()
            }
            Encoding::Brotli => {
                let mut out = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
                encoder.write_all(bytes).unwrap();
                drop(encoder);
                out.into()
            }
            Encoding::Zstd => zstd::encode_all(bytes, 3).unwrap().into(),
        }
    }

    fn text() -> Vec<u8> {
        (0..2000_u32).flat_map(|n| format!("data: {{\"n\":{n}}}\n\n").into_bytes()).collect()
    }

    #[test]
    fn whole_and_piecewise_decoding_agree() {
        let text = text();
        for encoding in ALL {
            let body = encode(encoding, &text);
            assert_eq!(decode(encoding, &body, text.len()).unwrap(), text, "{encoding:?}");
            for size in [1, 7, 1000, body.len()] {
                let mut decoder = Decoder::new(encoding, text.len()).unwrap();
                let mut out = Vec::new();
                for chunk in body.chunks(size) {
                    out.extend(decoder.push(chunk).unwrap());
                }
                assert_eq!(out, text, "{encoding:?} by {size}");
            }
        }
    }

    #[test]
    fn bombs_stop_at_the_cap() {
        let zeros = vec![0; 20 << 20];
        let cap = 1 << 20;
        for encoding in ALL {
            let bomb = encode(encoding, &zeros);
            let error = EncodingError::TooLarge { cap };
            assert_eq!(decode(encoding, &bomb, cap), Err(error.clone()), "{encoding:?}");
            let mut decoder = Decoder::new(encoding, cap).unwrap();
            let pushed = bomb.chunks(64).try_for_each(|chunk| decoder.push(chunk).map(drop));
            assert_eq!(pushed, Err(error), "{encoding:?}");
        }
    }

    #[test]
    fn what_is_cut_off_or_garbage_is_refused() {
        let text = text();
        for encoding in &ALL[1..] {
            let body = encode(*encoding, &text);
            let cut = body.slice(..body.len() / 2);
            let error = EncodingError::Corrupt(*encoding);
            assert_eq!(decode(*encoding, &cut, 1 << 20), Err(error.clone()));
            let garbage = Bytes::from_static(&[0x77; 100]);
            assert_eq!(decode(*encoding, &garbage, 1 << 20), Err(error.clone()));
        }
    }

    #[test]
    fn bare_deflate_is_understood() {
        let level = flate2::Compression::default();
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
        encoder.write_all(b"hello hello hello").unwrap();
        let body = Bytes::from(encoder.finish().unwrap());
        assert_eq!(decode(Encoding::Deflate, &body, 100).unwrap(), "hello hello hello");
        let mut decoder = Decoder::new(Encoding::Deflate, 100).unwrap();
        let out: Vec<u8> = body.chunks(1).flat_map(|chunk| decoder.push(chunk).unwrap()).collect();
        assert_eq!(out, b"hello hello hello");
    }

    #[test]
    fn headers() {
        use Encoding::{Brotli, Deflate, Gzip, Identity, Zstd};
        for (header, encoding) in [
            ("", Identity),
            ("identity", Identity),
            ("GZIP", Gzip),
            ("x-gzip", Gzip),
            ("identity, br", Brotli),
            ("deflate", Deflate),
            (" zstd ", Zstd),
        ] {
            assert_eq!(Encoding::parse(header), Ok(encoding), "{header}");
        }
        let stacked = Encoding::parse("gzip, gzip");
        assert_eq!(stacked, Err(EncodingError::Stacked("gzip, gzip".to_owned())));
        let unknown = Encoding::parse("compress");
        assert_eq!(unknown, Err(EncodingError::Unknown("compress".to_owned())));
    }
}
