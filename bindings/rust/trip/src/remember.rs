//! What a deduplicator can remember: values that become bytes and come back.

use std::borrow::Cow;

/// A value that [`Call::call_once`](crate::Call::call_once) can give to several callers: as bytes, of which each makes
/// its own.
///
/// ```
/// use std::borrow::Cow;
///
/// #[derive(Debug, PartialEq)]
/// struct Answer(u64);
///
/// impl trip::Remember for Answer {
///     fn encode(&self) -> Cow<'_, [u8]> {
///         self.0.to_le_bytes().to_vec().into()
///     }
///
///     fn decode(bytes: Vec<u8>) -> Option<Self> {
///         bytes.try_into().ok().map(u64::from_le_bytes).map(Answer)
///     }
/// }
///
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// let caller = trip::Caller::of(&circuit).dedup(&tracker.dedup(&trip::DedupConfig::default())?);
/// for _ in 0..3 {
///     let answer = caller.call_once("what is it?", |_| Ok::<_, std::io::Error>(Answer(42)));
///     assert_eq!(answer.unwrap(), Answer(42));
/// }
/// assert_eq!(circuit.inspect()?.permits, 1);
/// # Ok::<_, trip::Error>(())
/// ```
pub trait Remember: Sized {
    /// The value as bytes.
    fn encode(&self) -> Cow<'_, [u8]>;

    /// The value of bytes. `None`: they are none, as of an older program or of another key's value; then the call is
    /// made anew, and the bytes are forgotten.
    fn decode(bytes: Vec<u8>) -> Option<Self>;
}

impl Remember for Vec<u8> {
    fn encode(&self) -> Cow<'_, [u8]> {
        self.into()
    }

    fn decode(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes)
    }
}

impl Remember for String {
    fn encode(&self) -> Cow<'_, [u8]> {
        self.as_bytes().into()
    }

    fn decode(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok()
    }
}

/// Of calls that are made for what they do.
impl Remember for () {
    fn encode(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&[])
    }

    fn decode(bytes: Vec<u8>) -> Option<Self> {
        bytes.is_empty().then_some(())
    }
}
