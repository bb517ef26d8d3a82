/*
 * verify_pool.h - what verify()'s session and its workers share.
 */
#ifndef MS_VERIFY_POOL_H
#define MS_VERIFY_POOL_H

#include "lib/stringinfo.h"
#include "storage/proc.h"

#define MS_VERIFY_QUEUE_SIZE	65536

/* The head of a worker's segment; the queues to it and from it follow. */
typedef struct MsVerifySegment
{
	Oid			dboid;
	int32		subid;
	PGPROC	   *leader;
	pid_t		leader_pid;
	Size		queues_at;		/* bytes from the segment's begin */
	char		snapshot[FLEXIBLE_ARRAY_MEMBER];
} MsVerifySegment;

typedef enum MsVerifyMessage
{
	/* to a worker */
	MS_VERIFY_TABLE,			/* db, table, buckets, names of the key */
	MS_VERIFY_SCAN,				/* condition */
	MS_VERIFY_FORGET,			/* db, table */
	MS_VERIFY_RECORD,			/* lower, upper, rows, GTID */
	MS_VERIFY_END,
	/* from it */
	MS_VERIFY_SUMS,				/* number of buckets; bucket, rows, hashes */
	MS_VERIFY_ERROR				/* SQLSTATE, message, detail, hint */
} MsVerifyMessage;

/* Both sides have one encoding, so that nothing is converted. */
static inline void
ms_verify_send_text(StringInfo message, const char *text)
{
	appendBinaryStringInfo(message, text, strlen(text) + 1);
}

extern PGDLLEXPORT void ms_verify_worker_main(Datum arg);

#endif							/* MS_VERIFY_POOL_H */
