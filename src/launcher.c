/*
 * launcher.c - starts the apply workers.
 *
 * One static worker, connected to no database.  Subscriptions live in the
 * catalogs of their databases, which it cannot read; but each owns a
 * replication origin, named after its database and id, in a shared catalog.
 * That catalog can only be read from within some database, so at start-up the
 * launcher sends a scout: a short-lived worker that connects to any database,
 * asks for a worker for every origin of ours, drops origins of databases that
 * no longer exist, and ends.  A worker whose subscription turns out to be
 * disabled ends and is not started again.
 *
 * Afterwards sessions ask for what they want through shared memory, and the
 * launcher keeps what is wanted running, with the back-off the slot says.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_replication_origin.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "replication/origin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "mariadb_sync.h"
#include "shmem.h"
#include "worker.h"

/* look again even if nobody asks, in milliseconds */
#define MAX_NAP		60000L
/* until the scout has reported */
#define SCOUT_NAP	1000L

/* A worker that we have registered. */
typedef struct Launch
{
	int			slot;
	uint32		launch;
	BackgroundWorkerHandle *handle;
} Launch;

static List *launches = NIL;
static BackgroundWorkerHandle *scout = NULL;
static MemoryContext launcher_cxt;

/* The names of our replication origins. */
static List *
list_origins(void)
{
	Relation	rel = table_open(ReplicationOriginRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	List	   *names = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_replication_origin form = (Form_pg_replication_origin) GETSTRUCT(tuple);

		names = lappend(names, text_to_cstring(&form->roname));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return names;
}

static bool
database_exists(Oid dboid)
{
	return SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(dboid));
}

/* Ask for a worker for every subscription of the cluster. */
static void
find_subscriptions(void)
{
	ListCell   *lc;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(lc, list_origins())
	{
		char	   *name = lfirst(lc);
		unsigned int dboid;
		int			subid;
		int			end = 0;

		if (sscanf(name, MS_ORIGIN_FORMAT "%n", &dboid, &subid, &end) != 2 ||
			name[end] != '\0')
			continue;
		if (database_exists(dboid))
			ms_shmem_discover(dboid, subid);
		else
		{
			replorigin_drop_by_name(name, true, false);
			ereport(LOG,
					(errmsg("replication origin \"%s\" belongs to a dropped database and was dropped",
							name)));
		}
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/*
 * Entry point of the scout.  arg is the database to look from.
 */
void
ms_scout_main(Datum arg)
{
	ms_worker_init_process();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg),
											  InvalidOid, 0);
	find_subscriptions();
	ms_shmem_set_scouted(true);
	proc_exit(0);
}

/*
 * Look through pg_database, which can be read without a database: does
 * "wanted" exist?  *choice becomes a database to connect to: one that is no
 * template, so that nobody who copies a template is disturbed, if there is
 * one.
 */
static bool
scan_databases(Oid wanted, Oid *choice)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;
	bool		choice_is_template = true;

	*choice = InvalidOid;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->oid == wanted)
			found = true;
		if (!form->datallowconn || form->datconnlimit == 0 ||
			form->datconnlimit < -1 || !choice_is_template)
			continue;
		*choice = form->oid;
		choice_is_template = form->datistemplate;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(launcher_cxt);
	return found;
}

/* One at a time. */
static void
send_scout(void)
{
	BackgroundWorker bgw;
	Oid			dboid;
	pid_t		pid;

	if (scout)
	{
		if (GetBackgroundWorkerPid(scout, &pid) != BGWH_STOPPED)
			return;
		pfree(scout);
		scout = NULL;
	}
	scan_databases(InvalidOid, &dboid);
	if (!OidIsValid(dboid))
		return;
	ms_worker_fill(&bgw, "ms_scout_main", "mariadb_sync scout",
				   ObjectIdGetDatum(dboid));
	if (!RegisterDynamicBackgroundWorker(&bgw, &scout))
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is free to look for subscriptions"),
				 errhint("Raise max_worker_processes.")));
}

/* Workers that have ended, some without having begun. */
static void
check_launches(void)
{
	ListCell   *lc;

	foreach(lc, launches)
	{
		Launch	   *launch = lfirst(lc);
		pid_t		pid;

		switch (GetBackgroundWorkerPid(launch->handle, &pid))
		{
			case BGWH_NOT_YET_STARTED:
			case BGWH_STARTED:
				continue;
			case BGWH_STOPPED:
				ms_shmem_launch_ended(launch->slot, launch->launch);
				break;
			case BGWH_POSTMASTER_DIED:
				proc_exit(1);
		}
		launches = foreach_delete_current(launches, lc);
		pfree(launch->handle);
		pfree(launch);
	}
}

static void
start_worker(const MsDueWorker *due)
{
	BackgroundWorker bgw;
	Launch	   *launch;
	char		name[BGW_MAXLEN];
	Oid			any;

	if (!scan_databases(due->dboid, &any))
	{
		/* dropped, and nobody told us; the scout clears up after it */
		ms_shmem_start_failed(due->slot, NULL);
		ms_shmem_forget(due->dboid, due->subid);
		ms_shmem_set_scouted(false);
		SetLatch(MyLatch);
		return;
	}
	launch = palloc(sizeof(Launch));

	snprintf(name, sizeof(name), "mariadb_sync apply worker %u/%d", due->dboid,
			 due->subid);
	ms_worker_fill(&bgw, "ms_apply_worker_main", name,
				   Int32GetDatum(due->slot));
	launch->slot = due->slot;
	launch->launch = due->launch;
	if (RegisterDynamicBackgroundWorker(&bgw, &launch->handle))
	{
		launches = lappend(launches, launch);
		return;
	}
	pfree(launch);
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("no background worker is free for a subscription"),
			 errhint("Raise max_worker_processes.")));
	ms_shmem_start_failed(due->slot,
						  "no background worker is free\nHINT: Raise max_worker_processes and restart the server.");
}

/*
 * Entry point of the static worker.
 */
void
ms_launcher_main(Datum arg pg_attribute_unused())
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	ms_worker_disable_timeouts();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	launcher_cxt = AllocSetContextCreate(TopMemoryContext, "mariadb_sync launcher",
										 ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(launcher_cxt);
	ms_shmem_attach_launcher();

	while (!ShutdownRequestPending)
	{
		TimestampTz now = ms_clock_now();
		TimestampTz next;
		long		nap = MAX_NAP;
		List	   *due;
		ListCell   *lc;

		if (!ms_shmem_scouted())
		{
			send_scout();
			nap = SCOUT_NAP;
		}
		check_launches();
		due = ms_shmem_due_workers(now, &next);
		foreach(lc, due)
			start_worker(lfirst(lc));
		list_free_deep(due);
		if (next != 0)
			nap = Min(nap, TimestampDifferenceMilliseconds(now, next) + 1);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 nap, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
	/* after a 0 the postmaster would not start it again, should it live on */
	proc_exit(1);
}
