//! As much of a body as tells whether it is an error: the beginning of most, the end of an event stream. Never more than
//! a bound, and nothing of what nobody can read.

use bytes::Buf;

/// The library reads so much of an error's body.
const BEGINNING: usize = 65536;

/// An error of an event stream is its last event; so much of the end is kept, and at most as much again.
const END: usize = 8192;

/// What ends an event stream, of `OpenAI`'s, Anthropic's and those that do as they do: their callers often read no
/// further.
const LAST_EVENTS: [&[u8]; 3] = [b"data: [DONE]", b"event: message_stop", b"event: response.completed"];

/// What is kept of a body.
pub(crate) struct Transcript {
    keeps: Keeps,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Keeps {
    Nothing,
    Beginning,
    End,
}

impl Transcript {
    pub(crate) const fn nothing() -> Self {
        Transcript { keeps: Keeps::Nothing, bytes: Vec::new() }
    }

    pub(crate) const fn beginning() -> Self {
        Transcript { keeps: Keeps::Beginning, bytes: Vec::new() }
    }

    pub(crate) const fn end() -> Self {
        Transcript { keeps: Keeps::End, bytes: Vec::new() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A frame of the body has come. A buffer of several pieces shows its first one; nearly all have no more.
    pub(crate) fn add(&mut self, frame: &impl Buf) {
        let piece = frame.chunk();
        match self.keeps {
            Keeps::Nothing => {}
            Keeps::Beginning => {
                let room = BEGINNING - self.bytes.len();
                self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            Keeps::End => {
                self.bytes.extend_from_slice(piece);
                if self.bytes.len() > 2 * END {
                    self.forget_old_events();
                }
            }
        }
    }

    /// The last event of the stream has come, and nobody need read on.
    pub(crate) fn has_last_event(&self) -> bool {
        let is_last = |line: &[u8]| LAST_EVENTS.iter().any(|last| line.strip_suffix(b"\r").unwrap_or(line) == *last);
        self.keeps == Keeps::End && self.bytes.split(|byte| *byte == b'\n').any(is_last)
    }

    /// What is left begins with an event, as what the library reads must.
    fn forget_old_events(&mut self) {
        let old = self.bytes.len() - END;
        let is_blank = |pair: &[u8]| matches!(pair, b"\n\n" | b"\n\r");
        let next = self.bytes[old..].windows(2).position(is_blank).map_or(old, |place| old + place + 2);
        self.bytes.drain(..next);
        let line_ends = self.bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.bytes.drain(..line_ends);
    }
}

#[cfg(test)]
mod tests {
    use super::{Transcript, BEGINNING, END};
    use trip::classify::{self, Class};

    fn fed(mut transcript: Transcript, pieces: &[&[u8]]) -> Transcript {
        for piece in pieces {
            transcript.add(piece);
        }
        transcript
    }

    #[test]
    fn of_a_long_body_the_beginning_is_kept() {
        let piece = [b'x'; 1000];
        let kept = fed(Transcript::beginning(), &[&piece[..]; 100]);
        assert_eq!(kept.as_bytes().len(), BEGINNING);
        assert_eq!(fed(Transcript::nothing(), &[&piece]).as_bytes(), b"");
    }

    #[test]
    fn an_error_at_the_end_of_a_long_event_stream_is_kept_whole() {
        let error = b"event: error\ndata: {\"error\": {\"type\": \"overloaded_error\"}}\n\n";
        for (line_end, token) in
            [(2, &b"data: {\"text\": \"and so on\"}\n\n"[..]), (4, b"data: {\"text\": \"so\"}\r\n\r\n")]
        {
            for cut in 1..token.len() {
                let text: Vec<u8> = token.iter().copied().cycle().take(token.len() * 3000).collect();
                let pieces: Vec<&[u8]> = text.chunks(cut * 97).chain([&error[..]]).collect();
                let kept = fed(Transcript::end(), &pieces);
                assert!(kept.as_bytes().len() <= 2 * END + cut * 97);
                assert!(kept.as_bytes().starts_with(b"data: {"), "{line_end}");
                assert_eq!(classify::http(200_u16, kept.as_bytes()).class, Class::Overloaded);
            }
        }
    }

    #[test]
    fn an_event_without_an_end_is_forgotten_by_pieces() {
        let kept = fed(Transcript::end(), &[&[b'x'; 1000][..]; 100]);
        assert!(kept.as_bytes().len() <= 2 * END);
    }

    #[test]
    fn the_last_event_is_known_in_whatever_pieces_it_comes() {
        for (stream, is_last) in [
            (&b"data: {}\n\ndata: [DONE]\n\n"[..], true),
            (b"data: {}\r\n\r\ndata: [DONE]\r\n\r\n", true),
            (b"event: message_stop\ndata: {}\n\n", true),
            (b"event: response.completed\ndata: {}\n\n", true),
            (b"data: {\"text\": \"data: [DONE]\"}\n\n", false),
            (b"data: [DON", false),
            (b"", false),
        ] {
            let pieces: Vec<&[u8]> = stream.chunks(3).collect();
            assert_eq!(fed(Transcript::end(), &pieces).has_last_event(), is_last);
            assert!(!fed(Transcript::beginning(), &pieces).has_last_event());
        }
    }
}
