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
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "fence.h"
#include "relmap.h"
#include "role.h"
#include "sql.h"
#include "verify_run.h"

/* rows deleted by one statement */
#define DELETE_ROWS		1000

typedef struct Doomed
{
	HTAB	   *keys;
	Oid			relid;			/* of a partition, if it is one */
	StringInfoData tids;		/* "(1,2)", "(3,4)" */
	int			n;
	List	   *statements;		/* of char * */
	MemoryContext cxt;
	const char *target;
} Doomed;

/* ------------------------------------------------------------------------
 * Old rows
 * ------------------------------------------------------------------------
 */

static void
add_statement(Doomed *doomed)
{
	if (doomed->n > 0)
		doomed->statements = lappend(doomed->statements,
									 psprintf("DELETE FROM %s WHERE tableoid = %u AND ctid = ANY ('{%s}'::pg_catalog.tid[])",
											  doomed->target, doomed->relid, doomed->tids.data));
	resetStringInfo(&doomed->tids);
	doomed->n = 0;
}

static void
doom_row(void *arg, const MsVerifyTable *table, const MsVerifyRow *row)
{
	Doomed	   *doomed = arg;
	MemoryContext oldcxt;
	bool		isnull;
	Oid			relid;
	ItemPointer tid;

	if (hash_search(doomed->keys, row->key, HASH_FIND, NULL) == NULL)
		return;
	oldcxt = MemoryContextSwitchTo(doomed->cxt);
	relid = DatumGetObjectId(slot_getattr(row->slot, 1, &isnull));
	tid = (ItemPointer) DatumGetPointer(slot_getattr(row->slot, 2, &isnull));
	if (relid != doomed->relid || doomed->n == DELETE_ROWS)
		add_statement(doomed);
	doomed->relid = relid;
	appendStringInfo(&doomed->tids, "%s\"(%u,%u)\"", doomed->n++ > 0 ? "," : "",
					 ItemPointerGetBlockNumber(tid), ItemPointerGetOffsetNumber(tid));
	MemoryContextSwitchTo(oldcxt);
}

/* Delete the target's rows with the keys of a part. */
static void
delete_rows(const MsVerifyTable *table, const MsVerifyPart *part)
{
	Doomed		doomed = {0};
	HASHCTL		ctl = {0};
	ListCell   *lc;
	MsRole		before;

	ctl.keysize = ctl.entrysize = MS_DIGEST_LEN;
	ctl.hcxt = CurrentMemoryContext;
	doomed.keys = hash_create("mariadb_sync keys to repair",
							  list_length(part->keys), &ctl,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach(lc, part->keys)
	{
		char		key[MS_DIGEST_LEN];

		(void) hex_decode(lfirst(lc), MS_DIGEST_LEN * 2, key);
		(void) hash_search(doomed.keys, key, HASH_ENTER, NULL);
	}
	initStringInfo(&doomed.tids);
	doomed.cxt = CurrentMemoryContext;
	doomed.target = table->target;
	ms_verify_scan(table, part->target, GetLatestSnapshot(), doom_row, &doomed);
	add_statement(&doomed);
	ms_role_enter_table(table->sub->relid, &before);
	foreach(lc, doomed.statements)
		ms_sql_run(lfirst(lc));
	ms_role_return(&before);
	hash_destroy(doomed.keys);
}

/* ------------------------------------------------------------------------
 * New rows
 * ------------------------------------------------------------------------
 */

/* Rows of the source with these keys, through the copy's decoder. */
static void
copy_keys(Verify *v, TableCheck *check, TablePlan *plan, const MsVerifyPart *part,
		  const char *condition)
{
	StringInfoData buf;
	ListCell   *lc;
	const uint8 *data;
	size_t		len;

	initStringInfo(&buf);
	foreach(lc, ms_source_columns_from_jsonb(check->table->sub->source_schema))
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) ? ", " : "SELECT ",
						 ms_typemap_select_expression(lfirst(lc)));
	appendStringInfo(&buf, " FROM %s WHERE %s AND %s", check->table->source,
					 part->source, condition);
	if (ms_wire_rows_begin(v->wires[0], buf.data) != plan->format.ncolumns)
		elog(ERROR, "unexpected number of columns");
	while (ms_wire_rows_next(v->wires[0], &data, &len))
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
	MsVerifyTable *table = check->table;
	TablePlan  *plan = ms_relmap_find_name(relmap, table->sub->source_db,
										   table->sub->source_table);
	ListCell   *lc;

	/* all old rows go first: new ones may have their unique values */
	foreach(lc, check->parts)
		delete_rows(table, lfirst(lc));
	PushActiveSnapshot(GetLatestSnapshot());
	ms_relmap_open(relmap, plan, NULL);
	foreach(lc, check->parts)
	{
		MsVerifyPart *part = lfirst(lc);

		for (int from = 0; from < list_length(part->keys); from += MS_VERIFY_KEYS)
			copy_keys(v, check, plan, part,
					  ms_verify_key_condition(table, part->keys, from));
	}
	ms_relmap_close_all(relmap);
	PopActiveSnapshot();
	CommandCounterIncrement();
	check->repaired = check->missing + check->surplus + check->different;
	ms_catalog_add_history(v->sub->subid, "repair", v->gtid, table->name, NULL,
						   psprintf(INT64_FORMAT " differences repaired",
									check->repaired));
	ereport(LOG,
			(errmsg("subscription \"%s\" repaired " INT64_FORMAT " differences of table \"%s\" at GTID position \"%s\"",
					v->sub->name, check->repaired, table->name, v->gtid)));
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

		if (check->parts == NIL)
			continue;
		if (!ms_source_has_read_views(ms_source_table_from_jsonb(check->table->sub->source_schema)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" cannot be repaired row by row", check->table->name),
					 errdetail("Its storage engine has no read views, so that the source cannot tell its rows as of one position."),
					 errhint("Use mariadb_sync.resync_table().")));
		if (check->table->fetches && check->table->key == NIL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" cannot be repaired row by row", check->table->name),
					 errdetail("It has no key and a column of type jsonb, so that the source cannot tell its rows apart."),
					 errhint("Use mariadb_sync.resync_table().")));
		if (relmap == NULL)
		{
			MemoryContext oldcxt;

			ms_wire_exec(v->wires[0], "ROLLBACK");
			do
				ms_verify_align_views(v, false);
			while (!ms_verify_confirm_views(v));
			ms_fence_release_at_end();
			/* values come in their column's charset, as they do in a copy */
			ms_wire_exec(v->wires[0], "SET character_set_results = NULL");
			/* an invalidation may look at it after an error */
			oldcxt = MemoryContextSwitchTo(TopMemoryContext);
			relmap = ms_relmap_create(v->sub, &v->options, v->sub->owner);
			MemoryContextSwitchTo(oldcxt);
		}
		if (ms_verify_is_altered(check->table))
		{
			ereport(WARNING,
					(errmsg("table \"%s\" was altered since it was verified, and is not repaired",
							check->table->name),
					 errhint("Call mariadb_sync.verify() for it again.")));
			continue;
		}
		ms_relmap_add(relmap, check->table->sub);
		repair_table(v, relmap, check);
	}
	if (relmap)
		ms_relmap_destroy(relmap);
}
