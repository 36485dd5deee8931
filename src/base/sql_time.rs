//! Instants in SQL: `timestamptz` on Postgres, whole microseconds since 1970 on SQLite.

use jiff::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

/// 2000-01-01, from where Postgres counts, in microseconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// An instant as a column's value, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlTime(pub(crate) Timestamp);

impl SqlTime {
    /// A `timestamptz` as Postgres sends it; none when it is `infinity` or out of our range.
    pub(crate) fn from_postgres(micros: i64) -> Option<Self> {
        Timestamp::from_microsecond(micros.checked_add(POSTGRES_EPOCH)?).ok().map(Self)
    }
}

impl Type<Postgres> for SqlTime {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        sqlx::postgres::PgTypeInfo::with_name("timestamptz")
    }
}

impl Encode<'_, Postgres> for SqlTime {
    fn encode_by_ref(&self, buffer: &mut sqlx::postgres::PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.0.as_microsecond() - POSTGRES_EPOCH, buffer)
    }
}

impl Decode<'_, Postgres> for SqlTime {
    fn decode(value: sqlx::postgres::PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self::from_postgres(<i64 as Decode<Postgres>>::decode(value)?)
            .ok_or("the time is out of range")?)
    }
}

impl Type<Sqlite> for SqlTime {
    fn type_info() -> sqlx::sqlite::SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for SqlTime {
    fn encode_by_ref(&self, buffer: &mut sqlx::sqlite::SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.as_microsecond(), buffer)
    }
}

impl Decode<'_, Sqlite> for SqlTime {
    fn decode(value: sqlx::sqlite::SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(Timestamp::from_microsecond(<i64 as Decode<Sqlite>>::decode(value)?)?))
    }
}
