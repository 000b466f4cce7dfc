//! Follows the websocket frames in the bytes from the server and marks text frames as binary, which the websocket
//! library passes on without validation. The library requires text to be UTF-8, so one invalid byte in a title would
//! otherwise end a connection that carries a hundred streamers, each time it occurs (R5).
//!
//! Nothing else is changed or refused: invalid frames are left to the library.

use std::collections::VecDeque;

/// The opcode (RFC 6455, 5.2): the low half of the first byte.
const KIND: u8 = 0x0f;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
/// The bit of the second byte that says that a mask of four bytes follows the length.
const MASKED: u8 = 0x80;

/// The position in the byte stream.
#[derive(Debug, Default)]
pub(super) struct Frames {
    at: At,
    /// For each message that has begun and was not asked about yet: whether it is text.
    kinds: VecDeque<bool>,
}

#[derive(Debug)]
enum At {
    /// In the head of the HTTP response, which ends with an empty line.
    Answer {
        line_is_empty: bool,
    },
    First,
    Second,
    Length {
        left: u8,
        length: u64,
        mask: u64,
    },
    /// In the bytes before the next frame; at least one is left.
    Payload(u64),
}

impl Default for At {
    fn default() -> At {
        At::Answer { line_is_empty: false }
    }
}

impl Frames {
    /// Returns true if the first message that was not asked about yet is text.
    pub(super) fn next_is_text(&mut self) -> bool {
        self.kinds.pop_front().unwrap_or_default()
    }

    /// Processes bytes that were just read.
    pub(super) fn pass(&mut self, bytes: &mut [u8]) {
        let mut next = 0;
        while next < bytes.len() {
            if let At::Payload(left) = self.at {
                let there = bytes.len() - next;
                let passed = usize::try_from(left).map_or(there, |left| left.min(there));
                self.at = before_payload(left - passed as u64);
                next += passed;
            } else {
                self.pass_one(&mut bytes[next]);
                next += 1;
            }
        }
    }

    fn pass_one(&mut self, byte: &mut u8) {
        self.at = match self.at {
            At::Answer { line_is_empty } => match *byte {
                b'\n' if line_is_empty => At::First,
                b'\n' => At::Answer { line_is_empty: true },
                b'\r' => At::Answer { line_is_empty },
                _ => At::Answer { line_is_empty: false },
            },
            At::First => {
                let kind = *byte & KIND;
                if kind == TEXT || kind == BINARY {
                    self.kinds.push_back(kind == TEXT);
                    *byte = *byte & !KIND | BINARY;
                }
                At::Second
            }
            At::Second => {
                let mask = if *byte & MASKED == 0 { 0 } else { 4 };
                match *byte & !MASKED {
                    126 => At::Length { left: 2, length: 0, mask },
                    127 => At::Length { left: 8, length: 0, mask },
                    length => before_payload(u64::from(length) + mask),
                }
            }
            At::Length { left, length, mask } => {
                let length = (length << 8) | u64::from(*byte);
                match left {
                    1 => before_payload(length.saturating_add(mask)),
                    _ => At::Length { left: left - 1, length, mask },
                }
            }
            At::Payload(_) => return,
        };
    }
}

fn before_payload(length: u64) -> At {
    if length == 0 { At::First } else { At::Payload(length) }
}

#[cfg(test)]
mod tests {
    use super::Frames;

    /// The processed bytes, and which messages are text, with `at_once` bytes per call.
    fn passed(bytes: &[u8], at_once: usize) -> (Vec<u8>, Vec<bool>) {
        let (mut frames, mut bytes) = (Frames::default(), bytes.to_vec());
        bytes.chunks_mut(at_once).for_each(|chunk| frames.pass(chunk));
        (bytes, frames.kinds.into())
    }

    #[test]
    fn text_is_marked_as_binary_and_all_else_left_alone_however_it_is_cut() {
        let head = b"HTTP/1.1 101 X\r\nA: \x81\x01\r\n\r\n";
        let long = [0x81; 300];
        let (length, empty) = ([0x81, 126, 1, 44], [0x80, 0]);
        let before: Vec<&[u8]> = vec![
            head,
            &[0x81, 2, 0x81, 0x82],
            &length,
            &long,
            &[0x01, 0],
            &[0x00, 1, 0x81],
            &empty,
            &[0x89, 1, 0x81],
            &[0x82, 1, 0x81],
            &[0x81, 0x81, 1, 2, 3, 4, 0x81],
            &[0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0x81],
            &[0x88, 0],
        ];
        let after: Vec<&[u8]> = vec![
            head,
            &[0x82, 2, 0x81, 0x82],
            &[0x82, 126, 1, 44],
            &long,
            &[0x02, 0],
            &[0x00, 1, 0x81],
            &empty,
            &[0x89, 1, 0x81],
            &[0x82, 1, 0x81],
            &[0x82, 0x81, 1, 2, 3, 4, 0x81],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0x81],
            &[0x88, 0],
        ];
        for at_once in [1, 2, 3, 7, 64, 4096] {
            let (bytes, kinds) = passed(&before.concat(), at_once);
            assert_eq!(bytes, after.concat(), "{at_once} at once");
            assert_eq!(kinds, [true, true, true, false, true, true], "{at_once} at once");
        }
    }

    #[test]
    fn an_answer_with_bare_line_feeds_ends_too() {
        let (bytes, kinds) = passed(b"HTTP/1.1 101 X\nA: b\n\n\x81\x00", 4096);
        assert_eq!((bytes.last_chunk(), kinds), (Some(b"\x82\x00"), vec![true]));
    }
}
