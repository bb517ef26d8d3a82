/*
 * join.c - tables that appear while the subscription runs.
 *
 * A table that the patterns choose and that is created, or renamed into them,
 * after the subscription was made joins it like any other: as pending, to be
 * copied.  What the stream carries of it until then is in that copy.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "join.h"
#include "mapping.h"
#include "remote_schema.h"
#include "sequence.h"

/* What the source has and the subscription has not. */
static List *
find_new_tables(const MsSubscription *sub, List *tables)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (ms_catalog_get_table(sub->subid, table->db, table->name) == NULL)
			result = lappend(result, table);
	}
	return result;
}

/*
 * Let new tables join, and sequences be as they are on the source.  Returns
 * whether the list has changed: the caller has to read it again.  Needs no open transaction.
 */
bool
ms_join_new_tables(const MsSubscription *sub,
				   const MsSubscriptionOptions *options, MsWire *wire)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	MsSubscriptionOptions with_copy = *options;
	List	   *tables = ms_remote_schema_fetch(wire, sub->patterns, NULL, NULL);
	List	   *mappings;
	bool		changed;
	ListCell   *lc;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (options->run_as_owner)
		SetUserIdAndSecContext(sub->owner, SECURITY_LOCAL_USERID_CHANGE);
	with_copy.copy_data = true;
	mappings = ms_mapping_make(find_new_tables(sub, tables), &with_copy);
	changed = mappings != NIL;
	changed |= ms_sequence_refresh(sub, tables, options, wire);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);

	foreach(lc, mappings)
	{
		MsMapping  *mapping = lfirst(lc);

		ms_mapping_record(sub->subid, mapping, MS_TABLE_PENDING);
		ereport(LOG,
				(errmsg("source table \"%s.%s\" joins subscription \"%s\"",
						mapping->source->db, mapping->source->name,
						sub->name)));
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(oldcxt);
	return changed;
}
