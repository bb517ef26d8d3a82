/*
 * preflight.h - is the source fit to be replicated from?
 */
#ifndef MS_PREFLIGHT_H
#define MS_PREFLIGHT_H

#include "nodes/pg_list.h"

#include "wire.h"

typedef enum MsSeverity
{
	MS_SEVERITY_OK,
	MS_SEVERITY_NOTICE,
	MS_SEVERITY_WARNING,
	MS_SEVERITY_ERROR
} MsSeverity;

typedef struct MsFinding
{
	const char *check_name;
	MsSeverity	severity;
	int			sqlerrcode;		/* of an error */
	char	   *message;
	char	   *detail;			/* or NULL */
	char	   *hint;			/* or NULL */
} MsFinding;

extern List *ms_preflight_server(MsWire *wire, const MsServerOptions *options);
extern List *ms_preflight_tables(MsWire *wire, List *patterns, List *tables);
extern void ms_preflight_raise(List *findings);

#endif							/* MS_PREFLIGHT_H */
