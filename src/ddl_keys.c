/*
 * ddl_keys.c - how much of its columns MariaDB's index has.
 *
 * Part of the model (ddl_model.c): a key over values that are longer than the
 * engine indexes is another one than the statement names.
 */
#include "postgres.h"

#include "ddl_charset.h"
#include "ddl_engine.h"
#include "ddl_keys.h"

/* In bytes, what max_key_length() of the engine's handler is. */
static int64
max_key_length(const MsSourceTable *table)
{
	if (ms_source_engine_is(table, "MyISAM"))
		return 1000;
	if (ms_source_engine_is(table, "Aria"))
		return 2300;
	return 3072;
}

/*
 * How many characters of the column an index has that was given a prefix, or 0
 * for all of them.  MariaDB forgets one that is as long as the column, or that
 * the column's type cannot have any more.
 */
static int
real_prefix(const MsSourceColumn *col, int prefix)
{
	if (strstr(col->data_type, "text") || strstr(col->data_type, "blob"))
		return prefix;
	if ((strstr(col->data_type, "char") || strstr(col->data_type, "binary")) &&
		prefix < col->char_length)
		return prefix;
	return 0;
}

/*
 * Octets of a part of an index, of which a TEXT or BLOB has no limit.  What is
 * no text counts for 8.
 */
static int64
part_length(const MsSourceColumn *col, int prefix)
{
	if (prefix > 0)
		return (int64) prefix * ms_ddl_character_width(col);
	if (strstr(col->data_type, "text") || strstr(col->data_type, "blob"))
		return PG_INT32_MAX;
	return col->char_length == 0 ? 8 : col->char_length * ms_ddl_character_width(col);
}

/*
 * A unique key is a HASH where it is too long, or where the statement says so,
 * which the next ALTER TABLE forgets.
 */
void
ms_ddl_forget_hashes(MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->indexes)
	{
		MsSourceIndex *index = lfirst(lc);

		if (index->unique && pg_strcasecmp(index->type, "HASH") == 0)
			index->type = "BTREE";
	}
}

/*
 * What MariaDB does not index with a BTREE as a whole: a unique key becomes a
 * HASH, of another one the parts that are too long are cut to what fits.
 */
static void
fit_key(const MsSourceTable *table, MsSourceIndex *index)
{
	int64		max = max_key_length(table);
	int64		length = 0;
	List	   *prefixes = NIL;

	index->has_prefix = false;
	for (int i = 0; i < list_length(index->columns); i++)
	{
		MsSourceColumn *col = ms_source_find_column(table->columns,
													list_nth(index->columns, i));
		int			prefix = i < list_length(index->prefixes) ?
		list_nth_int(index->prefixes, i) : 0;

		if (col)
		{
			prefix = real_prefix(col, prefix);
			if (!index->unique && part_length(col, prefix) > max)
				prefix = (int) (max / ms_ddl_character_width(col));
			length += part_length(col, prefix);
		}
		index->has_prefix |= prefix > 0;
		prefixes = lappend_int(prefixes, prefix);
	}
	index->prefixes = prefixes;
	if (index->unique && length > max)
		index->type = "HASH";
}

void
ms_ddl_fit_keys(MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->indexes)
	{
		MsSourceIndex *index = lfirst(lc);

		if (pg_strcasecmp(index->type, "BTREE") == 0 ||
			pg_strcasecmp(index->type, "HASH") == 0)
			fit_key(table, index);
	}
}
