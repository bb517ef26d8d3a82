/*
 * rowcache.h - where the rows of a table without a key are.
 */
#ifndef MS_ROWCACHE_H
#define MS_ROWCACHE_H

#include "storage/itemptr.h"

typedef struct MsRowCache MsRowCache;

extern MsRowCache *ms_rowcache_create(MemoryContext parent, Size max_bytes);
extern void ms_rowcache_destroy(MsRowCache *cache);
extern bool ms_rowcache_add(MsRowCache *cache, uint32 hash, ItemPointer tid);
extern bool ms_rowcache_next(MsRowCache *cache, uint32 hash, uint32 *cursor,
							 ItemPointer tid);
extern void ms_rowcache_remove(MsRowCache *cache, uint32 cursor);

#endif							/* MS_ROWCACHE_H */
