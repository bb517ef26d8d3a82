/*
 * chunk_target.c - the chunk of a row that is in the target.
 *
 * A cascade finds rows in the target, where their keys are datums.  This goes
 * back from the datum to the source's value, for the pairs of types of which
 * that can be done for certain.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/expandeddatum.h"	/* varatt.h, which PostgreSQL 15 has not */
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "chunk.h"

/*
 * Can the column's values be read back?  It must be bound to the target.
 */
bool
ms_chunk_reads_target(const MsColumn *col)
{
	bool		is_integer = col->typid == INT2OID || col->typid == INT4OID ||
	col->typid == INT8OID;
	bool		is_exact = col->policies.zero_date != MS_ZERO_DATE_EPOCH;

	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_YEAR:
			return is_integer;
		case MS_KIND_UINT:
			return is_integer || col->typid == NUMERICOID;
		case MS_KIND_DECIMAL:
			return col->typid == NUMERICOID;
		case MS_KIND_DATE:
			return col->typid == DATEOID && is_exact;
		case MS_KIND_DATETIME:
			return col->typid == TIMESTAMPOID && is_exact;
		case MS_KIND_TIMESTAMP:
			return col->typid == TIMESTAMPTZOID && is_exact;
		case MS_KIND_BYTES:
			return col->typid == BYTEAOID;
		default:
			return false;
	}
}

static int64
read_integer(Oid typid, Datum datum)
{
	return typid == INT2OID ? DatumGetInt16(datum) :
		typid == INT4OID ? DatumGetInt32(datum) : DatumGetInt64(datum);
}

static char *
numeric_text(Datum datum)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, datum));
}

static bool
read_datetime(Timestamp timestamp, MsTimeFields *t)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(timestamp, NULL, &tm, &fsec, NULL, NULL) != 0)
		return false;
	t->year = tm.tm_year;
	t->month = tm.tm_mon;
	t->day = tm.tm_mday;
	t->hour = tm.tm_hour;
	t->minute = tm.tm_min;
	t->second = tm.tm_sec;
	t->usec = fsec;
	return true;
}

/*
 * The source's value of a datum.  False for an infinity, which a policy has
 * made of something else.  v may point into the datum.
 */
bool
ms_chunk_read_target(const MsColumn *col, Datum datum, MsValue *v)
{
	bytea	   *bytes;

	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_YEAR:
			v->i = read_integer(col->typid, datum);
			return true;
		case MS_KIND_UINT:
			v->u = col->typid == NUMERICOID ?
				strtou64(numeric_text(datum), NULL, 10) :
				(uint64) read_integer(col->typid, datum);
			return true;
		case MS_KIND_DECIMAL:
			v->s.data = numeric_text(datum);
			v->s.len = strlen(v->s.data);
			return true;
		case MS_KIND_DATE:
			memset(&v->t, 0, sizeof(v->t));
			if (DATE_NOT_FINITE(DatumGetDateADT(datum)))
				return false;
			j2date(DatumGetDateADT(datum) + POSTGRES_EPOCH_JDATE,
				   &v->t.year, &v->t.month, &v->t.day);
			return true;
		case MS_KIND_DATETIME:
			memset(&v->t, 0, sizeof(v->t));
			return !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(datum)) &&
				read_datetime(DatumGetTimestamp(datum), &v->t);
		case MS_KIND_TIMESTAMP:
			v->i = DatumGetTimestampTz(datum) +
				(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
			return !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(datum));
		default:
			bytes = DatumGetByteaPP(datum);
			v->s.data = VARDATA_ANY(bytes);
			v->s.len = VARSIZE_ANY_EXHDR(bytes);
			return true;
	}
}
