/*
 * verify_repair.c - writing anew what verify() found to differ.
 *
 * Under a second fence the differing keys are read again, at a newer position,
 * and written while the apply worker stands there.  It waits until our
 * transaction has ended, so that it sees either all of the repair or nothing.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "fence.h"
#include "relmap.h"
#include "sql.h"
#include "typemap.h"
#include "verify.h"
#include "wire.h"

/* Rows of the source with these keys, through the copy's decoder. */
static void
copy_keys(Verify *v, TableCheck *check, TablePlan *plan, Chunk *chunk,
		  const char *condition)
{
	StringInfoData buf;
	ListCell   *lc;
	const uint8 *data;
	size_t		len;

	initStringInfo(&buf);
	foreach(lc, ms_source_columns_from_jsonb(check->sub->source_schema))
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) ? ", " : "SELECT ",
						 ms_typemap_select_expression(lfirst(lc)));
	appendStringInfo(&buf, " FROM %s WHERE %s AND %s", check->source,
					 chunk->source, condition);
	if (ms_wire_rows_begin(v->wire, buf.data) != plan->format.ncolumns)
		elog(ERROR, "unexpected number of columns");
	while (ms_wire_rows_next(v->wire, &data, &len))
	{
		MsRow		row = ms_target_insert_row(plan->target);
		MemoryContext oldcxt = MemoryContextSwitchTo(ms_target_insert_context(plan->target));

		ms_value_read_protocol_row(&plan->format, data, data + len,
								   row.values, row.isnull);
		MemoryContextSwitchTo(oldcxt);
		ms_target_insert(plan->target, len);
	}
}

static void
repair_table(Verify *v, MsRelmap *relmap, TableCheck *check)
{
	TablePlan  *plan = ms_relmap_find_name(relmap, check->sub->source_db,
										   check->sub->source_table);
	ListCell   *lc;

	/* all old rows go first: new ones may have their unique values */
	foreach(lc, check->chunks)
	{
		Chunk	   *chunk = lfirst(lc);

		for (int from = 0; from < list_length(chunk->keys); from += MS_VERIFY_KEYS)
			ms_sql_run(psprintf("DELETE FROM %s WHERE %s AND %s", check->target,
							 chunk->target,
							 ms_verify_key_condition(check->target_key, chunk->keys, from)));
	}
	PushActiveSnapshot(GetLatestSnapshot());
	ms_relmap_open(relmap, plan, NULL);
	foreach(lc, check->chunks)
	{
		Chunk	   *chunk = lfirst(lc);

		for (int from = 0; from < list_length(chunk->keys); from += MS_VERIFY_KEYS)
			copy_keys(v, check, plan, chunk,
					  ms_verify_key_condition(check->source_key, chunk->keys, from));
	}
	ms_relmap_close_all(relmap);
	PopActiveSnapshot();
	CommandCounterIncrement();
	check->repaired = check->missing + check->surplus + check->different;
	ms_catalog_add_history(v->sub->subid, "repair", v->gtid, check->name, NULL,
						   psprintf(INT64_FORMAT " differences repaired",
									check->repaired));
	ereport(LOG,
			(errmsg("subscription \"%s\" repaired " INT64_FORMAT " differences of table \"%s\" at GTID position \"%s\"",
					v->sub->name, check->repaired, check->name, v->gtid)));
}

/*
 * Write what differs anew, from a newer view of the source.  The worker
 * stands at that view until our transaction has ended.
 */
void
ms_verify_repair(Verify *v, List *checks)
{
	MsRelmap   *relmap = NULL;
	ListCell   *lc;

	foreach(lc, checks)
	{
		TableCheck *check = lfirst(lc);

		if (check->chunks == NIL)
			continue;
		if (relmap == NULL)
		{
			MemoryContext oldcxt;

			ms_wire_exec(v->wire, "ROLLBACK");
			ms_verify_align_views(v);
			ms_fence_release_at_end();
			/* values come in their column's charset, as they do in a copy */
			ms_wire_exec(v->wire, "SET character_set_results = NULL");
			/* an invalidation may look at it after an error */
			oldcxt = MemoryContextSwitchTo(TopMemoryContext);
			relmap = ms_relmap_create(v->sub, &v->options, v->sub->owner);
			MemoryContextSwitchTo(oldcxt);
		}
		ms_relmap_add(relmap, check->sub);
		repair_table(v, relmap, check);
	}
	if (relmap)
		ms_relmap_destroy(relmap);
}
