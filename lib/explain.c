/*
 * trip_circuit_explain: one paragraph about a circuit, for people. It reads what inspect reads, and under the mutex of the
 * registry the key, the last order and whose policy holds; all of it is composed when the mutex is free again.
 */
#include "abi.h"
#include "clock.h"
#include "inspect.h"
#include "prose.h"
#include "steering.h"
#include "story.h"
#include "tracker.h"

#include <inttypes.h>
#include <string.h>

/* Everything there is to say. */
typedef struct subject {
    trip_circuit_info info;
    trip_view view;
    trip_policy policy;
    uint32_t scope; /* whose policy it is */
    uint64_t now;   /* tracker's ns */
    uint64_t own_now;
    uint64_t not_before; /* circuit's ns */
    uint64_t closed_at;  /* the same; of a closed circuit */
    bool has_closed_again;
    trip_opening opening;
    size_t blamed_count;
    trip_blame blamed[TRIP_BLAMED];
    bool has_order;
    trip_order order;
    trip_name_copy copy;
} subject;

/* ---- Finding out ------------------------------------------------------------------------------------------------- */

/* What is under the mutex. */
static bool read_guarded(trip_circuit circuit, subject *s)
{
    trip_record *record;
    trip_tracker_record *owner = trip_tracker_hold(circuit, &record);
    if (owner == NULL)
        return false;
    trip_record_copy_name(record, &s->copy);
    uint32_t place;
    s->scope = trip_registry_resolve(&owner->registry, record, &place);
    const trip_order *order = trip_steering_order(record);
    s->has_order = order != NULL;
    if (order != NULL)
        s->order = *order;
    trip_tracker_unlock(owner);
    return true;
}

static bool find_out(trip_circuit circuit, subject *s)
{
    trip_hearing hearing;
    if (!read_guarded(circuit, s) || !trip_circuit_info_of(circuit, &s->info))
        return false;
    trip_hearing_begin(&hearing, circuit, trip_record_named(circuit), trip_magazine_mine());
    uint64_t word = atomic_load_explicit(&hearing.record->cell.word, memory_order_acquire);
    trip_circuit_look(&hearing);
    s->view = trip_word_view(word, &hearing.setting);
    s->policy = *hearing.setting.policy;
    s->own_now = hearing.setting.now;
    s->not_before = hearing.setting.not_before;
    s->closed_at = trip_word_stamp(word) * TRIP_NS_PER_MS;
    s->has_closed_again = trip_word_stamp(word) != trip_record_born(hearing.record);
    s->now = trip_tracker_time(trip_record_tracker(hearing.record));
    s->opening = trip_story_opening(&hearing);
    s->blamed_count = trip_story_blamed(&hearing, s->blamed);
    return trip_record_lives(hearing.record, circuit);
}

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

static void tell_ago(trip_prose *p, const subject *s, uint64_t at)
{
    uint64_t ago = s->now > at ? s->now - at : 0;
    trip_prose_duration(p, ago);
    trip_prose_add(p, " ago");
    uint64_t today = trip_clock_of_day();
    if (s->policy.clock == TRIP_CLOCK_MONOTONIC && today > ago) {
        trip_prose_add(p, " (");
        trip_prose_date(p, today - ago);
        trip_prose_add(p, ")");
    }
}

static const char *class_name(uint32_t status_class)
{
    static const char *const names[TRIP_CLASSES] = {
        "success", "server error",    "rate limited",     "overloaded", "network",          "timeout",   "quota",
        "auth",    "invalid request", "context overflow", "not found",  "content filtered", "cancelled", "unknown"};
    return status_class < TRIP_CLASSES ? names[status_class] : "unknown";
}

/* "3 server error (HTTP 503), 2 timeout": equal ones together. */
static void tell_blamed(trip_prose *p, const subject *s)
{
    bool told[TRIP_BLAMED] = {false};
    const char *before = "";
    for (size_t i = 0; i < s->blamed_count; i++) {
        unsigned count = 0;
        for (size_t j = i; j < s->blamed_count && !told[i]; j++) {
            bool is_alike = s->blamed[j].status_class == s->blamed[i].status_class &&
                            s->blamed[j].http_status == s->blamed[i].http_status;
            told[j] |= is_alike && j != i;
            count += is_alike;
        }
        if (count == 0)
            continue;
        trip_prose_add(p, "%s%u %s", before, count, class_name(s->blamed[i].status_class));
        if (s->blamed[i].http_status != 0)
            trip_prose_add(p, " (HTTP %u)", s->blamed[i].http_status);
        before = ", ";
    }
}

static void tell_rules(trip_prose *p, const trip_policy *policy)
{
    trip_prose_count(p, policy->failure_threshold, "failure", "failures in a row");
    trip_prose_add(p, policy->failure_threshold == 1 ? " opens it" : " open it");
    if (policy->last_calls.size != 0)
        trip_prose_add(p, ", or its last %u calls", policy->last_calls.size);
    if (policy->lately.size != 0) {
        trip_prose_add(p, ", or the calls of ");
        trip_prose_duration(p, policy->lately.size * policy->bucket_ns);
    }
    if (policy->hang_calls != 0) {
        trip_prose_add(p, ", or ");
        trip_prose_count(p, policy->hang_calls, "call that hangs for ", "calls that hang for ");
        trip_prose_duration(p, policy->hang_ns);
    }
    trip_prose_add(p, ".");
}

static void tell_closed(trip_prose *p, const subject *s)
{
    uint64_t since = s->own_now > s->closed_at ? s->own_now - s->closed_at : 0;
    trip_prose_add(p, "closed: calls pass. ");
    if (s->has_closed_again && s->policy.ramp_ns != 0 && since < s->policy.ramp_ns) {
        trip_prose_add(p, "It has closed ");
        trip_prose_duration(p, since);
        trip_prose_add(p, " ago and admits a growing share of them for ");
        trip_prose_duration(p, s->policy.ramp_ns - since);
        trip_prose_add(p, " more. ");
    }
    if (s->view.failures != 0) {
        trip_prose_count(p, s->view.failures, "call has", "calls in a row have");
        trip_prose_add(p, " failed; ");
    }
    tell_rules(p, &s->policy);
}

static void tell_opening(trip_prose *p, const subject *s)
{
    static const char *const causes[] = {
        [TRIP_CAUSE_FAILURES] = "after too many failures in a row",
        [TRIP_CAUSE_COUNT_WINDOW] = "because of what became of its last calls",
        [TRIP_CAUSE_TIME_WINDOW] = "because of what became of the calls of a time",
        [TRIP_CAUSE_HANGING] = "because too many calls were hanging",
        [TRIP_CAUSE_PROBE] = "because a probe failed",
        [TRIP_CAUSE_LEASE] = "because the lease of a probe ran out",
        [TRIP_CAUSE_OPERATOR] = "because an operator tripped it",
        [TRIP_CAUSE_RESTORED] = "before this process began, and was restored",
    };
    uint32_t cause = s->opening.cause;
    if (cause >= sizeof causes / sizeof *causes || causes[cause] == NULL)
        return;
    trip_prose_add(p, " It opened ");
    tell_ago(p, s, s->opening.at_ms * TRIP_NS_PER_MS);
    trip_prose_add(p, " %s.", causes[cause]);
    if (s->view.level != 0) {
        trip_prose_add(p, " Since it closed last ");
        trip_prose_count(p, s->view.level, "probe has failed.", "probes have failed.");
    }
}

static void tell_open(trip_prose *p, const subject *s)
{
    if (s->view.retry_after_ns == 0) {
        trip_prose_add(p, "open, and its period is over: the next permit is a probe.");
        return;
    }
    trip_prose_add(p, "open: permits are refused. In ");
    trip_prose_duration(p, s->view.retry_after_ns);
    trip_prose_add(p, " it lets a probe through.");
    if (s->not_before > s->own_now)
        trip_prose_add(p, " Its provider has asked to be left alone.");
}

static void tell_half_open(trip_prose *p, const subject *s)
{
    const trip_policy *policy = &s->policy;
    uint32_t next = s->view.level + 1 < TRIP_LEVELS ? s->view.level + 1 : TRIP_LEVELS - 1;
    trip_prose_add(p, "half-open: ");
    trip_prose_count(p, s->view.probes_out, "probe is out", "probes are out");
    if (s->view.lease_left_ns != 0) {
        trip_prose_add(p, ", and counts as dropped in ");
        trip_prose_duration(p, s->view.lease_left_ns);
    }
    trip_prose_add(p, ". ");
    trip_prose_count(p, policy->half_open_successes, "success closes it", "successes close it");
    trip_prose_add(p, "; if it opens again, it does for ");
    trip_prose_duration(p, policy->open_ns[next]);
    trip_prose_add(p, ".");
}

/* Its own state, whatever an operator has ordered. */
static void tell_state(trip_prose *p, const subject *s)
{
    if (s->view.state == TRIP_WORD_CLOSED)
        tell_closed(p, s);
    else if (s->view.state == TRIP_WORD_OPEN)
        tell_open(p, s);
    else
        tell_half_open(p, s);
    tell_opening(p, s);
    if (s->blamed_count != 0) {
        trip_prose_add(p, " The last failures that were told: ");
        tell_blamed(p, s);
        trip_prose_add(p, ".");
    }
}

static const char *const modes[] = {
    [TRIP_MODE_AUTO] = "left to itself",
    [TRIP_MODE_FORCED_OPEN] = "forced open",
    [TRIP_MODE_FORCED_CLOSED] = "forced closed",
    [TRIP_MODE_OBSERVE] = "let to observe only",
};

static void tell_reason(trip_prose *p, const trip_order *order)
{
    if (order->reason_len == 0)
        return;
    trip_prose_add(p, ": ");
    trip_prose_quote(p, order->reason, order->reason_len);
}

/* The order that holds, before what the circuit does by itself. */
static void tell_order(trip_prose *p, const subject *s)
{
    const trip_order *order = &s->order;
    trip_prose_add(p, "%s by an operator: every permit is %s. That was ordered ", modes[s->info.mode],
                   s->info.mode == TRIP_MODE_FORCED_OPEN ? "refused" : "granted");
    tell_ago(p, s, order->since);
    tell_reason(p, order);
    if (s->info.mode_left_ns == 0) {
        trip_prose_add(p, "; it holds until another mode is set.");
    } else {
        trip_prose_add(p, "; it ends in ");
        trip_prose_duration(p, s->info.mode_left_ns);
        trip_prose_add(p, ".");
    }
    trip_prose_add(p, " By itself the circuit is ");
}

/* One that does not. */
static void tell_past_order(trip_prose *p, const subject *s)
{
    const trip_order *order = &s->order;
    trip_prose_add(p, " An operator had it %s ", modes[order->steer.mode]);
    tell_ago(p, s, order->since);
    tell_reason(p, order);
    if (order->steer.mode != TRIP_MODE_AUTO) {
        trip_prose_add(p, "; that is over since ");
        trip_prose_duration(p, s->now > order->steer.until ? s->now - order->steer.until : 0);
    }
    trip_prose_add(p, ".");
}

static void tell_counts(trip_prose *p, const subject *s)
{
    const trip_circuit_info *i = &s->info;
    trip_prose_add(p,
                   " Permits: %" PRIu64 " granted; %" PRIu64 " succeeded, %" PRIu64 " failed, %" PRIu64
                   " dropped, %" PRIu64 " cancelled; %" PRIu64 " refused.",
                   i->permits, i->successes, i->failures_total, i->drops, i->cancels, i->rejections);
    trip_prose_add(p, " It has opened ");
    trip_prose_count(p, i->opens, "time.", "times.");
}

static void tell_policy(trip_prose *p, const subject *s)
{
    static const char *const scopes[] = {[TRIP_SCOPE_TRACKER] = "the tracker's",
                                         [TRIP_SCOPE_PROVIDER] = "that of its provider",
                                         [TRIP_SCOPE_TENANT] = "that of its tenant",
                                         [TRIP_SCOPE_CIRCUIT] = "its own"};
    trip_prose_add(p, " Its policy is %s.", scopes[s->scope]);
}

static void tell(trip_prose *p, const subject *s)
{
    trip_prose_add(p, "The circuit of tenant ");
    trip_prose_quote(p, s->copy.name.tenant, s->copy.name.tenant_len);
    trip_prose_add(p, " and provider ");
    trip_prose_quote(p, s->copy.name.provider, s->copy.name.provider_len);
    trip_prose_add(p, " is ");
    if (s->info.mode != TRIP_MODE_AUTO && s->has_order)
        tell_order(p, s);
    tell_state(p, s);
    if (s->info.mode == TRIP_MODE_AUTO && s->has_order)
        tell_past_order(p, s);
    tell_counts(p, s);
    tell_policy(p, s);
}

trip_status trip_circuit_explain(trip_circuit circuit, char *out_text, size_t capacity, size_t *out_len)
{
    if (out_len == NULL || (out_text == NULL && capacity != 0))
        return TRIP_E_INVALID;
    subject s;
    trip_prose prose = {.len = 0};
    if (!find_out(circuit, &s))
        return TRIP_E_HANDLE;
    tell(&prose, &s);
    *out_len = prose.len;
    if (prose.len > capacity)
        return TRIP_E_CAPACITY;
    memcpy(out_text, prose.text, prose.len);
    return TRIP_OK;
}
