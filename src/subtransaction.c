/*
 * subtransaction.c - trying what may fail.
 *
 *	ms_subtransaction_begin(&sub);
 *	PG_TRY();
 *	{
 *		...
 *		ms_subtransaction_commit(&sub);
 *	}
 *	PG_CATCH();
 *	{
 *		error = ms_subtransaction_abort(&sub);
 *	}
 *	PG_END_TRY();
 *
 * The caller's memory context is current inside, and its context and resource
 * owner are afterwards, whatever happened.  Which errors are not to be caught
 * the caller knows, and raises again with ReThrowError().
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "subtransaction.h"

void
ms_subtransaction_begin(MsSubtransaction *sub)
{
	sub->cxt = CurrentMemoryContext;
	sub->owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(sub->cxt);
}

static void
return_to_caller(const MsSubtransaction *sub)
{
	MemoryContextSwitchTo(sub->cxt);
	CurrentResourceOwner = sub->owner;
}

void
ms_subtransaction_commit(const MsSubtransaction *sub)
{
	ReleaseCurrentSubTransaction();
	return_to_caller(sub);
}

/* After an error, which is returned in the caller's memory context. */
ErrorData *
ms_subtransaction_abort(const MsSubtransaction *sub)
{
	ErrorData  *error;

	MemoryContextSwitchTo(sub->cxt);
	error = CopyErrorData();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	return_to_caller(sub);
	return error;
}

/*
 * The same of what the caller can do without: only that it is itself to stop
 * is raised again.
 */
ErrorData *
ms_subtransaction_do_without(const MsSubtransaction *sub)
{
	ErrorData  *error = ms_subtransaction_abort(sub);

	CHECK_FOR_INTERRUPTS();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	return error;
}
