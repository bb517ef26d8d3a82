/*
 * verify_text.c - one text for equal values, in the SQL of both servers.
 *
 * For every pair of source and target type there are two expressions, one for
 * each server, that write equal values as the same text.  Nothing here is
 * shared with the decoders of the copy and the stream, so that a fault of
 * theirs shows as a difference.
 *
 * Templates have $ where the column stands.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "typemap.h"
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

/* ------------------------------------------------------------------------
 * Floating point
 * ------------------------------------------------------------------------
 */

/*
 * MariaDB's text of a double is not always the double, so both sides take it
 * apart: a whole number of 55 bits and the exponent of two.  Powers of two
 * are exact; the logarithm may be off by one, which the last step corrects.
 * The power is applied in halves, as it may be out of a double's range.
 */
static char *
source_float(const char *column)
{
	char	   *x = psprintf("CAST(%s AS DOUBLE)", column);
	char	   *e = psprintf("CAST(FLOOR(LOG2(ABS(%s))) AS SIGNED)", x);
	char	   *m = psprintf("CAST(ABS(%s) * POW(2, (54 - %s) DIV 2) * POW(2, 54 - %s - (54 - %s) DIV 2) AS SIGNED)",
							 x, e, e, e);

	return psprintf("CONCAT(IF(LEFT(CAST(%s AS CHAR), 1) = '-', '-', ''), IF(%s = 0, '0',"
					" CASE WHEN %s >= 1 << 55 THEN CONCAT(%s DIV 2, '*2^', %s - 53)"
					" WHEN %s < 1 << 54 THEN CONCAT(%s * 2, '*2^', %s - 55)"
					" ELSE CONCAT(%s, '*2^', %s - 54) END))",
					x, x, m, m, e, m, m, e, m, e);
}

static char *
target_float(const char *column)
{
	char	   *x = psprintf("(%s)::pg_catalog.float8", column);
	char	   *e = psprintf("pg_catalog.floor(pg_catalog.ln(pg_catalog.abs(%s)) / pg_catalog.ln(2::pg_catalog.float8))::pg_catalog.int4",
							 x);
	char	   *m = psprintf("(pg_catalog.abs(%s) * pg_catalog.power(2::pg_catalog.float8, (54 - %s) / 2)"
							 " * pg_catalog.power(2::pg_catalog.float8, 54 - %s - (54 - %s) / 2))::pg_catalog.int8",
							 x, e, e, e);

	return psprintf("CASE WHEN %s IN ('NaN', 'Infinity', '-Infinity') THEN (%s)::pg_catalog.text ELSE"
					" (CASE WHEN pg_catalog.left((%s)::pg_catalog.text, 1) = '-' THEN '-' ELSE '' END ||"
					" CASE WHEN %s = 0 THEN '0'"
					" WHEN %s >= 1::pg_catalog.int8 << 55 THEN %s / 2 || '*2^' || (%s - 53)"
					" WHEN %s < 1::pg_catalog.int8 << 54 THEN %s * 2 || '*2^' || (%s - 55)"
					" ELSE %s || '*2^' || (%s - 54) END) END",
					x, x, x, x, m, m, e, m, m, e, m, e);
}

/* ------------------------------------------------------------------------
 * Dates
 * ------------------------------------------------------------------------
 */

#define REAL_DATE \
	"(MONTH($) > 0 AND DAYOFMONTH($) > 0 AND (DAYOFMONTH($) <= 28 OR" \
	" DAYOFMONTH($) <= DAYOFMONTH(LAST_DAY(CONCAT(LPAD(YEAR($), 4, '0'), '-', MONTH($), '-01')))))"

#define TARGET_YEAR \
	"CASE WHEN $ < '0001-01-01' THEN '0000' ELSE pg_catalog.to_char($, 'YYYY') END"

static void
set_date(MsVerifyColumn *col, const MsColumn *column,
		 const MsValuePolicies *policies, const char *source)
{
	const char *format = column->kind == MS_KIND_DATE ?
		"%Y-%m-%d" : "%Y-%m-%d %H:%i:%s.%f";
	const char *rest = column->kind == MS_KIND_DATE ?
		"-MM-DD" : "-MM-DD HH24:MI:SS.US";
	const char *time = column->kind == MS_KIND_DATE ? "" : " 00:00:00.000000";
	char	   *zero = "NULL";

	if (policies->zero_date == MS_ZERO_DATE_EPOCH)
		zero = psprintf("'1970-01-01%s'", time);
	else if (policies->zero_date == MS_ZERO_DATE_MINUS_INFINITY)
		zero = "'-infinity'";
	else if (policies->zero_date == MS_ZERO_DATE_ERROR)
		zero = psprintf("DATE_FORMAT(%s, '%s')", source, format);
	col->raw = psprintf("CAST(%s AS CHAR)", source);
	col->policy = expand("NOT " REAL_DATE, source);
	col->source = psprintf("IF(%s, DATE_FORMAT(%s, '%s'), %s)",
						   expand(REAL_DATE, source), source, format, zero);
	col->target = expand(psprintf("CASE WHEN $ = '-infinity' THEN '-infinity' ELSE " TARGET_YEAR
								  " || pg_catalog.to_char($, '%s') END", rest),
						 col->target);
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

static void
set_text(MsVerifyColumn *col, const MsSourceColumn *source,
		 const MsValuePolicies *policies)
{
	char	   *text = psprintf("CONVERT(%s USING utf8mb4)", col->source);

	col->free_text = true;
	if (policies->nul_byte != MS_NUL_BYTE_ERROR)
	{
		col->policy = psprintf("LOCATE('00', HEX(%s)) > 0 AND LOCATE(CHAR(0), BINARY %s) > 0",
							   text, text);
		col->raw = psprintf("HEX(%s)", text);
		text = psprintf("REPLACE(%s COLLATE utf8mb4_bin, CHAR(0), %s)", text,
						policies->nul_byte == MS_NUL_BYTE_STRIP ? "''" :
						GetDatabaseEncoding() == PG_UTF8 ?
						"_utf8mb4 X'EFBFBD'" : "'?'");
	}
	col->source = text;
	col->target = psprintf("(%s)::pg_catalog.text", col->target);
	if (is_large(source))
	{
		col->source_hashed = psprintf("MD5(%s)", col->source);
		col->target_hashed = GetDatabaseEncoding() == PG_UTF8 ?
			psprintf("pg_catalog.md5(%s)", col->target) :
			psprintf("pg_catalog.md5(pg_catalog.convert_to(%s, 'UTF8'))", col->target);
	}
}

static void
set_bytes(MsVerifyColumn *col, Oid typid)
{
	if (typid == BYTEAOID)
	{
		col->source_hashed = psprintf("MD5(%s)", col->source);
		col->target_hashed = psprintf("pg_catalog.md5(%s)", col->target);
		col->target = psprintf("pg_catalog.encode(%s, 'hex')", col->target);
	}
	else if (typid == UUIDOID)
		col->target = psprintf("pg_catalog.replace((%s)::pg_catalog.text, '-', '')",
							   col->target);
	else
		col->skipped = true;
	col->source = psprintf("LOWER(HEX(%s))", col->source);
}

static void
set_address(MsVerifyColumn *col, Oid typid)
{
	col->source = psprintf("LOWER(HEX(CAST(%s AS BINARY)))", col->source);
	col->target = expand("pg_catalog.encode(pg_catalog.substring(pg_catalog.inet_send($), 5), 'hex') ||"
						 " CASE WHEN pg_catalog.masklen($) IN (32, 128) THEN '' ELSE ' net' END",
						 col->target);
	col->skipped = typid != INETOID;
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
	col->target = psprintf("pg_catalog.encode(%s, 'hex')", col->target);
}

static void
set_vector(MsVerifyColumn *col)
{
	col->source = psprintf("LOWER(HEX(%s))", col->source);
	col->target = expand("CASE WHEN $ IS NOT NULL THEN (SELECT coalesce(pg_catalog.string_agg("
						 "pg_catalog.substr(h, 7, 2) || pg_catalog.substr(h, 5, 2) ||"
						 " pg_catalog.substr(h, 3, 2) || pg_catalog.substr(h, 1, 2), '' ORDER BY o), '')"
						 " FROM (SELECT o, pg_catalog.encode(pg_catalog.float4send(e), 'hex') AS h"
						 " FROM pg_catalog.unnest($) WITH ORDINALITY AS u (e, o)) AS v) END",
						 col->target);
}

/* ------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------
 */

static void
set_number(MsVerifyColumn *col, const MsColumn *column, Oid typid)
{
	/* + 0 because ZEROFILL is only a way of showing the number */
	if (typid == BOOLOID)
	{
		if (column->kind != MS_KIND_BIT)
			col->policy = psprintf("%s NOT IN (0, 1)", col->source);
		col->raw = psprintf("%s + 0", col->source);
		col->source = psprintf("(%s + 0 <> 0)", col->source);
		col->target = psprintf("(%s)::pg_catalog.int4", col->target);
	}
	else if (column->kind == MS_KIND_YEAR && column->length == 2)
		col->source = expand("($ + IF($ + 0 < 70, 2000, 1900))", col->source);
	else if (column->kind == MS_KIND_BIT && (typid == BITOID || typid == VARBITOID))
		col->source = psprintf("LPAD(BIN(%s + 0), %u, '0')", col->source,
							   column->length);
	else
		col->source = psprintf("(%s + 0)", col->source);

	if (typid == NUMERICOID)
		col->target = expand(psprintf("CASE WHEN $ = pg_catalog.round($, %d)"
									  " THEN pg_catalog.round($, %d) ELSE $ END",
									  column->scale, column->scale), col->target);
	else if (typid == FLOAT8OID || typid == FLOAT4OID)
		col->target = psprintf("(%s)::pg_catalog.int8", col->target);
	col->target = psprintf("(%s)::pg_catalog.text", col->target);
	col->source = psprintf("CAST(%s AS CHAR)", col->source);
}

/* ------------------------------------------------------------------------
 * A column, a row
 * ------------------------------------------------------------------------
 */

/*
 * How to compare a column with its target.
 */
MsVerifyColumn *
ms_verify_column(const MsSourceColumn *source, Oid typid, int32 typmod,
				 const MsValuePolicies *policies)
{
	MsVerifyColumn *col = palloc0(sizeof(MsVerifyColumn));
	MsColumn	column = {0};
	char	   *name = ms_wire_quote_identifier(source->name);

	typid = getBaseType(typid);
	ms_typemap_init_column(&column, source);
	col->name = source->name;
	col->source = name;
	col->target = (char *) quote_identifier(source->name);
	switch (column.kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
		case MS_KIND_YEAR:
		case MS_KIND_DECIMAL:
		case MS_KIND_BIT:
			set_number(col, &column, typid);
			break;
		case MS_KIND_FLOAT:
		case MS_KIND_DOUBLE:
			col->source = source_float(name);
			col->target = target_float(col->target);
			break;
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
			if (typid == DATEOID || typid == TIMESTAMPOID || typid == TIMESTAMPTZOID)
				set_date(col, &column, policies, name);
			else
				set_text(col, source, policies);
			break;
		case MS_KIND_TIME:
			col->source = psprintf("CAST(CAST(TIME_TO_SEC(%s) AS DECIMAL(20,6)) AS CHAR)", name);
			col->target = psprintf("extract(epoch from %s)::pg_catalog.numeric(20,6)::pg_catalog.text",
								   col->target);
			break;
		case MS_KIND_SET:
			if (typid == TEXTARRAYOID)
				col->target = psprintf("pg_catalog.array_to_string(%s, ',')", col->target);
			set_text(col, source, policies);
			break;
		case MS_KIND_TEXT:
		case MS_KIND_ENUM:
		case MS_KIND_JSON:
			set_text(col, source, policies);
			/* jsonb keeps the meaning, not the text */
			col->skipped = typid == JSONBOID || typid == BYTEAOID;
			break;
		case MS_KIND_UUID:
			col->source = psprintf("CAST(%s AS CHAR)", name);
			col->target = psprintf("(%s)::pg_catalog.text", col->target);
			break;
		case MS_KIND_BYTES:
			set_bytes(col, typid);
			break;
		case MS_KIND_INET4:
		case MS_KIND_INET6:
			set_address(col, typid);
			break;
		case MS_KIND_GEOMETRY:
			set_geometry(col);
			break;
		case MS_KIND_VECTOR:
			set_vector(col);
			break;
	}
	if (col->source_hashed == NULL)
	{
		col->source_hashed = col->source;
		col->target_hashed = col->target;
	}
	else
		col->free_text = false;
	if (col->raw == NULL)
		col->raw = col->source;
	else if (col->policy)
		col->raw = psprintf("IF(%s, %s, %s)", col->policy, col->raw, col->source);
	return col;
}

/*
 * The columns (of MsVerifyColumn *) as one text that is different for
 * different values.
 */
char *
ms_verify_row_text(List *columns, bool on_source)
{
	StringInfoData buf;
	ListCell   *lc;
	int			n = 0;

	initStringInfo(&buf);
	appendStringInfoString(&buf, on_source ? "CONCAT(" : "(");
	foreach(lc, columns)
	{
		MsVerifyColumn *col = lfirst(lc);
		const char *value = on_source ? col->source_hashed : col->target_hashed;

		if (col->skipped)
			continue;
		if (n++ > 0)
			appendStringInfoString(&buf, on_source ? ", " : " || ");
		if (on_source && col->free_text)
			appendStringInfo(&buf, "IFNULL(CONCAT(CHAR_LENGTH(%s), ':', %s), 'N;')",
							 value, value);
		else if (on_source)
			appendStringInfo(&buf, "IFNULL(CONCAT(%s, ';'), 'N;')", value);
		else if (col->free_text)
			appendStringInfo(&buf, "coalesce(pg_catalog.length(%s) || ':' || %s, 'N;')",
							 value, value);
		else
			appendStringInfo(&buf, "coalesce(%s || ';', 'N;')", value);
	}
	if (n == 0)
		appendStringInfoString(&buf, "''");
	appendStringInfoChar(&buf, ')');
	return buf.data;
}
