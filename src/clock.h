/*
 * clock.h - a clock for waiting.
 *
 * The wall clock jumps when somebody sets it.  What is measured or waited for
 * is therefore told by this one, which does not; only what people are shown,
 * or what the source's clock is compared with, is GetCurrentTimestamp().
 */
#ifndef MS_CLOCK_H
#define MS_CLOCK_H

#include "datatype/timestamp.h"
#include "portability/instr_time.h"

/*
 * Microseconds since some moment, the same one in all processes.  Of the type
 * that PostgreSQL's functions for differences take, but no date.
 */
static inline TimestampTz
ms_clock_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (TimestampTz) INSTR_TIME_GET_MICROSEC(now);
}

#endif							/* MS_CLOCK_H */
