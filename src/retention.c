/*
 * retention.c - does the source still keep the binlogs that we need?
 *
 * Shows the oldest binlog file of the source beside the one that we read, and
 * warns when nothing older than ours is left: the next purge may take it, and
 * with it the way to go on.  SHOW BINARY LOGS needs a privilege that replicas
 * are not given, so single files are asked for: the source knows the GTIDs at
 * the head of those that it has.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "clock.h"
#include "retention.h"
#include "shmem.h"
#include "snapshot.h"

/* how often the source is asked, ms */
#define RETENTION_INTERVAL	10000
/* where the first event of a binlog file is */
#define BINLOG_HEAD		4

static TimestampTz last_check = 0;
static uint64 last_oldest = 1;
static bool warned = false;

/* "base.000123" in its parts; the base has the dot. */
static bool
split_name(const char *file, char *base, uint64 *number, int *digits)
{
	const char *dot = strrchr(file, '.');

	if (dot == NULL || dot[1] == '\0' ||
		strspn(dot + 1, "0123456789") != strlen(dot + 1))
		return false;
	strlcpy(base, file, Min(dot - file + 2, MS_FILE_NAME_MAX));
	*number = strtou64(dot + 1, NULL, 10);
	*digits = strlen(dot + 1);
	return true;
}

static char *
file_name(const char *base, uint64 number, int digits)
{
	return psprintf("%s%0*llu", base, digits, (unsigned long long) number);
}

static bool
exists(MsWire *wire, const char *file)
{
	return ms_wire_query_value(wire, psprintf("SELECT BINLOG_GTID_POS(%s, %d)",
											  ms_wire_quote_literal(file),
											  BINLOG_HEAD)) != NULL;
}

/* The first file up to newest; those that are kept are in a row. */
static uint64
find_oldest(MsWire *wire, const char *base, uint64 newest, int digits)
{
	uint64		low = last_oldest <= newest ? last_oldest : 1;
	uint64		high = newest;

	if (exists(wire, file_name(base, low, digits)))
		return low;
	while (low + 1 < high)
	{
		uint64		middle = low + (high - low) / 2;

		if (exists(wire, file_name(base, middle, digits)))
			high = middle;
		else
			low = middle;
	}
	return high;
}

/*
 * Look after the binlogs, when it is time.  needed is the file that we read,
 * empty while that is not known.
 */
void
ms_retention_check(MsWire *wire, const MsSubscription *sub, const char *needed)
{
	TimestampTz now = ms_clock_now();
	char		base[MS_FILE_NAME_MAX];
	char		other_base[MS_FILE_NAME_MAX];
	uint64		pos = 0;
	uint64		newest;
	uint64		ours;
	int			digits;
	int			other_digits;
	char	   *file;

	if (last_check != 0 &&
		!TimestampDifferenceExceeds(last_check, now, RETENTION_INTERVAL))
		return;
	file = ms_snapshot_source_position(wire, &pos);
	if (file == NULL || !split_name(file, base, &newest, &digits))
		return;
	last_check = now;
	last_oldest = find_oldest(wire, base, newest, digits);
	if (!split_name(needed, other_base, &ours, &other_digits) ||
		strcmp(base, other_base) != 0 || ours > newest)
	{
		/* not known yet, or of another server */
		ms_shmem_report_retention(file_name(base, last_oldest, digits), -1);
		return;
	}
	ms_shmem_report_retention(file_name(base, last_oldest, digits),
							  ours >= last_oldest ? (int) (ours - last_oldest) : 0);
	if (ours > last_oldest || ours == newest)
		warned = false;
	else if (!warned)
	{
		warned = true;
		ereport(WARNING,
				(errmsg("subscription \"%s\" needs the oldest binlog file that its source keeps",
						sub->name),
				 errdetail("It reads file \"%s\", the source writes \"%s\".",
						   needed, file),
				 errhint("Raise binlog_expire_logs_seconds or max_binlog_total_size on the source, and do not purge its binary logs by hand, until the subscription has caught up.")));
	}
}
