//! Lines of JSON as the columns of a Parquet file (Apache Parquet 2.12), compressed with zstd.
//!
//! The lines are an object's content as in every other container: they are what is hashed and compared, and
//! the file is made of them, a column for each value that the schema of their record format names. Nothing in
//! the file depends on when or by which release it is made.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;

/// Rows of one group, which are in memory as values.
const GROUP: usize = 32 * 1024;

/// Who made the file. No version: it would be other bytes after each upgrade.
const CREATED_BY: &str = "auditferry";

/// The values of a column, one group at a time.
enum Values {
    Text(Vec<ByteArray>),
    Long(Vec<i64>),
    Int(Vec<i32>),
}

/// A column that is being filled.
struct Column {
    /// Where a value stands in a line.
    path: Vec<String>,
    /// For each part of the path, whether it may be absent.
    optional: Vec<bool>,
    values: Values,
    /// For each row, how many optional parts of the path are there.
    levels: Vec<i16>,
}

impl Column {
    /// Takes the value of a line.
    fn take(&mut self, line: &Value) -> io::Result<()> {
        let (mut at, mut level) = (line, 0);
        for (part, optional) in self.path.iter().zip(&self.optional) {
            match at.get(part) {
                None | Some(Value::Null) if *optional => {
                    self.levels.push(level);
                    return Ok(());
                }
                None | Some(Value::Null) => return Err(self.misfit()),
                Some(value) => at = value,
            }
            level += i16::from(*optional);
        }
        self.levels.push(level);
        match (&mut self.values, at) {
            (Values::Text(values), Value::String(text)) => values.push(ByteArray::from(text.as_str())),
            (Values::Long(values), Value::Number(number)) => {
                let number = number.as_i64().ok_or_else(|| io::Error::other("a number that is no i64"))?;
                values.push(number);
            }
            (Values::Int(values), Value::Number(number)) => {
                let number = number.as_i64().and_then(|number| i32::try_from(number).ok());
                values.push(number.ok_or_else(|| io::Error::other("a number that is no i32"))?);
            }
            _ => return Err(self.misfit()),
        }
        Ok(())
    }

    fn misfit(&self) -> io::Error {
        io::Error::other(format!("a line has no value that fits its column {}", self.path.join(".")))
    }

    /// Writes what it holds, and is empty again.
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        let defined = self.optional.contains(&true).then_some(levels.as_slice());
        match &mut self.values {
            Values::Text(values) => {
                writer.typed::<ByteArrayType>().write_batch(&std::mem::take(values), defined, None)
            }
            Values::Long(values) => {
                writer.typed::<Int64Type>().write_batch(&std::mem::take(values), defined, None)
            }
            Values::Int(values) => {
                writer.typed::<Int32Type>().write_batch(&std::mem::take(values), defined, None)
            }
        }
        .map(|_| ())
    }
}

/// The columns of a schema; nothing in it is repeated.
fn columns(schema: &SchemaDescriptor) -> io::Result<Vec<Column>> {
    let column = |leaf: &Arc<parquet::schema::types::ColumnDescriptor>| {
        let path = leaf.path().parts().to_vec();
        let mut at = schema.root_schema();
        let mut optional = Vec::new();
        for part in &path {
            let field = at.get_fields().iter().find(|field| field.name() == part.as_str());
            at = field.ok_or_else(|| io::Error::other("a column has no place in its schema"))?;
            optional.push(at.get_basic_info().repetition() == Repetition::OPTIONAL);
        }
        let values = match leaf.physical_type() {
            Physical::BYTE_ARRAY => Values::Text(Vec::new()),
            Physical::INT64 => Values::Long(Vec::new()),
            Physical::INT32 => Values::Int(Vec::new()),
            other => return Err(io::Error::other(format!("no column is {other}"))),
        };
        Ok(Column { path, optional, values, levels: Vec::new() })
    };
    schema.columns().iter().map(column).collect()
}

/// A Parquet file of lines of JSON. `schema`: its columns, as Parquet writes a schema as text. The same lines,
/// schema and level give the same bytes.
///
/// # Errors
/// When a line has a value that its column cannot hold.
pub(super) fn parquet(lines: &[u8], schema: &str, level: u32) -> io::Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type(schema).map_err(io::Error::other)?);
    let level =
        ZstdLevel::try_new(i32::try_from(level.max(1)).unwrap_or(i32::MAX)).map_err(io::Error::other)?;
    let properties = WriterProperties::builder()
        // What every reader reads, Athena and the crawlers of Glue among them.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP))
        .build();
    let mut columns = columns(&SchemaDescriptor::new(Arc::clone(&schema)))?;
    let mut file =
        SerializedFileWriter::new(Vec::with_capacity(lines.len() / 8), schema, Arc::new(properties))
            .map_err(io::Error::other)?;
    let mut lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).peekable();
    while lines.peek().is_some() {
        for line in lines.by_ref().take(GROUP) {
            let line: Value = serde_json::from_slice(line).map_err(io::Error::other)?;
            columns.iter_mut().try_for_each(|column| column.take(&line))?;
        }
        write_group(&mut file, &mut columns).map_err(io::Error::other)?;
    }
    file.into_inner().map_err(io::Error::other)
}

fn write_group(file: &mut SerializedFileWriter<Vec<u8>>, columns: &mut [Column]) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for column in columns {
        let mut writer =
            group.next_column()?.ok_or_else(|| ParquetError::General("a column is missing".to_owned()))?;
        column.write(&mut writer)?;
        writer.close()?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "message event {
        REQUIRED INT64 time (TIMESTAMP(MILLIS, true));
        REQUIRED INT32 class_uid;
        OPTIONAL BINARY message (STRING);
        OPTIONAL group actor { OPTIONAL group user { OPTIONAL BINARY name (STRING); } }
    }";

    fn rows(file: Vec<u8>) -> Vec<String> {
        use parquet::file::reader::{FileReader as _, SerializedFileReader};
        let file = SerializedFileReader::new(bytes::Bytes::from(file)).expect("a Parquet file");
        assert_eq!(file.metadata().file_metadata().created_by(), Some(CREATED_BY));
        file.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()).collect()
    }

    #[test]
    fn a_line_is_a_row_and_what_is_absent_is_null() {
        let lines = "{\"time\":1,\"class_uid\":6003,\"message\":\"a\\nb \u{1f980}\",\"actor\":{\"user\":{\"name\":\"ana\"}}}\n\
                     {\"time\":2,\"class_uid\":6003,\"message\":null,\"actor\":{\"user\":{}}}\n\
                     {\"time\":-3,\"class_uid\":6003,\"actor\":null,\"other\":1}\n";
        let file = parquet(lines.as_bytes(), SCHEMA, 5).expect("a file");
        assert_eq!(file, parquet(lines.as_bytes(), SCHEMA, 5).expect("the same file"));
        let rows = rows(file);
        assert_eq!(rows.len(), 3);
        for (row, parts) in rows.iter().zip([
            ["00:00:00.001", "class_uid: 6003", "message: \"a\nb \u{1f980}\"", "user: {name: \"ana\"}"],
            ["00:00:00.002", "class_uid: 6003", "message: null", "user: {name: null}"],
            ["23:59:59.997", "class_uid: 6003", "message: null", "actor: null"],
        ]) {
            assert!(parts.iter().all(|part| row.contains(part)), "{row}");
        }
    }

    #[test]
    fn no_line_is_a_file_without_rows_and_many_are_several_groups() {
        assert!(rows(parquet(b"", SCHEMA, 5).expect("a file")).is_empty());
        let lines: String = (0..GROUP + 7).map(|n| format!("{{\"time\":{n},\"class_uid\":1}}\n")).collect();
        let rows = rows(parquet(lines.as_bytes(), SCHEMA, 1).expect("a file"));
        assert_eq!(rows.len(), GROUP + 7);
    }

    #[test]
    fn a_value_that_does_not_fit_its_column_is_an_error() {
        for line in [
            "{\"class_uid\":1}",
            "{\"time\":\"now\",\"class_uid\":1}",
            "{\"time\":1,\"class_uid\":4294967296}",
            "{\"time\":1.5,\"class_uid\":1}",
            "{\"time\":1,\"class_uid\":1,\"actor\":\"ana\",\"message\":7}",
            "no JSON",
        ] {
            assert!(parquet(line.as_bytes(), SCHEMA, 5).is_err(), "{line}");
        }
    }
}
