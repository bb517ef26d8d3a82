/*
 * verify_target.c - one text for equal values: the target's half.
 *
 * Scans a target under a snapshot, through the executor as any query would,
 * and writes its values as the source's SQL of verify_text.c writes them.  The
 * texts are made in C because a query that made them would be slower than the
 * source's; no code of the copy or the stream is used.
 */
#include "postgres.h"

#include <math.h>
/* for AF_INET, by which PostgreSQL tells inet values apart */
#include <sys/socket.h>
#include <zlib.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/md5.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/inet.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "role.h"
#include "verify.h"

/* A running scan: its rows come to receive_row(). */
typedef struct TargetScan
{
	DestReceiver pub;
	const MsVerifyTable *table;
	MsVerifyRowFn row;
	void	   *arg;
	MemoryContext row_cxt;		/* reset for every row */
	bool		no_key;			/* nobody asks for the key's MD5 */
	StringInfoData text;
} TargetScan;

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static void
append_hex(StringInfo buf, const void *data, size_t len)
{
	enlargeStringInfo(buf, len * 2);
	hex_encode(data, len, buf->data + buf->len);
	buf->len += len * 2;
	buf->data[buf->len] = '\0';
}

/* A whole number of 55 bits and the power of two that it is multiplied by. */
static void
append_float(StringInfo buf, double x)
{
	int			exponent;
	double		fraction;

	if (isnan(x) || isinf(x))
	{
		appendStringInfoString(buf, isnan(x) ? "NaN" : x > 0 ? "Infinity" :
							   "-Infinity");
		return;
	}
	if (signbit(x))
		appendStringInfoChar(buf, '-');
	if (x == 0)
	{
		appendStringInfoChar(buf, '0');
		return;
	}
	fraction = frexp(fabs(x), &exponent);
	appendStringInfo(buf, INT64_FORMAT "*2^%d", (int64) ldexp(fraction, 55),
					 exponent - 55);
}

/* A number that is kept as text. */
static void
append_float_text(MsVerifyColumn *col, StringInfo buf, const char *text)
{
	char	   *end;
	double		x;

	errno = 0;
	x = col->kind == MS_KIND_FLOAT ? strtof(text, &end) : strtod(text, &end);
	if (end == text || *end != '\0' || isnan(x) || isinf(x))
		appendStringInfoString(buf, text);
	else
		append_float(buf, x);
}

static void
append_whole_float(StringInfo buf, double x)
{
	if (x == floor(x) && fabs(x) < 1e18)
		appendStringInfo(buf, INT64_FORMAT, (int64) x);
	else
		append_float(buf, x);
}

/* With as many decimals as the source has, and more only if they are not 0. */
static void
append_numeric(StringInfo buf, Datum value, int scale)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	char	   *point = strchr(text, '.');
	int			decimals = point ? strlen(point + 1) : 0;

	appendStringInfoString(buf, text);
	if (strspn(text, "-0123456789.") != strlen(text))
		return;
	for (; decimals > scale && buf->data[buf->len - 1] == '0'; decimals--)
		buf->data[--buf->len] = '\0';
	if (decimals == 0 && buf->data[buf->len - 1] == '.')
		buf->data[--buf->len] = '\0';
	if (decimals < scale && decimals == 0)
		appendStringInfoChar(buf, '.');
	for (; decimals < scale; decimals++)
		appendStringInfoChar(buf, '0');
}

/* As many digits as the source has, or all if there are more. */
static void
append_fraction(StringInfo buf, int fsp, int usec)
{
	char		digits[16];
	int			unit = 1;

	for (int i = fsp; i < 6; i++)
		unit *= 10;
	if (usec % unit != 0)
		fsp = 6;
	if (fsp == 0)
		return;
	snprintf(digits, sizeof(digits), "%06d", usec);
	appendStringInfo(buf, ".%.*s", fsp, digits);
}

static void
append_two(StringInfo buf, char separator, int n)
{
	appendStringInfoChar(buf, separator);
	appendStringInfoChar(buf, '0' + n / 10 % 10);
	appendStringInfoChar(buf, '0' + n % 10);
}

static void
append_day(StringInfo buf, int year, int month, int day)
{
	/* MariaDB has a year 0 and none before it */
	if (year >= 1000 && year <= 9999)
	{
		char		digits[8];

		pg_lltoa(year, digits);
		appendStringInfoString(buf, digits);
	}
	else
		appendStringInfo(buf, "%04d", year);
	append_two(buf, '-', month);
	append_two(buf, '-', day);
}

static void
append_date(StringInfo buf, DateADT date)
{
	int			year;
	int			month;
	int			day;

	if (DATE_IS_NOBEGIN(date) || DATE_IS_NOEND(date))
	{
		appendStringInfoString(buf, DATE_IS_NOBEGIN(date) ? "-infinity" : "infinity");
		return;
	}
	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	append_day(buf, year, month, day);
}

static void
append_timestamp(const MsVerifyColumn *col, StringInfo buf, Timestamp value)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (TIMESTAMP_NOT_FINITE(value))
	{
		appendStringInfoString(buf, TIMESTAMP_IS_NOBEGIN(value) ? "-infinity" : "infinity");
		return;
	}
	if (timestamp2tm(value, col->zone ? &offset : NULL, &tm, &fsec, NULL,
					 unconstify(pg_tz *, col->zone)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	append_day(buf, tm.tm_year, tm.tm_mon, tm.tm_mday);
	if (col->kind == MS_KIND_DATE && tm.tm_hour == 0 && tm.tm_min == 0 &&
		tm.tm_sec == 0 && fsec == 0)
		return;
	append_two(buf, ' ', tm.tm_hour);
	append_two(buf, ':', tm.tm_min);
	append_two(buf, ':', tm.tm_sec);
	append_fraction(buf, col->fsp, fsec);
}

static void
append_seconds(StringInfo buf, int64 usec)
{
	if (usec < 0)
		appendStringInfoChar(buf, '-');
	usec = usec < 0 ? -usec : usec;
	appendStringInfo(buf, INT64_FORMAT ".%06d", usec / USECS_PER_SEC,
					 (int) (usec % USECS_PER_SEC));
}

static void
append_output(MsVerifyColumn *col, StringInfo buf, Datum value)
{
	appendStringInfoString(buf, OutputFunctionCall(&col->out, value));
}

static void
append_address(StringInfo buf, Datum value)
{
	inet	   *address = DatumGetInetPP(value);

	append_hex(buf, ip_addr(address), ip_family(address) == PGSQL_AF_INET ? 4 : 16);
	if (ip_bits(address) != (ip_family(address) == PGSQL_AF_INET ? 32 : 128))
		appendStringInfo(buf, "/%d", ip_bits(address));
}

/* An address that is kept as text. */
static void
append_address_text(StringInfo buf, char *text)
{
	MemoryContext cxt = CurrentMemoryContext;
	volatile Datum address = 0;

	/* an input function touches nothing, so no subtransaction */
	PG_TRY();
	{
		address = DirectFunctionCall1(inet_in, CStringGetDatum(text));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		FlushErrorState();
	}
	PG_END_TRY();
	if (address)
		append_address(buf, address);
	else
		appendStringInfoString(buf, text);
}

/* Labels with commas between, as MariaDB has them. */
static void
append_set(MsVerifyColumn *col, StringInfo buf, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *elems;
	int			n;

	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
	{
		append_output(col, buf, value);
		return;
	}
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elems, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(buf, ',');
		appendBinaryStringInfo(buf, VARDATA_ANY(DatumGetPointer(elems[i])),
							   VARSIZE_ANY_EXHDR(DatumGetPointer(elems[i])));
	}
}

/* Bytes in the order of the source. */
static void
append_float4(StringInfo buf, uint32 bits)
{
	uint8		bytes[4] = {bits, bits >> 8, bits >> 16, bits >> 24};

	append_hex(buf, bytes, 4);
}

static void
append_vector(MsVerifyColumn *col, StringInfo buf, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	const uint32 *data = (const uint32 *) ARR_DATA_PTR(array);

	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		append_output(col, buf, value);
	else
		for (int i = 0; i < ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)); i++)
			append_float4(buf, data[i]);
}

/* pgvector's binary form: dimensions, two bytes, the numbers big-endian. */
static void
append_pgvector(StringInfo buf, bytea *sent)
{
	const char *data = VARDATA(sent);

	for (Size i = 4; i + 4 <= VARSIZE(sent) - VARHDRSZ; i += 4)
	{
		uint32		bits;

		memcpy(&bits, data + i, 4);
		append_float4(buf, pg_ntoh32(bits));
	}
}

static void
append_uuid(const MsVerifyColumn *col, StringInfo buf, pg_uuid_t *uuid)
{
	int			start = buf->len;

	append_hex(buf, uuid->data, UUID_LEN);
	if (col->kind == MS_KIND_UUID)
	{
		char	   *hex = pstrdup(buf->data + start);

		buf->len = start;
		appendStringInfo(buf, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
						 hex + 12, hex + 16, hex + 20);
	}
}

/* The value's text, in the server's encoding. */
static void
append_value(MsVerifyColumn *col, StringInfo buf, Datum value)
{
	char		digits[MAXINT8LEN + 1];

	switch (col->typid)
	{
		case BOOLOID:
			appendStringInfoChar(buf, DatumGetBool(value) ? '1' : '0');
			break;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			pg_lltoa(col->typid == INT2OID ? DatumGetInt16(value) :
					 col->typid == INT4OID ? DatumGetInt32(value) :
					 DatumGetInt64(value), digits);
			appendStringInfoString(buf, digits);
			break;
		case NUMERICOID:
			append_numeric(buf, value, col->scale);
			break;
		case FLOAT4OID:
			append_float(buf, DatumGetFloat4(value));
			break;
		case FLOAT8OID:
			if (col->kind == MS_KIND_FLOAT || col->kind == MS_KIND_DOUBLE)
				append_float(buf, DatumGetFloat8(value));
			else
				append_whole_float(buf, DatumGetFloat8(value));
			break;
		case DATEOID:
			append_date(buf, DatumGetDateADT(value));
			break;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			append_timestamp(col, buf, DatumGetTimestamp(value));
			break;
		case TIMEOID:
			append_seconds(buf, DatumGetTimeADT(value));
			break;
		case INTERVALOID:
			if (DatumGetIntervalP(value)->month != 0 ||
				DatumGetIntervalP(value)->day != 0)
				append_output(col, buf, value);
			else
				append_seconds(buf, DatumGetIntervalP(value)->time);
			break;
		case BYTEAOID:
			append_hex(buf, VARDATA_ANY(DatumGetPointer(value)),
					   VARSIZE_ANY_EXHDR(DatumGetPointer(value)));
			break;
		case UUIDOID:
			append_uuid(col, buf, DatumGetUUIDP(value));
			break;
		case INETOID:
			append_address(buf, value);
			break;
		case TEXTARRAYOID:
			append_set(col, buf, value);
			break;
		case FLOAT4ARRAYOID:
			append_vector(col, buf, value);
			break;
		case TEXTOID:
		case VARCHAROID:
			if (col->kind == MS_KIND_FLOAT || col->kind == MS_KIND_DOUBLE)
				append_float_text(col, buf, TextDatumGetCString(value));
			else if (col->kind == MS_KIND_INET4 || col->kind == MS_KIND_INET6)
				append_address_text(buf, TextDatumGetCString(value));
			else
				appendBinaryStringInfo(buf, VARDATA_ANY(DatumGetPointer(value)),
									   VARSIZE_ANY_EXHDR(DatumGetPointer(value)));
			break;
		case BPCHAROID:
			appendBinaryStringInfo(buf, VARDATA_ANY(DatumGetPointer(value)),
								   bpchartruelen(VARDATA_ANY(DatumGetPointer(value)),
												 VARSIZE_ANY_EXHDR(DatumGetPointer(value))));
			break;
		default:
			if (col->kind == MS_KIND_GEOMETRY)
			{
				bytea	   *sent = SendFunctionCall(&col->send, value);

				append_hex(buf, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
			}
			else if (col->kind == MS_KIND_VECTOR)
				append_pgvector(buf, SendFunctionCall(&col->send, value));
			else
				append_output(col, buf, value);
			break;
	}
}

/* Values that are stored out of line or compressed come whole. */
static Datum
get_value(const MsVerifyColumn *col, TupleTableSlot *slot, bool *isnull)
{
	Datum		value = slot_getattr(slot, col->attnum, isnull);

	if (!*isnull &&
		TupleDescAttr(slot->tts_tupleDescriptor, col->attnum - 1)->attlen == -1)
		value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
	return value;
}

/* A column of a row that a scan has found, as people see it; NULL is NULL. */
char *
ms_verify_cell(MsVerifyColumn *col, TupleTableSlot *slot)
{
	StringInfoData buf;
	bool		isnull;
	Datum		value = get_value(col, slot, &isnull);

	if (isnull)
		return NULL;
	initStringInfo(&buf);
	append_value(col, &buf, value);
	return buf.data;
}

/* The source's text of a fetched column, as that of an equal target value. */
char *
ms_verify_fetched_cell(const MsVerifyColumn *col, const char *text)
{
	MemoryContext cxt = CurrentMemoryContext;
	char	   *volatile result = NULL;

	if (text == NULL)
		return NULL;
	/* an input function touches nothing, so no subtransaction */
	PG_TRY();
	{
		result = JsonbToCString(NULL,
								&DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
																	CStringGetDatum(text)))->root,
								-1);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		FlushErrorState();
		/* not what any jsonb looks like */
		result = psprintf("not JSON: %s", text);
	}
	PG_END_TRY();
	return result;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

void
ms_verify_digest(const char *data, size_t len, uint8 *digest)
{
	const char *errstr = NULL;

	if (!pg_md5_binary(data, len, digest, &errstr))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute an MD5: %s", errstr)));
}

/* What is added up of a row's MD5: its first 60 bits. */
uint64
ms_verify_hash_number(const uint8 *digest)
{
	uint64		bits;

	memcpy(&bits, digest, sizeof(bits));
	return pg_ntoh64(bits) >> 4;
}

/* Into which bucket a key's text is dealt. */
int
ms_verify_bucket(const MsVerifyTable *table, const char *text, size_t len)
{
	if (table->nbuckets == 1)
		return 0;
	return (int) (crc32(0, (const Bytef *) text, len) % table->nbuckets);
}

/* What is appended is what MariaDB sees, which is UTF-8. */
static void
to_utf8(StringInfo buf, int start)
{
	char	   *utf8;

	if (GetDatabaseEncoding() == PG_UTF8)
		return;
	utf8 = pg_server_to_any(buf->data + start, buf->len - start, PG_UTF8);
	if (utf8 == buf->data + start)
		return;
	buf->len = start;
	appendStringInfoString(buf, utf8);
}

static void
append_digest(MsVerifyColumn *col, StringInfo buf, Datum value)
{
	uint8		digest[MS_DIGEST_LEN];
	int			start = buf->len;

	if (col->typid == BYTEAOID)
		ms_verify_digest(VARDATA_ANY(DatumGetPointer(value)),
						 VARSIZE_ANY_EXHDR(DatumGetPointer(value)), digest);
	else
	{
		append_value(col, buf, value);
		to_utf8(buf, start);
		ms_verify_digest(buf->data + start, buf->len - start, digest);
		buf->len = start;
	}
	append_hex(buf, digest, MS_DIGEST_LEN);
}

static void
append_column(MsVerifyColumn *col, StringInfo buf, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = get_value(col, slot, &isnull);

	if (isnull)
		appendStringInfoChar(buf, 'N');
	else if (col->digest)
		append_digest(col, buf, value);
	else if (col->free_text)
	{
		int			start = buf->len;
		char		length[MAXINT8LEN + 2];
		int			n;

		append_value(col, buf, value);
		to_utf8(buf, start);
		n = pg_lltoa(buf->len - start, length);
		length[n++] = ';';
		enlargeStringInfo(buf, n);
		memmove(buf->data + start + n, buf->data + start, buf->len - start);
		memcpy(buf->data + start, length, n);
		buf->len += n;
		buf->data[buf->len] = '\0';
	}
	else
		append_value(col, buf, value);
}

/* The text of columns of a row. */
static void
write_columns(TargetScan *scan, List *columns, TupleTableSlot *slot)
{
	ListCell   *lc;

	resetStringInfo(&scan->text);
	foreach(lc, columns)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoChar(&scan->text, ';');
		append_column(lfirst(lc), &scan->text, slot);
	}
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	TargetScan *scan = (TargetScan *) self;
	const MsVerifyTable *table = scan->table;
	MemoryContext oldcxt = MemoryContextSwitchTo(scan->row_cxt);
	MsVerifyRow row;

	row.slot = slot;
	write_columns(scan, table->columns, slot);
	ms_verify_digest(scan->text.data, scan->text.len, row.hash);
	if (table->key == NIL)
		memcpy(row.key, row.hash, MS_DIGEST_LEN);
	else if (!scan->no_key || table->nbuckets > 1)
	{
		write_columns(scan, table->key, slot);
		if (!scan->no_key)
			ms_verify_digest(scan->text.data, scan->text.len, row.key);
	}
	row.bucket = ms_verify_bucket(table, scan->text.data, scan->text.len);
	scan->row(scan->arg, table, &row);
	MemoryContextSwitchTo(oldcxt);
	MemoryContextReset(scan->row_cxt);
	return true;
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc tupdesc)
{
}

static void
receive_end(DestReceiver *self)
{
}

static void
run_scan(const MsVerifyTable *table, const char *condition, Snapshot snapshot,
		 MsVerifyRowFn row, void *arg, bool no_key)
{
	TargetScan	scan = {0};
	SPIExecuteOptions options = {0};
	SPIPlanPtr	plan;
	StringInfoData sql;
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MsRole		before;
	ListCell   *lc;
	int			rc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT tableoid, ctid");
	foreach(lc, table->columns)
		appendStringInfo(&sql, ", %s",
						 quote_identifier(((MsVerifyColumn *) lfirst(lc))->name));
	appendStringInfo(&sql, " FROM %s WHERE %s", table->target, condition);

	scan.pub.receiveSlot = receive_row;
	scan.pub.rStartup = receive_startup;
	scan.pub.rShutdown = receive_end;
	scan.pub.rDestroy = receive_end;
	scan.pub.mydest = DestNone;
	scan.table = table;
	scan.row = row;
	scan.arg = arg;
	scan.no_key = no_key;
	scan.row_cxt = AllocSetContextCreate(caller, "mariadb_sync verify row",
										 ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&scan.text);

	/* its end gives the locks back: structure changes need not wait for more */
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PushActiveSnapshot(snapshot);
	ms_role_enter_table(table->sub->relid, &before);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(sql.data, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	options.read_only = true;
	options.dest = &scan.pub;
	rc = SPI_execute_plan_extended(plan, &options);
	if (rc < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(rc));
	SPI_finish();
	ms_role_return(&before);
	PopActiveSnapshot();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	MemoryContextDelete(scan.row_cxt);
	pfree(scan.text.data);
	pfree(sql.data);
}

/*
 * Call row for every row of the target for which condition holds.  The first
 * two columns of the slot are tableoid and ctid.
 */
void
ms_verify_scan(const MsVerifyTable *table, const char *condition,
			   Snapshot snapshot, MsVerifyRowFn row, void *arg)
{
	run_scan(table, condition, snapshot, row, arg, false);
}

static void
add_row(void *arg, const MsVerifyTable *table, const MsVerifyRow *row)
{
	MsVerifySum *sums = arg;
	MsVerifySum *sum = &sums[row->bucket];

	sum->rows++;
	sum->hashes += ms_verify_hash_number(row->hash);
}

/* Add the rows for which condition holds to the sums, one for each bucket. */
void
ms_verify_scan_sums(const MsVerifyTable *table, const char *condition,
					Snapshot snapshot, MsVerifySum *sums)
{
	run_scan(table, condition, snapshot, add_row, sums, true);
}

/* ------------------------------------------------------------------------
 * Values that a policy has changed in a way that SQL cannot tell
 * ------------------------------------------------------------------------
 */

/*
 * Text with what may stand for a character that could not be translated, one
 * or several, made the same.
 */
static char *
fold_replacements(const char *text)
{
	StringInfoData buf;
	int			len = strlen(text);

	initStringInfo(&buf);
	for (int i = 0; i < len;)
	{
		int			size = pg_encoding_mblen(GetDatabaseEncoding(), text + i);
		bool		replaced = text[i] == '?';

		size = Min(size, len - i);
		if (GetDatabaseEncoding() == PG_UTF8)
		{
			if (!pg_utf8_islegal((const unsigned char *) text + i, size))
			{
				replaced = true;
				size = 1;
			}
			else if (size == 3 && memcmp(text + i, "\xEF\xBF\xBD", 3) == 0)
				replaced = true;
		}
		if (!replaced)
			appendBinaryStringInfo(&buf, text + i, size);
		else if (buf.len == 0 || buf.data[buf.len - 1] != '?')
			appendStringInfoChar(&buf, '?');
		i += size;
	}
	return buf.data;
}

/* A local time that the zone's clocks skip has become another. */
static bool
is_skipped_time(const MsVerifyColumn *col, const char *source, const char *target)
{
	pg_tz	   *zone = unconstify(pg_tz *, col->zone);
	StringInfoData buf;
	struct pg_tm tm;
	fsec_t		fsec;
	Timestamp	local;

	if (source[0] == '-')
		return false;
	local = DatumGetTimestamp(DirectFunctionCall3(timestamp_in,
												  CStringGetDatum(source),
												  ObjectIdGetDatum(InvalidOid),
												  Int32GetDatum(-1)));
	if (timestamp2tm(local, NULL, &tm, &fsec, NULL, NULL) != 0)
		return false;
	initStringInfo(&buf);
	append_timestamp(col, &buf, local + DetermineTimeZoneOffset(&tm, zone) * USECS_PER_SEC);
	return strcmp(buf.data, target) == 0;
}

/* Is the difference of two texts what a policy makes of the value? */
bool
ms_verify_explained(const MsVerifyColumn *col, const char *source,
					const char *target)
{
	if (source == NULL || target == NULL)
		return false;
	if (col->replaces)
		return strcmp(fold_replacements(source), fold_replacements(target)) == 0;
	return col->zone && is_skipped_time(col, source, target);
}
