/*
 * subtransaction.h - trying what may fail.
 */
#ifndef MS_SUBTRANSACTION_H
#define MS_SUBTRANSACTION_H

#include "utils/elog.h"
#include "utils/palloc.h"
#include "utils/resowner.h"

/* What is current outside of it. */
typedef struct MsSubtransaction
{
	MemoryContext cxt;
	ResourceOwner owner;
} MsSubtransaction;

extern void ms_subtransaction_begin(MsSubtransaction *sub);
extern void ms_subtransaction_commit(const MsSubtransaction *sub);
extern ErrorData *ms_subtransaction_abort(const MsSubtransaction *sub);
extern ErrorData *ms_subtransaction_do_without(const MsSubtransaction *sub);

#endif							/* MS_SUBTRANSACTION_H */
