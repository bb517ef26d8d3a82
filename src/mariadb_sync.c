/*
 * mariadb_sync.c - the entrance: settings, shared memory, the launcher.
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/guc.h"

#include "compat.h"
#include "fence.h"
#include "mariadb_sync.h"
#include "shmem.h"
#include "worker.h"

MS_MODULE_MAGIC;

int			ms_max_subscriptions = 64;
int			ms_retry_min_delay = 1000;
int			ms_retry_max_delay = 60000;
int			ms_crash_limit = 3;

void		_PG_init(void);

static void
define_settings(void)
{
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("mariadb_sync.max_subscriptions",
								"How many subscriptions the server can have.",
								NULL, &ms_max_subscriptions, 64, 1, 10000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mariadb_sync.retry_min_delay",
							"Wait before the first retry after a failure.",
							"The wait doubles with every failure in a row.",
							&ms_retry_min_delay, 1000, 10, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("mariadb_sync.retry_max_delay",
							"Longest wait between retries.",
							NULL, &ms_retry_max_delay, 60000, 10, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("mariadb_sync.crash_limit",
							"Crashes in a row after which a subscription is not started again.",
							"0 means that it always is.",
							&ms_crash_limit, 3, 0, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("mariadb_sync");
}

void
_PG_init(void)
{
	BackgroundWorker bgw;

	define_settings();
	/* without preloading the functions say what is missing */
	if (!process_shared_preload_libraries_in_progress)
		return;

	ms_shmem_init();
	ms_fence_init();

	/*
	 * pg_upgrade has read the old cluster's next transaction ID before it
	 * starts it: what a worker committed now would have IDs that are in the
	 * new cluster's future.  Without the launcher there are no workers.
	 */
	if (IsBinaryUpgrade)
		return;
	ms_worker_fill(&bgw, "ms_launcher_main", "mariadb_sync launcher", (Datum) 0);
	bgw.bgw_restart_time = 1;
	bgw.bgw_notify_pid = 0;
	RegisterBackgroundWorker(&bgw);
}
