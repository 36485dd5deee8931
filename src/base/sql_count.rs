//! Counts in SQL: a `bigint` that is not negative. One that does not fit is an error, never another count.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

/// A count as a column's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlCount<T = u64>(pub(crate) T);

impl<D: Database, T> Type<D> for SqlCount<T>
where
    i64: Type<D>,
{
    fn type_info() -> D::TypeInfo {
        <i64 as Type<D>>::type_info()
    }

    fn compatible(column: &D::TypeInfo) -> bool {
        <i64 as Type<D>>::compatible(column)
    }
}

impl<'q, D: Database, T: Copy + TryInto<i64>> Encode<'q, D> for SqlCount<T>
where
    i64: Encode<'q, D>,
{
    fn encode_by_ref(&self, buffer: &mut D::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let int: i64 = self.0.try_into().map_err(|_| "the count is beyond SQL's integers")?;
        int.encode(buffer)
    }
}

impl<'r, D: Database, T: TryFrom<i64>> Decode<'r, D> for SqlCount<T>
where
    i64: Decode<'r, D>,
{
    fn decode(value: D::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let int = i64::decode(value)?;
        Ok(Self(T::try_from(int).map_err(|_| format!("the count {int} is out of range"))?))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn a_count_that_does_not_fit_is_an_error() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("opens");
        let written = |count: u64| sqlx::query_scalar::<_, SqlCount>("SELECT $1").bind(SqlCount(count));
        assert_eq!(written(7).fetch_one(&mut connection).await.expect("a count"), SqlCount(7));
        assert!(written(u64::MAX).fetch_one(&mut connection).await.is_err());
        let read = sqlx::query_scalar::<_, SqlCount>("SELECT -1").fetch_one(&mut connection).await;
        assert!(read.is_err(), "{read:?}");
        let read =
            sqlx::query_scalar::<_, SqlCount<u32>>("SELECT 4294967296").fetch_one(&mut connection).await;
        assert!(read.is_err(), "{read:?}");
    }
}
