/*
 * verify_pool.c - the session's side of the workers that scan the target.
 *
 * Every worker has a segment of shared memory with the session's snapshot, the
 * lock group to join, and two queues.  The segment goes with the session's
 * transaction, or earlier; then the worker is ended, whatever it is doing.
 * A worker's error becomes the session's.
 *
 * Without a free worker the session does the work itself.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "verify_pool.h"
#include "verify_run.h"
#include "worker.h"

typedef struct PoolWorker
{
	dsm_segment *segment;
	BackgroundWorkerHandle *handle;
	shm_mq_handle *out;
	shm_mq_handle *in;
	int			job;			/* -1 = none */
} PoolWorker;

struct MsVerifyPool
{
	int			n;
	PoolWorker *workers;
};

/* The segment goes: so does the worker. */
static void
end_worker(dsm_segment *segment, Datum arg)
{
	TerminateBackgroundWorker((BackgroundWorkerHandle *) DatumGetPointer(arg));
}

/* False when there is no room for a worker. */
static bool
start_worker(PoolWorker *worker, const Verify *v)
{
	Size		snapshot_size = EstimateSnapshotSpace(v->snapshot);
	Size		size = MAXALIGN(offsetof(MsVerifySegment, snapshot) + snapshot_size);
	MsVerifySegment *shared;
	BackgroundWorker bgw;
	shm_mq	   *queue;

	worker->segment = dsm_create(size + 2 * MS_VERIFY_QUEUE_SIZE,
								 DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (worker->segment == NULL)
		return false;
	shared = dsm_segment_address(worker->segment);
	shared->dboid = MyDatabaseId;
	shared->subid = v->sub->subid;
	shared->leader = MyProc;
	shared->leader_pid = MyProcPid;
	shared->queues_at = size;
	SerializeSnapshot(v->snapshot, shared->snapshot);

	queue = shm_mq_create((char *) shared + size, MS_VERIFY_QUEUE_SIZE);
	shm_mq_set_sender(queue, MyProc);
	worker->out = shm_mq_attach(queue, worker->segment, NULL);
	queue = shm_mq_create((char *) shared + size + MS_VERIFY_QUEUE_SIZE,
						  MS_VERIFY_QUEUE_SIZE);
	shm_mq_set_receiver(queue, MyProc);
	worker->in = shm_mq_attach(queue, worker->segment, NULL);

	ms_worker_fill(&bgw, "ms_verify_worker_main",
				   psprintf("mariadb_sync verify worker for %s", v->sub->name),
				   UInt32GetDatum(dsm_segment_handle(worker->segment)));
	if (!RegisterDynamicBackgroundWorker(&bgw, &worker->handle))
	{
		dsm_detach(worker->segment);
		return false;
	}
	/* a worker that never comes does not keep us waiting */
	shm_mq_set_handle(worker->out, worker->handle);
	shm_mq_set_handle(worker->in, worker->handle);
	on_dsm_detach(worker->segment, end_worker, PointerGetDatum(worker->handle));
	worker->job = -1;
	return true;
}

/* NULL when there is no room for a single one. */
MsVerifyPool *
ms_verify_pool_start(const Verify *v)
{
	/* the handles must be there when an error ends the transaction */
	MemoryContext oldcxt = MemoryContextSwitchTo(TopTransactionContext);
	ResourceOwner owner = CurrentResourceOwner;
	MsVerifyPool *pool = palloc0(sizeof(MsVerifyPool));

	CurrentResourceOwner = TopTransactionResourceOwner;
	BecomeLockGroupLeader();
	pool->workers = palloc0(sizeof(PoolWorker) * v->nworkers);
	while (pool->n < v->nworkers && start_worker(&pool->workers[pool->n], v))
		pool->n++;
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(oldcxt);
	return pool->n > 0 ? pool : NULL;
}

int
ms_verify_pool_size(const MsVerifyPool *pool)
{
	return pool->n;
}

static void
lost_worker(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a worker of verify() has ended"),
			 errhint("The server's log may tell why. Call verify() again.")));
}

static void
send_message(PoolWorker *worker, StringInfo message)
{
	if (shm_mq_send(worker->out, message->len, message->data, false, true) != SHM_MQ_SUCCESS)
		lost_worker();
	pfree(message->data);
}

static void
begin_message(StringInfo message, MsVerifyMessage type)
{
	initStringInfo(message);
	pq_sendint32(message, type);
}

/* Tell all which table comes next. */
void
ms_verify_pool_describe(MsVerifyPool *pool, const TableCheck *check)
{
	for (int i = 0; i < pool->n; i++)
	{
		StringInfoData message;
		ListCell   *lc;

		begin_message(&message, MS_VERIFY_TABLE);
		ms_verify_send_text(&message, check->table->sub->source_db);
		ms_verify_send_text(&message, check->table->sub->source_table);
		pq_sendint32(&message, check->table->nbuckets);
		pq_sendint32(&message, list_length(check->key_names));
		foreach(lc, check->key_names)
			ms_verify_send_text(&message, lfirst(lc));
		send_message(&pool->workers[i], &message);
	}
}

/* A worker that has no job, or -1. */
int
ms_verify_pool_idle(const MsVerifyPool *pool)
{
	for (int i = 0; i < pool->n; i++)
		if (pool->workers[i].job < 0)
			return i;
	return -1;
}

void
ms_verify_pool_scan(MsVerifyPool *pool, int worker, int job,
					const char *condition)
{
	StringInfoData message;

	begin_message(&message, MS_VERIFY_SCAN);
	ms_verify_send_text(&message, condition);
	send_message(&pool->workers[worker], &message);
	pool->workers[worker].job = job;
}

/* The ranges that were found equal so far are of no use any more. */
void
ms_verify_pool_forget(MsVerifyPool *pool, const TableCheck *check)
{
	StringInfoData message;

	begin_message(&message, MS_VERIFY_FORGET);
	ms_verify_send_text(&message, check->table->sub->source_db);
	ms_verify_send_text(&message, check->table->sub->source_table);
	send_message(&pool->workers[0], &message);
}

/* A range is equal: so that an interrupted run need not look at it again. */
void
ms_verify_pool_record(MsVerifyPool *pool, const TableCheck *check,
					  const MsVerifyPart *part, int64 rows, const char *gtid)
{
	StringInfoData message;

	begin_message(&message, MS_VERIFY_RECORD);
	ms_verify_send_text(&message, part->lower);
	ms_verify_send_text(&message, part->upper);
	pq_sendint64(&message, rows);
	ms_verify_send_text(&message, gtid);
	send_message(&pool->workers[0], &message);
}

static void
raise_error(StringInfo message)
{
	int			code = pq_getmsgint(message, 4);
	const char *text = pq_getmsgrawstring(message);
	const char *detail = pq_getmsgrawstring(message);
	const char *hint = pq_getmsgrawstring(message);

	ereport(ERROR,
			(errcode(code),
			 errmsg_internal("%s", text),
			 detail[0] ? errdetail_internal("%s", detail) : 0,
			 hint[0] ? errhint("%s", hint) : 0));
}

/* A job that is done, with its sums.  False when none is. */
bool
ms_verify_pool_receive(MsVerifyPool *pool, int *job, MsVerifySum *sums,
					   int nsums)
{
	for (int i = 0; i < pool->n; i++)
	{
		PoolWorker *worker = &pool->workers[i];
		Size		len;
		void	   *data;
		shm_mq_result result = shm_mq_receive(worker->in, &len, &data, true);
		StringInfoData message;

		if (result == SHM_MQ_WOULD_BLOCK)
			continue;
		if (result != SHM_MQ_SUCCESS)
			lost_worker();
		*job = worker->job;
		worker->job = -1;
		initStringInfo(&message);
		appendBinaryStringInfo(&message, data, len);
		if (pq_getmsgint(&message, 4) == MS_VERIFY_ERROR)
			raise_error(&message);
		memset(sums, 0, sizeof(MsVerifySum) * nsums);
		for (int n = pq_getmsgint(&message, 4); n > 0; n--)
		{
			int			bucket = pq_getmsgint(&message, 4);

			if (bucket >= nsums)
				elog(ERROR, "unexpected bucket %d", bucket);
			sums[bucket].rows = pq_getmsgint64(&message);
			sums[bucket].hashes = pq_getmsgint64(&message);
		}
		pfree(message.data);
		return true;
	}
	return false;
}

/* Nobody is interested in what the workers are doing: wait until it is done. */
void
ms_verify_pool_settle(MsVerifyPool *pool)
{
	for (int i = 0; i < pool->n; i++)
	{
		PoolWorker *worker = &pool->workers[i];
		Size		len;
		void	   *data;

		if (worker->job < 0)
			continue;
		if (shm_mq_receive(worker->in, &len, &data, false) != SHM_MQ_SUCCESS)
			lost_worker();
		worker->job = -1;
	}
}

/* All are done: let them go, and wait for that. */
void
ms_verify_pool_stop(MsVerifyPool *pool)
{
	for (int i = 0; i < pool->n; i++)
	{
		StringInfoData message;

		begin_message(&message, MS_VERIFY_END);
		send_message(&pool->workers[i], &message);
	}
	for (int i = 0; i < pool->n; i++)
	{
		(void) WaitForBackgroundWorkerShutdown(pool->workers[i].handle);
		dsm_detach(pool->workers[i].segment);
	}
	pool->n = 0;
}
