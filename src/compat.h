/*
 * compat.h - differences between PostgreSQL 15 and 18.
 *
 * The newest signature is the one the rooms use; older servers get an inline
 * function with the suffix _compat.  No other file has a version test.
 */
#ifndef MS_COMPAT_H
#define MS_COMPAT_H

#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "nodes/execnodes.h"
#include "parser/parse_type.h"
#include "replication/origin.h"
#include "storage/latch.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "mariadb_sync supports PostgreSQL 15 to 18"
#endif

/* 18: pg_noreturn goes first; older servers have an attribute for that */
#if PG_VERSION_NUM < 180000
#define pg_noreturn_compat pg_attribute_noreturn()
#else
#define pg_noreturn_compat pg_noreturn
#endif

/* 18: modules tell their name and version */
#if PG_VERSION_NUM < 180000
#define MS_MODULE_MAGIC PG_MODULE_MAGIC
#else
#define MS_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "mariadb_sync", .version = "1.0")
#endif

#if PG_VERSION_NUM < 160000

/* What an update asks of the indexes; 15 has a bool. */
typedef enum TU_UpdateIndexes
{
	TU_None,
	TU_All,
	TU_Summarizing
} TU_UpdateIndexes;

#endif

/* 16: update_indexes became an enum */
static inline TM_Result
table_tuple_update_compat(Relation rel, ItemPointer otid, TupleTableSlot *slot,
						  CommandId cid, Snapshot snapshot,
						  TM_FailureData *tmfd, LockTupleMode *lockmode,
						  TU_UpdateIndexes *update_indexes)
{
#if PG_VERSION_NUM < 160000
	bool		update_all;
	TM_Result	result;

	result = table_tuple_update(rel, otid, slot, cid, snapshot,
								InvalidSnapshot, true, tmfd, lockmode,
								&update_all);
	*update_indexes = update_all ? TU_All : TU_None;
	return result;
#else
	return table_tuple_update(rel, otid, slot, cid, snapshot,
							  InvalidSnapshot, true, tmfd, lockmode,
							  update_indexes);
#endif
}

/* 16: reports which indexes to update */
static inline void
simple_heap_update_compat(Relation rel, ItemPointer otid, HeapTuple tuple)
{
#if PG_VERSION_NUM < 160000
	simple_heap_update(rel, otid, tuple);
#else
	TU_UpdateIndexes update_indexes;

	simple_heap_update(rel, otid, tuple, &update_indexes);
#endif
}

/* 18: deferrable_ok */
static inline Oid
relation_primary_key_index_compat(Relation rel)
{
#if PG_VERSION_NUM < 180000
	return RelationGetPrimaryKeyIndex(rel);
#else
	return RelationGetPrimaryKeyIndex(rel, false);
#endif
}

/* 16: indexes may be summarizing only (BRIN) */
static inline bool
index_is_summarizing_compat(IndexInfo *info)
{
#if PG_VERSION_NUM < 160000
	(void) info;
	return false;
#else
	return info->ii_Summarizing;
#endif
}

/* 17: the access method may hold something over inserts */
static inline void
index_insert_cleanup_compat(Relation index, IndexInfo *info)
{
#if PG_VERSION_NUM < 170000
	(void) index;
	(void) info;
#else
	index_insert_cleanup(index, info);
#endif
}

/* 18: instrument */
static inline IndexScanDesc
index_beginscan_compat(Relation heap, Relation index, Snapshot snapshot,
					   int nkeys)
{
#if PG_VERSION_NUM < 180000
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#endif
}

/* 16: acquired_by */
static inline void
replorigin_session_setup_compat(RepOriginId node)
{
#if PG_VERSION_NUM < 160000
	replorigin_session_setup(node);
#else
	replorigin_session_setup(node, 0);
#endif
}

/* 16: an error context in place of missing_ok */
static inline void
parse_type_string_compat(const char *text, Oid *typid, int32 *typmod)
{
#if PG_VERSION_NUM < 160000
	parseTypeString(text, typid, typmod, false);
#else
	parseTypeString(text, typid, typmod, NULL);
#endif
}

/* 17: named wait events of extensions */
static inline uint32
wait_event_compat(const char *name)
{
#if PG_VERSION_NUM < 170000
	(void) name;
	return PG_WAIT_EXTENSION;
#else
	return WaitEventExtensionNew(name);
#endif
}

/* 17: owned by a resource owner in place of a memory context */
static inline WaitEventSet *
create_wait_event_set_compat(MemoryContext cxt, int nevents)
{
#if PG_VERSION_NUM < 170000
	return CreateWaitEventSet(cxt, nevents);
#else
	(void) cxt;
	return CreateWaitEventSet(NULL, nevents);
#endif
}

#endif							/* MS_COMPAT_H */
