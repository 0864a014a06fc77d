//! Protocol buffers, as far as they are needed to write ONNX: fields, one after another.
//!
//! A field is its key, `number << 3 | kind`, and its value: a varint (kind 0: seven bits a byte, the lowest first, the top bit says
//! that more follow), four bytes (kind 5), or a length and so many bytes (kind 2): texts, messages, lists of numbers. A writer of our
//! own is shorter than what a generator would bring along. Sources: protobuf.dev/programming-guides/encoding; the numbers of the
//! fields are those of onnx.proto3.

/// A message that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub fn new() -> Message {
        Message::default()
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A whole number; a negative one takes ten bytes, as two's complement of 64 bits.
    pub fn int(mut self, field: u32, value: i64) -> Message {
        self.key(field, 0);
        varint(&mut self.0, value as u64);
        self
    }

    pub fn float(mut self, field: u32, value: f32) -> Message {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn text(self, field: u32, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    pub fn texts<'a>(self, field: u32, all: impl IntoIterator<Item = &'a str>) -> Message {
        all.into_iter().fold(self, |message, text| message.text(field, text))
    }

    pub fn message(self, field: u32, inner: Message) -> Message {
        self.bytes(field, &inner.0)
    }

    pub fn messages(self, field: u32, all: impl IntoIterator<Item = Message>) -> Message {
        all.into_iter().fold(self, |message, inner| message.message(field, inner))
    }

    /// A list of whole numbers, packed.
    pub fn ints(self, field: u32, values: impl IntoIterator<Item = i64>) -> Message {
        let mut packed = Vec::new();
        values.into_iter().for_each(|value| varint(&mut packed, value as u64));
        self.bytes(field, &packed)
    }

    /// A list of floats, packed.
    pub fn floats(self, field: u32, values: &[f32]) -> Message {
        let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.bytes(field, &packed)
    }

    pub fn bytes(mut self, field: u32, bytes: &[u8]) -> Message {
        self.key(field, 2);
        varint(&mut self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn key(&mut self, field: u32, kind: u64) {
        varint(&mut self.0, u64::from(field) << 3 | kind);
    }
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(message: Message) -> Vec<u8> {
        message.into_bytes()
    }

    #[test]
    fn fields_have_the_bytes_of_the_specification() {
        // The examples of protobuf.dev/programming-guides/encoding.
        assert_eq!(bytes(Message::new().int(1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(bytes(Message::new().text(2, "testing")), b"\x12\x07testing");
        let inner = Message::new().int(1, 150);
        assert_eq!(bytes(Message::new().message(3, inner)), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let packed = bytes(Message::new().ints(6, [3, 270, 86942]));
        assert_eq!(packed, [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
    }

    #[test]
    fn negative_numbers_take_ten_bytes_and_field_numbers_above_15_two() {
        let ones = [0xff; 9];
        assert_eq!(bytes(Message::new().int(1, -1)), [&[0x08], &ones[..], &[0x01]].concat());
        assert_eq!(bytes(Message::new().int(20, 7)), [0xa0, 0x01, 0x07]);
        assert_eq!(bytes(Message::new().float(2, 1.0)), [0x15, 0, 0, 0x80, 0x3f]);
        assert_eq!(bytes(Message::new().floats(7, &[1.0])), [0x3a, 4, 0, 0, 0x80, 0x3f]);
    }
}
