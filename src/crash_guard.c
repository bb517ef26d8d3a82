/*
 * crash_guard.c - a worker that crashes the server at each start stays down.
 *
 * A worker that dies by a signal takes all of PostgreSQL's sessions with it,
 * and is the first to start again.  Should the cause be in what it reads, it
 * would go on for ever.  So every worker of ours leaves a small file while it
 * runs and removes it when it ends in any orderly way, also by the SIGQUIT
 * that the postmaster sends because of somebody else's crash.  A file that is
 * found at start-up is a crash of exactly that worker.  It holds the number
 * of crashes before it; progress (a commit, a chunk, a minute of life) sets
 * that to 0.  At mariadb_sync.crash_limit the subscription is parked until
 * start(), which removes the files.
 *
 * Shared memory does not survive what is counted here, and a catalog row
 * would need a flushed commit at every start and could not be written by an
 * ending process.  The directory is the one for such files: it is not part of
 * base backups, and losing it only forgets a count.
 */
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"

#include "crash_guard.h"
#include "shmem.h"

#define NPROCESSES	(1 + MS_MAX_SNAPSHOT_WORKERS + MS_MAX_APPLY_WORKERS)

static char my_path[MAXPGPATH];
static int	my_crashes = 0;		/* in a row, before this run */

static void
guard_path(char *path, Oid dboid, int32 subid, int process)
{
	snprintf(path, MAXPGPATH, "%s/mariadb_sync_%u_%d_%d", PG_STAT_TMP_DIR,
			 dboid, subid, process);
}

/* Crashes in a row by what the file says, which is one more; 0 without it. */
static int
read_guard(const char *path)
{
	FILE	   *file = AllocateFile(path, "r");
	int			crashes = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &crashes) != 1 || crashes < 0)
		crashes = 0;
	FreeFile(file);
	return crashes + 1;
}

/* A file that cannot be written only means that crashes are not counted. */
static void
write_guard(const char *path, int crashes)
{
	FILE	   *file = AllocateFile(path, "w");

	if (file == NULL)
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", path)));
		return;
	}
	fprintf(file, "%d\n", crashes);
	FreeFile(file);
}

/*
 * How often in a row one of the subscription's workers has crashed, before
 * any of them is running.
 */
int
ms_crash_guard_crashes(Oid dboid, int32 subid)
{
	int			most = 0;

	for (int i = 0; i < NPROCESSES; i++)
	{
		char		path[MAXPGPATH];
		int			crashes;

		guard_path(path, dboid, subid, i);
		crashes = read_guard(path);
		most = Max(most, crashes);
	}
	return most;
}

static void
remove_my_guard(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	unlink(my_path);
}

/* Somebody else has crashed. */
static void
handle_sigquit(SIGNAL_ARGS)
{
	unlink(my_path);
	SignalHandlerForCrashExit(postgres_signal_arg);
}

/* This process begins. */
void
ms_crash_guard_enter(Oid dboid, int32 subid, int process)
{
	guard_path(my_path, dboid, subid, process);
	my_crashes = read_guard(my_path);
	write_guard(my_path, my_crashes);
	on_proc_exit(remove_my_guard, (Datum) 0);
	pqsignal(SIGQUIT, handle_sigquit);
}

/* This process has got something done: what comes is not the same crash. */
void
ms_crash_guard_progress(void)
{
	if (likely(my_crashes == 0))
		return;
	my_crashes = 0;
	write_guard(my_path, 0);
}

/* The user wants another try, or the subscription is gone. */
void
ms_crash_guard_reset(Oid dboid, int32 subid)
{
	for (int i = 0; i < NPROCESSES; i++)
	{
		char		path[MAXPGPATH];

		guard_path(path, dboid, subid, i);
		unlink(path);
	}
}
