/*
 * apply_keys.h - which keys the rows of an event touch in the target.
 */
#ifndef MS_APPLY_KEYS_H
#define MS_APPLY_KEYS_H

#include "apply_window.h"
#include "relmap.h"

/* Can rows of the table be written by several processes at once? */
typedef enum MsTogether
{
	MS_TOGETHER_BY_KEY,			/* those whose keys differ */
	MS_TOGETHER_WHOLE,			/* one after the other */
	MS_TOGETHER_NEVER			/* the apply worker does them, alone */
} MsTogether;

extern MsTogether ms_keys_bind(MsRelmap *map, TablePlan *plan,
							   const MapEntry *entry);
extern int	ms_keys_touch(TablePlan *plan, const MsRowsEvent *rows,
						  MsWindow *window, uint64 group, uint64 *after);

#endif							/* MS_APPLY_KEYS_H */
