/*
 * target_rights.c - who may write to a table, and as whom that is done.
 *
 * Part of writing to tables.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "target_internal.h"

/* May the owner of the subscription write there? */
void
ms_target_check_rights(Relation rel, Oid owner, const char *source_name)
{
	AclMode		needed = ACL_INSERT | ACL_UPDATE | ACL_DELETE | ACL_SELECT;

	if (pg_class_aclcheck(RelationGetRelid(rel), owner, needed) != ACLCHECK_OK ||
		(pg_class_aclmask(RelationGetRelid(rel), owner, needed, ACLMASK_ALL) != needed))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not write to table \"%s\"",
						ms_role_name(owner),
						RelationGetRelationName(rel)),
				 errdetail("It is the target of source table \"%s\".",
						   source_name),
				 errhint("Grant SELECT, INSERT, UPDATE, DELETE and TRUNCATE on the table to the subscription's owner.")));
	if (check_enable_rls(RelationGetRelid(rel), owner, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has row-level security enabled for role \"%s\"",
						RelationGetRelationName(rel),
						ms_role_name(owner)),
				 errhint("Give the role BYPASSRLS, or disable row-level security on the table.")));
}

/*
 * A table that is not in the WAL is empty after a crash, and on a standby,
 * while the position, which is in the WAL, says that all rows are there.
 */
void
ms_target_check_logged(Relation rel)
{
	const char *name;

	if (rel->rd_rel->relpersistence != RELPERSISTENCE_UNLOGGED ||
		rel->rd_rel->relkind != RELKIND_RELATION)
		return;
	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot replicate into unlogged table %s", name),
			 errdetail("A crash of the server empties it, and its changes would go on from behind the rows that are lost."),
			 errhint("Use ALTER TABLE %s SET LOGGED. If the server has crashed since the table was unlogged, copy it again with mariadb_sync.resync_table().",
					 name)));
}

/* Does a trigger fire when session_replication_role is replica? */
bool
ms_target_has_triggers(Relation rel)
{
	TriggerDesc *trigdesc = rel->trigdesc;

	for (int i = 0; trigdesc && i < trigdesc->numtriggers; i++)
	{
		char		enabled = trigdesc->triggers[i].tgenabled;

		if (enabled == TRIGGER_FIRES_ON_REPLICA ||
			enabled == TRIGGER_FIRES_ALWAYS)
			return true;
	}
	return false;
}

/*
 * Without run_as_owner, other people's triggers run with all rights.  That may
 * be meant, so it is not refused.
 */
void
ms_target_check_triggers(Relation rel)
{
	Oid			owner = rel->rd_rel->relowner;

	if (superuser_arg(owner) || !ms_target_has_triggers(rel))
		return;
	ereport(WARNING,
			(errmsg("triggers of table \"%s\" run as superuser",
					RelationGetRelationName(rel)),
			 errdetail("The table belongs to \"%s\", and has triggers that are enabled ALWAYS or for REPLICA.",
					   GetUserNameFromId(owner, false)),
			 errhint("Set the subscription option \"run_as_owner\" to true.")));
}

/*
 * What may run functions of the table's owner is done between these two.
 */
void
ms_target_enter(const MsTarget *target, MsRole *before)
{
	if (unlikely(OidIsValid(target->act_as)))
		ms_role_become(target->act_as, before);
}

void
ms_target_leave(const MsTarget *target, const MsRole *before)
{
	if (unlikely(OidIsValid(target->act_as)))
		ms_role_return(before);
}
