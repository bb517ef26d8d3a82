/*
 * snapshot_finish.c - what a table gets when its rows are there: secondary
 * indexes, statistics, foreign keys.
 *
 * Part of the snapshot worker.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "ddl_diff.h"
#include "remote_schema.h"
#include "snapshot_internal.h"
#include "sql.h"
#include "typemap.h"
#include "worker.h"

/* how long a foreign key's statement waits for a lock, milliseconds */
#define LOCK_TIMEOUT "200"

/* Statements that make the indexes that are not needed to find rows. */
static List *
missing_indexes(MsCopy *copy)
{
	Oid			relid = copy->table->relid;
	MsSourceTable *table;

	if (!copy->table->created)
		return NIL;
	/* those of a table that is copied again are there */
	table = ms_source_table_from_jsonb(copy->table->source_schema);
	ms_options_bind_columns(table->columns, copy->table->columns,
							&copy->options);
	return list_concat(ms_model_missing_indexes(table, relid),
					   ms_typemap_create_matching_indexes(table,
														  get_namespace_name(get_rel_namespace(relid)),
														  get_rel_name(relid)));
}

/*
 * Build what a table that holds what the source held is lacking, and open it
 * with the last: only then are its keys unique.
 *
 * Each index has a transaction of its own.  The stream waits for the one that
 * is being built when it has rows of this table, and goes on after each.
 * CREATE INDEX CONCURRENTLY would not make it wait, but would itself wait for
 * every older snapshot in the database: for reports and dumps, and forever
 * for whoever waits in a query for the table to be ready.
 */
static void
build_indexes(MsCopy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *statements = NIL;
	bool		listed = false;

	while (!listed || statements != NIL)
	{
		StartTransactionCommand();
		MemoryContextSwitchTo(cxt);
		PushActiveSnapshot(GetTransactionSnapshot());
		ms_copy_set_owner(copy);
		if (!listed)
			statements = missing_indexes(copy);
		listed = true;
		if (statements != NIL)
		{
			ms_shmem_copy_progress(MS_COPY_PHASE_INDEXING, 0, 0);
			ms_sql_run(linitial(statements));
			statements = list_delete_first(statements);
		}
		ms_copy_set_superuser(copy);
		if (statements == NIL)
			ms_catalog_set_table_state(copy->table, MS_TABLE_READY);
		PopActiveSnapshot();
		CommitTransactionCommand();
		MemoryContextSwitchTo(cxt);
	}
}

/* The table's copy is complete: build the rest and open it. */
void
ms_copy_finish_table(MsCopy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;

	build_indexes(copy);

	/* apart, as nobody should wait for it */
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	ms_copy_set_owner(copy);
	ms_sql_run(psprintf("ANALYZE %s",
						quote_qualified_identifier(get_namespace_name(get_rel_namespace(copy->table->relid)),
												   get_rel_name(copy->table->relid))));
	ms_copy_set_superuser(copy);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
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
 * Run a statement in a transaction of its own.  A failure is logged and
 * recorded: the source may hold rows that break a constraint.  False when the
 * locks could not be had.
 */
static bool
try_statement(MsCopy *copy, const char *sql)
{
	MemoryContext cxt = CurrentMemoryContext;
	char	   *name = psprintf("%s.%s", copy->table->source_db,
								copy->table->source_table);
	char	   *volatile error = NULL;

	StartTransactionCommand();
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		ms_copy_set_owner(copy);
		ms_sql_run(sql);
		ms_copy_set_superuser(copy);
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
		if (edata->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			return false;
		/* it may work later, and it is still on the list */
		if (ms_worker_is_transient(edata->sqlerrcode))
			ReThrowError(edata);
		if (edata->sqlerrcode != ERRCODE_DUPLICATE_OBJECT)
			error = ms_worker_error_text(edata);
	}
	PG_END_TRY();

	if (error == NULL)
		return true;
	ereport(WARNING,
			(errmsg("constraint on the target of \"%s\" could not be made", name),
			 errdetail("%s", error),
			 errhint("Statement: %s", sql)));
	StartTransactionCommand();
	ms_catalog_add_history(copy->sub->subid, "constraint", NULL, name, sql,
						   error);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	return true;
}

/*
 * The same until it gets its locks.  A foreign key locks two tables, in an
 * order that the leader's transaction need not have: who waits for only a
 * short while does not deadlock with it.
 */
static void
run_statement(MsCopy *copy, const char *sql)
{
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	while (!try_statement(copy, sql))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 50, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
}

/* Make the table's foreign keys, then check the rows that are there. */
void
ms_copy_make_constraints(MsCopy *copy)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *validations;
	ListCell   *lc;

	foreach(lc, copy->table->deferred_ddl)
		run_statement(copy, lfirst(lc));

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	validations = unvalidated_constraints(copy->table->relid);
	ms_catalog_clear_deferred_ddl(copy->table);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	foreach(lc, validations)
		run_statement(copy, lfirst(lc));
}
