/*
 * apply_parallel_internal.h - what the apply worker and its parallel workers
 * share.
 */
#ifndef MS_APPLY_PARALLEL_INTERNAL_H
#define MS_APPLY_PARALLEL_INTERNAL_H

#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/latch.h"
#include "storage/shm_mq.h"

#include "apply_internal.h"
#include "apply_parallel.h"

/*
 * Room in each worker's queue, for a few groups: what is far ahead only depends
 * on more.  Larger messages go through it in parts.
 */
#define MS_QUEUE_SIZE		(128 * 1024)

/* a transaction larger than this is applied by the apply worker, alone */
#define MS_MAX_GATHERED		(512 * 1024)

typedef enum MsMemberState
{
	MS_MEMBER_STARTING,
	MS_MEMBER_READY,
	MS_MEMBER_GONE
}			MsMemberState;

/* One parallel worker's part.  It alone writes it. */
typedef struct MsMemberShared
{
	pg_atomic_uint32 state;
	pid_t		pid;
	Latch	   *latch;			/* set before READY */
	pg_atomic_uint64 group;		/* being applied; 0 = none */
	pg_atomic_uint64 waits_for; /* sleeps until this group is committed; 0 =
								 * does not */
	uint64		counters[MS_NUM_COUNTERS];	/* of what it has committed */
	uint64		key_waits;		/* times it slept for one with the same key */
	uint64		turn_waits;		/* ... and for its turn */
} MsMemberShared;

/*
 * The segment.  A group is a PostgreSQL transaction with one or more complete
 * source transactions; groups are numbered from 1 and committed in this order.
 * What is not atomic is written by whoever has the turn to commit, and by the
 * apply worker while nothing is in flight.
 */
typedef struct MsParallelShared
{
	Latch	   *leader_latch;
	pg_atomic_uint64 leader_waits_for;
	RepOriginId origin;
	pg_atomic_uint64 committed; /* the last group */
	pg_atomic_uint32 failed;	/* nothing after it will be committed */
	MsPositionRow position_row;
	int			nslots;			/* in the segment */
	int			nmembers;		/* of them used */
	MsMemberShared members[FLEXIBLE_ARRAY_MEMBER];
} MsParallelShared;

/* What a worker finds in bgw_extra. */
typedef struct MsMemberExtra
{
	dsm_handle	segment;
	pid_t		leader;
} MsMemberExtra;

typedef enum MsMessageKind
{
	MS_MESSAGE_RELOAD,			/* read the catalog anew */
	MS_MESSAGE_FORMAT,			/* the file's name, and the event */
	MS_MESSAGE_TRANSACTION,		/* events, each after its length */
	MS_MESSAGE_COMMIT			/* MsCommitMessage, and the position's text */
} MsMessageKind;

typedef struct MsMessage
{
	MsMessageKind kind;
	uint64		group;
	uint64		after;			/* TRANSACTION: wait for this group */
} MsMessage;

typedef struct MsCommitMessage
{
	TimestampTz source_time;
	uint64		pos;
	char		file[MS_FILE_NAME_MAX];
} MsCommitMessage;

extern Size ms_parallel_segment_size(int nmembers);
extern shm_mq *ms_parallel_queue(MsParallelShared *shared, int member);
extern void ms_parallel_wake(MsParallelShared *shared);

#endif							/* MS_APPLY_PARALLEL_INTERNAL_H */
