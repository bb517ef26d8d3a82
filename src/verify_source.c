/*
 * verify_source.c - asking the source for sums of hashes, and for rows.
 *
 * MariaDB adds up the hashes itself, in one query for each part of a table.
 * Rows are read one by one where a part differs, and where a column's text has
 * to be looked at here.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "encoding.h"
#include "verify.h"

/*
 * A digit of MariaDB's exact sum at a time: what overflows is cut off, as it
 * is on the target's side.
 */
static uint64
parse_sum(const char *digits)
{
	uint64		sum = 0;

	for (; digits && *digits; digits++)
		sum = sum * 10 + (*digits - '0');
	return sum;
}

/*
 * Bucket, number of rows, sum of hashes, number of rows that a policy changes.
 * plain is cheaper, and right where there are no such rows: otherwise the sums
 * are others than the target's.
 */
char *
ms_verify_source_sums_sql(const MsVerifyTable *table, const char *condition,
						  bool plain)
{
	bool		single = table->nbuckets == 1;
	const char *policy = plain ? NULL : table->policy;

	return psprintf("SELECT %s, COUNT(*), CAST(SUM(CAST(CONV(LEFT(%s, 15), 16, 10) AS UNSIGNED)) AS CHAR),"
					" %s%s%s FROM %s WHERE %s%s",
					table->source_bucket,
					plain ? table->source_plain : table->source_hash,
					policy ? "SUM(" : "0", policy ? policy : "",
					policy ? ")" : "",
					table->source, condition, single ? "" : " GROUP BY 1");
}

/* Add what that query has returned. */
void
ms_verify_source_add_sums(const MsVerifyTable *table, const MsResult *result,
						  MsVerifySum *sums)
{
	for (int i = 0; i < result->nrows; i++)
	{
		int			bucket = atoi(ms_result_cell(result, i, 0));

		if (bucket < 0 || bucket >= table->nbuckets)
			elog(ERROR, "unexpected bucket %d", bucket);
		sums[bucket].rows += parse_sum(ms_result_cell(result, i, 1));
		sums[bucket].hashes += parse_sum(ms_result_cell(result, i, 2));
		sums[bucket].policies += parse_sum(ms_result_cell(result, i, 3));
	}
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

typedef struct Field
{
	const char *data;			/* NULL = NULL */
	size_t		len;
} Field;

static void
bad_row(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("could not read a row of the source")));
}

/* Take a row of strings apart: a zero, a bit for each NULL, lengths and bytes. */
static void
split_row(const uint8 *p, size_t len, Field *fields, int nfields)
{
	const uint8 *end = p + len;
	const uint8 *nulls = p + 1;

	p += 1 + (nfields + 2 + 7) / 8;
	if (p > end)
		bad_row();
	for (int i = 0; i < nfields; i++)
	{
		uint64		size;
		int			bytes;

		fields[i].data = NULL;
		fields[i].len = 0;
		if (nulls[(i + 2) / 8] & (1 << ((i + 2) % 8)))
			continue;
		if (p >= end)
			bad_row();
		size = *p++;
		bytes = size < 251 ? 0 : size == 252 ? 2 : size == 253 ? 3 : 8;
		if (bytes > end - p)
			bad_row();
		if (bytes > 0)
			size = 0;
		for (int j = 0; j < bytes; j++)
			size |= (uint64) p[j] << (8 * j);
		p += bytes;
		if (size > (uint64) (end - p))
			bad_row();
		fields[i].data = (const char *) p;
		fields[i].len = size;
		p += size;
	}
}

static void
parse_digest(const Field *field, uint8 *digest)
{
	if (field->data == NULL || field->len != MS_DIGEST_LEN * 2)
		bad_row();
	(void) hex_decode(field->data, field->len, (char *) digest);
}

static int
parse_bucket(const MsVerifyTable *table, const Field *field)
{
	int			bucket = 0;

	for (size_t i = 0; field->data && i < field->len && i < 9; i++)
		bucket = bucket * 10 + (field->data[i] - '0');
	if (bucket < 0 || bucket >= table->nbuckets)
		bad_row();
	return bucket;
}

static char *
column_sql(const MsVerifyColumn *col, MsVerifyCells cells)
{
	const char *sql = cells == MS_VERIFY_RAW_CELLS ? col->raw : col->source;

	/* anything but strings would come in a form of its own */
	return col->free_text ? psprintf("CONCAT(%s)", sql) :
		psprintf("CAST(%s AS CHAR)", sql);
}

/* The MD5 of a row with the columns that are fetched; its bucket without a key. */
static void
digest_fetched(const MsVerifyTable *table, const Field *text,
			   const Field *fetched, MsVerifySourceRow *row)
{
	StringInfoData buf;
	ListCell   *lc;

	/* fetched columns are the last */
	bool		first = ((MsVerifyColumn *) linitial(table->columns))->fetched;

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, text->data, text->len);
	foreach(lc, table->columns)
	{
		MsVerifyColumn *col = lfirst(lc);
		uint8		value[MS_DIGEST_LEN];
		char		hex[MS_DIGEST_LEN * 2 + 1] = "N";

		if (!col->fetched)
			continue;
		if (fetched->data)
		{
			char	   *cell = ms_verify_fetched_cell(col, ms_utf8_to_server(fetched->data,
																			 fetched->len));
			char	   *utf8 = ms_server_to_utf8(cell);

			ms_verify_digest(utf8, strlen(utf8), value);
			hex[hex_encode((const char *) value, MS_DIGEST_LEN, hex)] = '\0';
		}
		appendStringInfo(&buf, "%s%s", first ? "" : ";", hex);
		first = false;
		fetched++;
	}
	ms_verify_digest(buf.data, buf.len, row->hash);
	if (table->key == NIL)
		row->bucket = ms_verify_bucket(table, buf.data, buf.len);
}

static void
take_cells(const MsVerifyTable *table, const Field *field, char **result)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		MsVerifyColumn *col = lfirst(lc);
		char	   *cell = field->data ? ms_utf8_to_server(field->data, field->len) : NULL;

		if (col->fetched)
			cell = ms_verify_fetched_cell(col, cell);
		*result++ = cell;
		field++;
	}
}

/*
 * Call row for every row of the source for which condition holds, in a
 * context that is reset for each.
 */
void
ms_verify_source_scan(MsWire *wire, const MsVerifyTable *table,
					  const char *condition, MsVerifyCells cells,
					  MsVerifySourceRowFn row, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(caller, "mariadb_sync verify source row",
											  ALLOCSET_DEFAULT_SIZES);
	StringInfoData sql;
	int			nfields = 4;
	int			first_cell;
	Field	   *fields;
	MsVerifySourceRow source = {0};
	const uint8 *data;
	size_t		len;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, %s, CAST(%s%s%s AS CHAR), CAST(%s AS CHAR)",
					 table->source_key,
					 table->fetches ? table->source_text : table->source_hash,
					 table->policy ? "(" : "", table->policy ? table->policy : "0",
					 table->policy ? ")" : "", table->source_bucket);
	if (table->fetches)
		foreach(lc, table->columns)
	{
		MsVerifyColumn *col = lfirst(lc);

		if (!col->fetched)
			continue;
		appendStringInfo(&sql, ", %s", column_sql(col, MS_VERIFY_CELLS));
		nfields++;
	}
	first_cell = nfields;
	if (cells != MS_VERIFY_NO_CELLS)
		foreach(lc, table->columns)
	{
		appendStringInfo(&sql, ", %s", column_sql(lfirst(lc), cells));
		nfields++;
	}
	appendStringInfo(&sql, " FROM %s WHERE %s", table->source, condition);
	fields = palloc(sizeof(Field) * nfields);
	source.cells = palloc0(sizeof(char *) * (list_length(table->columns) + 1));

	if (ms_wire_rows_begin(wire, sql.data) != nfields)
		elog(ERROR, "unexpected number of columns");
	while (ms_wire_rows_next(wire, &data, &len))
	{
		split_row(data, len, fields, nfields);
		MemoryContextSwitchTo(cxt);
		source.bucket = parse_bucket(table, &fields[3]);
		if (table->fetches)
			digest_fetched(table, &fields[1], &fields[4], &source);
		else
			parse_digest(&fields[1], source.hash);
		if (table->key)
			parse_digest(&fields[0], source.key);
		else
			memcpy(source.key, source.hash, MS_DIGEST_LEN);
		source.policy = fields[2].data && fields[2].data[0] == '1';
		if (cells != MS_VERIFY_NO_CELLS)
			take_cells(table, &fields[first_cell], source.cells);
		row(arg, table, &source);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(cxt);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextDelete(cxt);
}

static void
add_row(void *arg, const MsVerifyTable *table, const MsVerifySourceRow *row)
{
	MsVerifySum *sums = arg;
	MsVerifySum *sum = &sums[row->bucket];

	sum->rows++;
	sum->hashes += ms_verify_hash_number(row->hash);
	sum->policies += row->policy;
}

/* The same as the sums' query, of a table with columns that are fetched. */
void
ms_verify_source_scan_sums(MsWire *wire, const MsVerifyTable *table,
						   const char *condition, MsVerifySum *sums)
{
	ms_verify_source_scan(wire, table, condition, MS_VERIFY_NO_CELLS, add_row,
						  sums);
}
