//! Line ends of `TYPE A` (RFC 959 §3.1.1.1): `CRLF` on the wire, `LF` in files.

use std::io::{self, Read, Write};

/// How many bytes are read at once.
const BUFFER: usize = 16 * 1024;

/// Reads a file as it goes over the wire. A line that ends in `CRLF` already stays as it is.
pub(super) struct ToWire<R> {
    file: R,
    raw: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    after_cr: bool,
}

impl<R: Read> ToWire<R> {
    pub(super) fn new(file: R) -> Self {
        Self {
            file,
            raw: vec![0; BUFFER],
            ready: Vec::new(),
            given: 0,
            after_cr: false,
        }
    }
}

impl<R: Read> Read for ToWire<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready.len() {
            let count = self.file.read(&mut self.raw)?;
            self.ready.clear();
            self.given = 0;
            for &byte in &self.raw[..count] {
                if byte == b'\n' && !self.after_cr {
                    self.ready.push(b'\r');
                }
                self.ready.push(byte);
                self.after_cr = byte == b'\r';
            }
        }
        let count = buffer.len().min(self.ready.len() - self.given);
        buffer[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// Writes what came over the wire to a file. A `CR` that no `LF` follows stays.
pub(super) struct FromWire<W> {
    file: W,
    ready: Vec<u8>,
    held_cr: bool,
}

impl<W: Write> FromWire<W> {
    pub(super) const fn new(file: W) -> Self {
        Self {
            file,
            ready: Vec::new(),
            held_cr: false,
        }
    }

    /// Writes what was held back, when all has come.
    ///
    /// # Errors
    /// What the file says.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.held_cr {
            self.file.write_all(b"\r")
        } else {
            Ok(())
        }
    }
}

impl<W: Write> Write for FromWire<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ready.clear();
        for &byte in bytes {
            if self.held_cr && byte != b'\n' {
                self.ready.push(b'\r');
            }
            self.held_cr = byte == b'\r';
            if !self.held_cr {
                self.ready.push(byte);
            }
        }
        self.file.write_all(&self.ready)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to_wire(file: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        ToWire::new(file).read_to_end(&mut wire).unwrap();
        wire
    }

    fn from_wire(wire: &[u8], chunk: usize) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = FromWire::new(&mut file);
        for part in wire.chunks(chunk) {
            writer.write_all(part).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    #[test]
    fn line_ends_are_converted_both_ways() {
        assert_eq!(to_wire(b"a\nb\r\nc\rd\n"), b"a\r\nb\r\nc\rd\r\n");
        assert_eq!(from_wire(b"a\r\nb\rc\r\r\nd\r", 1), b"a\nb\rc\r\nd\r");
    }

    proptest! {
        #[test]
        fn text_comes_back_as_it_was(text in "[a-c\n]{0,100}", chunk in 1_usize..10) {
            prop_assert_eq!(from_wire(&to_wire(text.as_bytes()), chunk), text.as_bytes());
        }
    }
}
