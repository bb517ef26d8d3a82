/*
 * target_find.c - finding the row of a before image in the target.
 *
 * With a replica identity by an index scan that is kept for the transaction,
 * or by one that walks along the index when the rows come in its order.
 * Without one by the whole row: by a scan of the table at first, then by a
 * cache of where the rows are (rowcache.c), which is only ever a hint.
 *
 * A dirty snapshot sees rows that other sessions are about to insert or
 * remove; their end is waited for, and the row is looked for again.
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "compat.h"
#include "target_internal.h"

/* rows in a row in the index, so far apart at most, before it is walked along */
#define ROWS_BEFORE_WALK 8
#define WALK_MAX_STEP	4

/* a table without a key is scanned this often before its rows are cached */
#define SCANS_BEFORE_CACHE 1
#define ROW_CACHE_BYTES (32 * 1024 * 1024)

/*
 * What makes two rows collide, or be the same, in the open target: its unique
 * indexes.  Partial ones count as whole.
 */
List *
ms_target_unique_keys(const MsTarget *target)
{
	List	   *keys = NIL;

	for (int i = 0; i < target->nindexes; i++)
	{
		const TargetIndex *ti = &target->indexes[i];
		Form_pg_index form = ti->rel->rd_index;
		MsUniqueKey *key;

		if (!ti->unique)
			continue;
		key = palloc0(sizeof(MsUniqueKey));
		key->plain = ti->info->ii_Expressions == NIL &&
			ti->rel->rd_rel->relam == BTREE_AM_OID;
		key->nulls_equal = form->indnullsnotdistinct;
		key->ncolumns = form->indnkeyatts;
		key->atts = palloc(sizeof(int) * key->ncolumns);
		key->types = palloc(sizeof(Oid) * key->ncolumns);
		key->collations = palloc(sizeof(Oid) * key->ncolumns);
		for (int j = 0; j < key->ncolumns; j++)
		{
			Oid			type = ti->rel->rd_opcintype[j];

			key->atts[j] = form->indkey.values[j] - 1;
			key->types[j] = type;
			key->collations[j] = ti->rel->rd_indcollation[j];
			/* equal must mean what the type's hash function takes it for */
			if (key->atts[j] < 0 ||
				get_opfamily_member(ti->rel->rd_opfamily[j], type, type,
									BTEqualStrategyNumber) !=
				lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr)
				key->plain = false;
		}
		keys = lappend(keys, key);
	}
	return keys;
}

/*
 * A dirty snapshot found a row that another transaction is inserting or
 * removing: wait for that and look again.
 */
static bool
wait_for_other(MsTarget *target)
{
	TransactionId xid = TransactionIdIsValid(target->dirty.xmin) ?
	target->dirty.xmin : target->dirty.xmax;

	if (!TransactionIdIsValid(xid))
		return false;
	XactLockTableWait(xid, NULL, NULL, XLTW_None);
	return true;
}

/* ------------------------------------------------------------------------
 * Finding the row by its key
 * ------------------------------------------------------------------------
 */

static IndexScanDesc
begin_scan(MsTarget *target)
{
	InitDirtySnapshot(target->dirty);
	return index_beginscan_compat(target->rel,
								  target->indexes[target->identity].rel,
								  &target->dirty, target->nkeys);
}

/* Does the row at found_slot have the key that is looked for? */
static bool
has_key(MsTarget *target)
{
	for (int i = 0; i < target->nkeys; i++)
	{
		ScanKey		key = &target->keys[i];
		bool		isnull;
		Datum		found = slot_getattr(target->found_slot,
										 target->key_atts[i] + 1, &isnull);

		if (isnull || !DatumGetBool(FunctionCall2Coll(&key->sk_func,
													  key->sk_collation, found,
													  key->sk_argument)))
			return false;
	}
	return true;
}

/*
 * The walk has found the next row.  Entries of dead versions lie between two
 * rows: they were read and passed over, or, already known to be dead, not even
 * read.  Count the rows since there was one.
 */
static void
note_step(MsTarget *target)
{
	const BTScanPosData *pos = &((BTScanOpaque) target->walk->opaque)->currPos;
	OffsetNumber offset = pos->items[pos->itemIndex].indexOffset;
	bool		next;

	if (pos->currPage == target->walk_page)
		next = pos->itemIndex == target->walk_item + 1 &&
			offset <= OffsetNumberNext(target->walk_offset);
	else
		next = pos->itemIndex == pos->firstItem && offset <= P_FIRSTKEY;
	target->rows_without_dead = next ? target->rows_without_dead + 1 : 0;
	target->walk_page = pos->currPage;
	target->walk_item = pos->itemIndex;
	target->walk_offset = offset;
}

/*
 * Can it be told that there are no dead versions about the row found last?
 *
 * Making an index entry for another version of a row, PostgreSQL can be told
 * so, and then searches a page that is full for dead versions before it splits
 * it.  In a bulk update of rows that have none, that is in vain, and was a
 * fifth of the cost of the update.
 *
 * What must hold is that indexes do not grow from one update of the same rows
 * to the next.  Each row leaves a dead version behind, in the index that is
 * walked along as in the others; so the next time the walk meets it, unless
 * somebody has removed it.  And as one full page has entries of many rows, it
 * is not for the single row to say, but for as many as a page can have.
 */
bool
ms_target_found_no_dead(const MsTarget *target)
{
	return target->walking &&
		target->rows_without_dead >= (int) MaxIndexTuplesPerPage;
}

/*
 * Statements that change many rows mostly do it in the order of the key.  Then
 * a second scan walks along the index, and a row costs no descent from the
 * root: it is the scan's next one.  That is only a guess.  What the scan
 * brings must have the key, and nobody else may be at it; in every other case
 * the row is looked for from the root.
 */
static bool
find_by_walking(MsTarget *target)
{
	if (!target->walking)
	{
		if (target->in_order < ROWS_BEFORE_WALK)
			return false;
		if (target->walk == NULL)
			target->walk = begin_scan(target);
		for (int i = 0; i < target->nkeys; i++)
			target->walk_keys[i].sk_argument = target->keys[i].sk_argument;
		index_rescan(target->walk, target->walk_keys, target->nkeys, NULL, 0);
		target->walk_page = InvalidBlockNumber;
		target->rows_without_dead = 0;
	}
	/* versions of the last row that we have made are not looked for again */
	target->walk->xs_heap_continue = false;
	target->walking = index_getnext_slot(target->walk, ForwardScanDirection,
										 target->found_slot) &&
		!TransactionIdIsValid(target->dirty.xmin) &&
		!TransactionIdIsValid(target->dirty.xmax) &&
		has_key(target);
	if (target->walking)
		note_step(target);
	else
		target->in_order = 0;
	return target->walking;
}

/* Is the row that was just found a little after the one before, in the index? */
static void
note_order(MsTarget *target)
{
	const BTScanPosData *pos = &((BTScanOpaque) target->scan->opaque)->currPos;
	OffsetNumber offset;

	if (!BTScanPosIsValid(*pos))
		return;
	offset = pos->items[pos->itemIndex].indexOffset;
	if (pos->currPage == target->last_page && offset > target->last_offset &&
		offset - target->last_offset <= WALK_MAX_STEP)
		target->in_order++;
	else
		target->in_order = 0;
	target->last_page = pos->currPage;
	target->last_offset = offset;
}

static bool
find_from_root(MsTarget *target)
{
	bool		found;

	if (target->scan == NULL)
		target->scan = begin_scan(target);
	do
	{
		index_rescan(target->scan, target->keys, target->nkeys, NULL, 0);
		found = index_getnext_slot(target->scan, ForwardScanDirection,
								   target->found_slot);
	} while (found && wait_for_other(target));
	if (found)
		note_order(target);
	return found;
}

/*
 * The scans, and what the access method hangs on them while they run, live as
 * long as the transaction.
 */
bool
ms_target_find_by_key(MsTarget *target, const Datum *values, const bool *isnull)
{
	MemoryContext oldcxt;
	bool		found;

	for (int i = 0; i < target->nkeys; i++)
	{
		int			att = target->key_atts[i];

		/* a policy made the key NULL: no row has that */
		if (isnull[att])
			return false;
		target->keys[i].sk_argument = values[att];
	}

	oldcxt = MemoryContextSwitchTo(TopTransactionContext);
	found = find_by_walking(target) || find_from_root(target);
	MemoryContextSwitchTo(oldcxt);
	return found;
}

/* Is the found row the given one, in all columns the image has? */
static bool
row_equals(MsTarget *target, const Datum *values, const bool *isnull)
{
	TupleTableSlot *slot = target->found_slot;

	slot_getallattrs(slot);
	for (int i = 0; i < target->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(target->desc, i);

		if (!bms_is_member(i, target->mapped) ||
			(target->old_present && !target->old_present[i]))
			continue;
		if (slot->tts_isnull[i] != isnull[i])
			return false;
		if (!isnull[i] && !datum_image_eq(slot->tts_values[i], values[i],
										  att->attbyval, att->attlen))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------
 * Finding the row without a key
 * ------------------------------------------------------------------------
 */

/* Of the columns that the source has, by their bytes. */
static uint32
hash_row(const MsTarget *target, const Datum *values, const bool *isnull)
{
	uint32		hash = 0;

	for (int i = 0; i < target->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(target->desc, i);

		if (!bms_is_member(i, target->mapped))
			continue;
		hash = hash_combine(hash, isnull[i] ? 0 :
							datum_image_hash(values[i], att->attbyval,
											 att->attlen));
	}
	return hash;
}

static void
drop_cache(MsTarget *target)
{
	if (target->cache)
		ms_rowcache_destroy(target->cache);
	target->cache = NULL;
}

/* A row has come to be at the slot's tuple id. */
void
ms_target_remember_row(MsTarget *target, TupleTableSlot *slot)
{
	if (target->cache == NULL)
		return;
	slot_getallattrs(slot);
	if (!ms_rowcache_add(target->cache,
						 hash_row(target, slot->tts_values, slot->tts_isnull),
						 &slot->tts_tid))
	{
		drop_cache(target);
		target->no_cache = true;
	}
}

static void
build_cache(MsTarget *target)
{
	TableScanDesc scan;

	target->cache = ms_rowcache_create(target->cxt, ROW_CACHE_BYTES);
	InitDirtySnapshot(target->dirty);
	scan = table_beginscan(target->rel, &target->dirty, 0, NULL);
	while (target->cache && table_scan_getnextslot(scan, ForwardScanDirection,
												   target->found_slot))
	{
		CHECK_FOR_INTERRUPTS();
		ms_target_remember_row(target, target->found_slot);
	}
	ExecClearTuple(target->found_slot);
	table_endscan(scan);
}

/* Look where the cache says. */
static bool
find_by_cache(MsTarget *target, const Datum *values, const bool *isnull)
{
	MsRowCursor cursor;
	ItemPointerData tid;

	ms_rowcache_find(target->cache, hash_row(target, values, isnull), &cursor);
	while (ms_rowcache_next(target->cache, &cursor, &tid))
	{
		InitDirtySnapshot(target->dirty);
		if (!table_tuple_fetch_row_version(target->rel, &tid, &target->dirty,
										   target->found_slot))
		{
			ms_rowcache_remove(target->cache, &cursor);
			continue;
		}
		/* somebody else is at it: let the scan wait for them */
		if (TransactionIdIsValid(target->dirty.xmin) ||
			TransactionIdIsValid(target->dirty.xmax))
			return false;
		if (row_equals(target, values, isnull))
		{
			ms_rowcache_remove(target->cache, &cursor);
			return true;
		}
	}
	return false;
}

/*
 * The first row of these blocks that is equal in every column.  Sets *again
 * when somebody else was at it, and may have moved it.
 */
static bool
find_in_blocks(MsTarget *target, BlockNumber first, BlockNumber last,
			   const Datum *values, const bool *isnull, bool *again)
{
	ItemPointerData from;
	ItemPointerData to;
	TableScanDesc scan;
	bool		found = false;

	ItemPointerSet(&from, first, FirstOffsetNumber);
	ItemPointerSet(&to, last, MaxOffsetNumber);
	InitDirtySnapshot(target->dirty);
	scan = table_beginscan_tidrange(target->rel, &target->dirty, &from, &to);
	while (!found && table_scan_getnextslot_tidrange(scan, ForwardScanDirection,
													 target->found_slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!row_equals(target, values, isnull))
			continue;
		if (wait_for_other(target))
		{
			*again = true;
			break;
		}
		found = true;
	}
	if (found)
		ExecMaterializeSlot(target->found_slot);
	table_endscan(scan);
	return found;
}

/*
 * A row that is equal in every column.  Statements change rows in about the
 * order in which they are stored, so the search begins where the last one was.
 */
static bool
find_by_scan(MsTarget *target, const Datum *values, const bool *isnull)
{
	BlockNumber start = target->last_block;
	bool		found;
	bool		again;

	do
	{
		again = false;
		found = find_in_blocks(target, start, MaxBlockNumber, values, isnull,
							   &again) ||
			(!again && start > 0 &&
			 find_in_blocks(target, 0, start - 1, values, isnull, &again));
	} while (again);
	if (found)
		target->last_block = ItemPointerGetBlockNumber(&target->found_slot->tts_tid);
	return found;
}

/*
 * Without a key: by the whole row.  Once a second row is looked for, it pays
 * to know where they all are.
 */
static bool
find_by_row(MsTarget *target, const Datum *values, const bool *isnull)
{
	/* an image without all columns has no hash */
	if (target->old_present == NULL)
	{
		if (target->cache == NULL && !target->no_cache &&
			target->scans >= SCANS_BEFORE_CACHE)
			build_cache(target);
		if (target->cache && find_by_cache(target, values, isnull))
			return true;
	}
	target->scans++;
	return find_by_scan(target, values, isnull);
}

/*
 * Find the row of a before image; it is then in found_slot.  What is batched
 * is written first, as it may be among it.
 */
bool
ms_target_find_row(MsTarget *target, const Datum *values, const bool *isnull)
{
	ms_target_flush(target);
	return target->identity >= 0 ? ms_target_find_by_key(target, values, isnull) :
		find_by_row(target, values, isnull);
}
