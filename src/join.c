/*
 * join.c - tables that appear while the subscription runs.
 *
 * A table that the patterns choose and that is created, or renamed into them,
 * after the subscription was made joins it like any other: as pending, to be
 * copied.  What the stream carries of it until then is in that copy.  One that
 * has no place in the target, or whose target has rows already, is disabled
 * from the start, with the reason; the others do not mind.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/snapmgr.h"

#include "join.h"
#include "mapping.h"
#include "remote_schema.h"
#include "role.h"
#include "sequence.h"
#include "worker.h"

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

/* What is needed to join, and what has become of it. */
typedef struct Join
{
	const MsSubscription *sub;
	const MsSubscriptionOptions *options;
	MsWire	   *wire;
	List	   *tables;			/* all that the source has */
	List	   *taken;			/* OIDs of the targets of all tables */
	MsSourceTable *table;
	MsMapping  *mapping;
	bool		changed;
	MsRole		role;			/* who we were before we became the owner */
} Join;

static void
map_table(void *arg)
{
	Join	   *join = arg;

	join->mapping = ms_mapping_make_joining(join->table, join->taken,
											join->options);
}

static void
refresh_sequences(void *arg)
{
	Join	   *join = arg;

	join->changed |= ms_sequence_refresh(join->sub, join->tables,
										 join->options, join->wire);
}

static void
record_joined(const MsSubscription *sub, const MsMapping *mapping)
{
	char	   *name = psprintf("%s.%s", mapping->source->db,
								mapping->source->name);

	ms_mapping_record(sub->subid, mapping, MS_TABLE_PENDING);
	ms_catalog_add_history(sub->subid, "join", NULL, name, NULL,
						   mapping->created ? "joined with a copy, table created" :
						   "joined with a copy");
	ereport(LOG,
			(errmsg("source table \"%s\" joins subscription \"%s\"",
					name, sub->name)));
}

/* It is in the subscription, disabled. */
static void
record_failed(const MsSubscription *sub, const MsMapping *mapping,
			  const char *error)
{
	const char *hint = OidIsValid(mapping->relid) ?
	MS_HINT_DISABLED :
	"Remove the cause, then use mariadb_sync.remove_table() and mariadb_sync.add_table().";
	char	   *name = psprintf("%s.%s", mapping->source->db,
								mapping->source->name);

	ms_mapping_record(sub->subid, mapping, MS_TABLE_DISABLED);
	ms_catalog_set_table_error(sub->subid, mapping->source->db,
							   mapping->source->name,
							   psprintf("%s\nHINT: %s", error, hint));
	ms_catalog_add_history(sub->subid, "disable_table", NULL, name, NULL,
						   error);
	ereport(WARNING,
			(errmsg("source table \"%s\" cannot join subscription \"%s\" and is disabled",
					name, sub->name),
			 errdetail_internal("%s", error),
			 errhint("%s", hint)));
}

/* Map those that can be mapped and record all of them. */
static void
join_tables(Join *join)
{
	List	   *mappings = NIL;
	List	   *failed = NIL;
	List	   *errors = NIL;
	ListCell   *lc;

	foreach(lc, ms_catalog_get_tables(join->sub->subid))
		join->taken = lappend_oid(join->taken, ((MsSubTable *) lfirst(lc))->relid);
	foreach(lc, find_new_tables(join->sub, join->tables))
	{
		char	   *error;

		join->table = lfirst(lc);
		/* one that went away between two questions has no columns */
		if (strcmp(join->table->table_type, "SEQUENCE") == 0 ||
			join->table->columns == NIL)
			continue;
		if (ms_worker_try(map_table, join, &error))
			mappings = lappend(mappings, join->mapping);
		else
		{
			join->mapping = ms_mapping_make_failed(join->table, join->taken,
												   join->options);
			failed = lappend(failed, join->mapping);
			errors = lappend(errors, error);
		}
		if (OidIsValid(join->mapping->relid))
			join->taken = lappend_oid(join->taken, join->mapping->relid);
		join->changed = true;
	}
	ms_mapping_finish(mappings, join->options);
	if (join->options->run_as_owner)
		ms_role_return(&join->role);
	foreach(lc, mappings)
		record_joined(join->sub, lfirst(lc));
	foreach(lc, failed)
		record_failed(join->sub, lfirst(lc),
					  list_nth(errors, foreach_current_index(lc)));
	if (mappings != NIL)
		ms_catalog_let_foreign_keys_wait(join->sub->subid);
}

/*
 * Let new tables join, and sequences be as they are on the source.  Returns
 * whether the list has changed: the caller has to read it again.  Needs no
 * open transaction.
 */
bool
ms_join_new_tables(const MsSubscription *sub,
				   const MsSubscriptionOptions *options, MsWire *wire)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	MsSubscriptionOptions with_copy = *options;
	Join		join = {.sub = sub,.options = &with_copy,.wire = wire};
	char	   *error;

	with_copy.copy_data = true;
	join.tables = ms_remote_schema_fetch(wire, sub->patterns, NULL, NULL);
	if (options->versioned_history)
		ms_source_keep_history(join.tables);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (options->run_as_owner)
		ms_role_become(sub->owner, &join.role);
	if (!ms_worker_try(refresh_sequences, &join, &error))
	{
		ms_catalog_add_history(sub->subid, "error", NULL, NULL, NULL, error);
		ereport(WARNING,
				(errmsg("sequences of subscription \"%s\" are left as they are",
						sub->name),
				 errdetail_internal("%s", error),
				 errhint("Remove the cause; the next change of a sequence tries again.")));
	}
	join_tables(&join);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(oldcxt);
	return join.changed;
}
