/*
 * role.c - acting for another role.
 *
 * Whoever owns a table or a type decides which functions run when it is used:
 * triggers, CHECK constraints, expressions of indexes, defaults, casts.
 * Whatever may run them is done as the subscription's owner; and where that is
 * a superuser and the owner of the table is not, as the table's owner, who
 * else would be a superuser with the first row.
 *
 * Meanwhile nothing can be left behind for when we are somebody else again:
 * neither deferred triggers, temporary objects and cursors, nor settings such
 * as search_path, which is ours at the start whoever has set it before.
 *
 * An error needs no ms_role_return(): the end of the transaction, or of the
 * subtransaction, brings back who we were and what was set.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "role.h"
#include "sql.h"

/* The name of a subscription's owner, whom nothing keeps from being dropped. */
char *
ms_role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the role that owns the subscription was dropped"),
				 errhint("As a superuser give it to another role that has a user mapping, with UPDATE mariadb_sync.subscription SET owner = '...' WHERE name = '...', and start() it; or drop the subscription.")));
	return name;
}

/* Act as role until ms_role_return(before). */
void
ms_role_become(Oid role, MsRole *before)
{
	GetUserIdAndSecContext(&before->userid, &before->sec_context);
	SetUserIdAndSecContext(role, before->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	before->nestlevel = NewGUCNestLevel();
	ms_sql_set_path();
}

void
ms_role_return(const MsRole *before)
{
	AtEOXact_GUC(false, before->nestlevel);
	SetUserIdAndSecContext(before->userid, before->sec_context);
}

/* Of role and the owner of what it uses, the one that may do less. */
static Oid
lesser(Oid role, Oid owner)
{
	return superuser_arg(role) && !superuser_arg(owner) ? owner : role;
}

/* Which role to be when a table is used on behalf of role. */
Oid
ms_role_for_table(Oid role, Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	if (HeapTupleIsValid(tuple))
	{
		role = lesser(role, ((Form_pg_class) GETSTRUCT(tuple))->relowner);
		ReleaseSysCache(tuple);
	}
	return role;
}

/* The same for a domain, with those it is made of. */
Oid
ms_role_for_domain(Oid role, Oid typid)
{
	while (OidIsValid(typid))
	{
		HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
		Form_pg_type type;

		if (!HeapTupleIsValid(tuple))
			break;
		type = (Form_pg_type) GETSTRUCT(tuple);
		role = lesser(role, type->typowner);
		typid = type->typtype == TYPTYPE_DOMAIN ? type->typbasetype : InvalidOid;
		ReleaseSysCache(tuple);
	}
	return role;
}

/*
 * Partitions may be somebody else's, who would be the superuser that a
 * superuser's table is used as.
 */
void
ms_role_check_partitions(Oid relid, Oid role)
{
	ListCell   *lc;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE ||
		!superuser_arg(role))
		return;
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Oid			owner = ms_role_for_table(role, lfirst_oid(lc));

		if (owner != role)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("partition \"%s\" of table \"%s\" does not belong to a superuser as the table does",
							get_rel_name(lfirst_oid(lc)), get_rel_name(relid)),
					 errdetail("Its owner \"%s\" decides which functions run when rows are written.",
							   GetUserNameFromId(owner, false)),
					 errhint("Give the table and its partitions to one role with ALTER TABLE ... OWNER TO.")));
	}
}

/* Use a table on behalf of the current user until ms_role_return(before). */
void
ms_role_enter_table(Oid relid, MsRole *before)
{
	Oid			role = ms_role_for_table(GetUserId(), relid);

	ms_role_check_partitions(relid, role);
	ms_role_become(role, before);
}
