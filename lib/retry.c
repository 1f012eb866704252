/*
 * Retries: whether and when to try again, by a rule that is fixed when it is made. Counts and answers; nobody waits here,
 * and nobody is called. The arithmetic is in backoff.c and budget.c.
 */
#include "abi.h"
#include "backoff.h"
#include "budget.h"
#include "config.h"
#include "kinds.h"

#include <float.h>

#define MS UINT64_C(1000000)

#define ATTEMPTS_MAX 1000
#define PROVIDERS_MAX 65536
#define RATIO_MAX 1000
#define BURST_MAX 1000000

#define CLASS(name) (UINT64_C(1) << TRIP_CLASS_##name)
#define FAILURES (((UINT64_C(1) << TRIP_CLASSES) - 1) & ~CLASS(SUCCESS))

typedef struct place {
    trip_object object;
    trip_retry_config rule;
    trip_draws draws;
    trip_budgets budgets;
} place;

/* ---- Configs ----------------------------------------------------------------------------------------------------- */

static const trip_retry_config defaults = {
    .struct_size = sizeof defaults,
    .max_attempts = 3,
    .base_delay_ns = 500 * MS,
    .max_delay_ns = 60 * TRIP_NS_PER_SECOND,
    .multiplier = 2.0,
    .jitter = TRIP_JITTER_FULL,
    .max_providers = 1024,
    .max_retry_after_ns = 60 * TRIP_NS_PER_SECOND,
    .classes = CLASS(SERVER_ERROR) | CLASS(RATE_LIMITED) | CLASS(OVERLOADED) | CLASS(NETWORK) | CLASS(TIMEOUT),
    .budget_ratio = 0.1,
    .budget_burst = 10,
};

#define REQUIRE(rule, field, why) TRIP_REQUIRE(trip_retry_config, rule, field, why)
#define REQUIRE_YEAR(field) TRIP_REQUIRE_YEAR(trip_retry_config, field)

static const trip_refusal *check(const void *config)
{
    const trip_retry_config *c = config;
    REQUIRE(c->max_attempts >= 1 && c->max_attempts <= ATTEMPTS_MAX, max_attempts, "must be 1 to 1000");
    REQUIRE_YEAR(base_delay_ns);
    REQUIRE_YEAR(max_delay_ns);
    REQUIRE(c->multiplier >= 1.0 && c->multiplier <= DBL_MAX, multiplier, "must be finite and at least 1");
    REQUIRE(c->jitter <= TRIP_JITTER_DECORRELATED, jitter,
            "must be TRIP_JITTER_NONE, TRIP_JITTER_FULL, TRIP_JITTER_EQUAL or TRIP_JITTER_DECORRELATED");
    REQUIRE(c->max_providers >= 1 && c->max_providers <= PROVIDERS_MAX, max_providers, "must be 1 to 65536");
    REQUIRE_YEAR(max_retry_after_ns);
    REQUIRE_YEAR(deadline_ns);
    REQUIRE((c->classes & ~FAILURES) == 0, classes, "must be bits of classes, and none of TRIP_CLASS_SUCCESS");
    REQUIRE(c->budget_ratio >= 0.0 && c->budget_ratio <= RATIO_MAX, budget_ratio, "must be 0 to 1000");
    REQUIRE(c->budget_burst >= 1 && c->budget_burst <= BURST_MAX, budget_burst, "must be 1 to 1000000");
    REQUIRE(c->reserved == 0, reserved, "must be 0");
    return NULL;
}

static const trip_config_kind of_retries = {sizeof(trip_retry_config), TRIP_RETRY_CONFIG_SIZE_1_4, &defaults, check,
                                            TRIP_HOW_TO_FILL(trip_retry_config)};

trip_status trip_retry_config_init(trip_retry_config *out_config, size_t struct_size)
{
    return trip_config_fill(&of_retries, out_config, struct_size);
}

/* ---- Rules ------------------------------------------------------------------------------------------------------- */

static void end(trip_object *object)
{
    trip_budgets_end(&((place *)object)->budgets);
}

static void after_fork(trip_object *object)
{
    trip_draws_after_fork(&((place *)object)->draws);
}

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_retries = TRIP_OBJECT_KIND(TRIP_KIND_RETRY, place, end, after_fork, NULL, chunks);

static place *visit(trip_retry retry)
{
    return (place *)trip_object_visit(&trip_retries, retry);
}

static void leave(place *retry)
{
    trip_object_leave(&trip_retries, &retry->object);
}

static trip_status fill(place *retry, const trip_retry_config *config)
{
    retry->rule = *config;
    if (!trip_draws_begin(&retry->draws, config->seed))
        return TRIP_E_SYSTEM;
    bool has_room =
        trip_budgets_begin(&retry->budgets, config->budget_ratio, config->budget_burst, config->max_providers);
    return has_room ? TRIP_OK : TRIP_E_NOMEM;
}

trip_status trip_retry_create(trip_tracker tracker, const trip_retry_config *config, trip_retry *out_retry,
                              trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (out_retry == NULL)
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "out_retry is NULL");
    trip_retry_config complete;
    trip_status status = trip_config_complete(&of_retries, config, &complete, out_error);
    if (status != TRIP_OK)
        return status;
    trip_object *object;
    status = trip_object_make(&trip_retries, tracker, &object);
    if (status != TRIP_OK)
        return trip_error_tell_unmade(out_error, status);
    status = fill((place *)object, &complete);
    if (status != TRIP_OK) {
        trip_object_unmake(&trip_retries, object);
        return trip_error_tell_unmade(out_error, status);
    }
    *out_retry = trip_object_begin(&trip_retries, object);
    return TRIP_OK;
}

trip_status trip_retry_destroy(trip_retry retry)
{
    return trip_object_destroy(&trip_retries, retry);
}

trip_status trip_retry_delay_for(trip_retry retry, uint32_t attempt, uint64_t *out_delay_ns)
{
    if (out_delay_ns == NULL)
        return TRIP_E_INVALID;
    place *there = visit(retry);
    if (there == NULL)
        return TRIP_E_HANDLE;
    *out_delay_ns = trip_backoff_delay(&there->rule, attempt);
    leave(there);
    return TRIP_OK;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static trip_budget *budget_of(place *retry, const char *provider, size_t provider_len)
{
    return trip_budget_get(&retry->budgets, &retry->object.mutex, provider, provider_len);
}

trip_status trip_retry_begin(trip_retry retry, const char *provider, size_t provider_len, uint64_t *out_began_ns)
{
    if (out_began_ns == NULL || !trip_abi_text(provider, &provider_len))
        return TRIP_E_INVALID;
    place *there = visit(retry);
    if (there == NULL)
        return TRIP_E_HANDLE;
    uint64_t now;
    bool is_timed = trip_object_now(&there->object, &now);
    if (is_timed) {
        trip_budget_earn(&there->budgets, budget_of(there, provider, provider_len));
        *out_began_ns = now;
    }
    leave(there);
    return is_timed ? TRIP_OK : TRIP_E_HANDLE;
}

/* What is asked after an attempt. */
typedef struct attempt {
    uint32_t number;
    uint64_t began_ns;
    uint64_t last_delay_ns;
    uint64_t now;
    trip_outcome outcome;
} attempt;

static bool asks_for_too_long(const trip_retry_config *rule, const attempt *failed)
{
    return rule->max_retry_after_ns != 0 && failed->outcome.retry_after_ns > rule->max_retry_after_ns;
}

static bool is_late(const trip_retry_config *rule, const attempt *failed, uint64_t delay)
{
    uint64_t gone = failed->now > failed->began_ns ? failed->now - failed->began_ns : 0;
    return rule->deadline_ns != 0 && (gone > rule->deadline_ns || delay > rule->deadline_ns - gone);
}

/* The delay before the next attempt, but for what the budget says to one: that is asked last, for it does not give back. */
static trip_status delay_after(place *retry, const attempt *failed, uint64_t *out_delay)
{
    const trip_retry_config *rule = &retry->rule;
    if ((rule->classes >> failed->outcome.status_class & 1) == 0)
        return TRIP_NO_RETRY_CLASS;
    if (failed->number >= rule->max_attempts)
        return TRIP_NO_RETRY_ATTEMPTS;
    if (asks_for_too_long(rule, failed))
        return TRIP_NO_RETRY_LATE;
    uint64_t asked = rule->max_retry_after_ns != 0 ? failed->outcome.retry_after_ns : 0;
    uint64_t delay = trip_backoff_draw(rule, failed->number, failed->last_delay_ns, &retry->draws);
    *out_delay = delay < asked ? asked : delay;
    return is_late(rule, failed, *out_delay) ? TRIP_NO_RETRY_LATE : TRIP_OK;
}

trip_status trip_retry_next(trip_retry retry, const char *provider, size_t provider_len, uint32_t attempt_number,
                            uint64_t began_ns, uint64_t last_delay_ns, const trip_outcome *outcome,
                            uint64_t *out_delay_ns)
{
    attempt failed = {.number = attempt_number != 0 ? attempt_number : 1, began_ns, last_delay_ns};
    if (outcome == NULL || out_delay_ns == NULL || !trip_abi_text(provider, &provider_len))
        return TRIP_E_INVALID;
    trip_status status = trip_abi_read(outcome, &failed.outcome, sizeof failed.outcome, TRIP_OUTCOME_SIZE_1_2);
    if (status != TRIP_OK)
        return status;
    if (failed.outcome.status_class >= TRIP_CLASSES)
        return TRIP_E_INVALID;
    place *there = visit(retry);
    if (there == NULL)
        return TRIP_E_HANDLE;
    uint64_t delay;
    status = trip_object_now(&there->object, &failed.now) ? delay_after(there, &failed, &delay) : TRIP_E_HANDLE;
    if (status == TRIP_OK && !trip_budget_take(budget_of(there, provider, provider_len)))
        status = TRIP_NO_RETRY_BUDGET;
    if (status == TRIP_OK)
        *out_delay_ns = delay;
    leave(there);
    return status;
}

trip_status trip_retry_inspect(trip_retry retry, const char *provider, size_t provider_len, trip_retry_info *out_info)
{
    if (out_info == NULL || !trip_abi_may_write(out_info, TRIP_RETRY_INFO_SIZE_1_4) ||
        !trip_abi_text(provider, &provider_len))
        return TRIP_E_INVALID;
    place *there = visit(retry);
    if (there == NULL)
        return TRIP_E_HANDLE;
    trip_retry_info info;
    trip_budget_tell(trip_budget_find(&there->budgets, provider, provider_len), &info);
    trip_abi_write(out_info, &info, sizeof info);
    leave(there);
    return TRIP_OK;
}
