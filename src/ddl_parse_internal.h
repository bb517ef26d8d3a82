/*
 * ddl_parse_internal.h - what the files of the parser share.
 */
#ifndef MS_DDL_PARSE_INTERNAL_H
#define MS_DDL_PARSE_INTERNAL_H

#include "ddl_parse.h"
#include "ddl_token.h"

typedef struct MsParser
{
	MsScanner	scanner;
	MsDdl	   *ddl;
	const char *default_db;
	bool		is_create_index;
	MsClause   *own_index;		/* that the column's definition makes */
} MsParser;

extern MsClause *ms_parse_add(MsParser *parser, MsClauseKind kind);
extern char *ms_parse_text(const char *start, const char *end);
extern void ms_parse_unknown(MsParser *parser, const char *start);
extern bool ms_parse_references(MsParser *parser, MsSourceForeignKey *fk);
extern bool ms_parse_check(MsParser *parser, char *name);

/* ddl_parse_column.c */
extern void ms_parse_quote_text(StringInfo buf, const char *text);
extern bool ms_parse_column(MsParser *parser, char *old_name, bool if_exists);
extern bool ms_parse_default(MsParser *parser, MsSourceColumn *col);

#endif							/* MS_DDL_PARSE_INTERNAL_H */
