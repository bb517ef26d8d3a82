/*
 * catalog_chunk.c - mariadb_sync.snapshot_chunk, the progress of the copies.
 *
 * Part of the catalog room.  A chunk is marked done in the transaction that
 * loads it; which chunks are being loaded is known to the leader alone, since
 * after a crash none is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "catalog_internal.h"

#define CHUNK_COLUMNS \
	"chunk, key_columns, lower_key, lower_bound, upper_bound, state," \
	" snapshot_file, snapshot_pos, snapshot_server_id, rows, bytes," \
	" before_file, before_pos, prepared, end_file, end_pos"

static void *
chunk_row(HeapTuple tuple, TupleDesc desc)
{
	MsChunk    *chunk = palloc0(sizeof(MsChunk));
	bool		isnull;
	Datum		key;

	chunk->number = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
	chunk->key_columns = get_text_list(tuple, desc, 2);
	key = SPI_getbinval(tuple, desc, 3, &isnull);
	if (!isnull)
	{
		bytea	   *bytes = DatumGetByteaPP(key);

		chunk->lower_len = VARSIZE_ANY_EXHDR(bytes);
		chunk->lower_key = palloc(chunk->lower_len);
		memcpy(chunk->lower_key, VARDATA_ANY(bytes), chunk->lower_len);
	}
	else
		chunk->lower_key = palloc0(1);
	chunk->lower_bound = get_text_list(tuple, desc, 4);
	chunk->upper_bound = get_text_list(tuple, desc, 5);
	chunk->state = strcmp(get_string(tuple, desc, 6), "done") == 0 ?
		MS_CHUNK_DONE : MS_CHUNK_PENDING;
	chunk->snapshot_file = get_string(tuple, desc, 7);
	chunk->snapshot_pos = (uint64) get_int8(tuple, desc, 8);
	chunk->snapshot_server_id = (uint32) get_int8(tuple, desc, 9);
	chunk->rows = get_int8(tuple, desc, 10);
	chunk->bytes = get_int8(tuple, desc, 11);
	chunk->before_file = get_string(tuple, desc, 12);
	chunk->before_pos = (uint64) get_int8(tuple, desc, 13);
	chunk->prepared = get_text_list(tuple, desc, 14);
	chunk->end_file = get_string(tuple, desc, 15);
	chunk->end_pos = (uint64) get_int8(tuple, desc, 16);
	return chunk;
}

/* In the order of their keys; NIL when the table has not been cut yet. */
List *
ms_catalog_get_chunks(const MsSubTable *table)
{
	Args		args = {0};

	add_table_key(&args, table);
	return execute("SELECT " CHUNK_COLUMNS
				   " FROM mariadb_sync.snapshot_chunk WHERE " TABLE_KEY
				   " ORDER BY chunk", &args, chunk_row, NULL);
}

static void
add_chunk_key(Args *args, const MsSubTable *table, int number)
{
	add_table_key(args, table);
	add_int4(args, number);
}

/* NULL when the copy it belongs to was begun anew meanwhile. */
MsChunk *
ms_catalog_get_chunk(const MsSubTable *table, int number)
{
	Args		args = {0};
	List	   *rows;

	add_chunk_key(&args, table, number);
	rows = execute("SELECT " CHUNK_COLUMNS
				   " FROM mariadb_sync.snapshot_chunk WHERE " TABLE_KEY
				   " AND chunk = $4", &args, chunk_row, NULL);
	return rows == NIL ? NULL : linitial(rows);
}

void
ms_catalog_delete_chunks(const MsSubTable *table)
{
	Args		args = {0};

	add_table_key(&args, table);
	execute("DELETE FROM mariadb_sync.snapshot_chunk WHERE " TABLE_KEY, &args,
			NULL, NULL);
}

void
ms_catalog_insert_chunk(const MsSubTable *table, const MsChunk *chunk)
{
	Args		args = {0};
	bytea	   *key = palloc(VARHDRSZ + chunk->lower_len);

	SET_VARSIZE(key, VARHDRSZ + chunk->lower_len);
	if (chunk->lower_len > 0)
		memcpy(VARDATA(key), chunk->lower_key, chunk->lower_len);
	add_chunk_key(&args, table, chunk->number);
	add_text_array(&args, chunk->key_columns);
	add_arg(&args, BYTEAOID, PointerGetDatum(key), chunk->lower_len == 0);
	add_text_array(&args, chunk->lower_bound);
	add_text_array(&args, chunk->upper_bound);
	execute("INSERT INTO mariadb_sync.snapshot_chunk"
			" (subid, source_db, source_table, chunk, key_columns, lower_key,"
			" lower_bound, upper_bound)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", &args, NULL, NULL);
}

/* In the transaction that has loaded the chunk. */
void
ms_catalog_set_chunk_done(const MsSubTable *table, const MsChunk *chunk)
{
	Args		args = {0};
	uint64		processed;

	add_chunk_key(&args, table, chunk->number);
	add_text(&args, chunk->snapshot_file);
	add_int8(&args, (int64) chunk->snapshot_pos);
	add_int8(&args, chunk->snapshot_server_id);
	add_int8(&args, chunk->rows);
	add_int8(&args, chunk->bytes);
	add_text(&args, chunk->before_file);
	add_int8(&args, (int64) chunk->before_pos);
	add_text_array(&args, chunk->prepared);
	add_text(&args, chunk->end_file);
	add_int8(&args, (int64) chunk->end_pos);
	execute("UPDATE mariadb_sync.snapshot_chunk SET state = 'done',"
			" snapshot_file = $5, snapshot_pos = $6, snapshot_server_id = $7,"
			" rows = $8, bytes = $9,"
			" before_file = $10, before_pos = $11, prepared = $12,"
			" end_file = $13, end_pos = $14,"
			" copied_at = clock_timestamp()"
			" WHERE " TABLE_KEY " AND chunk = $4 AND state = 'pending'",
			&args, NULL, &processed);
	if (processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("table \"%s.%s\" is no longer being copied",
						table->source_db, table->source_table)));
}
