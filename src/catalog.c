/*
 * catalog.c - our own tables.
 *
 * The only room that knows their columns.  Everything but the position runs
 * through SPI as the superuser with names that mean PostgreSQL's own: the
 * callers are sessions and workers that act for the subscription's owner, who
 * has no rights on these tables.  Reads use the latest snapshot, so that a
 * function that waits sees progress whatever its transaction's isolation.
 *
 * The position row is written by every commit of the apply worker.  It goes
 * straight to the heap, by the tuple id of the version this process wrote
 * last: an index look-up would walk the dead versions that an old snapshot
 * held elsewhere keeps alive.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "catalog_internal.h"
#include "compat.h"
#include "mariadb_sync.h"
#include "sql.h"

static const char *const table_state_names[] = {
	[MS_TABLE_PENDING] = "pending",
	[MS_TABLE_COPYING] = "copying",
	[MS_TABLE_COPIED] = "copied",
	[MS_TABLE_READY] = "ready",
	[MS_TABLE_DISABLED] = "disabled",
};

/* The position row as it was last written. */
static MsPositionRow position_row;

const char *
ms_table_state_name(MsTableState state)
{
	return table_state_names[state];
}

static MsTableState
parse_table_state(const char *name)
{
	for (int i = 0; i < (int) lengthof(table_state_names); i++)
		if (strcmp(table_state_names[i], name) == 0)
			return (MsTableState) i;
	elog(ERROR, "unknown table state \"%s\"", name);
	return MS_TABLE_DISABLED;
}

/* ------------------------------------------------------------------------
 * Running our SQL
 * ------------------------------------------------------------------------
 */

void
ms_catalog_add_int4(Args *args, int32 value)
{
	add_arg(args, INT4OID, Int32GetDatum(value), false);
}

void
ms_catalog_add_int8(Args *args, int64 value)
{
	add_arg(args, INT8OID, Int64GetDatum(value), false);
}

void
ms_catalog_add_text(Args *args, const char *value)
{
	add_arg(args, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0,
			value == NULL);
}

static void
add_name(Args *args, const char *value)
{
	NameData   *name = palloc0(sizeof(NameData));

	namestrcpy(name, value);
	add_arg(args, NAMEOID, NameGetDatum(name), false);
}

void
ms_catalog_add_jsonb(Args *args, Jsonb *value)
{
	add_arg(args, JSONBOID, JsonbPGetDatum(value), value == NULL);
}

void
ms_catalog_add_text_array(Args *args, List *texts)
{
	Datum	   *datums = palloc(sizeof(Datum) * Max(list_length(texts), 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, texts)
		datums[n++] = CStringGetTextDatum((char *) lfirst(lc));
	add_arg(args, TEXTARRAYOID,
			PointerGetDatum(construct_array(datums, n, TEXTOID, -1, false,
											TYPALIGN_INT)), false);
}

/*
 * Run one statement.  With row_fn the rows come back as a list of what it
 * made of them, allocated in the caller's context.  *processed is the number
 * of rows touched.
 */
List *
ms_catalog_execute(const char *sql, Args *args, RowFn row_fn, uint64 *processed)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *result = NIL;
	Oid			save_userid;
	int			save_sec_context;
	int			save_nestlevel;

	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   save_sec_context | SECURITY_LOCAL_USERID_CHANGE);
	save_nestlevel = NewGUCNestLevel();

	PG_TRY();
	{
		SPIPlanPtr	plan;
		int			rc;

		ms_sql_set_path();
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		plan = SPI_prepare(sql, args->n, args->types);
		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s",
				 SPI_result_code_string(SPI_result));

		/* large values of the rows are fetched when row_fn asks for them */
		PushActiveSnapshot(GetLatestSnapshot());
		rc = SPI_execute_snapshot(plan, args->values, args->nulls,
								  GetActiveSnapshot(), InvalidSnapshot,
								  false, true, 0);
		if (rc < 0)
			elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(rc));
		if (processed)
			*processed = SPI_processed;
		for (uint64 i = 0; row_fn && i < SPI_processed; i++)
		{
			MemoryContext spi = MemoryContextSwitchTo(caller);

			result = lappend(result, row_fn(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc));
			MemoryContextSwitchTo(spi);
		}
		PopActiveSnapshot();
		SPI_finish();
	}
	PG_FINALLY();
	{
		AtEOXact_GUC(false, save_nestlevel);
		SetUserIdAndSecContext(save_userid, save_sec_context);
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller);
	return result;
}

/* Columns of a row by number, copied into the current context. */
static Datum
get_datum(HeapTuple tuple, TupleDesc desc, int column, bool *isnull)
{
	return SPI_getbinval(tuple, desc, column, isnull);
}

char *
ms_catalog_get_string(HeapTuple tuple, TupleDesc desc, int column)
{
	return SPI_getvalue(tuple, desc, column);
}

int64
ms_catalog_get_int8(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = get_datum(tuple, desc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static Oid
get_oid(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = get_datum(tuple, desc, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

Jsonb *
ms_catalog_get_jsonb(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = get_datum(tuple, desc, column, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

List *
ms_catalog_get_text_list(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = get_datum(tuple, desc, column, &isnull);
	List	   *result = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			result = lappend(result, TextDatumGetCString(elements[i]));
	return result;
}

/* ------------------------------------------------------------------------
 * mariadb_sync.subscription
 * ------------------------------------------------------------------------
 */

#define SUBSCRIPTION_COLUMNS \
	"subid, name, owner, server, enabled, tables, options, server_id," \
	" snapshot_paused, tables_version, skip_gtid"

static void *
subscription_row(HeapTuple tuple, TupleDesc desc)
{
	MsSubscription *sub = palloc0(sizeof(MsSubscription));
	bool		isnull;

	sub->subid = DatumGetInt32(get_datum(tuple, desc, 1, &isnull));
	sub->name = get_string(tuple, desc, 2);
	sub->owner = get_oid(tuple, desc, 3);
	sub->server = get_string(tuple, desc, 4);
	sub->enabled = DatumGetBool(get_datum(tuple, desc, 5, &isnull));
	sub->patterns = get_text_list(tuple, desc, 6);
	sub->options = get_jsonb(tuple, desc, 7);
	sub->server_id = (uint32) get_int8(tuple, desc, 8);
	sub->snapshot_paused = DatumGetBool(get_datum(tuple, desc, 9, &isnull));
	sub->tables_version = DatumGetInt32(get_datum(tuple, desc, 10, &isnull));
	sub->skip_gtid = get_string(tuple, desc, 11);
	return sub;
}

/* NULL when there is none. */
MsSubscription *
ms_catalog_get_subscription(int32 subid)
{
	Args		args = {0};
	List	   *rows;

	add_int4(&args, subid);
	rows = execute("SELECT " SUBSCRIPTION_COLUMNS
				   " FROM mariadb_sync.subscription WHERE subid = $1",
				   &args, subscription_row, NULL);
	return rows ? linitial(rows) : NULL;
}

MsSubscription *
ms_catalog_find_subscription(const char *name, bool missing_ok)
{
	Args		args = {0};
	List	   *rows;

	add_name(&args, name);
	rows = execute("SELECT " SUBSCRIPTION_COLUMNS
				   " FROM mariadb_sync.subscription WHERE name = $1",
				   &args, subscription_row, NULL);
	if (rows)
		return linitial(rows);
	if (!missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("subscription \"%s\" does not exist", name),
				 errhint("The view mariadb_sync.pg_stat_mariadb_sync lists the subscriptions of this database.")));
	return NULL;
}

Oid
ms_catalog_subscription_relid(void)
{
	Oid			schema = get_namespace_oid(MS_SCHEMA, true);

	return OidIsValid(schema) ? get_relname_relid("subscription", schema) :
		InvalidOid;
}

/* Whether a subscription of this database is known by that id. */
bool
ms_catalog_server_id_in_use(uint32 server_id)
{
	Args		args = {0};

	add_int8(&args, server_id);
	return execute("SELECT " SUBSCRIPTION_COLUMNS
				   " FROM mariadb_sync.subscription WHERE server_id = $1",
				   &args, subscription_row, NULL) != NIL;
}

static void *
int4_row(HeapTuple tuple, TupleDesc desc)
{
	int32	   *value = palloc(sizeof(int32));
	bool		isnull;

	*value = DatumGetInt32(get_datum(tuple, desc, 1, &isnull));
	return value;
}

/* Returns the new subscription's id. */
int32
ms_catalog_insert_subscription(const MsSubscription *sub)
{
	Args		args = {0};
	List	   *rows;
	int32		subid;

	add_name(&args, sub->name);
	add_arg(&args, REGROLEOID, ObjectIdGetDatum(sub->owner), false);
	add_name(&args, sub->server);
	add_arg(&args, BOOLOID, BoolGetDatum(sub->enabled), false);
	add_text_array(&args, sub->patterns);
	add_jsonb(&args, sub->options);
	add_int8(&args, sub->server_id);
	rows = execute("INSERT INTO mariadb_sync.subscription"
				   " (name, owner, server, enabled, tables, options, server_id)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING subid",
				   &args, int4_row, NULL);
	subid = *(int32 *) linitial(rows);

	args.n = 0;
	add_int4(&args, subid);
	execute("INSERT INTO mariadb_sync.subscription_stat (subid) VALUES ($1)",
			&args, NULL, NULL);
	return subid;
}

void
ms_catalog_update_subscription(const MsSubscription *sub)
{
	Args		args = {0};

	add_int4(&args, sub->subid);
	add_arg(&args, BOOLOID, BoolGetDatum(sub->enabled), false);
	add_jsonb(&args, sub->options);
	add_arg(&args, BOOLOID, BoolGetDatum(sub->snapshot_paused), false);
	execute("UPDATE mariadb_sync.subscription SET enabled = $2, options = $3,"
			" snapshot_paused = $4 WHERE subid = $1", &args, NULL, NULL);
}

/*
 * The list of tables has changed: writes the patterns, and lets the workers
 * know.
 */
void
ms_catalog_change_tables(const MsSubscription *sub)
{
	Args		args = {0};

	add_int4(&args, sub->subid);
	add_text_array(&args, sub->patterns);
	execute("UPDATE mariadb_sync.subscription"
			" SET tables = $2, tables_version = tables_version + 1"
			" WHERE subid = $1", &args, NULL, NULL);
}

/* With everything that belongs to it but its history. */
void
ms_catalog_delete_subscription(int32 subid)
{
	static const char *const statements[] = {
		"DELETE FROM mariadb_sync.difference WHERE subscription ="
		" (SELECT name FROM mariadb_sync.subscription WHERE subid = $1)",
		"DELETE FROM mariadb_sync.subscription WHERE subid = $1",
		"DELETE FROM mariadb_sync.verified_range WHERE subid = $1",
		"DELETE FROM mariadb_sync.snapshot_chunk WHERE subid = $1",
		"DELETE FROM mariadb_sync.subscription_table WHERE subid = $1",
		"DELETE FROM mariadb_sync.gtid_position WHERE subid = $1",
		"DELETE FROM mariadb_sync.subscription_stat WHERE subid = $1",
		"DELETE FROM mariadb_sync.quarantine WHERE subid = $1",
		"DELETE FROM mariadb_sync.prepared_transaction WHERE subid = $1",
		"DELETE FROM mariadb_sync.subscription_sequence WHERE subid = $1",
	};

	for (int i = 0; i < (int) lengthof(statements); i++)
	{
		Args		args = {0};

		add_int4(&args, subid);
		execute(statements[i], &args, NULL, NULL);
	}
}

/*
 * A lock on the subscription as such, held to the end of the transaction:
 * workers that start take it shared, dropping takes it exclusively.
 */
void
ms_catalog_lock_subscription(int32 subid, int lockmode)
{
	LockDatabaseObject(ms_catalog_subscription_relid(), (Oid) subid, 0,
					   lockmode);
}

/* ------------------------------------------------------------------------
 * mariadb_sync.subscription_table
 *
 * Sessions and workers write a table's row before the rows of its chunks, so
 * that they do not wait for each other.
 * ------------------------------------------------------------------------
 */

#define TABLE_COLUMNS \
	"subid, source_db, source_table, relid, state, snapshot_file," \
	" snapshot_pos, snapshot_server_id, source_schema," \
	" foreign_keys_wait, created, columns, since_version," \
	" reshape, inserts + updates + deletes > 0"

static void *
table_row(HeapTuple tuple, TupleDesc desc)
{
	MsSubTable *table = palloc0(sizeof(MsSubTable));
	bool		isnull;

	table->subid = DatumGetInt32(get_datum(tuple, desc, 1, &isnull));
	table->source_db = get_string(tuple, desc, 2);
	table->source_table = get_string(tuple, desc, 3);
	table->relid = get_oid(tuple, desc, 4);
	table->state = parse_table_state(get_string(tuple, desc, 5));
	table->snapshot_file = get_string(tuple, desc, 6);
	table->snapshot_pos = (uint64) get_int8(tuple, desc, 7);
	table->snapshot_server_id = (uint32) get_int8(tuple, desc, 8);
	table->source_schema = get_jsonb(tuple, desc, 9);
	table->foreign_keys_wait = DatumGetBool(get_datum(tuple, desc, 10, &isnull));
	table->created = DatumGetBool(get_datum(tuple, desc, 11, &isnull));
	table->columns = get_jsonb(tuple, desc, 12);
	table->since_version = DatumGetInt32(get_datum(tuple, desc, 13, &isnull));
	table->reshape = DatumGetBool(get_datum(tuple, desc, 14, &isnull));
	table->changes = DatumGetBool(get_datum(tuple, desc, 15, &isnull));
	return table;
}

/* All tables of the subscription, in the order they were found. */
List *
ms_catalog_get_tables(int32 subid)
{
	Args		args = {0};

	add_int4(&args, subid);
	return execute("SELECT " TABLE_COLUMNS
				   " FROM mariadb_sync.subscription_table WHERE subid = $1"
				   " ORDER BY rows_total DESC NULLS LAST, source_db, source_table",
				   &args, table_row, NULL);
}

void
ms_catalog_add_table_key(Args *args, const MsSubTable *table)
{
	add_int4(args, table->subid);
	add_text(args, table->source_db);
	add_text(args, table->source_table);
}

/* NULL when the table is not mapped. */
MsSubTable *
ms_catalog_get_table(int32 subid, const char *db, const char *name)
{
	Args		args = {0};
	List	   *rows;

	add_int4(&args, subid);
	add_text(&args, db);
	add_text(&args, name);
	rows = execute("SELECT " TABLE_COLUMNS
				   " FROM mariadb_sync.subscription_table WHERE " TABLE_KEY,
				   &args, table_row, NULL);
	return rows ? linitial(rows) : NULL;
}

static void *
summary_row(HeapTuple tuple, TupleDesc desc)
{
	MsTableSummary *summary = palloc(sizeof(MsTableSummary));

	summary->tables = (int) get_int8(tuple, desc, 1);
	summary->ready = (int) get_int8(tuple, desc, 2);
	summary->disabled = (int) get_int8(tuple, desc, 3);
	summary->rows_total = get_int8(tuple, desc, 4);
	summary->rows_done = get_int8(tuple, desc, 5);
	return summary;
}

/* The number of rows is that of the source's statistics until it is known. */
void
ms_catalog_summarize_tables(int32 subid, MsTableSummary *summary)
{
	Args		args = {0};
	List	   *rows;

	add_int4(&args, subid);
	rows = execute("SELECT count(*), count(*) FILTER (WHERE state = 'ready'),"
				   " count(*) FILTER (WHERE state = 'disabled'),"
				   " coalesce(sum(CASE WHEN state IN ('copied', 'ready')"
				   " THEN rows_done ELSE rows_total END), 0)::bigint,"
				   " coalesce(sum(rows_done), 0)::bigint"
				   " FROM mariadb_sync.subscription_table WHERE subid = $1",
				   &args, summary_row, NULL);
	*summary = *(MsTableSummary *) linitial(rows);
}

/*
 * Update one row of subscription_table.  Workers that find it gone, by
 * remove_table(), start over without it.
 */
static void
update_table(const char *sql, Args *args, const MsSubTable *table)
{
	uint64		processed = 0;

	execute(sql, args, NULL, &processed);
	if (processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("table \"%s.%s\" is no longer part of the subscription",
						table->source_db, table->source_table)));
}

/*
 * The worker that runs now, if there is one yet, does not know the table: the
 * next version does.
 */
void
ms_catalog_insert_table(const MsSubTable *table, int64 rows_estimate)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_arg(&args, REGCLASSOID, ObjectIdGetDatum(table->relid),
			!OidIsValid(table->relid));
	add_text(&args, ms_table_state_name(table->state));
	add_jsonb(&args, table->source_schema);
	add_arg(&args, BOOLOID, BoolGetDatum(table->foreign_keys_wait), false);
	add_int8(&args, rows_estimate);
	add_arg(&args, BOOLOID, BoolGetDatum(table->created), false);
	add_jsonb(&args, table->columns);
	execute("INSERT INTO mariadb_sync.subscription_table"
			" (subid, source_db, source_table, relid, state, source_schema,"
			" foreign_keys_wait, rows_total, created, columns, since_version)"
			" SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
			" CASE WHEN EXISTS (SELECT FROM mariadb_sync.gtid_position"
			" WHERE subid = $1) THEN tables_version + 1 ELSE 0 END"
			" FROM mariadb_sync.subscription WHERE subid = $1",
			&args, NULL, NULL);
}

/* The structure as it is now, and the options of its columns. */
void
ms_catalog_set_source_schema(const MsSubTable *table)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_jsonb(&args, table->source_schema);
	add_jsonb(&args, table->columns);
	update_table("UPDATE mariadb_sync.subscription_table"
				 " SET source_schema = $4, columns = $5, last_error = NULL"
				 " WHERE " TABLE_KEY,
				 &args, table);
}

/* The source's table is called db.name, and its target is the one given. */
void
ms_catalog_rename_table(const MsSubTable *table, const char *db,
						const char *name)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_text(&args, db);
	add_text(&args, name);
	update_table("UPDATE mariadb_sync.subscription_table"
				 " SET source_db = $4, source_table = $5 WHERE " TABLE_KEY,
				 &args, table);
	execute("UPDATE mariadb_sync.snapshot_chunk"
			" SET source_db = $4, source_table = $5 WHERE " TABLE_KEY,
			&args, NULL, NULL);
}

void
ms_catalog_delete_table(const MsSubTable *table)
{
	Args		args = {0};

	add_table_key(&args, table);
	execute("DELETE FROM mariadb_sync.subscription_table WHERE " TABLE_KEY,
			&args, NULL, NULL);
	ms_catalog_delete_chunks(table);
}

/*
 * The one place where a table's state changes.  The transitions are drawn in
 * src/README.md.  COPIED carries the copy's position.
 */
void
ms_catalog_set_table_state(const MsSubTable *table, MsTableState state)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_text(&args, ms_table_state_name(state));
	switch (state)
	{
		case MS_TABLE_PENDING:
			update_table("UPDATE mariadb_sync.subscription_table"
						 " SET state = $4, state_gtid = NULL,"
						 " snapshot_file = NULL, snapshot_pos = NULL,"
						 " snapshot_server_id = NULL, rows_done = 0,"
						 " bytes_done = 0, copy_started_at = NULL,"
						 " copy_ended_at = NULL"
						 " WHERE " TABLE_KEY, &args, table);
			ms_catalog_delete_chunks(table);
			break;
		case MS_TABLE_COPYING:
			update_table("UPDATE mariadb_sync.subscription_table"
						 " SET state = $4, copy_started_at = clock_timestamp(),"
						 " copy_ended_at = NULL, last_error = NULL"
						 " WHERE " TABLE_KEY, &args, table);
			break;
		case MS_TABLE_COPIED:
			add_text(&args, table->snapshot_file);
			add_int8(&args, (int64) table->snapshot_pos);
			add_int8(&args, table->snapshot_server_id);
			update_table("UPDATE mariadb_sync.subscription_table"
						 " SET state = CASE state WHEN 'copying' THEN $4"
						 " ELSE state END, snapshot_file = $5,"
						 " snapshot_pos = $6, snapshot_server_id = $7,"
						 " copy_ended_at = clock_timestamp()"
						 " WHERE " TABLE_KEY, &args, table);
			break;
		case MS_TABLE_READY:
			/* resync_table() may have made it pending, remove_table() gone */
			execute("UPDATE mariadb_sync.subscription_table"
					" SET state = $4, last_error = NULL"
					" WHERE " TABLE_KEY " AND state = 'copied'",
					&args, NULL, NULL);
			break;
		case MS_TABLE_DISABLED:
			update_table("UPDATE mariadb_sync.subscription_table SET state = $4"
						 " WHERE " TABLE_KEY, &args, table);
			break;
	}
}

/* The stream has passed the table's copy, here. */
void
ms_catalog_set_table_passed(const MsSubTable *table, const char *gtid)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_text(&args, gtid);
	update_table("UPDATE mariadb_sync.subscription_table SET state_gtid = $4"
				 " WHERE " TABLE_KEY, &args, table);
}

void
ms_catalog_set_table_progress(const MsSubTable *table, int64 rows, int64 bytes)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_int8(&args, rows);
	add_int8(&args, bytes);
	update_table("UPDATE mariadb_sync.subscription_table"
				 " SET rows_done = $4, bytes_done = $5 WHERE " TABLE_KEY,
				 &args, table);
}

void
ms_catalog_set_table_error(int32 subid, const char *db, const char *name,
						   const char *error)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, db);
	add_text(&args, name);
	add_text(&args, error);
	execute("UPDATE mariadb_sync.subscription_table SET last_error = $4"
			" WHERE " TABLE_KEY, &args, NULL, NULL);
}

void
ms_catalog_set_reshape(const MsSubTable *table)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_arg(&args, BOOLOID, BoolGetDatum(table->reshape), false);
	update_table("UPDATE mariadb_sync.subscription_table"
				 " SET reshape = $4 WHERE " TABLE_KEY, &args, table);
}

/* The table's foreign keys are made. */
void
ms_catalog_clear_foreign_keys_wait(const MsSubTable *table)
{
	Args		args = {0};

	add_table_key(&args, table);
	update_table("UPDATE mariadb_sync.subscription_table"
				 " SET foreign_keys_wait = false WHERE " TABLE_KEY, &args, table);
}

/* Foreign keys to tables that have joined are made when those are ready. */
void
ms_catalog_let_foreign_keys_wait(int32 subid)
{
	Args		args = {0};

	add_int4(&args, subid);
	execute("UPDATE mariadb_sync.subscription_table child"
			" SET foreign_keys_wait = true"
			" WHERE subid = $1 AND created AND NOT foreign_keys_wait AND EXISTS"
			" (SELECT FROM jsonb_array_elements(child.source_schema -> 'foreign_keys') key"
			" JOIN mariadb_sync.subscription_table parent"
			" ON parent.source_db = key ->> 'ref_db'"
			" AND parent.source_table = key ->> 'ref_table'"
			" WHERE parent.subid = $1 AND parent.state = 'pending')",
			&args, NULL, NULL);
}

void
ms_catalog_add_table_counters(const MsSubTable *table, int64 inserts,
							  int64 updates, int64 deletes, int64 conflicts)
{
	Args		args = {0};

	add_table_key(&args, table);
	add_int8(&args, inserts);
	add_int8(&args, updates);
	add_int8(&args, deletes);
	add_int8(&args, conflicts);
	execute("UPDATE mariadb_sync.subscription_table"
			" SET inserts = inserts + $4, updates = updates + $5,"
			" deletes = deletes + $6, conflicts = conflicts + $7"
			" WHERE " TABLE_KEY, &args, NULL, NULL);
}

/* ------------------------------------------------------------------------
 * mariadb_sync.gtid_position
 * ------------------------------------------------------------------------
 */

static void *
position_row_fn(HeapTuple tuple, TupleDesc desc)
{
	MsPosition *position = palloc0(sizeof(MsPosition));

	position->gtid = get_string(tuple, desc, 1);
	position->binlog_file = get_string(tuple, desc, 2);
	position->binlog_pos = (uint64) get_int8(tuple, desc, 3);
	return position;
}

/* False when the subscription has no position yet. */
bool
ms_catalog_get_position(int32 subid, MsPosition *position)
{
	Args		args = {0};
	List	   *rows;

	add_int4(&args, subid);
	rows = execute("SELECT gtid, binlog_file, binlog_pos"
				   " FROM mariadb_sync.gtid_position WHERE subid = $1",
				   &args, position_row_fn, NULL);
	if (rows == NIL)
		return false;
	*position = *(MsPosition *) linitial(rows);
	return true;
}

void
ms_catalog_insert_position(int32 subid, const char *gtid)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, gtid);
	execute("INSERT INTO mariadb_sync.gtid_position (subid, gtid)"
			" VALUES ($1, $2)", &args, NULL, NULL);
}

/* Remember where the position row is, by way of its primary key. */
static void
find_position_row(Relation rel, int32 subid)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(subid));
	scan = systable_beginscan(rel, relation_primary_key_index_compat(rel), true,
							  GetLatestSnapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the subscription's position is missing from mariadb_sync.gtid_position"),
				 errhint("Drop the subscription and create it again.")));
	position_row.tid = tuple->t_self;
	systable_endscan(scan);
	position_row.subid = subid;
	position_row.filenumber = rel->rd_rel->relfilenode;
}

/* The new version did not fit on its page: it needs an index entry. */
static void
index_position_row(Relation rel, HeapTuple tuple, int32 subid)
{
	Relation	index = index_open(relation_primary_key_index_compat(rel),
								   RowExclusiveLock);
	Datum		value = Int32GetDatum(subid);
	bool		isnull = false;

	index_insert(index, &value, &isnull, &tuple->t_self, rel,
				 UNIQUE_CHECK_YES, false, BuildIndexInfo(index));
	index_close(index, NoLock);
}

/*
 * The processes that write the row in turn tell each other where they have
 * left it.
 */
MsPositionRow
ms_catalog_position_row(void)
{
	return position_row;
}

void
ms_catalog_set_position_row(const MsPositionRow *row)
{
	position_row = *row;
}

/*
 * Set the position inside the caller's transaction.  file may be NULL.
 */
void
ms_catalog_set_position(int32 subid, const char *gtid, const char *file,
						uint64 pos)
{
	static Oid	relid = InvalidOid;
	Relation	rel;
	Buffer		buffer;
	HeapTuple	tuple;
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	if (!OidIsValid(relid))
		relid = get_relname_relid("gtid_position",
								  get_namespace_oid(MS_SCHEMA, false));
	rel = table_open(relid, RowExclusiveLock);
	if (position_row.subid != subid ||
		position_row.filenumber != rel->rd_rel->relfilenode)
		find_position_row(rel, subid);

	/* nobody else prunes this page, as nobody else reads it by scan */
	buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(&position_row.tid));
	heap_page_prune_opt(rel, buffer);
	ReleaseBuffer(buffer);

	values[0] = Int32GetDatum(subid);
	values[1] = CStringGetTextDatum(gtid);
	nulls[2] = nulls[3] = (file == NULL);
	values[2] = file ? CStringGetTextDatum(file) : (Datum) 0;
	values[3] = Int64GetDatum((int64) pos);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	simple_heap_update_compat(rel, &position_row.tid, tuple);
	if (!HeapTupleIsHeapOnly(tuple))
		index_position_row(rel, tuple, subid);
	position_row.tid = tuple->t_self;
	table_close(rel, NoLock);
}

/* ------------------------------------------------------------------------
 * mariadb_sync.subscription_stat
 * ------------------------------------------------------------------------
 */

/* in the order of MsCounter */
#define STAT_COLUMNS \
	"transactions, inserts, updates, deletes, truncates, ddl," \
	" bytes_received, reconnects, apply_error_count, sync_error_count," \
	" confl_insert_exists, confl_update_missing, confl_delete_missing," \
	" values_changed"
#define STAT_PARAMETERS \
	"$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15"

static void *
counters_row(HeapTuple tuple, TupleDesc desc)
{
	uint64	   *counters = palloc(sizeof(uint64) * MS_NUM_COUNTERS);

	for (int i = 0; i < MS_NUM_COUNTERS; i++)
		counters[i] = (uint64) get_int8(tuple, desc, i + 1);
	return counters;
}

void
ms_catalog_load_counters(int32 subid, uint64 *counters)
{
	Args		args = {0};
	List	   *rows;

	add_int4(&args, subid);
	rows = execute("SELECT " STAT_COLUMNS
				   " FROM mariadb_sync.subscription_stat WHERE subid = $1",
				   &args, counters_row, NULL);
	memset(counters, 0, sizeof(uint64) * MS_NUM_COUNTERS);
	if (rows)
		memcpy(counters, linitial(rows), sizeof(uint64) * MS_NUM_COUNTERS);
}

void
ms_catalog_save_counters(int32 subid, const uint64 *counters)
{
	Args		args = {0};

	add_int4(&args, subid);
	for (int i = 0; i < MS_NUM_COUNTERS; i++)
		add_int8(&args, (int64) counters[i]);
	execute("UPDATE mariadb_sync.subscription_stat SET (" STAT_COLUMNS ") = ROW ("
			STAT_PARAMETERS ") WHERE subid = $1", &args, NULL, NULL);
}

void
ms_catalog_reset_stats(int32 subid)
{
	Args		args = {0};

	add_int4(&args, subid);
	execute("UPDATE mariadb_sync.subscription_stat SET (" STAT_COLUMNS
			") = ROW (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),"
			" stats_reset = now() WHERE subid = $1", &args, NULL, NULL);
	execute("UPDATE mariadb_sync.subscription_table"
			" SET inserts = 0, updates = 0, deletes = 0, conflicts = 0"
			" WHERE subid = $1", &args, NULL, NULL);
}

void
ms_catalog_save_error(int32 subid, const char *error, const char *gtid)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_text(&args, error);
	add_text(&args, gtid);
	execute("UPDATE mariadb_sync.subscription_stat"
			" SET last_error = $2, last_error_gtid = $3,"
			" last_error_time = clock_timestamp() WHERE subid = $1",
			&args, NULL, NULL);
}
