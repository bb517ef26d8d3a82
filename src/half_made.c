/*
 * half_made.c - indexes that were left half made.
 *
 * CREATE INDEX CONCURRENTLY (snapshot_index.c) leaves an invalid index behind
 * when it fails, is ended, or when the server crashes.  Whoever goes on with
 * the copy drops it first.  Where nobody will, because the table leaves the
 * subscription, the one who takes it out does; and whoever is ended while
 * building, as the table may have left already.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "half_made.h"
#include "remote_schema.h"
#include "role.h"
#include "sql.h"
#include "subtransaction.h"
#include "typemap.h"

/* how long those who use a table are waited for, milliseconds */
#define LOCK_TIMEOUT "500"

/* Is it one of the indexes that we make, by its name? */
static bool
is_our_name(const MsSourceTable *table, const char *relname, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->indexes)
		if (ms_typemap_is_index_name(relname,
									 ((MsSourceIndex *) lfirst(lc))->name, name))
		return true;
	return false;
}

/*
 * Their names, qualified and quoted.  There are none if the target is gone.
 * No lock is kept: there may be many tables to look at in one transaction.
 */
List *
ms_half_made_indexes(const MsSubTable *table)
{
	MsSourceTable *source = ms_source_table_from_jsonb(table->source_schema);
	Relation	rel = try_table_open(table->relid, AccessShareLock);
	List	   *names = NIL;
	ListCell   *lc;

	if (rel == NULL)
		return NIL;
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		char	   *name = RelationGetRelationName(index);

		if (!index->rd_index->indisvalid &&
			is_our_name(source, RelationGetRelationName(rel), name))
			names = lappend(names,
							quote_qualified_identifier(get_namespace_name(RelationGetNamespace(index)),
													   name));
		index_close(index, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
	return names;
}

/*
 * Drop them in the open transaction.  No reason for the caller to fail, or to
 * wait for long: what is in use stays, and is told of.
 */
void
ms_half_made_drop(const MsSubscription *sub, const MsSubTable *table,
				  bool run_as_owner)
{
	MsSubtransaction subtransaction;

	/* of those of others we know nothing, and ready ones have all they need */
	if (!table->created || table->state == MS_TABLE_READY)
		return;
	ms_subtransaction_begin(&subtransaction);
	PG_TRY();
	{
		MsRole		before;
		ListCell   *lc;

		ms_role_become(run_as_owner ?
					   ms_role_for_table(sub->owner, table->relid) : GetUserId(),
					   &before);
		(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		foreach(lc, ms_half_made_indexes(table))
			(void) ms_sql_run(psprintf("DROP INDEX IF EXISTS %s", (char *) lfirst(lc)));
		ms_role_return(&before);
		ms_subtransaction_commit(&subtransaction);
	}
	PG_CATCH();
	{
		ErrorData  *error = ms_subtransaction_do_without(&subtransaction);

		ereport(WARNING,
				(errmsg("an index of the target of \"%s.%s\" is left half made: %s",
						table->source_db, table->source_table, error->message),
				 errhint("Once the table is no longer in the subscription, drop its INVALID indexes with DROP INDEX.")));
	}
	PG_END_TRY();
}
