/*
 * catalog_verify.c - what verify() finds: differences, and ranges without any.
 *
 * Part of the catalog room.  Differences are written in the transaction of the
 * session that verifies; ranges that are equal in one of its workers', so that
 * they outlive an interrupted run.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "catalog_internal.h"

static void
add_name(Args *args, const char *value)
{
	add_arg(args, NAMEOID,
			DirectFunctionCall1(namein, CStringGetDatum(value)), false);
}

/* Those of an earlier run. */
void
ms_catalog_clear_differences(const char *subscription,
							 const char *source_table)
{
	Args		args = {0};

	add_name(&args, subscription);
	add_text(&args, source_table);
	execute("DELETE FROM mariadb_sync.difference"
			" WHERE subscription = $1 AND source_table = $2", &args, NULL, NULL);
}

/* source_value and target_value may be NULL. */
void
ms_catalog_add_difference(const char *subscription, const char *source_table,
						  Oid target, const char *key, const char *kind,
						  List *columns, const char *source_value,
						  const char *target_value, const char *gtid)
{
	Args		args = {0};

	add_name(&args, subscription);
	add_text(&args, source_table);
	add_arg(&args, REGCLASSOID, ObjectIdGetDatum(target), false);
	add_text(&args, key);
	add_text(&args, kind);
	add_text_array(&args, columns);
	add_text(&args, source_value);
	add_text(&args, target_value);
	add_text(&args, gtid);
	execute("INSERT INTO mariadb_sync.difference"
			" (subscription, source_table, target, key, kind, columns,"
			" source_value, target_value, gtid)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
			&args, NULL, NULL);
}

static void *
range_row(HeapTuple tuple, TupleDesc desc)
{
	MsVerifiedRange *range = palloc(sizeof(MsVerifiedRange));

	range->lower = get_string(tuple, desc, 1);
	range->upper = get_string(tuple, desc, 2);
	range->rows = get_int8(tuple, desc, 3);
	return range;
}

/*
 * The ranges found equal by a run that was interrupted, in the order of a type.
 */
List *
ms_catalog_get_verified(const MsSubTable *table, const char *order_type)
{
	Args		args = {0};

	add_table_key(&args, table);
	return execute(psprintf("SELECT lower_key, upper_key, rows"
							" FROM mariadb_sync.verified_range WHERE " TABLE_KEY
							" ORDER BY lower_key::%s", order_type),
				   &args, range_row, NULL);
}

void
ms_catalog_add_verified(const MsSubTable *table, const char *lower,
						const char *upper, int64 rows, const char *gtid)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_text(&args, lower);
	add_text(&args, upper);
	add_int8(&args, rows);
	add_text(&args, gtid);
	execute("INSERT INTO mariadb_sync.verified_range"
			" VALUES ($1, $2, $3, $4, $5, $6, $7)"
			" ON CONFLICT DO NOTHING", &args, NULL, NULL);
}

void
ms_catalog_forget_verified(int32 subid, const char *db, const char *table)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, db);
	add_text(&args, table);
	execute("DELETE FROM mariadb_sync.verified_range WHERE " TABLE_KEY,
			&args, NULL, NULL);
}

static void *
statement_row(HeapTuple tuple, TupleDesc desc)
{
	return get_string(tuple, desc, 1);
}

/* Foreign keys of a table that could not be made when its copy was done. */
List *
ms_catalog_get_failed_constraints(const MsSubTable *table)
{
	Args		args = {0};

	add_table_key(&args, table);
	return execute("SELECT original FROM mariadb_sync.history"
				   " WHERE subid = $1 AND source_table = $2 || '.' || $3"
				   " AND kind = 'constraint' AND original ~ '^ALTER TABLE .* ADD CONSTRAINT '"
				   " GROUP BY original ORDER BY min(id)", &args, statement_row, NULL);
}
