/*
 * rowcache.c - where the rows of a table without a key are.
 *
 * A multimap from the hash of a whole row to tuple ids, so that finding a row
 * by its before image costs a look-up and not a scan of the table.  It is a
 * hint and nothing more: entries may be stale, and rows that other sessions
 * write are not in it.  Whoever uses it checks the row and scans the table
 * when nothing is found.
 *
 * Open addressing with linear probing; a removed entry leaves a mark.  Memory
 * is bounded: when the table has more rows than fit, there is no cache.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "rowcache.h"

#define INITIAL_SIZE	1024	/* a power of two */

typedef enum EntryState
{
	ENTRY_FREE,
	ENTRY_USED,
	ENTRY_REMOVED
} EntryState;

typedef struct Entry
{
	uint32		hash;
	ItemPointerData tid;
	uint8		state;
} Entry;

struct MsRowCache
{
	MemoryContext cxt;
	Size		max_bytes;
	uint32		size;			/* of entries, a power of two */
	uint32		filled;			/* used and removed */
	Entry	   *entries;
};

/* An empty cache that may grow to max_bytes. */
MsRowCache *
ms_rowcache_create(MemoryContext parent, Size max_bytes)
{
	MemoryContext cxt = AllocSetContextCreate(parent, "mariadb_sync row cache",
											  ALLOCSET_DEFAULT_SIZES);
	MsRowCache *cache = MemoryContextAllocZero(cxt, sizeof(MsRowCache));

	cache->cxt = cxt;
	cache->max_bytes = max_bytes;
	cache->size = INITIAL_SIZE;
	cache->entries = MemoryContextAllocZero(cxt, sizeof(Entry) * cache->size);
	return cache;
}

void
ms_rowcache_destroy(MsRowCache *cache)
{
	MemoryContextDelete(cache->cxt);
}

static void
put(MsRowCache *cache, uint32 hash, ItemPointer tid)
{
	uint32		mask = cache->size - 1;
	uint32		i = hash & mask;

	while (cache->entries[i].state != ENTRY_FREE)
		i = (i + 1) & mask;
	cache->entries[i].hash = hash;
	cache->entries[i].tid = *tid;
	cache->entries[i].state = ENTRY_USED;
	cache->filled++;
}

/* Make room for more, leaving removed entries behind. */
static bool
grow(MsRowCache *cache)
{
	Entry	   *old = cache->entries;
	uint32		old_size = cache->size;

	if (sizeof(Entry) * (Size) old_size * 2 > cache->max_bytes)
		return false;
	cache->size *= 2;
	cache->filled = 0;
	cache->entries = MemoryContextAllocExtended(cache->cxt,
												sizeof(Entry) * (Size) cache->size,
												MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < old_size; i++)
		if (old[i].state == ENTRY_USED)
			put(cache, old[i].hash, &old[i].tid);
	pfree(old);
	return true;
}

/* False when there is no room: the cache is of no more use. */
bool
ms_rowcache_add(MsRowCache *cache, uint32 hash, ItemPointer tid)
{
	if (cache->filled >= cache->size / 4 * 3 && !grow(cache))
		return false;
	put(cache, hash, tid);
	return true;
}

/*
 * The next tuple id under a hash.  *cursor starts at PG_UINT32_MAX and then
 * names the entry.  False when there are no more.
 */
bool
ms_rowcache_next(MsRowCache *cache, uint32 hash, uint32 *cursor,
				 ItemPointer tid)
{
	uint32		mask = cache->size - 1;
	uint32		i = *cursor == PG_UINT32_MAX ? hash & mask :
		(*cursor + 1) & mask;

	for (; cache->entries[i].state != ENTRY_FREE; i = (i + 1) & mask)
	{
		if (cache->entries[i].state != ENTRY_USED ||
			cache->entries[i].hash != hash)
			continue;
		*cursor = i;
		*tid = cache->entries[i].tid;
		return true;
	}
	return false;
}

/* Remove the entry that ms_rowcache_next() has just named. */
void
ms_rowcache_remove(MsRowCache *cache, uint32 cursor)
{
	cache->entries[cursor].state = ENTRY_REMOVED;
}
