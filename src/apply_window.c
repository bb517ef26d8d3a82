/*
 * apply_window.c - which group in flight has touched which key.
 *
 * Groups are numbered from 1 in the order of their commits.  A key is a hash,
 * and the window remembers the last group that touched it.  Its size is
 * fixed: what is forgotten for want of room raises the floor, and everybody
 * depends on the floor.  So an answer may name a group that has nothing to do
 * with the key, but never one that is too early.
 */
#include "postgres.h"

#include "apply_window.h"

/* places where a key can be */
#define WAYS	4

typedef struct Entry
{
	uint64		key;
	uint64		group;			/* 0 = free */
} Entry;

struct MsWindow
{
	uint64		mask;			/* of the index of a bucket */
	uint64		floor;			/* the last group that was forgotten */
	Entry	   *entries;		/* WAYS for each bucket */
};

/* A window, in the current context, for about so many keys; a power of 2. */
MsWindow *
ms_window_create(int nkeys)
{
	MsWindow   *window = palloc(sizeof(MsWindow));

	Assert(nkeys >= WAYS && (nkeys & (nkeys - 1)) == 0);
	window->mask = nkeys / WAYS - 1;
	window->floor = 0;
	window->entries = palloc0(sizeof(Entry) * nkeys);
	return window;
}

/*
 * The group touches the key; no later one has.  Returns the last group before
 * it that may have: 0 for none, or the group itself.
 */
uint64
ms_window_touch(MsWindow *window, uint64 key, uint64 group)
{
	Entry	   *bucket = window->entries + (key & window->mask) * WAYS;
	Entry	   *oldest = bucket;
	uint64		last;

	for (int i = 0; i < WAYS; i++)
	{
		Entry	   *entry = &bucket[i];

		if (entry->key == key && entry->group != 0)
		{
			last = entry->group;
			entry->group = group;
			return last;
		}
		if (entry->group < oldest->group)
			oldest = entry;
	}
	/* what it held is from now on everybody's business, if still in flight */
	last = window->floor;
	window->floor = Max(window->floor, oldest->group);
	oldest->key = key;
	oldest->group = group;
	return last;
}
