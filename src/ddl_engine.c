/*
 * ddl_engine.c - the storage engines of the source.
 *
 * Which engine a statement means that names one, or none: that of a name the
 * source does not have is the one that the table has already, or the default.
 * A default that a session has set for itself is not in the binary log.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "ddl_engine.h"

static List *engines = NIL;		/* of char *, as information_schema has them */
static char *default_engine = NULL;

/* Once for each process. */
void
ms_engine_load(MsWire *wire)
{
	MemoryContext oldcxt;
	MsResult   *res;

	if (engines)
		return;
	res = ms_wire_query(wire, "SELECT ENGINE, SUPPORT = 'DEFAULT' FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')");
	oldcxt = MemoryContextSwitchTo(TopMemoryContext);
	for (int i = 0; i < res->nrows; i++)
	{
		char	   *name = pstrdup(ms_result_cell(res, i, 0));

		engines = lappend(engines, name);
		if (strcmp(ms_result_cell(res, i, 1), "1") == 0)
			default_engine = name;
	}
	MemoryContextSwitchTo(oldcxt);
}

/* As information_schema has it; NULL if the source has none of this name. */
const char *
ms_engine_name(const char *name)
{
	static const char *const aliases[][2] = {
		{"INNOBASE", "InnoDB"}, {"HEAP", "MEMORY"}, {"MERGE", "MRG_MyISAM"},
		{"MARIA", "Aria"},
	};
	ListCell   *lc;

	for (int i = 0; i < (int) lengthof(aliases); i++)
		if (pg_strcasecmp(aliases[i][0], name) == 0)
			name = aliases[i][1];
	foreach(lc, engines)
		if (pg_strcasecmp(lfirst(lc), name) == 0)
		return lfirst(lc);
	return NULL;
}

/* NULL if it is not known. */
const char *
ms_engine_default(void)
{
	return default_engine;
}
