/*
 * snapshot_view.c - opens the read view that a chunk is copied from.
 *
 * Part of the snapshot worker.  A view is of use when it misses nothing that
 * the stream has shown already; what that means is told in snapshot.c.
 *
 * GTIDs are asked for as rarely as can be: before 11.4 the source reads its
 * binlog file from the beginning to tell the GTIDs of a position.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "snapshot_internal.h"

/* how long a read view may be kept from being opened */
#define VIEW_WAIT_MS	30000

/*
 * The GTIDs at the view's position; NULL when the source cannot tell, which
 * is so after an event that is larger than its max_allowed_packet.
 */
static const char *
view_gtid(MsCopy *copy)
{
	const MsChunk *chunk = copy->chunk;

	if (copy->located_pos != chunk->snapshot_pos ||
		strcmp(copy->located_file, chunk->snapshot_file) != 0)
	{
		char	   *gtid = ms_snapshot_gtid_at(copy->wire, chunk->snapshot_file,
											   chunk->snapshot_pos);

		strlcpy(copy->located_file, chunk->snapshot_file, MS_FILE_NAME_MAX);
		copy->located_pos = chunk->snapshot_pos;
		strlcpy(copy->located_gtid, gtid ? gtid : "?", MS_GTID_TEXT_MAX);
	}
	return copy->located_gtid[0] == '?' ? NULL : copy->located_gtid;
}

/*
 * Is the read view at or after the leader's floor?  Without a binlog position
 * of the stream, which a source at rest does not tell at once, GTIDs decide;
 * the leader may learn the position meanwhile.
 */
static bool
reaches_floor(MsCopy *copy)
{
	MsCopyTask *task = &copy->task;
	MsGtidList	floor;
	MsGtidList	view;

	if (task->floor_file[0] == '\0')
		ms_shmem_copy_refresh_floor(task);
	if (task->floor_file[0] != '\0')
		return ms_snapshot_compare_positions(copy->chunk->snapshot_file,
											 copy->chunk->snapshot_pos,
											 task->floor_file,
											 task->floor_pos) >= 0;
	if (view_gtid(copy) == NULL)
		return false;
	ms_gtid_init(&floor);
	ms_gtid_init(&view);
	ms_gtid_parse_list_or_error(task->floor_gtid, &floor);
	ms_gtid_parse_list_or_error(view_gtid(copy), &view);
	return ms_gtid_reached(&view, &floor);
}

/*
 * Open a read view and learn its binlog position.  MariaDB takes both
 * together, without a lock that a writer would notice.
 */
static void
open_view(MsCopy *copy)
{
	ms_wire_exec(copy->wire, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
	copy->chunk->snapshot_file = ms_snapshot_view_position(copy->wire,
														   &copy->chunk->snapshot_pos);
	if (copy->chunk->snapshot_file == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source gives no binlog position for a consistent snapshot"),
				 errhint("Binary logging must be on at the source (log_bin), with its binary logs in files.")));
}

static void
rest(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 10, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Open a read view that misses nothing: not older than the floor, and not at
 * the head of a file that has just been opened.
 */
void
ms_copy_open_view(MsCopy *copy)
{
	TimestampTz start = ms_clock_now();
	TimestampTz at_head = 0;
	char	   *head_file = NULL;
	uint64		head_pos = 0;

	ms_wire_exec(copy->wire, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
	for (;;)
	{
		ms_copy_note_prepared(copy->wire, copy->chunk);
		open_view(copy);
		if (reaches_floor(copy))
		{
			TimestampTz now = ms_clock_now();

			if (ms_shmem_copy_is_quiet(copy->chunk->snapshot_file,
									   copy->chunk->snapshot_pos) ||
				!ms_snapshot_is_file_head(copy->wire,
										  copy->chunk->snapshot_file,
										  copy->chunk->snapshot_pos))
				return;
			if (at_head == 0 ||
				ms_snapshot_compare_positions(head_file, head_pos,
											  copy->chunk->snapshot_file,
											  copy->chunk->snapshot_pos) != 0)
			{
				at_head = now;
				head_file = copy->chunk->snapshot_file;
				head_pos = copy->chunk->snapshot_pos;
			}
			else if (TimestampDifferenceExceeds(at_head, now,
												ms_snapshot_visibility_delay(copy->wire)))
			{
				ms_shmem_copy_set_quiet(head_file, head_pos);
				return;
			}
			start = now;
		}
		ms_wire_exec(copy->wire, "ROLLBACK");

		if (TimestampDifferenceExceeds(start, ms_clock_now(), VIEW_WAIT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("the source's read view does not reach GTID %s, which the stream has passed",
							copy->task.floor_gtid)));
		rest();
	}
}
