//! The records of a closed set, one after the other, read page by page.

use std::collections::VecDeque;

use crate::source::{Result, Source};
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::record::Record;
use auditferry_core::model::window::Window;

/// Records of one page: bounds the memory that a reader takes beside its object.
const PAGE: u32 = 1_000;

/// Walks through a window's records.
pub(crate) struct RecordReader<'s> {
    source: &'s dyn Source,
    window: &'s Window,
    page: VecDeque<(Cursor, Record)>,
    /// The last record that was read.
    read_to: Option<Cursor>,
    exhausted: bool,
}

impl<'s> RecordReader<'s> {
    /// A reader that begins after `cursor`.
    pub(crate) fn new(source: &'s dyn Source, window: &'s Window, cursor: Option<Cursor>) -> Self {
        Self { source, window, page: VecDeque::new(), read_to: cursor, exhausted: false }
    }

    /// The next record, which stays the next one until [`RecordReader::advance`].
    pub(crate) async fn peek(&mut self) -> Result<Option<(&Cursor, &Record)>> {
        if self.page.is_empty() && !self.exhausted {
            let page =
                self.source.read(&self.window.account, &self.window.set, self.read_to.as_ref(), PAGE).await?;
            self.exhausted = page.len() < PAGE as usize;
            if let Some((cursor, _)) = page.last() {
                self.read_to = Some(cursor.clone());
            }
            self.page = page.into();
        }
        Ok(self.page.front().map(|(cursor, record)| (cursor, record)))
    }

    /// Goes past the next record.
    pub(crate) fn advance(&mut self) {
        self.page.pop_front();
    }
}
