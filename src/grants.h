/*
 * grants.h - what SHOW GRANTS says we may do on the source.
 */
#ifndef MS_GRANTS_H
#define MS_GRANTS_H

#include "nodes/pg_list.h"

#include "wire.h"

/* A line of SHOW GRANTS that gives privileges. */
typedef struct MsGrant
{
	List	   *privileges;		/* of char *, upper case: "SELECT (`A`)" */
	char	   *scope;			/* "*.*", "`db`.*", "`db`.`table`" */
	char	   *grantee;		/* "`user`@`host`", "`role`", "PUBLIC" */
} MsGrant;

extern List *ms_grants_fetch(MsWire *wire);
extern bool ms_grants_global(List *grants, const char *privilege);
extern bool ms_grants_partial_select(List *grants, const char *db,
									 const char *table);
extern List *ms_grant_surplus(const MsGrant *grant);
extern char *ms_grant_revoke_statement(const MsGrant *grant);
extern bool ms_grant_is_all_powerful(const MsGrant *grant);

#endif							/* MS_GRANTS_H */
