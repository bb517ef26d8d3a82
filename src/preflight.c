/*
 * preflight.c - is the source fit to be replicated from?
 *
 * A check looks at one thing and adds findings: what is wrong, what follows
 * from it, and a statement that mends it.  check_source() shows them all,
 * create_subscription() refuses to start on errors.  Nothing here changes the
 * source, and no check needs more privileges than replication itself; those
 * that could say more with a further privilege do so where it is there.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "grants.h"
#include "preflight.h"
#include "remote_schema.h"
#include "typemap.h"

/* names in one message */
#define MAX_NAMES	10

typedef struct Preflight
{
	MsWire	   *wire;
	const MsServerOptions *options;
	MsResult   *settings;		/* name, value */
	char	   *account;		/* ours on the source, quoted */
	List	   *grants;			/* of MsGrant * */
	List	   *patterns;
	List	   *tables;			/* of MsSourceTable * */
	List	   *findings;		/* of MsFinding * */
} Preflight;

static void
add_finding(Preflight *pf, const char *check_name, MsSeverity severity,
			int sqlerrcode, char *message, char *detail, char *hint)
{
	MsFinding  *finding = palloc0(sizeof(MsFinding));

	finding->check_name = check_name;
	finding->severity = severity;
	finding->sqlerrcode = sqlerrcode;
	finding->message = message;
	finding->detail = detail;
	finding->hint = hint;
	pf->findings = lappend(pf->findings, finding);
}

static void
add_ok(Preflight *pf, const char *check_name, char *message)
{
	add_finding(pf, check_name, MS_SEVERITY_OK, 0, message, NULL, NULL);
}

/* "a, b, c and 7 more" */
static char *
enumerate(List *names)
{
	StringInfoData buf;
	int			n = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
	{
		if (n == MAX_NAMES)
		{
			appendStringInfo(&buf, " and %d more", list_length(names) - n);
			break;
		}
		appendStringInfo(&buf, "%s%s", n > 0 ? ", " : "", (char *) lfirst(lc));
		n++;
	}
	return buf.data;
}

static char *
table_name(const MsSourceTable *table)
{
	return psprintf("%s.%s", table->db, table->name);
}

static char *
quoted_name(const MsSourceTable *table)
{
	return psprintf("%s.%s", ms_wire_quote_identifier(table->db),
					ms_wire_quote_identifier(table->name));
}

/* How to leave tables out. */
static char *
exclude_hint(List *names)
{
	return psprintf("Leave such tables out with a pattern such as \"!%s\".",
					(char *) linitial(names));
}

/* ------------------------------------------------------------------------
 * Settings of the source
 * ------------------------------------------------------------------------
 */

static const char settings_query[] =
"SHOW GLOBAL VARIABLES WHERE Variable_name IN ("
"'version', 'log_bin', 'binlog_format', 'binlog_row_image',"
" 'binlog_row_metadata', 'binlog_checksum', 'log_bin_compress',"
" 'binlog_storage_engine', 'binlog_expire_logs_seconds', 'expire_logs_days',"
" 'binlog_do_db', 'binlog_ignore_db', 'gtid_binlog_pos', 'gtid_slave_pos',"
" 'gtid_strict_mode', 'log_slave_updates', 'server_id', 'sync_binlog',"
" 'wsrep_on')";

/* NULL when this version does not have it. */
static char *
setting(const Preflight *pf, const char *name)
{
	for (int i = 0; i < pf->settings->nrows; i++)
		if (pg_strcasecmp(ms_result_cell(pf->settings, i, 0), name) == 0)
			return ms_result_cell(pf->settings, i, 1);
	return NULL;
}

static bool
setting_is(const Preflight *pf, const char *name, const char *value)
{
	char	   *actual = setting(pf, name);

	return actual && pg_strcasecmp(actual, value) == 0;
}

static char *
configuration_hint(const char *name, const char *value, bool of_session)
{
	return psprintf("Run on the source: SET GLOBAL %s = %s; and add \"%s = %s\" to the [mariadbd] section of its configuration file.%s",
					name, value, name, value,
					of_session ?
					" Sessions that are connected keep the old value until they connect again." :
					"");
}

/* Version 10.5 of MariaDB or later; false when there is no use to go on. */
static bool
check_version(Preflight *pf)
{
	const char *version = setting(pf, "version");
	const char *number = version ? version : "";
	int			major = 0;
	int			minor = 0;

	/* a prefix that old clients of MySQL replication needed */
	if (strncmp(number, "5.5.5-", 6) == 0)
		number += 6;
	(void) sscanf(number, "%d.%d", &major, &minor);

	if (setting(pf, "gtid_binlog_pos") == NULL)
	{
		add_finding(pf, "version", MS_SEVERITY_ERROR,
					ERRCODE_FEATURE_NOT_SUPPORTED,
					psprintf("the source is not MariaDB: version %s",
							 version ? version : "unknown"),
					pstrdup("MySQL has other GTIDs and another binary log."),
					pstrdup("Use a server of MariaDB 10.5 or later."));
		return false;
	}
	if (major < 10 || (major == 10 && minor < 5))
	{
		add_finding(pf, "version", MS_SEVERITY_ERROR,
					ERRCODE_FEATURE_NOT_SUPPORTED,
					psprintf("MariaDB %s is too old", version),
					pstrdup("Its binary log does not tell the names and types of columns."),
					pstrdup("Upgrade the source to MariaDB 10.5 or later."));
		return false;
	}
	add_ok(pf, "version", psprintf("MariaDB %s", version));
	return true;
}

static void
check_log_bin(Preflight *pf)
{
	if (!setting_is(pf, "log_bin", "ON"))
		add_finding(pf, "log_bin", MS_SEVERITY_ERROR,
					ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					pstrdup("the source does not write a binary log"),
					pstrdup("log_bin is OFF."),
					pstrdup("Add \"log_bin\" to the [mariadbd] section of the source's configuration file and restart it."));
	else
		add_ok(pf, "log_bin", pstrdup("log_bin is ON"));

	if (setting(pf, "binlog_storage_engine") &&
		setting(pf, "binlog_storage_engine")[0] != '\0')
		add_finding(pf, "binlog_storage_engine", MS_SEVERITY_ERROR,
					ERRCODE_FEATURE_NOT_SUPPORTED,
					psprintf("binlog_storage_engine is %s",
							 setting(pf, "binlog_storage_engine")),
					pstrdup("A binary log kept by a storage engine has no positions that a copy could be taken at."),
					pstrdup("Remove binlog_storage_engine from the source's configuration file and restart it."));
}

static void
check_binlog_format(Preflight *pf)
{
	if (!setting_is(pf, "binlog_format", "ROW"))
		add_finding(pf, "binlog_format", MS_SEVERITY_ERROR,
					ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					psprintf("binlog_format is %s, must be ROW",
							 setting(pf, "binlog_format")),
					pstrdup("In other formats the binary log holds statements, which cannot be applied here."),
					configuration_hint("binlog_format", "ROW", true));
	else
		add_ok(pf, "binlog_format", pstrdup("binlog_format is ROW"));

	if (!setting_is(pf, "binlog_row_image", "FULL") &&
		!setting_is(pf, "binlog_row_image", "FULL_NODUP"))
		add_finding(pf, "binlog_row_image", MS_SEVERITY_ERROR,
					ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					psprintf("binlog_row_image is %s, must be FULL",
							 setting(pf, "binlog_row_image")),
					pstrdup("The binary log lacks columns of the rows it changes."),
					configuration_hint("binlog_row_image", "FULL", true));
	else
		add_ok(pf, "binlog_row_image",
			   psprintf("binlog_row_image is %s",
						setting(pf, "binlog_row_image")));

	if (!setting_is(pf, "binlog_row_metadata", "FULL"))
		add_finding(pf, "binlog_row_metadata", MS_SEVERITY_WARNING, 0,
					psprintf("binlog_row_metadata is %s, should be FULL",
							 setting(pf, "binlog_row_metadata")),
					pstrdup("Without the names of columns in the binary log, rows are read by the recorded definition, and only a change of the number or types of columns is noticed."),
					configuration_hint("binlog_row_metadata", "FULL", false));
	else
		add_ok(pf, "binlog_row_metadata",
			   pstrdup("binlog_row_metadata is FULL"));
}

static void
check_safety(Preflight *pf)
{
	if (!setting_is(pf, "gtid_strict_mode", "ON"))
		add_finding(pf, "gtid_strict_mode", MS_SEVERITY_WARNING, 0,
					pstrdup("gtid_strict_mode is OFF"),
					pstrdup("The source accepts transactions whose GTIDs are out of order; after a failover, positions may then not be found."),
					configuration_hint("gtid_strict_mode", "1", false));
	else
		add_ok(pf, "gtid_strict_mode", pstrdup("gtid_strict_mode is ON"));

	if (!setting_is(pf, "sync_binlog", "1"))
		add_finding(pf, "sync_binlog", MS_SEVERITY_WARNING, 0,
					psprintf("sync_binlog is %s", setting(pf, "sync_binlog")),
					pstrdup("When the source crashes it can lose transactions that were already replicated, and use their GTIDs again."),
					configuration_hint("sync_binlog", "1", false));
	else
		add_ok(pf, "sync_binlog", pstrdup("sync_binlog is 1"));

	if (setting_is(pf, "binlog_checksum", "NONE"))
		add_finding(pf, "binlog_checksum", MS_SEVERITY_NOTICE, 0,
					pstrdup("binlog_checksum is NONE"),
					pstrdup("Damage of the binary log or on the network is not noticed."),
					configuration_hint("binlog_checksum", "CRC32", false));
	else
		add_ok(pf, "binlog_checksum",
			   psprintf("binlog_checksum is %s",
						setting(pf, "binlog_checksum")));
	add_ok(pf, "log_bin_compress",
		   psprintf("log_bin_compress is %s, either is good",
					setting(pf, "log_bin_compress")));
}

static void
check_retention(Preflight *pf)
{
	char	   *value = setting(pf, "binlog_expire_logs_seconds");
	double		seconds = value ? strtod(value, NULL) : 0;

	if (seconds == 0 && (value = setting(pf, "expire_logs_days")) != NULL)
		seconds = strtod(value, NULL) * 86400;
	if (seconds > 0)
		add_finding(pf, "retention", MS_SEVERITY_NOTICE, 0,
					psprintf("the source keeps its binary logs for %.3g hours",
							 seconds / 3600),
					pstrdup("A subscription that is stopped or disconnected for longer has to be created anew."),
					pstrdup("If that is too short, run on the source: SET GLOBAL expire_logs_days = 7; and set it in its configuration file."));
	else
		add_ok(pf, "retention",
			   pstrdup("the source's binary logs do not expire by age"));
}

static void
check_server_id(Preflight *pf)
{
	char	   *server_id = setting(pf, "server_id");

	if (pf->options->server_id != 0 &&
		pf->options->server_id == strtoul(server_id, NULL, 10))
		add_finding(pf, "server_id", MS_SEVERITY_ERROR,
					ERRCODE_DUPLICATE_OBJECT,
					psprintf("option \"server_id\" of server \"%s\" is the source's own server_id %s",
							 pf->options->server_name, server_id),
					pstrdup("Every replica needs a server_id of its own."),
					psprintf("Run ALTER SERVER %s OPTIONS (DROP server_id); then every subscription gets an id of its own.",
							 quote_identifier(pf->options->server_name)));
	else
		add_ok(pf, "server_id",
			   psprintf("the source's server_id is %s", server_id));
}

/* A source that is a replica itself must log what it applies. */
static void
check_log_slave_updates(Preflight *pf)
{
	char	   *slave_pos = setting(pf, "gtid_slave_pos");
	bool		is_replica = slave_pos && slave_pos[0] != '\0';

	if (setting_is(pf, "log_slave_updates", "OFF") &&
		(is_replica || setting_is(pf, "wsrep_on", "ON")))
		add_finding(pf, "log_slave_updates", MS_SEVERITY_ERROR,
					ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					pstrdup("the source is a replica or cluster node and log_slave_updates is OFF"),
					pstrdup("What it receives from other servers is not in its binary log."),
					pstrdup("Add \"log_slave_updates\" to the [mariadbd] section of the source's configuration file and restart it, or replicate from its primary."));
}

/* ------------------------------------------------------------------------
 * Privileges
 * ------------------------------------------------------------------------
 */

static void
load_account(Preflight *pf)
{
	char	   *user = ms_wire_query_value(pf->wire, "SELECT CURRENT_USER()");
	char	   *at = user ? strrchr(user, '@') : NULL;

	if (at)
	{
		*at = '\0';
		pf->account = psprintf("%s@%s", ms_wire_quote_identifier(user),
							   ms_wire_quote_identifier(at + 1));
	}
	else
		pf->account = "CURRENT_USER";
	pf->grants = ms_grants_fetch(pf->wire);
}

static void
check_replication_privilege(Preflight *pf)
{
	if (ms_grants_global(pf->grants, "REPLICATION SLAVE") ||
		ms_grants_global(pf->grants, "REPLICATION REPLICA"))
		add_ok(pf, "privilege_replication",
			   psprintf("%s may read the binary log", pf->account));
	else
		add_finding(pf, "privilege_replication", MS_SEVERITY_ERROR,
					ERRCODE_INSUFFICIENT_PRIVILEGE,
					psprintf("%s may not read the source's binary log",
							 pf->account),
					pstrdup("It lacks the privilege REPLICATION SLAVE."),
					psprintf("Run on the source: GRANT REPLICATION SLAVE ON *.* TO %s;",
							 pf->account));
}

static void
check_surplus_privileges(Preflight *pf)
{
	List	   *names = NIL;
	char	   *revoke = NULL;
	bool		all_powerful = false;
	ListCell   *lc;

	foreach(lc, pf->grants)
	{
		MsGrant    *grant = lfirst(lc);
		List	   *surplus = ms_grant_surplus(grant);

		if (surplus == NIL)
			continue;
		names = lappend(names, psprintf("%s on %s", enumerate(surplus),
										grant->scope));
		all_powerful |= ms_grant_is_all_powerful(grant);
		if (revoke == NULL)
			revoke = ms_grant_revoke_statement(grant);
	}
	if (names == NIL)
		add_ok(pf, "privilege_surplus",
			   psprintf("%s has no privileges that replication does not need",
						pf->account));
	else if (all_powerful)
		add_finding(pf, "privilege_surplus", MS_SEVERITY_WARNING, 0,
					psprintf("%s can do more than replication needs",
							 pf->account),
					psprintf("It has %s.", enumerate(names)),
					pstrdup("Use an account of its own. Run on the source: CREATE USER 'mariadb_sync'@'%' IDENTIFIED BY '...'; GRANT REPLICATION SLAVE ON *.* TO 'mariadb_sync'@'%'; and GRANT SELECT, REFERENCES on the tables to it."));
	else
		add_finding(pf, "privilege_surplus", MS_SEVERITY_NOTICE, 0,
					psprintf("%s has privileges that replication does not need",
							 pf->account),
					psprintf("It has %s.", enumerate(names)),
					psprintf("Run on the source: %s", revoke));
}

static void
check_select_privilege(Preflight *pf)
{
	List	   *names = NIL;
	char	   *grant = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (!table->select_denied &&
			!ms_grants_partial_select(pf->grants, table->db, table->name))
			continue;
		names = lappend(names, table_name(table));
		if (grant == NULL)
			grant = psprintf("GRANT SELECT, REFERENCES ON %s TO %s;",
							 quoted_name(table), pf->account);
	}
	if (names == NIL)
		add_ok(pf, "privilege_select",
			   psprintf("%s may read every table", pf->account));
	else
		add_finding(pf, "privilege_select", MS_SEVERITY_ERROR,
					ERRCODE_INSUFFICIENT_PRIVILEGE,
					psprintf("tables that %s may not read: %d", pf->account,
							 list_length(names)),
					psprintf("The privilege SELECT is missing, or given on some columns only: %s.",
							 enumerate(names)),
					psprintf("Run on the source: %s", grant));
}

static void
check_foreign_key_visibility(Preflight *pf)
{
	List	   *names = NIL;
	char	   *db = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (!table->foreign_keys_hidden)
			continue;
		names = lappend(names, table_name(table));
		if (db == NULL)
			db = ms_wire_quote_identifier(table->db);
	}
	if (names)
		add_finding(pf, "privilege_references", MS_SEVERITY_WARNING, 0,
					psprintf("tables whose foreign keys are not seen: %d",
							 list_length(names)),
					psprintf("They are not created here, and rows that they change by CASCADE or SET NULL are not changed here. MariaDB shows the rules of foreign keys only to accounts with a privilege besides SELECT: %s.",
							 enumerate(names)),
					psprintf("Run on the source: GRANT REFERENCES ON %s.* TO %s;",
							 db, pf->account));
}

/* ------------------------------------------------------------------------
 * Tables
 * ------------------------------------------------------------------------
 */

/* The databases of a pattern as GRANT writes them: "`sh%`.*". */
static char *
grant_scope(const char *pattern)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (; *pattern && *pattern != '.'; pattern++)
	{
		if (*pattern == '*')
			appendStringInfoChar(&buf, '%');
		else if (*pattern == '?')
			appendStringInfoChar(&buf, '_');
		else if (*pattern == '%' || *pattern == '_')
			appendStringInfo(&buf, "\\%c", *pattern);
		else
			appendStringInfoChar(&buf, *pattern);
	}
	return psprintf("%s.*", ms_wire_quote_identifier(buf.data));
}

/* A pattern that chooses nothing is likely a typing error. */
static void
check_patterns(Preflight *pf)
{
	ListCell   *lc;

	foreach(lc, pf->patterns)
	{
		char	   *pattern = lfirst(lc);
		List	   *single = list_make1(pattern);
		bool		found = pattern[0] == '!';
		ListCell   *lc2;

		foreach(lc2, pf->tables)
		{
			MsSourceTable *table = lfirst(lc2);

			if (found)
				break;
			found = ms_pattern_list_matches(single, table->db, table->name);
		}
		if (found)
			continue;
		add_finding(pf, "tables", MS_SEVERITY_WARNING, ERRCODE_UNDEFINED_TABLE,
					psprintf("pattern \"%s\" chooses no table", pattern),
					pstrdup("Names are compared with upper and lower case as they are; tables on which the account has no privilege are not seen, and views and MariaDB's own databases are never chosen."),
					psprintf("Check the spelling; if it is right, run on the source: GRANT SELECT, REFERENCES ON %s TO %s;",
							 grant_scope(pattern), pf->account));
	}
	if (pf->tables)
		add_ok(pf, "tables", psprintf("tables that the patterns choose: %d",
									  list_length(pf->tables)));
}

/* A name for one more column. */
static char *
free_column_name(const MsSourceTable *table)
{
	char	   *name = "id";
	ListCell   *lc;

	for (int n = 2;; n++)
	{
		bool		taken = false;

		foreach(lc, table->columns)
			taken |= pg_strcasecmp(((MsSourceColumn *) lfirst(lc))->name,
								   name) == 0;
		if (!taken)
			return name;
		name = psprintf("id%d", n);
	}
}

static void
check_keys(Preflight *pf)
{
	List	   *names = NIL;
	MsSourceTable *first = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (ms_source_table_key(table) ||
			strcmp(table->table_type, "BASE TABLE") != 0)
			continue;
		names = lappend(names, table_name(table));
		if (first == NULL)
			first = table;
	}
	if (names == NIL)
		add_ok(pf, "keys", pstrdup("every table has a key"));
	else
		add_finding(pf, "keys", MS_SEVERITY_WARNING, 0,
					psprintf("tables without a key: %d", list_length(names)),
					psprintf("An update or delete has to look at the whole table to find its row: %s.",
							 enumerate(names)),
					psprintf("Give them a key, for example: ALTER TABLE %s ADD COLUMN %s BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY;",
							 quoted_name(first), free_column_name(first)));
}

/*
 * Do foreign keys change rows of a table that is not chosen?  Then rows that
 * hang on those are changed through rows that nobody here knows.
 */
static bool
is_changed_unseen(Preflight *pf, const MsSourceForeignKey *key)
{
	List	   *parents;
	ListCell   *lc;

	if (ms_pattern_list_matches(pf->patterns, key->ref_db, key->ref_table))
		return false;
	parents = ms_remote_schema_fetch(pf->wire, NIL, key->ref_db, key->ref_table);
	if (parents == NIL)
		return true;
	foreach(lc, ((MsSourceTable *) linitial(parents))->foreign_keys)
		if (ms_source_foreign_key_acts(lfirst(lc)))
		return true;
	return ((MsSourceTable *) linitial(parents))->foreign_keys_hidden;
}

/* Does a generated column depend on what the foreign key changes? */
static bool
changes_generated(const MsSourceTable *table, const MsSourceForeignKey *key)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, table->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		foreach(lc2, key->columns)
			if (col->generation &&
				strstr(col->generation, ms_wire_quote_identifier(lfirst(lc2))))
			return true;
	}
	return false;
}

/* Is a column of the key text that is equal by more than its ASCII letters? */
static bool
compares_by_collation(const MsSourceTable *table, const MsSourceForeignKey *key)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, table->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		foreach(lc2, key->columns)
			if (strcmp(col->name, lfirst(lc2)) == 0 && col->collation &&
				col->labels == NIL && strstr(col->collation, "_bin") == NULL &&
				strcmp(col->collation, "binary") != 0)
			return true;
	}
	return false;
}

static void
check_cascades(Preflight *pf)
{
	List	   *names = NIL;
	List	   *problems = NIL;
	List	   *texts = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		foreach(lc2, table->foreign_keys)
		{
			MsSourceForeignKey *key = lfirst(lc2);
			char	   *name = psprintf("%s of %s", key->name, table_name(table));

			if (!ms_source_foreign_key_acts(key))
				continue;
			names = lappend(names, name);
			if (is_changed_unseen(pf, key))
				problems = lappend(problems,
								   psprintf("%s (foreign keys change rows of %s.%s, which is not chosen)",
											name, key->ref_db, key->ref_table));
			if (!ms_pattern_list_matches(pf->patterns, key->ref_db, key->ref_table) &&
				!setting_is(pf, "binlog_row_metadata", "FULL"))
				problems = lappend(problems,
								   psprintf("%s (%s.%s is not chosen, and binlog_row_metadata is not FULL)",
											name, key->ref_db, key->ref_table));
			if (changes_generated(table, key))
				problems = lappend(problems,
								   psprintf("%s (a generated column depends on it and is not made anew)",
											name));
			if (compares_by_collation(table, key))
				texts = lappend(texts, name);
		}
	}
	if (names == NIL)
		add_ok(pf, "cascades",
			   pstrdup("no foreign key changes rows by a cascade"));
	else
		add_finding(pf, "cascades", MS_SEVERITY_OK, 0,
					psprintf("foreign keys that change rows by CASCADE or SET NULL: %d",
							 list_length(names)),
					psprintf("MariaDB does not write such changes to its binary log; they are made here as well, by the same foreign keys: %s.",
							 enumerate(names)),
					NULL);
	if (problems)
		add_finding(pf, "cascades_unseen", MS_SEVERITY_WARNING, 0,
					psprintf("foreign keys whose changes of rows are not all known here: %d",
							 list_length(problems)),
					psprintf("MariaDB does not write them to its binary log: %s.",
							 enumerate(problems)),
					pstrdup("Choose the tables that they refer to as well."));
	if (texts)
		add_finding(pf, "cascades_text", MS_SEVERITY_NOTICE, 0,
					psprintf("foreign keys over text that change rows: %d",
							 list_length(texts)),
					psprintf("Rows that refer to a text which differs in the case or accents of letters beyond ASCII are not found: %s.",
							 enumerate(texts)),
					pstrdup("mariadb_sync.verify() finds such rows."));
}

static void
check_engines(Preflight *pf)
{
	List	   *names = NIL;
	char	   *first = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);
		bool		good = strcmp(table->table_type, "SEQUENCE") == 0;

		if (good || ms_source_has_read_views(table))
			continue;
		names = lappend(names, psprintf("%s (%s)", table_name(table),
										table->engine ? table->engine : "?"));
		if (first == NULL)
			first = quoted_name(table);
	}
	if (names == NIL)
		add_ok(pf, "engines", pstrdup("every table is transactional"));
	else
		add_finding(pf, "engines", MS_SEVERITY_WARNING, 0,
					psprintf("tables that are not transactional: %d",
							 list_length(names)),
					psprintf("Their changes are replicated one by one, also those of transactions that were rolled back: %s.",
							 enumerate(names)),
					psprintf("Run on the source: ALTER TABLE %s ENGINE = InnoDB;",
							 first));
}

/* Is its history told by transaction ids, and not by time? */
static bool
has_period_of_transactions(const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		if (ms_source_column_is_row_end(col) &&
			strcmp(col->data_type, "bigint") == 0)
			return true;
	}
	return false;
}

static void
check_table_types(Preflight *pf)
{
	List	   *sequences = NIL;
	List	   *versioned = NIL;
	List	   *by_transaction = NIL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (strcmp(table->table_type, "SEQUENCE") == 0)
			sequences = lappend(sequences, table_name(table));
		else if (has_period_of_transactions(table))
			by_transaction = lappend(by_transaction, table_name(table));
		else if (strcmp(table->table_type, "BASE TABLE") != 0)
			versioned = lappend(versioned, table_name(table));
	}
	if (sequences)
		add_ok(pf, "sequences", psprintf("sequences: %d",
										 list_length(sequences)));
	if (by_transaction)
		add_finding(pf, "system_versioned_by_transaction",
					MS_SEVERITY_ERROR, ERRCODE_FEATURE_NOT_SUPPORTED,
					psprintf("tables whose history is told by transaction ids: %d",
							 list_length(by_transaction)),
					psprintf("MariaDB logs changes of such tables as statements, whatever binlog_format is: %s.",
							 enumerate(by_transaction)),
					exclude_hint(by_transaction));
	if (versioned)
		add_finding(pf, "system_versioned", MS_SEVERITY_NOTICE, 0,
					psprintf("tables that are system-versioned: %d",
							 list_length(versioned)),
					psprintf("Their current rows are replicated, their history is not: %s.",
							 enumerate(versioned)),
					NULL);
}

/* What hinders the column, NULL if nothing does. */
static ErrorData *
column_problem(const MsSourceColumn *source)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	ErrorData  *volatile problem = NULL;

	/* nothing but memory is touched in there, so no subtransaction */
	PG_TRY();
	{
		MsColumn	col = {0};

		ms_typemap_init_column(&col, source);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldcxt);
		problem = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	return problem;
}

static void
check_columns(Preflight *pf)
{
	bool		good = true;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (strcmp(table->table_type, "SEQUENCE") == 0)
			continue;
		foreach(lc2, table->columns)
		{
			MsSourceColumn *col = lfirst(lc2);
			ErrorData  *problem = column_problem(col);

			if (problem == NULL)
				continue;
			good = false;
			add_finding(pf, "columns", MS_SEVERITY_ERROR, problem->sqlerrcode,
						psprintf("column \"%s\" of %s cannot be replicated",
								 col->name, table_name(table)),
						psprintf("Its type is %s%s%s: %s.", col->column_type,
								 col->charset ? " in character set " : "",
								 col->charset ? col->charset : "",
								 problem->message),
						problem->hint ? problem->hint :
						exclude_hint(list_make1(table_name(table))));
		}
	}
	if (good)
		add_ok(pf, "columns", pstrdup("every column can be replicated"));
}

static bool
list_has_word(const char *list, const char *word)
{
	size_t		len = strlen(word);

	for (const char *p = list; *p;)
	{
		size_t		n = strcspn(p, ",");

		if (n == len && strncmp(p, word, len) == 0)
			return true;
		p += n;
		if (*p == ',')
			p++;
	}
	return false;
}

/*
 * Databases that the source leaves out of its binary log.  Before 11.2 only
 * SHOW MASTER STATUS tells them, to who may run it.
 */
static void
check_filters(Preflight *pf)
{
	char	   *do_db = setting(pf, "binlog_do_db");
	char	   *ignore_db = setting(pf, "binlog_ignore_db");
	List	   *names = NIL;
	ListCell   *lc;

	if (do_db == NULL && ms_grants_global(pf->grants, "BINLOG MONITOR"))
	{
		MsResult   *status = ms_wire_query(pf->wire, "SHOW MASTER STATUS");

		if (status->nrows > 0 && status->nfields >= 4)
		{
			do_db = ms_result_cell(status, 0, 2);
			ignore_db = ms_result_cell(status, 0, 3);
		}
	}
	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);
		bool		logged = true;

		if (do_db && do_db[0] != '\0')
			logged = list_has_word(do_db, table->db);
		else if (ignore_db && ignore_db[0] != '\0')
			logged = !list_has_word(ignore_db, table->db);
		if (!logged)
			names = lappend(names, table_name(table));
	}
	if (names)
		add_finding(pf, "binlog_filter", MS_SEVERITY_ERROR,
					ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					psprintf("tables that the source does not write to its binary log: %d",
							 list_length(names)),
					psprintf("binlog_do_db or binlog_ignore_db keep their databases from being logged: %s.",
							 enumerate(names)),
					pstrdup("Remove binlog_do_db and binlog_ignore_db from the source's configuration file and restart it."));
}

/* ------------------------------------------------------------------------
 * Entrances
 * ------------------------------------------------------------------------
 */

/* The server as such.  Returns a list of MsFinding. */
List *
ms_preflight_server(MsWire *wire, const MsServerOptions *options)
{
	Preflight	pf = {.wire = wire,.options = options};

	pf.settings = ms_wire_query(wire, settings_query);
	if (!check_version(&pf))
		return pf.findings;
	check_log_bin(&pf);
	check_binlog_format(&pf);
	check_safety(&pf);
	check_retention(&pf);
	check_log_slave_updates(&pf);
	check_server_id(&pf);
	load_account(&pf);
	check_replication_privilege(&pf);
	check_surplus_privileges(&pf);
	return pf.findings;
}

/* The tables that the patterns choose.  Returns a list of MsFinding. */
List *
ms_preflight_tables(MsWire *wire, List *patterns, List *tables)
{
	Preflight	pf = {.wire = wire,.patterns = patterns,.tables = tables};

	pf.settings = ms_wire_query(wire, settings_query);
	load_account(&pf);
	check_patterns(&pf);
	if (tables == NIL)
		return pf.findings;
	check_select_privilege(&pf);
	check_foreign_key_visibility(&pf);
	check_filters(&pf);
	check_table_types(&pf);
	check_columns(&pf);
	check_keys(&pf);
	check_cascades(&pf);
	check_engines(&pf);
	return pf.findings;
}

/*
 * Raise the first error if there is one, else send the warnings.
 */
void
ms_preflight_raise(List *findings)
{
	MsFinding  *first = NULL;
	int			errors = 0;
	ListCell   *lc;

	foreach(lc, findings)
	{
		MsFinding  *finding = lfirst(lc);

		if (finding->severity != MS_SEVERITY_ERROR)
			continue;
		if (first == NULL)
			first = finding;
		errors++;
	}
	if (first)
		ereport(ERROR,
				(errcode(first->sqlerrcode),
				 errmsg("%s", first->message),
				 first->detail ? errdetail("%s", first->detail) : 0,
				 errors > 1 ?
				 errhint("%s mariadb_sync.check_source() shows %d more problems.",
						 first->hint ? first->hint : "", errors - 1) :
				 first->hint ? errhint("%s", first->hint) : 0));

	foreach(lc, findings)
	{
		MsFinding  *finding = lfirst(lc);

		if (finding->severity == MS_SEVERITY_WARNING)
			ereport(WARNING,
					(errmsg("%s", finding->message),
					 finding->detail ? errdetail("%s", finding->detail) : 0,
					 finding->hint ? errhint("%s", finding->hint) : 0));
	}
}
