/*
 * catalog_xa.c - mariadb_sync.prepared_transaction, what is held back of XA
 * transactions between their two phases.
 *
 * Part of the catalog room.  A transaction is one row or more, its pieces,
 * numbered from 0.  Rows are written and found through the primary key
 * directly: a transaction may have many.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog_internal.h"
#include "compat.h"
#include "mariadb_sync.h"

typedef enum PreparedColumn
{
	COL_SUBID = 1,
	COL_XID,
	COL_PIECE,
	COL_GTID,
	COL_PREPARED_AT,
	COL_TABLES_VERSION,
	COL_EVENTS,
	NCOLUMNS = COL_EVENTS
} PreparedColumn;

static Relation
open_prepared(LOCKMODE lockmode)
{
	return table_open(get_relname_relid("prepared_transaction",
										get_namespace_oid(MS_SCHEMA, false)),
					  lockmode);
}

/* The pieces of a transaction, or one of them (piece >= 0). */
static SysScanDesc
begin_scan(Relation rel, int32 subid, const char *xid, int32 piece)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], COL_SUBID, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(subid));
	ScanKeyInit(&keys[1], COL_XID, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(xid));
	keys[1].sk_collation = TupleDescAttr(RelationGetDescr(rel),
										 COL_XID - 1)->attcollation;
	ScanKeyInit(&keys[2], COL_PIECE, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(piece));
	return systable_beginscan(rel, relation_primary_key_index_compat(rel),
							  true, GetActiveSnapshot(), piece >= 0 ? 3 : 2,
							  keys);
}

/*
 * Add a piece.  events may be NULL: a transaction that has no rows of ours.
 */
void
ms_catalog_insert_prepared(const MsSubscription *sub, const char *xid,
						   int32 piece, const char *gtid,
						   const char *events, size_t len)
{
	Relation	rel = open_prepared(RowExclusiveLock);
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {false};
	bytea	   *bytes = NULL;
	HeapTuple	tuple;

	if (events)
	{
		bytes = palloc(VARHDRSZ + len);
		SET_VARSIZE(bytes, VARHDRSZ + len);
		memcpy(VARDATA(bytes), events, len);
	}
	values[COL_SUBID - 1] = Int32GetDatum(sub->subid);
	values[COL_XID - 1] = CStringGetTextDatum(xid);
	values[COL_PIECE - 1] = Int32GetDatum(piece);
	values[COL_GTID - 1] = CStringGetTextDatum(gtid);
	values[COL_PREPARED_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[COL_TABLES_VERSION - 1] = Int32GetDatum(sub->tables_version);
	values[COL_EVENTS - 1] = PointerGetDatum(bytes);
	nulls[COL_EVENTS - 1] = (bytes == NULL);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	if (bytes)
		pfree(bytes);
	table_close(rel, NoLock);
}

/*
 * The events of a piece, in the current context; NULL when there is no such
 * piece.  *len is 0 for one without events.
 */
const uint8 *
ms_catalog_get_prepared(int32 subid, const char *xid, int32 piece, size_t *len)
{
	Relation	rel = open_prepared(AccessShareLock);
	const uint8 *result = NULL;
	SysScanDesc scan;
	HeapTuple	tuple;

	PushActiveSnapshot(GetLatestSnapshot());
	scan = begin_scan(rel, subid, xid, piece);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, COL_EVENTS,
										 RelationGetDescr(rel), &isnull);

		*len = 0;
		result = palloc0(1);
		if (!isnull)
		{
			bytea	   *bytes = DatumGetByteaPCopy(value);

			*len = VARSIZE(bytes) - VARHDRSZ;
			result = (const uint8 *) VARDATA(bytes);
		}
	}
	systable_endscan(scan);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	return result;
}

static void *
xid_row(HeapTuple tuple, TupleDesc desc)
{
	return get_string(tuple, desc, 1);
}

/*
 * The names of the transactions that were prepared when the stream knew the
 * tables of since_version, in the order of their GTIDs' arrival; only those
 * that have rows of ours, or all.
 */
List *
ms_catalog_prepared_xids(int32 subid, bool with_rows, int32 since_version)
{
	Args		args = {0};

	add_int4(&args, subid);
	add_int4(&args, since_version);
	add_arg(&args, BOOLOID, BoolGetDatum(with_rows), false);
	return execute("SELECT xid FROM mariadb_sync.prepared_transaction"
				   " WHERE subid = $1 AND piece = 0 AND tables_version >= $2"
				   " AND (events IS NOT NULL OR NOT $3)"
				   " ORDER BY prepared_at", &args, xid_row, NULL);
}

/* Returns whether there was any. */
bool
ms_catalog_delete_prepared(int32 subid, const char *xid)
{
	Relation	rel = open_prepared(RowExclusiveLock);
	bool		found = false;
	SysScanDesc scan;
	HeapTuple	tuple;

	PushActiveSnapshot(GetLatestSnapshot());
	scan = begin_scan(rel, subid, xid, -1);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CatalogTupleDelete(rel, &tuple->t_self);
		found = true;
	}
	systable_endscan(scan);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	/* the name may be used again in the same transaction */
	if (found)
		CommandCounterIncrement();
	return found;
}
