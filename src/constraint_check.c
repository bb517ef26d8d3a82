/*
 * constraint_check.c - is a statement with a constraint in the source's words
 * nothing more than that?
 *
 * What stands in a CHECK comes from the source as it is, and a source may be
 * anybody's: the statement must add one constraint, and the constraint only
 * compute.  Functions like query_to_xml() run what they are given as SQL, and
 * pg_read_file() reads files; none of that kind is immutable.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "constraint_check.h"

static bool
is_harmful(Oid funcid, void *context)
{
	if (funcid < FirstUnpinnedObjectId &&
		func_volatile(funcid) == PROVOLATILE_IMMUTABLE)
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("function %s() is not made use of in a constraint of the source",
					get_func_name(funcid))));
	return true;
}

static bool
check_functions(Node *node, void *context)
{
	if (node == NULL)
		return false;
	/* text of a value, or the reverse, depends on settings and is harmless */
	if (!IsA(node, CoerceViaIO))
		(void) check_functions_in_node(node, is_harmful, context);
	return expression_tree_walker(node, check_functions, context);
}

/* A CHECK's expression, which is over the columns of one table. */
static void
check_expression(Node *raw, Oid relid)
{
	ParseState *pstate = make_parsestate(NULL);
	Relation	rel = table_open(relid, AccessShareLock);
	ParseNamespaceItem *columns;

	columns = addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL,
											false, true);
	addNSItemToQuery(pstate, columns, true, true, true);
	(void) check_functions(transformExpr(pstate, raw, EXPR_KIND_CHECK_CONSTRAINT),
						   NULL);
	table_close(rel, AccessShareLock);
}

/* An error unless the statement adds one constraint to the table. */
void
ms_check_constraint_statement(const char *sql, Oid relid)
{
	List	   *statements = pg_parse_query(sql);
	AlterTableStmt *alter = NULL;
	AlterTableCmd *command = NULL;

	if (list_length(statements) == 1)
		alter = (AlterTableStmt *) linitial_node(RawStmt, statements)->stmt;
	if (alter && IsA(alter, AlterTableStmt) && list_length(alter->cmds) == 1)
		command = linitial_node(AlterTableCmd, alter->cmds);
	if (command == NULL || command->subtype != AT_AddConstraint)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("not a single constraint")));
	if (castNode(Constraint, command->def)->contype == CONSTR_CHECK)
		check_expression(castNode(Constraint, command->def)->raw_expr, relid);
}
