/*
 * apply_pace.h - which of two ways is the faster one.
 */
#ifndef MS_APPLY_PACE_H
#define MS_APPLY_PACE_H

#include "datatype/timestamp.h"

/* Of each way, alone and together, what was measured last. */
typedef struct MsPace
{
	double		rate[2];		/* bytes per microsecond */
	TimestampTz measured[2];	/* when; 0 = never */
	TimestampTz since;			/* the measurement at hand began; 0 = it has
								 * not */
	uint64		bytes;			/* the counter was there then */
} MsPace;

extern bool ms_pace_together(MsPace *pace, bool together, uint64 bytes);
extern void ms_pace_pause(MsPace *pace);

#endif							/* MS_APPLY_PACE_H */
