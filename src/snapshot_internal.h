/*
 * snapshot_internal.h - what the files of the first copy share.
 */
#ifndef MS_SNAPSHOT_INTERNAL_H
#define MS_SNAPSHOT_INTERNAL_H

#include "snapshot.h"

/* What one copy works with. */
typedef struct MsCopy
{
	const MsSubscription *sub;
	MsSubscriptionOptions options;
	MsCopyTask	task;
	MsSubTable *table;
	MsChunk    *chunk;			/* the one being loaded */
	MsWire	   *wire;			/* kept between tasks */
	TimestampTz started;		/* loading */
	int64		rows;
	int64		bytes;
	uint64		values_changed; /* by a policy */
	/* the last position whose GTIDs were asked for, kept between tasks */
	char		located_file[MS_FILE_NAME_MAX];
	uint64		located_pos;
	char		located_gtid[MS_GTID_TEXT_MAX];
} MsCopy;

extern void ms_copy_set_owner(const MsCopy *copy, int flags);
extern void ms_copy_set_superuser(void);
extern void ms_copy_open_view(MsCopy *copy);
extern void ms_copy_finish_table(MsCopy *copy);
extern void ms_copy_make_constraints(MsCopy *copy);

/* snapshot_xa.c */
extern void ms_copy_wait_prepared(MsWire *wire, const MsSubTable *table);
extern void ms_copy_note_prepared(MsWire *wire, MsChunk *chunk);
extern void ms_snapshot_await_end(MsWire *wire, const char *xid);
extern bool ms_snapshot_may_lack(const MsChunk *chunk, const char *xid,
								 const char *file, uint64 pos);

#endif							/* MS_SNAPSHOT_INTERNAL_H */
