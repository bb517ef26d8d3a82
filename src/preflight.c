/*
 * preflight.c - is the source fit to be replicated from?
 *
 * A check looks at one thing and adds findings: what is wrong, what follows
 * from it, and a statement that mends it.  check_source() shows them all,
 * create_subscription() refuses to start on errors.  Nothing here changes the
 * source, and no check needs more privileges than replication itself; those
 * that could say more with a further privilege do so where it is there.
 *
 * Here are the checks of the server and of our account; those of the tables
 * are in preflight_tables.c.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "preflight_internal.h"

/* names in one message */
#define MAX_NAMES	10

void
ms_preflight_add(Preflight *pf, const char *check_name, MsSeverity severity,
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

void
ms_preflight_add_ok(Preflight *pf, const char *check_name, char *message)
{
	ms_preflight_add(pf, check_name, MS_SEVERITY_OK, 0, message, NULL, NULL);
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

/* A finding about names: how many of what there are, and which, with the reason. */
void
ms_preflight_add_names(Preflight *pf, const char *check_name,
					   MsSeverity severity, int sqlerrcode, List *names,
					   const char *what, const char *reason, char *hint)
{
	ms_preflight_add(pf, check_name, severity, sqlerrcode,
					 psprintf("%s: %d", what, list_length(names)),
					 psprintf("%s: %s.", reason, enumerate(names)),
					 hint);
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

void
ms_preflight_load_settings(Preflight *pf)
{
	pf->settings = ms_wire_query(pf->wire, settings_query);
}

/* NULL when this version does not have it. */
char *
ms_preflight_setting(const Preflight *pf, const char *name)
{
	for (int i = 0; i < pf->settings->nrows; i++)
		if (pg_strcasecmp(ms_result_cell(pf->settings, i, 0), name) == 0)
			return ms_result_cell(pf->settings, i, 1);
	return NULL;
}

bool
ms_preflight_setting_is(const Preflight *pf, const char *name, const char *value)
{
	char	   *actual = ms_preflight_setting(pf, name);

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
	const char *version = ms_preflight_setting(pf, "version");
	const char *number = version ? version : "";
	int			major = 0;
	int			minor = 0;

	/* a prefix that old clients of MySQL replication needed */
	if (strncmp(number, "5.5.5-", 6) == 0)
		number += 6;
	(void) sscanf(number, "%d.%d", &major, &minor);

	if (ms_preflight_setting(pf, "gtid_binlog_pos") == NULL)
	{
		ms_preflight_add(pf, "version", MS_SEVERITY_ERROR,
						 ERRCODE_FEATURE_NOT_SUPPORTED,
						 psprintf("the source is not MariaDB: version %s",
								  version ? version : "unknown"),
						 pstrdup("MySQL has other GTIDs and another binary log."),
						 pstrdup("Use a server of MariaDB 10.5 or later."));
		return false;
	}
	if (major < 10 || (major == 10 && minor < 5))
	{
		ms_preflight_add(pf, "version", MS_SEVERITY_ERROR,
						 ERRCODE_FEATURE_NOT_SUPPORTED,
						 psprintf("MariaDB %s is too old", version),
						 pstrdup("Its binary log does not tell the names and types of columns."),
						 pstrdup("Upgrade the source to MariaDB 10.5 or later."));
		return false;
	}
	ms_preflight_add_ok(pf, "version", psprintf("MariaDB %s", version));
	return true;
}

static void
check_log_bin(Preflight *pf)
{
	if (!ms_preflight_setting_is(pf, "log_bin", "ON"))
		ms_preflight_add(pf, "log_bin", MS_SEVERITY_ERROR,
						 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 pstrdup("the source does not write a binary log"),
						 pstrdup("log_bin is OFF."),
						 pstrdup("Add \"log_bin\" to the [mariadbd] section of the source's configuration file and restart it."));
	else
		ms_preflight_add_ok(pf, "log_bin", pstrdup("log_bin is ON"));

	if (ms_preflight_setting(pf, "binlog_storage_engine") &&
		ms_preflight_setting(pf, "binlog_storage_engine")[0] != '\0')
		ms_preflight_add(pf, "binlog_storage_engine", MS_SEVERITY_ERROR,
						 ERRCODE_FEATURE_NOT_SUPPORTED,
						 psprintf("binlog_storage_engine is %s",
								  ms_preflight_setting(pf, "binlog_storage_engine")),
						 pstrdup("A binary log kept by a storage engine has no positions that a copy could be taken at."),
						 pstrdup("Remove binlog_storage_engine from the source's configuration file and restart it."));
}

static void
check_binlog_format(Preflight *pf)
{
	if (!ms_preflight_setting_is(pf, "binlog_format", "ROW"))
		ms_preflight_add(pf, "binlog_format", MS_SEVERITY_ERROR,
						 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 psprintf("binlog_format is %s, must be ROW",
								  ms_preflight_setting(pf, "binlog_format")),
						 pstrdup("In other formats the binary log holds statements, which cannot be applied here."),
						 configuration_hint("binlog_format", "ROW", true));
	else
		ms_preflight_add_ok(pf, "binlog_format", pstrdup("binlog_format is ROW"));

	if (!ms_preflight_setting_is(pf, "binlog_row_image", "FULL") &&
		!ms_preflight_setting_is(pf, "binlog_row_image", "FULL_NODUP"))
		ms_preflight_add(pf, "binlog_row_image", MS_SEVERITY_ERROR,
						 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 psprintf("binlog_row_image is %s, must be FULL",
								  ms_preflight_setting(pf, "binlog_row_image")),
						 pstrdup("The binary log lacks columns of the rows it changes."),
						 configuration_hint("binlog_row_image", "FULL", true));
	else
		ms_preflight_add_ok(pf, "binlog_row_image",
							psprintf("binlog_row_image is %s",
									 ms_preflight_setting(pf, "binlog_row_image")));

	if (!ms_preflight_setting_is(pf, "binlog_row_metadata", "FULL"))
		ms_preflight_add(pf, "binlog_row_metadata", MS_SEVERITY_WARNING, 0,
						 psprintf("binlog_row_metadata is %s, should be FULL",
								  ms_preflight_setting(pf, "binlog_row_metadata")),
						 pstrdup("Without the names of columns in the binary log, rows are read by the recorded definition, and only a change of the number or types of columns is noticed."),
						 configuration_hint("binlog_row_metadata", "FULL", false));
	else
		ms_preflight_add_ok(pf, "binlog_row_metadata",
							pstrdup("binlog_row_metadata is FULL"));
}

static void
check_safety(Preflight *pf)
{
	if (!ms_preflight_setting_is(pf, "gtid_strict_mode", "ON"))
		ms_preflight_add(pf, "gtid_strict_mode", MS_SEVERITY_WARNING, 0,
						 pstrdup("gtid_strict_mode is OFF"),
						 pstrdup("The source accepts transactions whose GTIDs are out of order; after a failover, positions may then not be found."),
						 configuration_hint("gtid_strict_mode", "1", false));
	else
		ms_preflight_add_ok(pf, "gtid_strict_mode", pstrdup("gtid_strict_mode is ON"));

	if (!ms_preflight_setting_is(pf, "sync_binlog", "1"))
		ms_preflight_add(pf, "sync_binlog", MS_SEVERITY_WARNING, 0,
						 psprintf("sync_binlog is %s", ms_preflight_setting(pf, "sync_binlog")),
						 pstrdup("When the source crashes it can lose transactions that were already replicated, and use their GTIDs again."),
						 configuration_hint("sync_binlog", "1", false));
	else
		ms_preflight_add_ok(pf, "sync_binlog", pstrdup("sync_binlog is 1"));

	if (ms_preflight_setting_is(pf, "binlog_checksum", "NONE"))
		ms_preflight_add(pf, "binlog_checksum", MS_SEVERITY_NOTICE, 0,
						 pstrdup("binlog_checksum is NONE"),
						 pstrdup("Damage of the binary log or on the network is not noticed."),
						 configuration_hint("binlog_checksum", "CRC32", false));
	else
		ms_preflight_add_ok(pf, "binlog_checksum",
							psprintf("binlog_checksum is %s",
									 ms_preflight_setting(pf, "binlog_checksum")));
	ms_preflight_add_ok(pf, "log_bin_compress",
						psprintf("log_bin_compress is %s, either is good",
								 ms_preflight_setting(pf, "log_bin_compress")));
}

static void
check_retention(Preflight *pf)
{
	char	   *value = ms_preflight_setting(pf, "binlog_expire_logs_seconds");
	double		seconds = value ? strtod(value, NULL) : 0;

	if (seconds == 0 && (value = ms_preflight_setting(pf, "expire_logs_days")) != NULL)
		seconds = strtod(value, NULL) * 86400;
	if (seconds > 0)
		ms_preflight_add(pf, "retention", MS_SEVERITY_NOTICE, 0,
						 psprintf("the source keeps its binary logs for %.3g hours",
								  seconds / 3600),
						 pstrdup("A subscription that is stopped or disconnected for longer has to be created anew."),
						 pstrdup("If that is too short, run on the source: SET GLOBAL expire_logs_days = 7; and set it in its configuration file."));
	else
		ms_preflight_add_ok(pf, "retention",
							pstrdup("the source's binary logs do not expire by age"));
}

static void
check_server_id(Preflight *pf)
{
	char	   *server_id = ms_preflight_setting(pf, "server_id");

	if (pf->options->server_id != 0 &&
		pf->options->server_id == strtoul(server_id, NULL, 10))
		ms_preflight_add(pf, "server_id", MS_SEVERITY_ERROR,
						 ERRCODE_DUPLICATE_OBJECT,
						 psprintf("option \"server_id\" of server \"%s\" is the source's own server_id %s",
								  pf->options->server_name, server_id),
						 pstrdup("Every replica needs a server_id of its own."),
						 psprintf("Run ALTER SERVER %s OPTIONS (DROP server_id); then every subscription gets an id of its own.",
								  quote_identifier(pf->options->server_name)));
	else
		ms_preflight_add_ok(pf, "server_id",
							psprintf("the source's server_id is %s", server_id));
}

/* A source that is a replica itself must log what it applies. */
static void
check_log_slave_updates(Preflight *pf)
{
	char	   *slave_pos = ms_preflight_setting(pf, "gtid_slave_pos");
	bool		is_replica = slave_pos && slave_pos[0] != '\0';

	if (ms_preflight_setting_is(pf, "log_slave_updates", "OFF") &&
		(is_replica || ms_preflight_setting_is(pf, "wsrep_on", "ON")))
		ms_preflight_add(pf, "log_slave_updates", MS_SEVERITY_ERROR,
						 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 pstrdup("the source is a replica or cluster node and log_slave_updates is OFF"),
						 pstrdup("What it receives from other servers is not in its binary log."),
						 pstrdup("Add \"log_slave_updates\" to the [mariadbd] section of the source's configuration file and restart it, or replicate from its primary."));
}

/* ------------------------------------------------------------------------
 * Privileges
 * ------------------------------------------------------------------------
 */

void
ms_preflight_load_account(Preflight *pf)
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
		ms_preflight_add_ok(pf, "privilege_replication",
							psprintf("%s may read the binary log", pf->account));
	else
		ms_preflight_add(pf, "privilege_replication", MS_SEVERITY_ERROR,
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
		ms_preflight_add_ok(pf, "privilege_surplus",
							psprintf("%s has no privileges that replication does not need",
									 pf->account));
	else if (all_powerful)
		ms_preflight_add(pf, "privilege_surplus", MS_SEVERITY_WARNING, 0,
						 psprintf("%s can do more than replication needs",
								  pf->account),
						 psprintf("It has %s.", enumerate(names)),
						 pstrdup("Use an account of its own. Run on the source: CREATE USER 'mariadb_sync'@'%' IDENTIFIED BY '...'; GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'mariadb_sync'@'%'; and GRANT SELECT, REFERENCES on the tables to it."));
	else
		ms_preflight_add(pf, "privilege_surplus", MS_SEVERITY_NOTICE, 0,
						 psprintf("%s has privileges that replication does not need",
								  pf->account),
						 psprintf("It has %s.", enumerate(names)),
						 psprintf("Run on the source: %s", revoke));
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

	ms_preflight_load_settings(&pf);
	if (!check_version(&pf))
		return pf.findings;
	check_log_bin(&pf);
	check_binlog_format(&pf);
	check_safety(&pf);
	check_retention(&pf);
	check_log_slave_updates(&pf);
	check_server_id(&pf);
	ms_preflight_load_account(&pf);
	check_replication_privilege(&pf);
	check_surplus_privileges(&pf);
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
				 errhint_plural("%s mariadb_sync.check_source() shows %d more problem.",
								"%s mariadb_sync.check_source() shows %d more problems.",
								errors - 1, first->hint ? first->hint : "",
								errors - 1) :
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
