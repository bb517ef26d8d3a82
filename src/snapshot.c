/*
 * snapshot.c - the first copy: lock-free, while the stream goes on.
 *
 * States of a table, kept in mariadb_sync.subscription_table:
 *
 *   pending -> copying -> copied -> ready
 *
 * The apply worker leads: between source transactions it marks a table as
 * copying, commits that, and only then starts a snapshot worker for it.  The
 * snapshot worker opens a consistent read view on the source, which comes
 * with its exact binlog position P, loads the rows, builds the secondary
 * indexes and marks the table copied, with P, all in one transaction.
 *
 * What becomes of a row event meanwhile, decided once for each source
 * transaction and table:
 *
 *   pending  dropped: the copy will see it, because the read view is opened
 *            after the table left this state and is not older than the end
 *            of the last transaction the stream had seen then (the floor)
 *   copying  wait for the copy, then as copied
 *   copied   applied if the transaction begins at or after P, else dropped
 *   ready    applied
 *
 * When the stream has passed P the table is ready; that is written in the
 * same commit as the position.  The floor matters because a transaction
 * reaches the binlog, and us, before it is visible to a new read view.
 *
 * A crash leaves tables as copying without a worker; they start over as
 * pending.  The copy's transaction was rolled back, so nothing is left of it.
 * Positions hold on one server only: when the source has become another one,
 * tables that are copied but not ready are copied again.
 *
 * Foreign keys are made when every table is ready, by a snapshot worker too.
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
#include "pgstat.h"
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

#include "mariadb_sync.h"
#include "snapshot.h"
#include "typemap.h"
#include "wire.h"
#include "worker.h"

/* how long prepared XA transactions may keep a copy from starting */
#define XA_WAIT_MS		30000
/* rows between two reports of progress */
#define PROGRESS_ROWS	1000

/* The leader's state. */
static struct
{
	const MsSubscription *sub;
	const MsSubscriptionOptions *options;
	MsRelmap   *relmap;
	uint64	   *counters;
	MemoryContext cxt;
	List	   *unsettled;		/* of TablePlan *: not ready yet */
	List	   *constraints;	/* of TablePlan *: foreign keys to be made */
	TablePlan  *assigned[MS_MAX_SNAPSHOT_WORKERS];
}			leader;

/* ------------------------------------------------------------------------
 * Positions
 * ------------------------------------------------------------------------
 */

/*
 * Compare two positions of one server: "base.000123" orders by its number,
 * which grows longer.
 */
static int
compare_positions(const char *file1, uint64 pos1, const char *file2,
				  uint64 pos2)
{
	size_t		len1 = strlen(file1);
	size_t		len2 = strlen(file2);
	int			cmp;

	if (len1 != len2)
		return len1 < len2 ? -1 : 1;
	cmp = strcmp(file1, file2);
	if (cmp != 0)
		return cmp;
	return pos1 < pos2 ? -1 : pos1 > pos2 ? 1 : 0;
}

/* Has the stream passed the table's copy? */
static bool
is_passed(const MsStreamPosition *position, const MsSubTable *table)
{
	MsGtidList	copy;
	char	   *ours;
	bool		equal;

	if (position->file[0] != '\0' &&
		compare_positions(position->file, position->pos,
						  table->snapshot_file, table->snapshot_pos) >= 0)
		return true;
	if (table->state_gtid == NULL)
		return false;

	/* nothing has come since: the stream stands where the copy was made */
	ms_gtid_init(&copy);
	if (!ms_gtid_parse_list(table->state_gtid, &copy))
		return false;
	ours = ms_gtid_format_list(&position->gtid);
	equal = strcmp(ours, ms_gtid_format_list(&copy)) == 0;
	return equal;
}

/* ------------------------------------------------------------------------
 * The leader
 * ------------------------------------------------------------------------
 */

/* Run in the open transaction, or in one of our own. */
static bool
begin_catalog(void)
{
	if (IsTransactionState())
		return false;
	StartTransactionCommand();
	return true;
}

static void
end_catalog(bool own)
{
	if (own)
		CommitTransactionCommand();
}

static void
set_plan_state(TablePlan *plan, MsTableState state)
{
	ms_catalog_set_table_state(plan->sub, state);
	plan->sub->state = state;
}

/*
 * Take up where the catalog says we are.  source_server_id tells whether the
 * positions in it still mean something.  Ends snapshot workers that an
 * earlier leader left behind.
 */
void
ms_snapshot_init(const MsSubscription *sub,
				 const MsSubscriptionOptions *options, MsRelmap *relmap,
				 uint32 source_server_id, uint64 *counters)
{
	ListCell   *lc;

	ms_shmem_copy_terminate_all();
	memset(&leader, 0, sizeof(leader));
	leader.sub = sub;
	leader.options = options;
	leader.relmap = relmap;
	leader.counters = counters;
	leader.cxt = CurrentMemoryContext;

	StartTransactionCommand();
	MemoryContextSwitchTo(leader.cxt);
	foreach(lc, ms_relmap_plans(relmap))
	{
		TablePlan  *plan = lfirst(lc);

		/* what a dead worker was copying was rolled back with it */
		if (plan->sub->state == MS_TABLE_COPYING ||
			(plan->sub->state == MS_TABLE_COPIED &&
			 plan->sub->snapshot_server_id != source_server_id))
			set_plan_state(plan, MS_TABLE_PENDING);
		if (plan->sub->state == MS_TABLE_PENDING ||
			plan->sub->state == MS_TABLE_COPIED)
			leader.unsettled = lappend(leader.unsettled, plan);
		if (plan->sub->deferred_ddl != NIL)
			leader.constraints = lappend(leader.constraints, plan);
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(leader.cxt);
}

/* Every table is ready, and there is nothing left to make. */
bool
ms_snapshot_settled(void)
{
	return leader.unsettled == NIL && leader.constraints == NIL;
}

/* Take over what the snapshot worker wrote about its table. */
static void
refresh_plan(TablePlan *plan)
{
	bool		own = begin_catalog();
	MsSubTable *table = ms_catalog_get_table(leader.sub->subid,
											 plan->sub->source_db,
											 plan->sub->source_table);
	MemoryContext oldcxt;

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is no longer part of the subscription",
						plan->name)));
	oldcxt = MemoryContextSwitchTo(leader.cxt);
	plan->sub->state = table->state;
	plan->sub->snapshot_pos = table->snapshot_pos;
	plan->sub->snapshot_server_id = table->snapshot_server_id;
	plan->sub->snapshot_file = table->snapshot_file ? pstrdup(table->snapshot_file) : NULL;
	plan->sub->state_gtid = table->state_gtid ? pstrdup(table->state_gtid) : NULL;
	MemoryContextSwitchTo(oldcxt);
	end_catalog(own);
}

/* Look after a snapshot worker that has ended. */
static void
collect(int worker)
{
	TablePlan  *plan = leader.assigned[worker];
	MsCopyTask	task;

	if (plan == NULL)
		return;
	ms_shmem_copy_get(worker, &task);
	if (task.pid != 0 ||
		(task.state != MS_COPY_DONE && task.state != MS_COPY_FAILED))
		return;

	leader.assigned[worker] = NULL;
	ms_shmem_copy_release(worker);
	if (task.state == MS_COPY_FAILED)
	{
		leader.counters[MS_CNT_SYNC_ERRORS]++;
		ereport(ERROR,
				(errcode(task.sqlerrcode),
				 errmsg("copy of source table \"%s\" failed", plan->name),
				 errdetail_internal("%s", task.error)));
	}
	if (task.phase == MS_COPY_PHASE_CONSTRAINTS)
		leader.constraints = list_delete_ptr(leader.constraints, plan);
	else
		refresh_plan(plan);
}

static void
collect_all(void)
{
	for (int i = 0; i < leader.options->snapshot_workers; i++)
		collect(i);
}

/*
 * Start a snapshot worker for a table.  The catalog already says so, and that
 * is committed.
 */
static void
launch(int worker, TablePlan *plan, MsCopyPhase phase,
	   const MsStreamPosition *floor)
{
	BackgroundWorker bgw;
	BackgroundWorkerHandle *handle;
	MsCopyTask	task = {0};
	char	   *gtid = ms_gtid_format_list(&floor->gtid);

	task.phase = phase;
	strlcpy(task.db, plan->sub->source_db, MS_NAME_MAX);
	strlcpy(task.table, plan->sub->source_table, MS_NAME_MAX);
	strlcpy(task.floor_file, floor->file, MS_FILE_NAME_MAX);
	task.floor_pos = floor->pos;
	strlcpy(task.floor_gtid, gtid, MS_GTID_TEXT_MAX);
	pfree(gtid);
	if (!ms_shmem_copy_assign(worker, &task))
		return;

	leader.assigned[worker] = plan;
	ms_worker_fill(&bgw, "ms_snapshot_worker_main",
				   psprintf("mariadb_sync snapshot worker for %s",
							leader.sub->name),
				   Int32GetDatum(ms_shmem_my_slot() * MS_MAX_SNAPSHOT_WORKERS +
								 worker));
	if (!RegisterDynamicBackgroundWorker(&bgw, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is free to copy table \"%s\"",
						plan->name),
				 errhint("Raise max_worker_processes, or lower option \"snapshot_workers\" of the subscription.")));
}

static TablePlan *
next_pending(void)
{
	ListCell   *lc;

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_PENDING)
			return plan;
	}
	return NULL;
}

static bool
any_passed(const MsStreamPosition *position)
{
	ListCell   *lc;

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPIED &&
			is_passed(position, plan->sub))
			return true;
	}
	return false;
}

/* Give free workers something to do. */
static void
assign_work(MsApply *apply)
{
	const MsStreamPosition *position = ms_apply_position(apply);

	for (int i = 0; i < leader.options->snapshot_workers; i++)
	{
		TablePlan  *plan;

		if (leader.assigned[i])
			continue;
		plan = next_pending();
		if (plan)
		{
			/* the mark must be committed before the worker exists */
			ms_apply_commit(apply);
			StartTransactionCommand();
			set_plan_state(plan, MS_TABLE_COPYING);
			CommitTransactionCommand();
			MemoryContextSwitchTo(leader.cxt);
			launch(i, plan, MS_COPY_PHASE_STARTING, position);
		}
		else if (leader.unsettled == NIL && leader.constraints != NIL &&
				 i == 0)
		{
			/* one table's after the other's: they lock their partners */
			ms_apply_commit(apply);
			launch(i, linitial(leader.constraints),
				   MS_COPY_PHASE_CONSTRAINTS, position);
		}
	}
}

/*
 * Move the copy on.  Called between source transactions, often; may commit
 * the open group.  Raises an error when a copy has failed.
 */
void
ms_snapshot_lead(MsApply *apply)
{
	MemoryContext oldcxt = CurrentMemoryContext;

	collect_all();
	if (any_passed(ms_apply_position(apply)))
	{
		/* settled by the commit */
		ms_apply_begin(apply);
		ms_apply_commit(apply);
	}
	assign_work(apply);
	MemoryContextSwitchTo(oldcxt);
}

/*
 * Should the rows that a source transaction, beginning at start_pos of file,
 * has for this table be applied?
 */
bool
ms_snapshot_row_wanted(TablePlan *plan, const char *file, uint64 start_pos)
{
	while (plan->sub->state == MS_TABLE_COPYING)
	{
		collect_all();
		if (plan->sub->state != MS_TABLE_COPYING)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}

	switch (plan->sub->state)
	{
		case MS_TABLE_PENDING:
		case MS_TABLE_COPYING:
		case MS_TABLE_DISABLED:
			return false;
		case MS_TABLE_COPIED:
			return compare_positions(file, start_pos,
									 plan->sub->snapshot_file,
									 plan->sub->snapshot_pos) >= 0;
		case MS_TABLE_READY:
			break;
	}
	return true;
}

/*
 * Inside the transaction that commits position: tables whose copy it has
 * passed are ready.
 */
void
ms_snapshot_settle(const MsStreamPosition *position)
{
	ListCell   *lc;

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state != MS_TABLE_COPIED ||
			!is_passed(position, plan->sub))
			continue;
		set_plan_state(plan, MS_TABLE_READY);
		leader.unsettled = foreach_delete_current(leader.unsettled, lc);
	}
}

/* ------------------------------------------------------------------------
 * The snapshot worker: reading
 * ------------------------------------------------------------------------
 */

/* What one copy works with. */
typedef struct Copy
{
	const MsSubscription *sub;
	MsSubscriptionOptions options;
	MsCopyTask	task;
	MsSubTable *table;
	MsWire	   *wire;
	int64		rows;
	int64		bytes;
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
		return compare_positions(copy->table->snapshot_file,
								 copy->table->snapshot_pos,
								 copy->task.floor_file,
								 copy->task.floor_pos) >= 0;
	if (copy->table->state_gtid == NULL)
		return false;
	ms_gtid_init(&floor);
	ms_gtid_init(&view);
	ms_gtid_parse_list_or_error(copy->task.floor_gtid, &floor);
	ms_gtid_parse_list_or_error(copy->table->state_gtid, &view);
	return ms_gtid_reached(&view, &floor);
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
	copy->table->snapshot_file = NULL;
	for (int i = 0; i < status->nrows; i++)
	{
		char	   *value = ms_result_cell(status, i, 1);

		if (pg_strcasecmp(ms_result_cell(status, i, 0), "Binlog_snapshot_file") == 0)
			copy->table->snapshot_file = value;
		else
			copy->table->snapshot_pos = strtou64(value, NULL, 10);
	}
	if (copy->table->snapshot_file == NULL ||
		copy->table->snapshot_file[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source gives no binlog position for a consistent snapshot"),
				 errhint("Binary logging must be on at the source (log_bin), with its binary logs in files.")));
	copy->table->state_gtid =
		ms_wire_query_value(copy->wire,
							psprintf("SELECT BINLOG_GTID_POS(%s, " UINT64_FORMAT ")",
									 ms_wire_quote_literal(copy->table->snapshot_file),
									 copy->table->snapshot_pos));
}

/* Open a read view that misses nothing. */
static void
open_complete_read_view(Copy *copy)
{
	TimestampTz start = GetCurrentTimestamp();

	ms_wire_exec(copy->wire, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
	for (;;)
	{
		bool		prepared = has_prepared_xa(copy->wire);

		open_read_view(copy);
		if (!prepared && reaches_floor(copy))
			return;
		ms_wire_exec(copy->wire, "ROLLBACK");

		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), XA_WAIT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 prepared ?
					 errmsg("prepared XA transactions on the source keep the copy from starting") :
					 errmsg("the source's read view does not reach GTID %s, which the stream has passed",
							copy->task.floor_gtid),
					 prepared ?
					 errhint("Commit or roll back the transactions that XA RECOVER shows on the source.") : 0));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* SELECT the recorded columns, in their order. */
static char *
build_select(const Copy *copy)
{
	List	   *columns = ms_source_columns_from_jsonb(copy->table->source_columns);
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
	return buf.data;
}

/* ------------------------------------------------------------------------
 * The snapshot worker: writing
 * ------------------------------------------------------------------------
 */

static void
set_owner(const Copy *copy)
{
	if (copy->options.run_as_owner)
		SetUserIdAndSecContext(copy->sub->owner, SECURITY_LOCAL_USERID_CHANGE);
}

static void
set_superuser(void)
{
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
}

static void
run_sql(const char *sql)
{
	int			rc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	rc = SPI_execute(sql, false, 0);
	if (rc < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(rc));
	SPI_finish();
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
		ms_target_insert(plan->target, len);
		copy->bytes += len;
		if (++copy->rows % PROGRESS_ROWS == 0)
			ms_shmem_copy_progress(MS_COPY_PHASE_COPYING, copy->rows,
								   copy->bytes);
		CHECK_FOR_INTERRUPTS();
	}
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
	ms_shmem_copy_progress(MS_COPY_PHASE_INDEXING, copy->rows, copy->bytes);
	tables = ms_remote_schema_fetch(copy->wire, copy->sub->patterns,
									copy->table->source_db,
									copy->table->source_table);
	if (tables == NIL)
		return;
	foreach(lc, ms_typemap_create_indexes(linitial(tables),
										  get_namespace_name(get_rel_namespace(copy->table->relid)),
										  get_rel_name(copy->table->relid)))
		run_sql(lfirst(lc));
}

/*
 * The copy of one table, in one transaction.
 */
static void
copy_table(Copy *copy)
{
	MsRelmap   *relmap = ms_relmap_create(copy->sub, &copy->options,
										  copy->sub->owner);
	TablePlan  *plan;

	ms_relmap_add(relmap, copy->table);
	plan = linitial(ms_relmap_plans(relmap));

	/* values come in their column's charset, as they do in the binlog */
	ms_wire_exec(copy->wire, "SET character_set_results = NULL");
	copy->table->snapshot_server_id =
		strtoul(ms_wire_query_value(copy->wire, "SELECT @@global.server_id"), NULL, 10);
	open_complete_read_view(copy);

	PushActiveSnapshot(GetTransactionSnapshot());
	set_owner(copy);
	empty_target(copy->table);
	ms_relmap_open(relmap, plan, NULL);
	ms_shmem_copy_progress(MS_COPY_PHASE_COPYING, 0, 0);
	load_rows(copy, plan);
	ms_relmap_close_all(relmap);
	ms_wire_exec(copy->wire, "COMMIT");
	ms_wire_exec(copy->wire, "SET NAMES utf8mb4");
	build_indexes(copy);
	set_superuser();

	ms_catalog_set_table_progress(copy->table, copy->rows, copy->bytes);
	ms_catalog_set_table_state(copy->table, MS_TABLE_COPIED);
	PopActiveSnapshot();
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
		set_owner(copy);
		run_sql(sql);
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
 * The snapshot worker: its life
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
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s.%s\" is no longer part of the subscription",
						copy->task.db, copy->task.table)));
}

static void
run_task(Copy *copy, int32 subid)
{
	MemoryContext cxt = CurrentMemoryContext;
	MsServerOptions server;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	load_subscription(copy, subid);
	ms_server_options_load(get_foreign_server_oid(copy->sub->server, false),
						   copy->sub->owner, &server);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	ms_worker_init_session(copy->options.synchronous_commit);

	if (copy->task.phase == MS_COPY_PHASE_CONSTRAINTS)
	{
		make_constraints(copy);
		return;
	}

	copy->wire = ms_wire_connect(&server);
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	copy_table(copy);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	ms_wire_close(copy->wire);
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
	ms_shmem_copy_finish(false, sqlerrcode, text);
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

	/* no progress to keep: the table's state says what has been loaded */
	replorigin_session_origin = DoNotReplicateId;

	cxt = AllocSetContextCreate(TopMemoryContext, "mariadb_sync snapshot worker",
								ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		run_task(&copy, subid);
		ms_shmem_copy_finish(true, 0, NULL);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(cxt);
		edata = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		MemoryContextSwitchTo(cxt);
		record_failure(&copy, subid, edata);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	proc_exit(0);
}
