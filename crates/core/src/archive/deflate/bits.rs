//! Bits one after the other, from the lowest of each byte on.

/// A code as it is written, and how many bits it has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Code {
    pub(super) code: u32,
    pub(super) bits: u32,
}

/// Bytes, and bits that are none yet.
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// How many of the bytes are written.
    written: usize,
    waiting: u64,
    /// How many wait; at most 7 after [`Bits::flush`].
    count: u32,
}

impl Bits {
    pub(super) fn new(expected: usize) -> Self {
        Self { bytes: vec![0; expected], written: 0, waiting: 0, count: 0 }
    }

    /// Makes room for so many bytes: [`Bits::flush`] writes eight, of which some may be none yet.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let needed = self.written + bytes + 8;
        if needed > self.bytes.len() {
            self.bytes.resize(needed + needed / 4, 0);
        }
    }

    /// Adds bits; not more than 56 between two flushes.
    pub(super) fn push(&mut self, bits: u64, count: u32) {
        self.waiting |= bits << self.count;
        self.count += count;
    }

    pub(super) fn push_code(&mut self, Code { code, bits }: Code) {
        self.push(u64::from(code), bits);
    }

    /// Writes all whole bytes.
    pub(super) fn flush(&mut self) {
        if let Some(bytes) = self.bytes.get_mut(self.written..).and_then(<[u8]>::first_chunk_mut) {
            *bytes = self.waiting.to_le_bytes();
        }
        self.written += self.count as usize / 8;
        self.waiting >>= self.count & !7;
        self.count &= 7;
    }

    /// All of it, the last byte filled with zeros.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.reserve(8);
        self.flush();
        self.bytes.truncate(self.written + usize::from(self.count > 0));
        self.bytes
    }
}
