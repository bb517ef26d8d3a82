/*
 * shmem_verify.c - the part of a slot that tells how far verify() is.
 *
 * Part of the shmem room and under its lock.  It goes with the session that
 * reports: at the end of its transaction or of its process.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#include "shmem_internal.h"

static Slot *reported = NULL;	/* the slot that has our report */

/* Take our report back. */
void
ms_shmem_verify_end(void)
{
	if (reported == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (reported->verify.pid == MyProcPid)
		memset(&reported->verify, 0, sizeof(reported->verify));
	LWLockRelease(shared->lock);
	reported = NULL;
}

static void
at_transaction_end(XactEvent event, void *arg pg_attribute_unused())
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		ms_shmem_verify_end();
}

static void
at_process_end(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	ms_shmem_verify_end();
}

/* Of two sessions that verify the same subscription the later is shown. */
void
ms_shmem_verify_report(const MsVerifyProgress *progress)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		before_shmem_exit(at_process_end, (Datum) 0);
		registered = true;
	}
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->nslots; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->in_use && slot->view.dboid == progress->dboid &&
			slot->view.subid == progress->subid)
		{
			slot->verify = *progress;
			slot->verify.pid = MyProcPid;
			reported = slot;
		}
	}
	LWLockRelease(shared->lock);
}

/* For how many milliseconds the stream has stood still for us. */
void
ms_shmem_report_pause(Oid dboid, int32 subid, double pause)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->nslots; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->in_use && slot->view.dboid == dboid &&
			slot->view.subid == subid)
		{
			slot->view.pause = pause;
			slot->view.pause_time = now;
		}
	}
	LWLockRelease(shared->lock);
}

/* Of MsVerifyProgress *: those of a database that are going on. */
List *
ms_shmem_list_verifies(Oid dboid)
{
	List	   *result = NIL;

	if (shared == NULL)
		return NIL;
	for (int i = 0; i < shared->nslots; i++)
	{
		MsVerifyProgress *progress = palloc(sizeof(MsVerifyProgress));

		LWLockAcquire(shared->lock, LW_SHARED);
		*progress = shared->slots[i].verify;
		LWLockRelease(shared->lock);
		if (progress->pid != 0 && progress->dboid == dboid)
			result = lappend(result, progress);
		else
			pfree(progress);
	}
	return result;
}
