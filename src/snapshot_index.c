/*
 * snapshot_index.c - the secondary indexes of a table whose copy is complete.
 *
 * Part of the snapshot worker.  There are two ways to build them:
 *
 *   plainly       Each has a transaction of its own.  The stream waits for the
 *                 one that is being built when it has rows of this table, and
 *                 goes on after each.  Snapshot workers that have nothing else
 *                 to do help: an index is claimed by a lock before it is built.
 *   concurrently  The stream goes on.  But the table is read twice, nobody can
 *                 help, and every older snapshot in the database is waited for:
 *                 reports, dumps, and without end a query that waits for the
 *                 table to be ready.
 *
 * So a table is indexed concurrently when it is large, when the stream changes
 * it, and when nobody has an old snapshot.  One that turns up later is waited
 * for a while, then the rest is built plainly.  What CREATE INDEX CONCURRENTLY
 * leaves of an index when it fails, or when the server crashes, is dropped
 * before anything is built; and when the worker is to end, before it does, as
 * the table may have left the subscription.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "ddl_diff.h"
#include "half_made.h"
#include "remote_schema.h"
#include "snapshot_internal.h"
#include "sql.h"
#include "typemap.h"
#include "worker.h"

/* smaller tables are indexed in an instant */
#define CONCURRENT_MIN_BLOCKS	((16 * 1024 * 1024) / BLCKSZ)

/* how long others are waited for, milliseconds */
#define CONCURRENT_LOCK_TIMEOUT	"5000"

#define OLD_SNAPSHOT_QUERY \
	"SELECT FROM pg_catalog.pg_stat_activity" \
	" WHERE datname = pg_catalog.current_database()" \
	" AND backend_type = 'client backend' AND backend_xmin IS NOT NULL" \
	" AND xact_start < pg_catalog.clock_timestamp() - interval '1 s'"

/* set by the signal handler */
static volatile sig_atomic_t asked_to_end = false;

/* and what it is to do */
static volatile sig_atomic_t ending_cancels = false;

static void
handle_sigterm(SIGNAL_ARGS)
{
	asked_to_end = true;
	if (ending_cancels)
		StatementCancelHandler(postgres_signal_arg);
}

/* ------------------------------------------------------------------------
 * What is to be built
 * ------------------------------------------------------------------------
 */

/* The table as it is recorded, its columns with their options; not named. */
MsSourceTable *
ms_copy_recorded_table(const MsCopy *copy)
{
	MsSourceTable *table = ms_source_table_from_jsonb(copy->table->source_schema);

	ms_options_bind_columns(table->columns, copy->table->columns,
							&copy->options);
	return table;
}

static IndexStmt *
parse(const char *sql)
{
	return castNode(IndexStmt,
					linitial_node(RawStmt, pg_parse_query(sql))->stmt);
}

/* Has another worker built it meanwhile? */
static bool
is_there(const MsCopy *copy, const char *sql)
{
	AcceptInvalidationMessages();
	return OidIsValid(get_relname_relid(parse(sql)->idxname,
										get_rel_namespace(copy->table->relid)));
}

static bool
is_unfit(const MsCopy *copy, const char *sql)
{
	const char *name = parse(sql)->idxname;
	ListCell   *lc;

	foreach(lc, copy->unfit)
		if (strcmp(lfirst(lc), name) == 0)
		return true;
	return false;
}

/*
 * Statements that make the indexes that are not needed to find rows.  Those of
 * a table that is copied again are there.
 */
static List *
missing_indexes(MsCopy *copy)
{
	Oid			relid = copy->table->relid;
	MsSourceTable *table;
	List	   *statements = NIL;
	ListCell   *lc;

	if (!copy->table->created)
		return NIL;
	table = ms_copy_recorded_table(copy);
	foreach(lc, ms_model_missing_indexes(table, relid))
		if (!is_unfit(copy, lfirst(lc)))
		statements = lappend(statements, lfirst(lc));
	foreach(lc, ms_typemap_create_matching_indexes(table,
												   get_namespace_name(get_rel_namespace(relid)),
												   get_rel_name(relid)))
		if (!is_there(copy, lfirst(lc)) && !is_unfit(copy, lfirst(lc)))
		statements = lappend(statements, lfirst(lc));
	return statements;
}

/* Drop what was left half made, without making the stream wait for readers. */
static void
drop_invalid_indexes(MsCopy *copy)
{
	List	   *names;
	ListCell   *lc;

	ms_copy_begin(copy);
	names = ms_half_made_indexes(copy->table);
	ms_copy_commit(copy);
	foreach(lc, names)
	{
		ErrorData  *error = ms_copy_run_statement(copy,
												  psprintf("DROP INDEX IF EXISTS %s",
														   (char *) lfirst(lc)));

		if (error)
			ReThrowError(error);
	}
}

/* ------------------------------------------------------------------------
 * Building
 * ------------------------------------------------------------------------
 */

static bool
may_build_concurrently(MsCopy *copy)
{
	Relation	rel;
	bool		may;

	ms_copy_begin(copy);
	rel = table_open(copy->table->relid, AccessShareLock);
	may = copy->table->changes &&
		rel->rd_rel->relkind == RELKIND_RELATION &&
		RelationGetNumberOfBlocks(rel) >= CONCURRENT_MIN_BLOCKS;
	table_close(rel, NoLock);
	/* what others do is not for everybody to see */
	ms_copy_set_superuser(copy);
	may = may && !ms_sql_has_rows(OLD_SNAPSHOT_QUERY);
	ms_copy_set_owner(copy);
	ms_copy_commit(copy);
	return may;
}

/*
 * Be the one who builds it, until the end of the transaction.  Without wait,
 * false when somebody else is.
 */
static bool
claim(const MsCopy *copy, const char *sql, bool wait)
{
	const char *name = parse(sql)->idxname;
	LOCKTAG		tag;

	/* two names that hash alike are built one after the other */
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId,
					   copy->table->relid,
					   (uint16) hash_bytes((const unsigned char *) name,
										   strlen(name)));
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Build an index with CREATE INDEX CONCURRENTLY, which ends and begins
 * transactions.  False when it has waited too long for those of others.
 */
static bool
build_concurrently(MsCopy *copy, const char *sql)
{
	MemoryContext cxt = CurrentMemoryContext;
	PlannedStmt *planned = makeNode(PlannedStmt);
	IndexStmt  *index = parse(sql);
	ErrorData  *volatile error = NULL;
	bool		in_the_way;

	index->concurrent = true;
	planned->commandType = CMD_UTILITY;
	planned->canSetTag = true;
	planned->utilityStmt = (Node *) index;

	SetConfigOption("lock_timeout", CONCURRENT_LOCK_TIMEOUT, PGC_SUSET,
					PGC_S_OVERRIDE);
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());

		/*
		 * A restricted context would not outlive the first transaction.
		 * PostgreSQL has one of its own whenever it runs what the table's
		 * owner may have written; our statement names columns only.
		 */
		if (copy->options.run_as_owner)
			SetUserIdAndSecContext(ms_role_for_table(copy->sub->owner,
													 copy->table->relid), 0);
		ProcessUtility(planned, sql, false, PROCESS_UTILITY_TOPLEVEL, NULL,
					   NULL, None_Receiver, NULL);
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	if (error == NULL)
	{
		ereport(DEBUG1,
				(errmsg_internal("index \"%s\" was built concurrently",
								 index->idxname)));
		return true;
	}
	if (asked_to_end)
		ReThrowError(error);

	in_the_way = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
	if (in_the_way)
		ereport(LOG,
				(errmsg("index \"%s\" is not built concurrently: other transactions are in the way",
						index->idxname),
				 errdetail_internal("%s", error->message)));
	drop_invalid_indexes(copy);
	/* will be found out once more, and recorded */
	if (error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		return true;
	if (!in_the_way)
		ReThrowError(error);
	return false;
}

/*
 * Build an index, in the open transaction.  One that cannot be made of the
 * rows is done without: the source has them, and nothing here depends on it.
 * Only who is responsible for the table records it.
 */
static void
build_plainly(MsCopy *copy, const char *sql, bool helps)
{
	char	   *error;
	char	   *name;

	ms_shmem_copy_progress(MS_COPY_PHASE_INDEXING, 0, 0);
	error = ms_sql_make_index(sql);
	if (error == NULL)
		return;
	copy->unfit = lappend(copy->unfit, pstrdup(parse(sql)->idxname));
	if (helps)
		return;
	name = psprintf("%s.%s", copy->table->source_db, copy->table->source_table);
	ereport(WARNING,
			(errmsg("an index on the target of \"%s\" could not be made", name),
			 errdetail_internal("%s", error),
			 errhint("Statement: %s", sql)));
	ms_copy_set_superuser(copy);
	ms_catalog_add_history(copy->sub->subid, "index", NULL, name, sql, error);
	ms_copy_set_owner(copy);
}

/*
 * Build the next index that nobody else is building.  False when there is none
 * left; then the table is ready, unless we only help.
 */
static bool
build_next(MsCopy *copy, bool helps)
{
	List	   *missing;
	bool		more;
	bool		claimed = false;
	ListCell   *lc;

	ms_copy_begin(copy);
	missing = missing_indexes(copy);
	if (!helps)
		ms_shmem_copy_want_help(list_length(missing) - 1);
	foreach(lc, missing)
	{
		claimed = claim(copy, lfirst(lc), false);
		if (claimed)
			break;
	}
	more = claimed || (missing != NIL && !helps);
	if (claimed && !is_there(copy, lfirst(lc)))
		build_plainly(copy, lfirst(lc), helps);
	else if (!claimed && more)
		(void) claim(copy, linitial(missing), true);
	if (!more && !helps)
	{
		ms_copy_set_superuser(copy);
		ms_catalog_set_table_state(copy->table, MS_TABLE_READY);
		ms_copy_set_owner(copy);
	}
	ms_copy_commit(copy);
	return more;
}

/*
 * Build what can be built concurrently; what cannot is left to be built
 * plainly.
 */
static void
build_all_concurrently(MsCopy *copy)
{
	List	   *missing;
	ListCell   *lc;

	ms_copy_begin(copy);
	missing = missing_indexes(copy);
	ms_copy_commit(copy);
	if (missing != NIL)
		ms_shmem_copy_progress(MS_COPY_PHASE_INDEXING, 0, 0);
	foreach(lc, missing)
	{
		/* what is left of one with another name would not be found again */
		if (!parse(lfirst(lc))->if_not_exists &&
			!build_concurrently(copy, lfirst(lc)))
			break;
	}
}

/* The worker is to end: drop what it leaves half made, then end. */
static void
end_building(MsCopy *copy)
{
	/* we are told more than once */
	pqsignal(SIGTERM, handle_sigterm);
	AbortOutOfAnyTransaction();
	QueryCancelPending = false;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	ms_half_made_drop(copy->sub, copy->table, copy->options.run_as_owner);
	PopActiveSnapshot();
	CommitTransactionCommand();

	ms_worker_handle_sigterm(SIGTERM);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Build concurrently what can be.  Being asked to end is an error meanwhile,
 * and not the end at once.
 */
static void
build_ahead(MsCopy *copy)
{
	ending_cancels = true;
	pqsignal(SIGTERM, handle_sigterm);
	PG_TRY();
	{
		drop_invalid_indexes(copy);
		if (may_build_concurrently(copy))
			build_all_concurrently(copy);
	}
	PG_CATCH();
	{
		ending_cancels = false;
		pqsignal(SIGTERM, ms_worker_handle_sigterm);
		if (!asked_to_end)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	ending_cancels = false;
	pqsignal(SIGTERM, ms_worker_handle_sigterm);
	if (asked_to_end)
		end_building(copy);
}

/*
 * Build what a table that holds what the source held is lacking, and open it
 * with the last: only then are its keys unique.
 */
void
ms_copy_build_indexes(MsCopy *copy)
{
	copy->unfit = NIL;
	if (copy->table->created)
		build_ahead(copy);
	while (build_next(copy, false))
		;
}

/* Another worker has more of that than it can do at once. */
void
ms_copy_help_with_indexes(MsCopy *copy)
{
	copy->unfit = NIL;
	while (build_next(copy, true))
		;
}
