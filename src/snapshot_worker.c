/*
 * snapshot_worker.c - the snapshot worker: takes one task after the other
 * from the leader, until there is none.
 *
 * Loading a chunk is one transaction here and one read view there.  How it
 * fits in with the stream is told in snapshot.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "replication/origin.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "crash_guard.h"
#include "mariadb_sync.h"
#include "remote_schema.h"
#include "snapshot_internal.h"
#include "typemap.h"
#include "wire.h"
#include "worker.h"

/* rows between two reports of progress */
#define PROGRESS_ROWS	1000
/* or bytes */
#define PROGRESS_BYTES	(1024 * 1024)

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* Would values of this column be read in the same way? */
static bool
is_same_column(const MsSourceColumn *a, const MsSourceColumn *b)
{
	MsColumn	left;
	MsColumn	right;

	memset(&left, 0, sizeof(left));
	memset(&right, 0, sizeof(right));
	ms_typemap_init_column(&left, a);
	ms_typemap_init_column(&right, b);
	if (left.kind != right.kind || left.int_width != right.int_width ||
		left.precision != right.precision || left.scale != right.scale ||
		left.fsp != right.fsp || left.length != right.length ||
		left.is_char != right.is_char || left.transcode != right.transcode ||
		left.transcode_arg != right.transcode_arg ||
		left.nlabels != right.nlabels)
		return false;
	for (int i = 0; i < left.nlabels; i++)
		if (strcmp(left.labels[i], right.labels[i]) != 0)
			return false;
	return true;
}

static void
structure_differs(const MsCopy *copy, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("structure of source table \"%s.%s\" is not the recorded one",
					copy->table->source_db, copy->table->source_table),
			 errdetail("%s", detail),
			 errhint(MS_HINT_ALTERED)));
}

/*
 * Has the source's table the columns that we are going to read?  The lock
 * that reading nothing leaves behind keeps it from being altered until the
 * read view is closed.
 */
static void
check_structure(MsCopy *copy)
{
	List	   *recorded = ms_source_columns_from_jsonb(copy->table->source_schema);
	List	   *columns;
	ListCell   *lc;

	ms_wire_exec(copy->wire, psprintf("SELECT 1 FROM %s.%s LIMIT 0",
									  ms_wire_quote_identifier(copy->table->source_db),
									  ms_wire_quote_identifier(copy->table->source_table)));
	columns = ms_remote_schema_fetch_columns(copy->wire, copy->table->source_db,
											 copy->table->source_table);
	foreach(lc, recorded)
	{
		const MsSourceColumn *col = lfirst(lc);
		const MsSourceColumn *found = NULL;
		ListCell   *lc2;

		foreach(lc2, columns)
			if (strcmp(((MsSourceColumn *) lfirst(lc2))->name, col->name) == 0)
			found = lfirst(lc2);
		/* a period that nobody has declared is not among them */
		if (found == NULL && col->implicit)
			continue;
		if (found == NULL)
			structure_differs(copy, psprintf("Column \"%s\" is no longer there.",
											 col->name));
		else if (!is_same_column(found, col))
			structure_differs(copy, psprintf("Column \"%s\" is of type %s, recorded is %s.",
											 col->name, found->column_type,
											 col->column_type));
		/* the stream will tell; till then our column takes no NULL */
		else if (found->nullable && !col->nullable && copy->table->created &&
				 copy->options.ddl == MS_DDL_APPLY)
			structure_differs(copy, psprintf("Column \"%s\" may be NULL by now.",
											 col->name));
	}
}

static List *
quote_columns(List *names)
{
	List	   *quoted = NIL;
	ListCell   *lc;

	foreach(lc, names)
		quoted = lappend(quoted, ms_wire_quote_identifier(lfirst(lc)));
	return quoted;
}

/* SELECT the recorded columns, in their order, of the chunk's rows. */
static char *
build_select(const MsCopy *copy)
{
	List	   *columns = ms_source_columns_from_jsonb(copy->table->source_schema);
	List	   *key = quote_columns(copy->chunk->key_columns);
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT ");
	foreach(lc, columns)
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) ? ", " : "",
						 ms_typemap_select_expression(lfirst(lc)));
	appendStringInfo(&buf, " FROM %s.%s%s",
					 ms_wire_quote_identifier(copy->table->source_db),
					 ms_wire_quote_identifier(copy->table->source_table),
					 ms_source_rows_clause(columns, copy->options.versioned_history));
	if (copy->chunk->lower_bound != NIL)
		appendStringInfo(&buf, " WHERE (%s)",
						 ms_chunk_condition(key, copy->chunk->lower_bound, ">", true));
	if (copy->chunk->upper_bound != NIL)
		appendStringInfo(&buf, " %s (%s)",
						 copy->chunk->lower_bound != NIL ? "AND" : "WHERE",
						 ms_chunk_condition(key, copy->chunk->upper_bound, "<", false));
	return buf.data;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/* Act as the owner, until ms_copy_set_superuser(). */
void
ms_copy_set_owner(MsCopy *copy)
{
	if (copy->options.run_as_owner)
		ms_role_become(ms_role_for_table(copy->sub->owner, copy->table->relid),
					   &copy->role);
}

void
ms_copy_set_superuser(const MsCopy *copy)
{
	if (copy->options.run_as_owner)
		ms_role_return(&copy->role);
}

/* Names the table and the column whose value is being copied. */
static void
copy_error_callback(void *arg)
{
	const TablePlan *plan = arg;

	if (plan->valid && plan->format.current >= 0)
		errcontext("column \"%s\" of source table \"%s\"",
				   plan->format.columns[plan->format.current].name,
				   plan->name);
	errcontext("copying source table \"%s\"", plan->name);
}

/* One worker's part of snapshot_max_rate, in its unit. */
static double
rate_limit(const MsCopy *copy)
{
	int			rate = copy->options.snapshot_max_rate;

	return (rate < 0 ? -rate * 1024.0 : (double) rate) /
		copy->options.snapshot_workers;
}

/* Wait as long as snapshot_max_rate, shared by all workers, asks for. */
static void
keep_rate(const MsCopy *copy)
{
	double		rate = rate_limit(copy);
	int64		amount = copy->options.snapshot_max_rate < 0 ? copy->bytes :
	copy->rows;

	while (rate > 0)
	{
		long		elapsed = TimestampDifferenceMilliseconds(copy->started,
															  ms_clock_now());
		long		ahead = (long) (amount * 1000.0 / rate) - elapsed;

		if (ahead <= 0)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 ahead, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * How many rows a chunk should have: a read view, which keeps the source from
 * purging old versions of rows, should not become older than snapshot_max_age
 * because we read slowly.
 */
static int
chunk_rows(const MsCopy *copy)
{
	double		rate = rate_limit(copy);
	double		rows = copy->options.snapshot_chunk_rows;

	if (rate > 0 && copy->options.snapshot_max_age > 0)
	{
		double		most = rate * copy->options.snapshot_max_age / 1000.0;

		if (copy->options.snapshot_max_rate < 0)
		{
			char	   *length = ms_wire_query_value(copy->wire,
													 psprintf("SELECT AVG_ROW_LENGTH FROM information_schema.TABLES"
															  " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
															  ms_wire_quote_literal(copy->table->source_db),
															  ms_wire_quote_literal(copy->table->source_table)));

			most /= Max(length ? strtod(length, NULL) : 0, 1);
		}
		rows = Min(rows, most);
	}
	return (int) Max(rows, 1);
}

/* Which server is this?  The leader's, or nothing it knows is true here. */
static uint32
check_server(const MsCopy *copy, MsWire *wire)
{
	uint32		server_id = strtoul(ms_wire_query_value(wire, "SELECT @@global.server_id"), NULL, 10);

	if (server_id != copy->task.source_server_id)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the copy reached another MariaDB server than the stream"),
				 errhint("The address of the server must lead to one MariaDB server at a time.")));
	return server_id;
}

/*
 * Wait until what is in the binlog of the table can be read as well: an INSERT
 * into a MyISAM or Aria table goes on while the table is read, and its row is
 * seen only when it unlocks the table, which is after the binlog has it.  CHECK
 * TABLE waits for those under way, with no privilege but SELECT, and FOR
 * UPGRADE makes that all it does.  Returns what went wrong, NULL = nothing.
 */
static const char *
wait_for_inserts(const MsCopy *copy)
{
	MsResult   *result;

	result = ms_wire_query(copy->other, psprintf("CHECK TABLE %s.%s FOR UPGRADE",
												 ms_wire_quote_identifier(copy->table->source_db),
												 ms_wire_quote_identifier(copy->table->source_table)));
	for (int i = 0; i < result->nrows; i++)
		if (pg_strcasecmp(ms_result_cell(result, i, 2), "error") == 0)
			return ms_result_cell(result, i, 3);
	return NULL;
}

/*
 * A table without read views is read as it is when the query locks it.  Rows
 * that have a key can be written once more without harm, but without one it
 * matters what of the stream was in the table by then.  So another connection
 * looks where the binlog ends before and just after: all before the one has
 * been copied, and nothing behind the other.
 *
 * This is the look before, and makes sure of the table's structure, which has
 * to come last: it locks out who alters the table, and who waits for us would
 * be waited for by CHECK TABLE.
 */
static void
look_before(MsCopy *copy)
{
	MsChunk    *chunk = copy->chunk;
	uint64		pos = 0;
	char	   *file;
	const char *failure;

	copy->other = ms_wire_connect(&copy->server);
	(void) check_server(copy, copy->other);
	file = ms_snapshot_source_position(copy->other, &pos);
	if (file &&
		ms_snapshot_compare_positions(file, pos, chunk->snapshot_file,
									  chunk->snapshot_pos) > 0)
	{
		chunk->snapshot_file = file;
		chunk->snapshot_pos = pos;
	}
	failure = wait_for_inserts(copy);
	check_structure(copy);
	if (failure)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not wait for the statements that write to source table \"%s.%s\"",
						copy->table->source_db, copy->table->source_table),
				 errdetail("CHECK TABLE on the source: %s", failure),
				 errhint("Look for what holds the table in SHOW PROCESSLIST on the source.")));
}

/* The look after, when the table is locked. */
static void
look_after(MsCopy *copy, const TablePlan *plan)
{
	if (!ms_target_has_key(plan->target))
		copy->chunk->end_file = ms_snapshot_last_position(copy->other,
														  &copy->chunk->end_pos);
	ms_wire_close(copy->other);
	copy->other = NULL;
}

static void
load_rows(MsCopy *copy, TablePlan *plan)
{
	ErrorContextCallback callback;
	const uint8 *data;
	size_t		len;
	double		rate = rate_limit(copy);
	int64		step_rows = PROGRESS_ROWS;
	int64		step_bytes = PROGRESS_BYTES;
	int64		next_rows;
	int64		next_bytes;

	/* little at a time rather than much now and then */
	if (rate > 0 && copy->options.snapshot_max_rate > 0)
		step_rows = Max(Min(step_rows, (int64) rate / 10), 1);
	else if (rate > 0)
		step_bytes = Min(step_bytes, (int64) rate / 10);
	next_rows = step_rows;
	next_bytes = step_bytes;

	callback.callback = copy_error_callback;
	callback.arg = plan;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	ms_value_changes.count = 0;
	if (ms_wire_rows_begin(copy->wire, build_select(copy)) != plan->format.ncolumns)
		elog(ERROR, "unexpected number of columns");
	if (copy->other)
		look_after(copy, plan);
	while (ms_wire_rows_next(copy->wire, &data, &len))
	{
		MsRow		row = ms_target_insert_row(plan->target);
		MemoryContext oldcxt = MemoryContextSwitchTo(ms_target_insert_context(plan->target));

		ms_value_read_protocol_row(&plan->format, data, data + len,
								   row.values, row.isnull);
		MemoryContextSwitchTo(oldcxt);
		if (unlikely(ms_value_changes.first))
			ms_relmap_report_changes(plan, &row, NULL);
		ms_target_check_size(plan->target, &row, len);
		ms_target_insert(plan->target, len);
		copy->bytes += len;
		if (++copy->rows >= next_rows || copy->bytes >= next_bytes)
		{
			next_rows = copy->rows + step_rows;
			next_bytes = copy->bytes + step_bytes;
			ms_shmem_copy_progress(MS_COPY_PHASE_COPYING, copy->rows,
								   copy->bytes);
			/* let the WAL be flushed by the side, not by our commit */
			XLogSetAsyncXactLSN(XactLastRecEnd);
			keep_rate(copy);
		}
		CHECK_FOR_INTERRUPTS();
	}
	copy->values_changed = ms_value_changes.count;
	error_context_stack = callback.previous;
}

/* What is left in the target of an earlier copy goes. */
static void
empty_target(const MsSubTable *table)
{
	Relation	rel = table_open(table->relid, AccessShareLock);
	bool		empty = rel->rd_rel->relkind == RELKIND_RELATION &&
	RelationGetNumberOfBlocks(rel) == 0;

	table_close(rel, NoLock);
	if (!empty)
		ms_target_truncate(table->relid);
}

/* Load one chunk and mark it done, inside the open transaction. */
static void
copy_chunk(MsCopy *copy)
{
	MsRelmap   *relmap = ms_relmap_create(copy->sub, &copy->options,
										  copy->sub->owner);
	TablePlan  *plan;

	ms_relmap_add(relmap, copy->table);
	plan = linitial(ms_relmap_plans(relmap));
	copy->chunk = ms_catalog_get_chunk(copy->table, copy->task.chunk);
	if (copy->chunk == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("table \"%s\" is no longer being copied", plan->name)));
	copy->rows = copy->bytes = 0;

	copy->chunk->snapshot_server_id = check_server(copy, copy->wire);
	copy->other = NULL;
	ms_copy_open_view(copy);
	if (ms_source_has_read_views(ms_source_table_from_jsonb(copy->table->source_schema)))
		check_structure(copy);
	else
		look_before(copy);
	/* values come in their column's charset, as they do in the binlog */
	ms_wire_exec(copy->wire, "SET character_set_results = NULL");

	PushActiveSnapshot(GetTransactionSnapshot());
	ms_copy_set_owner(copy);
	ms_relmap_open(relmap, plan, NULL);
	ms_shmem_copy_progress(MS_COPY_PHASE_COPYING, 0, 0);
	copy->started = ms_clock_now();
	load_rows(copy, plan);
	ms_relmap_close_all(relmap);
	ms_wire_exec(copy->wire, "COMMIT");
	if (plan->no_read_views && copy->chunk->end_file == NULL)
		copy->chunk->end_file = ms_snapshot_source_position(copy->wire,
															&copy->chunk->end_pos);
	ms_wire_exec(copy->wire, "SET NAMES utf8mb4");
	keep_rate(copy);
	ms_copy_set_superuser(copy);

	copy->chunk->rows = copy->rows;
	copy->chunk->bytes = copy->bytes;
	ms_catalog_set_chunk_done(copy->table, copy->chunk);
	/* what is shown as done must not be done again after a crash */
	ForceSyncCommit();
	PopActiveSnapshot();
	ms_relmap_destroy(relmap);
}

/*
 * Cut the table into chunks and empty the target, inside the open
 * transaction.
 */
static void
plan_table(MsCopy *copy)
{
	ListCell   *lc;

	ms_shmem_copy_progress(MS_COPY_PHASE_PLANNING, 0, 0);
	PushActiveSnapshot(GetTransactionSnapshot());
	ms_copy_set_owner(copy);
	empty_target(copy->table);
	ms_copy_set_superuser(copy);
	ms_catalog_delete_chunks(copy->table);
	foreach(lc, ms_snapshot_cut(copy->wire, copy->sub, copy->table,
								copy->task.one_chunk ? 0 : chunk_rows(copy)))
		ms_catalog_insert_chunk(copy->table, lfirst(lc));
	ms_catalog_set_table_state(copy->table, MS_TABLE_COPYING);
	PopActiveSnapshot();
}

/* ------------------------------------------------------------------------
 * The process
 * ------------------------------------------------------------------------
 */

static void
load_subscription(MsCopy *copy, int32 subid)
{
	copy->sub = ms_catalog_get_subscription(subid);
	if (copy->sub == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the subscription was dropped")));
	ms_options_parse(copy->sub->options, &copy->options);
	copy->table = ms_catalog_get_table(subid, copy->task.db, copy->task.table);
	if (copy->table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("table \"%s.%s\" is no longer part of the subscription",
						copy->task.db, copy->task.table)));
}

static void
run_task(MsCopy *copy, int32 subid)
{
	MemoryContext cxt = CurrentMemoryContext;

	copy->values_changed = 0;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	load_subscription(copy, subid);
	ms_server_options_load(get_foreign_server_oid(copy->sub->server, false),
						   copy->sub->owner, &copy->server);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	ms_worker_init_session(copy->options.synchronous_commit);

	if (copy->task.kind == MS_COPY_KIND_CONSTRAINTS)
	{
		ms_shmem_copy_progress(MS_COPY_PHASE_CONSTRAINTS, 0, 0);
		ms_copy_make_constraints(copy);
		return;
	}
	if (copy->wire == NULL)
	{
		MemoryContextSwitchTo(TopMemoryContext);
		copy->wire = ms_wire_connect(&copy->server);
		MemoryContextSwitchTo(cxt);
	}
	if (copy->task.kind == MS_COPY_KIND_FINISH)
	{
		ms_copy_finish_table(copy);
		return;
	}
	if (copy->task.kind == MS_COPY_KIND_HELP)
	{
		ms_copy_help_with_indexes(copy);
		return;
	}
	if (copy->task.kind == MS_COPY_KIND_PLAN)
	{
		check_server(copy, copy->wire);
		ms_copy_wait_prepared(copy->wire, copy->table);
	}
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	if (copy->task.kind == MS_COPY_KIND_PLAN)
		plan_table(copy);
	else
		copy_chunk(copy);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
}

/* The table could not be copied: say so where people look. */
static void
record_failure(const MsCopy *copy, int32 subid, ErrorData *edata)
{
	char	   *text = ms_worker_error_text(edata);
	int			sqlerrcode = edata->sqlerrcode;

	/* what is simply done again is no error */
	if (sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE)
	{
		StartTransactionCommand();
		ms_catalog_set_table_error(subid, copy->task.db, copy->task.table,
								   text);
		CommitTransactionCommand();
	}
	ms_shmem_copy_finish(false, 0, sqlerrcode, text);
}

/*
 * Entry point.  arg is the slot and the worker's number in it.
 */
void
ms_snapshot_worker_main(Datum arg)
{
	int			number = DatumGetInt32(arg);
	Oid			dboid;
	int32		subid;
	MsCopy		copy = {0};
	MemoryContext cxt;

	ms_worker_init_process();
	if (!ms_shmem_copy_attach(number / MS_MAX_SNAPSHOT_WORKERS,
							  number % MS_MAX_SNAPSHOT_WORKERS,
							  &dboid, &subid, &copy.task))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(dboid, InvalidOid, 0);
	ms_crash_guard_enter(dboid, subid,
						 MS_GUARD_SNAPSHOT_WORKER(number % MS_MAX_SNAPSHOT_WORKERS));

	/* no progress to keep: the table's state says what has been loaded */
	replorigin_session_origin = DoNotReplicateId;

	cxt = AllocSetContextCreate(TopMemoryContext, "mariadb_sync snapshot worker",
								ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		do
		{
			run_task(&copy, subid);
			MemoryContextSwitchTo(cxt);
			MemoryContextReset(cxt);
			ms_crash_guard_progress();
			ms_shmem_copy_finish(true, copy.values_changed, 0, NULL);
		} while (ms_shmem_copy_next(&copy.task));
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(cxt);
		edata = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		MemoryContextSwitchTo(cxt);
		record_failure(&copy, subid, edata);
	}
	PG_END_TRY();
	proc_exit(0);
}
