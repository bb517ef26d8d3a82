/*
 * target.c - writing rows into a PostgreSQL table.
 *
 * Two roads.  The direct one writes to the table access method and the
 * indexes with everything that depends only on the table prepared once:
 * index list, scan keys, slots.  It is taken when nothing but NOT NULL and
 * CHECK constraints and immediate indexes stand between a row and the table.
 * Otherwise (partitioned and foreign tables, triggers that fire on a replica,
 * generated columns, defaults for columns the source lacks, deferrable
 * uniqueness, exclusion constraints) rows go through SQL statements, see
 * target_sql.c, and behave as SQL does.
 *
 * A target is built in a context of its own and kept over transactions.
 * ms_target_open() takes the relation's lock; relations, scans and buffer
 * pins last until ms_target_close() before the commit.  After an abort the
 * target must be built anew.
 *
 * Rows are found by the replica identity: the primary key, or else a unique
 * index over NOT NULL columns that all come from the source.  Without one the
 * whole row is compared.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am_d.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "target_internal.h"

/* ------------------------------------------------------------------------
 * The slots of a batch
 * ------------------------------------------------------------------------
 */

/* slots of all targets of the process */
static int	all_slots = 0;

/* Callback: the target's context goes. */
static void
forget_slots(void *arg)
{
	all_slots -= ((MsTarget *) arg)->nslots;
}

/* One more slot for the batch. */
static void
make_slot(MsTarget *target)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(target->cxt);

	if (target->batch == NULL)
		target->batch = palloc(sizeof(TupleTableSlot *) * BATCH_KEPT_SLOTS);
	else if (target->nslots == BATCH_KEPT_SLOTS)
		target->batch = repalloc(target->batch,
								 sizeof(TupleTableSlot *) * BATCH_MAX_ROWS);
	target->batch[target->nslots++] =
		MakeSingleTupleTableSlot(target->desc,
								 table_slot_callbacks(target->rel));
	all_slots++;
	MemoryContextSwitchTo(oldcxt);
}

/*
 * They are kept for the next transaction; but when there are many tables, each
 * that had a large batch once may not keep all it took.
 */
static void
drop_slots(MsTarget *target)
{
	if (all_slots <= MAX_KEPT_SLOTS || target->nslots <= BATCH_KEPT_SLOTS)
		return;
	while (target->nslots > BATCH_KEPT_SLOTS)
	{
		ExecDropSingleTupleTableSlot(target->batch[--target->nslots]);
		all_slots--;
	}
	target->batch = repalloc(target->batch,
							 sizeof(TupleTableSlot *) * BATCH_KEPT_SLOTS);
}

/* ------------------------------------------------------------------------
 * Building
 * ------------------------------------------------------------------------
 */

/* Columns that only SQL knows how to fill. */
static bool
has_computed_columns(Relation rel, const Bitmapset *mapped)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		if (att->attgenerated)
			return true;
		if (!bms_is_member(i, mapped) && (att->atthasdef || att->attidentity))
			return true;
	}
	return false;
}

/* Can every index be kept by a plain index_insert? */
static bool
indexes_are_plain(Relation rel)
{
	List	   *oids = RelationGetIndexList(rel);
	bool		plain = true;
	ListCell   *lc;

	foreach(lc, oids)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index->rd_index->indisexclusion || !index->rd_index->indimmediate)
			plain = false;
		index_close(index, AccessShareLock);
	}
	list_free(oids);
	return plain;
}

static bool
needs_sql(Relation rel, const Bitmapset *mapped)
{
	return rel->rd_rel->relkind != RELKIND_RELATION ||
		rel->rd_rel->relispartition ||
		rel->rd_rules != NULL ||
		ms_target_has_triggers(rel) ||
		has_computed_columns(rel, mapped) ||
		!indexes_are_plain(rel) ||
		rel->rd_tableam->scan_set_tidrange == NULL;
}

/* Is this index fit to find rows by? */
static bool
is_identity_index(Relation rel, Relation index, const Bitmapset *mapped)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisunique || !form->indimmediate || !form->indisvalid ||
		index->rd_rel->relam != BTREE_AM_OID ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		AttrNumber	attno = form->indkey.values[i];

		if (attno <= 0 || !bms_is_member(attno - 1, mapped) ||
			!TupleDescAttr(RelationGetDescr(rel), attno - 1)->attnotnull)
			return false;
	}
	return true;
}

/* An operator of a key column, as a scan key of our own. */
static void
init_scan_key(ScanKey key, Relation index, int i, StrategyNumber strategy)
{
	Oid			opfamily = index->rd_opfamily[i];
	Oid			opcintype = index->rd_opcintype[i];
	Oid			operator = get_opfamily_member(opfamily, opcintype, opcintype,
											   strategy);

	if (!OidIsValid(operator))
		elog(ERROR, "missing operator %d(%u,%u) in opfamily %u",
			 strategy, opcintype, opcintype, opfamily);
	ScanKeyInit(key, i + 1, strategy, get_opcode(operator), (Datum) 0);
	key->sk_collation = index->rd_indcollation[i];
}

static void
build_identity(MsTarget *target, Relation index, int number)
{
	target->identity = number;
	target->nkeys = index->rd_index->indnkeyatts;
	target->key_atts = palloc(sizeof(int) * target->nkeys);
	target->keys = palloc0(sizeof(ScanKeyData) * target->nkeys);
	target->walk_keys = palloc0(sizeof(ScanKeyData) * target->nkeys);
	for (int i = 0; i < target->nkeys; i++)
	{
		StrategyNumber walk = BTEqualStrategyNumber;

		target->key_atts[i] = index->rd_index->indkey.values[i] - 1;
		init_scan_key(&target->keys[i], index, i, BTEqualStrategyNumber);
		if (i == target->nkeys - 1)
			walk = index->rd_indoption[i] & INDOPTION_DESC ?
				BTLessEqualStrategyNumber : BTGreaterEqualStrategyNumber;
		init_scan_key(&target->walk_keys[i], index, i, walk);
	}
}

/*
 * Read the index list and choose the replica identity: the primary key, else
 * the first index that will do.
 */
static void
build_indexes(MsTarget *target, Relation rel)
{
	List	   *oids = RelationGetIndexList(rel);
	Oid			primary = relation_primary_key_index_compat(rel);
	ListCell   *lc;

	target->identity = -1;
	target->indexes = palloc0(sizeof(TargetIndex) * Max(1, list_length(oids)));
	foreach(lc, oids)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		TargetIndex *ti = &target->indexes[target->nindexes];

		ti->oid = lfirst_oid(lc);
		ti->info = BuildIndexInfo(index);
		ti->unique = index->rd_index->indisunique;
		if (ti->info->ii_Expressions || ti->info->ii_Predicate)
			target->has_checks = true;
		if ((target->identity < 0 || ti->oid == primary) &&
			is_identity_index(rel, index, target->mapped))
			build_identity(target, index, target->nindexes);
		target->nindexes++;
		index_close(index, AccessShareLock);
	}
	list_free(oids);
}

/*
 * Prepare to write to a table, in the current context.
 *
 * owner is the role whose rights are checked, and that rows are written as
 * when run_as_owner; mapped are the attribute indexes that the source
 * provides, source_name is for messages.  Raises 42501 when the owner may not
 * write there.
 */
MsTarget *
ms_target_build(Oid relid, Oid owner, bool run_as_owner, Bitmapset *mapped,
				const char *source_name)
{
	MsTarget   *target = palloc0(sizeof(MsTarget));
	Oid			role = ms_role_for_table(owner, relid);
	Relation	rel;
	TupleDesc	desc;
	MsRole		before;

	/* expressions of indexes are simplified when they are looked at */
	ms_role_become(role, &before);
	rel = table_open(relid, AccessShareLock);
	ms_target_check_rights(rel, owner, source_name);
	ms_target_check_logged(rel);
	if (run_as_owner)
		ms_role_check_partitions(relid, role);
	else
		ms_target_check_triggers(rel);

	target->relid = relid;
	target->cxt = CurrentMemoryContext;
	target->gone.func = forget_slots;
	target->gone.arg = target;
	MemoryContextRegisterResetCallback(target->cxt, &target->gone);
	target->source_name = pstrdup(source_name);
	target->mapped = mapped;
	target->desc = desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	target->old_values = palloc0(sizeof(Datum) * desc->natts);
	target->old_isnull = palloc0(sizeof(bool) * desc->natts);
	target->notnull = palloc(sizeof(int) * Max(1, desc->natts));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attnotnull)
			target->notnull[target->nnotnull++] = i;
		if (att->attisdropped)
			target->has_dropped = true;
		else if (!bms_is_member(i, mapped))
			target->has_unmapped = true;
	}
	target->has_checks = desc->constr && desc->constr->num_check > 0;
	target->new_slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	target->found_slot = MakeSingleTupleTableSlot(desc, table_slot_callbacks(rel));
	target->batch_cxt = AllocSetContextCreate(target->cxt, "mariadb_sync batch",
											  ALLOCSET_START_SMALL_SIZES);

	build_indexes(target, rel);
	if (needs_sql(rel, mapped))
		target->sql = ms_target_sql_build(rel, mapped,
										  target->identity >= 0 ? target->nkeys : 0,
										  target->key_atts);
	/* names in SQL of ours mean what we think, whatever a function has set */
	if (run_as_owner && (role != owner || target->sql))
		target->act_as = role;
	table_close(rel, AccessShareLock);
	ms_role_return(&before);
	return target;
}

bool
ms_target_has_key(const MsTarget *target)
{
	return target->identity >= 0;
}

/* Are rows written without the detour through SQL? */
bool
ms_target_is_direct(const MsTarget *target)
{
	return target->sql == NULL;
}

/* How many attributes its rows have. */
int
ms_target_natts(const MsTarget *target)
{
	return target->desc->natts;
}

/* ------------------------------------------------------------------------
 * Opening and closing, once per transaction
 * ------------------------------------------------------------------------
 */

/*
 * Lock the table and open what the transaction needs of it.
 */
void
ms_target_open(MsTarget *target)
{
	target->rel = table_open(target->relid, RowExclusiveLock);
	target->scan = NULL;
	target->walk = NULL;
	target->walking = false;
	target->in_order = 0;
	target->estate = NULL;
	target->bulk = NULL;
	target->nbatch = 0;
	target->identity_checked = 0;
	if (target->sql)
		return;

	for (int i = 0; i < target->nindexes; i++)
	{
		TargetIndex *ti = &target->indexes[i];

		ti->rel = index_open(ti->oid, RowExclusiveLock);
		/* what an access method caches there must not outlive ti->rel */
		ti->info->ii_AmCache = NULL;
		ti->info->ii_Context = CurTransactionContext;
		ti->info->ii_ExpressionsState = NIL;
		ti->info->ii_PredicateState = NULL;
	}
	if (target->has_checks)
	{
		MemoryContext oldcxt = MemoryContextSwitchTo(TopTransactionContext);

		target->estate = CreateExecutorState();
		target->result_rel = makeNode(ResultRelInfo);
		InitResultRelInfo(target->result_rel, target->rel, 0, NULL, 0);
		MemoryContextSwitchTo(oldcxt);
	}
}

/* Write what is batched and let go of everything. */
void
ms_target_close(MsTarget *target)
{
	ms_target_flush(target);
	drop_slots(target);
	if (target->scan)
		index_endscan(target->scan);
	target->scan = NULL;
	if (target->walk)
		index_endscan(target->walk);
	target->walk = NULL;
	if (target->bulk)
		FreeBulkInsertState(target->bulk);
	target->bulk = NULL;
	ExecClearTuple(target->found_slot);
	ExecClearTuple(target->new_slot);
	for (int i = 0; !target->sql && i < target->nindexes; i++)
	{
		index_insert_cleanup_compat(target->indexes[i].rel,
									target->indexes[i].info);
		index_close(target->indexes[i].rel, NoLock);
	}
	if (target->estate)
		FreeExecutorState(target->estate);
	target->estate = NULL;
	table_close(target->rel, NoLock);
	target->rel = NULL;
}

/* ------------------------------------------------------------------------
 * Constraints and indexes
 * ------------------------------------------------------------------------
 */

static void
check_constraints(MsTarget *target, TupleTableSlot *slot)
{
	if (target->estate && target->desc->constr &&
		target->desc->constr->num_check > 0)
	{
		ExecConstraints(target->result_rel, slot, target->estate);
		ResetPerTupleExprContext(target->estate);
		return;
	}
	for (int i = 0; i < target->nnotnull; i++)
	{
		int			att = target->notnull[i];

		if (slot->tts_isnull[att])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("null value in column \"%s\" of relation \"%s\" violates not-null constraint",
							NameStr(TupleDescAttr(target->desc, att)->attname),
							RelationGetRelationName(target->rel)),
					 errhint("The source column may hold NULL, or a value that option \"zero_date\" turns into NULL: drop the constraint, or choose another policy."),
					 errtablecol(target->rel, att + 1)));
	}
}

/* Is the column in the after image of the update? */
static inline bool
is_written(const MsTarget *target, int att)
{
	return bms_is_member(att, target->mapped) &&
		(target->new_present == NULL || target->new_present[att]);
}

/*
 * Has the update left all columns of this index as they are in the row that
 * was found?  Not the source's before image: the target may have drifted.
 */
static bool
index_unchanged(const MsTarget *target, const IndexInfo *info)
{
	/* a row can enter a partial index with its columns unchanged */
	if (info->ii_Predicate != NIL)
		return false;
	for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++)
	{
		int			att = info->ii_IndexAttrNumbers[i] - 1;
		Form_pg_attribute form;
		Datum		found;
		bool		isnull;

		if (att < 0)
			return false;
		if (!is_written(target, att))
			continue;
		form = TupleDescAttr(target->desc, att);
		found = slot_getattr(target->found_slot, att + 1, &isnull);
		if (isnull || target->new_slot->tts_isnull[att] ||
			!datum_image_eq(found, target->new_slot->tts_values[att],
							form->attbyval, form->attlen))
			return false;
	}
	return true;
}

/*
 * Make the index entries of a row that is in the table already.  An update
 * that leaves a unique key alone cannot collide, so that is not looked for.
 *
 * PostgreSQL is told of entries for another version of a row, but where there
 * are no dead ones to remove.
 */
static void
insert_index_entries(MsTarget *target, TupleTableSlot *slot,
					 TU_UpdateIndexes which, bool update)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
	bool		no_dead = ms_target_found_no_dead(target);

	for (int i = 0; i < target->nindexes; i++)
	{
		TargetIndex *ti = &target->indexes[i];
		IndexInfo  *info = ti->info;
		bool		unchanged;

		if (!info->ii_ReadyForInserts)
			continue;
		if (which == TU_Summarizing && !index_is_summarizing_compat(info))
			continue;
		if (target->estate)
			GetPerTupleExprContext(target->estate)->ecxt_scantuple = slot;
		if (info->ii_Predicate)
		{
			if (info->ii_PredicateState == NULL)
				info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate,
														  target->estate);
			if (!ExecQual(info->ii_PredicateState,
						  GetPerTupleExprContext(target->estate)))
				continue;
		}
		FormIndexDatum(info, slot, target->estate, values, isnull);
		unchanged = update && index_unchanged(target, info);
		index_insert(ti->rel, values, isnull, &slot->tts_tid, target->rel,
					 ti->unique && !unchanged ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
					 unchanged && !no_dead, info);
	}
	if (target->estate)
		ResetPerTupleExprContext(target->estate);
}

/* Publications of our own server need an identity to log changes by. */
static void
check_replica_identity(MsTarget *target, CmdType command)
{
	if (target->identity_checked & (1 << command))
		return;
	CheckCmdReplicaIdentity(target->rel, command);
	target->identity_checked |= 1 << command;
}

/* ------------------------------------------------------------------------
 * Insert
 * ------------------------------------------------------------------------
 */

/* Where an insert's values go; allocate them in ms_target_insert_context(). */
MsRow
ms_target_insert_row(MsTarget *target)
{
	TupleTableSlot *slot;
	MsRow		row;

	if (target->sql)
		return ms_target_new_row(target);
	if (target->nbatch == target->nslots)
		make_slot(target);
	slot = target->batch[target->nbatch];
	ExecClearTuple(slot);
	if (target->has_unmapped)
		memset(slot->tts_isnull, true, target->desc->natts);
	row.values = slot->tts_values;
	row.isnull = slot->tts_isnull;
	return row;
}

MemoryContext
ms_target_insert_context(MsTarget *target)
{
	return target->batch_cxt;
}

/*
 * PostgreSQL forms a row in one piece before it moves large values out of
 * line, so that its values together have the limit of a single one.  bytes is
 * the size in the source's form, of which every value's is at most a few
 * times as much.
 */
void
ms_target_check_size(const MsTarget *target, const MsRow *row, Size bytes)
{
	Size		size = 0;

	if (likely(bytes < MaxAllocSize / MAX_VALUE_GROWTH))
		return;
	for (int i = 0; i < target->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(target->desc, i);

		if (att->attlen == -1 && !att->attisdropped && !row->isnull[i])
			size += VARSIZE_ANY(DatumGetPointer(row->values[i]));
	}
	if (size > MaxAllocSize - ROW_OVERHEAD)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row of source table \"%s\" is too large",
						target->source_name),
				 errdetail("Its values have %zu bytes, and PostgreSQL's limit is 1 GB.",
						   size),
				 errhint("Leave a large column out: mariadb_sync.remove_table(), then mariadb_sync.add_table() with \"column\": null.")));
}

/*
 * Insert the row filled in.  It is written at the latest when something else
 * is done to the table, or at the close.  bytes is about how large it is.
 */
void
ms_target_insert(MsTarget *target, Size bytes)
{
	TupleTableSlot *slot;

	if (target->sql)
	{
		MsRole		before;

		ms_target_enter(target, &before);
		ms_target_sql_insert(target->sql, target->new_slot->tts_values,
							 target->new_slot->tts_isnull);
		ms_target_leave(target, &before);
		MemoryContextReset(target->batch_cxt);
		return;
	}
	slot = target->batch[target->nbatch];
	for (int i = 0; i < target->desc->natts && target->has_dropped; i++)
		if (TupleDescAttr(target->desc, i)->attisdropped)
			slot->tts_isnull[i] = true;
	ExecStoreVirtualTuple(slot);
	target->nbatch++;
	target->batch_bytes += bytes;
	if (target->nbatch == BATCH_MAX_ROWS ||
		target->batch_bytes >= BATCH_MAX_BYTES)
		ms_target_flush(target);
}

/* Says where a row is refused, and what to do about it. */
static void
write_error_callback(void *arg)
{
	MsTarget   *target = (MsTarget *) arg;

	if (geterrcode() == ERRCODE_UNIQUE_VIOLATION)
		errhint("The target has a row or a unique index that the source does not have. Remove it; or, for rows with the same key, set option \"on_conflict\" to apply or skip.");
	else if (geterrcode() == ERRCODE_CHECK_VIOLATION)
		errhint("The source has accepted the row. Drop the constraint of the target, or correct it.");
	errcontext("writing to the target of source table \"%s\"",
			   target->source_name);
}

/* Write the batched inserts. */
void
ms_target_flush(MsTarget *target)
{
	CommandId	cid;
	int			n = target->nbatch;
	MemoryContext oldcxt;
	ErrorContextCallback callback;
	MsRole		before;

	if (n == 0)
		return;
	ms_target_enter(target, &before);
	callback.callback = write_error_callback;
	callback.arg = target;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	target->nbatch = 0;
	target->batch_bytes = 0;
	/* what heap and indexes allocate is as short-lived as the values */
	oldcxt = MemoryContextSwitchTo(target->batch_cxt);
	for (int i = 0; i < n; i++)
		check_constraints(target, target->batch[i]);

	cid = GetCurrentCommandId(true);
	if (n == 1)
		table_tuple_insert(target->rel, target->batch[0], cid, 0, NULL);
	else
	{
		if (target->bulk == NULL)
		{
			MemoryContextSwitchTo(TopTransactionContext);
			target->bulk = GetBulkInsertState();
			MemoryContextSwitchTo(target->batch_cxt);
		}
		table_multi_insert(target->rel, target->batch, n, cid, 0, target->bulk);
	}
	for (int i = 0; i < n && target->nindexes > 0; i++)
		insert_index_entries(target, target->batch[i], TU_All, false);
	for (int i = 0; i < n && target->cache; i++)
		ms_target_remember_row(target, target->batch[i]);
	CommandCounterIncrement();
	for (int i = 0; i < n; i++)
		ExecClearTuple(target->batch[i]);
	MemoryContextSwitchTo(oldcxt);
	MemoryContextReset(target->batch_cxt);
	error_context_stack = callback.previous;
	ms_target_leave(target, &before);
}

/* Forget the row that was being filled in.  Nothing may be batched. */
void
ms_target_cancel_insert(MsTarget *target)
{
	Assert(target->nbatch == 0);
	MemoryContextReset(target->batch_cxt);
}

/*
 * Is there a row with this row's key?  Never without a key.  What is batched
 * must have been written.
 */
bool
ms_target_exists(MsTarget *target, const MsRow *row)
{
	bool		found;
	MsRole		before;

	if (target->identity < 0)
		return false;
	ms_target_enter(target, &before);
	if (target->sql)
		found = ms_target_sql_exists(target->sql, row->values, row->isnull);
	else
	{
		found = ms_target_find_by_key(target, row->values, row->isnull);
		ExecClearTuple(target->found_slot);
	}
	ms_target_leave(target, &before);
	return found;
}

/* ------------------------------------------------------------------------
 * Update and delete
 * ------------------------------------------------------------------------
 */

/*
 * Which columns the images of the next updates and deletes have, by
 * attribute; NULL = all that are mapped.  The arrays are not copied.
 */
void
ms_target_set_image(MsTarget *target, const bool *old_present,
					const bool *new_present)
{
	target->old_present = old_present;
	target->new_present = new_present;
}

/* Are rows found by this column?  Without a key, by every column. */
bool
ms_target_is_key_column(const MsTarget *target, int att)
{
	for (int i = 0; i < target->nkeys; i++)
		if (target->key_atts[i] == att)
			return true;
	return target->identity < 0;
}

/* Where the before image of an update or a delete goes. */
MsRow
ms_target_old_row(MsTarget *target)
{
	MsRow		row = {target->old_values, target->old_isnull};

	return row;
}

/* Where the after image of an update goes. */
MsRow
ms_target_new_row(MsTarget *target)
{
	MsRow		row;

	ExecClearTuple(target->new_slot);
	if (target->has_unmapped)
		memset(target->new_slot->tts_isnull, true, target->desc->natts);
	row.values = target->new_slot->tts_values;
	row.isnull = target->new_slot->tts_isnull;
	return row;
}

/* Columns that the after image does not have keep their value. */
static void
keep_unwritten(MsTarget *target)
{
	TupleTableSlot *slot = target->new_slot;
	bool		all_written = !target->has_unmapped && target->new_present == NULL;

	if (!all_written)
		slot_getallattrs(target->found_slot);
	for (int i = 0; i < target->desc->natts; i++)
	{
		if (TupleDescAttr(target->desc, i)->attisdropped)
			slot->tts_isnull[i] = true;
		else if (!all_written && !is_written(target, i))
		{
			slot->tts_values[i] = target->found_slot->tts_values[i];
			slot->tts_isnull[i] = target->found_slot->tts_isnull[i];
		}
	}
}

/* What happened to the row between finding and changing it. */
static bool
changed_meanwhile(MsTarget *target, TM_Result result)
{
	switch (result)
	{
		case TM_Ok:
			return false;
		case TM_Updated:
		case TM_Deleted:
			/* another session was faster: look for the row again */
			return true;
		default:
			elog(ERROR, "unexpected result %d of changing a row of \"%s\"",
				 (int) result, RelationGetRelationName(target->rel));
			return false;
	}
}

static bool
update_row(MsTarget *target)
{
	TupleTableSlot *slot = target->new_slot;
	TM_FailureData tmfd;
	LockTupleMode lockmode;
	TU_UpdateIndexes update_indexes;
	TM_Result	result;
	ErrorContextCallback callback;

	if (target->sql)
		return ms_target_sql_update(target->sql, target->old_values,
									target->old_isnull, slot->tts_values,
									slot->tts_isnull, target->new_present);
	check_replica_identity(target, CMD_UPDATE);
	callback.callback = write_error_callback;
	callback.arg = target;
	callback.previous = error_context_stack;
	do
	{
		if (!ms_target_find_row(target, target->old_values, target->old_isnull))
			return false;
		error_context_stack = &callback;
		ExecClearTuple(slot);
		keep_unwritten(target);
		ExecStoreVirtualTuple(slot);
		check_constraints(target, slot);
		result = table_tuple_update_compat(target->rel,
										   &target->found_slot->tts_tid, slot,
										   GetCurrentCommandId(true),
										   GetActiveSnapshot(), &tmfd,
										   &lockmode, &update_indexes);
		error_context_stack = callback.previous;
	} while (changed_meanwhile(target, result));

	error_context_stack = &callback;
	if (update_indexes != TU_None && target->nindexes > 0)
		insert_index_entries(target, slot, update_indexes, true);
	ms_target_remember_row(target, slot);
	CommandCounterIncrement();
	error_context_stack = callback.previous;
	return true;
}

/*
 * Update the row that the before image describes to the after image.  False
 * when there is none.
 */
bool
ms_target_update(MsTarget *target)
{
	MsRole		before;
	bool		found;

	ms_target_enter(target, &before);
	found = update_row(target);
	ms_target_leave(target, &before);
	return found;
}

static bool
delete_row(MsTarget *target)
{
	TM_FailureData tmfd;
	TM_Result	result;

	if (target->sql)
		return ms_target_sql_delete(target->sql, target->old_values,
									target->old_isnull);
	check_replica_identity(target, CMD_DELETE);
	do
	{
		if (!ms_target_find_row(target, target->old_values, target->old_isnull))
			return false;
		result = table_tuple_delete(target->rel, &target->found_slot->tts_tid,
									GetCurrentCommandId(true),
									GetActiveSnapshot(), InvalidSnapshot,
									true, &tmfd, false);
	} while (changed_meanwhile(target, result));
	CommandCounterIncrement();
	return true;
}

/*
 * Delete the row that the before image describes.  False when there is none.
 */
bool
ms_target_delete(MsTarget *target)
{
	MsRole		before;
	bool		found;

	ms_target_enter(target, &before);
	found = delete_row(target);
	ms_target_leave(target, &before);
	return found;
}

/* ------------------------------------------------------------------------
 * Truncate
 * ------------------------------------------------------------------------
 */

/* Does another table refer to this one by foreign key? */
static bool
is_referenced(Relation rel)
{
	TriggerDesc *trigdesc = rel->trigdesc;

	for (int i = 0; trigdesc && i < trigdesc->numtriggers; i++)
		if (RI_FKey_trigger_type(trigdesc->triggers[i].tgfoid) == RI_TRIGGER_PK)
			return true;
	return false;
}

/*
 * Empty the table, which must not be open: TRUNCATE wants it for itself.
 * PostgreSQL refuses to truncate a table that others refer to; then its rows
 * are deleted, as the source did with foreign_key_checks off.
 */
void
ms_target_truncate(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		delete_rows = is_referenced(rel) ||
	rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
	MsRole		before;

	table_close(rel, NoLock);
	ms_role_enter_table(relid, &before);
	if (delete_rows)
		ms_target_sql_delete_all(relid);
	else
		ms_target_sql_truncate(relid);
	ms_role_return(&before);
}
