/*
 * snapshot_position.c - positions in the source's binary log, as copies use
 * them: files of one server, never compared across servers.
 */
#include "postgres.h"

#include "snapshot.h"
#include "wire.h"

/* by how many an answer must be ahead of all others to be believed */
#define VIEW_POSITION_LEAD	5
/* where the first event of a binlog file is */
#define BINLOG_HEAD		4
/* the events at the head of a file end before this */
#define HEAD_MAX_SIZE	(1024 * 1024)
/* how long the head of a new file is waited on */
#define HEAD_WAIT_MS	1000

/*
 * Compare two positions of one server: "base.000123" orders by its number,
 * which grows longer.
 */
int
ms_snapshot_compare_positions(const char *file1, uint64 pos1, const char *file2,
							  uint64 pos2)
{
	size_t		len1 = strlen(file1);
	size_t		len2 = strlen(file2);
	int			cmp;

	if (len1 != len2)
		return len1 < len2 ? -1 : 1;
	cmp = strcmp(file1, file2);
	if (cmp != 0)
		return cmp;
	return pos1 < pos2 ? -1 : pos1 > pos2 ? 1 : 0;
}

/*
 * Up to where are transactions of the source visible to a session that has no
 * read view of its own, and to one that has?  NULL without binlog files.
 */
char *
ms_snapshot_source_position(MsWire *wire, uint64 *pos)
{
	MsResult   *status = ms_wire_query(wire, "SHOW STATUS WHERE Variable_name IN"
									   " ('Binlog_snapshot_file', 'Binlog_snapshot_position')");
	char	   *file = NULL;

	for (int i = 0; i < status->nrows; i++)
	{
		char	   *value = ms_result_cell(status, i, 1);

		if (pg_strcasecmp(ms_result_cell(status, i, 0), "Binlog_snapshot_file") == 0)
			file = value;
		else
			*pos = strtou64(value, NULL, 10);
	}
	return file && file[0] != '\0' ? file : NULL;
}

/*
 * Where in the binary log is the read view that this session has open?  NULL
 * without binlog files; pos is set otherwise.
 *
 * SHOW STATUS is not to be trusted with this: the server puts the position
 * into a global variable before it reads it from there, so that now and then
 * it tells that of another session which asks at the same time, be it an
 * older read view or the end of the log.  A copy at a wrong position would
 * lose changes.  A read view's position does not change, so it is asked until
 * one answer is well ahead of all others.
 */
char *
ms_snapshot_view_position(MsWire *wire, uint64 *pos)
{
	char	   *file = NULL;
	int			lead = 0;

	while (lead < VIEW_POSITION_LEAD)
	{
		uint64		other_pos = 0;
		char	   *other = ms_snapshot_source_position(wire, &other_pos);

		if (other == NULL)
			return NULL;
		if (lead == 0)
		{
			file = other;
			*pos = other_pos;
		}
		if (*pos == other_pos && strcmp(file, other) == 0)
			lead++;
		else
			lead--;
	}
	return file;
}

/*
 * The end of the log, at the latest.  Other sessions' answers are of earlier,
 * as told above.
 */
char *
ms_snapshot_last_position(MsWire *wire, uint64 *pos)
{
	char	   *file = ms_snapshot_source_position(wire, pos);

	for (int i = 1; file && i < VIEW_POSITION_LEAD; i++)
	{
		uint64		other_pos = 0;
		char	   *other = ms_snapshot_source_position(wire, &other_pos);

		if (other && ms_snapshot_compare_positions(other, other_pos, file, *pos) > 0)
		{
			file = other;
			*pos = other_pos;
		}
	}
	return file;
}

/*
 * The GTIDs at a position; NULL when the source cannot tell.  Before 11.4 it
 * reads the file from the beginning.
 */
char *
ms_snapshot_gtid_at(MsWire *wire, const char *file, uint64 pos)
{
	return ms_wire_query_value(wire,
							   psprintf("SELECT BINLOG_GTID_POS(%s, " UINT64_FORMAT ")",
										ms_wire_quote_literal(file), pos));
}

/*
 * Does the position stand at the head of a binlog file?  When the source
 * opens a new file it moves the position there before the last transactions
 * of the old one are visible: a read view opened just then lacks them.
 */
bool
ms_snapshot_is_file_head(MsWire *wire, const char *file, uint64 pos)
{
	char	   *head;
	char	   *here;

	if (pos > HEAD_MAX_SIZE)
		return false;
	head = ms_snapshot_gtid_at(wire, file, BINLOG_HEAD);
	here = ms_snapshot_gtid_at(wire, file, pos);
	return head && here && strcmp(head, here) == 0;
}

/* How long a transaction may be in the binlog and not yet visible. */
long
ms_snapshot_visibility_delay(MsWire *wire)
{
	MsResult   *res = ms_wire_query(wire, "SELECT @@global.rpl_semi_sync_master_enabled,"
									" @@global.rpl_semi_sync_master_timeout");

	if (strcmp(ms_result_cell(res, 0, 0), "1") == 0)
		return HEAD_WAIT_MS + strtol(ms_result_cell(res, 0, 1), NULL, 10);
	return HEAD_WAIT_MS;
}
