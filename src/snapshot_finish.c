/*
 * snapshot_finish.c - what a table gets when its rows are there: indexes
 * (snapshot_index.c), statistics, foreign keys.
 *
 * Part of the snapshot worker.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_constraint.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "snapshot_internal.h"
#include "sql.h"
#include "typemap.h"
#include "worker.h"

/* how long a statement waits for a lock, milliseconds */
#define LOCK_TIMEOUT "200"
/* and pauses until it tries again, milliseconds */
#define MIN_PAUSE	50
#define MAX_PAUSE	2000

/*
 * Begin a transaction as the owner, with a lock that keeps the target from
 * being dropped.
 */
void
ms_copy_begin(MsCopy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	LockRelationOid(copy->table->relid, AccessShareLock);
	if (get_rel_name(copy->table->relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target table of \"%s.%s\" does not exist",
						copy->table->source_db, copy->table->source_table)));
	ms_copy_set_owner(copy);
}

void
ms_copy_commit(MsCopy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;

	ms_copy_set_superuser(copy);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
}

/* Run a statement in a transaction of its own.  NULL, or how it failed. */
static ErrorData *
try_statement(MsCopy *copy, const char *sql)
{
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		ms_copy_begin(copy);
		ms_sql_run(sql);
		ms_copy_commit(copy);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(cxt);
	}
	PG_END_TRY();
	return error;
}

/*
 * The same until it gets its locks.  Whoever waits for only a short while does
 * not deadlock with the leader's transaction, which may have locked two tables
 * in another order, and does not make it wait for others.
 */
ErrorData *
ms_copy_run_statement(MsCopy *copy, const char *sql)
{
	long		pause = MIN_PAUSE;
	ErrorData  *error;

	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	while ((error = try_statement(copy, sql)) != NULL &&
		   error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		pause = Min(pause * 2, MAX_PAUSE);
	}
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	return error;
}

/* The table's copy is complete: build the rest and open it. */
void
ms_copy_finish_table(MsCopy *copy)
{
	ms_copy_build_indexes(copy);

	/* apart, as nobody should wait for it */
	ms_copy_begin(copy);
	ms_sql_run(psprintf("ANALYZE %s",
						quote_qualified_identifier(get_namespace_name(get_rel_namespace(copy->table->relid)),
												   get_rel_name(copy->table->relid))));
	ms_copy_commit(copy);
}

/* ------------------------------------------------------------------------
 * Foreign keys
 * ------------------------------------------------------------------------
 */

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
 * Make a constraint, or check it.  A failure is logged and recorded: the
 * source may hold rows that break it.
 */
static void
run_constraint(MsCopy *copy, const char *sql)
{
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData  *error = ms_copy_run_statement(copy, sql);
	char	   *name = psprintf("%s.%s", copy->table->source_db,
								copy->table->source_table);
	char	   *text;

	if (error == NULL || error->sqlerrcode == ERRCODE_DUPLICATE_OBJECT)
		return;
	/* it may work later, and it is still on the list */
	if (ms_worker_is_transient(error->sqlerrcode))
		ReThrowError(error);
	text = ms_worker_error_text(error);
	ereport(WARNING,
			(errmsg("constraint on the target of \"%s\" could not be made", name),
			 errdetail("%s", text),
			 errhint("Statement: %s", sql)));
	StartTransactionCommand();
	ms_catalog_add_history(copy->sub->subid, "constraint", NULL, name, sql,
						   text);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
}

/*
 * Statements for the foreign keys that the table has by now, as far as both
 * ends are replicated and nobody has made them yet.
 */
static List *
missing_foreign_keys(const MsCopy *copy)
{
	const MsSubTable *sub = copy->table;
	MsSourceTable *table = ms_copy_recorded_table(copy);
	char	   *relname = get_rel_name(sub->relid);
	ListCell   *lc;

	if (relname == NULL)
		return NIL;
	table->db = sub->source_db;
	table->name = sub->source_table;
	foreach(lc, table->foreign_keys)
	{
		const MsSourceForeignKey *key = lfirst(lc);

		if (ms_catalog_get_table(sub->subid, key->ref_db, key->ref_table) == NULL ||
			OidIsValid(get_relation_constraint_oid(sub->relid,
												   ms_typemap_constraint_name(key),
												   true)))
			table->foreign_keys = foreach_delete_current(table->foreign_keys, lc);
	}
	return ms_typemap_create_foreign_keys(table,
										  get_namespace_name(get_rel_namespace(sub->relid)),
										  relname, &copy->options);
}

/* Make the table's foreign keys, then check the rows that are there. */
void
ms_copy_make_constraints(MsCopy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *statements;
	List	   *validations;
	ListCell   *lc;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	statements = missing_foreign_keys(copy);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	foreach(lc, statements)
		run_constraint(copy, lfirst(lc));

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	validations = unvalidated_constraints(copy->table->relid);
	ms_catalog_clear_foreign_keys_wait(copy->table);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	foreach(lc, validations)
		run_constraint(copy, lfirst(lc));
}
