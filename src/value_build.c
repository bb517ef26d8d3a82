/*
 * value_build.c - builders: canonical values to PostgreSQL datums.
 *
 * Owns which pairs of source kind and target type there are, what each value
 * becomes, and the value policies: what a zero date, a NUL byte or a TINYINT(1)
 * beyond 0 and 1 turns into.  A value that a policy alters is counted in
 * ms_value_changes; one that the target cannot hold is an error that names the
 * column.  Whether a pair loses nothing given both sides' widths was decided
 * by typemap.c when the target was bound.
 *
 * Datums are allocated in CurrentMemoryContext, those of an ENUM excepted,
 * which are the plan's own.
 *
 * Of the catalogs this file knows the types' OIDs, which are constants.
 */
#include "postgres.h"

/* for AF_INET, by which PostgreSQL tells inet values apart */
#include <sys/socket.h>

#include "catalog/pg_type_d.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/inet.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/varbit.h"

#include "value_build.h"

#define UNIX_EPOCH_DAYS (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE)

MsValueChanges ms_value_changes;

/* What was changed, for a log line. */
const char *
ms_value_change_name(MsChangeKind kind)
{
	switch (kind)
	{
		case MS_CHANGE_ZERO_DATE:
			return "a date that PostgreSQL does not have";
		case MS_CHANGE_NUL_BYTE:
			return "a NUL byte in text";
		case MS_CHANGE_UNTRANSLATABLE:
			return "a character that cannot be translated";
		case MS_CHANGE_BOOLEAN:
			return "a number that is neither 0 nor 1 in a boolean";
		case MS_CHANGE_LOCAL_TIME:
			return "a local time that the zone's clocks skip";
		case MS_CHANGE_EMPTY_JSON:
			return "an empty string in JSON";
	}
	return "a value";
}

/* A policy has altered a value. */
static void
note_change(MsColumn *col, MsChangeKind kind)
{
	if (ms_value_changes.ignore)
		return;
	ms_value_changes.count++;
	if ((col->changes_seen & kind) == 0)
	{
		col->changes_seen |= kind;
		ms_value_changes.first = true;
	}
}

void
ms_value_check_size(const MsColumn *col, uint64 size)
{
	if (unlikely(size > MaxAllocSize - VARHDRSZ))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value of column \"%s\" is too large", col->name),
				 errdetail("It has " UINT64_FORMAT " bytes, and PostgreSQL's limit is 1 GB.",
						   size)));
}

Datum
ms_value_make_varlena(const MsColumn *col, const char *data, uint32 len)
{
	text	   *result;

	ms_value_check_size(col, len);
	result = (text *) palloc(VARHDRSZ + len);
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), data, len);
	return PointerGetDatum(result);
}

/*
 * Numbers.
 */
static Datum
build_int_int2(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int16GetDatum((int16) v->i);
}

static Datum
build_int_int4(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int32GetDatum((int32) v->i);
}

static Datum
build_int_int8(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int64GetDatum(v->i);
}

/*
 * The one number that is let into a target that lacks some of its values: ids
 * have to be bigint to be of use, and none of them comes near the limit.  One
 * that fits is the same bits.
 */
static Datum
build_uint_int8(MsColumn *col, const MsValue *v, bool *isnull)
{
	if (unlikely(v->u > PG_INT64_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value " UINT64_FORMAT " of column \"%s\" is out of range for type bigint",
						v->u, col->name),
				 errhint("Make the target column numeric(20,0).")));
	return Int64GetDatum(v->i);
}

static Datum
build_int_float8(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Float8GetDatum((float8) v->i);
}

/* TINYINT(1), whose other values mean true as well */
static Datum
build_int_bool(MsColumn *col, const MsValue *v, bool *isnull)
{
	if (v->i != 0 && v->i != 1)
		note_change(col, MS_CHANGE_BOOLEAN);
	return BoolGetDatum(v->i != 0);
}

static Datum
build_float_float4(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Float4GetDatum((float4) v->d);
}

static Datum
build_float_float8(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Float8GetDatum(v->d);
}

/* DECIMAL(p,0), p small enough for the target */
static int64
decimal_int64(const MsValue *v)
{
	return strtoi64(v->s.data, NULL, 10);
}

static Datum
build_decimal_int2(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int16GetDatum((int16) decimal_int64(v));
}

static Datum
build_decimal_int4(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int32GetDatum((int32) decimal_int64(v));
}

static Datum
build_decimal_int8(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int64GetDatum(decimal_int64(v));
}

/*
 * Temporal types.
 */

/*
 * A date that has a month or a day zero, or a day that its month does not
 * have, is one that MariaDB keeps and PostgreSQL does not.
 */
static inline bool
is_real_date(const MsTimeFields *t)
{
	return t->month >= 1 && t->month <= 12 && t->day >= 1 &&
		t->day <= day_tab[isleap(t->year)][t->month - 1];
}

/*
 * What the zero_date policy makes of an impossible date.
 */
static Datum
build_zero_date(MsColumn *col, const MsValue *v, bool *isnull,
				Datum epoch, Datum minus_infinity)
{
	char		buf[MS_MAX_FORMATTED];

	switch (col->policies.zero_date)
	{
		case MS_ZERO_DATE_NULL:
			note_change(col, MS_CHANGE_ZERO_DATE);
			*isnull = true;
			return (Datum) 0;
		case MS_ZERO_DATE_EPOCH:
			note_change(col, MS_CHANGE_ZERO_DATE);
			return epoch;
		case MS_ZERO_DATE_MINUS_INFINITY:
			note_change(col, MS_CHANGE_ZERO_DATE);
			return minus_infinity;
		case MS_ZERO_DATE_ERROR:
			break;
	}
	buf[ms_value_format(col, v, buf)] = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
			 errmsg("value \"%s\" of column \"%s\" is not a date for PostgreSQL",
					buf, col->name),
			 errhint("Set the option zero_date to null, epoch or -infinity, or make the target column text.")));
	return (Datum) 0;
}

static Datum
zero_timestamp(MsColumn *col, const MsValue *v, bool *isnull)
{
	return build_zero_date(col, v, isnull,
						   TimestampGetDatum(UNIX_EPOCH_DAYS * USECS_PER_DAY),
						   TimestampGetDatum(DT_NOBEGIN));
}

static Datum
build_date_date(MsColumn *col, const MsValue *v, bool *isnull)
{
	if (unlikely(!is_real_date(&v->t)))
		return build_zero_date(col, v, isnull,
							   DateADTGetDatum(UNIX_EPOCH_DAYS),
							   DateADTGetDatum(DATEVAL_NOBEGIN));
	return DateADTGetDatum(date2j(v->t.year, v->t.month, v->t.day) -
						   POSTGRES_EPOCH_JDATE);
}

static inline int64
time_usec(const MsTimeFields *t)
{
	return ((t->hour * 60 + t->minute) * 60 + t->second) * USECS_PER_SEC +
		t->usec;
}

static Datum
build_datetime_timestamp(MsColumn *col, const MsValue *v, bool *isnull)
{
	int64		days;

	if (unlikely(!is_real_date(&v->t)))
		return zero_timestamp(col, v, isnull);
	days = date2j(v->t.year, v->t.month, v->t.day) - POSTGRES_EPOCH_JDATE;
	return TimestampGetDatum(days * USECS_PER_DAY + time_usec(&v->t));
}

/*
 * A DATETIME by the clocks of col->zone to timestamptz.  A time that they
 * skip is changed to one that they show; of two that they show twice it is
 * the one that PostgreSQL takes, standard time.
 */
Datum
ms_value_build_zoned(MsColumn *col, const MsValue *v, bool *isnull)
{
	pg_tz	   *zone = unconstify(pg_tz *, col->zone);
	struct pg_tm tm = {0};
	struct pg_tm shown;
	Timestamp	local;
	TimestampTz result;
	fsec_t		fsec;
	int			offset;

	if (unlikely(!is_real_date(&v->t)))
		return zero_timestamp(col, v, isnull);
	local = DatumGetTimestamp(build_datetime_timestamp(col, v, isnull));
	tm.tm_year = v->t.year;
	tm.tm_mon = v->t.month;
	tm.tm_mday = v->t.day;
	tm.tm_hour = v->t.hour;
	tm.tm_min = v->t.minute;
	tm.tm_sec = v->t.second;
	result = local + DetermineTimeZoneOffset(&tm, zone) * USECS_PER_SEC;
	if (timestamp2tm(result, &offset, &shown, &fsec, NULL, zone) == 0 &&
		(shown.tm_hour != tm.tm_hour || shown.tm_min != tm.tm_min))
		note_change(col, MS_CHANGE_LOCAL_TIME);
	return TimestampTzGetDatum(result);
}

/* Also to timestamp without time zone, which gets the time in UTC. */
static Datum
build_timestamp_timestamptz(MsColumn *col, const MsValue *v, bool *isnull)
{
	if (unlikely(v->i == MS_TIMESTAMP_ZERO))
		return zero_timestamp(col, v, isnull);
	return TimestampTzGetDatum(v->i + UNIX_EPOCH_DAYS * USECS_PER_DAY);
}

static Datum
build_time_interval(MsColumn *col, const MsValue *v, bool *isnull)
{
	Interval   *result = (Interval *) palloc(sizeof(Interval));
	int64		usec = time_usec(&v->t);

	result->time = v->t.neg ? -usec : usec;
	result->day = 0;
	result->month = 0;
	return IntervalPGetDatum(result);
}

static Datum
build_time_time(MsColumn *col, const MsValue *v, bool *isnull)
{
	int64		usec = time_usec(&v->t);

	if ((v->t.neg && usec != 0) || usec > USECS_PER_DAY)
	{
		char		buf[MS_MAX_FORMATTED];

		buf[ms_value_format(col, v, buf)] = '\0';
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("value \"%s\" of column \"%s\" is out of range for type time",
						buf, col->name),
				 errhint("Make the target column interval.")));
	}
	return TimeADTGetDatum(usec);
}

/*
 * Text.
 */

/*
 * What the nul_byte policy makes of text with NUL bytes, which PostgreSQL
 * cannot store in any text type.
 */
static const char *
treat_nul_bytes(MsColumn *col, const char *s, uint32 *len)
{
	bool		strip = col->policies.nul_byte == MS_NUL_BYTE_STRIP;
	const char *replacement = strip ? "" :
	GetDatabaseEncoding() == PG_UTF8 ? "\xEF\xBF\xBD" : "?";
	Size		replacement_len = strlen(replacement);
	uint64		size = *len;
	char	   *result;
	char	   *out;

	if (col->policies.nul_byte == MS_NUL_BYTE_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("value of column \"%s\" has a NUL byte", col->name),
				 errdetail("It is byte %zu of the text, and PostgreSQL's text types hold no NUL bytes.",
						   (Size) ((const char *) memchr(s, 0, *len) - s) + 1),
				 errhint("Set the option nul_byte to strip or replace, or make the target column bytea.")));

	for (uint32 i = 0; i < *len; i++)
		if (s[i] == '\0')
			size += replacement_len - 1;
	ms_value_check_size(col, size);
	out = result = palloc(size + 1);
	for (uint32 i = 0; i < *len; i++)
	{
		if (s[i] != '\0')
			*out++ = s[i];
		else
		{
			memcpy(out, replacement, replacement_len);
			out += replacement_len;
		}
	}
	note_change(col, MS_CHANGE_NUL_BYTE);
	*len = size;
	return result;
}

/*
 * The value's text in the server's encoding, not NUL-terminated.
 */
static inline const char *
server_text(MsColumn *col, const MsValue *v, uint32 *len)
{
	bool		replaced = false;
	const char *s;

	s = col->transcode(col->transcode_arg, v->s.data, v->s.len, len,
					   col->policies.untranslatable == MS_UNTRANSLATABLE_REPLACE ?
					   &replaced : NULL);
	if (unlikely(replaced))
		note_change(col, MS_CHANGE_UNTRANSLATABLE);
	if (unlikely(memchr(s, 0, *len) != NULL))
		s = treat_nul_bytes(col, s, len);
	return s;
}

/*
 * Characters of valid text.
 */
static uint32
char_count(const char *s, uint32 len)
{
	uint32		count = len;
	uint32		i = 0;

	if (pg_database_encoding_max_length() == 1)
		return len;
	if (GetDatabaseEncoding() != PG_UTF8)
		return pg_mbstrlen_with_len(s, len);

	/* take off the continuation bytes, whose top bits are 10 */
	for (; i + sizeof(uint64) <= len; i += sizeof(uint64))
	{
		uint64		chunk;

		memcpy(&chunk, s + i, sizeof(chunk));
		chunk = chunk & ~(chunk << 1) & UINT64CONST(0x8080808080808080);
		count -= ((chunk >> 7) * UINT64CONST(0x0101010101010101)) >> 56;
	}
	for (; i < len; i++)
		count -= (s[i] & 0xc0) == 0x80;
	return count;
}

static void
text_too_long(const MsColumn *col)
{
	ereport(ERROR,
			(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
			 errmsg("value of column \"%s\" is too long for the target type",
					col->name),
			 errdetail("The target column holds %d characters.",
					   (int) (col->typmod - VARHDRSZ)),
			 errhint("Make it as wide as the source's: ALTER TABLE ... ALTER COLUMN ... TYPE.")));
}

/*
 * To text, or to varchar whose typmod is a limit.
 */
static Datum
make_text(const MsColumn *col, const char *s, uint32 len)
{
	if (col->typmod >= (int32) VARHDRSZ)
	{
		uint32		limit = col->typmod - VARHDRSZ;

		if (len > limit && char_count(s, len) > limit)
			text_too_long(col);
	}
	return ms_value_make_varlena(col, s, len);
}

static Datum
build_text_text(MsColumn *col, const MsValue *v, bool *isnull)
{
	uint32		len;
	const char *s = server_text(col, v, &len);

	return make_text(col, s, len);
}

/* The target's blanks at the end are there for show. */
static Datum
build_text_bpchar(MsColumn *col, const MsValue *v, bool *isnull)
{
	uint32		len;
	const char *s = server_text(col, v, &len);
	uint32		pad = 0;
	char	   *result;

	if (col->typmod >= (int32) VARHDRSZ)
	{
		uint32		limit = col->typmod - VARHDRSZ;
		uint32		count = char_count(s, len);

		if (count > limit)
			text_too_long(col);
		pad = limit - count;
	}
	ms_value_check_size(col, (uint64) len + pad);
	result = palloc(VARHDRSZ + len + pad);
	SET_VARSIZE(result, VARHDRSZ + len + pad);
	memcpy(VARDATA(result), s, len);
	memset(VARDATA(result) + len, ' ', pad);
	return PointerGetDatum(result);
}

/* Any kind that ms_value_format() prints. */
static Datum
build_formatted_text(MsColumn *col, const MsValue *v, bool *isnull)
{
	char		buf[MS_MAX_FORMATTED];
	int			len = ms_value_format(col, v, buf);

	return make_text(col, buf, len);
}

/* The value's text as a C string. */
static char *
server_cstring(MsColumn *col, const MsValue *v)
{
	uint32		len;
	const char *s = server_text(col, v, &len);
	char	   *result;

	ms_value_check_size(col, len);
	result = palloc(len + 1);
	memcpy(result, s, len);
	result[len] = '\0';
	return result;
}

/* What a target type's own input refuses. */
static void
input_error_callback(void *arg)
{
	if (geterrcode() == ERRCODE_INVALID_TEXT_REPRESENTATION ||
		geterrcode() == ERRCODE_UNTRANSLATABLE_CHARACTER)
		errhint("MariaDB holds a value in column \"%s\" that the target type refuses. Correct it there, or make the target column text, which keeps any value.",
				((MsColumn *) arg)->name);
}

/*
 * To json, which keeps the text, jsonb or uuid; all check it.
 */
static Datum
make_checked(MsColumn *col, const MsValue *v, PGFunction in_func)
{
	char	   *str = server_cstring(col, v);
	ErrorContextCallback callback;
	Datum		result;

	callback.callback = input_error_callback;
	callback.arg = col;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	result = DirectFunctionCall1(in_func, CStringGetDatum(str));
	error_context_stack = callback.previous;
	return result;
}

/*
 * An empty string is no JSON, and yet what MariaDB fills a JSON column with
 * that is added NOT NULL to a table with rows.
 */
static Datum
make_json(MsColumn *col, const MsValue *v, PGFunction in_func)
{
	if (likely(v->s.len > 0) || col->kind != MS_KIND_JSON)
		return make_checked(col, v, in_func);
	note_change(col, MS_CHANGE_EMPTY_JSON);
	return DirectFunctionCall1(in_func, CStringGetDatum("null"));
}

static Datum
build_text_json(MsColumn *col, const MsValue *v, bool *isnull)
{
	return make_json(col, v, json_in);
}

static Datum
build_text_jsonb(MsColumn *col, const MsValue *v, bool *isnull)
{
	return make_json(col, v, jsonb_in);
}

static Datum
build_text_uuid(MsColumn *col, const MsValue *v, bool *isnull)
{
	return make_checked(col, v, uuid_in);
}

/*
 * Through the target type's input function, col->in_func: for types that
 * are not built in.
 */
Datum
ms_value_build_input(MsColumn *col, const MsValue *v, bool *isnull)
{
	char		buf[MS_MAX_FORMATTED];
	char	   *str = buf;

	if (col->kind == MS_KIND_TEXT || col->kind == MS_KIND_JSON)
		str = server_cstring(col, v);
	else
		buf[ms_value_format(col, v, buf)] = '\0';
	return InputFunctionCall(&col->in_func, str, col->in_typioparam,
							 col->typmod);
}

/*
 * Labels.
 */
static void
unknown_label(const MsColumn *col, uint64 value)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("value " UINT64_FORMAT " of column \"%s\" has no label",
					value, col->name),
			 errdetail("The recorded type has %d labels.", col->nlabels)));
}

/*
 * An ENUM to one of col->label_datums.
 */
Datum
ms_value_build_label(MsColumn *col, const MsValue *v, bool *isnull)
{
	Datum		result;

	if (v->u > (uint64) col->nlabels)
		unknown_label(col, v->u);
	result = col->label_datums[v->u];
	if (result == (Datum) 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("target type of column \"%s\" has no label \"\"",
						col->name),
				 errdetail("MariaDB stores the empty string in place of a value that was not valid."),
				 errhint("Add the label '' to the target type.")));
	return result;
}

static void
check_set(const MsColumn *col, uint64 mask)
{
	if (col->nlabels < 64 && mask >> col->nlabels != 0)
		unknown_label(col, mask);
}

static Datum
build_set_array(MsColumn *col, const MsValue *v, bool *isnull)
{
	Datum		elems[64];
	int			n = 0;

	check_set(col, v->u);
	for (int i = 0; i < col->nlabels; i++)
		if (v->u & (UINT64CONST(1) << i))
			elems[n++] = col->label_datums[i + 1];
	if (n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	return PointerGetDatum(construct_array(elems, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* As MariaDB prints it: labels with commas between. */
static Datum
build_set_text(MsColumn *col, const MsValue *v, bool *isnull)
{
	uint32		len = 0;
	char	   *buf;
	char	   *out;

	check_set(col, v->u);
	for (int i = 0; i < col->nlabels; i++)
		if (v->u & (UINT64CONST(1) << i))
			len += strlen(col->labels[i]) + 1;
	if (len == 0)
		return make_text(col, "", 0);
	out = buf = palloc(len);
	for (int i = 0; i < col->nlabels; i++)
		if (v->u & (UINT64CONST(1) << i))
		{
			Size		n = strlen(col->labels[i]);

			if (out > buf)
				*out++ = ',';
			memcpy(out, col->labels[i], n);
			out += n;
		}
	return make_text(col, buf, out - buf);
}

/*
 * Bytes and bits.
 */
static Datum
build_bytes_bytea(MsColumn *col, const MsValue *v, bool *isnull)
{
	return ms_value_make_varlena(col, v->s.data, v->s.len);
}

static Datum
build_bytes_uuid(MsColumn *col, const MsValue *v, bool *isnull)
{
	pg_uuid_t  *result = (pg_uuid_t *) palloc(sizeof(pg_uuid_t));

	Assert(v->s.len == UUID_LEN);
	memcpy(result->data, v->s.data, UUID_LEN);
	return UUIDPGetDatum(result);
}

static Datum
build_inet_inet(MsColumn *col, const MsValue *v, bool *isnull)
{
	inet	   *result = (inet *) palloc0(sizeof(inet));

	if (col->kind == MS_KIND_INET4)
	{
		ip_family(result) = PGSQL_AF_INET;
		ip_bits(result) = 32;
	}
	else
	{
		ip_family(result) = PGSQL_AF_INET6;
		ip_bits(result) = 128;
	}
	memcpy(ip_addr(result), v->s.data, v->s.len);
	SET_INET_VARSIZE(result);
	return InetPGetDatum(result);
}

/*
 * MariaDB's bits are at the low end of their bytes, PostgreSQL's at the top.
 */
static Datum
build_bit_bit(MsColumn *col, const MsValue *v, bool *isnull)
{
	const uint8 *data = (const uint8 *) v->s.data;
	int			shift = (8 - col->length % 8) % 8;
	int			size = VARBITTOTALLEN(col->length);
	VarBit	   *result = (VarBit *) palloc(size);
	bits8	   *out;

	SET_VARSIZE(result, size);
	VARBITLEN(result) = col->length;
	out = VARBITS(result);
	for (uint32 i = 0; i < v->s.len; i++)
	{
		out[i] = data[i] << shift;
		if (i + 1 < v->s.len)
			out[i] |= data[i + 1] >> (8 - shift);
	}
	return VarBitPGetDatum(result);
}

static uint64
bit_uint64(const MsColumn *col, const MsValue *v)
{
	uint64		n = 0;

	for (uint32 i = 0; i < v->s.len; i++)
		n = n << 8 | (uint8) v->s.data[i];
	return col->length < 64 ? n & ((UINT64CONST(1) << col->length) - 1) : n;
}

static Datum
build_bit_bool(MsColumn *col, const MsValue *v, bool *isnull)
{
	return BoolGetDatum(bit_uint64(col, v) != 0);
}

static Datum
build_bit_int2(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int16GetDatum((int16) bit_uint64(col, v));
}

static Datum
build_bit_int4(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int32GetDatum((int32) bit_uint64(col, v));
}

static Datum
build_bit_int8(MsColumn *col, const MsValue *v, bool *isnull)
{
	return Int64GetDatum((int64) bit_uint64(col, v));
}

static Datum
build_bit_numeric(MsColumn *col, const MsValue *v, bool *isnull)
{
	MsValue		n;

	n.u = bit_uint64(col, v);
	return ms_value_build_uint_numeric(col, &n, isnull);
}

/*
 * The pairs.
 */
typedef struct BuilderEntry
{
	MsKind		kind;
	Oid			typid;
	MsBuildFn	build;
} BuilderEntry;

static const BuilderEntry builders[] = {
	{MS_KIND_INT, INT2OID, build_int_int2},
	{MS_KIND_INT, INT4OID, build_int_int4},
	{MS_KIND_INT, INT8OID, build_int_int8},
	{MS_KIND_INT, NUMERICOID, ms_value_build_int_numeric},
	{MS_KIND_INT, FLOAT8OID, build_int_float8},
	{MS_KIND_INT, BOOLOID, build_int_bool},
	{MS_KIND_UINT, INT2OID, build_int_int2},
	{MS_KIND_UINT, INT4OID, build_int_int4},
	{MS_KIND_UINT, INT8OID, build_uint_int8},
	{MS_KIND_UINT, NUMERICOID, ms_value_build_uint_numeric},
	{MS_KIND_UINT, FLOAT8OID, build_int_float8},
	{MS_KIND_UINT, BOOLOID, build_int_bool},
	{MS_KIND_YEAR, INT2OID, build_int_int2},
	{MS_KIND_YEAR, INT4OID, build_int_int4},
	{MS_KIND_YEAR, INT8OID, build_int_int8},
	{MS_KIND_YEAR, NUMERICOID, ms_value_build_int_numeric},
	{MS_KIND_FLOAT, FLOAT4OID, build_float_float4},
	{MS_KIND_FLOAT, FLOAT8OID, build_float_float8},
	{MS_KIND_DOUBLE, FLOAT8OID, build_float_float8},
	{MS_KIND_DECIMAL, NUMERICOID, ms_value_build_decimal_numeric},
	{MS_KIND_DECIMAL, INT2OID, build_decimal_int2},
	{MS_KIND_DECIMAL, INT4OID, build_decimal_int4},
	{MS_KIND_DECIMAL, INT8OID, build_decimal_int8},
	{MS_KIND_DATE, DATEOID, build_date_date},
	{MS_KIND_DATE, TIMESTAMPOID, build_datetime_timestamp},
	{MS_KIND_DATETIME, TIMESTAMPOID, build_datetime_timestamp},
	{MS_KIND_DATETIME, TIMESTAMPTZOID, ms_value_build_zoned},
	{MS_KIND_TIMESTAMP, TIMESTAMPTZOID, build_timestamp_timestamptz},
	{MS_KIND_TIMESTAMP, TIMESTAMPOID, build_timestamp_timestamptz},
	{MS_KIND_TIME, INTERVALOID, build_time_interval},
	{MS_KIND_TIME, TIMEOID, build_time_time},
	{MS_KIND_TEXT, TEXTOID, build_text_text},
	{MS_KIND_TEXT, VARCHAROID, build_text_text},
	{MS_KIND_TEXT, BPCHAROID, build_text_bpchar},
	{MS_KIND_TEXT, JSONOID, build_text_json},
	{MS_KIND_TEXT, JSONBOID, build_text_jsonb},
	{MS_KIND_TEXT, BYTEAOID, build_bytes_bytea},
	{MS_KIND_TEXT, UUIDOID, build_text_uuid},
	{MS_KIND_JSON, JSONOID, build_text_json},
	{MS_KIND_JSON, JSONBOID, build_text_jsonb},
	{MS_KIND_JSON, TEXTOID, build_text_text},
	{MS_KIND_JSON, VARCHAROID, build_text_text},
	{MS_KIND_BYTES, BYTEAOID, build_bytes_bytea},
	{MS_KIND_BYTES, UUIDOID, build_bytes_uuid},
	{MS_KIND_ENUM, TEXTOID, ms_value_build_label},
	{MS_KIND_ENUM, VARCHAROID, ms_value_build_label},
	{MS_KIND_SET, TEXTARRAYOID, build_set_array},
	{MS_KIND_SET, TEXTOID, build_set_text},
	{MS_KIND_SET, VARCHAROID, build_set_text},
	{MS_KIND_BIT, BITOID, build_bit_bit},
	{MS_KIND_BIT, VARBITOID, build_bit_bit},
	{MS_KIND_BIT, BOOLOID, build_bit_bool},
	{MS_KIND_BIT, INT2OID, build_bit_int2},
	{MS_KIND_BIT, INT4OID, build_bit_int4},
	{MS_KIND_BIT, INT8OID, build_bit_int8},
	{MS_KIND_BIT, NUMERICOID, build_bit_numeric},
	{MS_KIND_UUID, UUIDOID, build_bytes_uuid},
	{MS_KIND_INET4, INETOID, build_inet_inet},
	{MS_KIND_INET6, INETOID, build_inet_inet},
	{MS_KIND_GEOMETRY, BYTEAOID, ms_value_build_ewkb},
	{MS_KIND_VECTOR, FLOAT4ARRAYOID, ms_value_build_real_array},
	{MS_KIND_VECTOR, BYTEAOID, build_bytes_bytea},
};

/*
 * The builder of a kind's values for a target of a built-in type (of a domain,
 * its base type), or NULL when there is none.  That a builder exists does not
 * mean that every value fits: ms_typemap_bind_target() compares widths.
 */
MsBuildFn
ms_value_builder(MsKind kind, Oid typid)
{
	for (Size i = 0; i < lengthof(builders); i++)
		if (builders[i].kind == kind && builders[i].typid == typid)
			return builders[i].build;
	if ((typid == TEXTOID || typid == VARCHAROID) && ms_value_has_format(kind))
		return build_formatted_text;
	return NULL;
}
