/*
 * snapshot_cut.c - cuts a table into chunks, by asking the source for bounds.
 *
 * Part of the snapshot room, in the snapshot worker.  Any bounds are right;
 * good ones make chunks of about the same size.  Numbers without large gaps
 * are cut by arithmetic, other keys by walking their index.
 *
 * One chunk remains when there is no usable key, when the engine knows no
 * read views, and when the target has another unique index than the key's:
 * chunks of different moments could collide there.  So it does when foreign
 * keys of the table change its own rows by a cascade, which could lead through
 * chunks of different moments, or when they change them and a row's chunk
 * could not be told from the target's columns.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "remote_schema.h"
#include "snapshot.h"
#include "typemap.h"

typedef struct Cut
{
	MsWire	   *wire;
	char	   *from;			/* quoted, with the index to use */
	List	   *names;			/* of char *: the key's columns */
	List	   *quoted;
	char	   *select;			/* what to read them by */
	MsRowFormat format;
	bool		whole;			/* they are all of the key */
} Cut;

static bool
other_unique_index(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	int			unique = 0;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID,
											ObjectIdGetDatum(lfirst_oid(lc)));

		if (HeapTupleIsValid(tuple))
		{
			Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);

			unique += index->indisunique || index->indisexclusion;
			ReleaseSysCache(tuple);
		}
	}
	table_close(rel, NoLock);
	return unique > 1;
}

/* Do foreign keys change its rows, with those of itself or of any table? */
static bool
changed_by_cascades(const MsSourceTable *source, bool of_itself)
{
	ListCell   *lc;

	foreach(lc, source->foreign_keys)
	{
		const MsSourceForeignKey *key = lfirst(lc);

		if (ms_source_foreign_key_acts(key) &&
			(!of_itself || ms_source_refers_to(key, source->db, source->name)))
			return true;
	}
	return false;
}

/* Can the source's value be had from the target's column? */
static bool
can_read_target(const MsSubTable *table, MsColumn *col,
				const MsSourceColumn *source,
				const MsSubscriptionOptions *options)
{
	const char *name = ms_typemap_target_name(source);
	AttrNumber	attno = name ? get_attnum(table->relid, name) : InvalidAttrNumber;

	if (attno == InvalidAttrNumber)
		return false;
	col->typid = get_atttype(table->relid, attno);
	col->policies = ms_typemap_column_options(source, options)->policies;
	return ms_chunk_reads_target(col);
}

/*
 * Does the source sort UUIDs as chunk.c does?  Versions of MariaDB differ, so
 * it is asked of what tells, by two UUIDs whose order tells.
 */
static bool
sorts_uuids_as_we_do(MsWire *wire)
{
	static const uint8 variants[] = {0x7F, 0x80};
	StringInfoData query;
	MsResult   *res;

	initStringInfo(&query);
	for (int version = 0; version < 256; version++)
		for (int i = 0; i < (int) lengthof(variants); i++)
			appendStringInfo(&query, "%s CAST('00000002-0000-%02X00-%02X00-000000000001' AS UUID)"
							 " < CAST('00000001-0000-%02X00-%02X00-000000000002' AS UUID)",
							 query.len > 0 ? "," : "SELECT",
							 version, variants[i], version, variants[i]);
	res = ms_wire_query(wire, query.data);
	for (int field = 0; field < res->nfields; field++)
	{
		const char *answer = ms_result_cell(res, 0, field);
		uint8		uuid[16] = {0};

		uuid[6] = (uint8) (field / lengthof(variants));
		uuid[8] = variants[field % lengthof(variants)];
		/* some are no UUIDs for some versions */
		if (answer && (answer[0] == '1') != ms_chunk_is_uuid_swapped(uuid))
			return false;
	}
	return true;
}

/*
 * The key's columns up to the first whose order is not ours.  False when
 * there is none.
 */
static bool
find_key(Cut *cut, const MsSubTable *table, const MsSourceTable *source,
		 const MsSubscriptionOptions *options)
{
	MsSourceIndex *key = ms_source_table_key(source);
	List	   *columns = ms_source_columns_from_jsonb(table->source_schema);
	StringInfoData select;
	ListCell   *lc;

	ms_options_bind_columns(columns, table->columns, options);
	if (key == NULL || changed_by_cascades(source, true) ||
		!ms_source_engine_is(source, "InnoDB"))
		return false;
	initStringInfo(&select);
	cut->format.columns = palloc0(sizeof(MsColumn) * MS_MAX_CHUNK_COLUMNS);
	foreach(lc, key->columns)
	{
		MsColumn   *col = &cut->format.columns[cut->format.ncolumns];
		MsSourceColumn *found = NULL;
		ListCell   *lc2;

		foreach(lc2, columns)
			if (strcmp(((MsSourceColumn *) lfirst(lc2))->name, lfirst(lc)) == 0)
			found = lfirst(lc2);
		if (found == NULL || cut->format.ncolumns == MS_MAX_CHUNK_COLUMNS)
			break;
		ms_typemap_init_column(col, found);
		if (!ms_chunk_usable(col) ||
			(changed_by_cascades(source, false) &&
			 !can_read_target(table, col, found, options)) ||
			(col->kind == MS_KIND_UUID && !sorts_uuids_as_we_do(cut->wire)))
			break;
		ms_value_bind_protocol(col);
		cut->names = lappend(cut->names, found->name);
		cut->quoted = lappend(cut->quoted, ms_wire_quote_identifier(found->name));
		appendStringInfo(&select, "%s%s", cut->format.ncolumns > 0 ? ", " : "",
						 ms_typemap_select_expression(found));
		cut->format.ncolumns++;
	}
	cut->whole = cut->format.ncolumns == list_length(key->columns);
	cut->select = select.data;
	cut->from = psprintf("%s.%s%s FORCE INDEX (%s)",
						 ms_wire_quote_identifier(table->source_db),
						 ms_wire_quote_identifier(table->source_table),
						 ms_source_rows_clause(columns, options->versioned_history),
						 ms_wire_quote_identifier(key->name));
	return cut->format.ncolumns > 0;
}

/* The next chunk, which begins at the values. */
static List *
add_chunk(Cut *cut, List *chunks, const MsValue *values)
{
	MsChunk    *chunk = palloc0(sizeof(MsChunk));
	StringInfoData key;

	chunk->number = list_length(chunks);
	chunk->key_columns = cut->names;
	if (values)
	{
		initStringInfo(&key);
		for (int i = 0; i < cut->format.ncolumns; i++)
		{
			ms_chunk_encode(&cut->format.columns[i], &values[i], &key);
			chunk->lower_bound = lappend(chunk->lower_bound,
										 ms_chunk_literal(&cut->format.columns[i],
														  &values[i]));
		}
		chunk->lower_key = (uint8 *) key.data;
		chunk->lower_len = key.len;
	}
	if (chunks != NIL)
		((MsChunk *) llast(chunks))->upper_bound = chunk->lower_bound;
	return lappend(chunks, chunk);
}

/*
 * A single number with gaps no larger than its rows, by the statistics:
 * equal steps.  No chunk has more than chunk_rows rows then.
 */
static List *
cut_numbers(Cut *cut, int64 rows_estimate, int chunk_rows)
{
	const MsColumn *col = &cut->format.columns[0];
	char	   *name = linitial(cut->quoted);
	List	   *chunks = NIL;
	MsResult   *res;
	uint64		min;
	uint64		max;

	if (cut->format.ncolumns != 1 || !cut->whole ||
		(col->kind != MS_KIND_INT && col->kind != MS_KIND_UINT))
		return NIL;
	res = ms_wire_query(cut->wire, psprintf("SELECT MIN(%s), MAX(%s) FROM %s",
											name, name, cut->from));
	if (ms_result_cell(res, 0, 0) == NULL)
		return NIL;
	/* signed numbers wrap, differences are right */
	if (col->kind == MS_KIND_INT)
	{
		min = (uint64) strtoi64(ms_result_cell(res, 0, 0), NULL, 10);
		max = (uint64) strtoi64(ms_result_cell(res, 0, 1), NULL, 10);
	}
	else
	{
		min = strtou64(ms_result_cell(res, 0, 0), NULL, 10);
		max = strtou64(ms_result_cell(res, 0, 1), NULL, 10);
	}
	if (max - min > 2 * (uint64) rows_estimate)
		return NIL;

	chunks = add_chunk(cut, NIL, NULL);
	for (uint64 offset = chunk_rows; offset <= max - min; offset += chunk_rows)
	{
		MsValue		value;

		value.u = min + offset;
		chunks = add_chunk(cut, chunks, &value);
	}
	return chunks;
}

/* Along the index: the first key of every chunk. */
static List *
cut_by_walking(Cut *cut, int chunk_rows)
{
	List	   *chunks = add_chunk(cut, NIL, NULL);
	MsValue    *values = palloc(sizeof(MsValue) * cut->format.ncolumns);
	StringInfoData order;
	ListCell   *lc;
	bool		found;

	initStringInfo(&order);
	foreach(lc, cut->quoted)
		appendStringInfo(&order, "%s%s", foreach_current_index(lc) ? ", " : "",
						 (char *) lfirst(lc));
	do
	{
		MsChunk    *last = llast(chunks);
		const uint8 *data;
		size_t		len;

		/* the bound itself is the chunk's first row */
		ms_wire_rows_begin(cut->wire,
						   psprintf("SELECT %s FROM %s%s%s ORDER BY %s LIMIT 1 OFFSET %d",
									cut->select, cut->from,
									last->lower_bound ? " WHERE " : "",
									last->lower_bound ?
									ms_chunk_condition(cut->quoted, last->lower_bound, ">", false) : "",
									order.data,
									last->lower_bound ? chunk_rows - 1 : chunk_rows));
		found = false;
		while (ms_wire_rows_next(cut->wire, &data, &len))
		{
			ms_value_pick_protocol_row(&cut->format, data, data + len, values);
			chunks = add_chunk(cut, chunks, values);
			found = true;
		}
	} while (found);
	return chunks;
}

/*
 * The chunks of a table, a List of MsChunk *, at least one; no more than that
 * when chunk_rows is 0.
 */
List *
ms_snapshot_cut(MsWire *wire, const MsSubscription *sub,
				const MsSubTable *table, int chunk_rows)
{
	Cut			cut = {0};
	List	   *sources = ms_remote_schema_fetch(wire, sub->patterns,
												 table->source_db,
												 table->source_table);
	List	   *chunks;
	MsSubscriptionOptions options;

	ms_options_parse(sub->options, &options);
	if (options.versioned_history)
		ms_source_keep_history(sources);
	cut.wire = wire;
	if (chunk_rows == 0 || sources == NIL || other_unique_index(table->relid) ||
		!find_key(&cut, table, linitial(sources), &options))
	{
		cut.names = NIL;
		return add_chunk(&cut, NIL, NULL);
	}
	chunks = cut_numbers(&cut, ((MsSourceTable *) linitial(sources))->rows_estimate,
						 chunk_rows);
	return chunks != NIL ? chunks : cut_by_walking(&cut, chunk_rows);
}
