/*
 * apply.c - source transactions into PostgreSQL transactions.
 *
 * Alone commits streamed data.  Events come in one by one; a small state
 * machine knows whether a source transaction (an event group, begun by its
 * GTID event) is open and how it may end:
 *
 *   outside --GTID--> in transaction --XID, COMMIT, standalone QUERY--> outside
 *
 * One PostgreSQL transaction, a *group*, holds one or more complete source
 * transactions.  It is committed when the stream has nothing more to read, or
 * when it is large or old enough, always at a source transaction's end, with
 * the position in the same commit.  Nothing is kept in memory: rows are
 * written as they come.
 *
 * A source transaction that has to be discarded (ROLLBACK, or a source that
 * crashed while writing it) is undone by aborting the group.  When that would
 * lose complete transactions before it, the worker restarts from the stored
 * position in single mode: groups of one, up to the transaction in question.
 * Errors are handled the same way, so that what came before is kept and the
 * error is of the transaction it names.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/origin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "apply.h"
#include "apply_internal.h"
#include "apply_parallel.h"
#include "cascade.h"
#include "clock.h"
#include "crash_guard.h"
#include "ddl_apply.h"
#include "ddl_scan.h"
#include "encoding.h"
#include "mariadb_sync.h"
#include "sequence.h"
#include "snapshot.h"

/* counters reach the catalog at most this often, in milliseconds */
#define STATS_INTERVAL	1000

/*
 * A new state, at gtid_position.  counters are the process' own.  Lives in
 * the current context, as everything passed must.
 */
MsApply *
ms_apply_create(const MsSubscription *sub,
				const MsSubscriptionOptions *options, MsRelmap *relmap,
				const char *gtid_position, uint64 *counters)
{
	MsApply    *apply = palloc0(sizeof(MsApply));
	char		single[MS_GTID_TEXT_MAX];

	apply->sub = sub;
	apply->options = options;
	apply->relmap = relmap;
	apply->counters = counters;
	apply->event_cxt = AllocSetContextCreate(CurrentMemoryContext,
											 "mariadb_sync event",
											 ALLOCSET_DEFAULT_SIZES);
	apply->row_cxt = AllocSetContextCreate(CurrentMemoryContext,
										   "mariadb_sync row",
										   ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&apply->format);
	initStringInfo(&apply->held);
	ms_event_parser_init(&apply->parser);
	ms_gtid_init(&apply->position.gtid);
	ms_gtid_parse_list_or_error(gtid_position, &apply->position.gtid);
	ms_gtid_init(&apply->single_until);
	if (ms_shmem_get_single(single))
		apply->single = ms_gtid_parse_list(single, &apply->single_until);
	(void) ms_shmem_get_careful(apply->careful_gtid);
	apply->savepoints = ms_savepoints_create();
	if (options->apply_workers > 0)
		apply->parallel = ms_parallel_create(apply);
	return apply;
}

/*
 * The same for a parallel worker, which is told positions, and takes up only
 * what nothing is special about.
 */
MsApply *
ms_apply_create_member(const MsSubscription *sub,
					   const MsSubscriptionOptions *options, MsRelmap *relmap,
					   uint64 *counters, MsMember *member)
{
	MsApply    *apply = ms_apply_create(sub, options, relmap, "", counters);

	apply->member = member;
	apply->single = false;
	apply->careful_gtid[0] = '\0';
	return apply;
}

const MsStreamPosition *
ms_apply_position(const MsApply *apply)
{
	return &apply->position;
}

/* Between source transactions. */
bool
ms_apply_at_boundary(const MsApply *apply)
{
	return !apply->in_transaction &&
		!ms_parallel_is_gathering(apply->parallel);
}

bool
ms_apply_has_open_group(const MsApply *apply)
{
	return apply->group_open || ms_parallel_is_on(apply->parallel);
}

/* The transaction being applied, or NULL. */
const char *
ms_apply_current_gtid(const MsApply *apply)
{
	return apply->gtid_text[0] ? apply->gtid_text : NULL;
}

/* Would an abort lose complete source transactions? */
bool
ms_apply_group_has_predecessors(const MsApply *apply)
{
	return apply->group_open &&
		apply->group_transactions > (apply->in_transaction ? 0 : 1);
}

/* After an error: the table it was about, if that is known. */
const MsSubTable *
ms_apply_failed_table(const MsApply *apply)
{
	return apply->plan ? apply->plan->sub : NULL;
}

/* After an error: was the transaction being applied row by row? */
bool
ms_apply_is_careful(const MsApply *apply)
{
	return apply->careful;
}

void
ms_apply_set_control(MsApply *apply, MsWire *wire)
{
	apply->control = wire;
}

void
ms_apply_set_clock_offset(MsApply *apply, int64 usec)
{
	apply->clock_offset = usec;
}

/*
 * When the source committed the last transaction, in our clock.  0 while
 * parallel workers say so themselves.
 */
TimestampTz
ms_apply_source_time(const MsApply *apply)
{
	return ms_parallel_is_on(apply->parallel) ? 0 : apply->source_time;
}

/* Has a table appeared that should join?  Asked once. */
bool
ms_apply_rescan_wanted(MsApply *apply)
{
	bool		wanted = apply->rescan;

	apply->rescan = false;
	return wanted;
}

/* ------------------------------------------------------------------------
 * The PostgreSQL transaction
 * ------------------------------------------------------------------------
 */

/*
 * Open the group's transaction, as the role that changes are applied as.
 */
void
ms_apply_begin(MsApply *apply)
{
	if (apply->group_open)
		return;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (apply->options->run_as_owner)
		ms_role_become(apply->sub->owner, &apply->role);
	/* what begins a transaction leaves its context current */
	MemoryContextSwitchTo(apply->event_cxt);
	apply->group_open = true;
	apply->group_transactions = 0;
	apply->group_rows = 0;
	apply->group_started = ms_clock_now();
}

/* Undo the group, which holds nothing complete. */
static void
abort_group(MsApply *apply)
{
	if (!apply->group_open)
		return;
	ms_relmap_abort(apply->relmap);
	AbortCurrentTransaction();
	MemoryContextSwitchTo(apply->event_cxt);
	apply->group_open = false;
}

/* Write the counters into the catalog, inside the open transaction. */
static void
save_stats(MsApply *apply)
{
	ListCell   *lc;

	foreach(lc, ms_relmap_plans(apply->relmap))
	{
		TablePlan  *plan = lfirst(lc);

		if (!plan->dirty)
			continue;
		ms_catalog_add_table_counters(plan->sub, plan->inserts, plan->updates,
									  plan->deletes, plan->conflicts);
		plan->inserts = plan->updates = plan->deletes = plan->conflicts = 0;
		plan->dirty = false;
	}
	/* the leader has those of all workers */
	if (apply->member == NULL)
		ms_catalog_save_counters(apply->sub->subid, apply->counters);
	apply->stats_dirty = false;
	apply->stats_saved = ms_clock_now();
}

static void
publish(MsApply *apply, bool idle, TimestampTz commit_time)
{
	char	   *text = ms_gtid_format_list(&apply->position.gtid);

	/* what is received and applied is the same at the end of a group */
	ms_shmem_report(text, text, idle ? text : NULL,
					apply->position.file[0] ? apply->position.file : NULL,
					apply->position.pos, commit_time, apply->counters, idle);
	pfree(text);
}

/*
 * An 8-byte form of the position for the replication origin: the file's
 * number and the offset.  Informative only.
 */
static XLogRecPtr
origin_lsn(const MsStreamPosition *position)
{
	const char *dot = strrchr(position->file, '.');
	uint32		number = dot ? (uint32) strtoul(dot + 1, NULL, 10) : 0;

	return ((uint64) number << 32) | Max((uint32) position->pos, 1);
}

static void
commit_group(MsApply *apply)
{
	char	   *gtid;

	ms_relmap_close_all(apply->relmap);
	if (apply->member)
		ms_member_await_turn(apply->member);
	else
		ms_snapshot_settle(&apply->position);
	gtid = ms_gtid_format_list(&apply->position.gtid);
	if (apply->options->run_as_owner)
		ms_role_return(&apply->role);
	ms_catalog_set_position(apply->sub->subid, gtid,
							apply->position.file[0] ? apply->position.file : NULL,
							apply->position.pos);
	pfree(gtid);
	if (apply->stats_dirty &&
		TimestampDifferenceExceeds(apply->stats_saved, ms_clock_now(),
								   STATS_INTERVAL))
		save_stats(apply);

	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	replorigin_session_origin_lsn = origin_lsn(&apply->position);
	replorigin_session_origin_timestamp = apply->source_time;
	CommitTransactionCommand();
	MemoryContextSwitchTo(apply->event_cxt);
	apply->group_open = false;
	apply->commit_now = false;
	apply->group_transactions = 0;
	apply->gtid_text[0] = '\0';
	if (apply->member)
		ms_member_committed(apply->member, apply, GetCurrentTimestamp());
	pgstat_report_stat(false);
	if (apply->member)
		return;

	if (apply->single && ms_gtid_reached(&apply->position.gtid, &apply->single_until))
	{
		apply->single = false;
		ms_shmem_set_single(NULL);
	}
	if (apply->careful)
	{
		apply->careful = false;
		apply->careful_gtid[0] = '\0';
		ms_shmem_set_careful(NULL);
	}
	publish(apply, false, GetCurrentTimestamp());
	ms_crash_guard_progress();
}

/* Commit the group that is open in this process, if there is one. */
static void
commit_own(MsApply *apply)
{
	ErrorContextCallback callback;

	Assert(!apply->in_transaction);
	if (!apply->group_open)
		return;
	if (apply->event)
	{
		/* the context is there already */
		commit_group(apply);
		return;
	}
	callback.callback = ms_apply_error_callback;
	callback.arg = apply;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	commit_group(apply);
	error_context_stack = callback.previous;
}

/*
 * Commit the group and its position, which must be at the end of a source
 * transaction.  Rows that were batched are written now, so this can fail in
 * all the ways that applying can; the GTID is that of the last transaction.
 * What parallel workers have in flight is committed, too.
 */
void
ms_apply_commit(MsApply *apply)
{
	if (ms_parallel_is_on(apply->parallel))
		ms_parallel_leave(apply);
	else
		commit_own(apply);
}

/*
 * The stream has run dry between source transactions: commit.  False when
 * parallel workers are still at it; they set the latch.
 */
bool
ms_apply_rest(MsApply *apply)
{
	commit_own(apply);
	return apply->parallel == NULL || ms_parallel_rest(apply);
}

/* Is all well with what other processes do for us? */
void
ms_apply_check(MsApply *apply)
{
	if (apply->parallel)
		ms_parallel_check(apply);
}

/* Commit a parallel worker's group; the leader says what that comes to. */
void
ms_apply_commit_at(MsApply *apply, const MsStreamPosition *position,
				   TimestampTz source_time)
{
	apply->source_time = source_time;
	strlcpy(apply->position.file, position->file, MS_FILE_NAME_MAX);
	apply->position.pos = position->pos;
	ms_gtid_copy(&apply->position.gtid, &position->gtid);
	commit_own(apply);
}

/*
 * Save counters that have waited long enough.  Returns how many milliseconds
 * until it should be called again, -1 = not needed.  Needs no open group.
 */
long
ms_apply_flush_stats(MsApply *apply)
{
	long		elapsed;

	if (!apply->stats_dirty || apply->group_open)
		return -1;
	elapsed = TimestampDifferenceMilliseconds(apply->stats_saved, ms_clock_now());
	if (elapsed < STATS_INTERVAL)
		return STATS_INTERVAL - elapsed + 1;

	ms_apply_save_stats(apply);
	/* waiting in there may have swallowed a wake-up: look again at once */
	return 0;
}

/* Save counters now.  Needs no open group. */
void
ms_apply_save_stats(MsApply *apply)
{
	StartTransactionCommand();
	save_stats(apply);
	CommitTransactionCommand();
	MemoryContextSwitchTo(apply->event_cxt);
}

/* Everything received is applied, and nothing more waits (or not any more). */
void
ms_apply_report_idle(MsApply *apply, bool idle)
{
	publish(apply, idle, 0);
}

static bool
group_is_full(const MsApply *apply)
{
	/* a parallel worker is told */
	if (apply->member)
		return false;
	if (apply->single || apply->careful || apply->commit_now)
		return true;
	return apply->group_transactions >= apply->options->commit_max_transactions ||
		apply->group_rows >= apply->options->commit_max_rows ||
		TimestampDifferenceExceeds(apply->group_started, ms_clock_now(),
								   apply->options->commit_max_delay);
}

/* ------------------------------------------------------------------------
 * The source transaction
 * ------------------------------------------------------------------------
 */

static void
begin_transaction(MsApply *apply, const MsEvent *event)
{
	if (apply->in_transaction)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("a source transaction begins inside another")));
	apply->gtid = event->gtid;
	ms_gtid_format(&apply->gtid.gtid, apply->gtid_text);
	apply->in_transaction = true;
	apply->serial++;
	apply->start_pos = event->next_pos - event->length;
	apply->wrote = apply->defined = false;
	apply->careful = apply->careful_gtid[0] != '\0' &&
		strcmp(apply->careful_gtid, apply->gtid_text) == 0;
	apply->skipping = apply->sub->skip_gtid != NULL &&
		strcmp(apply->sub->skip_gtid, apply->gtid_text) == 0;
	ms_savepoints_begin(apply->savepoints, apply->gtid_text);
	apply->xa_prepared = (event->gtid.flags2 & MS_GTID_PREPARED_XA) != 0;
	if (event->timestamp != 0)
		apply->source_time = time_t_to_timestamptz((pg_time_t) event->timestamp) +
			apply->clock_offset;
	ms_apply_begin(apply);
	if (apply->xa_prepared)
		ms_apply_hold_begin(apply);
}

/* skip_transaction() was asked for this one: that is done and told. */
static void
finish_skipping(MsApply *apply)
{
	apply->skipping = false;
	ms_apply_forget(apply);
	ms_catalog_set_skip_gtid(apply->sub->subid, NULL);
	ms_catalog_add_history(apply->sub->subid, "skip", apply->gtid_text, NULL,
						   NULL, "skipped by skip_transaction()");
	ereport(LOG,
			(errmsg("subscription \"%s\" has skipped the transaction %s, as skip_transaction() asked",
					apply->sub->name, apply->gtid_text)));
}

/* It is complete: the position moves on. */
static void
end_transaction(MsApply *apply, const MsEvent *event)
{
	ms_savepoints_end(apply);
	apply->in_transaction = false;
	apply->plan = NULL;
	if (unlikely(apply->skipping))
		finish_skipping(apply);
	apply->done = apply->gtid.gtid;
	ms_gtid_update(&apply->position.gtid, &apply->done);
	strlcpy(apply->position.file, apply->current_file, MS_FILE_NAME_MAX);
	apply->position.pos = event->next_pos;
	apply->group_transactions++;
	apply->counters[MS_CNT_TRANSACTIONS]++;
	apply->stats_dirty = true;
	if (apply->parallel && ms_parallel_is_wanted(apply))
	{
		ms_apply_commit(apply);
		ms_parallel_enter(apply);
	}
	else if (group_is_full(apply))
		ms_apply_commit(apply);
}

/*
 * Before a long wait in the middle of a source transaction: commit what is
 * complete and hold no transaction open, if the one at hand has not written
 * anything yet.  ms_apply_begin() goes on.
 */
void
ms_apply_let_go(MsApply *apply)
{
	const MsEvent *event = apply->event;
	const TablePlan *plan = apply->plan;
	bool		careful = apply->careful;

	if (!apply->group_open || apply->wrote)
		return;
	if (apply->group_transactions == 0)
	{
		abort_group(apply);
		return;
	}
	/* what fails now is about the transactions before the one at hand */
	ms_gtid_format(&apply->done, apply->gtid_text);
	apply->in_transaction = apply->careful = false;
	apply->event = NULL;
	apply->plan = NULL;
	commit_group(apply);
	apply->event = event;
	apply->plan = plan;
	apply->in_transaction = true;
	apply->careful = careful;
	ms_gtid_format(&apply->gtid.gtid, apply->gtid_text);
}

/*
 * End, for a new worker that begins at the last commit and goes one by one up
 * to this transaction.
 */
void
ms_apply_start_over(MsApply *apply, const char *why)
{
	if (apply->member)
		ms_member_hand_back(apply, why);
	ms_shmem_set_single(apply->gtid_text);
	ms_shmem_set_exit(MS_EXIT_RESTART);
	ereport(LOG,
			(errmsg("subscription \"%s\" starts over at its last commit: %s",
					apply->sub->name, why)));
	proc_exit(0);
}

/*
 * Undo the source transaction that is open.  If complete ones before it
 * would be lost with it, start over from the stored position, one by one.
 */
static void
discard_transaction(MsApply *apply, const char *why)
{
	if (apply->group_transactions > 0)
		ms_apply_start_over(apply, why);
	abort_group(apply);
}

/*
 * The source stopped while it wrote a transaction; what there is of it never
 * happened.
 */
static void
discard_partial(MsApply *apply)
{
	static const char why[] = "the source ended inside a transaction";

	if (!apply->in_transaction)
		return;
	/* the relmap has the tables as it defined them */
	if (apply->defined)
		ms_savepoints_undo_all(apply, why);
	discard_transaction(apply, why);
	ms_savepoints_discard(apply->savepoints);
	ereport(LOG,
			(errmsg("subscription \"%s\" discarded the incomplete transaction %s",
					apply->sub->name, apply->gtid_text)));
	apply->in_transaction = false;
	apply->plan = NULL;
	apply->gtid_text[0] = '\0';
}

/*
 * The source has rolled back what it wrote.  Its rows are undone.  A change of
 * structure is not, nor is it for a replica of MariaDB's: in this way a CREATE
 * OR REPLACE ... SELECT that has failed tells that it dropped the table.
 */
static void
roll_back(MsApply *apply)
{
	if (apply->defined)
		ms_savepoints_undo_rows(apply);
	else if (apply->wrote)
	{
		discard_transaction(apply, "the source rolled a transaction back");
		ms_apply_begin(apply);
	}
}

void
ms_apply_not_supported(const MsApply *apply, const char *what,
					   const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s at GTID %s is not supported", what, apply->gtid_text),
			 hint ? errhint("%s", hint) : 0));
}

/* ------------------------------------------------------------------------
 * Statements
 * ------------------------------------------------------------------------
 */

static void
apply_truncate(MsApply *apply, const MsStatement *statement)
{
	MsTableName *name = linitial(statement->tables);
	TablePlan  *plan = ms_relmap_find_name(apply->relmap, name->db, name->table);

	if (plan == NULL || plan->sub->state == MS_TABLE_DISABLED)
		return;
	if (plan->sub->state == MS_TABLE_COPIED)
	{
		/* an index that is being built would wait for us as we do for it */
		ms_apply_let_go(apply);
		ms_snapshot_wait_for_table(plan);
		ms_apply_begin(apply);
	}
	apply->plan = plan;
	if (!ms_apply_rows_wanted(apply, plan) ||
		(apply->options->publish & MS_PUBLISH_TRUNCATE) == 0)
		return;
	ms_relmap_close_all(apply->relmap);
	apply->wrote = true;
	if (plan->verdict == MS_COPY_ASK_CHUNK && plan->sub->state != MS_TABLE_READY)
	{
		/* some chunks may be of before and some of after */
		ms_snapshot_restart_table(plan);
		plan->verdict = MS_COPY_DROP;
		return;
	}
	ms_target_truncate(plan->sub->relid);
	apply->counters[MS_CNT_TRUNCATES]++;
}

/* Does the statement change the definition of a table of ours? */
static const char *
ddl_touches(MsApply *apply, const MsStatement *statement)
{
	const char *touched = NULL;
	ListCell   *lc;

	foreach(lc, statement->tables)
	{
		MsTableName *name = lfirst(lc);
		TablePlan  *plan = ms_relmap_find_name(apply->relmap, name->db,
											   name->table);

		/* a table that is created or renamed into the patterns */
		if (plan == NULL)
			apply->rescan |= ms_relmap_matches(apply->relmap, name->db, name->table);
		else if (touched == NULL && plan->sub->state != MS_TABLE_DISABLED)
			touched = plan->name;
	}
	if (touched)
		return touched;
	if (statement->kind == MS_STMT_DROP_DATABASE)
	{
		foreach(lc, ms_relmap_plans(apply->relmap))
		{
			TablePlan  *plan = lfirst(lc);

			if (strcmp(plan->sub->source_db, statement->db) == 0)
				return plan->name;
		}
	}
	return NULL;
}

/*
 * A structure change, when they are not applied: one of a mapped table stops
 * the subscription, or is left to the user.
 */
static void
refuse_ddl(MsApply *apply, const MsStatement *statement, const char *sql,
		   uint64 sql_mode)
{
	const char *touched = ddl_touches(apply, statement);

	if (touched == NULL ||
		(statement->kind == MS_STMT_CREATE_TABLE && statement->if_not_exists))
		return;
	apply->counters[MS_CNT_DDL]++;
	if (apply->options->ddl == MS_DDL_IGNORE)
	{
		ereport(LOG,
				(errmsg("subscription \"%s\" ignores %s of \"%s\" at GTID %s",
						apply->sub->name, statement->verb, touched,
						apply->gtid_text)));
		ms_catalog_add_history(apply->sub->subid, "ddl", apply->gtid_text,
							   touched, ms_ddl_without_secrets(sql, sql_mode),
							   "ignored");
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s of source table \"%s\" at GTID %s stops the subscription",
					statement->verb, touched, apply->gtid_text),
			 errdetail("Option \"ddl\" is stop."),
			 errhint("Set option \"ddl\" to apply, or to ignore if the change does not concern the columns.")));
}

static void
apply_ddl(MsApply *apply, const MsStatement *statement,
		  const MsQueryEvent *query, const char *sql)
{
	if (ms_savepoints_is_void(apply->savepoints))
		return;
	if (apply->options->ddl == MS_DDL_APPLY)
		ms_ddl_apply(apply, statement, query, sql);
	else
		refuse_ddl(apply, statement, sql, query->sql_mode);
}

/* A QUERY event; true when it ends the source transaction. */
static bool
apply_query(MsApply *apply, const MsQueryEvent *query)
{
	bool		standalone = (apply->gtid.flags2 & MS_GTID_STANDALONE) != 0;
	MsStatement statement;
	char	   *db;
	char	   *sql;

	if (!apply->in_transaction)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("QUERY event outside a transaction")));
	if (!standalone && query->sql_len == strlen("COMMIT") &&
		memcmp(query->sql, "COMMIT", query->sql_len) == 0)
		return true;
	if (apply->skipping)
		return standalone ||
			(query->sql_len == strlen("ROLLBACK") &&
			 memcmp(query->sql, "ROLLBACK", query->sql_len) == 0);

	/* the start of a two-phase ALTER: it has not happened yet */
	if (apply->gtid.flags_extra & (MS_GTID_EXTRA_START_ALTER |
								   MS_GTID_EXTRA_ROLLBACK_ALTER))
		return standalone;

	db = ms_utf8_to_server(query->db, query->db_len);
	sql = ms_client_to_server(query->sql, query->sql_len, query->charset);
	ms_ddl_scan(sql, strlen(sql), db, query->sql_mode, &statement);
	if (unlikely(apply->passed != NIL) && statement.kind != MS_STMT_DML)
		ms_apply_recheck_passed(apply, sql, &statement, query->sql_mode);
	switch (statement.kind)
	{
		case MS_STMT_OTHER:
			if (apply->options->ddl != MS_DDL_IGNORE &&
				ms_sequence_is_statement(query->sql, query->sql_len))
				apply->rescan = true;
			break;
		case MS_STMT_COMMIT:
			break;
		case MS_STMT_SAVEPOINT:
			ms_savepoints_set(apply->savepoints, statement.savepoint);
			break;
		case MS_STMT_ROLLBACK_TO:
			ms_savepoints_go_back(apply, statement.savepoint);
			break;
		case MS_STMT_ROLLBACK:
			roll_back(apply);
			return true;
		case MS_STMT_XA_END:
			break;
		case MS_STMT_XA_COMMIT:
			ms_apply_replay(apply);
			break;
		case MS_STMT_XA_ROLLBACK:
			ms_apply_forget(apply);
			break;
		case MS_STMT_TRUNCATE:
			apply_truncate(apply, &statement);
			break;
		case MS_STMT_CREATE_TABLE:
		case MS_STMT_TABLE_DDL:
		case MS_STMT_DROP_DATABASE:
			apply_ddl(apply, &statement, query, sql);
			break;
		case MS_STMT_DML:
			ms_apply_statement(apply, statement.verb, sql, db, query->sql_mode);
			break;
	}
	return standalone;
}

/* ------------------------------------------------------------------------
 * The event
 * ------------------------------------------------------------------------
 */

static void
copy_file_name(char *file, const MsRotateEvent *event)
{
	int			len = Min(event->file_len, MS_FILE_NAME_MAX - 1);

	memcpy(file, event->file, len);
	file[len] = '\0';
}

/* A source at rest says where its binlog ends: all that is before we have. */
static void
note_heartbeat(MsApply *apply, const MsRotateEvent *event)
{
	char		file[MS_FILE_NAME_MAX];

	copy_file_name(file, event);
	if (apply->in_transaction || file[0] == '\0' || event->position == 0 ||
		(apply->position.file[0] != '\0' &&
		 ms_snapshot_compare_positions(file, event->position,
									   apply->position.file,
									   apply->position.pos) <= 0))
		return;
	strlcpy(apply->position.file, file, MS_FILE_NAME_MAX);
	apply->position.pos = event->position;
}

/*
 * Events that the source writes between transactions: what a read view shows
 * may end behind one of them.  They tell nothing of where a stream begins.
 */
static void
note_event_between(MsApply *apply, const MsEvent *event)
{
	if (apply->in_transaction || apply->position.file[0] == '\0' ||
		apply->current_file[0] == '\0' || event->next_pos == 0 ||
		(event->flags & MS_EVENT_FLAG_ARTIFICIAL) ||
		ms_snapshot_compare_positions(apply->current_file, event->next_pos,
									  apply->position.file,
									  apply->position.pos) <= 0)
		return;
	strlcpy(apply->position.file, apply->current_file, MS_FILE_NAME_MAX);
	apply->position.pos = event->next_pos;
}

static void
apply_parsed(MsApply *apply, const MsEvent *event)
{
	switch ((MsEventType) event->type)
	{
		case MS_EVENT_FORMAT_DESCRIPTION:
			discard_partial(apply);
			ms_relmap_forget_ids(apply->relmap);
			apply->format_serial++;
			resetStringInfo(&apply->format);
			appendBinaryStringInfo(&apply->format, (const char *) apply->raw,
								   apply->raw_len);
			note_event_between(apply, event);
			break;
		case MS_EVENT_ROTATE:
			discard_partial(apply);
			copy_file_name(apply->current_file, &event->rotate);
			break;
		case MS_EVENT_STOP:
			discard_partial(apply);
			break;
		case MS_EVENT_GTID:
			discard_partial(apply);
			begin_transaction(apply, event);
			break;
		case MS_EVENT_TABLE_MAP:
			if (!ms_relmap_is_linked(apply->relmap))
				ms_cascade_link(apply->relmap);
			ms_relmap_table_map(apply->relmap, &event->table_map);
			if (apply->xa_prepared)
				ms_apply_hold_table_map(apply, event->table_map.table_id);
			break;
		case MS_EVENT_WRITE_ROWS:
		case MS_EVENT_UPDATE_ROWS:
		case MS_EVENT_DELETE_ROWS:
		case MS_EVENT_WRITE_ROWS_COMPRESSED:
		case MS_EVENT_UPDATE_ROWS_COMPRESSED:
		case MS_EVENT_DELETE_ROWS_COMPRESSED:
			ms_apply_rows(apply, &event->rows);
			break;
		case MS_EVENT_QUERY:
		case MS_EVENT_QUERY_COMPRESSED:
		case MS_EVENT_EXECUTE_LOAD_QUERY:
			if (apply_query(apply, &event->query))
				end_transaction(apply, event);
			break;
		case MS_EVENT_XID:
		case MS_EVENT_XA_PREPARE:
			if (apply->in_transaction)
			{
				if (apply->xa_prepared)
					ms_apply_hold_end(apply);
				end_transaction(apply, event);
			}
			break;
		case MS_EVENT_HEARTBEAT:
			note_heartbeat(apply, &event->rotate);
			break;
		case MS_EVENT_GTID_LIST:
		case MS_EVENT_BINLOG_CHECKPOINT:
		case MS_EVENT_START_ENCRYPTION:
			note_event_between(apply, event);
			break;
		case MS_EVENT_ANNOTATE_ROWS:
			break;
		case MS_EVENT_INTVAR:
		case MS_EVENT_RAND:
		case MS_EVENT_USER_VAR:
		case MS_EVENT_BEGIN_LOAD_QUERY:
		case MS_EVENT_APPEND_BLOCK:
		case MS_EVENT_DELETE_FILE:
			/* go with a statement, which decides */
			break;
		case MS_EVENT_INCIDENT:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("the source reports that events are missing from its binary log"),
					 errhint("Drop the subscription and create it again to copy the tables anew.")));
			break;
		default:
			if ((event->flags & MS_EVENT_FLAG_IGNORABLE) == 0)
				ms_apply_not_supported(apply, psprintf("binlog event type %d (%s)",
													   event->type,
													   ms_event_type_name(event->type)),
									   NULL);
			break;
	}
}

/*
 * Apply one event in this process.
 *
 * Errors name the GTID, the event, the table and the column; after one the
 * state is of no more use and the worker ends.
 */
void
ms_apply_event_alone(MsApply *apply, const uint8 *data, size_t len)
{
	MsEvent		event;
	ErrorContextCallback callback;

	callback.callback = ms_apply_error_callback;
	callback.arg = apply;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	MemoryContextSwitchTo(apply->event_cxt);
	apply->plan = NULL;
	apply->row = NULL;
	apply->event = NULL;
	ms_event_parse(&apply->parser, data, len, &event);
	apply->event = &event;
	apply->raw = data;
	apply->raw_len = len;
	apply->counters[MS_CNT_BYTES_RECEIVED] += len;
	apply_parsed(apply, &event);
	apply->event = NULL;
	apply->plan = NULL;
	MemoryContextReset(apply->event_cxt);

	error_context_stack = callback.previous;
}

/*
 * Take one event from the stream.
 */
void
ms_apply_event(MsApply *apply, const uint8 *data, size_t len)
{
	if (apply->parallel == NULL || !ms_parallel_take(apply, data, len))
		ms_apply_event_alone(apply, data, len);
}
