/*
 * rowcache.c - where the rows of a table without a key are.
 *
 * A multimap from the hash of a whole row to tuple ids, so that finding a row
 * by its before image costs a look-up and not a scan of the table.  It is a
 * hint and nothing more: entries may be stale, and rows that other sessions
 * write are not in it.  Whoever uses it checks the row and scans the table
 * when nothing is found.
 *
 * Every bucket is a list of entries, new ones at its head: a table may hold
 * any number of equal rows, and none of them is passed twice.  Memory is
 * bounded: when the table has more rows than fit, there is no cache.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "rowcache.h"

#define INITIAL_SIZE	1024	/* a power of two */
#define NONE			PG_UINT32_MAX

typedef struct Entry
{
	uint32		hash;
	uint32		next;			/* in the bucket, or of the free ones */
	ItemPointerData tid;
} Entry;

struct MsRowCache
{
	MemoryContext cxt;
	Size		max_bytes;
	uint32		size;			/* of both arrays, a power of two */
	uint32		used;			/* entries handed out */
	uint32		free;			/* list of entries given back */
	uint32	   *buckets;		/* their first entries */
	Entry	   *entries;
};

static void
allocate(MsRowCache *cache)
{
	cache->buckets = MemoryContextAllocHuge(cache->cxt,
											sizeof(uint32) * (Size) cache->size);
	cache->entries = MemoryContextAllocHuge(cache->cxt,
											sizeof(Entry) * (Size) cache->size);
	memset(cache->buckets, 0xFF, sizeof(uint32) * (Size) cache->size);
	cache->used = 0;
	cache->free = NONE;
}

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
	allocate(cache);
	return cache;
}

void
ms_rowcache_destroy(MsRowCache *cache)
{
	MemoryContextDelete(cache->cxt);
}

static void
put(MsRowCache *cache, uint32 hash, const ItemPointerData *tid)
{
	uint32	   *head = &cache->buckets[hash & (cache->size - 1)];
	uint32		i = cache->free;
	Entry	   *entry;

	if (i == NONE)
		i = cache->used++;
	else
		cache->free = cache->entries[i].next;
	entry = &cache->entries[i];
	entry->hash = hash;
	entry->tid = *tid;
	entry->next = *head;
	*head = i;
}

static bool
grow(MsRowCache *cache)
{
	uint32	   *old_buckets = cache->buckets;
	Entry	   *old_entries = cache->entries;
	uint32		old_size = cache->size;

	if ((sizeof(Entry) + sizeof(uint32)) * (Size) old_size * 2 > cache->max_bytes)
		return false;
	cache->size *= 2;
	allocate(cache);
	for (uint32 b = 0; b < old_size; b++)
		for (uint32 i = old_buckets[b]; i != NONE; i = old_entries[i].next)
			put(cache, old_entries[i].hash, &old_entries[i].tid);
	pfree(old_buckets);
	pfree(old_entries);
	return true;
}

/* False when there is no room: the cache is of no more use. */
bool
ms_rowcache_add(MsRowCache *cache, uint32 hash, ItemPointer tid)
{
	if (cache->free == NONE && cache->used == cache->size && !grow(cache))
		return false;
	put(cache, hash, tid);
	return true;
}

/* Look for rows with a hash; ms_rowcache_next() gives them one by one. */
void
ms_rowcache_find(MsRowCache *cache, uint32 hash, MsRowCursor *cursor)
{
	cursor->hash = hash;
	cursor->previous = NONE;
	cursor->current = NONE;
}

/* The next tuple id; false when there are no more. */
bool
ms_rowcache_next(MsRowCache *cache, MsRowCursor *cursor, ItemPointer tid)
{
	uint32		i;

	if (cursor->current != NONE)
		cursor->previous = cursor->current;
	i = cursor->previous == NONE ?
		cache->buckets[cursor->hash & (cache->size - 1)] :
		cache->entries[cursor->previous].next;
	for (; i != NONE; i = cache->entries[i].next)
	{
		if (cache->entries[i].hash == cursor->hash)
		{
			cursor->current = i;
			*tid = cache->entries[i].tid;
			return true;
		}
		cursor->previous = i;
	}
	return false;
}

/* Remove the entry that ms_rowcache_next() has just given. */
void
ms_rowcache_remove(MsRowCache *cache, MsRowCursor *cursor)
{
	Entry	   *entry = &cache->entries[cursor->current];

	if (cursor->previous == NONE)
		cache->buckets[cursor->hash & (cache->size - 1)] = entry->next;
	else
		cache->entries[cursor->previous].next = entry->next;
	entry->next = cache->free;
	cache->free = cursor->current;
	cursor->current = NONE;
}
