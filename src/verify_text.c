/*
 * verify_text.c - one text for equal values: the source's half.
 *
 * For every pair of source and target type there is one text, and equal values
 * have the same.  Here is the SQL by which MariaDB writes it; verify_target.c
 * writes it of the target's values.  Nothing of either is shared with the
 * decoders of the copy and the stream, so that a fault of theirs shows as a
 * difference.
 *
 * The text of a row has those of its columns with semicolons between.  NULL is
 * the letter N, which no text but a free one can be; a free text, which may
 * hold anything, has its number of bytes before it; a long one is replaced by
 * its MD5.
 *
 * Templates have $ where the column stands.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "verify.h"

static char *
expand(const char *template, const char *column)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (; *template; template++)
	{
		if (*template == '$')
			appendStringInfoString(&buf, column);
		else
			appendStringInfoChar(&buf, *template);
	}
	return buf.data;
}

static bool
is_text_type(Oid typid)
{
	return typid == TEXTOID || typid == VARCHAROID;
}

/* ------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------
 */

/*
 * MariaDB's text of a double is not always the double, so it is taken apart:
 * a whole number of 55 bits and the exponent of two.  Powers of two are
 * exact; the logarithm may be off by one, which the last step corrects.  The
 * power is applied in halves, as it may be out of a double's range.
 */
static void
set_float(MsVerifyColumn *col)
{
	char	   *x = psprintf("CAST(%s AS DOUBLE)", col->source);
	char	   *e = psprintf("CAST(FLOOR(LOG2(ABS(%s))) AS SIGNED)", x);
	char	   *m = psprintf("CAST(ABS(%s) * POW(2, (54 - %s) DIV 2) * POW(2, 54 - %s - (54 - %s) DIV 2) AS SIGNED)",
							 x, e, e, e);

	col->source = psprintf("CONCAT(IF(LEFT(CAST(%s AS CHAR), 1) = '-', '-', ''), IF(%s = 0, '0',"
						   " CASE WHEN %s >= 1 << 55 THEN CONCAT(%s DIV 2, '*2^', %s - 53)"
						   " WHEN %s < 1 << 54 THEN CONCAT(%s * 2, '*2^', %s - 55)"
						   " ELSE CONCAT(%s, '*2^', %s - 54) END))",
						   x, x, m, m, e, m, m, e, m, e);
}

static void
set_number(MsVerifyColumn *col, const MsSourceColumn *source)
{
	bool		zerofill = strstr(source->column_type, "zerofill") != NULL;

	if (col->typid == BOOLOID)
	{
		col->raw = psprintf("%s + 0", col->source);
		if (col->kind != MS_KIND_BIT)
		{
			col->plain = col->raw;
			col->policy = psprintf("%s NOT IN (0, 1)", col->source);
		}
		col->source = psprintf("(%s + 0 <> 0)", col->source);
	}
	else if (col->kind == MS_KIND_YEAR && col->length == 2 &&
			 !is_text_type(col->typid))
		col->source = expand("IF(YEAR($) = 1900, 0, YEAR($))", col->source);
	else if (col->kind == MS_KIND_YEAR)
	{
		if (!is_text_type(col->typid))
			col->source = psprintf("(%s + 0)", col->source);
	}
	else if (col->kind == MS_KIND_BIT &&
			 (col->typid == BITOID || col->typid == VARBITOID ||
			  is_text_type(col->typid)))
		col->source = psprintf("LPAD(BIN(%s + 0), %u, '0')", col->source,
							   col->length);
	else if (zerofill || col->kind == MS_KIND_BIT)
		/* ZEROFILL is only a way of showing the number */
		col->source = psprintf("(%s + 0)", col->source);
}

/* ------------------------------------------------------------------------
 * Dates
 * ------------------------------------------------------------------------
 */

/* only days that some month does not have are looked at closely */
#define REAL_DATE \
	"(DAYOFMONTH($) BETWEEN 1 AND 28 AND MONTH($) > 0 OR MONTH($) > 0 AND DAYOFMONTH($) > 0 AND" \
	" DAYOFMONTH($) <= DAYOFMONTH(LAST_DAY(CONCAT(LPAD(YEAR($), 4, '0'), '-', MONTH($), '-01'))))"

/* What 1970-01-01 in UTC is by the clock of a zone. */
static char *
local_epoch(const pg_tz *zone)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	TimestampTz epoch = SetEpochTimestamp();

	if (timestamp2tm(epoch, &offset, &tm, &fsec, NULL, unconstify(pg_tz *, zone)) != 0)
		elog(ERROR, "timestamp out of range");
	return psprintf("%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year, tm.tm_mon,
					tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void
set_date(MsVerifyColumn *col, const MsValuePolicies *policies)
{
	char	   *zero = "NULL";

	if (policies->zero_date == MS_ZERO_DATE_ERROR)
		return;
	if (policies->zero_date == MS_ZERO_DATE_MINUS_INFINITY)
		zero = "'-infinity'";
	else if (policies->zero_date == MS_ZERO_DATE_EPOCH && col->kind == MS_KIND_DATE)
		zero = "'1970-01-01'";
	else if (policies->zero_date == MS_ZERO_DATE_EPOCH)
	{
		static const char fraction[] = ".000000";

		zero = psprintf("'%s%.*s'",
						col->zone ? local_epoch(col->zone) : "1970-01-01 00:00:00",
						col->fsp > 0 ? col->fsp + 1 : 0, fraction);
	}
	col->plain = col->source;
	col->raw = psprintf("CAST(%s AS CHAR)", col->source);
	col->policy = expand("NOT " REAL_DATE, col->source);
	col->source = expand(psprintf("IF($ IS NULL OR " REAL_DATE ", $, %s)", zero),
						 col->source);
}

/* ------------------------------------------------------------------------
 * Text and bytes
 * ------------------------------------------------------------------------
 */

static bool
is_large(const MsSourceColumn *source)
{
	return strstr(source->data_type, "text") || strstr(source->data_type, "blob");
}

/* Is the column's text UTF-8 as it is? */
static bool
is_utf8(const MsSourceColumn *source)
{
	return source->charset &&
		(strcmp(source->charset, "utf8mb4") == 0 ||
		 strcmp(source->charset, "utf8mb3") == 0 ||
		 strcmp(source->charset, "utf8") == 0 ||
		 strcmp(source->charset, "ascii") == 0);
}

static void
set_text(MsVerifyColumn *col, const MsSourceColumn *source,
		 const MsValuePolicies *policies)
{
	/* labels and numbers are in one charset or other, text in its own */
	char	   *text = is_utf8(source) ? col->source :
	psprintf("CONVERT(%s USING utf8mb4)", col->source);

	col->free_text = true;
	col->digest = is_large(source);
	col->replaces = policies->untranslatable == MS_UNTRANSLATABLE_REPLACE;
	if (policies->nul_byte != MS_NUL_BYTE_ERROR)
	{
		col->policy = psprintf("LOCATE(CHAR(0), BINARY %s) > 0", text);
		col->raw = psprintf("HEX(%s)", text);
		col->plain = text;
		text = psprintf("REPLACE(%s COLLATE utf8mb4_bin, CHAR(0), %s)",
						psprintf("CONVERT(%s USING utf8mb4)", col->source),
						policies->nul_byte == MS_NUL_BYTE_STRIP ? "''" :
						GetDatabaseEncoding() == PG_UTF8 ?
						"_utf8mb4 X'EFBFBD'" : "'?'");
	}
	col->source = text;
}

/* Bytes are shown in hexadecimal. */
static void
set_bytes(MsVerifyColumn *col)
{
	if (col->typid != UUIDOID)
	{
		col->digest = true;
		/* MD5 of the bytes, in whatever character set they may be */
		col->hashed = psprintf("MD5(CAST(%s AS BINARY))", col->source);
	}
	col->source = psprintf("LOWER(HEX(%s))", col->source);
}

static void
set_document(MsVerifyColumn *col, const MsSourceColumn *source,
			 const MsValuePolicies *policies)
{
	if (col->typid == BYTEAOID)
	{
		set_bytes(col);
		return;
	}
	if (col->typid == UUIDOID)
	{
		col->source = psprintf("LOWER(REPLACE(REPLACE(REPLACE(CONVERT(%s USING utf8mb4), '-', ''), '{', ''), '}', ''))",
							   col->source);
		return;
	}
	if (col->kind == MS_KIND_JSON &&
		(col->typid == JSONOID || col->typid == JSONBOID))
		col->source = psprintf("IF(LENGTH(%s) = 0, 'null', %s)", col->source,
							   col->source);
	set_text(col, source, policies);
	if (col->typid == JSONBOID)
		col->fetched = col->digest = true;
}

/* PostGIS's form: the SRID behind the type, which has a flag for it. */
static void
set_geometry(MsVerifyColumn *col)
{
	col->source = expand("IF(ST_SRID($) = 0, LOWER(HEX(ST_AsWKB($))),"
						 " LOWER(CONCAT(LEFT(HEX(ST_AsWKB($)), 8), '20',"
						 " REGEXP_REPLACE(LPAD(HEX(ST_SRID($)), 8, '0'),"
						 " '(..)(..)(..)(..)', '\\\\4\\\\3\\\\2\\\\1'),"
						 " SUBSTR(HEX(ST_AsWKB($)), 11))))", col->source);
}

/* ------------------------------------------------------------------------
 * A column, a row
 * ------------------------------------------------------------------------
 */

static void
set_kind(MsVerifyColumn *col, const MsSourceColumn *source,
		 const MsValuePolicies *policies)
{
	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
		case MS_KIND_YEAR:
		case MS_KIND_DECIMAL:
		case MS_KIND_BIT:
			set_number(col, source);
			break;
		case MS_KIND_FLOAT:
		case MS_KIND_DOUBLE:
			set_float(col);
			break;
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
			if (!is_text_type(col->typid))
				set_date(col, policies);
			break;
		case MS_KIND_TIME:
			if (!is_text_type(col->typid))
				col->source = psprintf("CAST(TIME_TO_SEC(%s) AS DECIMAL(20,6))",
									   col->source);
			break;
		case MS_KIND_TEXT:
		case MS_KIND_JSON:
			set_document(col, source, policies);
			break;
		case MS_KIND_ENUM:
		case MS_KIND_SET:
			set_text(col, source, policies);
			break;
		case MS_KIND_UUID:
			col->source = psprintf("CAST(%s AS CHAR)", col->source);
			break;
		case MS_KIND_BYTES:
			set_bytes(col);
			break;
		case MS_KIND_INET4:
		case MS_KIND_INET6:
			col->source = psprintf("LOWER(HEX(CAST(%s AS BINARY)))", col->source);
			break;
		case MS_KIND_GEOMETRY:
			set_geometry(col);
			break;
		case MS_KIND_VECTOR:
			col->source = psprintf("LOWER(HEX(%s))", col->source);
			break;
	}
}

/* A column's text as it stands in the row's text. */
static char *
hashed_text(const MsVerifyColumn *col, const char *text, bool nullable)
{
	if (col->hashed)
		return psprintf("IFNULL(%s, 'N')", col->hashed);
	if (col->digest)
		return psprintf("IFNULL(MD5(BINARY %s), 'N')", text);
	if (col->free_text)
		/* CONCAT_WS leaves out the NULL */
		return psprintf("IFNULL(LENGTH(%s), 'N'), BINARY %s", text, text);
	if (nullable)
		return psprintf("IFNULL(%s, 'N')", text);
	return pstrdup(text);
}

/*
 * How to compare a column with its target.  source is bound to its options.
 */
MsVerifyColumn *
ms_verify_column(const MsSourceColumn *source, Oid typid, int32 typmod,
				 const MsSubscriptionOptions *options)
{
	const MsColumnOptions *own = ms_typemap_column_options(source, options);
	MsVerifyColumn *col = palloc0(sizeof(MsVerifyColumn));
	MsColumn	column;

	ms_typemap_init_column(&column, source);
	col->name = pstrdup(ms_typemap_target_name(source));
	col->kind = column.kind;
	col->typid = getBaseType(typid);
	col->length = column.length;
	col->fsp = column.fsp;
	col->scale = column.scale;
	if (col->typid == TIMESTAMPTZOID && col->kind == MS_KIND_DATETIME)
		col->zone = own->zone ? pg_tzset(own->zone) : NULL;
	col->source = ms_wire_quote_identifier(source->name);
	set_kind(col, source, &own->policies);

	if (col->plain == NULL)
		col->plain = col->source;
	col->plain_hashed = hashed_text(col, col->plain, source->nullable);
	col->hashed = hashed_text(col, col->source, source->nullable || col->policy);
	if (col->raw == NULL)
		col->raw = col->source;
	else if (col->policy)
		col->raw = psprintf("IF(%s, %s, %s)", col->policy, col->raw, col->source);
	return col;
}

/*
 * The columns (of MsVerifyColumn *) as one text that is different for
 * different values, but for those that are fetched.  plain is for rows that
 * no policy changes.
 */
char *
ms_verify_row_text(List *columns, bool plain)
{
	StringInfoData buf;
	ListCell   *lc;
	bool		empty = true;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "CONCAT_WS(';'");
	foreach(lc, columns)
	{
		MsVerifyColumn *col = lfirst(lc);

		if (col->fetched)
			continue;
		appendStringInfo(&buf, ", %s", plain ? col->plain_hashed : col->hashed);
		empty = false;
	}
	appendStringInfoString(&buf, empty ? ", '')" : ")");
	return buf.data;
}
