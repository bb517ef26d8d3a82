/*
 * commands.c - the functions that make, change and drop subscriptions.
 *
 * What they write is in the caller's transaction; what they ask of workers
 * takes effect at its commit, as ALTER SUBSCRIPTION's does.  Until then the
 * requests wait in pending_actions, which follows subtransactions.  The one
 * exception is drop_subscription(): it has to see the worker gone before it
 * takes its catalog rows and replication origin away, so it stops the worker
 * at once and starts it again if the transaction aborts.
 *
 * Changes of one subscription are serialized by its lock (catalog.h), taken
 * in a mode that does not disturb workers, except by drop_subscription().
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "replication/origin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "commands.h"
#include "crash_guard.h"
#include "half_made.h"
#include "mapping.h"
#include "mariadb_sync.h"
#include "preflight.h"
#include "remote_schema.h"
#include "role.h"
#include "sequence.h"
#include "sql.h"
#include "subtransaction.h"
#include "wire.h"

PG_FUNCTION_INFO_V1(ms_create_subscription);
PG_FUNCTION_INFO_V1(ms_alter_subscription);
PG_FUNCTION_INFO_V1(ms_drop_subscription);
PG_FUNCTION_INFO_V1(ms_start);
PG_FUNCTION_INFO_V1(ms_stop);
PG_FUNCTION_INFO_V1(ms_pause_snapshot);
PG_FUNCTION_INFO_V1(ms_resume_snapshot);
PG_FUNCTION_INFO_V1(ms_reset_stats);
PG_FUNCTION_INFO_V1(ms_invalidate);

/* ------------------------------------------------------------------------
 * What takes effect at commit
 * ------------------------------------------------------------------------
 */

typedef enum PendingKind
{
	PENDING_CREATE,				/* on abort: give the slot back */
	PENDING_START,
	PENDING_STOP,
	PENDING_CHANGE,
	PENDING_RESET,
	PENDING_DROP,				/* on abort: nothing was running before */
	PENDING_DROP_RUNNING		/* on abort: start again */
} PendingKind;

typedef struct PendingAction
{
	PendingKind kind;
	int32		subid;
	SubTransactionId subxact;
} PendingAction;

/* Of this transaction, oldest first, in TopTransactionContext. */
static List *pending_actions = NIL;

/* The transaction is committed: nothing here may raise an error. */
static void
do_at_commit(const PendingAction *action)
{
	switch (action->kind)
	{
		case PENDING_CREATE:
			break;
		case PENDING_START:
			ms_crash_guard_reset(MyDatabaseId, action->subid);
			ms_shmem_request_start(MyDatabaseId, action->subid);
			break;
		case PENDING_STOP:
			ms_shmem_request_stop(MyDatabaseId, action->subid);
			break;
		case PENDING_CHANGE:
			ms_shmem_notify_changed(MyDatabaseId, action->subid);
			break;
		case PENDING_RESET:
			ms_shmem_reset_counters(MyDatabaseId, action->subid);
			break;
		case PENDING_DROP:
		case PENDING_DROP_RUNNING:
			ms_crash_guard_reset(MyDatabaseId, action->subid);
			ms_shmem_forget(MyDatabaseId, action->subid);
			break;
	}
}

static void
do_at_abort(const PendingAction *action)
{
	if (action->kind == PENDING_CREATE)
		ms_shmem_forget(MyDatabaseId, action->subid);
	else if (action->kind == PENDING_DROP_RUNNING)
		ms_shmem_request_start(MyDatabaseId, action->subid);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (pending_actions == NIL)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			foreach(lc, pending_actions)
				do_at_commit(lfirst(lc));
			pending_actions = NIL;
			break;
		case XACT_EVENT_ABORT:
			foreach(lc, pending_actions)
				do_at_abort(lfirst(lc));
			pending_actions = NIL;
			break;
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has changed mariadb_sync subscriptions")));
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subxact,
					  SubTransactionId parent, void *arg)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, pending_actions)
	{
		PendingAction *action = lfirst(lc);

		if (action->subxact != subxact)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			action->subxact = parent;
		else
		{
			do_at_abort(action);
			pending_actions = foreach_delete_current(pending_actions, lc);
		}
	}
}

static void
add_pending(int32 subid, PendingKind kind)
{
	static bool registered = false;
	MemoryContext oldcxt;
	PendingAction *action;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		registered = true;
	}
	oldcxt = MemoryContextSwitchTo(TopTransactionContext);
	action = palloc(sizeof(PendingAction));
	action->kind = kind;
	action->subid = subid;
	action->subxact = GetCurrentSubTransactionId();
	pending_actions = lappend(pending_actions, action);
	MemoryContextSwitchTo(oldcxt);
}

/* Its workers look at the catalog again when this transaction commits. */
void
ms_notify_at_commit(int32 subid)
{
	add_pending(subid, PENDING_CHANGE);
}

/* If it has failed, it starts again when this transaction commits. */
void
ms_restart_failed_at_commit(int32 subid)
{
	MsSlotView	view;

	if (ms_shmem_find(MyDatabaseId, subid, &view) &&
		(view.state == MS_SUB_ERROR || view.state == MS_SUB_RETRYING))
		add_pending(subid, PENDING_START);
}

/* Whether the subscription waits for this transaction to commit. */
bool
ms_start_is_pending(int32 subid)
{
	ListCell   *lc;

	foreach(lc, pending_actions)
	{
		PendingAction *action = lfirst(lc);

		if (action->subid == subid && action->kind == PENDING_START)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * Shared checks
 * ------------------------------------------------------------------------
 */

void
ms_check_preloaded(void)
{
	if (!ms_shmem_available())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("mariadb_sync must be loaded via shared_preload_libraries"),
				 errhint("Add mariadb_sync to shared_preload_libraries in postgresql.conf and restart the server.")));
}

/* For functions that write: says so before anything is asked of MariaDB. */
void
ms_check_may_write(const char *function)
{
	PreventCommandDuringRecovery(function);
	PreventCommandIfReadOnly(function);
	ms_check_preloaded();
}

/* The patterns as a list of strings; an error if one is malformed. */
List *
ms_patterns_from_array(ArrayType *array)
{
	List	   *patterns = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	bool		chooses = false;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *pattern;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("table patterns must not be null")));
		pattern = TextDatumGetCString(elements[i]);
		ms_pattern_check(pattern);
		chooses |= pattern[0] != '!';
		patterns = lappend(patterns, pattern);
	}
	if (!chooses)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no table pattern chooses anything"),
				 errhint("Name tables as database.table, for example '{shop.*}'.")));
	return patterns;
}

/* The options of a server that the user may use. */
void
ms_load_server(const char *name, Oid userid, MsServerOptions *options)
{
	ForeignServer *server = GetForeignServerByName(name, false);
	Datum		allowed;

	(void) ms_role_name(userid);
	allowed = DirectFunctionCall3(has_server_privilege_id_id,
								  ObjectIdGetDatum(userid),
								  ObjectIdGetDatum(server->serverid),
								  CStringGetTextDatum("USAGE"));
	if (!DatumGetBool(allowed))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	ms_server_options_load(server->serverid, userid, options);
}

/* A subscription that the current user may look at. */
MsSubscription *
ms_find_visible_subscription(const char *name)
{
	MsSubscription *sub = ms_catalog_find_subscription(name, false);

	if (!has_privs_of_role(GetUserId(), sub->owner) &&
		!has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for subscription \"%s\"", name),
				 errdetail("Only its owner and members of the role pg_monitor may look at it.")));
	return sub;
}

static void
check_owner(const MsSubscription *sub)
{
	if (!has_privs_of_role(GetUserId(), sub->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of subscription \"%s\"", sub->name)));
}

/*
 * A subscription that the current user may change, locked.  NULL when there
 * is none and missing_ok is true.
 */
MsSubscription *
ms_lock_own_subscription(const char *name, LOCKMODE mode, bool missing_ok)
{
	MsSubscription *sub = ms_catalog_find_subscription(name, missing_ok);

	if (sub == NULL)
		return NULL;
	check_owner(sub);
	ms_catalog_lock_subscription(sub->subid, mode);
	/* it may have changed, or gone, while we waited */
	sub = ms_catalog_find_subscription(name, missing_ok);
	if (sub)
		check_owner(sub);
	return sub;
}

/* ------------------------------------------------------------------------
 * create_subscription
 * ------------------------------------------------------------------------
 */

static void
check_new_name(const char *name)
{
	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("subscription name must not be empty")));
	if (ms_catalog_find_subscription(name, true) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("subscription \"%s\" already exists", name)));
}

/* Without the owner's rights, changes are applied with all rights. */
static void
check_run_as_owner(const MsSubscriptionOptions *options)
{
	if (!options->run_as_owner && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to set subscription option \"run_as_owner\" to false")));
}

static bool
has_sequences_only(List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
		if (strcmp(((MsSourceTable *) lfirst(lc))->table_type, "SEQUENCE") != 0)
		return false;
	return true;
}

/* The chosen tables of a source that is fit to be replicated from. */
static List *
find_source_tables(MsWire *wire, const MsServerOptions *server,
				   List *patterns, const MsSubscriptionOptions *options)
{
	List	   *tables;

	ms_preflight_raise(ms_preflight_server(wire, server));
	tables = ms_remote_schema_fetch(wire, patterns, NULL, NULL);
	if (has_sequences_only(tables))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("no table of server \"%s\" matches the patterns",
						server->server_name),
				 errdetail("Names are compared with upper and lower case as they are, and tables on which the account has no privilege are not seen."),
				 errhint("SELECT * FROM mariadb_sync.check_source(%s, ...) says more.",
						 quote_literal_cstr(server->server_name))));
	ms_preflight_raise(ms_preflight_tables(wire, patterns, tables));
	if (options->versioned_history)
		ms_source_keep_history(tables);
	return tables;
}

/*
 * The id we are known by as a replica: two with one id would throw each other
 * out again and again.
 */
static uint32
choose_server_id(MsWire *wire, const MsServerOptions *server)
{
	uint32		source_id;
	uint32		id = server->server_id;

	source_id = strtoul(ms_wire_query_value(wire, "SELECT @@global.server_id"),
						NULL, 10);
	if (id != 0)
	{
		if (ms_catalog_server_id_in_use(id))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("server_id %u is used by another subscription", id),
					 errdetail("Every replica needs a server_id of its own, and server \"%s\" has this one as an option.",
							   server->server_name),
					 errhint("Use ALTER SERVER %s OPTIONS (DROP server_id); then every subscription gets an id of its own.",
							 quote_identifier(server->server_name))));
		return id;
	}
	do
	{
		if (!pg_strong_random(&id, sizeof(id)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate a random server_id")));
		id &= PG_INT32_MAX;
	} while (id == 0 || id == source_id || ms_catalog_server_id_in_use(id));
	return id;
}

/* Where streaming begins: never after what is read of the tables next. */
static char *
choose_start_position(MsWire *wire, const MsSubscriptionOptions *options)
{
	char	   *position = options->start_gtid;

	if (position == NULL)
		position = ms_wire_query_value(wire, "SELECT @@global.gtid_binlog_pos");
	return position ? position : "";
}

/* Find or make the targets, with names that mean what we think they do. */
static void
map_tables(int32 subid, List *tables, const MsSubscriptionOptions *options,
		   MsWire *wire)
{
	int			nestlevel = NewGUCNestLevel();
	ListCell   *lc;

	ms_sql_set_path();
	/* defaults of columns refer to them */
	(void) ms_sequence_map(subid, tables, options, wire);
	foreach(lc, ms_mapping_make(tables, options))
		ms_mapping_record(subid, lfirst(lc),
						  options->copy_data ? MS_TABLE_PENDING : MS_TABLE_READY);
	AtEOXact_GUC(false, nestlevel);
}

/* "enabled" has a column of its own, which start() and stop() change. */
static Jsonb *
options_to_keep(Jsonb *options)
{
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete,
											  JsonbPGetDatum(options),
											  CStringGetTextDatum("enabled")));
}

/*
 * The replication origin of a new subscription.  When the extension was dropped
 * together with its subscriptions their numbers come again, and the origins may
 * still be there.
 */
static void
make_origin(int32 subid)
{
	char	   *name = psprintf(MS_ORIGIN_FORMAT, MyDatabaseId, subid);
	MsSlotView	view;

	if (replorigin_by_name(name, true) == InvalidRepOriginId)
	{
		(void) replorigin_create(name);
		return;
	}
	if (ms_shmem_find(MyDatabaseId, subid, &view) && view.pid != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("replication origin \"%s\" is in use by process %d", name,
						(int) view.pid),
				 errdetail("It is the worker of a subscription that was dropped with the extension."),
				 errhint("Use pg_terminate_backend(%d) and try again.",
						 (int) view.pid)));
}

Datum
ms_create_subscription(PG_FUNCTION_ARGS)
{
	char	   *name = NameStr(*PG_GETARG_NAME(0));
	char	   *server_name = NameStr(*PG_GETARG_NAME(1));
	List	   *patterns = ms_patterns_from_array(PG_GETARG_ARRAYTYPE_P(2));
	Jsonb	   *json = PG_GETARG_JSONB_P(3);
	MsSubscriptionOptions options;
	MsServerOptions server;
	MsSubscription sub = {0};
	MsWire	   *wire;
	char	   *position;
	List	   *tables;

	ms_check_may_write("create_subscription()");
	ms_options_parse(json, &options);
	check_run_as_owner(&options);
	check_new_name(name);
	ms_load_server(server_name, GetUserId(), &server);

	wire = ms_wire_connect(&server);
	position = choose_start_position(wire, &options);
	tables = find_source_tables(wire, &server, patterns, &options);
	sub.server_id = choose_server_id(wire, &server);

	sub.name = name;
	sub.owner = GetUserId();
	sub.server = server_name;
	sub.enabled = options.enabled;
	sub.patterns = patterns;
	sub.options = options_to_keep(json);
	sub.subid = ms_catalog_insert_subscription(&sub);
	map_tables(sub.subid, tables, &options, wire);
	ms_wire_close(wire);
	ms_catalog_insert_position(sub.subid, position);
	make_origin(sub.subid);

	add_pending(sub.subid, PENDING_CREATE);
	ms_shmem_reserve(MyDatabaseId, sub.subid);
	if (sub.enabled)
		add_pending(sub.subid, PENDING_START);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * Changing and dropping
 * ------------------------------------------------------------------------
 */

Datum
ms_alter_subscription(PG_FUNCTION_ARGS)
{
	char	   *name = NameStr(*PG_GETARG_NAME(0));
	MsSubscriptionOptions options;
	MsSubscription *sub;

	ms_check_may_write("alter_subscription()");
	sub = ms_lock_own_subscription(name, ShareUpdateExclusiveLock, false);
	sub->options = ms_options_merge(sub->options, PG_GETARG_JSONB_P(1));
	ms_options_parse(sub->options, &options);
	check_run_as_owner(&options);
	ms_catalog_update_subscription(sub);
	add_pending(sub->subid, PENDING_CHANGE);
	PG_RETURN_VOID();
}

Datum
ms_start(PG_FUNCTION_ARGS)
{
	char	   *name = NameStr(*PG_GETARG_NAME(0));
	MsSubscription *sub;

	ms_check_may_write("start()");
	sub = ms_lock_own_subscription(name, ShareUpdateExclusiveLock, false);
	sub->enabled = true;
	ms_catalog_update_subscription(sub);
	ms_shmem_reserve(MyDatabaseId, sub->subid);
	add_pending(sub->subid, PENDING_START);
	PG_RETURN_VOID();
}

/*
 * What is stopped may be written to next: identity columns go on behind what
 * was replicated.  No reason for stop() to fail, or to wait for long.
 */
static void
move_identities(const MsSubscription *sub)
{
	MsSubtransaction subtransaction;
	List	   *tables = ms_catalog_get_tables(sub->subid);

	ms_subtransaction_begin(&subtransaction);
	PG_TRY();
	{
		MsRole		before;
		ListCell   *lc;

		ms_role_become(sub->owner, &before);
		(void) set_config_option("lock_timeout", "1s", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		foreach(lc, tables)
		{
			const MsSubTable *table = lfirst(lc);

			if (table->state == MS_TABLE_READY)
				(void) ms_sequence_move_identities(table->relid, true);
		}
		ms_role_return(&before);
		ms_subtransaction_commit(&subtransaction);
	}
	PG_CATCH();
	{
		ErrorData  *error = ms_subtransaction_do_without(&subtransaction);

		ereport(WARNING,
				(errmsg("identity columns of subscription \"%s\" were not moved on: %s",
						sub->name, error->message),
				 errhint("mariadb_sync.promote() moves them, too.")));
	}
	PG_END_TRY();
}

Datum
ms_stop(PG_FUNCTION_ARGS)
{
	char	   *name = NameStr(*PG_GETARG_NAME(0));
	MsSubscription *sub;

	ms_check_may_write("stop()");
	sub = ms_lock_own_subscription(name, ShareUpdateExclusiveLock, false);
	if (sub->enabled)
		move_identities(sub);
	sub->enabled = false;
	ms_catalog_update_subscription(sub);
	add_pending(sub->subid, PENDING_STOP);
	PG_RETURN_VOID();
}

static void
set_snapshot_paused(const char *name, bool paused)
{
	MsSubscription *sub = ms_lock_own_subscription(name, ShareUpdateExclusiveLock,
												   false);

	sub->snapshot_paused = paused;
	ms_catalog_update_subscription(sub);
	add_pending(sub->subid, PENDING_CHANGE);
}

Datum
ms_pause_snapshot(PG_FUNCTION_ARGS)
{
	ms_check_may_write("pause_snapshot()");
	set_snapshot_paused(NameStr(*PG_GETARG_NAME(0)), true);
	PG_RETURN_VOID();
}

Datum
ms_resume_snapshot(PG_FUNCTION_ARGS)
{
	ms_check_may_write("resume_snapshot()");
	set_snapshot_paused(NameStr(*PG_GETARG_NAME(0)), false);
	PG_RETURN_VOID();
}

Datum
ms_reset_stats(PG_FUNCTION_ARGS)
{
	char	   *name = NameStr(*PG_GETARG_NAME(0));
	MsSubscription *sub;

	ms_check_may_write("reset_stats()");
	sub = ms_lock_own_subscription(name, ShareUpdateExclusiveLock, false);
	ms_catalog_reset_stats(sub->subid);
	add_pending(sub->subid, PENDING_RESET);
	PG_RETURN_VOID();
}

/* What was asked of the subscription in this transaction is void. */
static void
forget_pending(int32 subid)
{
	ListCell   *lc;

	foreach(lc, pending_actions)
	{
		PendingAction *action = lfirst(lc);

		if (action->subid == subid && action->kind != PENDING_CREATE)
			pending_actions = foreach_delete_current(pending_actions, lc);
	}
}

static bool
is_running(int32 subid)
{
	MsSlotView	view;

	return ms_shmem_find(MyDatabaseId, subid, &view) &&
		view.state != MS_SUB_STOPPED && view.state != MS_SUB_ERROR;
}

/* Nobody will go on with them. */
static void
drop_half_made_indexes(const MsSubscription *sub)
{
	MsSubscriptionOptions options;
	ListCell   *lc;

	ms_options_parse(sub->options, &options);
	foreach(lc, ms_catalog_get_tables(sub->subid))
		ms_half_made_drop(sub, lfirst(lc), options.run_as_owner);
}

Datum
ms_drop_subscription(PG_FUNCTION_ARGS)
{
	char	   *name = NameStr(*PG_GETARG_NAME(0));
	bool		if_exists = PG_GETARG_BOOL(1);
	MsSubscription *sub;

	ms_check_may_write("drop_subscription()");
	sub = ms_lock_own_subscription(name, AccessExclusiveLock, if_exists);
	if (sub == NULL)
	{
		ereport(NOTICE,
				(errmsg("subscription \"%s\" does not exist, skipping", name)));
		PG_RETURN_VOID();
	}

	/* no worker can start while we hold the lock */
	forget_pending(sub->subid);
	add_pending(sub->subid,
				is_running(sub->subid) ? PENDING_DROP_RUNNING : PENDING_DROP);
	ms_shmem_request_stop(MyDatabaseId, sub->subid);
	ms_shmem_wait_stopped(MyDatabaseId, sub->subid);
	drop_half_made_indexes(sub);

	replorigin_drop_by_name(psprintf(MS_ORIGIN_FORMAT, MyDatabaseId,
									 sub->subid), true, false);
	ms_catalog_delete_subscription(sub->subid);
	PG_RETURN_VOID();
}

/* Trigger: tells the workers of a change of the table it is on. */
Datum
ms_invalidate(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a trigger",
						"invalidate")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}
