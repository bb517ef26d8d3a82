/*
 * fence.h - where the apply worker stands still for another session.
 */
#ifndef MS_FENCE_H
#define MS_FENCE_H

#include "apply.h"
#include "gtid.h"

extern void ms_fence_init(void);	/* hooks, from _PG_init */

/* The session that asks. */
extern void ms_fence_stop(int32 subid, const char *name);
extern bool ms_fence_go_to(int32 subid, const char *name, const char *gtid);
extern double ms_fence_release(void);
extern void ms_fence_release_at_end(void);

/* The apply worker, between source transactions. */
extern void ms_fence_check(Oid dboid, int32 subid, MsApply *apply);

#endif							/* MS_FENCE_H */
