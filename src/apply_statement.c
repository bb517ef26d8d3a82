/*
 * apply_statement.c - changes of rows that arrive as statements.
 *
 * Part of the apply room.  A statement cannot be applied: what it did on the
 * source depends on the source's rows, functions and triggers.  It stops the
 * subscription, unless it is certain that it touched no row of ours: when its
 * text names one table only (dml_scan.c), that table is not replicated and no
 * replicated table hangs on it, and the source says that it is a table of its
 * own, not a view, and has no triggers.  Triggers are shown only to who has
 * the TRIGGER privilege; without it nothing is certain.
 *
 * The source tells how things are, not how they were when the statement ran.
 * So until the stream has come to where the source was when it was asked, a
 * change of triggers or of the table stops the subscription too.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "apply_internal.h"
#include "cascade.h"
#include "cascade.h"
#include "ddl_token.h"
#include "dml_scan.h"

/* A table whose statements pass by. */
typedef struct PassedTable
{
	char	   *db;
	char	   *table;
	MsGtidList	asked;			/* where the source was when it was asked */
} PassedTable;

/* doubts that a privilege may end */
static const char not_shown[] = "the source does not show it as a table of its own";
static const char no_triggers_shown[] = "the source does not show whether it has triggers";

static PassedTable *
find_passed(const MsApply *apply, const MsTableName *name)
{
	ListCell   *lc;

	foreach(lc, apply->passed)
	{
		PassedTable *passed = lfirst(lc);

		if (strcmp(passed->db, name->db) == 0 &&
			strcmp(passed->table, name->table) == 0)
			return passed;
	}
	return NULL;
}

/*
 * We, as information_schema writes it.  It shows the privileges of others, too,
 * to who may read the database mysql.
 */
#define OUR_ACCOUNT \
	"CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - LOCATE('@', REVERSE(CURRENT_USER())))," \
	" '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"

/*
 * Ask the source whether statements on the table can have other effects.
 * Returns why, or NULL when they cannot.
 */
static const char *
ask_source(MsApply *apply, const MsTableName *name)
{
	char	   *db = ms_wire_quote_literal(name->db);
	char	   *table = ms_wire_quote_literal(name->table);
	MsResult   *res;

	res = ms_wire_query(apply->control,
						psprintf("SELECT EXISTS (SELECT 1 FROM information_schema.TABLES"
								 " WHERE TABLE_SCHEMA = %1$s AND TABLE_NAME = %2$s AND TABLE_TYPE = 'BASE TABLE'"
								 " AND ENGINE IN ('InnoDB', 'MyISAM', 'Aria', 'MEMORY', 'ARCHIVE', 'CSV', 'BLACKHOLE', 'ROCKSDB')),"
								 " EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES"
								 " WHERE PRIVILEGE_TYPE = 'TRIGGER' AND GRANTEE = " OUR_ACCOUNT ")"
								 " OR EXISTS (SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES"
								 " WHERE PRIVILEGE_TYPE = 'TRIGGER' AND GRANTEE = " OUR_ACCOUNT
								 " AND TABLE_SCHEMA = %1$s)"
								 " OR EXISTS (SELECT 1 FROM information_schema.TABLE_PRIVILEGES"
								 " WHERE PRIVILEGE_TYPE = 'TRIGGER' AND GRANTEE = " OUR_ACCOUNT
								 " AND TABLE_SCHEMA = %1$s AND TABLE_NAME = %2$s),"
								 " EXISTS (SELECT 1 FROM information_schema.TRIGGERS"
								 " WHERE EVENT_OBJECT_SCHEMA = %1$s AND EVENT_OBJECT_TABLE = %2$s)",
								 db, table));
	if (strcmp(ms_result_cell(res, 0, 0), "1") != 0)
		return not_shown;
	if (strcmp(ms_result_cell(res, 0, 1), "1") != 0)
		return no_triggers_shown;
	if (strcmp(ms_result_cell(res, 0, 2), "0") != 0)
		return "it has triggers";
	return NULL;
}

static void
remember(MsApply *apply, const MsTableName *name)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(GetMemoryChunkContext(apply));
	PassedTable *passed = palloc0(sizeof(PassedTable));

	passed->db = pstrdup(name->db);
	passed->table = pstrdup(name->table);
	ms_gtid_init(&passed->asked);
	(void) ms_gtid_parse_list(ms_wire_query_value(apply->control,
												  "SELECT @@global.gtid_binlog_pos"),
							  &passed->asked);
	apply->passed = lappend(apply->passed, passed);
	MemoryContextSwitchTo(oldcxt);
}

/* Why the statement cannot pass; NULL when it can. */
static const char *
find_doubt(MsApply *apply, const char *doubt, const MsTableName *name)
{
	if (doubt)
		return doubt;
	if (ms_relmap_find_name(apply->relmap, name->db, name->table))
		return "the table is replicated";
	if (ms_relmap_find_watched(apply->relmap, name->db, name->table))
		return "foreign keys of replicated tables refer to the table";
	if (find_passed(apply, name))
		return NULL;
	doubt = ask_source(apply, name);
	if (doubt)
		return doubt;
	remember(apply, name);
	ereport(LOG,
			(errmsg("statement-format changes of source table \"%s.%s\" pass by",
					name->db, name->table),
			 errdetail("GTID %s. The table is not part of subscription \"%s\", and its statements can change no other.",
					   apply->gtid_text, apply->sub->name)));
	ms_catalog_add_history(apply->sub->subid, "statement", apply->gtid_text,
						   psprintf("%s.%s", name->db, name->table), NULL,
						   "statement-format changes pass by");
	return NULL;
}

/*
 * A statement that changes rows, in the server's encoding.
 */
void
ms_apply_statement(MsApply *apply, const char *verb, const char *sql,
				   const char *db, uint64 sql_mode)
{
	MsTableName name = {0};
	const char *doubt;

	if (!ms_relmap_is_linked(apply->relmap))
		ms_cascade_link(apply->relmap);
	doubt = ms_dml_scan(sql, strlen(sql), db, sql_mode, &name);
	doubt = find_doubt(apply, doubt, &name);
	if (doubt == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 name.table ?
			 errmsg("statement-format %s of source table \"%s.%s\" at GTID %s is not supported",
					verb, name.db, name.table, apply->gtid_text) :
			 errmsg("statement-format %s at GTID %s is not supported", verb,
					apply->gtid_text),
			 errdetail("It is not certain that it leaves the replicated tables alone: %s.",
					   doubt),
			 doubt == not_shown || doubt == no_triggers_shown ?
			 errhint("Set binlog_format = ROW on the source, for all sessions. If nothing replicated depends on the table, run on the source: GRANT TRIGGER ON %s.%s TO the account of the user mapping; and then mariadb_sync.start().",
					 ms_wire_quote_identifier(name.db),
					 ms_wire_quote_identifier(name.table)) :
			 errhint("Set binlog_format = ROW on the source, for all sessions. Pass over this transaction with mariadb_sync.skip_transaction() and repair the tables that it may have changed with mariadb_sync.verify(), or copy them again with mariadb_sync.resync_table().")));
}

/*
 * Any other statement: does it make uncertain what was asked about a table
 * whose statements have passed by?
 */
void
ms_apply_recheck_passed(MsApply *apply, const char *sql,
						const MsStatement *statement, uint64 sql_mode)
{
	ListCell   *lc;
	MsScanner	s;
	bool		trigger = false;

	ms_token_begin(&s, sql, strlen(sql), sql_mode);
	for (int i = 0; i < 20 && s.kind != MS_TOKEN_END; i++, ms_token_next(&s))
		trigger |= ms_token_is(&s, "TRIGGER") || ms_token_is(&s, "VIEW");
	foreach(lc, apply->passed)
	{
		PassedTable *passed = lfirst(lc);
		bool		concerned = trigger;
		ListCell   *lc2;

		foreach(lc2, statement->tables)
		{
			const MsTableName *name = lfirst(lc2);

			concerned |= strcmp(name->db, passed->db) == 0 &&
				strcmp(name->table, passed->table) == 0;
		}
		if (!concerned)
			continue;
		if (!ms_gtid_reached(&apply->position.gtid, &passed->asked))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("triggers or the definition of source table \"%s.%s\" were changed at GTID %s, after statement-format changes of it",
							passed->db, passed->table, apply->gtid_text),
					 errdetail("What those statements have changed is not certain."),
					 errhint("Set binlog_format = ROW on the source, for all sessions, and compare the tables with mariadb_sync.verify().")));
		/* to be asked again */
		apply->passed = foreach_delete_current(apply->passed, lc);
	}
}
