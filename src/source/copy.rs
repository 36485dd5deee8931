//! PostgreSQL's `COPY … TO STDOUT (FORMAT binary)`, field by field and without a copy:
//! "Binary Format" in the documentation of COPY.
//!
//! It fails closed: a message that is not exactly what the format allows is an error, and
//! so is an end without the trailer. A row that was misread would be a wrong record.

use std::str;

/// What a binary COPY begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Flags that a reader must know: there is none that we ask for.
const CRITICAL_FLAGS: u32 = 0xffff_0000;
/// The count of fields that ends the rows.
const TRAILER: i16 = -1;

/// What is wrong with what the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// It does not begin as a binary COPY does.
    #[error("it does not begin as a binary COPY does")]
    Signature,
    /// A message ends in the middle of a value.
    #[error("a message ends in the middle of a row")]
    Truncated,
    /// Rows come after the end, or the end does not come.
    #[error("its rows do not end with the trailer")]
    Trailer,
    /// A row has another number of fields than was asked for.
    #[error("a row has {0} fields")]
    Fields(i16),
    /// A field's length is negative.
    #[error("a field has the length {0}")]
    Length(i32),
    /// A field has another length than its type.
    #[error("the field {0} has another length than its type")]
    Size(usize),
    /// A field is NULL that must not be.
    #[error("the field {0} is NULL")]
    Null(usize),
    /// A text is not UTF-8.
    #[error("the field {0} is not UTF-8")]
    Utf8(usize),
}

/// What is left of a message.
#[derive(Debug, Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], CopyError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CopyError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CopyError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CopyError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Rows,
    Ended,
}

/// Reads the messages of one COPY, one after the other. The server sends whole rows.
#[derive(Debug)]
pub struct Copy {
    state: State,
}

impl Default for Copy {
    fn default() -> Self {
        Self { state: State::Header }
    }
}

impl Copy {
    /// The rows of a message. Each must have `N` fields.
    ///
    /// # Errors
    /// When the message does not begin as it must.
    pub fn rows<'a, const N: usize>(&'a mut self, message: &'a [u8]) -> Result<Rows<'a, N>, CopyError> {
        let mut rest = Rest(message);
        if self.state == State::Header {
            if rest.take(SIGNATURE.len())? != SIGNATURE {
                return Err(CopyError::Signature);
            }
            if u32::from_be_bytes(rest.array()?) & CRITICAL_FLAGS != 0 {
                return Err(CopyError::Signature);
            }
            let extension = u32::from_be_bytes(rest.array()?);
            rest.take(usize::try_from(extension).map_err(|_| CopyError::Truncated)?)?;
            self.state = State::Rows;
        }
        Ok(Rows { copy: self, rest })
    }

    /// Once there are no more messages: that the trailer has come.
    ///
    /// # Errors
    /// When it has not.
    pub fn end(&self) -> Result<(), CopyError> {
        if self.state == State::Ended { Ok(()) } else { Err(CopyError::Trailer) }
    }
}

/// The rows of one message.
#[derive(Debug)]
pub struct Rows<'a, const N: usize> {
    copy: &'a mut Copy,
    rest: Rest<'a>,
}

impl<'a, const N: usize> Rows<'a, N> {
    /// The next row; none when the message has been read.
    ///
    /// # Errors
    /// When the message is not what the format allows.
    pub fn next_row(&mut self) -> Result<Option<Row<'a, N>>, CopyError> {
        if self.rest.0.is_empty() {
            return Ok(None);
        }
        if self.copy.state == State::Ended {
            return Err(CopyError::Trailer);
        }
        let count = i16::from_be_bytes(self.rest.array()?);
        if count == TRAILER {
            self.copy.state = State::Ended;
            return if self.rest.0.is_empty() { Ok(None) } else { Err(CopyError::Trailer) };
        }
        if usize::try_from(count) != Ok(N) {
            return Err(CopyError::Fields(count));
        }
        let mut fields = [None; N];
        for field in &mut fields {
            let length = i32::from_be_bytes(self.rest.array()?);
            if length != -1 {
                let length = usize::try_from(length).map_err(|_| CopyError::Length(length))?;
                *field = Some(self.rest.take(length)?);
            }
        }
        Ok(Some(Row { fields }))
    }
}

/// The fields of a row, as bytes that the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a, const N: usize> {
    fields: [Option<&'a [u8]>; N],
}

impl<'a, const N: usize> Row<'a, N> {
    fn present(&self, place: usize) -> Result<&'a [u8], CopyError> {
        self.fields.get(place).copied().flatten().ok_or(CopyError::Null(place))
    }

    /// A field as it came.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn bytes(&self, place: usize) -> Option<&'a [u8]> {
        self.fields.get(place).copied().flatten()
    }

    /// Eight bytes: a `bigint`, a `timestamptz` in microseconds since 2000, an `xid8`.
    ///
    /// # Errors
    /// When the field is NULL or of another length.
    pub fn bigint(&self, place: usize) -> Result<i64, CopyError> {
        let bytes = self.present(place)?.try_into().map_err(|_| CopyError::Size(place))?;
        Ok(i64::from_be_bytes(bytes))
    }

    /// As [`Row::bigint`], without a sign.
    ///
    /// # Errors
    /// As [`Row::bigint`].
    pub fn unsigned(&self, place: usize) -> Result<u64, CopyError> {
        self.bigint(place).map(i64::cast_unsigned)
    }

    /// A text.
    ///
    /// # Errors
    /// When it is NULL or not UTF-8.
    pub fn text(&self, place: usize) -> Result<&'a str, CopyError> {
        str::from_utf8(self.present(place)?).map_err(|_| CopyError::Utf8(place))
    }

    /// A text that may be absent.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn optional_text(&self, place: usize) -> Result<Option<&'a str>, CopyError> {
        match self.fields.get(place).copied().flatten() {
            None => Ok(None),
            Some(bytes) => str::from_utf8(bytes).map(Some).map_err(|_| CopyError::Utf8(place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Fields = [Option<Vec<u8>>; 3];

    fn header(extension: &[u8]) -> Vec<u8> {
        let length = u32::try_from(extension.len()).expect("length");
        [SIGNATURE, &[0, 0, 0, 0], &length.to_be_bytes(), extension].concat()
    }

    /// A row as the documentation has it.
    fn row(fields: &Fields) -> Vec<u8> {
        let mut out = 3_i16.to_be_bytes().to_vec();
        for field in fields {
            match field {
                None => out.extend(i32::to_be_bytes(-1)),
                Some(bytes) => {
                    out.extend(i32::try_from(bytes.len()).expect("length").to_be_bytes());
                    out.extend(bytes);
                }
            }
        }
        out
    }

    fn trailer() -> Vec<u8> {
        TRAILER.to_be_bytes().to_vec()
    }

    fn read(messages: &[Vec<u8>]) -> Result<Vec<Fields>, CopyError> {
        let mut copy = Copy::default();
        let mut all = Vec::new();
        for message in messages {
            let mut rows = copy.rows::<3>(message)?;
            while let Some(row) = rows.next_row()? {
                all.push(row.fields.map(|field| field.map(<[u8]>::to_vec)));
            }
        }
        copy.end()?;
        Ok(all)
    }

    #[test]
    fn what_is_not_a_binary_copy_is_refused() {
        let whole = row(&[Some(b"a".to_vec()), None, Some(vec![])]);
        let text = read(&[b"a\tb\tc\n".to_vec()]);
        assert_eq!(text, Err(CopyError::Truncated));
        assert_eq!(read(&[[b"PGCOPY\n\xff\r\r\0".as_slice(), &[0; 8]].concat()]), Err(CopyError::Signature));
        let oids = [SIGNATURE, &[0, 1, 0, 0], &[0; 4], &trailer()].concat();
        assert_eq!(read(&[oids]), Err(CopyError::Signature));
        assert_eq!(read(&[header(b""), whole.clone()]), Err(CopyError::Trailer));
        assert_eq!(read(&[header(b""), trailer(), whole.clone()]), Err(CopyError::Trailer));
        assert_eq!(read(&[header(b""), [trailer(), whole].concat()]), Err(CopyError::Trailer));
        assert_eq!(read(&[header(b""), vec![0, 2, 0, 0, 0, 0, 0, 0, 0, 0]]), Err(CopyError::Fields(2)));
        assert_eq!(read(&[header(b""), vec![0, 3, 0xff, 0xff, 0xff, 0xfe]]), Err(CopyError::Length(-2)));
        assert_eq!(read(&[]), Err(CopyError::Trailer));
    }

    #[test]
    fn fields_are_of_their_types_or_refused() {
        let fields: Fields = [Some(7_i64.to_be_bytes().to_vec()), None, Some(vec![0xc3, 0x28])];
        let (mut copy, message) = (Copy::default(), [header(b"more"), row(&fields)].concat());
        let row = copy.rows::<3>(&message).expect("begins").next_row().expect("reads").expect("a row");
        assert_eq!((row.bigint(0), row.unsigned(0)), (Ok(7), Ok(7)));
        assert_eq!((row.bigint(1), row.text(1)), (Err(CopyError::Null(1)), Err(CopyError::Null(1))));
        assert_eq!((row.optional_text(1), row.bigint(2)), (Ok(None), Err(CopyError::Size(2))));
        assert_eq!((row.text(2), row.optional_text(2)), (Err(CopyError::Utf8(2)), Err(CopyError::Utf8(2))));
        assert_eq!(row.text(3), Err(CopyError::Null(3)));
    }

    fn field() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..40))
    }

    proptest! {
        #[test]
        fn any_rows_come_back(rows in prop::collection::vec([field(), field(), field()], 0..20), together in any::<bool>()) {
            let mut messages: Vec<Vec<u8>> = rows.iter().map(row).collect();
            messages.insert(0, header(b""));
            messages.push(trailer());
            if together {
                messages = vec![messages.concat()];
            }
            prop_assert_eq!(read(&messages), Ok(rows));
        }

        #[test]
        fn no_cut_passes_for_the_whole(rows in prop::collection::vec([field(), field(), field()], 1..5), at in any::<prop::sample::Index>()) {
            let all = [header(b""), rows.iter().flat_map(row).collect(), trailer()].concat();
            prop_assert!(read(&[all[..at.index(all.len())].to_vec()]).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), begins in any::<bool>()) {
            let bytes = if begins { [header(b""), bytes].concat() } else { bytes };
            let _ = read(&[bytes]);
        }
    }
}
