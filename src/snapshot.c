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

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "snapshot.h"
#include "worker.h"

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
	uint32		source_server_id;
	TablePlan  *assigned[MS_MAX_SNAPSHOT_WORKERS];
	BackgroundWorkerHandle *handles[MS_MAX_SNAPSHOT_WORKERS];
}			leader;

/* ------------------------------------------------------------------------
 * Positions
 * ------------------------------------------------------------------------
 */

/*
 * Compare two positions of one server: "base.000123" orders by its number,
 * which grows longer.
 */
int
ms_snapshot_compare_positions(const char *file1, uint64 pos1, const char *file2,
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
		ms_snapshot_compare_positions(position->file, position->pos,
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
	leader.source_server_id = source_server_id;

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
refresh_plan(TablePlan *plan, const MsCopyTask *task)
{
	bool		own = begin_catalog();
	MsSubTable *table = ms_catalog_get_table(leader.sub->subid,
											 plan->sub->source_db,
											 plan->sub->source_table);
	MemoryContext oldcxt;

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("table \"%s\" is no longer part of the subscription",
						plan->name)));
	oldcxt = MemoryContextSwitchTo(leader.cxt);
	plan->sub->state = table->state;
	plan->sub->snapshot_pos = table->snapshot_pos;
	plan->sub->snapshot_server_id = table->snapshot_server_id;
	plan->sub->snapshot_file = table->snapshot_file ? pstrdup(table->snapshot_file) : NULL;
	plan->sub->state_gtid = table->state_gtid ? pstrdup(table->state_gtid) : NULL;
	MemoryContextSwitchTo(oldcxt);
	if (task->values_changed > 0)
	{
		leader.counters[MS_CNT_VALUES_CHANGED] += task->values_changed;
		ms_catalog_save_counters(leader.sub->subid, leader.counters);
	}
	end_catalog(own);
}

/* Look after a snapshot worker that has ended. */
static void
collect(int worker)
{
	TablePlan  *plan = leader.assigned[worker];
	MsCopyTask	task;
	pid_t		pid;

	if (plan == NULL)
		return;
	ms_shmem_copy_get(worker, &task);
	if (task.state == MS_COPY_STARTING &&
		GetBackgroundWorkerPid(leader.handles[worker], &pid) == BGWH_STOPPED)
	{
		/* unless it was quick and is done */
		ms_shmem_copy_get(worker, &task);
		if (task.state == MS_COPY_STARTING)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("the snapshot worker for table \"%s\" could not start",
							plan->name)));
	}
	if (task.pid != 0 ||
		(task.state != MS_COPY_DONE && task.state != MS_COPY_FAILED))
		return;

	leader.assigned[worker] = NULL;
	pfree(leader.handles[worker]);
	leader.handles[worker] = NULL;
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
		refresh_plan(plan, &task);
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
	MsCopyTask	task = {0};
	char	   *gtid = ms_gtid_format_list(&floor->gtid);

	task.phase = phase;
	strlcpy(task.db, plan->sub->source_db, MS_NAME_MAX);
	strlcpy(task.table, plan->sub->source_table, MS_NAME_MAX);
	strlcpy(task.floor_file, floor->file, MS_FILE_NAME_MAX);
	task.floor_pos = floor->pos;
	strlcpy(task.floor_gtid, gtid, MS_GTID_TEXT_MAX);
	task.source_server_id = leader.source_server_id;
	pfree(gtid);
	if (!ms_shmem_copy_assign(worker, &task))
		elog(ERROR, "snapshot worker %d is busy", worker);

	leader.assigned[worker] = plan;
	ms_worker_fill(&bgw, "ms_snapshot_worker_main",
				   psprintf("mariadb_sync snapshot worker for %s",
							leader.sub->name),
				   Int32GetDatum(ms_shmem_my_slot() * MS_MAX_SNAPSHOT_WORKERS +
								 worker));
	if (!RegisterDynamicBackgroundWorker(&bgw, &leader.handles[worker]))
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
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1000, PG_WAIT_EXTENSION);
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
			return ms_snapshot_compare_positions(file, start_pos,
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
