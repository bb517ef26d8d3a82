/*
 * apply.h - source transactions into PostgreSQL transactions.
 */
#ifndef MS_APPLY_H
#define MS_APPLY_H

#include "catalog.h"
#include "event.h"
#include "gtid.h"
#include "options.h"
#include "relmap.h"
#include "wire.h"

typedef struct MsApply MsApply;

/* Where the stream is: the end of the last complete source transaction. */
typedef struct MsStreamPosition
{
	MsGtidList	gtid;
	char		file[MS_FILE_NAME_MAX]; /* "" = not known yet */
	uint64		pos;
} MsStreamPosition;

extern MsApply *ms_apply_create(const MsSubscription *sub,
								const MsSubscriptionOptions *options,
								MsRelmap *relmap, const char *gtid_position,
								uint64 *counters);
extern void ms_apply_event(MsApply *apply, const uint8 *data, size_t len);
extern bool ms_apply_at_boundary(const MsApply *apply);
extern bool ms_apply_has_open_group(const MsApply *apply);
extern void ms_apply_commit(MsApply *apply);
extern bool ms_apply_rest(MsApply *apply);
extern void ms_apply_check(MsApply *apply);
extern long ms_apply_flush_stats(MsApply *apply);
extern void ms_apply_report_idle(MsApply *apply, bool idle);
extern const MsStreamPosition *ms_apply_position(const MsApply *apply);
extern void ms_apply_begin(MsApply *apply);
extern const char *ms_apply_current_gtid(const MsApply *apply);
extern bool ms_apply_group_has_predecessors(const MsApply *apply);
extern void ms_apply_set_control(MsApply *apply, MsWire *wire);
extern void ms_apply_set_clock_offset(MsApply *apply, int64 usec);
extern bool ms_apply_rescan_wanted(MsApply *apply);
extern TimestampTz ms_apply_source_time(const MsApply *apply);
extern const MsSubTable *ms_apply_failed_table(const MsApply *apply);
extern bool ms_apply_is_careful(const MsApply *apply);
extern bool ms_apply_image_was_incomplete(void);

#endif							/* MS_APPLY_H */
