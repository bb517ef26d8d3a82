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
#include "catalog/pg_authid.h"
#include "executor/spi.h"
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
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "crash_guard.h"
#include "mariadb_sync.h"
#include "snapshot.h"
#include "sql.h"
#include "typemap.h"
#include "wire.h"
#include "worker.h"

/* how long prepared XA transactions may keep a copy from starting */
#define XA_WAIT_MS		30000
/* where the first event of a binlog file is */
#define BINLOG_HEAD		4
/* how long the head of a new file is waited on */
#define HEAD_WAIT_MS	1000
/* rows between two reports of progress */
#define PROGRESS_ROWS	1000

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* What one copy works with. */
typedef struct Copy
{
	const MsSubscription *sub;
	MsSubscriptionOptions options;
	MsCopyTask	task;
	MsSubTable *table;
	MsChunk    *chunk;			/* the one being loaded */
	MsWire	   *wire;			/* kept between tasks */
	TimestampTz started;		/* loading */
	int64		rows;
	int64		bytes;
	uint64		values_changed; /* by a policy */
} Copy;

/* Are transactions prepared that neither copy nor stream would show? */
static bool
has_prepared_xa(MsWire *wire)
{
	return ms_wire_query(wire, "XA RECOVER")->nrows > 0;
}

/* Is the read view at or after the leader's floor? */
static bool
reaches_floor(const Copy *copy)
{
	MsGtidList	floor;
	MsGtidList	view;

	if (copy->task.floor_file[0] != '\0')
		return ms_snapshot_compare_positions(copy->chunk->snapshot_file,
								 copy->chunk->snapshot_pos,
								 copy->task.floor_file,
								 copy->task.floor_pos) >= 0;
	if (copy->chunk->state_gtid == NULL)
		return false;
	ms_gtid_init(&floor);
	ms_gtid_init(&view);
	ms_gtid_parse_list_or_error(copy->task.floor_gtid, &floor);
	ms_gtid_parse_list_or_error(copy->chunk->state_gtid, &view);
	return ms_gtid_reached(&view, &floor);
}

static char *
gtid_at(Copy *copy, uint64 pos)
{
	return ms_wire_query_value(copy->wire,
							   psprintf("SELECT BINLOG_GTID_POS(%s, " UINT64_FORMAT ")",
										ms_wire_quote_literal(copy->chunk->snapshot_file),
										pos));
}

/*
 * Open a read view and learn its binlog position.  MariaDB takes both
 * together, without a lock that a writer would notice.
 */
static void
open_read_view(Copy *copy)
{
	MsResult   *status;

	ms_wire_exec(copy->wire, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
	status = ms_wire_query(copy->wire, "SHOW STATUS WHERE Variable_name IN"
						   " ('Binlog_snapshot_file', 'Binlog_snapshot_position')");
	copy->chunk->snapshot_file = NULL;
	for (int i = 0; i < status->nrows; i++)
	{
		char	   *value = ms_result_cell(status, i, 1);

		if (pg_strcasecmp(ms_result_cell(status, i, 0), "Binlog_snapshot_file") == 0)
			copy->chunk->snapshot_file = value;
		else
			copy->chunk->snapshot_pos = strtou64(value, NULL, 10);
	}
	if (copy->chunk->snapshot_file == NULL ||
		copy->chunk->snapshot_file[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source gives no binlog position for a consistent snapshot"),
				 errhint("Binary logging must be on at the source (log_bin), with its binary logs in files.")));
	copy->chunk->state_gtid = gtid_at(copy, copy->chunk->snapshot_pos);
}

/*
 * Does the position stand at the head of a binlog file?  When the source
 * opens a new file it moves the position there before the last transactions
 * of the old one are visible: a read view opened just then lacks them.
 */
static bool
is_at_file_head(Copy *copy)
{
	char	   *head = gtid_at(copy, BINLOG_HEAD);

	return head && copy->chunk->state_gtid &&
		strcmp(head, copy->chunk->state_gtid) == 0;
}

/* How long a transaction may be in the binlog and not yet visible. */
static long
visibility_delay(MsWire *wire)
{
	MsResult   *res = ms_wire_query(wire, "SELECT @@global.rpl_semi_sync_master_enabled,"
									" @@global.rpl_semi_sync_master_timeout");

	if (strcmp(ms_result_cell(res, 0, 0), "1") == 0)
		return HEAD_WAIT_MS + strtol(ms_result_cell(res, 0, 1), NULL, 10);
	return HEAD_WAIT_MS;
}

static void
rest(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 10, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Open a read view that misses nothing: not older than the floor, without
 * prepared transactions around it (asked before and after, as either alone
 * leaves a gap), and not at the head of a file that has just been opened.
 */
static void
open_complete_read_view(Copy *copy)
{
	TimestampTz start = GetCurrentTimestamp();
	TimestampTz at_head = 0;
	char	   *head_file = NULL;
	uint64		head_pos = 0;

	ms_wire_exec(copy->wire, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
	for (;;)
	{
		bool		prepared = has_prepared_xa(copy->wire);
		bool		reached;

		open_read_view(copy);
		prepared = prepared || has_prepared_xa(copy->wire);
		reached = reaches_floor(copy);
		if (!prepared && reached)
		{
			TimestampTz now = GetCurrentTimestamp();

			if (ms_shmem_copy_is_quiet(copy->chunk->snapshot_file,
									   copy->chunk->snapshot_pos) ||
				!is_at_file_head(copy))
				return;
			if (at_head == 0 ||
				ms_snapshot_compare_positions(head_file, head_pos,
								  copy->chunk->snapshot_file,
								  copy->chunk->snapshot_pos) != 0)
			{
				at_head = now;
				head_file = copy->chunk->snapshot_file;
				head_pos = copy->chunk->snapshot_pos;
			}
			else if (TimestampDifferenceExceeds(at_head, now,
												visibility_delay(copy->wire)))
			{
				ms_shmem_copy_set_quiet(head_file, head_pos);
				return;
			}
			start = now;
		}
		ms_wire_exec(copy->wire, "ROLLBACK");

		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), XA_WAIT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 prepared ?
					 errmsg("prepared XA transactions on the source keep the copy from starting") :
					 errmsg("the source's read view does not reach GTID %s, which the stream has passed",
							copy->task.floor_gtid),
					 prepared ?
					 errhint("Commit or roll back the transactions that XA RECOVER shows on the source.") : 0));
		rest();
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
build_select(const Copy *copy)
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
	appendStringInfo(&buf, " FROM %s.%s",
					 ms_wire_quote_identifier(copy->table->source_db),
					 ms_wire_quote_identifier(copy->table->source_table));
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

/*
 * Act as the owner.  Restricted while rows are written: nothing that a row
 * sets off may run after we have become the superuser again.
 */
static void
set_owner(const Copy *copy, int flags)
{
	if (copy->options.run_as_owner)
		SetUserIdAndSecContext(copy->sub->owner,
							   SECURITY_LOCAL_USERID_CHANGE | flags);
}

static void
set_superuser(void)
{
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
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

/* Wait as long as snapshot_max_rate, shared by all workers, asks for. */
static void
keep_rate(const Copy *copy)
{
	double		rate = (double) copy->options.snapshot_max_rate /
		copy->options.snapshot_workers;

	while (rate > 0)
	{
		long		elapsed = TimestampDifferenceMilliseconds(copy->started,
															  GetCurrentTimestamp());
		long		ahead = (long) (copy->rows * 1000.0 / rate) - elapsed;

		if (ahead <= 0)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 ahead, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
load_rows(Copy *copy, TablePlan *plan)
{
	ErrorContextCallback callback;
	const uint8 *data;
	size_t		len;

	callback.callback = copy_error_callback;
	callback.arg = plan;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	if (ms_wire_rows_begin(copy->wire, build_select(copy)) != plan->format.ncolumns)
		elog(ERROR, "unexpected number of columns");
	while (ms_wire_rows_next(copy->wire, &data, &len))
	{
		MsRow		row = ms_target_insert_row(plan->target);
		MemoryContext oldcxt = MemoryContextSwitchTo(ms_target_insert_context(plan->target));

		ms_value_read_protocol_row(&plan->format, data, data + len,
								   row.values, row.isnull);
		MemoryContextSwitchTo(oldcxt);
		if (unlikely(ms_value_first_change))
			ms_relmap_report_changes(plan, &row, NULL);
		ms_target_insert(plan->target, len);
		copy->bytes += len;
		if (++copy->rows % PROGRESS_ROWS == 0)
		{
			ms_shmem_copy_progress(MS_COPY_PHASE_COPYING, copy->rows,
								   copy->bytes);
			keep_rate(copy);
		}
		CHECK_FOR_INTERRUPTS();
	}
	for (int i = 0; i < plan->format.ncolumns; i++)
		copy->values_changed += plan->format.columns[i].changed;
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

/* The indexes that are not needed to find rows. */
static void
build_indexes(Copy *copy)
{
	List	   *tables;
	ListCell   *lc;

	if (!copy->table->created)
		return;
	ms_shmem_copy_progress(MS_COPY_PHASE_INDEXING, 0, 0);
	tables = ms_remote_schema_fetch(copy->wire, copy->sub->patterns,
									copy->table->source_db,
									copy->table->source_table);
	if (tables == NIL)
		return;
	ms_options_bind_columns(((MsSourceTable *) linitial(tables))->columns,
							copy->table->columns, &copy->options);
	foreach(lc, ms_typemap_create_indexes(linitial(tables),
										  get_namespace_name(get_rel_namespace(copy->table->relid)),
										  get_rel_name(copy->table->relid)))
		ms_sql_run(lfirst(lc));
}

/* Which server is this?  The leader's, or nothing it knows is true here. */
static uint32
check_server(const Copy *copy)
{
	uint32		server_id = strtoul(ms_wire_query_value(copy->wire, "SELECT @@global.server_id"), NULL, 10);

	if (server_id != copy->task.source_server_id)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the copy reached another MariaDB server than the stream"),
				 errhint("The address of the server must lead to one MariaDB server at a time.")));
	return server_id;
}

/* Load one chunk and mark it done, inside the open transaction. */
static void
copy_chunk(Copy *copy)
{
	MsRelmap   *relmap = ms_relmap_create(copy->sub, &copy->options,
										  copy->sub->owner);
	TablePlan  *plan;

	ms_relmap_add(relmap, copy->table);
	plan = linitial(ms_relmap_plans(relmap));
	copy->chunk = ms_catalog_get_chunk(copy->table, copy->task.chunk);
	copy->rows = copy->bytes = 0;

	/* values come in their column's charset, as they do in the binlog */
	ms_wire_exec(copy->wire, "SET character_set_results = NULL");
	copy->chunk->snapshot_server_id = check_server(copy);
	open_complete_read_view(copy);

	PushActiveSnapshot(GetTransactionSnapshot());
	set_owner(copy, SECURITY_RESTRICTED_OPERATION);
	ms_relmap_open(relmap, plan, NULL);
	ms_shmem_copy_progress(MS_COPY_PHASE_COPYING, 0, 0);
	copy->started = GetCurrentTimestamp();
	load_rows(copy, plan);
	ms_relmap_close_all(relmap);
	ms_wire_exec(copy->wire, "COMMIT");
	ms_wire_exec(copy->wire, "SET NAMES utf8mb4");
	set_superuser();

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
plan_table(Copy *copy)
{
	ListCell   *lc;

	ms_shmem_copy_progress(MS_COPY_PHASE_PLANNING, 0, 0);
	check_server(copy);
	PushActiveSnapshot(GetTransactionSnapshot());
	set_owner(copy, SECURITY_RESTRICTED_OPERATION);
	empty_target(copy->table);
	set_superuser();
	ms_catalog_delete_chunks(copy->table);
	foreach(lc, ms_snapshot_cut(copy->wire, copy->sub, copy->table,
								copy->options.snapshot_chunk_rows))
		ms_catalog_insert_chunk(copy->table, lfirst(lc));
	ms_catalog_set_table_state(copy->table, MS_TABLE_COPYING);
	PopActiveSnapshot();
}

/* The table holds what the source held: build the rest and open it. */
static void
finish_table(Copy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	set_owner(copy, 0);
	build_indexes(copy);
	set_superuser();
	ms_catalog_set_table_state(copy->table, MS_TABLE_READY);
	PopActiveSnapshot();
	CommitTransactionCommand();

	/* apart, as nobody should wait for it */
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	set_owner(copy, SECURITY_RESTRICTED_OPERATION);
	ms_sql_run(psprintf("ANALYZE %s",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(copy->table->relid)),
												get_rel_name(copy->table->relid))));
	set_superuser();
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
}

/* Constraints of the target that have not been checked. */
static List *
unvalidated_constraints(Oid relid)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *result = NIL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(psprintf("SELECT pg_catalog.format('ALTER TABLE %%s VALIDATE CONSTRAINT %%I',"
							 " conrelid::pg_catalog.regclass, conname)"
							 " FROM pg_catalog.pg_constraint"
							 " WHERE conrelid = %u AND contype = 'f' AND NOT convalidated",
							 relid), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *sql = SPI_getvalue(SPI_tuptable->vals[i],
									   SPI_tuptable->tupdesc, 1);
		MemoryContext oldcxt = MemoryContextSwitchTo(cxt);

		result = lappend(result, pstrdup(sql));
		MemoryContextSwitchTo(oldcxt);
	}
	SPI_finish();
	return result;
}

/*
 * Run a statement in a transaction of its own.  A failure is logged and
 * recorded: the source may hold rows that break a constraint.
 */
static void
try_statement(Copy *copy, const char *sql)
{
	MemoryContext cxt = CurrentMemoryContext;
	char	   *name = psprintf("%s.%s", copy->table->source_db,
								copy->table->source_table);
	char	   *volatile error = NULL;

	StartTransactionCommand();
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		set_owner(copy, 0);
		ms_sql_run(sql);
		set_superuser();
		PopActiveSnapshot();
		CommitTransactionCommand();
		MemoryContextSwitchTo(cxt);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(cxt);
		edata = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(cxt);
		/* it may work later, and it is still on the list */
		if (ms_worker_is_transient(edata->sqlerrcode))
			ReThrowError(edata);
		if (edata->sqlerrcode != ERRCODE_DUPLICATE_OBJECT)
			error = ms_worker_error_text(edata);
	}
	PG_END_TRY();

	if (error == NULL)
		return;
	ereport(WARNING,
			(errmsg("constraint on the target of \"%s\" could not be made", name),
			 errdetail("%s", error),
			 errhint("Statement: %s", sql)));
	StartTransactionCommand();
	ms_catalog_add_history(copy->sub->subid, "constraint", NULL, name, sql,
						   error);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
}

/* Make the table's foreign keys, then check the rows that are there. */
static void
make_constraints(Copy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *validations;
	ListCell   *lc;

	foreach(lc, copy->table->deferred_ddl)
		try_statement(copy, lfirst(lc));

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	validations = unvalidated_constraints(copy->table->relid);
	ms_catalog_clear_deferred_ddl(copy->table);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	foreach(lc, validations)
		try_statement(copy, lfirst(lc));
}

/* ------------------------------------------------------------------------
 * The process
 * ------------------------------------------------------------------------
 */

static void
load_subscription(Copy *copy, int32 subid)
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
run_task(Copy *copy, int32 subid)
{
	MemoryContext cxt = CurrentMemoryContext;
	MsServerOptions server;

	copy->values_changed = 0;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	load_subscription(copy, subid);
	ms_server_options_load(get_foreign_server_oid(copy->sub->server, false),
						   copy->sub->owner, &server);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	ms_worker_init_session(copy->options.synchronous_commit);

	if (copy->task.kind == MS_COPY_KIND_CONSTRAINTS)
	{
		ms_shmem_copy_progress(MS_COPY_PHASE_CONSTRAINTS, 0, 0);
		make_constraints(copy);
		return;
	}
	if (copy->wire == NULL)
	{
		MemoryContextSwitchTo(TopMemoryContext);
		copy->wire = ms_wire_connect(&server);
		MemoryContextSwitchTo(cxt);
	}
	if (copy->task.kind == MS_COPY_KIND_FINISH)
	{
		finish_table(copy);
		return;
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
record_failure(const Copy *copy, int32 subid, ErrorData *edata)
{
	char	   *text = ms_worker_error_text(edata);
	int			sqlerrcode = edata->sqlerrcode;

	StartTransactionCommand();
	ms_catalog_set_table_error(subid, copy->task.db, copy->task.table, text);
	CommitTransactionCommand();
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
	Copy		copy = {0};
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
