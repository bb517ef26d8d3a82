/*
 * catalog_quarantine.c - mariadb_sync.quarantine, and the transaction to skip.
 *
 * Part of the catalog room.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "catalog_internal.h"

void
ms_catalog_add_quarantined(const MsQuarantined *row)
{
	Args		args = {0};

	add_int4(&args, row->subid);
	add_text(&args, row->gtid);
	add_text(&args, row->source_table);
	add_text(&args, row->kind);
	add_jsonb(&args, row->before);
	add_jsonb(&args, row->after);
	add_text(&args, row->sqlstate);
	add_text(&args, row->error);
	execute("INSERT INTO mariadb_sync.quarantine (subid, gtid, source_table,"
			" kind, before_image, after_image, sqlstate, error)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", &args, NULL, NULL);
}

static void *
quarantined_row(HeapTuple tuple, TupleDesc desc)
{
	MsQuarantined *row = palloc0(sizeof(MsQuarantined));

	row->id = get_int8(tuple, desc, 1);
	row->gtid = get_string(tuple, desc, 2);
	row->source_table = get_string(tuple, desc, 3);
	row->kind = get_string(tuple, desc, 4);
	row->before = get_jsonb(tuple, desc, 5);
	row->after = get_jsonb(tuple, desc, 6);
	return row;
}

/* In the order in which they came. */
List *
ms_catalog_get_quarantined(int32 subid)
{
	Args		args = {0};

	add_int4(&args, subid);
	return execute("SELECT id, gtid, source_table, kind, before_image,"
				   " after_image FROM mariadb_sync.quarantine"
				   " WHERE subid = $1 ORDER BY id FOR UPDATE",
				   &args, quarantined_row, NULL);
}

void
ms_catalog_delete_quarantined(int64 id)
{
	Args		args = {0};

	add_int8(&args, id);
	execute("DELETE FROM mariadb_sync.quarantine WHERE id = $1", &args, NULL,
			NULL);
}

/* Why it failed this time. */
void
ms_catalog_set_quarantine_error(int64 id, const char *sqlstate,
								const char *error)
{
	Args		args = {0};

	add_int8(&args, id);
	add_text(&args, sqlstate);
	add_text(&args, error);
	execute("UPDATE mariadb_sync.quarantine SET sqlstate = $2, error = $3"
			" WHERE id = $1", &args, NULL, NULL);
}

/* NULL ends the wish. */
void
ms_catalog_set_skip_gtid(int32 subid, const char *gtid)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, gtid);
	execute("UPDATE mariadb_sync.subscription SET skip_gtid = $2"
			" WHERE subid = $1", &args, NULL, NULL);
}
