/*
 * role.h - acting for another role.
 */
#ifndef MS_ROLE_H
#define MS_ROLE_H

/* What there was before. */
typedef struct MsRole
{
	Oid			userid;
	int			sec_context;
	int			nestlevel;
} MsRole;

extern char *ms_role_name(Oid role);
extern void ms_role_become(Oid role, MsRole *before);
extern void ms_role_return(const MsRole *before);
extern Oid	ms_role_for_table(Oid role, Oid relid);
extern Oid	ms_role_for_domain(Oid role, Oid typid);
extern void ms_role_check_partitions(Oid relid, Oid role);
extern void ms_role_enter_table(Oid relid, MsRole *before);

#endif							/* MS_ROLE_H */
