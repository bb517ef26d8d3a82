/*
 * chunk.c - the key ranges that a table is copied in: which keys can be cut
 * into ranges, and which range has this key.
 *
 * The ranges are cut on the source, in the source's order.  Whether a row of
 * the stream is in a range is decided here, on the values of the source row,
 * so only types whose order is the same in both places are used: integers,
 * decimals, dates and times with a date, bytes, and UUID where the source
 * sorts it as ms_chunk_is_uuid_swapped() says.  Text, whose order is its
 * collation's, ENUM, SET and floating point numbers are not.
 *
 * A key is brought into a sortable form: bytes that compare, by memcmp(), as
 * the source compares the key, column after column.
 *
 * Pure functions: no catalogs, no sockets.
 */
#include "postgres.h"

#include "chunk.h"

/* Can ranges be cut by this column? */
bool
ms_chunk_usable(const MsColumn *col)
{
	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
		case MS_KIND_DECIMAL:
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
		case MS_KIND_BYTES:
		case MS_KIND_UUID:
			return true;
		case MS_KIND_YEAR:
			/* 1901 and 2001 are equal in a YEAR(2), and yet two keys */
			return col->length != 2;
		default:
			return false;
	}
}

/* ------------------------------------------------------------------------
 * The sortable form
 * ------------------------------------------------------------------------
 */

static void
append_be(StringInfo buf, uint64 n, int size)
{
	for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
		appendStringInfoCharMacro(buf, (char) (n >> shift));
}

static void
append_signed(StringInfo buf, int64 n)
{
	append_be(buf, (uint64) n ^ (UINT64CONST(1) << 63), 8);
}

/*
 * All digits of the type, point left out.  Negative numbers have their digits
 * complemented, and a sign that sorts first.
 */
static void
append_decimal(StringInfo buf, const MsColumn *col, const char *text)
{
	bool		neg = (*text == '-');
	const char *point;
	int			nint;
	int			nfrac;
	bool		zero = true;

	if (*text == '-' || *text == '+')
		text++;
	while (*text == '0')
		text++;
	point = strchr(text, '.');
	nint = point ? point - text : (int) strlen(text);
	nfrac = point ? (int) strlen(point + 1) : 0;
	for (const char *p = text; *p; p++)
		if (*p >= '1' && *p <= '9')
			zero = false;
	neg = neg && !zero;

	appendStringInfoCharMacro(buf, neg ? 0 : 1);
	for (int i = 0; i < col->precision; i++)
	{
		int			from_point = i - (col->precision - col->scale);
		int			digit = 0;

		if (from_point < 0 && nint + from_point >= 0)
			digit = text[nint + from_point] - '0';
		else if (from_point >= 0 && from_point < nfrac)
			digit = point[1 + from_point] - '0';
		appendStringInfoCharMacro(buf, neg ? 9 - digit : digit);
	}
}

/* Zero bytes are escaped, so that the end sorts before any byte. */
static void
append_bytes(StringInfo buf, const char *data, uint32 len)
{
	for (uint32 i = 0; i < len; i++)
	{
		appendStringInfoCharMacro(buf, data[i]);
		if (data[i] == 0)
			appendStringInfoCharMacro(buf, (char) 0xFF);
	}
	append_be(buf, 0, 2);
}

/*
 * Does MariaDB sort this UUID by its end first?  So it does with versions up
 * to 5, to keep those of one node and clock together.
 */
bool
ms_chunk_is_uuid_swapped(const uint8 *uuid)
{
	return uuid[6] > 0 && uuid[6] < 0x60 && (uuid[8] & 0x80) != 0;
}

static void
append_uuid(StringInfo buf, const uint8 *uuid)
{
	/* node, clock, the three parts of the time from the last to the first */
	static const uint8 swapped[16] =
	{10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3};
	bool		swap = ms_chunk_is_uuid_swapped(uuid);

	for (int i = 0; i < 16; i++)
		appendStringInfoCharMacro(buf, (char) uuid[swap ? swapped[i] : i]);
}

void
ms_chunk_encode(const MsColumn *col, const MsValue *v, StringInfo buf)
{
	switch (col->kind)
	{
		case MS_KIND_UINT:
			append_be(buf, v->u, 8);
			break;
		case MS_KIND_DECIMAL:
			append_decimal(buf, col, v->s.data);
			break;
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
			append_be(buf, v->t.year, 2);
			append_be(buf, v->t.month, 1);
			append_be(buf, v->t.day, 1);
			if (col->kind == MS_KIND_DATE)
				break;
			append_be(buf, v->t.hour, 1);
			append_be(buf, v->t.minute, 1);
			append_be(buf, v->t.second, 1);
			append_be(buf, v->t.usec, 3);
			break;
		case MS_KIND_BYTES:
			append_bytes(buf, v->s.data, v->s.len);
			break;
		case MS_KIND_UUID:
			append_uuid(buf, (const uint8 *) v->s.data);
			break;
		default:
			append_signed(buf, v->i);
			break;
	}
}

/* ------------------------------------------------------------------------
 * SQL
 * ------------------------------------------------------------------------
 */

/* The value as the source's SQL writes it, in a session in UTC. */
char *
ms_chunk_literal(const MsColumn *col, const MsValue *v)
{
	StringInfoData buf;

	switch (col->kind)
	{
		case MS_KIND_UINT:
			return psprintf(UINT64_FORMAT, v->u);
		case MS_KIND_DECIMAL:
			return pstrdup(v->s.data);
		case MS_KIND_DATE:
			return psprintf("'%04d-%02d-%02d'", v->t.year, v->t.month, v->t.day);
		case MS_KIND_DATETIME:
			return psprintf("'%04d-%02d-%02d %02d:%02d:%02d.%06d'",
							v->t.year, v->t.month, v->t.day, v->t.hour,
							v->t.minute, v->t.second, v->t.usec);
		case MS_KIND_TIMESTAMP:
			if (v->i == MS_TIMESTAMP_ZERO)
				return pstrdup("'0000-00-00 00:00:00'");
			return psprintf("FROM_UNIXTIME(" INT64_FORMAT ".%06d)",
							v->i / 1000000, (int) (v->i % 1000000));
		case MS_KIND_BYTES:
		case MS_KIND_UUID:
			initStringInfo(&buf);
			appendStringInfoString(&buf, col->kind == MS_KIND_UUID ? "CAST('" : "X'");
			for (uint32 i = 0; i < v->s.len; i++)
				appendStringInfo(&buf, "%02X", (uint8) v->s.data[i]);
			appendStringInfoString(&buf, col->kind == MS_KIND_UUID ? "' AS UUID)" : "'");
			return buf.data;
		default:
			return psprintf(INT64_FORMAT, v->i);
	}
}

/*
 * columns op bound, op being < or >.  Written out column by column, since row
 * constructors do not always use the index.  columns are quoted.
 */
char *
ms_chunk_condition(List *columns, List *bound, const char *op, bool or_equal)
{
	StringInfoData buf;
	int			n = list_length(columns);

	initStringInfo(&buf);
	/* the part that is a range of the first column alone */
	if (n > 1)
		appendStringInfo(&buf, "%s %s= %s AND (", (char *) linitial(columns), op,
						 (char *) linitial(bound));
	for (int i = 0; i < n; i++)
	{
		appendStringInfo(&buf, "%s(", i > 0 ? " OR " : "");
		for (int j = 0; j < i; j++)
			appendStringInfo(&buf, "%s = %s AND ", (char *) list_nth(columns, j),
							 (char *) list_nth(bound, j));
		appendStringInfo(&buf, "%s %s%s %s)", (char *) list_nth(columns, i), op,
						 or_equal && i == n - 1 ? "=" : "",
						 (char *) list_nth(bound, i));
	}
	if (n > 1)
		appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* ------------------------------------------------------------------------
 * Which chunk has this row
 * ------------------------------------------------------------------------
 */

void
ms_chunk_find_key(MsChunkKey *key, List *names, const MsRowFormat *format)
{
	ListCell   *lc;

	key->ncolumns = 0;
	foreach(lc, names)
	{
		int			i = 0;

		while (i < format->ncolumns &&
			   strcmp(format->columns[i].name, lfirst(lc)) != 0)
			i++;
		if (i == format->ncolumns || key->ncolumns == MS_MAX_CHUNK_COLUMNS)
			elog(ERROR, "key column \"%s\" of a chunk not found",
				 (char *) lfirst(lc));
		key->columns[key->ncolumns++] = i;
	}
}

/*
 * Read the key of a row image; columns that are not in the image keep what
 * values had.  Returns the byte after the image.
 */
const uint8 *
ms_chunk_read_image(const MsChunkKey *key, MsRowFormat *format,
					const uint8 *p, const uint8 *end, const uint8 *present,
					MsChunkValues *values)
{
	bool		found[MS_MAX_CHUNK_COLUMNS] = {false};

	p = ms_value_pick_image_row(format, p, end, present, key->columns,
								key->ncolumns, values->values, found);
	for (int i = 0; i < key->ncolumns; i++)
		values->present[i] = values->present[i] || found[i];
	return p;
}

static int
compare_keys(const uint8 *a, int alen, const uint8 *b, int blen)
{
	int			cmp = memcmp(a, b, Min(alen, blen));

	return cmp != 0 ? cmp : alen - blen;
}

/* The number of the chunk: the last one that begins at or before the key. */
int
ms_chunk_of(MsChunk *const *chunks, int nchunks, const MsChunkKey *key,
			const MsRowFormat *format, const MsChunkValues *values)
{
	StringInfoData buf;
	int			low = 0;
	int			high = nchunks - 1;

	initStringInfo(&buf);
	for (int i = 0; i < key->ncolumns; i++)
	{
		const MsColumn *col = &format->columns[key->columns[i]];

		if (!values->present[i])
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("key column \"%s\" is missing from a row image",
							col->name),
					 errhint("Set binlog_row_image = FULL on the source.")));
		ms_chunk_encode(col, &values->values[i], &buf);
	}
	while (low < high)
	{
		int			middle = (low + high + 1) / 2;

		if (compare_keys(chunks[middle]->lower_key, chunks[middle]->lower_len,
						 (uint8 *) buf.data, buf.len) <= 0)
			low = middle;
		else
			high = middle - 1;
	}
	pfree(buf.data);
	return low;
}
