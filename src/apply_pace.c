/*
 * apply_pace.c - is it faster together or alone?
 *
 * That depends on the processors that have nothing else to do, on the tables
 * (rows that all go to the end of one index are in each other's way), on the
 * disks: it is measured, as bytes of the stream per time without a pause.  Each
 * way gets a short trial.  The faster one is kept, and now and then the other
 * one is tried again, as the workload and what else the machine does change.
 */
#include "postgres.h"

#include "apply_pace.h"
#include "clock.h"

/* how long a trial takes, and for how long its result holds, in us */
#define TRIAL_TIME		(100 * INT64CONST(1000))
#define KEEP_TIME		(5 * USECS_PER_SEC)

/* for less the work of several processes does not pay */
#define WORTHWHILE_GAIN	1.1

/*
 * At the end of a transaction, in a backlog: is it better to go on together, or
 * alone?  together is how it was done, bytes counts what was received.
 */
bool
ms_pace_together(MsPace *pace, bool together, uint64 bytes)
{
	TimestampTz now = ms_clock_now();

	if (pace->since == 0)
	{
		pace->since = now;
		pace->bytes = bytes;
	}
	else if (now - pace->since >= TRIAL_TIME)
	{
		pace->rate[together] = (double) (bytes - pace->bytes) /
			(now - pace->since);
		pace->measured[together] = now;
	}
	if (now - pace->measured[together] >= KEEP_TIME)
		return together;
	if (now - pace->measured[!together] >= KEEP_TIME)
		return !together;
	return pace->rate[true] >= pace->rate[false] * WORTHWHILE_GAIN;
}

/* What follows is not to be measured with what was. */
void
ms_pace_pause(MsPace *pace)
{
	pace->since = 0;
}
