/*
 * fence.h - where the apply worker stands still for another session.
 */
#ifndef MS_FENCE_H
#define MS_FENCE_H

#include "apply.h"
#include "gtid.h"
#include "shmem.h"

/* Where the worker stands still. */
typedef struct MsFencePoint
{
	char		gtid[MS_GTID_TEXT_MAX];
	char		file[MS_FILE_NAME_MAX]; /* "" = not known yet */
	uint64		pos;
	uint32		server_id;		/* the source's */
} MsFencePoint;

extern void ms_fence_init(void);	/* hooks, from _PG_init */

/* The session that asks. */
extern void ms_fence_put_up(int32 subid, const char *name);
extern void ms_fence_stop(int32 subid, const char *name);
extern void ms_fence_where(MsFencePoint *point);
extern bool ms_fence_go_to(int32 subid, const char *name, const char *file,
						   uint64 pos);
extern bool ms_fence_go_to_gtid(int32 subid, const char *name,
								const char *gtid);
extern void ms_fence_let_go(void);
extern double ms_fence_release(void);
extern void ms_fence_release_at_end(void);

/* The apply worker, between source transactions. */
extern void ms_fence_check(Oid dboid, int32 subid, MsApply *apply,
						   uint32 server_id);

#endif							/* MS_FENCE_H */
