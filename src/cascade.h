/*
 * cascade.h - what foreign keys change without a word in the binlog.
 */
#ifndef MS_CASCADE_H
#define MS_CASCADE_H

#include "apply.h"

/* What hangs on the rows of one source table. */
typedef struct MsCascade MsCascade;

extern void ms_cascade_link(MsRelmap *map);
extern char *ms_cascade_dependants(const MsCascade *cascade, bool update);
extern bool ms_cascade_concerns(const MsCascade *cascade,
								const MsRowsEvent *rows);
extern bool ms_cascade_prepare(MsApply *apply, MsCascade *cascade,
							   const MapEntry *entry,
							   const MsRowsEvent *rows);
extern void ms_cascade_begin(MsApply *apply, MsCascade *cascade,
							 const MapEntry *entry, const MsRowsEvent *rows);
extern const uint8 *ms_cascade_row(MsApply *apply, MsCascade *cascade,
								   const MsRowsEvent *rows, const uint8 *row);
extern void ms_cascade_rows(MsApply *apply, MsCascade *cascade,
							const MapEntry *entry, const MsRowsEvent *rows);

#endif							/* MS_CASCADE_H */
