/*
 * apply_parallel.h - source transactions applied by several processes.
 */
#ifndef MS_APPLY_PARALLEL_H
#define MS_APPLY_PARALLEL_H

#include "apply.h"
#include "compat.h"

/* The apply worker's side. */
typedef struct MsParallel MsParallel;

extern MsParallel *ms_parallel_create(MsApply *apply);
extern bool ms_parallel_take(MsApply *apply, const uint8 *data, size_t len);
extern bool ms_parallel_is_on(const MsParallel *parallel);
extern bool ms_parallel_is_gathering(const MsParallel *parallel);
extern bool ms_parallel_is_wanted(MsApply *apply);
extern void ms_parallel_enter(MsApply *apply);
extern void ms_parallel_leave(MsApply *apply);
extern void ms_parallel_check(MsApply *apply);
extern bool ms_parallel_rest(MsApply *apply);

/* The parallel worker's side. */
typedef struct MsMember MsMember;

extern void ms_member_await_turn(MsMember *member);
extern void ms_member_committed(MsMember *member, const MsApply *apply,
								TimestampTz now);
pg_noreturn_compat extern void ms_member_hand_back(const MsApply *apply,
												   const char *why);
extern PGDLLEXPORT void ms_parallel_worker_main(Datum arg);

#endif							/* MS_APPLY_PARALLEL_H */
