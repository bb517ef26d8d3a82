/*
 * verify_worker.c - a process that scans targets for a session's verify().
 *
 * It sees what the session's snapshot sees, and belongs to the session's lock
 * group, so that it cannot wait for a lock of the session.  Every message is
 * a transaction of its own; the only thing that is ever written is which
 * ranges were found equal.  It ends with its segment.
 */
#include "postgres.h"

#include "access/xact.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/origin.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/shm_mq.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "role.h"
#include "verify.h"
#include "verify_pool.h"
#include "worker.h"

typedef struct VerifyWorker
{
	MsVerifySegment *shared;
	shm_mq_handle *in;
	shm_mq_handle *out;
	MemoryContext table_cxt;	/* of all that follows */
	MsSubscription *sub;
	MsVerifyTable *table;
	ErrorData  *failed;			/* of a message that has no answer */
} VerifyWorker;

static void
send_message(VerifyWorker *worker, StringInfo message)
{
	/* the session has gone: nobody is interested */
	if (shm_mq_send(worker->out, message->len, message->data, false, true) != SHM_MQ_SUCCESS)
		proc_exit(0);
}

static void
describe_table(VerifyWorker *worker, StringInfo message)
{
	const char *db = pq_getmsgrawstring(message);
	const char *name = pq_getmsgrawstring(message);
	int			nbuckets = pq_getmsgint(message, 4);
	List	   *key_names = NIL;
	MsSubscriptionOptions options;
	MsSubTable *subtable;
	MsRole		before;

	worker->failed = NULL;
	worker->table = NULL;
	MemoryContextReset(worker->table_cxt);
	MemoryContextSwitchTo(worker->table_cxt);
	for (int n = pq_getmsgint(message, 4); n > 0; n--)
		key_names = lappend(key_names, pstrdup(pq_getmsgrawstring(message)));
	worker->sub = ms_catalog_get_subscription(worker->shared->subid);
	subtable = worker->sub ? ms_catalog_get_table(worker->shared->subid, db, name) : NULL;
	if (subtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s.%s\" is no longer part of the subscription",
						db, name)));
	ms_options_parse(worker->sub->options, &options);
	ms_role_become(worker->sub->owner, &before);
	worker->table = ms_verify_describe(worker->sub, &options, subtable, key_names);
	ms_verify_set_buckets(worker->table, nbuckets);
	ms_role_return(&before);
}

/* As the subscription's owner, under the session's snapshot. */
static void
scan(VerifyWorker *worker, StringInfo message)
{
	const char *condition = pq_getmsgrawstring(message);
	MsVerifySum *sums;
	StringInfoData reply;
	MsRole		before;
	int			n = 0;

	if (worker->failed)
		ReThrowError(worker->failed);
	sums = palloc0(sizeof(MsVerifySum) * worker->table->nbuckets);
	ms_role_become(worker->sub->owner, &before);
	ms_verify_scan_sums(worker->table, condition, GetActiveSnapshot(), sums);
	ms_role_return(&before);

	for (int i = 0; i < worker->table->nbuckets; i++)
		n += sums[i].rows > 0;
	initStringInfo(&reply);
	pq_sendint32(&reply, MS_VERIFY_SUMS);
	pq_sendint32(&reply, n);
	for (int i = 0; i < worker->table->nbuckets; i++)
	{
		if (sums[i].rows == 0)
			continue;
		pq_sendint32(&reply, i);
		pq_sendint64(&reply, sums[i].rows);
		pq_sendint64(&reply, sums[i].hashes);
	}
	send_message(worker, &reply);
}

static void
record_range(VerifyWorker *worker, StringInfo message)
{
	const char *lower = pq_getmsgrawstring(message);
	const char *upper = pq_getmsgrawstring(message);
	int64		rows = pq_getmsgint64(message);

	ms_catalog_add_verified(worker->table->sub, lower, upper, rows,
							pq_getmsgrawstring(message));
}

static void
forget_ranges(VerifyWorker *worker, StringInfo message)
{
	const char *db = pq_getmsgrawstring(message);

	ms_catalog_forget_verified(worker->shared->subid, db,
							   pq_getmsgrawstring(message));
}

static void
obey(VerifyWorker *worker, MsVerifyMessage type, StringInfo message)
{
	MemoryContext cxt = CurrentMemoryContext;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	if (type == MS_VERIFY_SCAN)
	{
		Snapshot	snapshot = RestoreSnapshot(worker->shared->snapshot);

		RestoreTransactionSnapshot(snapshot, worker->shared->leader);
		PushActiveSnapshot(snapshot);
	}
	else
		PushActiveSnapshot(GetTransactionSnapshot());
	switch (type)
	{
		case MS_VERIFY_TABLE:
			describe_table(worker, message);
			break;
		case MS_VERIFY_SCAN:
			scan(worker, message);
			break;
		case MS_VERIFY_FORGET:
			forget_ranges(worker, message);
			break;
		case MS_VERIFY_RECORD:
			record_range(worker, message);
			break;
		default:
			elog(ERROR, "unexpected message %d", type);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
}

static void
send_error(VerifyWorker *worker, const ErrorData *edata)
{
	StringInfoData message;

	initStringInfo(&message);
	pq_sendint32(&message, MS_VERIFY_ERROR);
	pq_sendint32(&message, edata->sqlerrcode);
	ms_verify_send_text(&message, edata->message ? edata->message : "unknown error");
	ms_verify_send_text(&message, edata->detail ? edata->detail : "");
	ms_verify_send_text(&message, edata->hint ? edata->hint : "");
	send_message(worker, &message);
}

/* The session gets to know the error, and may go on with another table. */
static void
fail(VerifyWorker *worker, MsVerifyMessage type)
{
	ErrorData  *edata;

	MemoryContextSwitchTo(worker->table_cxt);
	edata = CopyErrorData();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	if (type == MS_VERIFY_SCAN)
		send_error(worker, edata);
	else
		worker->failed = edata;
}

static void
work(VerifyWorker *worker)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext,
											  "mariadb_sync verify message",
											  ALLOCSET_DEFAULT_SIZES);

	ms_worker_init_session(false);
	SetConfigOption("jit", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("enable_seqscan", "off", PGC_SUSET, PGC_S_OVERRIDE);
	worker->table_cxt = AllocSetContextCreate(TopMemoryContext,
											  "mariadb_sync verify table",
											  ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		Size		len;
		void	   *data;
		StringInfoData message;
		MsVerifyMessage type;

		MemoryContextReset(cxt);
		MemoryContextSwitchTo(cxt);
		pgstat_report_activity(STATE_IDLE, NULL);
		if (shm_mq_receive(worker->in, &len, &data, false) != SHM_MQ_SUCCESS)
			return;
		pgstat_report_activity(STATE_RUNNING, "verify");
		initStringInfo(&message);
		appendBinaryStringInfo(&message, data, len);
		type = pq_getmsgint(&message, 4);
		if (type == MS_VERIFY_END)
			return;
		PG_TRY();
		{
			obey(worker, type, &message);
		}
		PG_CATCH();
		{
			fail(worker, type);
		}
		PG_END_TRY();
	}
}

static void
attach_queues(VerifyWorker *worker, dsm_segment *segment)
{
	char	   *queues = (char *) worker->shared + worker->shared->queues_at;
	shm_mq	   *in = (shm_mq *) queues;
	shm_mq	   *out = (shm_mq *) (queues + MS_VERIFY_QUEUE_SIZE);

	shm_mq_set_receiver(in, MyProc);
	shm_mq_set_sender(out, MyProc);
	worker->in = shm_mq_attach(in, segment, NULL);
	worker->out = shm_mq_attach(out, segment, NULL);
}

/* Entry point.  arg is the segment's handle. */
void
ms_verify_worker_main(Datum arg)
{
	VerifyWorker worker = {0};
	dsm_segment *segment;

	ms_worker_init_process();
	CurrentResourceOwner = ResourceOwnerCreate(NULL, "mariadb_sync verify worker");
	segment = dsm_attach(DatumGetUInt32(arg));
	/* the session has gone already */
	if (segment == NULL)
		proc_exit(0);
	dsm_pin_mapping(segment);
	worker.shared = dsm_segment_address(segment);
	attach_queues(&worker, segment);
	if (!BecomeLockGroupMember(worker.shared->leader, worker.shared->leader_pid))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(worker.shared->dboid, InvalidOid, 0);
	replorigin_session_origin = DoNotReplicateId;

	work(&worker);
	proc_exit(0);
}
