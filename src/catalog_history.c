/*
 * catalog_history.c - mariadb_sync.history.
 *
 * Part of the catalog room.
 */
#include "postgres.h"

#include "catalog_internal.h"

/* gtid, source_table, original and result may be NULL. */
void
ms_catalog_add_history(int32 subid, const char *kind, const char *gtid,
					   const char *source_table, const char *original,
					   const char *result)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, kind);
	add_text(&args, gtid);
	add_text(&args, source_table);
	add_text(&args, original);
	add_text(&args, result);
	execute("INSERT INTO mariadb_sync.history"
			" (subid, kind, gtid, source_table, original, result)"
			" VALUES ($1, $2, $3, $4, $5, $6)", &args, NULL, NULL);
}

static void *
any_row(HeapTuple tuple, TupleDesc desc)
{
	return palloc0(1);
}

/* Has promote() stopped the subscription at this position? */
bool
ms_catalog_is_promoted(int32 subid, const char *gtid)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, gtid);
	return execute("SELECT 1 FROM mariadb_sync.history"
				   " WHERE subid = $1 AND kind = 'promote' AND gtid = $2 LIMIT 1",
				   &args, any_row, NULL) != NIL;
}

/* A structure change; translation may be NULL. */
void
ms_catalog_add_ddl(int32 subid, const char *gtid, const char *source_table,
				   const char *original, const char *translation,
				   const char *result)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, gtid);
	add_text(&args, source_table);
	add_text(&args, original);
	add_text(&args, translation);
	add_text(&args, result);
	execute("INSERT INTO mariadb_sync.history"
			" (subid, kind, gtid, source_table, original, translation, result)"
			" VALUES ($1, 'ddl', $2, $3, $4, $5, $6)", &args, NULL, NULL);
}
