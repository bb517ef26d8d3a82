/*
 * rowcache.h - where the rows of a table without a key are.
 */
#ifndef MS_ROWCACHE_H
#define MS_ROWCACHE_H

#include "storage/itemptr.h"

typedef struct MsRowCache MsRowCache;

/* A place in the list of rows of one hash. */
typedef struct MsRowCursor
{
	uint32		hash;
	uint32		previous;		/* entries; PG_UINT32_MAX = none */
	uint32		current;
} MsRowCursor;

extern MsRowCache *ms_rowcache_create(MemoryContext parent, Size max_bytes);
extern void ms_rowcache_destroy(MsRowCache *cache);
extern bool ms_rowcache_add(MsRowCache *cache, uint32 hash, ItemPointer tid);
extern void ms_rowcache_find(MsRowCache *cache, uint32 hash,
							 MsRowCursor *cursor);
extern bool ms_rowcache_next(MsRowCache *cache, MsRowCursor *cursor,
							 ItemPointer tid);
extern void ms_rowcache_remove(MsRowCache *cache, MsRowCursor *cursor);

#endif							/* MS_ROWCACHE_H */
