/*
 * deadlock.c - waits that the deadlock detector does not see.
 *
 * Our processes wait for each other by their latches, and may hold locks
 * meanwhile.  Whoever is waited for may wait for such a lock, or stand behind
 * somebody who does: nobody but us can tell that this is for ever.  So who
 * waits for long looks whether it is in the way itself.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"

#include "deadlock.h"

/* Does the process wait for a lock of ours, if by way of others? */
bool
ms_waits_for_me(int pid)
{
	List	   *seen = list_make1_int(pid);

	for (int i = 0; i < list_length(seen); i++)
	{
		ArrayType  *array = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids,
																   Int32GetDatum(list_nth_int(seen, i))));
		int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
		const int32 *pids = (const int32 *) ARR_DATA_PTR(array);

		for (int j = 0; j < n; j++)
		{
			if (pids[j] == MyProcPid)
				return true;
			seen = list_append_unique_int(seen, pids[j]);
		}
		pfree(array);
	}
	list_free(seen);
	return false;
}
