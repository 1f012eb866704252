/*
 * Guards: functions of the caller's with a circuit before them. A guard keeps whose circuit it is, so that one that was
 * evicted or removed is made anew; where there is none to be had the function is called all the same. No lock is held
 * while callers' functions run, and errno is as these left it.
 */
#include "abi.h"
#include "config.h"
#include "circuit.h"
#include "foreign.h"
#include "kinds.h"
#include "refusal.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(sizeof(trip_guard_config) == TRIP_GUARD_CONFIG_SIZE_1_4, "later members go behind the released ones");

/* A function, and who is asked before it is called. */
typedef struct guarded {
    trip_tracker tracker;
    _Atomic trip_circuit circuit; /* of this key */
    size_t tenant_len;
    size_t provider_len;
    char key[2 * TRIP_TEXT_MAX]; /* the tenant, then the provider */
    trip_foreign *foreign;
    trip_guard_config config;
    trip_classifier classifier;
    void *user_data;
    trip_finalizer finalizer;
} guarded;

typedef struct place {
    trip_object object;
    guarded guarded;
} place;

static void end(trip_object *object)
{
    const guarded *g = &((place *)object)->guarded;
    int saved = errno;
    if (g->finalizer != NULL)
        g->finalizer(g->user_data);
    trip_foreign_release(g->foreign);
    errno = saved;
}

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_guards = TRIP_OBJECT_KIND(TRIP_KIND_GUARD, place, end, NULL, NULL, chunks);

static place *visit(trip_guard guard)
{
    return (place *)trip_object_visit(&trip_guards, guard);
}

static void leave(place *p)
{
    trip_object_leave(&trip_guards, &p->object);
}

/* ---- Configs ----------------------------------------------------------------------------------------------------- */

static const trip_guard_config defaults = {.struct_size = sizeof(trip_guard_config),
                                           .rule = TRIP_RULE_NEGATIVE_FAILS,
                                           .refused_result = -1,
                                           .refused_double = -1,
                                           .refused_errno = EAGAIN};

static const trip_refusal *check(const void *config)
{
    const trip_guard_config *c = config;
    TRIP_REQUIRE(trip_guard_config, c->rule <= TRIP_RULE_CLASSIFIER, rule, "must be one of TRIP_RULE_*");
    TRIP_REQUIRE(trip_guard_config, c->reserved == 0, reserved, "must be 0");
    return NULL;
}

static const trip_config_kind configs = {sizeof(trip_guard_config), TRIP_GUARD_CONFIG_SIZE_1_4, &defaults, check,
                                         TRIP_HOW_TO_FILL(trip_guard_config)};

trip_status trip_guard_config_init(trip_guard_config *out_config, size_t struct_size)
{
    return trip_config_fill(&configs, out_config, struct_size);
}

/* ---- Guards ------------------------------------------------------------------------------------------------------ */

static trip_status refuse_rule(trip_error *out_error, const char *why)
{
    return trip_error_tell(out_error, TRIP_E_CONFIG, offsetof(trip_guard_config, rule), why);
}

/* What the rule needs: results of a type that it can judge, and a classifier or none. */
static trip_status check_rule(uint32_t rule, trip_type result, bool has_classifier, trip_error *out_error)
{
    static const char *const fits[] = {
        [TRIP_RULE_NEGATIVE_FAILS] = "rule: only signed integers and floating point can be negative",
        [TRIP_RULE_ZERO_SUCCEEDS] = "rule: void is never zero",
        [TRIP_RULE_ZERO_FAILS] = "rule: void is never zero",
        [TRIP_RULE_ERRNO] = "rule: with errno fail only signed integers and pointers",
    };
    if (!trip_rule_fits(rule, result))
        return refuse_rule(out_error, fits[rule]);
    if (has_classifier != (rule == TRIP_RULE_CLASSIFIER))
        return refuse_rule(out_error, has_classifier ? "rule: must be TRIP_RULE_CLASSIFIER, for there is a classifier"
                                                     : "rule: TRIP_RULE_CLASSIFIER needs a classifier");
    return TRIP_OK;
}

/* Who the circuit is. Its tracker is read first: that it lives afterwards says that both were its own. */
static trip_status remember(trip_circuit circuit, guarded *g)
{
    const trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    g->tracker = trip_record_tracker(record);
    atomic_init(&g->circuit, circuit);
    return trip_circuit_key(circuit, g->key, sizeof g->key, &g->tenant_len, &g->provider_len);
}

static trip_status begin(guarded *g, const trip_signature *signature, trip_function function, trip_guard *out_guard)
{
    trip_status status = trip_foreign_make(function, signature, &g->foreign);
    if (status != TRIP_OK)
        return status;
    trip_object *object;
    status = trip_object_make(&trip_guards, g->tracker, &object);
    if (status != TRIP_OK) {
        trip_foreign_release(g->foreign);
        return status;
    }
    ((place *)object)->guarded = *g;
    *out_guard = trip_object_begin(&trip_guards, object);
    return TRIP_OK;
}

static trip_status explain(trip_status status, trip_error *out_error)
{
    switch (status) {
    case TRIP_OK:
        return TRIP_OK;
    case TRIP_E_HANDLE:
        return trip_error_tell(out_error, status, TRIP_NO_FIELD, "there is no such circuit");
    case TRIP_E_UNSUPPORTED:
        return trip_error_tell(out_error, status, TRIP_NO_FIELD, "this library was built without libffi");
    default:
        return trip_error_tell_unmade(out_error, status);
    }
}

trip_status trip_guard_create(trip_circuit circuit, trip_function function, const char *signature, size_t signature_len,
                              const trip_guard_config *config, trip_classifier classifier, void *user_data,
                              trip_finalizer finalizer, trip_guard *out_guard, trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (function == NULL || out_guard == NULL)
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD,
                               function == NULL ? "function is NULL" : "out_guard is NULL");
    guarded g = {.classifier = classifier, .user_data = user_data, .finalizer = finalizer};
    trip_signature types;
    trip_status status = explain(remember(circuit, &g), out_error);
    if (status == TRIP_OK)
        status = trip_config_complete(&configs, config, &g.config, out_error);
    if (status == TRIP_OK)
        status = trip_signature_read(signature, signature_len, &types, out_error);
    if (status == TRIP_OK)
        status = check_rule(g.config.rule, types.result, classifier != NULL, out_error);
    return status == TRIP_OK ? explain(begin(&g, &types, function, out_guard), out_error) : status;
}

trip_status trip_guard_destroy(trip_guard guard)
{
    return trip_object_destroy(&trip_guards, guard);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

/* A negative status: no permit is to be had. A circuit that is gone is made anew, once: one that goes again at once is in
   a tracker that is too small for it. */
static trip_status ask(guarded *g, trip_permit *out_permit, trip_rejection *out_rejection)
{
    trip_circuit circuit = atomic_load_explicit(&g->circuit, memory_order_relaxed);
    trip_status status = trip_circuit_permit(circuit, out_permit, out_rejection);
    if (status != TRIP_E_HANDLE)
        return status;
    status = trip_tracker_circuit(g->tracker, g->key, g->tenant_len, g->key + g->tenant_len, g->provider_len, &circuit);
    if (status != TRIP_OK)
        return status;
    atomic_store_explicit(&g->circuit, circuit, memory_order_relaxed);
    return trip_circuit_permit(circuit, out_permit, out_rejection);
}

/* What the rule makes of a result. */
static trip_outcome judge(const guarded *g, const trip_result *result, int error_number)
{
    trip_type type = trip_foreign_result(g->foreign);
    trip_outcome outcome = {.struct_size = sizeof outcome, .sys_errno = error_number};
    if (g->config.rule == TRIP_RULE_CLASSIFIER)
        outcome.status_class = g->classifier(g->user_data, type == TRIP_TYPE_VOID ? NULL : result, error_number);
    else if (!trip_rule_fails(g->config.rule, type, result))
        outcome.status_class = TRIP_CLASS_SUCCESS;
    else
        trip_classify_errno(error_number, &outcome);
    if (outcome.status_class > TRIP_CLASS_UNKNOWN)
        outcome.status_class = TRIP_CLASS_UNKNOWN;
    return outcome;
}

/* Rules that tell successes from failures and no more need no class, which the config might not count as such. */
static void settle(const guarded *g, trip_permit permit, const trip_result *result, int error_number)
{
    uint32_t rule = g->config.rule;
    if (rule == TRIP_RULE_ERRNO || rule == TRIP_RULE_CLASSIFIER) {
        trip_outcome outcome = judge(g, result, error_number);
        trip_permit_record(permit, &outcome);
    } else if (trip_rule_fails(rule, trip_foreign_result(g->foreign), result)) {
        trip_permit_record_failure(permit);
    } else {
        trip_permit_record_success(permit);
    }
}

/* Functions set errno when they fail and need not clear it otherwise, so that it has to be 0 before one whose errno counts.
   A function that did not touch it leaves the caller his. */
static trip_status call(guarded *g, const void *const *arguments, trip_result *out_result,
                        trip_rejection *out_rejection)
{
    int callers = errno;
    trip_permit permit;
    trip_status status = ask(g, &permit, out_rejection);
    if (status > 0)
        return status;
    errno = g->config.rule == TRIP_RULE_ERRNO ? 0 : callers;
    trip_foreign_call(g->foreign, arguments, out_result);
    int left = errno;
    if (status == TRIP_OK)
        settle(g, permit, out_result, left);
    errno = g->config.rule == TRIP_RULE_ERRNO && left == 0 ? callers : left;
    return TRIP_OK;
}

static bool are_complete(const void *const *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (arguments[i] == NULL)
            return false;
    return true;
}

trip_status trip_guard_call(trip_guard guard, const void *const *arguments, size_t argument_count, void *out_result,
                            trip_rejection *out_rejection)
{
    if ((arguments == NULL && argument_count != 0) || !trip_abi_may_write(out_rejection, TRIP_REJECTION_SIZE_1_0))
        return TRIP_E_INVALID;
    place *p = visit(guard);
    if (p == NULL)
        return TRIP_E_HANDLE;
    trip_status status = TRIP_E_INVALID;
    trip_result result;
    if (argument_count == trip_foreign_count(p->guarded.foreign) && are_complete(arguments, argument_count))
        status = call(&p->guarded, arguments, &result, out_rejection);
    if (status == TRIP_OK && out_result != NULL)
        memcpy(out_result, &result, trip_type_size(trip_foreign_result(p->guarded.foreign)));
    leave(p);
    return status;
}

/* ---- Pointers ---------------------------------------------------------------------------------------------------- */

/* Called in place of the function, for as long as the process lives. */
static void stand_in(const trip_foreign *foreign, uint64_t guard, const void *const *arguments, trip_result *out_result)
{
    place *p = visit(guard);
    if (p == NULL) {
        trip_foreign_call(foreign, arguments, out_result);
        return;
    }
    if (call(&p->guarded, arguments, out_result, NULL) != TRIP_OK) {
        const trip_guard_config *config = &p->guarded.config;
        *out_result = trip_result_refused(trip_foreign_result(foreign), config);
        if (config->refused_errno != 0)
            errno = config->refused_errno;
    }
    leave(p);
}

trip_status trip_guard_pointer(trip_guard guard, trip_function *out_function)
{
    if (out_function == NULL)
        return TRIP_E_INVALID;
    place *p = visit(guard);
    if (p == NULL)
        return TRIP_E_HANDLE;
    trip_status status = trip_foreign_pointer(p->guarded.foreign, stand_in, guard, out_function);
    leave(p);
    return status;
}
