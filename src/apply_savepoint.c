/*
 * apply_savepoint.c - rows that the source undid within a transaction.
 *
 * MariaDB takes what a ROLLBACK TO SAVEPOINT undoes out of the binlog, but not
 * when the transaction has written to a table without transactions since: then
 * the rows are there, and behind them the statement that undoes them.  That
 * is rare, and savepoints are not.  So a savepoint costs a note of how
 * many rows events came before it, and when one is gone back to with rows of
 * ours behind it, the worker starts over: it comes to the same transaction
 * again knowing which rows events to pass over.
 *
 * In the same way goes a transaction that changes the structure of tables and
 * has no end.  What memory knows of the tables cannot be undone, so the worker
 * starts over, and takes nothing of that transaction when it comes to it.
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "utils/memutils.h"

#include "apply_internal.h"
#include "shmem.h"

typedef struct Savepoint
{
	char	   *name;
	uint32		nevents;		/* rows events before it */
	uint32		ntaken;			/* of them, those that concern us */
} Savepoint;

struct MsSavepoints
{
	MemoryContext cxt;			/* of the list, reset for a transaction */
	List	   *list;			/* of Savepoint *, the youngest last */
	uint32		nevents;		/* rows events of this transaction */
	uint32		ntaken;
	MsUndone	undone;			/* what the worker has started over for */
	bool		is_undone;		/* ... and this is that transaction */
};

MsSavepoints *
ms_savepoints_create(void)
{
	MsSavepoints *sp = palloc0(sizeof(MsSavepoints));

	sp->cxt = AllocSetContextCreate(CurrentMemoryContext,
									"mariadb_sync savepoints",
									ALLOCSET_SMALL_SIZES);
	ms_shmem_get_undone(&sp->undone);
	return sp;
}

/* A source transaction begins. */
void
ms_savepoints_begin(MsSavepoints *sp, const char *gtid)
{
	if (sp->list)
	{
		sp->list = NIL;
		MemoryContextReset(sp->cxt);
	}
	sp->nevents = sp->ntaken = 0;
	sp->is_undone = sp->undone.nranges > 0 &&
		strcmp(sp->undone.gtid, gtid) == 0;
}

/* Is the rows event that has come one of those that the source undid? */
bool
ms_savepoints_pass_over(MsSavepoints *sp)
{
	uint32		n = sp->nevents++;

	if (likely(!sp->is_undone))
		return false;
	for (int i = 0; i < sp->undone.nranges; i++)
		if (n >= sp->undone.ranges[i].first && n < sp->undone.ranges[i].end)
			return true;
	return false;
}

/* The rows event is one that concerns us. */
void
ms_savepoints_take(MsSavepoints *sp)
{
	sp->ntaken++;
}

/* SAVEPOINT; one of the same name before it is gone. */
void
ms_savepoints_set(MsSavepoints *sp, const char *name)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(sp->cxt);
	Savepoint  *savepoint = palloc(sizeof(Savepoint));

	savepoint->name = pstrdup(name ? name : "");
	savepoint->nevents = sp->nevents;
	savepoint->ntaken = sp->ntaken;
	sp->list = lappend(sp->list, savepoint);
	MemoryContextSwitchTo(oldcxt);
}

static void
undo(MsApply *apply, MsSavepoints *sp, const Savepoint *savepoint,
	 const char *why)
{
	MsUndone   *undone = &sp->undone;

	if (!sp->is_undone)
	{
		undone->nranges = 0;
		strlcpy(undone->gtid, apply->gtid_text, sizeof(undone->gtid));
	}
	/* what lies within the new range need not be kept */
	while (undone->nranges > 0 &&
		   undone->ranges[undone->nranges - 1].first >= savepoint->nevents)
		undone->nranges--;
	if (undone->nranges == MS_MAX_UNDONE)
		ms_apply_not_supported(apply, "a transaction with so many ROLLBACK TO SAVEPOINT",
							   "Do not write to tables without transactions between a savepoint and going back to it.");
	undone->ranges[undone->nranges].first = savepoint->nevents;
	undone->ranges[undone->nranges].end = sp->nevents;
	undone->nranges++;
	ms_shmem_set_undone(undone);
	ms_apply_start_over(apply, why);
}

/* ROLLBACK TO SAVEPOINT, which stays. */
void
ms_savepoints_go_back(MsApply *apply, const char *name)
{
	MsSavepoints *sp = apply->savepoints;

	for (int i = list_length(sp->list) - 1; i >= 0; i--)
	{
		Savepoint  *savepoint = list_nth(sp->list, i);

		if (name == NULL || pg_strcasecmp(savepoint->name, name) != 0)
			continue;
		if (sp->ntaken > savepoint->ntaken)
			undo(apply, sp, savepoint, "the source went back to a savepoint");
		sp->list = list_truncate(sp->list, i + 1);
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("source transaction %s goes back to a savepoint that it does not have",
					apply->gtid_text)));
}

/* ROLLBACK of a transaction that has something else to keep. */
void
ms_savepoints_undo_rows(MsApply *apply)
{
	static const Savepoint start = {0};

	if (apply->savepoints->ntaken > 0)
		undo(apply, apply->savepoints, &start, "the source rolled rows back");
}

/* The transaction has no end: begin anew, and take nothing of it. */
void
ms_savepoints_undo_all(MsApply *apply, const char *why)
{
	MsUndone   *undone = &apply->savepoints->undone;

	strlcpy(undone->gtid, apply->gtid_text, sizeof(undone->gtid));
	undone->nranges = 1;
	undone->ranges[0].first = 0;
	undone->ranges[0].end = PG_UINT32_MAX;
	ms_shmem_set_undone(undone);
	ms_apply_start_over(apply, why);
}

/* Is this a transaction of which nothing is taken? */
bool
ms_savepoints_is_void(const MsSavepoints *sp)
{
	return unlikely(sp->is_undone) &&
		sp->undone.ranges[0].end == PG_UINT32_MAX;
}

/*
 * It had no end again.  A source that has crashed may give its GTID to another
 * transaction, which comes next.
 */
void
ms_savepoints_discard(MsSavepoints *sp)
{
	if (ms_savepoints_is_void(sp))
		sp->undone.nranges = 0;
	sp->is_undone = false;
}

/* It has an end after all, on another source: take it. */
void
ms_savepoints_end(MsApply *apply)
{
	MsSavepoints *sp = apply->savepoints;

	if (likely(!ms_savepoints_is_void(sp)))
		return;
	sp->undone.nranges = 0;
	ms_shmem_set_undone(&sp->undone);
	ms_apply_start_over(apply, "a transaction that had no end is complete");
}
